"""What a network calls pictures and which classes channels raise, against plain Keras and finite differences."""

from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from atlas.ascent.kernel import Kernel
from atlas.ascent.render import render
from atlas.errors import NetworkError
from atlas.networks.load import Network, load
from atlas.probes.classes import TOGETHER, Raised, named, raised
from atlas.spec.facts import NetworkRef, Preprocessing
from atlas.spec.objectives import Class
from atlas.spec.recipe import Recipe
from tests.digits import Digits

Layers = keras.layers
PLAIN = Preprocessing("rgb", (1.0, 1.0, 1.0))
STEP = 1e-5  # of a finite difference, in float64
WIDTHS = {"first": 8, "mean": 8, "pooled": 4, "deep": 8, "both": 20, "summed": 20, "strided": 6}


def drawn(count: int, side: int) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (count, side, side, 3), np.uint8)


def saved(tmp_path: Path, model: Any, classes: bool = False) -> Network:
    """A network of one's own with the weights it has, which sees pixels from 0 to 1."""
    model.save(tmp_path / "own.keras")
    return load(NetworkRef(str(tmp_path / "own.keras"), "own", preprocessing=PLAIN, classes=classes))


def precise(model: Any) -> Any:
    """The same Keras model in float64 with its logits for an output."""

    def again(layer: Any) -> Any:
        more = {"activation": "linear"} if layer.name == "classes" else {}
        return type(layer).from_config({**layer.get_config(), "dtype": "float64", **more})

    clone = keras.models.clone_model(model, clone_function=again)
    clone.set_weights(model.get_weights())
    return clone


def shifted(model: Any, layer: str, pixels: np.ndarray, channels: list[int]) -> np.ndarray:
    """How fast every logit grows with a channel of a layer, ``(n, classes)``: the rest of the model run twice for each.

    ``pixels (n, h, w, 3)`` as the model takes them, each with its own of ``channels``.
    """
    exact = precise(model)
    middle = exact.get_layer(layer).output
    until, after = keras.Model(exact.inputs[0], middle), keras.Model(middle, exact.outputs[0])
    slopes = []
    for picture, channel in zip(pixels.astype(float), channels, strict=True):
        values = np.asarray(until(picture[None]))
        more, less = values.copy(), values.copy()
        more[..., channel] += STEP
        less[..., channel] -= STEP
        slopes.append((np.asarray(after(more)) - np.asarray(after(less)))[0] / (2 * STEP))
    return np.stack(slopes)


def of_all(found: Raised | None) -> np.ndarray:
    """The slopes of all classes, ``(n, classes)``, of what was asked for all of them; both orders tell the same."""
    assert found is not None
    assert (np.diff(found.raised_by) <= 0).all()
    assert (np.diff(found.lowered_by) >= 0).all()
    np.testing.assert_array_equal(found.raised_by, found.lowered_by[:, ::-1])
    slopes, again = np.zeros_like(found.raised_by), np.zeros_like(found.raised_by)
    np.put_along_axis(slopes, found.raised, found.raised_by, axis=1)
    np.put_along_axis(again, found.lowered, found.lowered_by, axis=1)
    np.testing.assert_array_equal(slopes, again)
    return slopes


def test_the_digits_are_learned(digits: Digits) -> None:
    found = named(digits.network, digits.pictures, k=1)
    assert found is not None
    assert (found.classes[:, 0] == digits.labels).mean() > 0.95


@pytest.mark.parametrize("side", [32, 48, 20])
def test_pictures_are_called_what_keras_predicts(digits: Digits, side: int) -> None:
    given = digits.pictures[: TOGETHER + 3]
    if side != 32:
        given = np.uint8(np.round(tf.image.resize(given, (side, side), antialias=True)))
    resized = given / 255.0 if side == 32 else tf.image.resize(given / 255.0, (32, 32), antialias=True)
    pixels = 2.0 * np.asarray(resized, np.float32) - 1.0
    predicted = digits.model.predict(pixels, verbose=0)
    found = named(digits.network, iter(given), k=3)
    assert found is not None
    assert [array.dtype for array in astuple(found)] == [np.int32, np.float32, np.float32]
    for row, chances in enumerate(predicted):
        assert found.classes[row].tolist() == sorted(range(10), key=lambda one: -chances[one])[:3]
    np.testing.assert_allclose(found.probabilities, -np.sort(-predicted, axis=1)[:, :3], atol=1e-5)
    logits = np.take_along_axis(np.asarray(precise(digits.model)(pixels)), found.classes, axis=1)
    np.testing.assert_allclose(found.logits, logits, atol=1e-4)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "linear"])
