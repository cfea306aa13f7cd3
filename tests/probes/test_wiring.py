"""Weights between layers, against loops over Keras's own kernels and against the gradients of Keras's own models."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from atlas.errors import NetworkError, WeightsError
from atlas.networks.load import Network, load
from atlas.probes.wiring import Wiring, between, wiring
from atlas.spec.facts import NetworkRef, Preprocessing

layers = keras.layers
EMBEDDED = NetworkRef("inceptionv3", "embedded")


def normalised(given, filters: int, side: int, name: str):
    made = layers.Conv2D(filters, side, padding="same", use_bias=False, name=f"{name}_conv")(given)
    return layers.ReLU(name=name)(layers.BatchNormalization(name=f"{name}_norm")(made))


def opened(model: keras.Model, folder: Path) -> Network:
    """The model with weights drawn, batch norms too, saved and loaded as a user's own."""
    generator = np.random.default_rng(7)
    for weight in model.weights:
        values = generator.standard_normal(weight.shape)
        weight.assign(np.abs(values) + 0.2 if "variance" in weight.name else values)
    path = folder / "own.keras"
    model.save(path)
    return load(NetworkRef(str(path), "own", preprocessing=Preprocessing()))


def looked_at(network: Network, *names: str) -> Network:
    """The same network of which only some layers are known, as of InceptionV3 the blocks are."""
    known = tuple(layer for layer in network.facts.layers if layer.name in names)
    assert len(known) == len(names)
    return replace(network, facts=replace(network.facts, layers=known))


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """A block of four branches as in InceptionV3, and a pool with a convolution behind it as in VGG19."""
    picture = keras.Input((None, None, 3), name="picture")
    first = normalised(picture, 8, 3, "first")
    one = normalised(first, 4, 1, "one")
    three = normalised(normalised(first, 3, 1, "narrow"), 5, 3, "three")
    averaged = normalised(layers.AveragePooling2D(3, 1, padding="same")(first), 3, 1, "averaged")
    copied = layers.MaxPooling2D(3, 1, padding="same", name="copied")(first)
    mixed = layers.Concatenate(name="mixed")([one, three, averaged, copied])
    pool = layers.MaxPooling2D(2, name="pool")(mixed)
    last = layers.Conv2D(6, 3, padding="same", activation="relu", name="last")(pool)
    network = opened(keras.Model(picture, last), tmp_path_factory.mktemp("block"))
    return looked_at(network, "first", "mixed", "pool", "last")


@pytest.fixture(scope="module")
def mixed(block: Network) -> Wiring:
    return wiring(block, "first", "mixed", strongest=20)


@pytest.fixture(scope="module")
def kernels(block: Network) -> np.ndarray:
    """From first to mixed, ``(20, 8, 3, 3)``: each weight by itself, from the weights of the layers."""

    def folded(name: str) -> np.ndarray:
        norm = block.model.get_layer(f"{name}_norm")
        factor = norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
        return block.model.get_layer(f"{name}_conv").kernel.numpy() * factor

    one, narrow, three, averaged = map(folded, ("one", "narrow", "three", "averaged"))
    found = np.zeros((20, 8, 3, 3))
    for lower in range(8):
        for upper in range(4):
            found[upper, lower, 1, 1] = one[0, 0, lower, upper]
        for upper, y, x in np.ndindex(5, 3, 3):
            for between_them in range(3):
                weight = narrow[0, 0, lower, between_them] * three[y, x, between_them, upper]
                found[4 + upper, lower, y, x] += weight
        for upper, y, x in np.ndindex(3, 3, 3):
            found[9 + upper, lower, y, x] = averaged[0, 0, lower, upper] / 9
        found[12 + lower, lower] = 1 / 9
    return found


