"""GELU and layer norms as atlas computes them: the values and the gradients of Keras's own."""

from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from atlas.networks.fuse import fuse
from atlas.networks.graph import Graph, flatten, with_gradient_through
from atlas.networks.rewritten import Gelu, LayerNorm, own_way
from atlas.networks.seen import Seen

PICTURES = 3 * np.random.default_rng(0).standard_normal((2, 8, 8, 6), np.float32)
DRAWN = {"gamma_initializer": "random_normal", "beta_initializer": "random_normal"}


def graph_of(layer: Any) -> Graph:
    keras.utils.set_random_seed(1)
    picture = keras.Input((None, None, 6))
    return flatten(keras.Model(picture, layer(picture)))


def seen(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """A graph's output for PICTURES, and the gradient of its cube: the square's would be zero behind a layer norm."""
    pictures = tf.constant(PICTURES)
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        found = Seen(graph, pictures).value(graph.output)
        total = tf.reduce_sum(found**3)
    return found.numpy(), tape.gradient(total, pictures).numpy()


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (lambda: keras.layers.Activation("gelu"), Gelu),
        (lambda: keras.layers.Conv2D(4, 3, activation="gelu"), Gelu),
        (lambda: keras.layers.LayerNormalization(epsilon=0.1, **DRAWN), LayerNorm),
        (lambda: keras.layers.LayerNormalization(axis=3, center=False, scale=False), LayerNorm),
        (
            lambda: keras.layers.LayerNormalization(axis=[-1], center=False, gamma_initializer="random_normal"),
            LayerNorm,
        ),
    ],
)
def test_values_and_gradients_are_those_of_keras(layer: Any, kind: type) -> None:
    plain = graph_of(layer())
    graph = fuse(plain)
    assert isinstance(graph.nodes[-1].call, kind)
    for ours, theirs in zip(seen(graph), seen(plain), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6 * np.abs(theirs).max())


def test_a_share_of_the_gradient_goes_on_where_gelu_falls() -> None:
    plain = graph_of(keras.layers.Activation("gelu"))
    ours, theirs = (seen(with_gradient_through(graph, 0.05)) for graph in (fuse(plain), plain))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    below = (PICTURES < -0.8) & (PICTURES > -3)  # where its own slope is negative
    exact = seen(plain)[1]
    np.testing.assert_allclose(ours[1][below], 0.05 * 3 * ours[0][below] ** 2, rtol=1e-5)
    assert (np.sign(ours[1][below]) != np.sign(exact[below])).all()


@pytest.mark.parametrize(
    "layer",
    [
        lambda: lambda given: keras.ops.gelu(given, approximate=False),
        lambda: lambda given: keras.layers.LayerNormalization(axis=3)(keras.layers.Reshape((4, 2, 8, 6))(given)),
        lambda: keras.layers.Activation("silu"),
        lambda: keras.layers.Activation("gelu", dtype="mixed_bfloat16"),
        lambda: keras.layers.LayerNormalization(axis=1),
        lambda: keras.layers.LayerNormalization(axis=[2, 3]),
        lambda: keras.layers.LayerNormalization(dtype="mixed_bfloat16"),
        lambda: keras.layers.BatchNormalization(),
    ],
)
def test_every_other_layer_stays_keras_s_own(layer: Any) -> None:
    keras.utils.set_random_seed(1)
    picture = keras.Input((8, 8, 6))
    graph = flatten(keras.Model(picture, layer()(picture)))
    assert own_way(graph.nodes[-1]) == ""
    assert fuse(graph).nodes[-1].call is graph.nodes[-1].call


@pytest.mark.parametrize("kind", [partial(keras.layers.Activation, "gelu"), keras.layers.LayerNormalization])
@pytest.mark.parametrize("share", [0.0, 0.05])
def test_a_layer_of_float32_in_a_network_of_float16_computes_in_float32(kind: Any, share: float) -> None:
    picture, half = keras.Input((None, None, 6)), keras.layers.Rescaling(0.5, dtype="float16")
    plain = flatten(keras.Model(picture, kind(dtype="float32")(half(picture))))
    assert own_way(plain.nodes[-1])
    ours, theirs = (seen(with_gradient_through(graph, share)) for graph in (fuse(plain), plain))
    assert ours[0].dtype == np.float32
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-3, atol=1e-3)  # Keras rounds a norm's values to 16 bits
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-2, atol=2e-3 * np.abs(theirs[1]).max())
