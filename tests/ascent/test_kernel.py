"""A picture depends on its job only; one trace per layer and recipe; the pixels of this kernel version."""

import hashlib
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from atlas.ascent.ascend import prepare
from atlas.ascent.kernel import Kernel
from atlas.ascent.objectives import unlikeness
from atlas.ascent.render import render
from atlas.ascent.starts import photo as photo_at
from atlas.errors import AtlasError
from atlas.networks.load import load
from atlas.spec.facts import NetworkRef, Preprocessing
from atlas.spec.objectives import Caricature, Channel, Class, Direction, Diversity, Layer, Neuron
from atlas.spec.plan import KERNEL
from atlas.spec.recipe import Recipe, octave_sizes
from atlas.spec.recipes import RECIPES
from atlas.spec.slots import (
    Adam,
    Ascent,
    Fourier,
    Maco,
    Noise,
    Octaves,
    Pad,
    Pixel,
    RandomCrop,
    Rotate,
    Scale,
    Settle,
    Shift,
)
from tests.ascent import other_process

PINS = Path(__file__).parent / "pins.json"


@pytest.fixture(scope="module")
def default(toy_network, recipe):
    """The kernel of the small default recipe, which many tests set against another."""
    return Kernel(toy_network, "both", recipe)


def test_one_trace_for_twenty_channels_whatever_the_batch(default):
    for first, count in ((0, 1), (1, 8), (9, 11)):
        render(default, list(range(first, first + count)))
    assert default.traces == 2  # the steps, and what is measured


@pytest.mark.parametrize(  # preview is default but for its size and steps
    ("layer", "name"),
    [("first", "default"), ("pool", "default"), *(("both", name) for name in RECIPES if name != "preview")],
)
def test_a_picture_does_not_depend_on_its_batch(toy_network, name, layer, photo):
    changes = {"size": 32, "steps": 6}
    if name == "caricature":
        changes["objective"] = Caricature(photo=str(photo))
    if name == "deepdream":
        changes["octaves"] = Octaves(count=2)
    if name == "maco":
        changes["transforms"] = (RandomCrop(count=2), Noise())
    kernel = Kernel(toy_network, layer, RECIPES[name].model_copy(update=changes))
    together = {one.channel: one.picture.tobytes() for one in render(kernel, [0, 1, 2, 3, 4, 5, 6, 7])}
    for some in ([7, 6, 5, 4, 3, 2, 1, 0], [3, 7, 0], [6]):
        assert {one.channel: one.picture.tobytes() for one in render(kernel, some)} == {
            channel: together[channel] for channel in some
        }
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
    kernel = Kernel(network, "last", Recipe(size=32, steps=32))
    assert kernel.smallest_batch == 8
    together = {one.channel: one.picture.tobytes() for one in render(kernel, [0, 1, 2, 3, 4, 5])}
    for some in ([5, 4], [3], [2, 1, 0, 6]):
        for one in render(kernel, some):
            assert together.get(one.channel, one.picture.tobytes()) == one.picture.tobytes()


def test_scaled_sums_do_not_make_a_picture_or_its_numbers_depend_on_its_batch():
    """Those of InceptionResNetV2, whose batches are filled up to two images."""
    kernel = Kernel(load(NetworkRef("inceptionresnetv2", "random", 1)), "block35_1_ac", Recipe(size=96, steps=6))
    assert kernel.smallest_batch == 2
    together = {one.channel: one for one in render(kernel, list(range(8)))}
    for channels in ([7], [5, 0, 3], [6, 4]):
        for one in render(kernel, channels):
            for name in ("picture", "trace", "maps"):
                assert np.array_equal(getattr(one, name), getattr(together[one.channel], name)), name
            assert (one.score, one.maximum) == (together[one.channel].score, together[one.channel].maximum)


def test_convolutions_in_groups_do_not_make_a_picture_depend_on_its_batch(tmp_path):
    import keras

    picture = keras.Input((None, None, 3))
    first = keras.layers.Conv2D(16, 3, strides=2, activation="relu")(picture)
    each = keras.layers.Conv2D(16, 5, padding="same", groups=16)(first)
    some = keras.layers.Conv2D(12, 3, groups=4, activation="relu", name="some")(each)
    path = tmp_path / "grouped.keras"
    keras.Model(picture, some).save(path)
    kernel = Kernel(load(NetworkRef(str(path), "random", 1, Preprocessing())), "some", Recipe(size=32, steps=16))
    assert kernel.smallest_batch == 2
    together = {one.channel: one.picture.tobytes() for one in render(kernel, list(range(8)))}
    for channels in ([7], [5, 0, 3], [6, 4]):
        assert all(one.picture.tobytes() == together[one.channel] for one in render(kernel, channels))