@pytest.mark.parametrize("apart", [False, True])
def test_heads_of_every_kind(tmp_path: Path, activation: str, apart: bool) -> None:
    """A sigmoid tells each class for itself; what ends in neither gives logits, where its user says that it does."""
    given = keras.Input((16, 16, 3))
    middle = Layers.GlobalAveragePooling2D()(Layers.Conv2D(4, 3, activation="relu")(given))
    out = Layers.Dense(3, activation=None if apart else activation, kernel_initializer="normal")(middle)
    model = keras.Model(given, Layers.Activation(activation)(out) if apart else out)
    model.set_weights([5 * weight for weight in model.get_weights()])
    pictures = drawn(3, 16)
    predicted = model.predict(pictures / np.float32(255.0), verbose=0)
    expected = np.asarray(tf.nn.softmax(predicted)) if activation == "linear" else predicted
    if activation == "linear":
        assert named(saved(tmp_path, model), pictures) is None
    found = named(saved(tmp_path, model, activation == "linear"), pictures, k=99)
    assert found is not None
    np.testing.assert_allclose(found.probabilities, np.take_along_axis(expected, found.classes, axis=1), atol=1e-5)
    assert found.classes.shape == (3, 3)
    if activation == "sigmoid":
        np.testing.assert_allclose(found.logits, np.log(found.probabilities / (1 - found.probabilities)), atol=1e-3)


def test_logits_far_from_zero_are_certain(tmp_path: Path) -> None:
    given = keras.Input((16, 16, 3))
    out = Layers.Dense(2, name="classes")(Layers.GlobalAveragePooling2D()(Layers.Conv2D(1, 3)(given)))
    model = keras.Model(given, out)
    model.get_layer("classes").bias.assign([-9000.0, 9000.0])
    found = named(saved(tmp_path, model, True), drawn(1, 16))
    assert found is not None
    assert (found.classes.tolist(), found.probabilities.tolist()) == ([[1, 0]], [[1.0, 0.0]])


def test_a_network_without_its_classifier_calls_nothing(toy_ref: NetworkRef) -> None:
    network = load(toy_ref)
    assert named(network, drawn(1, 24)) is None
    assert raised(network, "first", drawn(1, 24), [0]) is None


@pytest.mark.parametrize("layer", ["first", "second", "pool", "third"])
def test_slopes_are_finite_differences(digits: Digits, layer: str) -> None:
    count = TOGETHER + 2
    pictures = digits.pictures[:count]
    channels = [number % 10 for number in range(count)]
    found = of_all(raised(digits.network, layer, iter(pictures), channels, k=10))
    expected = shifted(digits.model, layer, pictures / 127.5 - 1.0, channels)
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_class_raises_itself_alone(digits: Digits) -> None:
    found = of_all(raised(digits.network, "classes", digits.pictures[:10], range(10), k=10))
    np.testing.assert_array_equal(found, np.eye(10))


def test_the_few_most_and_least_are_those_of_all(digits: Digits) -> None:
    pictures, channels = digits.pictures[:5], [3, 1, 4, 1, 5]
    few, every = (raised(digits.network, "third", pictures, channels, k=k) for k in (2, 10))
    assert few is not None
    assert every is not None
    for one, other in zip(astuple(few), astuple(every), strict=True):
        assert one.shape == (5, 2)
        np.testing.assert_array_equal(one, other[:, :2])


