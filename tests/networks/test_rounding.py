"""Networks that take whole numbers see what an 8-bit picture holds, and a gradient passes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from atlas.networks.answers import catalog
from atlas.networks.cut import cut
from atlas.networks.families import preprocessing
from atlas.networks.graph import Graph, flatten
from atlas.networks.rounding import limits
from atlas.spec.load import check_request
from atlas.spec.plan import make_plan

Layers, ops = keras.layers, keras.ops
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 3)).astype(np.float32)


def ended(given: Any, real: Any) -> keras.Model:
    """A network whose convolution looks at real numbers from 0 to 1."""
    return keras.Model(given, Layers.Conv2D(3, 3, activation="relu", name="conv")(real))


def scaled(dtype: str, channels: int = 3) -> keras.Model:
    given = keras.Input((12, 12, channels), dtype=dtype)
    return ended(given, Layers.Rescaling(1 / 255)(given))


def cast() -> keras.Model:
    given = keras.Input((None, None, 3), dtype="uint8")
    return ended(given, ops.cast(given, "float32") / 255)


def divided() -> keras.Model:
    given = keras.Input((12, 12, 3), dtype="uint8")
    return ended(given, given / 255)


def inside(step: Callable[[Any], Any]) -> Callable[[], keras.Model]:
    def make() -> keras.Model:
        given = keras.Input((12, 12, 3))
        return ended(given, Layers.Rescaling(1 / 255)(step(given)))

    return make


def nested() -> keras.Model:
    taken, given = keras.Input((12, 12, 3), dtype="uint8"), keras.Input((12, 12, 3))
    return ended(given, keras.Model(taken, Layers.Rescaling(1 / 255)(taken), name="taken")(given))


def looked(graph: Graph, pictures: Any) -> tuple[np.ndarray, Any]:
    """What the convolution makes of pictures in [0, 1], and the gradient of its sum to them."""
    value = graph.value("conv")
    assert value is not None
    found = cut(graph, [("conv", value)], preprocessing("none"))
    pictures = tf.constant(pictures, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        after = found.activate(found.pre(pictures))
        total = tf.reduce_sum(after)
    return after.numpy(), tape.gradient(total, pictures)


@pytest.mark.parametrize(
    "make", [lambda: scaled("uint8"), lambda: scaled("int32"), cast, divided], ids=["uint8", "int32", "cast", "divided"]
)
def test_pictures_are_rounded_to_what_the_network_takes(make: Callable[[], keras.Model]) -> None:
    keras.utils.set_random_seed(0)
    model = make()
    graph = flatten(model)
    expected = model(PIXELS.astype(model.inputs[0].dtype)).numpy()
    assert expected.max() > 0
    for pictures in (PIXELS / 255, (PIXELS + 0.4) / 255, (PIXELS - 0.4) / 255):
        after, gradient = looked(graph, pictures)
        np.testing.assert_allclose(after, expected, atol=1e-6)
        plain = looked(flatten(scaled_like(model)), PIXELS / 255)[1]
        np.testing.assert_allclose(gradient, plain, atol=1e-5)


def scaled_like(model: keras.Model) -> keras.Model:
    """The same convolution on real numbers."""
    real = scaled("float32")
    real.get_layer("conv").set_weights(model.get_layer("conv").get_weights())
    return real


def test_numbers_beyond_the_range_are_its_ends() -> None:
    graph = flatten(scaled("uint8"))
    np.testing.assert_array_equal(looked(graph, PIXELS * 0 + 7)[0], looked(graph, PIXELS * 0 + 1)[0])
    np.testing.assert_array_equal(looked(graph, PIXELS * 0 - 7)[0], looked(graph, PIXELS * 0)[0])


def test_grey_is_rounded_after_the_colours_are_weighed() -> None:
    model = scaled("uint8", channels=1)
    grey = np.round(PIXELS @ np.array([[0.299], [0.587], [0.114]], np.float32))
    np.testing.assert_allclose(looked(flatten(model), PIXELS / 255)[0], model(grey.astype("uint8")), atol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        inside(lambda given: ops.cast(ops.cast(given, "uint8"), "float32")),
        inside(lambda given: ops.cast(given, "int32")),
        inside(ops.round),
        inside(ops.floor),
        nested,
    ],
    ids=["cast twice", "cast", "round", "floor", "nested"],
)
def test_a_gradient_passes_where_a_network_makes_whole_numbers(make: Callable[[], keras.Model]) -> None:
    keras.utils.set_random_seed(0)
    model = make()
    pixels = PIXELS + np.float32(0.3)
    after, gradient = looked(flatten(model), pixels / 255)
    np.testing.assert_allclose(after, model(pixels), atol=1e-5)
    assert float(tf.reduce_max(tf.abs(gradient))) > 1e-3


def test_places_in_a_table_stay_whole() -> None:
    given = keras.Input((12, 12, 3))
    taken = ops.take(ops.linspace(0.0, 1.0, 256), ops.cast(given, "int32"))
    model = ended(given, taken)
    after, gradient = looked(flatten(model), PIXELS / 255)
    np.testing.assert_allclose(after, model(PIXELS), atol=1e-6)
    assert gradient is None


@pytest.mark.parametrize(("dtype", "whole"), [("uint8", True), ("float32", False)])
def test_only_the_key_of_a_picture_that_was_rounded_says_so(dtype: str, whole: bool, tmp_path: Path) -> None:
    scaled(dtype).save(tmp_path / "a.keras")
    request = check_request({"network": str(tmp_path / "a.keras"), "preprocessing": "none"}, catalog())
    assert request.facts.whole == whole
    real = replace(request, facts=replace(request.facts, whole=False))
    keys = [[job.key for _, job in make_plan(one, "weights").jobs()] for one in (request, real)]
    assert (keys[0] != keys[1]) == whole


@pytest.mark.parametrize(
    ("dtype", "found"), [("uint8", (0, 255)), ("int8", (-128, 127)), ("bool", (0, 1)), ("float32", None)]
)
def test_limits_are_those_of_the_type(dtype: str, found: tuple[int, int] | None) -> None:
    assert limits(dtype) == found