def test_strengths_are_the_sums_of_the_kernels(mixed: Wiring, kernels: np.ndarray) -> None:
    assert mixed.strength.dtype == np.float32
    np.testing.assert_allclose(mixed.strength, kernels.sum((2, 3)), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(mixed.strength[12:], np.eye(8), atol=1e-6)


def test_lists_go_from_the_strongest_to_the_weakest_of_a_sign(mixed: Wiring, kernels: np.ndarray) -> None:
    strength = kernels.sum((2, 3))[:12]  # without the copies
    share = strength / np.abs(strength).sum(1, keepdims=True)
    np.testing.assert_allclose(mixed.share[:12], share, rtol=1e-4, atol=1e-6)
    assert not mixed.share[12:].any()
    assert (mixed.before[12:] == -1).all()
    for ranked, rows in ((mixed.before[:12], share), (mixed.after, share.T)):
        for listed, row in zip(ranked, rows, strict=True):
            for side, sign in enumerate((1, -1)):
                ranked_by_hand = sorted((-sign * value, place) for place, value in enumerate(row))
                expected = [place for value, place in ranked_by_hand if value < 0]
                assert listed[side].tolist() == expected + [-1] * (20 - len(expected))


def test_shorter_lists_are_the_beginnings_of_longer_ones(block: Network, mixed: Wiring) -> None:
    short = wiring(block, "first", "mixed", strongest=2)
    assert np.array_equal(short.before, mixed.before[:, :, :2])
    assert np.array_equal(short.after, mixed.after[:, :, :2])
    assert short.before_slices.shape == (20, 2, 2, 3, 3)
    assert short.after_slices.shape == (8, 2, 2, 3, 3)


def agree(found: Wiring, kernels: np.ndarray) -> None:
    """Every slice is the kernel of its pair, to half a thousandth of the largest weight."""
    assert max(np.abs(found.before_slices).max(), np.abs(found.after_slices).max()) == 1
    for upper, side, place in np.ndindex(*found.before.shape):
        lower = found.before[upper, side, place]
        expected = kernels[upper, lower] if lower >= 0 else np.zeros(kernels.shape[2:])
        shown = found.before_slices[upper, side, place].astype(float) * found.scale
        np.testing.assert_allclose(shown, expected, atol=5e-4 * found.scale)
    for lower, side, place in np.ndindex(*found.after.shape):
        upper = found.after[lower, side, place]
        expected = kernels[upper, lower] if upper >= 0 else np.zeros(kernels.shape[2:])
        shown = found.after_slices[lower, side, place].astype(float) * found.scale
        np.testing.assert_allclose(shown, expected, atol=5e-4 * found.scale)


def test_slices_are_the_kernels(mixed: Wiring, kernels: np.ndarray) -> None:
    assert mixed.before_slices.dtype == mixed.after_slices.dtype == np.float16
    agree(mixed, kernels)
    assert mixed.note == ("Activations between the two layers count as the identity and max-pools count as averages.")


def test_a_kernel_behind_a_pool_is_spread_over_what_the_pool_sees(block: Network) -> None:
    found = wiring(block, "mixed", "last", strongest=3)
    kernel = block.model.get_layer("last").kernel.numpy()
    spread = np.zeros((6, 20, 6, 6))
    for upper, lower, y, x in np.ndindex(*spread.shape):
        spread[upper, lower, y, x] = kernel[y // 2, x // 2, lower, upper] / 4
    np.testing.assert_allclose(found.strength, kernel.sum((0, 1)).T, rtol=1e-5, atol=1e-5)
    agree(found, spread)
    assert found.note == "Max-pools count as averages."


def test_the_same_bytes_on_every_run(block: Network, mixed: Wiring) -> None:
    again = wiring(block, "first", "mixed", strongest=20)
    for one, other in zip(vars(mixed).values(), vars(again).values(), strict=True):
        assert one == other if isinstance(one, str) else one.tobytes() == other.tobytes()


def test_a_channel_that_only_one_feeds_lists_only_that_one(tmp_path: Path) -> None:
    picture = keras.Input((16, 16, 3))
    first = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(picture)
    alone = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="alone")(first)
    dead = layers.Conv2D(2, 1, activation="relu", name="dead")(alone)
    network = opened(keras.Model(picture, dead), tmp_path)
    dead_kernel = network.model.get_layer("dead").kernel
    dead_kernel.assign(np.zeros(dead_kernel.shape))
    found = wiring(network, "first", "alone")
    assert found.note == ""
    assert (found.before.max((1, 2)) == range(4)).all()
    assert ((found.before >= 0).sum((1, 2)) == 1).all()
    assert np.array_equal(found.before, found.after)
    nothing = wiring(network, "alone", "dead")
    assert (nothing.before == -1).all()
    assert (nothing.after == -1).all()
    assert not nothing.strength.any()
    assert not nothing.before_slices.any()
    assert nothing.scale == 1


def test_which_layers_feed_which(block: Network, toy_ref: NetworkRef) -> None:
    assert between(block, ["first", "mixed", "pool", "last"]) == {"mixed": ("first",), "last": ("mixed",)}
    assert between(block, ["first", "last"]) == {}  # mixed stands between them, looked at or not
    assert between(load(toy_ref), ["first", "left", "right", "both"]) == {"left": ("first",), "right": ("first",)}
    vgg19 = load(NetworkRef("vgg19", "random"))
    names = [layer.name for layer in vgg19.facts.feature_layers]
    assert between(vgg19, names) == {above: (below,) for below, above in pairwise(names)}
    assert between(vgg19, ["block3_conv4", "block4_conv1", "block4_conv3"]) == {"block4_conv1": ("block3_conv4",)}


def test_sums_are_fed_by_what_a_convolution_brings_them(tmp_path: Path) -> None:
    picture = keras.Input((16, 16, 3))
    first = normalised(picture, 4, 3, "first")
    inner = normalised(first, 4, 3, "inner")
    kept = layers.ReLU(name="kept")(layers.Add()([first, layers.Conv2D(4, 1)(inner)]))
    short = layers.Conv2D(6, 1, 2, name="short")(kept)
    long = layers.Conv2D(6, 3, 2, padding="same", name="long")(kept)
    changed = layers.ReLU(name="changed")(layers.Add()([short, long]))
    gate = layers.Activation("sigmoid", name="gate")(layers.Conv2D(6, 1)(changed))
    weighed = layers.Conv2D(2, 1, name="weighed")(layers.Multiply()([changed, gate]))
    network = opened(keras.Model(picture, layers.ReLU(name="last")(weighed)), tmp_path)
    names = [layer.name for layer in network.facts.feature_layers]
    assert names == ["first", "inner", "kept", "changed", "gate", "last"]
    assert between(network, names) == {"inner": ("first",), "kept": ("inner",), "changed": ("kept",)}
    assert between(network, names[::-1])["kept"] == ("inner",)
    for below, above in (("first", "kept"), ("changed", "last"), ("first", "changed"), ("kept", "inner")):
        with pytest.raises(NetworkError, match=f"received {below} and {above}"):
            wiring(network, below, above)
    expected = sum(network.model.get_layer(name).kernel.numpy().sum((0, 1)) for name in ("short", "long"))
    found = wiring(network, "kept", "changed")
    np.testing.assert_allclose(found.strength, expected.T, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def inception() -> Network:
    return load(EMBEDDED)


def test_the_blocks_of_inceptionv3_feed_one_another(inception: Network) -> None:
    names = [layer.name for layer in inception.facts.feature_layers]
    assert names[5:] == [f"mixed{number}" for number in range(11)]
    reached = names[: names.index("mixed4") + 1]  # the embedded weights end there
    assert between(inception, names) == {above: (below,) for below, above in pairwise(reached)}
    with pytest.raises(WeightsError, match="mixed5"):
        wiring(inception, "mixed4", "mixed5")
    with pytest.raises(NetworkError, match="did you mean mixed4"):
        wiring(inception, "mixed3", "mixd4")


def test_a_1x1_branch_of_inceptionv3_is_its_kernel_over_the_deviation(inception: Network) -> None:
    branch, *_ = inception.model.get_layer("mixed2").input
    norm = branch._keras_history.operation.input._keras_history.operation
    convolution = norm.input._keras_history.operation
    assert convolution.kernel_size == (1, 1)
    expected = convolution.kernel.numpy()[0, 0] / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    found = wiring(inception, "mixed1", "mixed2", strongest=1)
    assert expected.shape == (288, 64)
    np.testing.assert_allclose(found.strength[:64], expected.T, rtol=1e-5, atol=1e-6)
    for channel in range(64):
        assert found.before[channel, :, 0].tolist() == [expected[:, channel].argmax(), expected[:, channel].argmin()]


@pytest.mark.parametrize(("below", "above", "copies"), [("mixed1", "mixed2", 0), ("mixed2", "mixed3", 288)])
def test_slices_are_gradients_of_inceptionv3_without_its_relus(below, above, copies):
    network = load(EMBEDDED)  # its own, to be changed
    found = wiring(network, below, above, strongest=3)
    assert found.before_slices.shape[3:] == (5, 5)
    for layer in network.model.layers:
        if isinstance(layer, layers.Activation):
            layer.activation = keras.activations.linear
    given, made = network.model.get_layer(below), network.model.get_layer(above)
    rest = keras.Model(given.output, made.output)
    maps = tf.Variable(tf.random.stateless_normal((1, 15, 15, given.output.shape[3]), (1, 2)))
    count = made.output.shape[3] - copies
    for channel in (0, count // 3, count // 2, count - 100, count - 1):
        with tf.GradientTape() as tape:
            value = rest(maps, training=False)
            neuron = value[0, value.shape[1] // 2, value.shape[2] // 2, channel]
        kernels = tape.gradient(neuron, maps).numpy()[0]
        middle = kernels[5:10, 5:10]  # of 15 positions, with strides or without
        np.testing.assert_allclose(found.strength[channel], middle.sum((0, 1)), atol=2e-5)
        assert np.abs(kernels).sum() == pytest.approx(np.abs(middle).sum())
        for signed, place in np.ndindex(2, 3):
            shown = found.before_slices[channel, signed, place].astype(float) * found.scale
            expected = middle[:, :, found.before[channel, signed, place]]
            np.testing.assert_allclose(shown, expected, atol=5e-4 * found.scale)
    assert (found.before[count:] == -1).all()
    assert found.after.max() < count
    np.testing.assert_array_equal(found.strength[count:], np.eye(288)[:copies])
