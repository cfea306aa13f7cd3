"""What is known of VGG16, VGG19 and InceptionV3 without Keras: records that lie beside this module.

``scripts/make_records.py`` makes them from Keras's own models; a test makes them again and compares.
"""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "records"
KNOWN = ("inceptionv3", "vgg16", "vgg19")

# Keras's name of a layer of InceptionV3, numbered as in a fresh process -> the name it goes by here. Only these are
# listed: the ReLUs and pools of the stem, whose own names are mere numbers, and the concatenations.
INCEPTIONV3_NAMES = {
    **{"activation" if number == 0 else f"activation_{number}": f"stem{number + 1}" for number in range(5)},
    **{"max_pooling2d": "pool1", "max_pooling2d_1": "pool2"},
    **{f"mixed{number}": f"mixed{number}" for number in range(11)},
}


def known(network: str) -> dict[str, Any]:
    """The record of one of KNOWN, as plain data."""
    found: dict[str, Any] = json.loads((FOLDER / f"{network}.json").read_bytes())
    return found
