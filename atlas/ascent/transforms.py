"""Random transforms inside the gradient, another for every image and step (transformation robustness).

All geometric transforms of a recipe are one affine map, so the picture is resampled once. Maps are kept about the
centre of the canvas: there, padding and cropping change only the canvas, and the rest multiply.
"""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from atlas.spec.recipe import Crop, Pad, Rotate, Scale, Shift, Transform

GREY = 0.5  # what lies beyond the edge with `fill: grey`


def draws_needed(transforms: Sequence[Transform]) -> int:
    """How many uniform draws in [0, 1) one image needs in one step."""
    return sum({"shift": 2, "scale": 1, "rotate": 1}.get(transform.name, 0) for transform in transforms)


def canvas(transforms: Sequence[Transform], size: int) -> int:
    """Side in pixels of what the network sees of a picture of ``size``; depends on the recipe alone."""
    for transform in transforms:
        if isinstance(transform, Pad):
            size += 2 * transform.pixels
        elif isinstance(transform, Crop):
            size -= 2 * transform.pixels
    return size


def apply(transforms: Sequence[Transform], fill: str, picture: Any, draws: Any) -> Any:
    """The transformed picture ``(n, s', s', 3)`` of ``(n, s, s, 3)``, bilinear.

    Parameters: ``draws`` is ``(n, draws_needed) float32 in [0, 1)``, one row per image; ``fill`` is ``reflect`` or
    ``grey``. The gradient is resampled through the inverse map.
    """
    if not transforms:
        return picture
    size = picture.shape[1]
    seen = canvas(transforms, size)
    to_input = _about_corner(_map(transforms, draws), (seen - 1) / 2, (size - 1) / 2)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=picture,
        transforms=to_input,
        output_shape=[seen, seen],
        fill_value=GREY,
        interpolation="BILINEAR",
        fill_mode="REFLECT" if fill == "reflect" else "CONSTANT",
    )


def _map(transforms: Sequence[Transform], draws: Any) -> Any:
    """From a place in the transformed picture to its place in the picture, about the centres: ``(n, 3, 3)``."""
    count = tf.shape(draws)[0]
    result = tf.eye(3, batch_shape=[count])
    used = 0
    for transform in transforms:
        step = None
        match transform:
            case Shift():
                x, y = (_between(draws[:, used + axis], -transform.pixels, transform.pixels) for axis in (0, 1))
                step = _matrix(1.0, 0.0, -x, 0.0, 1.0, -y)
                used += 2
            case Scale():
                factor = _draw(draws[:, used], transform.among, *transform.between)
                step = _matrix(1 / factor, 0.0, 0.0, 0.0, 1 / factor, 0.0)
                used += 1
            case Rotate():
                degrees = _draw(draws[:, used], transform.among, -transform.degrees, transform.degrees)
                angle = degrees * (math.pi / 180)
                step = _matrix(tf.cos(angle), tf.sin(angle), 0.0, -tf.sin(angle), tf.cos(angle), 0.0)
                used += 1
        if step is not None:
            result = tf.matmul(result, step)
    return result


def _between(draw: Any, low: float, high: float) -> Any:
    return low + draw * (high - low)


def _draw(draw: Any, among: tuple[float, ...], low: float, high: float) -> Any:
    if not among:
        return _between(draw, low, high)
    return tf.gather(tf.constant(among, tf.float32), tf.cast(draw * len(among), tf.int32))


def _matrix(*rows: Any) -> Any:
    """``(n, 3, 3)`` from the first two rows, given as six numbers or ``(n,)`` tensors; at least one is a tensor."""
    ones = tf.ones_like(next(value for value in rows if not isinstance(value, float)))
    values = [value * ones for value in (*rows, 0.0, 0.0, 1.0)]
    return tf.reshape(tf.stack(values, axis=-1), [-1, 3, 3])


def _about_corner(maps: Any, centre_from: float, centre_to: float) -> Any:
    """The eight numbers of TensorFlow's projective transform, which counts pixels from the corner: ``(n, 8)``."""
    a, b, tx = maps[:, 0, 0], maps[:, 0, 1], maps[:, 0, 2]
    c, d, ty = maps[:, 1, 0], maps[:, 1, 1], maps[:, 1, 2]
    across = tx + centre_to - (a + b) * centre_from
    down = ty + centre_to - (c + d) * centre_from
    zero = tf.zeros_like(a)
    return tf.stack([a, b, across, c, d, down, zero, zero], axis=-1)
