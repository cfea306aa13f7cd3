"""What is counted of a network's work."""

from typing import Any

import keras
import pytest

from atlas.networks.describe import layers
from atlas.networks.graph import flatten
from atlas.networks.reach import reaches
from atlas.networks.work import asked_alone, works
from atlas.spec.facts import WORK, Work


def work_of(*chain: Any) -> Work:
    """The work of some layers one after the other, all channels of each, of an input of eight channels."""
    given = made = keras.Input((None, None, 8))
    for layer in chain:
        made = layer(made)
    graph = flatten(keras.Model(given, made))
    every = works(graph, reaches(graph))
    return Work(*(sum(getattr(one, kind) for one in every) for kind in WORK))


@pytest.mark.parametrize(
    ("layer", "work"),
    [
        (lambda: keras.layers.Conv2D(4, 3, strides=2), Work(wide=9 * 8 * 4 / 4, fed=8 + 4 / 4, nodes=1)),
        (lambda: keras.layers.Conv2D(4, 1), Work(point=8 * 4, fed=8 + 4, nodes=1)),
        (lambda: keras.layers.Dense(4), Work(point=8 * 4, fed=8 + 4, nodes=1)),
        (lambda: keras.layers.Conv2D(4, 3, groups=2), Work(apart=9 * 4 * 4, fed=8 + 4, nodes=1)),
        (lambda: keras.layers.DepthwiseConv2D(3, depth_multiplier=2), Work(apart=9 * 16, fed=8 + 16, nodes=1)),
        (
            lambda: keras.layers.SeparableConv2D(4, 3, strides=2),
            Work(apart=9 * 8 / 4, point=8 / 4 * 4, fed=8 + 2 * 8 / 4 + 4 / 4, nodes=2),
        ),
        (lambda: keras.layers.Conv2DTranspose(4, 2, strides=2), Work(wide=4 * 8 * 4, fed=8 + 4 * 4, nodes=1)),
        (lambda: keras.layers.MaxPooling2D(2), Work(pooled=4 * 8 / 4, nodes=1)),
        (lambda: keras.layers.Activation("relu"), Work(moved=8, nodes=1)),
        (lambda: keras.layers.Activation("silu"), Work(curved=8, nodes=1)),
        (lambda: keras.layers.LayerNormalization(), Work(normed=8, nodes=1)),
        (lambda: keras.layers.BatchNormalization(), Work(moved=8, nodes=1)),
        (lambda: keras.layers.Dropout(0.5), Work()),
    ],
)
def test_each_kind_of_layer_counts_as_its_kind(layer: Any, work: Work) -> None:
    assert work_of(layer()) == work


def test_a_batch_norm_counts_where_it_is_not_in_a_kernel() -> None:
    convolution, depthwise = keras.layers.Conv2D(4, 1), keras.layers.DepthwiseConv2D(1)
    assert work_of(convolution, keras.layers.BatchNormalization()) == work_of(keras.layers.Conv2D(4, 1))
    assert work_of(depthwise, keras.layers.BatchNormalization()) == Work(apart=8, fed=16, moved=8, nodes=2)


def test_what_has_a_single_position_counts_as_a_computation_alone() -> None:
    pooled = keras.layers.GlobalAveragePooling2D(keepdims=True)
    assert work_of(pooled, keras.layers.Conv2D(4, 1)) == Work(nodes=2)


def test_the_convolutions_that_are_asked_for_one_channel_cost_nothing() -> None:
    """But where something else asks them for all channels."""
    given = keras.Input((None, None, 8))
    first = keras.layers.Conv2D(4, 1, name="first")(given)
    second = keras.layers.BatchNormalization(name="normed")(keras.layers.Conv2D(4, 3, name="second")(first))
    total = keras.layers.Add(name="sum")([first, second])
    last = keras.layers.Activation("relu", name="last")(total)
    both = keras.layers.Concatenate(name="both")([keras.layers.Conv2D(2, 1, name="third")(last), last])
    found = {layer.name: layer.work for layer in layers(flatten(keras.Model(given, both)))}
    assert found["first"] == Work(fed=8 + 4, nodes=1)
    assert (found["normed"].point, found["normed"].wide) == (8 * 4, 0)
    assert (found["last"].point, found["last"].wide) == (8 * 4, 0)
    assert (found["both"].point, found["both"].wide) == (8 * 4, 9 * 4 * 4)


def test_sums_of_sums_are_walked_once() -> None:
    """As often as there are ways through them would be without end."""
    given = keras.Input((None, None, 4))
    made = keras.layers.Conv2D(4, 1)(given)
    for _ in range(64):
        made = keras.layers.Add()([made, made])
    graph = flatten(keras.Model(given, made))
    assert asked_alone(graph, graph.output) == {0}
