"""Real images through a network: what every channel of some layers makes of each, in one pass for all layers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.images.folders import Source
from atlas.images.loader import UnfitError, open_image
from atlas.networks.compiled import compiled

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


class _Layer:
    """The same while it grows, image by image.

    ``rows`` are batches of largest, place, mean and active, ``values (k, channels)`` the largest activations of
    ``best``. The map of what has a rank lies in ``maps`` at the rank's own of the ``slots (k, channels)``: maps stay
    where they are while images come and go.
    """

    def __init__(self, exemplars: int, channels: int, height: int, width: int):
        self.rows: list[tuple[np.ndarray, ...]] = []
        self.best = np.full((exemplars, channels), -1, np.int32)
        self.values = np.full((exemplars, channels), -np.inf, np.float32)
        self.slots = np.repeat(np.arange(exemplars)[:, None], channels, axis=1)
        self.maps = np.zeros((exemplars, channels, height, width), np.uint8)

    def take(self, maps: np.ndarray, rows: tuple[np.ndarray, ...], first: int) -> None:
        """Note some images, the first of which is number ``first``: their maps ``(n, h, w, channels)`` and rows.

        The images of before and of now with the largest activations are kept; of equal ones, those of before.
        """
        self.rows.append(rows)
        changed = np.flatnonzero((rows[0] > self.values[-1]).any(axis=0))  # most channels keep what they have
        count, largest = len(self.best), rows[0][:, changed]
        values = np.concatenate([self.values[:, changed], largest])
        order = np.argsort(-values, axis=0, kind="stable")[:count]
        new = order - count  # of these images, where it is not below 0
        came = new >= 0
        before = np.where(came, count - np.cumsum(came, axis=0), order)  # of those that go the last goes first
        slots = np.take_along_axis(self.slots[:, changed], before, axis=0)
        best = np.take_along_axis(self.best[:, changed], before, axis=0)
        self.best[:, changed] = np.where(came, first + new, best)
        self.values[:, changed] = np.take_along_axis(values, order, axis=0)
        self.slots[:, changed] = slots
        for number in np.unique(new[came]):
            ranks, places = np.nonzero(new == number)
            shown = levels(maps[number], changed[places], largest[number, places])
            self.maps[slots[ranks, places], changed[places]] = shown

    def looked(self, grid: tuple[int, int]) -> Looked:
        """What came of it."""
        largest, place, mean, active = (np.concatenate(part) for part in zip(*self.rows, strict=True))
        maps = self.maps[self.slots, np.arange(self.slots.shape[1])]
        return Looked(grid, largest, place, mean, active, self.best, maps)


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
                yield index, open_image(source.path, size, crop, source.digest)
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
    """Looks at images by all layers of some cuts at once; one graph is traced, for batches of TOGETHER."""

    def __init__(self, cuts: "Sequence[Cut]", size: int, exemplars: int):
        """``size`` is the side of the images in px; ``exemplars`` is k, see Looked."""
        import tensorflow as tf

        self.cuts, self.exemplars = cuts, exemplars
        self._grids: dict[str, tuple[int, int]] = {}  # noted when the graph is traced
        self._look = compiled(self._seen, tf.TensorSpec([TOGETHER, size, size, 3], tf.uint8))

    def look(self, batches: Iterator[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, dict[str, Looked]]:
        """The indices ``(n,)`` of the images that came, and what each layer makes of them, by its name."""
        import tensorflow as tf

        layers: dict[str, _Layer] = {}
        indices: list[np.ndarray] = []
        count = 0
        for some, pixels in batches:
            filled = np.concatenate([pixels, *[pixels[-1:]] * (TOGETHER - len(pixels))])
            sights = (sight for cut in self.cuts for sight in cut.sights)
            for sight, found in zip(sights, self._look(tf.constant(filled)), strict=True):
                maps, *rows = (np.asarray(array)[: len(some)] for array in found)
                if sight.layer not in layers:
                    _, height, width, channels = maps.shape
                    layers[sight.layer] = _Layer(self.exemplars, channels, height, width)
                layers[sight.layer].take(maps, tuple(rows), count)
            indices.append(some)
            count += len(some)
        return np.concatenate(indices or [np.zeros(0, np.int32)]), {
            name: layer.looked(self._grids[name]) for name, layer in layers.items()
        }

    def _seen(self, pixels: Any) -> list[Any]:
        import tensorflow as tf

        from atlas.networks.cut import activations

        found: list[list[Any]] = []
        for cut in self.cuts:
            seen = cut.see(tf.cast(pixels, tf.float32) / 255.0)
            for sight in cut.sights:
                with tf.control_dependencies(found[-1] if found else []):  # while its maps are in the processor's cache
                    maps = activations(seen, sight)
                    self._grids[sight.layer] = tuple(maps.shape[1:3])
                    found.append(_reduced(maps))
        return found


def respond(cut: "Cut", shown: Iterable[np.ndarray]) -> Looked:
    """What the first layer of a cut makes of pictures ``(side, side, 3) uint8``, all of one side; at least one."""
    left = iter(shown)

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        some = first
        while some:
            yield np.arange(len(some)), np.stack(some)
            some = list(islice(left, TOGETHER))

    first = list(islice(left, TOGETHER))
    return Probe([cut], first[0].shape[0], 1).look(batches())[1][cut.layer]


def _reduced(maps: Any) -> list[Any]:
    """Of activation maps ``(n, h, w, channels)`` smaller ones, in which each patch of a large one has its largest; of
    each channel the largest activation, its row and column, the mean, and the share above zero.

    Pools do the work: TensorFlow's own reductions over rows and columns, and its steps along them, take five times as
    long on cores.
    """
    import tensorflow as tf

    height, width = maps.shape[1:3]
    factor = patch(height, width)
    small = tf.nn.max_pool2d(maps, factor, factor, "SAME") if factor > 1 else maps
    by_row = tf.nn.max_pool2d(small, [1, small.shape[2]], 1, "VALID")[:, :, 0]  # (n, rows, channels)
    row = tf.argmax(by_row, axis=1, output_type=tf.int32)
    line = _at(small, row[:, None], tf.range(small.shape[2])[:, None])  # (n, columns, channels)
    column = tf.argmax(line, axis=1, output_type=tf.int32)
    some = tf.nn.max_pool2d(maps, 1, factor, "VALID") if factor > 1 else maps  # every factor-th position
    return [
        small,
        tf.reduce_max(by_row, axis=1),
        tf.cast(tf.stack(_within(maps, row, column, factor), axis=-1), tf.uint16),
        tf.nn.avg_pool2d(maps, [height, width], 1, "VALID")[:, 0, 0],
        tf.nn.avg_pool2d(tf.cast(some > 0, tf.float32), some.shape[1:3], 1, "VALID")[:, 0, 0],
    ]


def patch(height: int, width: int) -> int:
    """How many positions of a map, each way, become one, so that at most MAP are left on a side."""
    return -(-max(height, width) // MAP)


def _at(maps: Any, row: Any, column: Any) -> Any:
    """Each channel's own values of maps, ``(n, some, channels)``, at rows and columns of that shape or less."""
    import tensorflow as tf

    count, height, width, channels = maps.shape
    row, column = tf.cast(row, tf.int64), tf.cast(column, tf.int64)
    image = tf.range(count, dtype=tf.int64)[:, None, None]
    place = ((image * height + row) * width + column) * channels + tf.range(channels, dtype=tf.int64)
    return tf.gather(tf.reshape(maps, [-1]), place)


