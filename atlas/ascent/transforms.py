"""Random transforms inside the gradient, another for every image and step (transformation robustness).

All geometric transforms of a recipe are one affine map, so the picture is resampled once. Maps are made with numpy from
the job's own draws: a sine of a few numbers in TensorFlow rounds differently with the size of the batch. They are kept
about the centre of the canvas, where padding and cropping change only the canvas and the rest multiply.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from atlas.spec.recipe import Rotate, Scale, Shift, Transform, canvas

GREY = 0.5  # what lies beyond the edge with `fill: grey`
NUMBERS = 8  # of one map, as TensorFlow's projective transform takes them


def draw_maps(transforms: Sequence[Transform], size: int, steps: int, generator: np.random.Generator) -> np.ndarray:
    """The maps of one job, one for each step: ``(steps, 8) float32``.

    Each takes a pixel of what the network sees to its place in the picture of ``size``, ``(a x + b y + c, d x + e y +
    f)``, counted from the corner; the last two numbers are 0.
    """
    total = np.tile(np.eye(3), (steps, 1, 1))  # (steps, 3, 3), about the centres
    for transform in transforms:
        match transform:
            case Shift():
                x, y = generator.uniform(-transform.pixels, transform.pixels, (2, steps))
                total = total @ _matrix(1.0, 0.0, -x, 0.0, 1.0, -y)
            case Scale():
                factor = _drawn(generator, transform.among, *transform.between, steps)
                total = total @ _matrix(1 / factor, 0.0, 0.0, 0.0, 1 / factor, 0.0)
            case Rotate():
                degrees = _drawn(generator, transform.among, -transform.degrees, transform.degrees, steps)
                cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
                total = total @ _matrix(cosine, sine, 0.0, -sine, cosine, 0.0)
    return _from_corners(total, (canvas(transforms, size) - 1) / 2, (size - 1) / 2)


def apply(transforms: Sequence[Transform], fill: str, picture: Any, maps: Any) -> Any:
    """The transformed pictures ``(n, s', s', 3)`` of ``(n, s, s, 3)``, bilinear, one of ``maps (n, 8)`` for each.

    ``fill`` is ``reflect`` or ``grey``. The gradient is resampled through the inverse map.
    """
    if not transforms:
        return picture
    seen = canvas(transforms, picture.shape[1])
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=picture,
        transforms=maps,
        output_shape=[seen, seen],
        fill_value=GREY,
        interpolation="BILINEAR",
        fill_mode="REFLECT" if fill == "reflect" else "CONSTANT",
    )


def _drawn(
    generator: np.random.Generator, among: tuple[float, ...] | None, low: float, high: float, steps: int
) -> np.ndarray:
    if among:
        return np.array(among)[generator.integers(0, len(among), steps)]
    return generator.uniform(low, high, steps)


def _matrix(*rows: Any) -> np.ndarray:
    """``(steps, 3, 3)`` from the first two rows, given as six numbers or arrays ``(steps,)``."""
    values = np.broadcast_arrays(*rows, 0.0, 0.0, 1.0)
    return np.stack(values, axis=-1).reshape(-1, 3, 3)


def _from_corners(maps: np.ndarray, centre_seen: float, centre_picture: float) -> np.ndarray:
    """Maps about the centres ``(steps, 3, 3)`` as maps about the corners, ``(steps, 8) float32``."""
    moved = maps[:, :2, 2] + centre_picture - maps[:, :2, :2].sum(axis=2) * centre_seen  # (steps, 2)
    rows = np.concatenate([maps[:, :2, :2], moved[:, :, None]], axis=2).reshape(-1, 6)
    return np.pad(rows, ((0, 0), (0, 2))).astype(np.float32)
