"""Write what atlas knows of VGG16, VGG19 and InceptionV3 without Keras, from Keras's own models.

    python scripts/make_records.py

Writes ``atlas/networks/records/NETWORK.json``. To be run when a record has new fields. InceptionV3 gets names for the
layers of its stem, and for the branches of its blocks; its other layers can be looked at, and are not listed.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, replace

from atlas.networks.known import FOLDER, INCEPTIONV3_NAMES, KNOWN
from atlas.networks.record import Record, find
from atlas.spec.facts import Branch, LayerFacts

BLOCK_35 = ("1x1", "5x5", "double 3x3", "pool")
BLOCK_17 = ("1x1", "7x7", "double 7x7", "pool")
BLOCK_8 = ("1x1", "1x3", "3x1", "double 1x3", "double 3x1", "pool")
BRANCHES = {  # of the blocks of InceptionV3, from channel 0 on
    **dict.fromkeys(("mixed0", "mixed1", "mixed2"), BLOCK_35),
    "mixed3": ("3x3", "double 3x3", "pool"),
    **dict.fromkeys(("mixed4", "mixed5", "mixed6", "mixed7"), BLOCK_17),
    "mixed8": ("3x3", "7x7 3x3", "pool"),
    **dict.fromkeys(("mixed9", "mixed10"), BLOCK_8),
}


def made(network: str) -> Record:
    """The record of a network that is known by name."""
    found = find(network)
    return replace(found, layers=_in_order(map(_named, found.layers))) if network == "inceptionv3" else found


def _named(layer: LayerFacts) -> LayerFacts:
    """A layer of InceptionV3 as atlas calls it."""
    names = BRANCHES.get(layer.name, tuple(branch.name for branch in layer.branches))
    ours = layer.name in INCEPTIONV3_NAMES
    branches = tuple(
        Branch(name, branch.first, branch.last, INCEPTIONV3_NAMES.get(branch.copies, "" if ours else branch.copies))
        for name, branch in zip(names, layer.branches, strict=True)
    )
    if ours:
        return replace(layer, name=INCEPTIONV3_NAMES[layer.name], branches=branches)
    return replace(layer, branches=branches, feature=False, listed=False)


def _in_order(layers: Iterable[LayerFacts]) -> tuple[LayerFacts, ...]:
    """The layers from input to output; those that are not listed before the one that they lead to, by their numbers."""
    found: list[LayerFacts] = []
    between: list[LayerFacts] = []
    for layer in layers:
        if layer.listed:
            found += [*sorted(between, key=_place), layer]
            between = []
        else:
            between.append(layer)
    return tuple(found)


def _place(layer: LayerFacts) -> tuple[int, ...]:
    """Convolutions, their batch norms and their ReLUs in turn, then pools, then concatenations."""
    numbered = re.fullmatch(r"(conv2d|batch_normalization|activation)(?:_(\d+))?", layer.name)
    if numbered:
        kinds = ("conv2d", "batch_normalization", "activation")
        return 0, int(numbered[2] or 0), kinds.index(numbered[1])
    return (1,) if layer.kind == "pool" else (2,)


def text(record: Record) -> str:
    """The record as it is written: a line for each layer."""
    data = asdict(record)
    layers = ",\n  ".join(json.dumps(layer, sort_keys=True) for layer in data.pop("layers"))
    rest = "".join(f' "{name}": {json.dumps(value)},\n' for name, value in sorted(data.items()))
    return f'{{\n{rest} "layers": [\n  {layers}\n ]\n}}\n'


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for network in KNOWN:
        (FOLDER / f"{network}.json").write_text(text(made(network)))


if __name__ == "__main__":
    main()
