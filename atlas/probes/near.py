"""How near the pictures of a layer are to labelled images, by what both excite in the layer, and a map of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from atlas.errors import AtlasError
from atlas.probes.findings import Parts

SHOWN = 400  # images on a map, at most; each label has its share
PERPLEXITY = 24.0  # neighbours that t-SNE looks at
FEWEST = 5  # points that t-SNE and UMAP can lay out
SEEDS = 1 << 32  # that there are for numpy's old generator, which both draw from


@dataclass(frozen=True)
class Distances:
    """Between each of s pictures' mean activations and the mean of those of each of l labels' images: ``euclid (s, l)``
    and ``cosine (s, l)``, 1 minus the cosine, 0 to 2. ``counts (l,)`` are the labels' images."""

    euclid: np.ndarray
    cosine: np.ndarray
    counts: np.ndarray


def distances(pictures: np.ndarray, parts: Parts, labels: np.ndarray, count: int) -> Distances:
    """From the mean activations ``(s, channels)`` of pictures; ``labels (images,) int`` are those of images by number,
    of ``count`` labels, -1 for none."""
    sums = np.zeros((count, pictures.shape[1]))
    counts = np.zeros(count, np.int32)
    for numbers, one in parts():
        own = labels[numbers]
        np.add.at(sums, own[own >= 0], one.mean[own >= 0])
        np.add.at(counts, own[own >= 0], 1)
    centres = sums / np.maximum(counts, 1)[:, None]
    square = (pictures**2).sum(1)[:, None] - 2 * pictures @ centres.T + (centres**2).sum(1)
    cosine = 1 - _unit(pictures) @ _unit(centres).T
    return Distances(np.sqrt(np.maximum(square, 0)).astype(np.float32), cosine.astype(np.float32), counts)


def sample(labels: np.ndarray, seed: int) -> np.ndarray:
    """The numbers of at most SHOWN images, as many of each label as there can be, in order."""
    if len(labels) <= SHOWN:
        return np.arange(len(labels))
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    own = labels[shuffled]
    turn = np.zeros(len(own), int)  # the first image of every label, then the second of every label
    for label in np.unique(own):
        turn[own == label] = np.arange((own == label).sum())
    return np.sort(shuffled[np.argsort(turn, kind="stable")[:SHOWN]])


def layout(vectors: np.ndarray, method: str, seed: int) -> np.ndarray:
    """A map ``(n, 2) float32`` of mean activations ``(n, channels)``, in which near means a like direction.

    ``method`` is pca, tsne or umap; the last needs the package umap-learn. Raises AtlasError without it.
    """
    units = _unit(np.asarray(vectors, np.float64))
    centred = units - units.mean(0)
    basis, strength, turned = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(turned[np.arange(len(turned)), np.abs(turned).argmax(1)])  # the same way round on every machine
    plane = np.zeros((len(units), 2))
    kept = min(2, len(strength))
    plane[:, :kept] = (basis * strength * signs)[:, :kept]
    if method == "pca" or len(units) < FEWEST:
        return plane.astype(np.float32)
    spread = float(plane[:, 0].std()) or 1.0
    return np.asarray(_laid(method, units, plane / spread * 1e-4, seed % SEEDS), np.float32)


def _laid(method: str, units: np.ndarray, start: np.ndarray, seed: int) -> Any:
    if method == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(PERPLEXITY, (len(units) - 1) / 3)
        return TSNE(perplexity=perplexity, init=start, random_state=seed, n_jobs=1).fit_transform(units)
    try:
        from umap import UMAP
    except ImportError as error:
        raise AtlasError(
            "probes: layout: umap: expected the package umap-learn, received none; install atlas-microscope[umap]"
        ) from error
    return UMAP(n_neighbors=min(15, len(units) - 1), random_state=seed, n_jobs=1, init=start).fit_transform(units)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0))


def in_order(labels: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The labels there are, sorted, and each image's place among them, -1 where it has none."""
    names = sorted({label for label in labels if label})
    places = {name: place for place, name in enumerate(names)}
    return names, np.array([places.get(label, -1) for label in labels], int)