def test_the_trace_is_the_score_at_each_step(toy_network, recipe):
    rendering = render(Kernel(toy_network, "both", recipe.model_copy(update={"transforms": ()})), [3])[0]
    assert rendering.trace.shape == (6, 4)
    assert rendering.trace[0, 0] == pytest.approx(rendering.score["start"], rel=0.02)  # the start, less its rounding
    assert rendering.score["end"] > rendering.trace[-1, 0]


def test_frames_begin_at_the_start_and_end_at_the_picture(toy_network, recipe, default):
    kernel = Kernel(toy_network, "both", recipe, frame_every=2)
    rendering = render(kernel, [3])[0]
    assert rendering.frames.shape == (4, 32, 32, 3)
    np.testing.assert_array_equal(rendering.frames[-1], rendering.picture)
    plain = render(default, [3])[0]
    np.testing.assert_array_equal(plain.picture, rendering.picture)
    assert len(plain.frames) == 0


REAL = [("inceptionv3", "mixed4"), ("vgg19", "block3_conv4")]  # with every convolution of the layers before


@pytest.fixture(scope="module")
def elsewhere(toy):
    """The hashes that another process finds, by network and layer: one process for all, each in its turn."""
    asked = [[network, layer, [13, 7, 20]] for network, layer in [(str(toy), "both"), *REAL]]
    found = other_process.in_another(asked)
    return {(network, layer): hashes for (network, layer, _), hashes in zip(asked, found, strict=True)}


@pytest.fixture
def here():
    """The hashes that this process finds, whose last kernel is let go: it would be held for all tests to come."""
    yield other_process.hashes
    other_process.kernel.cache_clear()


@pytest.mark.parametrize(("network", "layer"), [("toy", "both"), *REAL])
def test_a_picture_is_the_same_alone_in_every_batch_and_in_another_process(network, layer, toy, here, elsewhere):
    network = str(toy) if network == "toy" else network
    found = partial(here, network, layer)
    channels = [3, 13, 7, 20, 5]
    together = found(channels)
    assert len(set(together.values())) == 5
    assert found(channels[::-1]) == together
    for some in ([20], [7, 20, 3]):
        assert found(some) == {str(channel): together[str(channel)] for channel in some}
    assert elsewhere[network, layer] == {str(channel): together[str(channel)] for channel in channels[1:4]}


def test_a_settled_image_stops_for_itself_alone(toy_network):
    """Each stops after the window that raised its score too little, as if it had been alone."""
    recipe = Recipe(size=32, steps=40, settle=Settle(window=4, gain=0.1))
    kernel = Kernel(toy_network, "both", recipe)
    together = render(kernel, list(range(8)))
    lengths = {one.channel: len(one.trace) for one in together}
    assert len(set(lengths.values())) > 1
    for one in together:
        [alone] = render(kernel, [one.channel])
        np.testing.assert_array_equal(alone.picture, one.picture)
        np.testing.assert_array_equal(alone.trace, one.trace)
        assert one.settled == (lengths[one.channel] < 40)
        assert one.record()["steps"] == lengths[one.channel]
        means = one.trace[:, 0].reshape(-1, 4).mean(axis=1)
        if one.settled:
            assert means[-1] - means[-2] < 0.1 * abs(means[-2])
        assert (np.diff(means[:-1]) >= 0.1 * np.abs(means[:-2])).all()
    whole = render(Kernel(toy_network, "both", recipe.model_copy(update={"settle": None})), [0])[0]
    np.testing.assert_array_equal(whole.trace[: lengths[0]], together[0].trace)


