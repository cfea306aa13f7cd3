"""What only Keras can tell of a network, found once and kept as a small JSON file in the user's cache folder.

Found in a process of its own, ``python -m atlas.networks.record NETWORK [classes]``, so that whoever asks (a plan, a
dispatcher that leaves the GPUs to its workers) need not import TensorFlow.
"""

import hashlib
import os
import sys
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from atlas.errors import NetworkError
from atlas.files import recall, remember
from atlas.networks import known
from atlas.networks.apart import answer, ask
from atlas.networks.families import family_of
from atlas.spec.facts import Branch, LayerFacts

FORMAT = 3  # of the JSON file; raised when what it holds changes its meaning


@dataclass(frozen=True)
class Record:
    """What Keras tells of a network.

    ``layers`` from input to output; ``size`` and ``smallest`` as in NetworkFacts; ``fixed`` is the (h, w) that pictures
    have to be resized to where the architecture takes no other size, else None; ``file`` and ``hash`` name the file of
    ImageNet weights in Keras's cache, empty for a user's own network.
    """

    layers: tuple[LayerFacts, ...]
    size: int
    smallest: int
    fixed: tuple[int, int] | None = None
    file: str = ""
    hash: str = ""


KNOWN = {
    "vgg19": Record(
        known.vgg19_layers(),
        size=224,
        smallest=32,
        file="vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        hash="253f8cb515780f3b799900260a226db6",
    ),
    "inceptionv3": Record(
        known.inceptionv3_layers(),
        size=299,
        smallest=75,
        file="inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        hash="bcbd6486424b2319ff4ef7d526e38f63",
    ),
}


def is_path(network: str) -> bool:
    """Whether a network is named by its file rather than by an id."""
    return network.endswith(".keras") or "/" in network or os.sep in network


def record(network: str, classes: bool = False) -> Record:
    """The record of a network: written out in the source, kept in the cache folder, or found now.

    Parameters: ``network`` is an id or the path of a ``.keras`` file; that file's record is kept under its digest.
    ``classes`` means one of keras.applications with its classifier.

    Raises: NetworkError when there is no such network, or when it cannot be looked at.
    """
    if network in KNOWN and not classes:
        return KNOWN[network]
    if not is_path(network):
        family_of(network)
    place = _place(digest_of(network)[:32] if is_path(network) else network + "-classes" * classes)
    kept = recall(place)
    if kept:
        return _from_json(kept)
    apart = "tensorflow" not in sys.modules
    found = _from_json(ask(__name__, network, *["classes"] * classes)) if apart else find(network, classes)
    remember(place, asdict(found))
    return found


def find(network: str, classes: bool = False) -> Record:
    """The record of a network by building it in Keras; nothing is read from or kept in the cache folder."""
    from atlas.networks import describe, own
    from atlas.networks.architectures import build
    from atlas.networks.graph import flatten

    if is_path(network):
        return own.describe(Path(network))
    family = family_of(network)
    model, download = build(network, classes)
    size = family.size(network)
    return Record(
        describe.layers(flatten(model)),
        size=size,
        smallest=family.smallest,
        fixed=None if family.free and not classes else (size, size),
        file=download.file,
        hash=download.hash,
    )


def digest_of(path: str) -> str:
    """sha256 of a file in hexadecimal digits, remembered while it stays as it is. Raises NetworkError."""
    try:
        status = Path(path).stat()
        return _digest(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise NetworkError(f"expected a file at {path}, received: {error.strerror}; check the path") from error


@lru_cache(maxsize=64)
def _digest(path: str, changed: int, size: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(name: str) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "atlas" / "networks" / f"{name}-keras{metadata.version('keras')}-v{FORMAT}.json"


def _from_json(data: dict[str, Any]) -> Record:
    layers = tuple(
        LayerFacts(**{**layer, "branches": tuple(Branch(**branch) for branch in layer["branches"])})
        for layer in data["layers"]
    )
    fixed = data["fixed"] and (data["fixed"][0], data["fixed"][1])
    return Record(**{**data, "layers": layers, "fixed": fixed})


if __name__ == "__main__":
    answer(lambda: asdict(find(sys.argv[1], "classes" in sys.argv[2:])))
