"""One process of atlas's side of the benchmark: it warms up, says ready, and does its work once for each line it reads.

    python run_atlas.py export WEIGHTS.npz
    python run_atlas.py gemm
    python run_atlas.py convolutions --channels 0-15
    python run_atlas.py recipe --recipe default --channels 0-15 --steps 64
    python run_atlas.py steps --network resnet50 --layer conv4_block3_out --size 224 --steps 8

TensorFlow gets one thread, numpy as many as OMP_NUM_THREADS says; whoever starts several processes lets them begin
together. Each answer is a line of JSON: ``work`` is floating point operations for ``gemm``, updates of one picture for
the others, done in ``seconds``.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from interface import channels

from atlas.runtime import start_tensorflow
from atlas.spec.facts import NetworkRef

GEMM_SIDE, GEMM_TIMES = 2048, 64  # some seconds
WEIGHTS = {"inceptionv3": "embedded", "vgg16": "embedded"}  # those of all others are random

Job = Callable[[], dict[str, Any]]


def export(path: str) -> None:
    """Write the embedded network's weights, named by kind and order of creation: ``conv2d_0/kernel`` is the first's."""
    start_tensorflow(1)
    from atlas.networks.graph import weights_of
    from atlas.networks.load import load

    model = load(NetworkRef("inceptionv3", "embedded")).model
    arrays: dict[str, Any] = {}
    for weight in weights_of(model):
        layer, _, variable = weight.name.partition("/")
        numbered = f"{layer}_0" if layer in ("conv2d", "batch_normalization") else layer
        arrays[f"{numbered}/{variable}"] = np.asarray(weight.variable)
    np.savez(path, **arrays)


def gemm() -> Job:
    """Products of two matrices of float32."""
    left, right, product = np.random.default_rng(0).standard_normal((3, GEMM_SIDE, GEMM_SIDE), np.float32)

    def job() -> dict[str, Any]:
        for _ in range(GEMM_TIMES):
            np.matmul(left, right, out=product)
        return {"work": GEMM_TIMES * 2 * GEMM_SIDE**3}

    return job


def convolutions(given: argparse.Namespace) -> Job:
    """The cut network alone: pixels that ascend, all channels of the layer computed, no transforms.

    The answer's ``flop`` is of the convolutions for one update of one picture: those of the forward pass, counted from
    the shapes in the graph, and as many again for the gradient to their inputs.
    """
    import tensorflow as tf

    from atlas.ascent.kernel import APART
    from atlas.networks.load import load
    from atlas.spec.recipe import Recipe

    network = load(_ref(given))
    cut = network.cut(given.layer, Recipe(through=0, arithmetic=given.arithmetic or "fast"))
    shape = [len(given.channels), given.size, given.size, 3]
    own = tf.one_hot(given.channels, cut.main.channels)[:, None, None, :]  # (n, 1, 1, channels)

    @tf.function(autograph=False, experimental_attributes=APART)  # type: ignore[untyped-decorator]
    def ascent(pictures: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(pictures)
            score = tf.reduce_sum(tf.reduce_mean(cut.pre(pictures) * own, axis=[1, 2]))
        return tape.gradient(score, pictures)

    def update(index: Any, pictures: Any) -> Any:
        gradient = tf.ensure_shape(ascent(pictures), shape)
        spread = tf.math.reduce_std(gradient, axis=[1, 2, 3], keepdims=True)
        return index + 1, tf.clip_by_value(pictures + 0.05 * gradient / (spread + 1e-8), 0.0, 1.0)

    def ascend(pictures: Any, steps: Any) -> Any:
        return tf.while_loop(lambda index, _: index < steps, update, (tf.constant(0), pictures))[1]

    signature = [tf.TensorSpec(shape, tf.float32), tf.TensorSpec([], tf.int32)]
    climb = tf.function(ascend, input_signature=signature, autograph=False)
    flop = 2 * flop_of(cut, given.size)
    start = tf.constant(np.random.default_rng(0).random(shape, np.float32))
    climb(start, tf.constant(2))

    def job() -> dict[str, Any]:
        climb(start, tf.constant(given.steps)).numpy()
        return {"work": len(given.channels) * given.steps, "flop": flop}

    return job


def flop_of(cut: Any, size: int) -> int:
    """Floating point operations of all convolutions forward for one picture, a multiplication and an addition two."""
    import tensorflow as tf

    traced = tf.function(cut.pre, autograph=False).get_concrete_function(tf.TensorSpec([1, size, size, 3], tf.float32))
    found = [one for one in traced.graph.get_operations() if one.type == "Conv2D"]
    return sum(2 * int(np.prod([*one.inputs[1].shape, *one.outputs[0].shape[1:3]])) for one in found)


def _ref(given: argparse.Namespace) -> NetworkRef:
    return NetworkRef(given.network, WEIGHTS.get(given.network, "random"))


def _kernel(given: argparse.Namespace) -> Any:
    """The kernel of a layer under a recipe."""
    from atlas.ascent.kernel import Kernel
    from atlas.networks.load import load
    from atlas.spec.recipe import Recipe
    from atlas.spec.recipes import RECIPES

    changes = {"size": given.size, "steps": given.steps}
    if given.arithmetic:
        changes["arithmetic"] = given.arithmetic
    made = Recipe.model_validate(RECIPES[given.recipe].model_dump() | changes)
    return Kernel(load(_ref(given)), given.layer, made)


def recipe(given: argparse.Namespace) -> Job:
    """Finished renderings under a recipe, as a worker of a build makes them: one batch."""
    from atlas.ascent.render import render

    kernel = _kernel(given)
    made, kernel.recipe = kernel.recipe, kernel.recipe.model_copy(update={"steps": 2})
    render(kernel, list(given.channels))
    kernel.recipe = made

    def job() -> dict[str, Any]:
        renderings = render(kernel, list(given.channels))
        again = sum(one.attempt > 0 or one.state != "activated" for one in renderings)
        return {"work": sum(len(one.trace) for one in renderings), "tried_again": again}

    return job


def steps(given: argparse.Namespace) -> Job:
    """The steps of a recipe alone, of as many pictures as ``batch: auto`` lets go together: none is tried again.

    The answer's ``memory`` is the most that this process ever had, in GB.
    """
    from atlas.ascent.ascend import ascend, prepare
    from atlas.engine.batches import batch_size
    from atlas.networks.catalog import facts
    from atlas.spec.plan import Group

    known, kernel = facts(_ref(given)).layer(given.layer), _kernel(given)
    assert known is not None
    images = batch_size(Group(known, "", kernel.recipe, "", (), smallest_batch=kernel.smallest_batch), "auto", False)

    def job() -> dict[str, Any]:
        ascend(kernel, [prepare(kernel, channel % known.channels, channel) for channel in range(images)])
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        return {"work": images * given.steps, "batch": images, "memory": memory}

    job()
    return job


JOBS: dict[str, Callable[[argparse.Namespace], Job]] = {"convolutions": convolutions, "recipe": recipe, "steps": steps}


def main() -> None:
    parser = argparse.ArgumentParser(description="One process of atlas's side of the benchmark.")
    parser.add_argument("what", choices=("export", "gemm", *JOBS))
    parser.add_argument("path", nargs="?", help="for export")
    parser.add_argument("--network", default="inceptionv3")
    parser.add_argument("--layer", default="mixed4")
    parser.add_argument("--size", type=int, default=128, help="side of a picture in pixels")
    parser.add_argument("--channels", type=channels, default="0-15", help="one batch, such as 0-15")
    parser.add_argument("--steps", type=int, default=64, help="number of updates of a picture")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--arithmetic", help="in place of the recipe's own")
    given = parser.parse_args()
    if given.what == "export":
        export(given.path)
        return
    if given.what != "gemm":
        start_tensorflow(1)
    job = gemm() if given.what == "gemm" else JOBS[given.what](given)
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        begun = time.perf_counter()
        answer = job()
        print(json.dumps(answer | {"seconds": time.perf_counter() - begun}), flush=True)


if __name__ == "__main__":
    main()