def branched(layer: str = "") -> Any:
    """Averages before 1x1 convolutions, batch norms, sums, gates, and activations without kinks.

    With a ``layer`` its output is shifted by a second input. The weights are the same on every call.
    """
    keras.utils.set_random_seed(2)
    given, shift = keras.Input((16, 16, 3)), keras.Input((1, 1, WIDTHS.get(layer, 1)))

    def called(made: Any, name: str) -> Any:
        return Layers.Add()([made, shift]) if name == layer else made

    first = called(Layers.Conv2D(8, 3, activation="silu", name="first")(given), "first")
    mean = called(Layers.AveragePooling2D(3, 1, "same", name="mean")(first), "mean")
    normal = Layers.BatchNormalization()(Layers.Conv2D(4, 1)(mean))
    pooled = called(Layers.Activation("gelu", name="pooled")(normal), "pooled")
    deep = called(Layers.DepthwiseConv2D(3, padding="same", activation="tanh", name="deep")(first), "deep")
    both = called(Layers.Concatenate(name="both")([pooled, deep, first]), "both")
    gate = Layers.Dense(20, activation="sigmoid")(Layers.GlobalAveragePooling2D(keepdims=True)(both))
    gated = Layers.Multiply()([both, gate])
    large = Layers.UpSampling2D(2)(Layers.SeparableConv2D(20, 3, padding="same", activation="elu")(gated))
    summed = called(Layers.Add(name="summed")([large, Layers.Conv2DTranspose(20, 2, 2)(both)]), "summed")
    bounded = Layers.LayerNormalization()(summed)
    strided = called(Layers.Conv2D(6, 3, 2, activation="selu", name="strided")(bounded), "strided")
    classes = Layers.Dense(7, activation="softmax", name="classes")(Layers.GlobalAveragePooling2D()(strided))
    model = keras.Model([given, shift] if layer else given, classes)
    for weight in model.weights:
        weight.assign(weight.numpy() + np.random.default_rng(1).normal(0.1, 0.3, weight.shape) ** 2)
    return model


@pytest.fixture(scope="module")
def network_of_branches(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return saved(tmp_path_factory.mktemp("branches"), branched())


@pytest.mark.parametrize("layer", WIDTHS)
def test_slopes_through_all_that_networks_are_made_of(network_of_branches: Network, layer: str) -> None:
    pictures, channels = drawn(3, 16), [0, 3, 2]
    found = of_all(raised(network_of_branches, layer, pictures, channels, k=7))
    exact = precise(branched(layer))
    shifts = STEP * np.eye(WIDTHS[layer])[channels][:, None, None]
    more, less = (np.asarray(exact([pictures / 255.0, shift])) for shift in (shifts, -shifts))
    expected = (more - less) / (2 * STEP)
    scale = np.abs(expected).max()
    assert scale > 1e-3
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-3)


