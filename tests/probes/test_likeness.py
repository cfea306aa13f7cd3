"""What pictures excite, against naive computations on the toy network, and where they come to lie."""

from dataclasses import astuple

import numpy as np
import pytest

from atlas.networks.load import load
from atlas.probes.likeness import AXES, Likeness, likeness, responses
from atlas.spec.facts import NetworkRef, Preprocessing


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """Forty pictures of 24 px: waves of growing frequency, the first half along x, the second along y."""
    y, x = np.mgrid[0:24, 0:24] / 24
    found = []
    for number in range(40):
        wave = np.sin(2 * np.pi * (1 + number % 20 / 4) * (x if number < 20 else y))
        found.append(np.uint8(np.round(127.5 + 120 * wave[..., None] * [1.0, 0.5, -0.3])))
    return found


@pytest.fixture(scope="module")
def found(toy_ref: NetworkRef, pictures: list[np.ndarray]) -> Likeness:
    return likeness(load(toy_ref).cut("both", also=["first"]), pictures)


def naive(toy_ref: NetworkRef, layer: str, pictures: list[np.ndarray]) -> np.ndarray:
    """The mean activations of one picture after the other, by Keras itself, channel by channel on one scale."""
    import keras

    model = load(toy_ref).model
    until = keras.Model(model.input, model.get_layer(layer).output)
    means = np.stack([np.asarray(until(2.0 * one[None] / 255.0 - 1.0)).mean((0, 1, 2)) for one in pictures])
    moved = (means - means.mean(0)) / np.where(means.std(0) > 0, means.std(0), 1)
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


def test_vectors_are_the_means_of_activations_each_in_its_own_deviations(found, toy_ref, pictures):
    for layer, vectors in (("both", found.own), ("first", found.before)):
        assert np.abs(vectors.astype(float) - naive(toy_ref, layer, pictures)).max() < 2e-3


def test_the_axes_tell_nearly_as_much_in_fewer_numbers(found):
    assert found.axes.shape == (40, AXES)
    alike = (found.own.astype(float) @ found.own.T.astype(float))[np.triu_indices(40, 1)]
    short = (found.axes.astype(float) @ found.axes.T.astype(float))[np.triu_indices(40, 1)]
    assert np.corrcoef(alike, short)[0, 1] > 0.95


def test_every_picture_has_a_cell_of_its_own_near_those_like_it(found):
    cells = [tuple(cell) for cell in found.cells]
    assert len(set(cells)) == 40
    assert max(column for column, _ in cells) < 8
    assert max(row for _, row in cells) < 5 + 1
    distance = np.abs(found.cells[:, None].astype(int) - found.cells[None]).max(-1)
    alike = found.own.astype(float) @ found.own.T.astype(float)
    off = ~np.eye(40, dtype=bool)
    beside, far = alike[off & (distance == 1)].mean(), alike[off & (distance >= 3)].mean()
    assert beside > far + 0.3


def test_colours_are_those_of_the_colourful_pixels(toy_ref):
    grounds = {"red": (200, 30, 30), "green": (30, 160, 30), "blue": (40, 40, 220)}
    pictures = []
    for colour in grounds.values():
        picture = np.full((24, 24, 3), 128, np.uint8)
        picture[:8] = colour
        pictures.append(picture)
    (_, red_a, red_b), (_, green_a, green_b), (_, _, blue_b) = likeness(load(toy_ref).cut("both"), pictures).colours
    assert red_a > 0.1
    assert red_b > 0
    assert green_a < -0.1
    assert green_b > 0
    assert blue_b < -0.1


def test_the_same_pictures_give_the_same_bytes(found, toy_ref, pictures):
    again = likeness(load(toy_ref).cut("both", also=["first"]), iter(pictures))
    for one, other in zip(astuple(found), astuple(again), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_few_pictures_are_laid_out_too(toy_ref, pictures, count):
    few = likeness(load(toy_ref).cut("both"), pictures[:count])
    assert few.before.shape == (count, 0)
    assert len({tuple(cell) for cell in few.cells}) == count
    assert np.isfinite(few.axes).all()


def test_pictures_that_are_all_the_same_are_like_no_other(toy_ref, pictures):
    same = likeness(load(toy_ref).cut("both"), [pictures[0]] * 6)
    assert (same.own == 0).all()
    assert np.isfinite(same.axes).all()
    assert len({tuple(cell) for cell in same.cells}) == 6


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
def test_layers_that_ask_for_the_pictures_size_are_compared_too(tmp_path, pictures, interpolation):
    """A picture's enlargement is computed from its size, which all pictures of a layer share."""
    import keras

    keras.utils.set_random_seed(1)
    given = keras.Input((None, None, 3))
    large = keras.layers.UpSampling2D(2, interpolation=interpolation)(keras.layers.MaxPooling2D(2)(given))
    out = keras.layers.Conv2D(4, 3, activation="relu", name="maps")(large)
    keras.Model(given, out).save(tmp_path / "enlarging.keras")
    network = load(NetworkRef(str(tmp_path / "enlarging.keras"), "own", preprocessing=Preprocessing()))
    found = responses(network.cut("maps"), pictures[:5])[0]
    expected = np.stack([network.model(np.float32(one[None])).numpy().mean((0, 1, 2)) for one in pictures[:5]])
    np.testing.assert_allclose(found, expected, rtol=1e-4)