PARAMETERIZATIONS = [Pixel(), Fourier(), Fourier(contrast=None), Fourier(decorrelate=False), Maco()]
OBJECTIVES = [
    Channel(),
    Channel(leak=0.0),
    Channel(weight=-1),
    Channel(border=2),
    Neuron(),
    Neuron(weight=-1),
    Neuron(at=(2, 3)),
    Layer(),
    Direction(vector=tuple(float(number) for number in range(24))),
    Class(index=2),
    Caricature(photo="photo.png"),
    Caricature(photo="photo.png", power=0.0, leak=0.0),
    Caricature(photo="photo.png", power=2.5),
    (Channel(), Caricature(photo="photo.png", layer="first", weight=0.1)),
    (Channel(), Channel(channel=3, weight=0.5)),
    (Channel(), Layer(layer="first", weight=0.1)),
    (Channel(), Diversity(weight=0.05)),
]


# Every objective, and every parameterization under both optimizers. A weight below zero, which means the same for all,
# is tried where it also changes what ascends: with channels and neurons.
TRIED = [
    (PARAMETERIZATIONS[number % 5], objective, (Adam(), Ascent())[number % 2])
    for number, objective in enumerate(OBJECTIVES)
]


@pytest.mark.parametrize(("slot", "objective", "optimizer"), TRIED, ids=str)
def test_three_steps_raise_the_score(classifier, slot, objective, optimizer, photo):
    rates = {"pixel": (0.005, 0.005), "fourier": (0.005, 0.0001), "maco": (0.01, 0.01)}[slot.name]
    recipe = Recipe(
        size=32,
        steps=3,
        parameterization=slot,
        objective=objective,
        optimizer=optimizer.model_copy(update={"rate": rates[optimizer.name == "ascent"]}),
        transforms=(),
        repeats=2 if isinstance(objective, tuple) and isinstance(objective[1], Diversity) else 1,
    ).with_photos(lambda name: str(photo.parent / name))
    risen = 0
    for rendering in render(Kernel(classifier, "both", recipe), [0, 5, 9, 20]):
        if isinstance(objective, Neuron) and rendering.trace[2, 0] == 0:
            continue  # a neuron far below zero is still on its way up to where its activation begins
        assert rendering.trace[2, 0] > rendering.trace[0, 0]
        assert rendering.score["end"] > rendering.score["start"]
        risen += 1
    assert risen


def published(network, start, channel, steps):
    """The pictures that the tutorial's loop, written out, has after each step: nothing compiled, nothing shared."""
    import tensorflow as tf

    picture, shown = tf.constant(start[None]), []
    for _ in range(steps):
        with tf.GradientTape() as tape:
            tape.watch(picture)
            loss = tf.reduce_mean(network(picture, training=False)[..., channel])
        gradient = tape.gradient(loss, picture)
        picture = tf.clip_by_value(picture + 0.1 * gradient / tf.math.reduce_std(gradient), -1, 1)
        shown.append((255 * (picture[0].numpy() + 1) / 2).astype(np.uint8))
    return shown


@pytest.mark.parametrize(
    ("network", "layer", "channel", "arithmetic", "start", "size"),
    [
        ("inceptionv3", "mixed4", 47, "plain", "noise", 128),  # fast arithmetic differs here, at 96 px not
        ("vgg19", "block4_conv1", 4, "plain", "noise-caffe", 64),
        ("vgg19", "block1_conv2", 4, "plain", "noise", 64),
        ("vgg19", "block1_conv2", 47, "fast", "noise-caffe", 64),  # too few layers to make much of other last digits
    ],
)
def test_the_tutorial_is_the_published_loop(network, layer, channel, arithmetic, start, size, record_property):
    """Within one grey level: on all pixels after one step, on 99 of 100 after ten."""
    import keras

    changes = {"size": size, "steps": 10, "start": start, "arithmetic": arithmetic}
    recipe = RECIPES["tutorial"].model_copy(update=changes)
    loaded = load(NetworkRef(network, "embedded" if network == "inceptionv3" else "random"))
    kernel = Kernel(loaded, layer, recipe, frame_every=1)
    [ours] = render(kernel, [channel])
    drawn = prepare(kernel, channel, ours.seed).start  # in [-1, 1]
    cut = keras.Model(loaded.model.input, loaded.model.get_layer(layer).output)
    theirs = published(cut, drawn, channel, 10)
    for steps, share in ((1, 1.0), (10, 0.99)):
        apart = np.abs(ours.frames[steps].astype(int) - theirs[steps - 1].astype(int))
        record_property(f"within one grey level after {steps}", float((apart <= 1).mean()))
        assert (apart <= 1).mean() >= share


