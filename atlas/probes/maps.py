"""Feature maps: where each channel of many layers is active on one photo."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atlas.probes.look import levels

if TYPE_CHECKING:
    from atlas.networks.cut import Cut

MAP = 56  # positions at most on a side of a map that is kept


@dataclass(frozen=True)
class FeatureMaps:
    """What the channels of one layer make of one photo; ``grid`` is rows and columns of the layer's own maps.

    ``largest (channels,) float32``, the largest activation anywhere, and ``mean (channels,) float32`` over all
    positions. ``maps (channels, h, w) uint8``: where a channel is active, 255 at the largest value of its own map and
    0 for nothing and below; of maps of more than MAP positions on a side each patch has its mean.
    """

    grid: tuple[int, int]
    largest: np.ndarray
    mean: np.ndarray
    maps: np.ndarray


def feature_maps(cut: "Cut", shown: np.ndarray) -> dict[str, FeatureMaps]:
    """What every layer of a cut makes of a photo ``(size, size, 3) uint8``, by the layer's name: one forward pass, run
    as it stands, for a graph of so many layers would cost more to trace than to run."""
    import tensorflow as tf

    from atlas.networks.cut import activations

    seen = cut.see(tf.cast(shown[None], tf.float32) / 255.0)
    return {sight.layer: _told(activations(seen, sight)[0].numpy()) for sight in cut.sights}


def _told(values: np.ndarray) -> FeatureMaps:
    """What is kept of a layer's activations ``(h, w, channels) float32``."""
    height, width, channels = values.shape
    small = _patches(values)
    return FeatureMaps(
        grid=(height, width),
        largest=values.max(axis=(0, 1)),
        mean=values.mean(axis=(0, 1), dtype=np.float64).astype(np.float32),
        maps=levels(small, np.arange(channels), small.max(axis=(0, 1))),
    )


def _patches(values: np.ndarray) -> np.ndarray:
    """Activations ``(h, w, channels)`` as means of square patches, from the top left and smaller at the other edges, so
    that at most MAP are left on a side."""
    side = -(-max(values.shape[:2]) // MAP)
    for axis in (0, 1) if side > 1 else ():
        starts = np.arange(0, values.shape[axis], side)
        counts = np.diff(np.append(starts, values.shape[axis]))
        shape = [-1 if one == axis else 1 for one in range(3)]
        values = np.add.reduceat(values, starts, axis=axis) / counts.reshape(shape).astype(values.dtype)
    return values
