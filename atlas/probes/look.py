"""Real images through a network: what every channel of some layers makes of each, in one pass for all layers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.probes.images import Source, UnfitError, open_image

if TYPE_CHECKING:
    from atlas.networks.cut import Cut

TOGETHER = 8  # images that go through the network at once
MAP = 28  # positions at most on a side of an activation map that is kept


@dataclass
class Looked:
    """What the channels of one layer make of n images; ``grid`` is rows and columns of its activation maps.

    ``largest (n, channels) float32``, the largest activation anywhere; ``place (n, channels, 2) uint16``, the row and
    the column where it is; ``mean (n, channels) float32`` over all positions; ``active (n, channels) float32``, the
    share of positions that are above zero, of a large map on a grid of at most MAP a side. ``best (k, channels) int32``
    are the images with the largest activations, the largest first, -1 where there are fewer, and ``maps (k, channels,
    h, w) uint8`` where each of them is active: 255 is its largest, and of a map of more than MAP positions on a side
    each patch has its largest.
    """

    grid: tuple[int, int]
    largest: np.ndarray
    place: np.ndarray
    mean: np.ndarray
    active: np.ndarray
    best: np.ndarray
    maps: np.ndarray


@dataclass
class _Layer:
    """The same while it grows; ``rows`` are batches of largest, place, mean and active, ``values`` are of ``best``."""

    rows: list[tuple[np.ndarray, ...]] = field(default_factory=list)
    best: np.ndarray = field(default_factory=lambda: np.zeros(0))
    values: np.ndarray = field(default_factory=lambda: np.zeros(0))
    maps: np.ndarray = field(default_factory=lambda: np.zeros(0))


def pictures(sources: Sequence[Source], size: int, crop: str, skip: Callable[[Source, str], None]) -> Iterator[Any]:
    """The images' indices ``(n,) int32`` and pixels ``(n, size, size, 3) uint8``, TOGETHER at a time, through tf.data:
    the next ones are read while some are looked at. Those that cannot be shown are told to ``skip``.

    Raises OSError when one that could be read before cannot be now: what the others give is not what all give.
    """
    import tensorflow as tf

    lost: list[OSError] = []

    def read() -> Iterator[tuple[int, np.ndarray]]:
        for index, source in enumerate(sources):
            try:
                yield index, open_image(source.path, size, crop)
            except UnfitError as error:
                skip(source, str(error))
            except OSError as error:
                if source.digest:
                    lost.append(error)
                    return
                skip(source, f"a file that may not be read ({error.strerror})")

    signature = (tf.TensorSpec([], tf.int32), tf.TensorSpec([size, size, 3], tf.uint8))
    dataset = tf.data.Dataset.from_generator(read, output_signature=signature)
    for indices, pixels in dataset.batch(TOGETHER).prefetch(1):
        yield indices.numpy(), pixels.numpy()
    if lost:
        raise lost[0]


class Probe:
    """Looks at images by all layers of a cut at once; one graph is traced, for batches of TOGETHER."""

    def __init__(self, cut: "Cut", size: int, exemplars: int):
        """``size`` is the side of the images in px; ``exemplars`` is k, see Looked."""
        import tensorflow as tf

        self.cut, self.exemplars = cut, exemplars
        self._grids: dict[str, tuple[int, int]] = {}  # noted when the graph is traced
        shape = tf.TensorSpec([TOGETHER, size, size, 3], tf.uint8)
        self._look = tf.function(self._seen, input_signature=[shape], autograph=False)

    def look(self, batches: Iterator[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, dict[str, Looked]]:
        """The indices ``(n,)`` of the images that came, and what each layer makes of them, by its name."""
        layers = {sight.layer: _Layer() for sight in self.cut.sights}
        indices: list[np.ndarray] = []
        count = 0
        for some, pixels in batches:
            filled = np.concatenate([pixels, *[pixels[-1:]] * (TOGETHER - len(pixels))])
            for sight, found in zip(self.cut.sights, self._look(filled), strict=True):
                self._take(layers[sight.layer], found, len(some), count)
            indices.append(some)
            count += len(some)
        return np.concatenate(indices or [np.zeros(0, np.int32)]), {
            name: _finished(layer, self._grids[name]) for name, layer in layers.items() if layer.rows
        }

    def _seen(self, pixels: Any) -> list[Any]:
        import tensorflow as tf

        from atlas.networks.cut import activations

        seen = self.cut.see(tf.cast(pixels, tf.float32) / 255.0)
        maps = {sight.layer: activations(seen, sight) for sight in self.cut.sights}
        self._grids = {name: tuple(one.shape[1:3]) for name, one in maps.items()}
        return [_reduced(one) for one in maps.values()]

    def _take(self, layer: _Layer, found: Any, count: int, first: int) -> None:
        """Note what a batch's first ``count`` images, of which the first is number ``first``, did in a layer."""
        small, *rows = (np.asarray(array)[:count] for array in found)
        layer.rows.append(tuple(rows))
        self._choose(layer, small, rows[0], first)

    def _choose(self, layer: _Layer, maps: np.ndarray, largest: np.ndarray, first: int) -> None:
        """Keep the images of before and of this batch with the largest activations; of equal ones, those of before."""
        if layer.best.ndim == 1:
            shape = (self.exemplars, largest.shape[1])
            layer.best, layer.values = np.full(shape, -1, np.int32), np.full(shape, -np.inf, np.float32)
            layer.maps = np.zeros((*shape, *levels(maps[0], np.zeros(1, int)).shape[1:]), np.uint8)
        values = np.concatenate([layer.values, largest])
        order = np.argsort(-values, axis=0, kind="stable")[: self.exemplars]
        columns, new = np.arange(values.shape[1]), order - self.exemplars
        before = np.minimum(order, self.exemplars - 1)
        kept = layer.maps[before, columns]
        for number in range(len(largest)):
            ranks, channels = np.nonzero(new == number)
            if len(ranks):
                kept[ranks, channels] = levels(maps[number], channels)
        layer.best = np.where(new >= 0, first + new, layer.best[before, columns]).astype(np.int32)
        layer.values, layer.maps = values[order, columns], kept