def test_the_best_step_s_picture_stays(toy_network):
    """Score and picture belong to the same parameters: with steps far too large the last is not the best."""
    recipe = Recipe(
        size=32, steps=9, parameterization=Pixel(), optimizer=Ascent(rate=0.9), transforms=(), settle=None, keep="best"
    )
    kernel = Kernel(toy_network, "both", recipe)
    last = Kernel(toy_network, "both", recipe.model_copy(update={"keep": "last"}))
    earlier = 0
    for best, other in zip(render(kernel, [0, 5, 9, 13]), render(last, [0, 5, 9, 13]), strict=True):
        np.testing.assert_allclose(best.trace, other.trace)
        assert best.score["end"] == pytest.approx(best.trace[:, 0].max(), rel=0.02)
        earlier += best.score["end"] > 1.01 * other.score["end"]
    assert earlier


def test_a_trace_has_score_mean_maximum_and_minimum(default):
    [one] = render(default, [3])
    score, mean, maximum, minimum = one.trace.T
    np.testing.assert_allclose(score, mean, rtol=1e-5)
    assert (minimum <= mean).all()
    assert (mean < maximum).all()
    assert one.maps.shape == (2, 16, 16)
    assert one.maps[1].mean() == pytest.approx(one.score["end"], rel=1e-5)
    assert one.maps[0].mean() == pytest.approx(one.score["start"], rel=1e-5)


def test_repeats_are_other_pictures_of_the_same_channel(toy_network, recipe, default):
    kernel = Kernel(toy_network, "both", recipe.model_copy(update={"repeats": 3}))
    found = render(kernel, [3, 8])
    plain = render(default, [3])[0]
    assert found[0].pictures.shape == (3, 32, 32, 3)
    np.testing.assert_array_equal(found[0].picture, plain.picture)  # the first is the one that is made alone
    assert len({picture.tobytes() for one in found for picture in one.pictures}) == 6
    np.testing.assert_array_equal(render(kernel, [8])[0].pictures, found[1].pictures)


def test_diversity_makes_the_pictures_of_a_job_unlike(toy_network, recipe):
    def alike(weight):
        objective = (Channel(), Diversity(weight=weight)) if weight else Channel()
        changed = recipe.model_copy(update={"objective": objective, "repeats": 2, "steps": 24, "settle": None})
        kernel = Kernel(toy_network, "both", changed)
        together = render(kernel, [3, 8, 12])
        np.testing.assert_array_equal(render(kernel, [8])[0].pictures, together[1].pictures)
        values = toy_network.cut("both")
        pictures = np.concatenate([one.pictures for one in together]).astype(np.float32) / 255
        return -unlikeness(values.activate(values.pre(pictures)), 2).numpy().mean()

    assert alike(20.0) < alike(0.0) - 0.002


def test_octaves_keep_the_start_s_own_detail(toy_network, tmp_path):
    """Few weak steps on a photo: what is shown is the photo, changed a little at every scale."""
    path = tmp_path / "photo.png"
    PIL.Image.fromarray(np.random.default_rng(0).integers(60, 200, (64, 64, 3), np.uint8)).save(path)
    recipe = RECIPES["deepdream"].model_copy(update={"size": 64, "steps": 8, "start": str(path)})
    assert octave_sizes(recipe) == (24, 32, 44, 64)
    recipe = recipe.model_copy(update={"octaves": Octaves(count=2)})
    kernel = Kernel(toy_network, "both", recipe, frame_every=1)
    [one] = render(kernel, [0])
    assert len(one.trace) == 8
    assert one.frames.shape == (9, 64, 64, 3)
    assert one.framed == tuple(range(8))
    two = recipe.model_copy(update={"steps": 6})  # each octave begins with a frame
    [rare] = render(Kernel(toy_network, "both", two, frame_every=2), [0])
    assert rare.framed == (0, 2, 3, 5)
    assert len(rare.frames) == 5
    apart = np.abs(one.picture.astype(int) - np.asarray(PIL.Image.open(path)))
    assert 0 < apart.mean() < 12
    assert one.score["end"] > one.score["start"]
    assert kernel.traces == 2 + 1  # steps of two sizes, and what is measured of the last


def the_same_way(network, layer, picture, photo, power):
    """A caricature's score as its formula says, of two pictures in [0, 1] by Keras itself."""
    import keras

    cut = keras.Model(network.model.input, network.model.get_layer(layer).output)
    values, aim = (cut(2 * one[None] - 1, training=False).numpy()[0].astype(np.float64) for one in (picture, photo))
    both = own = aimed = 0.0
    for place in np.ndindex(values.shape):
        both += values[place] * aim[place]
        own += values[place] ** 2
        aimed += aim[place] ** 2
    return both / aimed * max(both / (own * aimed) ** 0.5, 0.1) ** power