def test_all_channels_go_through_one_trace(digits: Digits) -> None:
    counts = [0]

    def counted(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def counting(parents: Any) -> Any:
            counts[0] += 1
            return call(parents)

        return counting

    plain = digits.network.plain
    nodes = [replace(node, call=counted(node.call)) if node.name == "third" else node for node in plain.nodes]
    watched = replace(digits.network, plain=replace(plain, nodes=tuple(nodes)))
    assert raised(watched, "second", digits.pictures[:20], range(20)) is not None
    assert counts == [1]


def test_the_same_pictures_give_the_same_bytes(digits: Digits) -> None:
    pictures, channels = digits.pictures[:11], list(range(11))
    for probe in (
        lambda: named(digits.network, iter(pictures)),
        lambda: raised(digits.network, "second", iter(pictures), channels),
    ):
        for one, other in zip(astuple(probe()), astuple(probe()), strict=True):
            assert one.tobytes() == other.tobytes()


def test_no_pictures_have_no_names(digits: Digits) -> None:
    assert [array.shape for array in astuple(named(digits.network, []))] == [(0, 5)] * 3
    assert [array.shape for array in astuple(raised(digits.network, "second", [], []))] == [(0, 5)] * 4


def test_a_layer_beside_the_classifier_raises_nothing(tmp_path: Path) -> None:
    given = keras.Input((16, 16, 3))
    first = Layers.Conv2D(4, 3, activation="relu", name="first")(given)
    classes = Layers.Dense(3, activation="softmax", name="classes")(Layers.GlobalAveragePooling2D()(first))
    network = saved(
        tmp_path, keras.Model(given, [classes, Layers.Conv2D(2, 3, activation="relu", name="aside")(first)])
    )
    assert not of_all(raised(network, "aside", drawn(2, 16), [0, 1], k=3)).any()
    assert of_all(raised(network, "first", drawn(2, 16), [0, 1], k=3)).any()


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_resizing_behind_a_layer_is_refused_rather_than_left_out(tmp_path: Path, interpolation: str) -> None:
    given = keras.Input((16, 16, 3))
    first = Layers.Conv2D(4, 3, activation="relu", name="first")(Layers.Resizing(12, 12)(given))
    large = Layers.UpSampling2D(2, interpolation=interpolation, name="large")(first)
    both = Layers.Conv2D(4, 3, activation="relu", name="both")(
        Layers.Concatenate()([large, Layers.UpSampling2D(2)(first)])
    )
    network = saved(tmp_path, keras.Model(given, Layers.Dense(3)(Layers.GlobalAveragePooling2D()(both))), True)
    with pytest.raises(
        NetworkError, match=f"resizes nothing behind first, received one with Resize{interpolation[:2].title()}"
    ):
        raised(network, "first", drawn(1, 16), [0])
    assert raised(network, "both", drawn(1, 16), [0]) is not None


def test_layers_and_channels_that_there_are_not_are_refused(digits: Digits) -> None:
    with pytest.raises(NetworkError, match="expected channels 0 to 23 of second, received 24"):
        raised(digits.network, "second", digits.pictures[:2], [0, 24])
    with pytest.raises(NetworkError, match="did you mean second"):
        raised(digits.network, "secnd", digits.pictures[:1], [0])


def test_the_picture_of_a_digit_is_called_that_digit(digits: Digits) -> None:
    """Most of five pictures that raise one class each, by a quick recipe without transforms."""
    pictures, digits_shown = [], range(0, 10, 2)
    for digit in digits_shown:
        recipe = Recipe(size=32, steps=24, transforms=(), objective=Class(index=digit))
        [rendering] = render(Kernel(digits.network, "classes", recipe), [0])
        pictures.append(rendering.picture)
    found = named(digits.network, pictures, k=1)
    assert found is not None
    assert (found.classes[:, 0] == np.array(digits_shown)).sum() >= 4


def test_a_network_of_keras_with_random_weights() -> None:
    """MobileNetV2 at its size of 224 px against Keras: what it calls pictures, and gradients of a few logits."""
    network = load(NetworkRef("mobilenetv2", "random", 3, classes=True))
    model, pictures, channels = network.model, drawn(2, 64), [5, 70]
    pixels = 2.0 * tf.image.resize(pictures / 255.0, (224, 224), antialias=True) - 1.0
    found = named(network, pictures, k=1000)
    assert found is not None
    predicted = np.take_along_axis(model.predict(pixels, verbose=0), found.classes, axis=1)
    np.testing.assert_allclose(found.probabilities, predicted, rtol=1e-3)

    slopes = of_all(raised(network, "block_13_expand_relu", pictures, channels, k=1000))
    middle = model.get_layer("block_13_expand_relu").output
    after = keras.Model(middle, model.layers[-1].input)
    values = keras.Model(model.input, middle)(pixels)
    dense = model.layers[-1]
    for number in (0, 17, 999):
        with tf.GradientTape() as tape:
            tape.watch(values)
            logit = (after(values) @ dense.kernel + dense.bias)[:, number]
        gradient = np.asarray(tape.gradient(logit, values)).sum((1, 2))
        own = [gradient[row, channel] for row, channel in enumerate(channels)]
        assert np.abs(own).min() > 0
        np.testing.assert_allclose(slopes[:, number], own, rtol=1e-2, atol=1e-3 * np.abs(slopes).max())
