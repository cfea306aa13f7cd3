"""VGG19 and InceptionV3 written out, so that a plan of them needs neither TensorFlow nor a record on disk.

A test compares every number with Keras's own models.
"""

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
VGG19 = (
    ("block1_conv1", 64, 3, 1, 1728.0),
    ("block1_conv2", 64, 5, 1, 38592.0),
    ("block1_pool", 64, 6, 2, 38592.0),
    ("block2_conv1", 128, 10, 2, 57024.0),
    ("block2_conv2", 128, 14, 2, 93888.0),
    ("block2_pool", 128, 16, 4, 93888.0),
    ("block3_conv1", 256, 24, 4, 112320.0),
    ("block3_conv2", 256, 32, 4, 149184.0),
    ("block3_conv3", 256, 40, 4, 186048.0),
    ("block3_conv4", 256, 48, 4, 222912.0),
    ("block3_pool", 256, 52, 8, 222912.0),
    ("block4_conv1", 512, 68, 8, 241344.0),
    ("block4_conv2", 512, 84, 8, 278208.0),
    ("block4_conv3", 512, 100, 8, 315072.0),
    ("block4_conv4", 512, 116, 8, 351936.0),
    ("block4_pool", 512, 124, 16, 351936.0),
    ("block5_conv1", 512, 156, 16, 361152.0),
    ("block5_conv2", 512, 188, 16, 370368.0),
    ("block5_conv3", 512, 220, 16, 379584.0),
    ("block5_conv4", 512, 252, 16, 388800.0),
    ("block5_pool", 512, 268, 32, 388800.0),
)
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


def vgg19_layers() -> tuple[LayerFacts, ...]:
    """The layers of VGG19, from input to output."""
    return tuple(_layer(row, "pool" if "pool" in row[0] else "conv") for row in VGG19)


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