@pytest.mark.parametrize(("layer", "power"), [("both", 1.0), ("first", 2.0), ("pool", 0.0)])
def test_a_caricature_s_score_is_how_far_its_activations_go_along_the_photo_s(toy_network, photo, layer, power):
    recipe = RECIPES["caricature"].model_copy(
        update={"size": 32, "steps": 6, "objective": Caricature(photo=str(photo), power=power)}
    )
    kernel = Kernel(toy_network, layer, recipe)
    made = render(kernel, [0, 1, 2])
    render(kernel, [3])
    assert kernel.traces == 2
    wanted = photo_at(photo, 32)
    for one in made:
        picture = one.picture / np.float32(255)
        assert one.score["end"] == pytest.approx(the_same_way(toy_network, layer, picture, wanted, power), rel=1e-3)
        assert one.maps[1].mean() == pytest.approx(the_same_way(toy_network, layer, picture, wanted, 0), rel=1e-3)
        assert one.score["end"] > one.score["start"]


TURNED = (Shift(pixels=9.0), Scale(between=(0.8, 1.2)), Rotate(degrees=40.0))
CROPPED = (Pad(pixels=4), RandomCrop(first=0.5, last=0.5, pixels=40), Noise())


@pytest.mark.parametrize(
    ("transforms", "signed", "arithmetic"),
    [
        ((), "signed", "xla"),
        (TURNED, "own", "fast"),
        (CROPPED, "own", "fast"),
        (CROPPED, "signed", "fast"),
    ],
)
def test_the_photo_goes_through_the_same_transforms(toy_network, photo, transforms, signed, arithmetic):
    """Where the picture is the photo itself the score is 1, however it is turned, cut and magnified."""
    recipe = Recipe(
        size=32,
        steps=3,
        parameterization=Pixel(),
        start=str(photo),
        transforms=transforms,
        objective=Caricature(photo=str(photo)),
        optimizer=Ascent(rate=1e-6),
        settle=None,
        input=signed,
        arithmetic=arithmetic,
    )
    [one] = render(Kernel(toy_network, "both", recipe), [0])
    np.testing.assert_allclose(one.trace[:, 0], 1, atol=1e-3)
    assert one.score["start"] == pytest.approx(1, abs=1e-3)


def test_each_octave_of_a_caricature_sees_the_photo_at_its_own_size(toy_network, photo):
    recipe = Recipe(
        size=64,
        steps=8,
        octaves=Octaves(count=2, scale=2.0),
        parameterization=Pixel(),
        start=str(photo),
        transforms=(),
        objective=Caricature(photo=str(photo)),
        optimizer=Ascent(rate=1e-6),
        settle=None,
    )
    kernel = Kernel(toy_network, "both", recipe)
    [one] = render(kernel, [0])
    assert kernel.traces == 2 + 1
    np.testing.assert_allclose(one.trace[:4, 0], 1, atol=0.05)  # the photo made smaller, by another filter
    np.testing.assert_allclose(one.trace[4:, 0], 1, atol=1e-3)


def test_a_caricature_of_no_photo_is_one_sentence(toy_network, tmp_path):
    caricature = RECIPES["caricature"].model_copy(update={"size": 32})
    with pytest.raises(
        AtlasError, match=r"^both: objective caricature: expected the path of a photo .* received none$"
    ):
        Kernel(toy_network, "both", caricature)
    missing = caricature.model_copy(update={"objective": Caricature(photo=str(tmp_path / "no.png"))})
    with pytest.raises(AtlasError, match=r"no\.png: expected a photo"):
        Kernel(toy_network, "both", missing)


def test_other_arithmetic_changes_rounding_only(toy_network, recipe, default):
    plain = render(default, [3])[0]
    for change in ("xla", "mixed", "plain"):
        [other] = render(Kernel(toy_network, "both", recipe.model_copy(update={"arithmetic": change})), [3])
        assert other.score["end"] == pytest.approx(plain.score["end"], rel=0.1)
        assert np.corrcoef(other.picture.ravel(), plain.picture.ravel())[0, 1] > 0.9


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
