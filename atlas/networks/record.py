"""What only Keras can tell of a network, found once and kept as a small JSON file in the user's cache folder.

Found in a process of its own, ``python -m atlas.networks.record NETWORK [classes]``, so that whoever asks (a plan, a
dispatcher that leaves the GPUs to its workers) need not import TensorFlow.
"""

import functools
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from atlas.canonical import canonical
from atlas.content import file_digest
from atlas.errors import NetworkError
from atlas.files import recall, remember
from atlas.networks import foreign, known
from atlas.networks.apart import answer, ask
from atlas.networks.families import family_of
from atlas.resources import cache_folder
from atlas.runtime import unmoved
from atlas.spec.facts import Branch, LayerFacts, Work, is_path

FORMAT = 9  # of the JSON file; raised when what it holds changes its meaning


@dataclass(frozen=True)
class Record:
    """What Keras tells of a network.

    ``layers`` from input to output, those that are not listed too; ``size`` and ``smallest`` as in NetworkFacts;
    ``fixed`` is the (h, w) that pictures have to be resized to where the architecture takes no other size, else None;
    ``file`` and ``hash`` name the file of ImageNet weights in Keras's cache, empty for a user's own network;
    ``whole`` and ``grey`` as in NetworkFacts.
    """

    layers: tuple[LayerFacts, ...]
    size: int
    smallest: int
    fixed: tuple[int, int] | None = None
    file: str = ""
    hash: str = ""
    whole: bool = False
    grey: bool = False


def record(network: str, classes: bool | str = False) -> Record:
    """The record of a network: one that comes with atlas, one kept in the cache folder, or found now.

    Parameters: ``network`` is an id or the path of a ``.keras`` file; that file's record is kept under its digest.
    ``classes`` means one of keras.applications with its classifier; of a file, that an output tells classes, or which.

    Raises: NetworkError when there is no such network, when it cannot be looked at, or when its file changes meanwhile.
    """
    if network in known.KNOWN and not classes:
        return _known(network)
    if is_path(network):
        foreign.check(Path(network))
    else:
        family_of(network)
    digest = digest_of(network) if is_path(network) else ""
    place = _place((digest[:32] or network) + _suffix(classes))
    kept = recall(place)
    if kept:
        return _from_json(kept)
    apart = "tensorflow" not in sys.modules
    told = [] if classes is False else [canonical(classes)]
    found = _from_json(ask(__name__, network, *told)) if apart else find(network, classes)
    if digest and digest_of(network) != digest:
        raise NetworkError(f"{network}: expected a file that stays as it is while it is read; try again")
    remember(place, asdict(found))
    return found


@functools.cache
def _known(network: str) -> Record:
    return _from_json(known.known(network))


def find(network: str, classes: bool | str = False) -> Record:
    """The record of a network by building it in Keras; nothing is read from or kept in the cache folder."""
    from atlas.networks import describe, own
    from atlas.networks.architectures import build
    from atlas.networks.graph import flatten

    if is_path(network):
        with unmoved():
            return own.describe(Path(network), classes)
    family = family_of(network)
    model, download = build(network, bool(classes))
    size = family.size(network)
    return Record(
        describe.layers(flatten(model, classes)),
        size=size,
        smallest=family.smallest,
        fixed=None if family.free and not classes else (size, size),
        file=download.file,
        hash=download.hash,
    )


def digest_of(path: str) -> str:
    """sha256 of a file in hexadecimal digits. Raises NetworkError when it cannot be read."""
    try:
        return file_digest(path)
    except OSError as error:
        raise NetworkError(f"expected a file at {path}, received: {error.strerror}; check the path") from error


def _suffix(classes: bool | str) -> str:
    """What the name of a record's file says of ``classes``."""
    named = f"-{hashlib.sha256(classes.encode()).hexdigest()[:12]}" if isinstance(classes, str) else ""
    return f"-classes{named}" if classes else ""


def _place(name: str) -> Path:
    return cache_folder() / "networks" / f"{name}-keras{metadata.version('keras')}-v{FORMAT}.json"


def _from_json(data: dict[str, Any]) -> Record:
    layers = tuple(
        LayerFacts(
            **{
                **layer,
                "branches": tuple(Branch(**branch) for branch in layer["branches"]),
                "behind": tuple(layer["behind"]),
                "own_ways": tuple(layer["own_ways"]),
                "work": Work(**layer["work"]),
            }
        )
        for layer in data["layers"]
    )
    fixed = data["fixed"] and (data["fixed"][0], data["fixed"][1])
    return Record(**{**data, "layers": layers, "fixed": fixed})


if __name__ == "__main__":
    answer(lambda: asdict(find(sys.argv[1], *map(json.loads, sys.argv[2:]))))
