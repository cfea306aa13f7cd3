"""How alike the pictures of a layer are: by the channels that they excite, not by their pixels.

A picture's *response* is the mean activation of every channel of a layer. Two pictures are alike when the same channels
stand out in their responses, each channel measured by what it does on the other pictures. The map lays the pictures of
a layer out by t-SNE (van der Maaten and Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html) and gives each a
cell of a grid of its own, such that pictures travel as little as they can.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.networks.compiled import compiled

if TYPE_CHECKING:
    from atlas.networks.cut import Cut

VERSION = 2  # of what is computed here: it is part of every likeness's key
AXES = 64  # that a response is told by where all of it would be too long
TOGETHER = 16  # pictures that go through the network at once
PERPLEXITY = 24.0  # neighbours that t-SNE looks at
SEED = 0
ROUNDING = 1e-5  # of a mean: what float32 may add to it
FEWEST = 5  # pictures that t-SNE can lay out
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


@dataclass(frozen=True)
class Likeness:
    """What the n pictures of a layer excite, as vectors of unit length whose dot products say how alike they are.

    ``own (n, channels) float16`` in the layer itself; ``before (n, channels') float16`` in the layer before it that the
    atlas has, ``(n, 0)`` where there is none; ``axes (n, AXES) float16`` is what is left of ``own`` on
    the axes that keep its dot products best, as many as there are.
    ``cells (n, 2) int16`` are column and row on the map. ``colours (n, 3) float16`` are lightness and two colour axes
    in OKLab, where a picture's pixels count by how colourful they are.
    """

    own: np.ndarray
    before: np.ndarray
    axes: np.ndarray
    cells: np.ndarray
    colours: np.ndarray


def likeness(cut: "Cut", pictures: Iterable[np.ndarray]) -> Likeness:
    """What pictures ``(h, w, 3) uint8`` of one size excite in the first layer of a cut, and in its second if any.

    One thread throughout, for the same map on every run.
    """
    from threadpoolctl import threadpool_limits

    colours = []

    def coloured() -> Iterator[np.ndarray]:
        for picture in pictures:
            colours.append(_colour(picture))
            yield picture

    found = responses(cut, coloured())
    with threadpool_limits(1):
        own, *more = map(_standardised, found)
        axes, cells = _axes(own, AXES), _cells(_layout(own))
    before = more[0] if more else np.zeros((len(own), 0))
    own, before, axes, tints = (array.astype(np.float16) for array in (own, before, axes, np.stack(colours)))
    return Likeness(own, before, axes, cells, tints)


def _colour(picture: np.ndarray) -> np.ndarray:
    """The colour ``(3,)`` of a picture ``(h, w, 3) uint8`` in OKLab, each pixel weighted by its chroma.

    Constants from Ottosson 2020, https://bottosson.github.io/posts/oklab/.
    """
    value = picture.astype(np.float32) / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    lab = np.cbrt(linear @ TO_CONES.T) @ TO_LAB.T
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    weights = chroma / max(float(chroma.sum()), 1e-9)
    return np.asarray((lab * weights[..., None]).sum((0, 1)))


def _standardised(found: np.ndarray) -> np.ndarray:
    """Responses ``(n, channels)`` as ``(n, channels) float32`` of unit length.

    Each channel counts by how far it is from its mean over the pictures, in its own deviations. A channel that does the
    same on all pictures says nothing, and a picture that excites none more than others is like no other.
    """
    mean, deviation = found.mean(0), found.std(0)
    differs = deviation > ROUNDING * np.abs(mean)
    return _unit(np.where(differs, found - mean, 0.0) / np.where(differs, deviation, 1.0))


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0), np.float32)


def responses(cut: "Cut", pictures: Iterable[np.ndarray]) -> list[np.ndarray]:
    """The mean activations ``(n, channels) float32`` of pictures of one size, for each layer of the cut."""
    import tensorflow as tf

    from atlas.networks.cut import whole

    def means(shown: Any) -> list[Any]:
        seen = cut.see(tf.cast(shown, tf.float32) / 255.0)
        return [tf.reduce_mean(sight.activate(whole(seen, sight)), axis=[1, 2]) for sight in cut.sights]

    run, found, left = None, [], iter(pictures)
    while some := list(islice(left, TOGETHER)):
        filled = np.stack([*some, *some[-1:] * (TOGETHER - len(some))])
        if run is None:  # for the one size that all have: some layers ask for it
            run = compiled(means, tf.TensorSpec([None, *filled.shape[1:]], tf.uint8))
        found.append([one.numpy()[: len(some)] for one in run(tf.constant(filled))])
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def _axes(vectors: np.ndarray, count: int) -> np.ndarray:
    """Vectors ``(n, channels)`` on their ``count`` strongest axes (singular vectors); zeros where there are fewer."""
    basis, strength, _ = np.linalg.svd(vectors, full_matrices=False)
    kept = min(count, len(strength))
    found = np.zeros((len(vectors), count), np.float32)
    found[:, :kept] = basis[:, :kept] * strength[:kept]
    return found


def _layout(own: np.ndarray) -> np.ndarray:
    """Where each picture lies in the plane ``(n, 2)``, near those like it; begins with two principal components."""
    components = _axes(own - own.mean(0), 2)
    count, spread = len(own), float(components[:, 0].std())
    if count < FEWEST or spread == 0:
        return components
    from sklearn.manifold import TSNE  # here, because it takes most of a second

    start = components / spread * 1e-4  # small, as van der Maaten and Hinton begin
    perplexity = min(PERPLEXITY, (count - 1) / 3)
    return np.asarray(TSNE(perplexity=perplexity, init=start, random_state=SEED, n_jobs=1).fit_transform(own))


def _cells(layout: np.ndarray) -> np.ndarray:
    """A cell (column, row) of a grid for each of the points ``(n, 2)``: the grid that all of them fit in, 3 by 2."""
    from scipy.optimize import linear_sum_assignment

    count = len(layout)
    columns = max(1, round((1.5 * count) ** 0.5))
    rows = -(-count // columns)
    extent = np.ptp(layout, axis=0)
    spread = (layout - layout.min(0)) / np.where(extent > 0, extent, 1.0)
    places = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    goals = (places + 0.5) / (columns, rows)
    distance = ((spread[:, None] - goals[None]) ** 2).sum(-1)
    _, chosen = linear_sum_assignment(distance)
    return np.asarray(places[chosen], np.int16)