def _within(maps: Any, row: Any, column: Any, factor: int) -> list[Any]:
    """Row and column ``(n, channels)`` of the largest activation in one patch of each channel's map."""
    import tensorflow as tf

    if factor == 1:
        return [row, column]

    def places(row: Any, column: Any, step: Any) -> list[Any]:
        """Of the position number ``step`` of a patch; where patches hang over an edge, those at the edge."""
        return [
            tf.clip_by_value(place * factor + own - (-side % factor) // 2, 0, side - 1)
            for place, own, side in zip((row, column), (step // factor, step % factor), maps.shape[1:3], strict=True)
        ]

    steps = tf.range(factor * factor)[:, None]
    values = _at(maps, *places(row[:, None], column[:, None], steps))  # (n, factor * factor, channels)
    return places(row, column, tf.argmax(values, axis=1, output_type=tf.int32))


def levels(maps: np.ndarray, channels: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Some channels of maps ``(h, w, all)`` as ``(channels, h, w) uint8``: 255 for the ``largest (channels,)`` of each,
    0 for all that is not above 0."""
    chosen = maps.reshape(-1, maps.shape[2]).take(channels, axis=1)  # (h * w, channels)
    np.maximum(chosen, 0, out=chosen)
    chosen *= 255 / np.where(largest > 0, largest, 1)
    np.rint(chosen, out=chosen)
    return chosen.astype(np.uint8).T.reshape(len(channels), *maps.shape[:2])
