"""Ascents in bfloat16, on processors that compute it natively: the same bytes in every batch, and what they score."""

import numpy as np
import pytest
import tensorflow as tf

from atlas.ascent.kernel import Kernel
from atlas.ascent.render import render
from atlas.networks.load import Network, load
from atlas.processor import has_bfloat16
from atlas.spec.facts import NetworkRef, Preprocessing
from atlas.spec.recipe import Recipe
from tests.ascent import other_process

RECIPE = Recipe(size=32, steps=12, arithmetic="bfloat16")
pytestmark = pytest.mark.skipif(not has_bfloat16(), reason="the processor has no bfloat16")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """A network of convolutions, one in groups, behind norms, roots and exponentials, with branches and an average."""
    import keras

    layers = keras.layers
    picture = keras.Input((None, None, 3))
    first = layers.Conv2D(7, 3, strides=2, use_bias=False)(picture)
    normal = layers.ReLU()(layers.BatchNormalization()(first))
    each = layers.DepthwiseConv2D(3, padding="same")(layers.LayerNormalization()(normal))
    some = layers.Conv2D(14, 3, padding="same", groups=7, activation="silu")(each)
    branches = [
        layers.Conv2D(8, 1)(some),
        layers.AveragePooling2D(3, 1, "same")(some),
        layers.MaxPooling2D(3, 1, "same")(some),
    ]
    both = layers.Concatenate(name="both")(branches)
    path = tmp_path_factory.mktemp("mixed") / "mixed.keras"
    keras.Model(picture, layers.Conv2D(8, 3, activation="gelu", name="last")(both)).save(path)
    return load(NetworkRef(str(path), "random", 1, Preprocessing()))


@pytest.mark.parametrize("layer", ["both", "last"])
def test_a_picture_does_not_depend_on_its_batch(mixed: Network, layer: str) -> None:
    kernel = Kernel(mixed, layer, RECIPE)
    together = {one.channel: one.picture.tobytes() for one in render(kernel, list(range(8)))}
    assert len(set(together.values())) == 8
    for some in ([7, 6, 5, 4, 3, 2, 1, 0], [3, 7, 0], [6]):
        assert {one.channel: one.picture.tobytes() for one in render(kernel, some)} == {
            channel: together[channel] for channel in some
        }


@pytest.mark.parametrize(("network", "layer"), [("inceptionv3", "mixed2"), ("vgg16", "block3_conv1")])
def test_another_process_makes_the_same_bytes(network: str, layer: str) -> None:
    asked = [[network, layer, [3, 13, 7], "bfloat16"]]
    assert other_process.in_another(asked) == [other_process.hashes(*asked[0])]


def test_every_value_between_the_cast_and_the_layer_has_16_bits(mixed: Network) -> None:
    seen = mixed.cut("last", RECIPE).see(tf.zeros([2, 32, 32, 3]))
    seen.value(mixed.value("last"))
    assert {value.dtype for value in seen._values.values()} == {tf.bfloat16}


def test_kernels_are_cast_once(mixed: Network) -> None:
    """Not in the graph, where each step would cast them again."""
    kernel = Kernel(mixed, "last", RECIPE)
    graphs = [kernel.stages[-1]._steps.graph, *kernel.stages[-1]._steps.graph._functions.values()]
    found = [
        operation.inputs[1]
        for graph in graphs
        for operation in getattr(graph, "graph", graph).get_operations()
        if operation.type == "Conv2D"
    ]
    assert found
    assert all(one.op.type != "Cast" for one in found)


def test_pictures_score_in_float32_what_those_of_float32_do(toy_network: Network) -> None:
    [ours], [theirs] = (
        render(Kernel(toy_network, "both", RECIPE.model_copy(update={"arithmetic": one, "steps": 32})), [3])
        for one in ("bfloat16", "fast")
    )
    assert ours.picture.tobytes() != theirs.picture.tobytes()
    measured = Kernel(toy_network, "both", RECIPE.model_copy(update={"arithmetic": "fast"})).stages[-1]
    again = measured.measure(np.array([3, 3], np.int32), np.stack([ours.picture] * 2)).score[0]
    assert ours.score["end"] == pytest.approx(float(again), rel=1e-6)
    assert ours.score["end"] == pytest.approx(theirs.score["end"], rel=0.05)
