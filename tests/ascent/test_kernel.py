"""A picture depends on its job only; one trace per layer and recipe; the pixels of this kernel version."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from atlas.ascent.kernel import Kernel
from atlas.ascent.render import render
from atlas.networks.load import load
from atlas.spec.facts import NetworkRef, Preprocessing
from atlas.spec.plan import KERNEL
from atlas.spec.recipe import RECIPES, Adam, Ascent, Channel, Fourier, Pixel, Recipe
from tests.ascent import other_process

PINS = Path(__file__).parent / "pins.json"


def test_one_trace_for_twenty_channels_whatever_the_batch(toy_network, recipe):
    kernel = Kernel(toy_network.cut("both"), recipe)
    for first, count in ((0, 2), (2, 8), (10, 1), (11, 4), (15, 5)):
        render(kernel, list(range(first, first + count)))
    assert kernel.traces == 1


@pytest.mark.parametrize("name", list(RECIPES))
@pytest.mark.parametrize("layer", ["first", "both", "pool"])
def test_a_picture_does_not_depend_on_its_batch(toy_network, name, layer):
    kernel = Kernel(toy_network.cut(layer), RECIPES[name].model_copy(update={"size": 32, "steps": 6}))
    together = {one.channel: one.picture.tobytes() for one in render(kernel, [0, 1, 2, 3, 4, 5, 6, 7])}
    alone = {channel: render(kernel, [channel])[0].picture.tobytes() for channel in together}
    backwards = {one.channel: one.picture.tobytes() for one in render(kernel, [7, 6, 5, 4, 3, 2, 1, 0])}
    others = {one.channel: one.picture.tobytes() for one in render(kernel, [3, 7, 0])}
    assert together == alone == backwards
    assert others == {channel: together[channel] for channel in (3, 7, 0)}
    assert len(set(together.values())) == 8


def test_roots_and_exponentials_do_not_make_a_picture_depend_on_its_batch(tmp_path):
    """TensorFlow computes these eight at a time and rounds otherwise at the end of a buffer."""
    import keras

    picture = keras.Input((None, None, 3))
    first = keras.layers.Conv2D(7, 3, strides=2)(picture)
    normal = keras.layers.LayerNormalization()(first)
    active = keras.layers.Activation("gelu", name="active")(normal)
    path = tmp_path / "soft.keras"
    keras.Model(picture, keras.layers.Conv2D(7, 3, name="last")(active)).save(path)
    network = load(NetworkRef(str(path), "random", 1, Preprocessing()))
    kernel = Kernel(network.cut("last"), Recipe(size=32, steps=32))
    assert kernel.smallest_batch == 8
    together = {one.channel: one.picture.tobytes() for one in render(kernel, [0, 1, 2, 3, 4, 5])}
    for some in ([5, 4], [3], [2, 1, 0, 6]):
        for one in render(kernel, some):
            assert together.get(one.channel, one.picture.tobytes()) == one.picture.tobytes()


def test_another_process_gives_the_same_bytes(toy, tmp_path):
    here = other_process.hashes(toy)
    run = subprocess.run(
        [sys.executable, "-m", "tests.ascent.other_process", toy], capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout.splitlines()[-1]) == here


@pytest.mark.parametrize("slot", [Pixel(), Fourier(), Fourier(contrast=None), Fourier(decorrelate=False)])
@pytest.mark.parametrize("objective", [Channel(), Channel(leak=0.0), Channel(sign=-1)])
@pytest.mark.parametrize("optimizer", [Adam(), Ascent()])
def test_three_steps_raise_the_score(toy_network, slot, objective, optimizer):
    rate = 0.0003 if isinstance(optimizer, Ascent) and isinstance(slot, Fourier) else 0.02
    optimizer = optimizer.model_copy(update={"rate": rate})
    recipe = Recipe(
        size=32, steps=3, parameterization=slot, objective=objective, optimizer=optimizer, transforms=(), start="noise"
    )
    for rendering in render(Kernel(toy_network.cut("both"), recipe), list(range(8))):
        assert rendering.score["end"] > rendering.score["start"]
        assert rendering.trace[2] > rendering.trace[0]


def test_the_tutorial_is_the_published_loop(toy_network):
    """Uniform noise, gradient over its deviation, steps of 0.1 in [-1, 1], the array itself fed to the network."""
    import tensorflow as tf

    recipe = RECIPES["tutorial"].model_copy(update={"size": 40, "steps": 10})
    kernel = Kernel(toy_network.cut("both"), recipe)
    start, _ = kernel.draw(render(kernel, [5])[0].seed)
    picture = tf.constant(2 * start[None] - 1)
    for _ in range(10):
        with tf.GradientTape() as tape:
            tape.watch(picture)
            loss = tf.reduce_mean(toy_network.model(picture, training=False)[..., 5])
        gradient = tape.gradient(loss, picture)
        picture = tf.clip_by_value(picture + 0.1 * gradient / tf.math.reduce_std(gradient), -1, 1)
    published = (255 * (picture[0].numpy() + 1) / 2).astype(np.uint8).astype(int)
    ours = render(kernel, [5])[0].picture.astype(int)
    assert (np.abs(ours - published) <= 1).mean() >= 0.99


def test_the_trace_is_the_score_at_each_step(toy_network, recipe):
    rendering = render(Kernel(toy_network.cut("both"), recipe.model_copy(update={"transforms": ()})), [3])[0]
    assert rendering.trace.shape == (6,)
    assert rendering.trace[0] == pytest.approx(rendering.score["start"], rel=0.02)  # the start, less its rounding
    assert rendering.score["end"] > rendering.trace[-1]


def test_frames_begin_at_the_start_and_end_at_the_picture(toy_network, recipe):
    kernel = Kernel(toy_network.cut("both"), recipe, frame_every=2)
    rendering = render(kernel, [3])[0]
    assert rendering.frames.shape == (4, 32, 32, 3)
    np.testing.assert_array_equal(rendering.frames[-1], rendering.picture)
    plain = render(Kernel(toy_network.cut("both"), recipe), [3])[0]
    np.testing.assert_array_equal(plain.picture, rendering.picture)
    assert len(plain.frames) == 0


def test_the_pixels_of_this_kernel_version_are_pinned(toy, tmp_path):
    """Another kernel must have another version: raise ``spec.plan.KERNEL`` and run ``python -m tests.ascent.pin``."""
    pins = json.loads(PINS.read_text())
    run = subprocess.run(
        [sys.executable, "-m", "tests.ascent.pin", "--print"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"},
    )
    found = json.loads(run.stdout.splitlines()[-1])
    assert pins["kernel"] == KERNEL
    for name, pinned in pins["pictures"].items():
        was, now = bytes.fromhex(pinned), bytes.fromhex(found["pictures"][name])
        if pins["versions"] == found["versions"]:
            assert hashlib.sha256(now).digest() == hashlib.sha256(was).digest(), name
        apart = np.abs(np.frombuffer(now, np.uint8).astype(int) - np.frombuffer(was, np.uint8))
        assert (apart <= 1).mean() > 0.99, name
