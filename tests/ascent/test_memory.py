"""What kernels hold in memory: no copies of large weights, and nothing once nobody holds them."""

import gc
import weakref

import numpy as np

from atlas.ascent.kernel import Kernel
from atlas.ascent.render import render
from atlas.networks import fuse
from atlas.networks.load import load
from atlas.spec.facts import NetworkRef
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


def test_large_weights_are_no_constants_of_a_graph_and_pixels_are_as_if_they_were(monkeypatch):
    recipe, sizes, pictures = Recipe(size=48, steps=4), [], []
    for large in (fuse.LARGE, 1 << 40):
        monkeypatch.setattr(fuse, "LARGE", large)
        kernel = Kernel(load(NetworkRef("vgg19", "random", 1)), "block3_conv4", recipe)
        pictures.append([one.picture for one in render(kernel, [3, 20])])
        sizes.append(kernel.stages[0]._steps.graph.as_graph_def().ByteSize())
    assert sizes[0] < 4_000_000 < 8_000_000 < sizes[1]
    np.testing.assert_array_equal(*pictures)
