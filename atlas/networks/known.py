"""VGG16, VGG19 and InceptionV3 written out, so that a plan of them needs neither TensorFlow nor a record on disk.

A test compares every number with Keras's own models.
"""

from collections.abc import Sequence

from atlas.networks.inception import between
from atlas.spec.facts import Branch, LayerFacts

# Keras's name of a layer of InceptionV3, numbered as in a fresh process -> the name it goes by here. Only these are
# listed: the ReLUs and pools of the stem, whose own names are mere numbers, and the concatenations.
INCEPTIONV3_NAMES = {
    **{"activation" if number == 0 else f"activation_{number}": f"stem{number + 1}" for number in range(5)},
    **{"max_pooling2d": "pool1", "max_pooling2d_1": "pool2"},
    **{f"mixed{number}": f"mixed{number}" for number in range(11)},
}

# name, channels, receptive field, stride, multiply-adds per input pixel; every value comes out of a ReLU
INCEPTIONV3 = (
    ("stem1", 32, 3, 2, 216.0),
    ("stem2", 32, 7, 2, 2520.0),
    ("stem3", 64, 11, 2, 7128.0),
    ("pool1", 64, 15, 4, 7128.0),
    ("stem4", 80, 15, 4, 7448.0),
    ("stem5", 192, 23, 4, 16088.0),
    ("pool2", 192, 31, 8, 16088.0),
    ("mixed0", 256, 63, 8, 20072.0),
    ("mixed1", 288, 95, 8, 24392.0),
    ("mixed2", 288, 127, 8, 28832.0),
    ("mixed3", 768, 159, 16, 34196.0),
    ("mixed4", 768, 351, 16, 39252.0),
    ("mixed5", 768, 543, 16, 45844.0),
    ("mixed6", 768, 735, 16, 52436.0),
    ("mixed7", 768, 927, 16, 60788.0),
    ("mixed8", 1280, 1055, 32, 64820.0),
    ("mixed9", 2048, 1183, 32, 69740.0),
    ("mixed10", 2048, 1311, 32, 75668.0),
)

# the branches of the concatenations of InceptionV3, each with its number of channels
_BLOCK_35 = (("1x1", 64), ("5x5", 64), ("double 3x3", 96))
_BLOCK_17 = (("1x1", 192), ("7x7", 192), ("double 7x7", 192), ("pool", 192))
_BLOCK_8 = (("1x1", 320), ("1x3", 384), ("3x1", 384), ("double 1x3", 384), ("double 3x1", 384), ("pool", 192))
BRANCHES: dict[str, tuple[tuple[str, int], ...]] = {
    "mixed0": (*_BLOCK_35, ("pool", 32)),
    "mixed1": (*_BLOCK_35, ("pool", 64)),
    "mixed2": (*_BLOCK_35, ("pool", 64)),
    "mixed3": (("3x3", 384), ("double 3x3", 96), ("pool", 288)),
    **dict.fromkeys(("mixed4", "mixed5", "mixed6", "mixed7"), _BLOCK_17),
    "mixed8": (("3x3", 320), ("7x7 3x3", 192), ("pool", 768)),
    "mixed9": _BLOCK_8,
    "mixed10": _BLOCK_8,
}
COPIES = {"mixed3": "mixed2", "mixed8": "mixed7"}  # whose channels a branch of pools alone has


def vgg_layers(convolutions: Sequence[int]) -> tuple[LayerFacts, ...]:
    """The layers of a VGG network from input to output, by the number of convolutions in each of its five blocks."""
    found: list[LayerFacts] = []
    before, field, stride, cost = 3, 1, 1, 0.0
    for block, (count, channels) in enumerate(zip(convolutions, (64, 128, 256, 512, 512), strict=True), start=1):
        for number in range(1, count + 1):
            field += 2 * stride
            cost += 9 * before * channels / stride**2
            before = channels
            found.append(_layer((f"block{block}_conv{number}", channels, field, stride, cost), "conv"))
        field, stride = field + stride, 2 * stride
        found.append(_layer((f"block{block}_pool", channels, field, stride, cost), "pool"))
    return tuple(found)


def inceptionv3_layers() -> tuple[LayerFacts, ...]:
    """The layers of InceptionV3, from input to output; those that are not listed before the one they lead to."""
    kinds = {"stem": "activation", "pool": "pool", "mixe": "concat"}
    inside = list(between())
    found: list[LayerFacts] = []
    for row in INCEPTIONV3:
        found += [layer for listed, layer in inside if listed == row[0]]
        found.append(_layer(row, kinds[row[0][:4]]))
    return tuple(found)


def _layer(row: tuple[str, int, int, int, float], kind: str) -> LayerFacts:
    name, channels, field, stride, cost = row
    branches, first = [], 0
    for branch, width in BRANCHES.get(name, ()) if kind == "concat" else ():
        copies = COPIES.get(name, "") if branch == "pool" else ""
        branches.append(Branch(branch, first, first + width - 1, copies))
        first += width
    return LayerFacts(name, channels, field, stride, kind, kind != "pool", "relu", cost, tuple(branches))
