"""Several random crops in one step: the mean of what each is worth, and how much each pixel counted."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from atlas.ascent import render as render_module
from atlas.ascent import transforms
from atlas.ascent.kernel import Kernel, Stage
from atlas.ascent.parameterization import MacoPicture
from atlas.ascent.render import render
from atlas.spec.objectives import Channel
from atlas.spec.recipe import Recipe
from atlas.spec.slots import Adam, Maco, RandomCrop, Settle, Transform

SIDE, PART, COUNT, CHANNEL = 32, 24, 3, 5


def maco(count: int, **changes: Any) -> Recipe:
    """A small recipe whose optimizer remembers the last gradient as it is."""
    slots: tuple[Transform, ...] = (RandomCrop(first=0.8, last=0.4, pixels=PART, count=count),)
    given = {
        "parameterization": Maco(),
        "transforms": slots,
        "objective": Channel(leak=0.0),
        "optimizer": Adam(rate=0.1, beta1=0.0),
        "through": 0.0,
        "size": SIDE,
        "steps": 1,
        "fill": "reflect",
    }
    return Recipe(**(given | changes))


def gradients(network: Any, picture: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """The gradient of a channel's mean for the picture, through Keras itself, for each of some crops."""
    import keras

    from atlas.ascent.resample import resample

    cut = keras.Model(network.model.input, network.model.get_layer("both").output)
    found = []
    for one in maps:
        with tf.GradientTape() as tape:
            tape.watch(shown := tf.constant(picture[None]))
            seen = resample(shown, tf.constant(one[None]), PART, "reflect")
            score = tf.reduce_mean(cut(2 * seen - 1, training=False)[..., CHANNEL])
        found.append(tape.gradient(score, shown).numpy()[0])
    return np.stack(found)


def test_a_step_follows_the_mean_of_its_crops_and_counts_what_each_pixel_weighs(toy_network):
    recipe = maco(COUNT)
    stage = Kernel(toy_network, "both", recipe).stages[0]
    picture = stage.picture
    assert isinstance(picture, MacoPicture)
    rng = np.random.default_rng(0)
    starts = np.stack([picture.start("noise", rng) for _ in range(2)])
    draws = transforms.together([transforms.draw(recipe.transforms, SIDE, 2, rng) for _ in range(2)])
    assert draws.maps.shape == (2, 2 * COUNT, 6)
    to, done = stage.climb(np.full(2, CHANNEL, np.int32), stage.begin(starts), draws, np.zeros(2, np.float32), 0)
    for image, start in enumerate(starts):
        counted = np.zeros((SIDE, SIDE))
        for step in range(2):  # at a rate of nothing the picture is the same
            shown = picture.paint(tf.constant(start[None])).numpy()[0]
            looks = draws.maps[image, step * COUNT : (step + 1) * COUNT]
            toward = gradients(toy_network, shown, looks).mean(axis=0)
            counted += np.abs(toward).mean(axis=2)
        np.testing.assert_allclose(to.counted[0][image], counted, rtol=2e-3, atol=2e-3 * counted.max())
        with tf.GradientTape() as tape:
            tape.watch(parameters := tf.constant(start[None]))
            painted = picture.paint(parameters)
        wanted = tape.gradient(painted, parameters, output_gradients=tf.constant(toward[None])).numpy()[0]
        np.testing.assert_allclose(to.state[0][image], wanted, rtol=2e-3, atol=2e-3 * np.abs(wanted).max())
    assert not np.allclose(done.trace[:, 0, 0], done.trace[:, 1, 0])  # each step has crops of its own


