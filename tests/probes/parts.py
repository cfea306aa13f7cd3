"""What a layer might make of some images, drawn, and the same in parts of any kind."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from atlas.probes.look import Looked

CONSTANT, SILENT, SATURATED, NEGATIVE, LARGE = range(5)  # channels of a special kind; the others are plain


@dataclass(frozen=True)
class Drawn:
    """Of n images and s channels: ``largest``, ``mean`` and ``active (n, s)``, ``place (n, s, 2)``, ``maps (n, s, h,
    w)``, and how many images of a part are kept as its strongest."""

    largest: np.ndarray
    mean: np.ndarray
    active: np.ndarray
    place: np.ndarray
    maps: np.ndarray
    kept: int

    def look(self, numbers: Sequence[int]) -> Looked:
        """What looking at these images would give; of equal ones the first are kept."""
        rows = np.array(numbers)
        largest = self.largest[rows]
        best = np.full((self.kept, largest.shape[1]), -1, np.int32)
        maps = np.zeros((*best.shape, *self.maps.shape[2:]), np.uint8)
        for channel in range(largest.shape[1]):
            order = sorted(range(len(rows)), key=lambda row: -largest[row, channel])[: self.kept]
            for rank, row in enumerate(order):
                best[rank, channel] = row
                maps[rank, channel] = self.maps[rows[row], channel]
        return Looked((7, 7), largest, self.place[rows], self.mean[rows], self.active[rows], best, maps)

    def parts(self, cuts: Sequence[Sequence[int]]) -> Callable[[], Iterator[tuple[np.ndarray, Looked]]]:
        """The images in parts, as they come from the store."""
        return lambda: ((np.array(part, np.int32), self.look(part)) for part in cuts)

    @property
    def whole(self) -> Callable[[], Iterator[tuple[np.ndarray, Looked]]]:
        """All images in one part."""
        return self.parts([range(len(self.largest))])


def draw(count: int, channels: int = 12, kept: int = 6, seed: int = 0) -> Drawn:
    """Images at random."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(count, 4))
    largest = np.abs(hidden @ rng.normal(size=(4, channels)) + 0.4 * rng.normal(size=(count, channels)))
    largest[:, CONSTANT], largest[:, SILENT] = 1.25, 0
    largest[:, SATURATED] = np.minimum(largest[:, SATURATED] * 5, 6)  # as after a ReLU6
    largest[:, NEGATIVE] -= 1.5
    mean = largest * rng.uniform(0.2, 0.5, channels) + 0.1 * rng.normal(size=largest.shape)
    mean[:, [CONSTANT, SILENT]] = 0.3, 0
    mean[:, LARGE] += 3000  # far from zero beside what it varies by
    return Drawn(
        largest.astype(np.float32),
        mean.astype(np.float32),
        rng.uniform(0, 1, largest.shape).astype(np.float32),
        rng.integers(0, 7, (*largest.shape, 2)).astype(np.uint16),
        rng.integers(0, 256, (*largest.shape, 7, 7)).astype(np.uint8),
        kept,
    )


def cuts(count: int, sizes: int, seed: int) -> list[list[int]]:
    """The numbers of images in parts of any length, each ascending."""
    rng = np.random.default_rng(seed)
    own = rng.integers(0, sizes, count)
    found = [np.flatnonzero(own == part).tolist() for part in rng.permutation(sizes)]
    return [part for part in found if part]
