"""What becomes of layers in 16 bits, on processors that have them."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from atlas.networks.bfloat16 import in_sixteen_bits
from atlas.networks.fuse import fuse
from atlas.networks.graph import Graph, flatten
from atlas.networks.seen import Seen
from atlas.processor import has_bfloat16

native = pytest.mark.skipif(not has_bfloat16(), reason="the processor has no bfloat16")
PICTURES = np.random.default_rng(0).random((2, 8, 8, 6), np.float32)


class Own(keras.layers.Layer):
    """A layer that fails on anything but float32."""

    def call(self, inputs: Any) -> Any:
        return inputs * tf.constant(2.0)


def both(*layers: Any) -> tuple[np.ndarray, np.ndarray, Graph]:
    """What layers one after the other make of PICTURES in 32 and in 16 bits, and the graph in 16."""
    keras.utils.set_random_seed(1)
    picture = made = keras.Input((None, None, 6))
    for layer in layers:
        made = layer(made)
    graph = fuse(flatten(keras.Model(picture, made)))
    short = in_sixteen_bits(graph)
    wide = Seen(graph, tf.constant(PICTURES)).value(graph.output)
    value = Seen(short, tf.cast(PICTURES, short.dtype)).value(short.output)
    assert (wide.dtype, value.dtype) == (tf.float32, tf.bfloat16)
    return wide.numpy(), tf.cast(value, tf.float32).numpy(), short


@native
@pytest.mark.parametrize(
    "layer",
    [
        lambda: Own(),
        lambda: keras.layers.BatchNormalization(
            moving_mean_initializer="random_normal", gamma_initializer=keras.initializers.RandomUniform(0.2, 3.0)
        ),
        lambda: keras.layers.BatchNormalization(center=False, scale=False),
        lambda: keras.layers.LayerNormalization(),
        lambda: keras.layers.Activation("gelu"),
        lambda: keras.layers.Activation("softmax"),
        lambda: keras.layers.ReLU(6.0),
        lambda: keras.layers.DepthwiseConv2D(3, strides=2),
        lambda: keras.layers.SeparableConv2D(4, 3, strides=2),
        lambda: keras.layers.Conv2DTranspose(4, 3, strides=2),
        lambda: keras.layers.Conv2D(12, 3, strides=2, groups=3, activation="silu"),
        lambda: keras.layers.AveragePooling2D(2),
        lambda: keras.layers.GlobalAveragePooling2D(keepdims=True),
        lambda: keras.layers.UpSampling2D(2, interpolation="bilinear"),
        lambda: keras.layers.Dense(5, activation="sigmoid"),
    ],
)
def test_a_layer_gives_in_16_bits_what_it_gives_in_32(layer: Any) -> None:
    wide, short, _ = both(layer())
    np.testing.assert_allclose(short, wide, atol=0.03 * np.abs(wide).max())


@native
def test_an_average_that_changed_places_with_a_convolution_gives_16_bits() -> None:
    layers = keras.layers
    wide, short, graph = both(layers.AveragePooling2D(3, 1, "same"), layers.Conv2D(4, 1))
    assert graph.nodes[-1].call.pool is not None
    np.testing.assert_allclose(short, wide, atol=0.03 * np.abs(wide).max())


@native
def test_a_quantised_layer_keeps_its_scales() -> None:
    dense = keras.layers.Dense(5)
    model = keras.Sequential([keras.Input((8, 8, 6)), dense])
    dense.quantize("int8")
    graph = flatten(model)
    short = in_sixteen_bits(graph)
    wide = Seen(graph, tf.constant(PICTURES)).value(graph.output).numpy()
    found = tf.cast(Seen(short, tf.cast(PICTURES, short.dtype)).value(short.output), tf.float32).numpy()
    np.testing.assert_allclose(found, wide, atol=0.05 * np.abs(wide).max())


@native
def test_what_a_channel_s_function_is_given_in_32_bits_it_gives_in_32() -> None:
    _, _, short = both(keras.layers.Conv2D(4, 3, activation="gelu"))
    given = tf.constant(PICTURES)
    np.testing.assert_array_equal(short.nodes[-1].call([given]), keras.activations.gelu(given))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_network_of_another_policy_computes_as_it_did_where_nobody_asks_for_16_bits(policy: str) -> None:
    """Its batch norm in float32, and a convolution of float32 behind it in float32."""
    keras.utils.set_random_seed(1)
    picture = keras.Input((None, None, 6))
    norm = keras.layers.BatchNormalization(
        moving_mean_initializer="random_normal",
        gamma_initializer=keras.initializers.RandomUniform(0.2, 3.0),
        dtype=policy,
    )
    last = keras.layers.Conv2D(4, 3, dtype="float32")
    model = keras.Model(picture, last(keras.layers.ReLU(dtype=policy)(norm(picture))))
    graph = fuse(flatten(model))
    found = Seen(graph, tf.constant(PICTURES)).value(graph.output)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, model(PICTURES), rtol=1e-5, atol=1e-6)
