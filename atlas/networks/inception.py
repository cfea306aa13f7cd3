"""What lies between the listed layers of InceptionV3, written out: layers that can be looked at by their names.

A test compares every number with Keras's own model.
"""

from collections.abc import Iterator

from atlas.spec.facts import Branch, LayerFacts

# for each listed layer the convolutions on the way to it, in the order of their numbers, each with its batch norm and
# its ReLU: channels, receptive field, stride, multiply-adds per input pixel
CONVOLUTIONS: dict[str, tuple[tuple[int, int, int, float], ...]] = {
    "stem1": ((32, 3, 2, 216.0),),
    "stem2": ((32, 7, 2, 2520.0),),
    "stem3": ((64, 11, 2, 7128.0),),
    "stem4": ((80, 15, 4, 7448.0),),
    "stem5": ((192, 23, 4, 16088.0),),
    "mixed0": (
        *((64, 31, 8, 16280.0), (48, 31, 8, 16232.0), (64, 63, 8, 17432.0), (64, 31, 8, 16280.0)),
        *((96, 47, 8, 17144.0), (96, 63, 8, 18440.0), (32, 47, 8, 16184.0)),
    ),
    "mixed1": (
        *((64, 63, 8, 20328.0), (48, 63, 8, 20264.0), (64, 95, 8, 21464.0), (64, 63, 8, 20328.0)),
        *((96, 79, 8, 21192.0), (96, 95, 8, 22488.0), (64, 79, 8, 20328.0)),
    ),
    "mixed2": (
        *((64, 95, 8, 24680.0), (48, 95, 8, 24608.0), (64, 127, 8, 25808.0), (64, 95, 8, 24680.0)),
        *((96, 111, 8, 25544.0), (96, 127, 8, 26840.0), (64, 111, 8, 24680.0)),
    ),
    "mixed3": (*((384, 143, 16, 32720.0), (64, 127, 8, 29120.0), (96, 143, 8, 29984.0), (96, 159, 16, 30308.0)),),
    "mixed4": (
        *((192, 159, 16, 34772.0), (128, 159, 16, 34580.0), (128, 255, 16, 35028.0), (192, 255, 16, 35700.0)),
        *((128, 159, 16, 34580.0), (128, 255, 16, 35028.0), (128, 255, 16, 35476.0), (128, 351, 16, 35924.0)),
        *((192, 351, 16, 36596.0), (192, 191, 16, 34772.0)),
    ),
    "mixed5": (
        *((192, 351, 16, 39828.0), (160, 351, 16, 39732.0), (160, 447, 16, 40432.0), (192, 447, 16, 41272.0)),
        *((160, 351, 16, 39732.0), (160, 447, 16, 40432.0), (160, 447, 16, 41132.0), (160, 543, 16, 41832.0)),
        *((192, 543, 16, 42672.0), (192, 383, 16, 39828.0)),
    ),
    "mixed6": (
        *((192, 543, 16, 46420.0), (160, 543, 16, 46324.0), (160, 639, 16, 47024.0), (192, 639, 16, 47864.0)),
        *((160, 543, 16, 46324.0), (160, 639, 16, 47024.0), (160, 639, 16, 47724.0), (160, 735, 16, 48424.0)),
        *((192, 735, 16, 49264.0), (192, 575, 16, 46420.0)),
    ),
    "mixed7": (
        *((192, 735, 16, 53012.0), (192, 735, 16, 53012.0), (192, 831, 16, 54020.0), (192, 831, 16, 55028.0)),
        *((192, 735, 16, 53012.0), (192, 831, 16, 54020.0), (192, 831, 16, 55028.0), (192, 927, 16, 56036.0)),
        *((192, 927, 16, 57044.0), (192, 767, 16, 53012.0)),
    ),
    "mixed8": (
        *((192, 927, 16, 61364.0), (320, 959, 32, 61904.0), (192, 927, 16, 61364.0), (192, 1023, 16, 62372.0)),
        *((192, 1023, 16, 63380.0), (192, 1055, 32, 63704.0)),
    ),
    "mixed9": (
        *((320, 1055, 32, 65220.0), (384, 1055, 32, 65300.0), (384, 1119, 32, 65732.0), (384, 1119, 32, 65732.0)),
        *((448, 1055, 32, 65380.0), (384, 1119, 32, 66892.0), (384, 1183, 32, 67324.0), (384, 1183, 32, 67324.0)),
        (192, 1119, 32, 65060.0),
    ),
    "mixed10": (
        *((320, 1183, 32, 70380.0), (384, 1183, 32, 70508.0), (384, 1247, 32, 70940.0), (384, 1247, 32, 70940.0)),
        *((448, 1183, 32, 70636.0), (384, 1247, 32, 72148.0), (384, 1311, 32, 72580.0), (384, 1311, 32, 72580.0)),
        (192, 1247, 32, 70124.0),
    ),
}
POOLS = {
    "mixed0": ("average_pooling2d", 192, 47, 8, 16088.0),
    "mixed1": ("average_pooling2d_1", 256, 79, 8, 20072.0),
    "mixed2": ("average_pooling2d_2", 288, 111, 8, 24392.0),
    "mixed3": ("max_pooling2d_2", 288, 143, 16, 28832.0),
    "mixed4": ("average_pooling2d_3", 768, 191, 16, 34196.0),
    "mixed5": ("average_pooling2d_4", 768, 383, 16, 39252.0),
    "mixed6": ("average_pooling2d_5", 768, 575, 16, 45844.0),
    "mixed7": ("average_pooling2d_6", 768, 767, 16, 52436.0),
    "mixed8": ("max_pooling2d_3", 768, 959, 32, 60788.0),
    "mixed9": ("average_pooling2d_7", 1280, 1119, 32, 64820.0),
    "mixed10": ("average_pooling2d_8", 2048, 1247, 32, 69740.0),
}
# the two halves of the last blocks: name, receptive field, multiply-adds, the ReLUs that they join
HALVES = {
    "mixed9": (("mixed9_0", 1119, 66164.0, (78, 79)), ("concatenate", 1183, 67756.0, (82, 83))),
    "mixed10": (("mixed9_1", 1247, 71372.0, (87, 88)), ("concatenate_1", 1311, 73012.0, (91, 92))),
}
HALF = 384  # channels of each ReLU that a half joins


