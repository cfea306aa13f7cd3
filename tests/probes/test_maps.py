"""Feature maps of a photo, against plain Keras and naive loops on the toy network."""

import numpy as np
import pytest

import atlas.probes.maps
from atlas.networks.load import load
from atlas.probes.maps import MAP, FeatureMaps, feature_maps
from atlas.spec.facts import NetworkRef

LAYERS = ("first", "pool", "left", "both")


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """A photo of 118 px: its maps in the first layer are larger than those that are kept, and do not divide evenly."""
    y, x = np.mgrid[0:118, 0:118] / 118
    waves = [np.sin(9 * x * y), np.cos(7 * x - 4 * y), np.sin(11 * y)]
    return np.uint8(np.round(127.5 + 120 * np.stack(waves, axis=-1)))


@pytest.fixture(scope="module")
def found(toy_ref: NetworkRef, photo: np.ndarray) -> dict[str, FeatureMaps]:
    return feature_maps(load(toy_ref).cut(LAYERS[-1], also=LAYERS[:-1]), photo)


def keras_s(toy_ref: NetworkRef, layer: str, photo: np.ndarray) -> np.ndarray:
    """A layer's output ``(h, w, channels)`` for the photo, by Keras itself."""
    import keras

    model = load(toy_ref).model
    until = keras.Model(model.input, model.get_layer(layer).output)
    return np.asarray(until(2.0 * photo[None].astype(np.float32) / 255.0 - 1.0))[0]


def by_patches(values: np.ndarray) -> np.ndarray:
    """The means of patches, in loops."""
    height, width, channels = values.shape
    side = 1
    while max(height, width) > side * MAP:
        side += 1
    made = np.zeros((-(-height // side), -(-width // side), channels))
    for row in range(made.shape[0]):
        for column in range(made.shape[1]):
            patch = values[row * side : (row + 1) * side, column * side : (column + 1) * side]
            made[row, column] = patch.reshape(-1, channels).mean(0)
    return made


@pytest.mark.parametrize("layer", LAYERS)
def test_maps_are_those_of_a_plain_forward_pass(found, toy_ref, photo, layer):
    values, one = keras_s(toy_ref, layer, photo), found[layer]
    assert one.grid == values.shape[:2]
    np.testing.assert_allclose(one.largest, values.max((0, 1)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(one.mean, values.mean((0, 1)), rtol=1e-4, atol=1e-5)
    small = np.maximum(by_patches(values), 0).transpose(2, 0, 1)
    top = small.max((1, 2), keepdims=True)
    assert one.maps.shape == small.shape
    assert one.maps.dtype == np.uint8
    assert np.abs(one.maps - 255 * small / np.where(top > 0, top, 1)).max() <= 0.51  # one half by rounding
    live = one.maps.reshape(len(top), -1).max(1)
    assert set(live[top.ravel() > 1e-6]) == {255}


def test_the_toy_has_what_the_tests_need(found):
    assert found["first"].grid == (118, 118)
    assert found["first"].maps.shape == (8, 40, 40)  # patches of 3 x 3, the last ones of 1
    assert found["pool"].grid == (59, 59)
    assert found["both"].maps.shape == (24, 30, 30)


def test_what_is_below_zero_is_nothing_and_scales_are_the_channels_own():
    values = np.stack([[[-2.0, 1.0]], [[-9.0, -9.0]], [[0.02, 0.01]]], axis=-1).astype(np.float32)  # (1, 2, 3)
    told = atlas.probes.maps._told(values)
    assert told.maps.tolist() == [[[0, 255]], [[0, 0]], [[255, 128]]]
    assert told.largest.tolist() == pytest.approx([1.0, -9.0, 0.02])
    assert told.mean.tolist() == pytest.approx([-0.5, -9.0, 0.015])
