"""Distances, draws and maps, against scipy and plain sums."""

import sys

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from atlas.errors import AtlasError
from atlas.probes.near import SHOWN, distances, in_order, layout, sample
from tests.probes.parts import cuts, draw

COUNT = 50


def test_distances_between_pictures_and_the_mean_of_each_label():
    drawn = draw(COUNT)
    labels = np.random.default_rng(1).integers(-1, 4, COUNT)
    pictures = np.random.default_rng(2).normal(2, 1, (9, 12))
    for parts in (drawn.whole, drawn.parts(cuts(COUNT, 7, 3))):
        found = distances(pictures, parts, labels, 4)
        centres = np.stack([drawn.mean[labels == label].astype(float).mean(0) for label in range(4)])
        assert found.counts.tolist() == [(labels == label).sum() for label in range(4)]
        assert np.allclose(found.euclid, cdist(pictures, centres), rtol=1e-6)
        assert np.allclose(found.cosine, cdist(pictures, centres, "cosine"), atol=1e-6)
        assert found.euclid.dtype == found.cosine.dtype == np.float32


def test_a_picture_that_excites_as_a_label_s_images_do_is_at_distance_nought():
    drawn = draw(COUNT)
    labels = np.zeros(COUNT, int)
    found = distances(drawn.mean.astype(float).mean(0, keepdims=True), drawn.whole, labels, 1)
    assert found.euclid[0, 0] < 1e-3  # of 3,000
    assert abs(found.cosine[0, 0]) < 1e-6


def test_without_labels_there_are_no_distances_and_a_label_may_lack_images():
    drawn = draw(COUNT)
    none = distances(np.ones((3, 12)), drawn.whole, np.full(COUNT, -1), 0)
    assert none.euclid.shape == none.cosine.shape == (3, 0)
    gaps = distances(np.ones((3, 12)), drawn.whole, np.full(COUNT, 1), 2)
    assert gaps.counts.tolist() == [0, COUNT]
    assert np.isfinite(gaps.euclid).all()


def test_labels_in_order():
    names, places = in_order(["dog", "", "cat", "dog", ""])
    assert names == ["cat", "dog"]
    assert places.tolist() == [1, -1, 0, 1, -1]
    assert in_order([])[0] == []


def test_a_sample_has_as_many_of_each_label_as_there_can_be():
    labels = np.array([0] * 1000 + [1] * 30 + [2] * 180 + [-1] * 500)
    found = sample(labels, 3)
    assert len(found) == SHOWN
    assert (np.diff(found) > 0).all()
    counts = {label: int((labels[found] == label).sum()) for label in (-1, 0, 1, 2)}
    assert counts[1] == 30
    assert sum(counts.values()) == SHOWN
    assert max(counts[label] for label in (-1, 0, 2)) - min(counts[label] for label in (-1, 0, 2)) <= 1
    assert (sample(labels, 3) == found).all()
    assert (sample(labels, 4) != found).any()
    assert sample(labels[:SHOWN], 3).tolist() == list(range(SHOWN))


def groups(count: int = 60, channels: int = 30) -> np.ndarray:
    """Mean activations of three kinds, of any length."""
    rng = np.random.default_rng(5)
    centres = (
        np.array([1.0, 0.7, 0.5])[np.arange(count) % 3, None] * rng.uniform(0, 1, (3, channels))[np.arange(count) % 3]
    )
    return (centres + 0.1 * rng.uniform(0, 1, (count, channels))) * rng.uniform(0.5, 5, (count, 1))


def test_the_map_is_of_the_two_directions_that_vary_most():
    vectors = groups()
    found = layout(vectors, "pca", 0)
    units = np.stack([one / np.sqrt((one**2).sum()) for one in vectors])
    covariance = np.cov(units.T)
    values, axes = np.linalg.eigh(covariance)
    for column, axis in enumerate([axes[:, -1], axes[:, -2]]):
        axis = axis * np.sign(axis[np.abs(axis).argmax()])
        assert np.allclose(found[:, column], (units - units.mean(0)) @ axis, atol=1e-6)
        assert found[:, column].var(ddof=1) == pytest.approx(values[-1 - column], rel=1e-4)


def test_the_map_is_the_same_way_round_whatever_comes_first():
    vectors = groups()
    found = layout(vectors, "pca", 0)
    order = np.random.default_rng(1).permutation(len(vectors))
    assert np.allclose(layout(vectors[order], "pca", 0), found[order], atol=1e-6)
    assert np.allclose(layout(vectors * 7, "pca", 0), found, atol=1e-6)  # only directions count
    near = layout(vectors + 1e-4 * np.random.default_rng(2).normal(size=vectors.shape), "pca", 0)
    assert np.abs(near - found).max() < 1e-2
    assert (layout(vectors, "pca", 0) == found).all()


@pytest.mark.parametrize("seed", [0, 2**32 - 1, 2**62])
def test_t_sne_keeps_kinds_together_and_is_the_same_again(seed):
    vectors = groups()
    found = layout(vectors, "tsne", seed)
    assert (layout(vectors, "tsne", seed) == found).all()
    apart = cdist(found, found)
    kinds = np.arange(len(vectors)) % 3
    same = kinds[:, None] == kinds
    np.fill_diagonal(apart, np.inf)
    assert (same[np.arange(len(vectors)), apart.argmin(1)]).mean() > 0.95


@pytest.mark.parametrize("method", ["pca", "tsne"])
@pytest.mark.parametrize("vectors", [np.ones((1, 5)), np.eye(3), np.zeros((6, 4)), np.arange(6.0)[:, None], np.eye(9)])
def test_whatever_there_is_to_lay_out(method, vectors):
    found = layout(vectors, method, 0)
    assert found.shape == (len(vectors), 2)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_without_the_package_umap_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(AtlasError, match=r"umap: expected the package umap-learn.*atlas-microscope\[umap\]"):
        layout(groups(), "umap", 0)
    assert layout(groups(4), "umap", 0).shape == (4, 2)  # too few for it
