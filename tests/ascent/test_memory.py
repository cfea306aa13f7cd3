"""What kernels hold in memory: no copies of large weights, and nothing once nobody holds them."""

import gc
import weakref

import numpy as np

from atlas.ascent.kernel import Kernel
from atlas.ascent.render import render
from atlas.networks import fuse
from atlas.networks.load import load
from atlas.spec.facts import NetworkRef, Preprocessing
from atlas.spec.recipe import Recipe


def test_the_graphs_of_a_kernel_that_nobody_holds_are_gone(toy_network, recipe):
    """TensorFlow's registry of gradients would hold them."""
    kernel = Kernel(toy_network, "both", recipe)
    render(kernel, [0])
    [stage] = kernel.stages
    graphs = [weakref.ref(stage._steps.graph), weakref.ref(stage._measure.graph)]
    graphs += [weakref.ref(one.graph) for one in stage._ascended._list_all_concrete_functions()]
    assert len(graphs) == 3
    del kernel, stage
    gc.collect()
    assert [graph() for graph in graphs] == [None] * 3


def test_large_weights_are_no_constants_of_a_graph_and_pixels_are_as_if_they_were(tmp_path, monkeypatch):
    import keras

    picture = keras.Input((None, None, 3))
    wide = keras.layers.Conv2D(256, 3, padding="same", activation="relu", name="wide")(picture)
    large = keras.layers.Conv2D(256, 3, padding="same", activation="relu", name="large")(wide)  # 2.4 MB of weights
    keras.Model(picture, large).save(tmp_path / "large.keras")
    ref = NetworkRef(str(tmp_path / "large.keras"), "random", 1, Preprocessing("rgb", (1.0,) * 3, (0.0,) * 3))
    recipe, sizes, pictures = Recipe(size=32, steps=4), [], []
    for least in (fuse.LARGE, 1 << 40):
        monkeypatch.setattr(fuse, "LARGE", least)
        kernel = Kernel(load(ref), "large", recipe)
        pictures.append([one.picture for one in render(kernel, [3, 20])])
        sizes.append(kernel.stages[0]._steps.graph.as_graph_def().ByteSize())
    assert sizes[0] < 500_000 < 2_300_000 < sizes[1]
    np.testing.assert_array_equal(*pictures)


def test_where_small_weights_are_too_many_those_of_middling_size_are_no_constants_either(tmp_path, monkeypatch):
    import keras

    value = picture = keras.Input((None, None, 3))
    for channels in (96, 96, 16):  # the second convolution has 0.33 MB, the third 0.06 MB
        value = keras.layers.Conv2D(channels, 3, padding="same", use_bias=False)(value)
        value = keras.layers.ReLU()(keras.layers.BatchNormalization()(value))
    last = keras.layers.Conv2D(8, 3, name="last")(value)
    keras.Model(picture, last).save(tmp_path / "many.keras")
    ref = NetworkRef(str(tmp_path / "many.keras"), "random", 1, Preprocessing("rgb", (1.0,) * 3, (0.0,) * 3))
    sizes, pictures = [], []
    for most in (fuse.CONSTANTS, 300_000):
        monkeypatch.setattr(fuse, "CONSTANTS", most)
        kernel = Kernel(load(ref), "last", Recipe(size=32, steps=4))
        pictures.append([one.picture for one in render(kernel, [3, 7])])
        sizes.append(kernel.stages[0]._steps.graph.as_graph_def().ByteSize())
    assert sizes[0] - sizes[1] > 96 * 96 * 9 * 4 * 0.99
    assert sizes[1] > 96 * 16 * 9 * 4
    np.testing.assert_array_equal(*pictures)
