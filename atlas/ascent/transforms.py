"""Random transforms inside the gradient, another for every image and step (transformation robustness).

All geometric transforms of a recipe are one affine map, so the picture is resampled once. Maps are made with numpy from
the job's own draws: a sine of a few numbers in TensorFlow rounds differently with the size of the batch. They are kept
about the centre of the canvas, where padding and cropping change only the canvas and the rest multiply. A roll, which
is no such map, comes before it and is a part of the same resampling.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from atlas.ascent.resample import resample
from atlas.spec.recipe import canvas, looks
from atlas.spec.slots import Noise, RandomCrop, Roll, Rotate, Scale, Shift, Transform


class Draws(NamedTuple):
    """What is random in the steps of one job; in the graph of a batch, or of one look, the same with other axes.

    A step looks at the picture once, or at each of several random crops; all looks stand in a row, those of the first
    step before those of the second. ``maps (looks, 6) float32`` take a pixel of what the network sees to its place in
    the picture, ``(a x + b y + c, d x + e y + f)``, counted from the corner; ``rolls (looks, 2) int32`` are the pixels
    by which the picture was turned before that, down and across; ``seeds (looks, 2) int32`` are those of the noise.
    Both are asked for only where a transform rolls or is noise.
    """

    maps: Any
    rolls: Any = None
    seeds: Any = None

    def of(self, looks: slice) -> "Draws":
        """The draws of some of the looks."""
        return Draws(*(drawn[looks] for drawn in self))


def together(jobs: Sequence[Draws]) -> Draws:
    """The draws of n jobs as those of a batch, ``(n, looks, ...)``."""
    return Draws(*(np.stack(drawn) for drawn in zip(*jobs, strict=True)))


def draw(transforms: Sequence[Transform], size: int, steps: int, generator: np.random.Generator) -> Draws:
    """The draws of one job for pictures of ``size`` pixels: for each step as many as it has looks."""
    each = looks(transforms)
    count = steps * each
    total = np.tile(np.eye(3), (count, 1, 1))  # about the centres
    rolls = np.zeros((count, 2), np.int32)
    for index, transform in enumerate(transforms):
        match transform:
            case Roll():
                span = round(transform.share * size)
                rolls = generator.integers(-(span // 2), span - span // 2 + 1, (count, 2)).astype(np.int32)
            case Shift():
                x, y = generator.uniform(-transform.pixels, transform.pixels, (2, count))
                total = total @ _matrix(1.0, 0.0, -x, 0.0, 1.0, -y)
            case Scale():
                factor = _drawn(generator, transform.among, *transform.between, count)
                total = total @ _matrix(1 / factor, 0.0, 0.0, 0.0, 1 / factor, 0.0)
            case Rotate():
                degrees = _drawn(generator, transform.among, -transform.degrees, transform.degrees, count)
                cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
                total = total @ _matrix(cosine, sine, 0.0, -sine, cosine, 0.0)
            case RandomCrop():
                side = canvas(transforms[:index], size)
                share = np.repeat(np.linspace(transform.first, transform.last, steps), each)
                x, y = generator.uniform(-1, 1, (2, count)) * (1 - share) * side / 2
                factor = share * side / transform.pixels
                total = total @ _matrix(factor, 0.0, x, 0.0, factor, y)
    seeds = np.zeros((count, 2), np.int32)
    if _deviation(transforms):
        seeds = generator.integers(0, 2**31 - 1, (count, 2)).astype(np.int32)
    return Draws(_from_corners(total, (canvas(transforms, size) - 1) / 2, (size - 1) / 2), rolls, seeds)


def apply(transforms: Sequence[Transform], fill: str, picture: Any, draws: Draws, grey: float = 0.5) -> Any:
    """The transformed pictures ``(n, s', s', 3)`` of ``(n, s, s, 3)``, each by its own of ``draws``, whose arrays have
    n rows.

    ``fill`` is ``reflect``, ``wrap`` or ``grey``, whose value is given.
    """
    if any(not isinstance(one, Noise) for one in transforms):
        rolls = draws.rolls if any(isinstance(one, Roll) for one in transforms) else None
        picture = resample(picture, draws.maps, canvas(transforms, picture.shape[1]), fill, grey, rolls)
    deviation = _deviation(transforms)
    return picture + deviation * _noise(draws.seeds, picture.shape[1:]) if deviation else picture


def _noise(seeds: Any, shape: Any) -> Any:
    """Normal noise ``(n, *shape)``, each image's made from its own seed ``(2,)`` and by itself."""
    return tf.map_fn(
        lambda seed: tf.random.stateless_normal(shape, seed, alg="philox"),
        seeds,
        fn_output_signature=tf.TensorSpec(shape, tf.float32),
    )


def _deviation(transforms: Sequence[Transform]) -> float:
    """The deviation of all noise together."""
    return float(np.sqrt(sum(one.deviation**2 for one in transforms if isinstance(one, Noise))))


def _drawn(
    generator: np.random.Generator, among: tuple[float, ...] | None, low: float, high: float, count: int
) -> np.ndarray:
    if among:
        return np.array(among)[generator.integers(0, len(among), count)]
    return generator.uniform(low, high, count)


def _matrix(*rows: Any) -> np.ndarray:
    """``(looks, 3, 3)`` from the first two rows, given as six numbers or arrays ``(looks,)``."""
    values = np.broadcast_arrays(*rows, 0.0, 0.0, 1.0)
    return np.stack(values, axis=-1).reshape(-1, 3, 3)


def _from_corners(maps: np.ndarray, centre_seen: float, centre_picture: float) -> np.ndarray:
    """Maps about the centres ``(looks, 3, 3)`` as maps about the corners, ``(looks, 6) float32``."""
    moved = maps[:, :2, 2] + centre_picture - maps[:, :2, :2].sum(axis=2) * centre_seen  # (looks, 2)
    return np.concatenate([maps[:, :2, :2], moved[:, :, None]], axis=2).reshape(-1, 6).astype(np.float32)
