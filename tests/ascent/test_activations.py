"""Every channel that a plain ascent of its pre-activation wakes is raised, behind every activation function."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from atlas.activations import ELEMENTWISE, NEVER_POSITIVE, RECTIFIERS, SOFTMAXES, SQUASHERS, raised_by, state
from atlas.ascent.kernel import Kernel
from atlas.ascent.render import render
from atlas.networks.graph import flatten, with_gradient_through
from atlas.networks.load import load
from atlas.spec.facts import NetworkRef, Preprocessing
from atlas.spec.recipe import Recipe
from atlas.spec.recipes import RECIPES

SIGNED = Preprocessing("rgb", (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0))
SIDE = 24
RECIPE = Recipe(size=SIDE, steps=24)


def network(last: str | None, bias: float, inner: str = "relu") -> keras.Model:
    """The same weights under every activation function: three convolutions, the last one hard to wake."""
    keras.utils.set_random_seed(3)
    layers, biases = keras.layers, keras.initializers.Constant(bias)
    given = keras.Input((SIDE, SIDE, 3))
    made = layers.Conv2D(8, 3, padding="same", activation=inner, kernel_initializer="he_normal")(given)
    made = layers.Conv2D(16, 3, padding="same", activation=inner, kernel_initializer="he_normal")(made)
    low = layers.Conv2D(
        8, 3, padding="same", activation=last, kernel_initializer="he_normal", bias_initializer=biases, name="low"
    )
    return keras.Model(given, low(made))


def woken(model: keras.Model, steps: int = 300) -> list[int]:
    """The channels that a plain ascent of the mean pre-activation brings above zero: pixels, Adam 0.05, clipped."""
    low = model.get_layer("low")
    below = keras.Model(model.input, low.input)
    picture = tf.Variable(np.random.default_rng(0).uniform(0, 1, (8, SIDE, SIDE, 3)).astype(np.float32))
    optimizer = keras.optimizers.Adam(0.05)

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            before = tf.nn.conv2d(below(picture * 2 - 1), low.kernel, 1, "SAME") + low.bias
            own = tf.gather(before, tf.range(8), axis=3, batch_dims=1)
            mean = tf.reduce_sum(tf.reduce_mean(own, axis=[1, 2]))
        optimizer.apply([-tape.gradient(mean, picture)], [picture])
        picture.assign(tf.clip_by_value(picture, 0, 1))
        return tf.reduce_max(own, axis=[1, 2])

    for _ in range(steps):
        largest = step()
    return np.flatnonzero(largest.numpy() > 0.05).tolist()  # what is less may be gone in 8 bits


@pytest.fixture(scope="module")
def wakeable() -> dict[float, list[int]]:
    """The channels to be raised, by bias: the weights are the same under every function."""
    return {bias: woken(network("relu", bias)) for bias in (-4.0, -2.0)}


@pytest.mark.parametrize(
    ("function", "bias"),
    [*((name, -4.0) for name in ("relu", "silu", "gelu", "sigmoid", "tanh")), ("hard_silu", -2.0), ("elu", -2.0)],
)
def test_what_a_plain_ascent_wakes_is_raised(function, bias, wakeable, tmp_path):
    path = tmp_path / "net.keras"
    network(function, bias).save(path)
    kernel = Kernel(load(NetworkRef(str(path), "own", preprocessing=SIGNED)), "low", RECIPE)
    made = render(kernel, wakeable[bias])
    assert len(made) >= 4
    assert {one.channel: one.state for one in made} == dict.fromkeys(wakeable[bias], "activated")
    for one in made:
        assert one.score["end"] > max(one.score["start"], one.score["grey"])


def test_a_mask_s_softmax_is_raised(tmp_path):
    path = tmp_path / "net.keras"
    network("softmax", 0.0).save(path)
    made = render(Kernel(load(NetworkRef(str(path), "own", preprocessing=SIGNED)), "low", RECIPE), range(8))
    assert [one.state for one in made] == ["activated"] * 8


def test_what_has_no_activation_function_is_raised_and_not_activated(tmp_path):
    path = tmp_path / "net.keras"
    network(None, -4.0, inner="silu").save(path)
    made = render(Kernel(load(NetworkRef(str(path), "own", preprocessing=SIGNED)), "low", RECIPE), range(8))
    assert [one.state for one in made] == ["raised"] * 8


@pytest.mark.parametrize(
    ("name", "layer", "function", "wanted"),
    [
        ("efficientnetb0", "block3a_expand_activation", "silu", "activated"),
        ("mobilenetv3small", "expanded_conv_9_add", "", "raised"),
    ],
)
def test_channels_of_two_families_are_raised_at_once(name, layer, function, wanted):
    """What ``scripts/families.py`` counts over ten families, with smaller pictures."""
    network = load(NetworkRef(name, "random", 0))
    [facts] = [one for one in network.facts.layers if one.name == layer]
    assert facts.activation == function
    recipe = RECIPES["preview"].model_copy(update={"size": 64, "steps": 24})
    channels = np.linspace(0, facts.channels - 1, 8).astype(int).tolist()
    made = render(Kernel(network, layer, recipe), channels)
    assert [(one.state, one.attempt) for one in made] == [(wanted, 0)] * 8


@pytest.mark.parametrize("function", sorted(ELEMENTWISE - {"threshold", "leaky_relu"}))
def test_a_share_of_the_gradient_goes_through_where_a_function_is_shut(function):
    """Against the function's own slope: never less than the share, and as it is where it is more; values stay."""
    given = keras.Input((1, 7, 3))
    model = keras.Model(given, keras.layers.Activation(function, name="it")(given))
    plain = flatten(model)
    leaking = with_gradient_through(plain, 0.2)
    values = tf.constant(np.linspace(-9, 9, 21, dtype=np.float32).reshape(1, 1, 7, 3))
    slopes, outputs = [], []
    for graph in (plain, leaking):
        with tf.GradientTape() as tape:
            tape.watch(values)
            outputs.append(graph.nodes[0].call([values]))
        slopes.append(tape.gradient(outputs[-1], values).numpy())
    np.testing.assert_array_equal(*outputs)
    np.testing.assert_allclose(slopes[1], np.maximum(slopes[0], 0.2), rtol=1e-5, atol=1e-6)
    assert (slopes[0] < 0.2).any()


def test_every_function_has_one_number_that_is_raised():
    assert not RECTIFIERS & SQUASHERS
    assert not (RECTIFIERS | SQUASHERS) & SOFTMAXES
    assert [raised_by(name) for name in ("relu", "silu", "tanh", "softmax", "")] == [
        *("positive", "positive", "before", "log", "value")
    ]


@pytest.mark.parametrize(
    ("function", "end", "maximum", "wanted"),
    [
        ("silu", 0.2, 0.4, "activated"),
        ("silu", 0.1, 0.4, "dead"),  # not above grey
        ("silu", 0.2, 0.0, "dead"),
        ("log_softmax", 0.2, -1.0, "activated"),
        ("", 0.2, -1.0, "raised"),
        ("", 0.05, 5.0, "unraised"),
    ],
)
def test_states(function, end, maximum, wanted):
    assert "log_softmax" in NEVER_POSITIVE
    score = {"start": 0.05, "grey": 0.1, "end": end}
    assert state(function, score, {"start": 0.0, "grey": 0.0, "end": maximum}) == wanted