def respond(cut: "Cut", shown: Iterable[np.ndarray]) -> Looked:
    """What the first layer of a cut makes of pictures ``(side, side, 3) uint8``, all of one side; at least one."""
    left = iter(shown)

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        some = first
        while some:
            yield np.arange(len(some)), np.stack(some)
            some = list(islice(left, TOGETHER))

    first = list(islice(left, TOGETHER))
    return Probe(cut, first[0].shape[0], 1).look(batches())[1][cut.layer]


def _reduced(maps: Any) -> list[Any]:
    """Of activation maps ``(n, h, w, channels)`` smaller ones, in which each patch of a large one has its largest; of
    each channel the largest activation, its row and column, the mean, and the share above zero.

    Pools do the work: TensorFlow's own reductions over rows and columns take five times as long on cores.
    """
    import tensorflow as tf

    height, width = maps.shape[1:3]
    by_row = tf.nn.max_pool2d(maps, [1, width], 1, "VALID")[:, :, 0]  # (n, h, channels)
    row = tf.argmax(by_row, axis=1, output_type=tf.int32)
    column = tf.argmax(_line(maps, row), axis=2, output_type=tf.int32)
    factor = patch(height, width)
    small = tf.nn.max_pool2d(maps, factor, factor, "SAME") if factor > 1 else maps
    return [
        small,
        tf.reduce_max(by_row, axis=1),
        tf.cast(tf.stack([row, column], axis=-1), tf.uint16),
        tf.nn.avg_pool2d(maps, [height, width], 1, "VALID")[:, 0, 0],
        tf.reduce_mean(tf.cast(maps[:, ::factor, ::factor] > 0, tf.float32), axis=[1, 2]),
    ]


def patch(height: int, width: int) -> int:
    """How many positions of a map, each way, become one, so that at most MAP are left on a side."""
    return -(-max(height, width) // MAP)


def _line(maps: Any, row: Any) -> Any:
    """One row of each channel's map, ``(n, channels, w)``, for ``row (n, channels) int32``."""
    import tensorflow as tf

    count, _, width, channels = maps.shape
    image, channel, column = tf.meshgrid(tf.range(count), tf.range(channels), tf.range(width), indexing="ij")
    rows = tf.broadcast_to(row[:, :, None], image.shape)
    return tf.gather_nd(maps, tf.stack([image, rows, column, channel], axis=-1))


def levels(maps: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """Some channels of maps ``(h, w, all)`` as ``(channels, h, w) uint8``, each by its own largest; none below 0."""
    chosen = np.maximum(maps[:, :, channels], 0)
    top = chosen.max(axis=(0, 1))
    return np.asarray(np.round(chosen * (255 / np.where(top > 0, top, 1))), np.uint8).transpose(2, 0, 1)


def _finished(layer: _Layer, grid: tuple[int, int]) -> Looked:
    largest, place, mean, active = (np.concatenate(part) for part in zip(*layer.rows, strict=True))
    return Looked(grid, largest, place, mean, active, layer.best, layer.maps)