def between() -> Iterator[tuple[str, LayerFacts]]:
    """Each layer that is not listed, with the listed layer that it is on the way to."""
    number = 0
    for listed, rows in CONVOLUTIONS.items():
        for channels, field, stride, cost in rows:
            suffix = f"_{number}" if number else ""
            for name, kind in (("conv2d", "conv"), ("batch_normalization", "map"), ("activation", "activation")):
                relu = kind == "activation"
                if not (relu and listed.startswith("stem")):  # that ReLU is the listed layer itself
                    yield listed, _layer(f"{name}{suffix}", channels, field, stride, kind, relu, cost)
            number += 1
        if listed in POOLS:
            name, channels, field, stride, cost = POOLS[listed]
            yield listed, _layer(name, channels, field, stride, "pool", name.startswith("max"), cost)
        for name, field, cost, joined in HALVES.get(listed, ()):
            relus = [f"activation_{one}" for one in joined]
            branches = (Branch(relus[0], 0, HALF - 1, relus[0]), Branch(relus[1], HALF, 2 * HALF - 1, relus[1]))
            yield listed, _layer(name, 2 * HALF, field, 32, "concat", True, cost, branches)


def _layer(
    name: str,
    channels: int,
    field: int,
    stride: int,
    kind: str,
    relu: bool,
    cost: float,
    branches: tuple[Branch, ...] = (),
) -> LayerFacts:
    return LayerFacts(name, channels, field, stride, kind, False, "relu" if relu else "", cost, branches, listed=False)