def test_the_trace_is_the_mean_over_the_crops(toy_network):
    draws = transforms.together([transforms.draw(maco(COUNT).transforms, SIDE, 1, np.random.default_rng(3))] * 2)
    rate, channels = np.zeros(1, np.float32), np.full(2, CHANNEL, np.int32)
    several, single = (Kernel(toy_network, "both", maco(count)).stages[0] for count in (COUNT, 1))
    starts = np.stack([several.picture.start("noise", np.random.default_rng(1))] * 2)

    def trace(stage: Stage, looks: transforms.Draws) -> np.ndarray:
        return stage.climb(channels, stage.begin(starts), looks, rate, 0)[1].trace[:, 0]

    alone = [trace(single, transforms.Draws(*(d[:, k : k + 1] for d in draws))) for k in range(COUNT)]
    np.testing.assert_allclose(trace(several, draws), np.mean(alone, axis=0), rtol=1e-5)


def test_the_sides_of_all_crops_of_a_step_are_the_same_and_their_places_are_not():
    slots = (RandomCrop(first=0.5, last=0.25, pixels=64, count=4),)
    maps = transforms.draw(slots, 128, 3, np.random.default_rng(0)).maps.reshape(3, 4, 6)
    np.testing.assert_allclose(maps[:, :, 0] * 64 / 128, np.repeat([[0.5], [0.375], [0.25]], 4, axis=1), rtol=1e-5)
    assert len(np.unique(maps[:, :, 2])) == 12


@pytest.mark.parametrize("arithmetic", ["fast", "plain"])
def test_pixels_are_as_opaque_as_they_counted(toy_network, arithmetic):
    """One pixel in five is wholly opaque, and what others are does not depend on the batch."""
    recipe = maco(2, steps=6, arithmetic=arithmetic)
    [one, other] = render(Kernel(toy_network, "both", recipe), [CHANNEL, 0])
    [alone] = render(Kernel(toy_network, "both", recipe), [CHANNEL])
    assert one.opacity is not None
    assert other.opacity is not None
    assert alone.opacity is not None
    assert (one.opacity.shape, one.opacity.dtype) == ((SIDE, SIDE), np.uint8)
    assert (one.opacity == 255).mean() == pytest.approx(1 / 5, abs=0.01)  # those just below round to 255
    assert other.opacity.tobytes() != one.opacity.tobytes() == alone.opacity.tobytes()


def test_images_that_settle_go_on_from_where_they_were(toy_network):
    """Window by window or at once: the same crops, the same steps, and the pixels count as much."""
    recipe = maco(2, steps=12, optimizer=Adam(rate=0.3))
    never = recipe.model_copy(update={"settle": Settle(window=4, gain=0.0)})
    early = recipe.model_copy(update={"settle": Settle(window=4, gain=0.5)})
    at_once, windows, some = (render(Kernel(toy_network, "both", one), [5, 0, 7]) for one in (recipe, never, early))
    for one, other in zip(at_once, windows, strict=True):
        assert not other.settled
        assert one.picture.tobytes() == other.picture.tobytes()
        np.testing.assert_allclose(one.opacity.astype(int), other.opacity, atol=1)
    assert any(one.settled for one in some)
    for one, other in zip(at_once, some, strict=True):
        assert one.trace[: len(other.trace)].tobytes() == other.trace.tobytes()
        assert (one.opacity.tobytes() == other.opacity.tobytes()) is not other.settled


@pytest.mark.parametrize("counted", [np.zeros((4, 4)), np.eye(4), np.ones((4, 4)), np.eye(4) * 1e30])
def test_opacity_is_a_number_wherever_few_pixels_count(counted):
    found = render_module._opacity(counted.astype(np.float32))
    assert found.max() == (255 if counted.any() else 0)
    assert (found > 0).sum() == (counted > 0).sum()


def test_only_recipes_that_count_pixels_have_an_opacity(toy_network, recipe):
    [one] = render(Kernel(toy_network, "both", recipe), [0])
    assert one.opacity is None


def test_work_is_counted_for_each_crop_at_the_size_that_the_network_sees():
    assert (maco(6).looks, maco(1).looks, maco(6).seen) == (6, 1, PART)
    assert "count" not in maco(1).pixels["transforms"][0]
    assert maco(6).pixels["transforms"][0]["count"] == 6
