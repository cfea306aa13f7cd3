import numpy as np
import pytest
import tensorflow as tf

from atlas.ascent import transforms
from atlas.ascent.resample import resample
from atlas.spec.recipe import canvas
from atlas.spec.recipes import RECIPES
from atlas.spec.slots import Crop, Noise, Pad, RandomCrop, Roll, Rotate, Scale, Shift


@pytest.fixture
def picture():
    y, x = np.mgrid[0:24, 0:24] / 24
    return np.stack([np.sin(5 * x + y), np.cos(4 * y), x * y], -1).astype(np.float32) / 2 + 0.5


def applied(slots, picture, *seeds, fill="grey"):
    draws = step([transforms.draw(slots, picture.shape[0], 1, np.random.default_rng(seed)) for seed in seeds], 0)
    return transforms.apply(slots, fill, tf.constant(np.stack([picture] * len(seeds))), draws).numpy()


def step(jobs, number):
    """What some jobs have drawn for one step."""
    return transforms.Draws(*(drawn[:, number] for drawn in transforms.together(jobs)))


def draw(slots, picture, seed):
    return transforms.draw(slots, picture.shape[0], 1, np.random.default_rng(seed)).maps[0]


class Fixed:
    """A generator whose uniform draws lie at given fractions of their ranges."""

    def __init__(self, *fractions):
        self.fractions = list(fractions)

    def uniform(self, low, high, shape):
        count = int(np.prod(shape))
        taken, self.fractions = self.fractions[:count], self.fractions[count:]
        return low + (high - low) * np.array(taken).reshape(shape)


def fixed(slots, picture, *fractions):
    draws = step([transforms.draw(slots, picture.shape[0], 1, Fixed(*fractions))], 0)
    return transforms.apply(slots, "grey", tf.constant(picture[None]), draws).numpy()[0]


def bilinear(picture, y, x, beyond=0.5):
    """The picture at fractional places, numpy's way; ``beyond`` outside."""
    padded = np.pad(picture, ((60, 60), (60, 60), (0, 0)), constant_values=beyond)
    y, x = y + 60, x + 60
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    fy, fx = (y - top)[..., None], (x - left)[..., None]
    upper = padded[top, left] * (1 - fx) + padded[top, left + 1] * fx
    lower = padded[top + 1, left] * (1 - fx) + padded[top + 1, left + 1] * fx
    return upper * (1 - fy) + lower * fy


def test_nothing_asked_nothing_done(picture):
    np.testing.assert_array_equal(applied((), picture, 0), picture[None])


def test_pad_and_crop_change_the_canvas_only(picture):
    padded = applied((Pad(pixels=5),), picture, 0)
    assert padded.shape == (1, 34, 34, 3)
    np.testing.assert_allclose(padded[0, 5:-5, 5:-5], picture, atol=1e-6)
    np.testing.assert_allclose(padded[0, :5], 0.5)
    cropped = applied((Pad(pixels=5), Crop(pixels=8)), picture, 0)
    np.testing.assert_allclose(cropped[0], picture[3:-3, 3:-3], atol=1e-6)


def test_shift_moves_by_its_draw(picture):
    slots = (Shift(pixels=4.0),)
    np.testing.assert_allclose(fixed(slots, picture, 1.0, 0.5)[:, 4:], picture[:, :-4], atol=1e-5)  # four to the right
    np.testing.assert_allclose(fixed(slots, picture, 0.5, 0.25)[:-2], picture[2:], atol=1e-5)  # two up


def test_all_together_are_one_resampling_by_the_composed_map(picture):
    slots = (Pad(pixels=3), Shift(pixels=2.0), Scale(between=(0.8, 1.2)), Rotate(degrees=20.0), Shift(pixels=1.0))
    draws = [0.9, 0.2, 0.75, 0.1, 0.6, 0.3]
    seen = fixed(slots, picture, *draws)
    assert seen.shape == (30, 30, 3)
    y, x = np.mgrid[0:30, 0:30] - 14.5
    x, y = x - (2 * draws[4] - 1), y - (2 * draws[5] - 1)  # the last shift is undone first
    angle = np.deg2rad(-20 + 40 * draws[3])
    x, y = np.cos(angle) * x + np.sin(angle) * y, -np.sin(angle) * x + np.cos(angle) * y
    factor = 0.8 + 0.4 * draws[2]
    x, y = x / factor, y / factor
    x, y = x - 2 * (2 * draws[0] - 1), y - 2 * (2 * draws[1] - 1)
    np.testing.assert_allclose(seen, bilinear(picture, y + 11.5, x + 11.5), atol=2e-4)


def test_every_image_has_its_own_draw_and_no_other(picture):
    slots = RECIPES["default"].transforms
    together = applied(slots, picture, 0, 1, 2, fill="reflect")
    assert len({image.tobytes() for image in together}) == 3
    for seed, image in enumerate(together):
        np.testing.assert_array_equal(applied(slots, picture, seed, 9, fill="reflect")[0], image)


def test_every_step_has_its_own_draw(picture):
    maps = transforms.draw(RECIPES["default"].transforms, 24, 50, np.random.default_rng(0)).maps
    assert maps.shape == (50, 6)
    assert len({one.tobytes() for one in maps}) == 50
    turned = np.rad2deg(np.arctan2(maps[:, 1], maps[:, 0]))
    assert np.abs(turned).max() <= 8 < 2 * np.abs(turned).max()


def test_one_of_several_is_chosen(picture):
    slots = (Rotate(among=(0.0, 180.0)),)
    seen = {one.round(3).tobytes(): one for one in applied(slots, picture, *range(12))}
    assert len(seen) == 2
    for want in (picture, picture[::-1, ::-1]):
        assert any(np.allclose(one[1:-1, 1:-1], want[1:-1, 1:-1], atol=1e-4) for one in seen.values())


@pytest.mark.parametrize("fill", ["grey", "reflect"])
def test_the_gradient_is_that_of_the_resampling(picture, fill):
    slots = (Shift(pixels=3.0), Scale(between=(0.95, 1.05)), Rotate(degrees=10.0))
    draws = transforms.Draws(draw(slots, picture, 3)[None])
    rng = np.random.default_rng(0)
    smooth = tf.constant(picture[None])
    towards = tf.constant(np.pad(rng.random((1, 4, 4, 3), np.float32), ((0, 0), (10, 10), (10, 10), (0, 0))))
    with tf.GradientTape() as tape:
        tape.watch(smooth)
        value = tf.reduce_sum(transforms.apply(slots, fill, smooth, draws) * towards)
    gradient = tape.gradient(value, smooth).numpy()
    little = 1e-2 * np.random.default_rng(1).random(picture.shape).astype(np.float32)
    moved = tf.reduce_sum(transforms.apply(slots, fill, smooth + little, draws) * towards)
    assert float(moved - value) == pytest.approx(float((gradient * little).sum()), rel=0.1)


@pytest.mark.parametrize("fill", ["grey", "reflect"])
def test_what_is_not_seen_has_no_gradient(picture, fill):
    aside = np.array([[1, 0, 6, 0, 1, 0]], np.float32)  # the six columns on the left lie outside of what is made
    with tf.GradientTape() as tape:
        tape.watch(whole := tf.constant(picture[None]))
        total = tf.reduce_sum(resample(whole, tf.constant(aside), picture.shape[0], fill))
    gradient = tape.gradient(total, whole).numpy()
    assert not gradient[:, :, :6].any()
    np.testing.assert_allclose(gradient[:, :, 6:], 1, atol=1e-6)


def test_lucid_s_canvas():
    assert canvas(RECIPES["lucid"].transforms, 128) == 140  # 128 + 24, less what the two jitters cut off


@pytest.mark.parametrize("fill", ["reflect", "grey"])
def test_resampling_is_tensorflow_s_own(picture, fill):
    """Against ImageProjectiveTransformV3, with a map that leaves the picture on every side."""
    pictures = tf.constant(np.stack([picture, picture[::-1]]))
    maps = np.array([[1.1, 0.2, -3.3, -0.2, 1.15, 1.7], [0.9, 0, 2.5, 0, 0.9, -4]], np.float32)
    theirs = tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=np.pad(maps, ((0, 0), (0, 2))),
        output_shape=[28, 28],
        fill_value=0.5,
        interpolation="BILINEAR",
        fill_mode={"reflect": "REFLECT", "grey": "CONSTANT"}[fill],
    )
    np.testing.assert_allclose(resample(pictures, tf.constant(maps), 28, fill), theirs, atol=1e-5)


def test_resampling_does_not_depend_on_the_batch(picture):
    rng = np.random.default_rng(0)
    pictures = tf.constant(rng.random((16, 24, 24, 3), np.float32))
    maps = tf.constant(np.stack([draw(RECIPES["default"].transforms, picture, seed) for seed in range(16)]))

    def made(count):
        with tf.GradientTape() as tape:
            tape.watch(some := pictures[:count])
            found = resample(some, maps[:count], 24, "reflect")
            total = tf.reduce_sum(tf.square(found))
        return found[:2].numpy().tobytes(), tape.gradient(total, some)[:2].numpy().tobytes()

    assert made(2) == made(3) == made(16)


def test_a_random_crop_is_a_magnified_part(picture):
    slots = (RandomCrop(first=0.5, last=0.5, pixels=24),)
    seen = fixed(slots, picture, 1.0, 0.0)  # as far right and up as it goes: the upper right quarter
    assert seen.shape == (24, 24, 3)
    places = np.arange(24) / 2 - 0.25
    x, y = np.meshgrid(12 + places, places)
    np.testing.assert_allclose(seen[2:, :-2], bilinear(picture, y, x)[2:, :-2], atol=1e-4)


def test_random_crops_shrink_from_the_first_to_the_last(picture):
    maps = transforms.draw((RandomCrop(first=0.5, last=0.05, pixels=64),), 128, 5, np.random.default_rng(0)).maps
    np.testing.assert_allclose(maps[:, 0] * 64 / 128, np.linspace(0.5, 0.05, 5), rtol=1e-5)
    assert canvas((RandomCrop(pixels=64), Pad(pixels=2)), 128) == 68


def test_noise_is_the_image_s_own(picture):
    slots = (Noise(deviation=0.1),)
    pictures = tf.constant(np.stack([picture] * 4))
    draws = [transforms.draw(slots, 24, 3, np.random.default_rng(seed)) for seed in range(4)]
    assert len({one.seeds.tobytes() for one in draws}) == 4

    def made(numbers):
        drawn = step([draws[number] for number in numbers], 1)
        return transforms.apply(slots, "grey", pictures[: len(numbers)], drawn).numpy()

    together = made([0, 1, 2, 3])
    assert (together - picture).std() == pytest.approx(0.1, rel=0.05)
    assert len({one.tobytes() for one in together}) == 4
    np.testing.assert_array_equal(made([3, 1])[0], together[3])


def test_a_roll_turns_the_picture_as_a_torus(picture):
    """By whole pixels, each image by its own; the gradient is turned back."""
    slots, noise = (Roll(share=1.0),), np.random.default_rng(0).random((8, 24, 24, 3)).astype(np.float32)
    draws = step([transforms.draw(slots, 24, 1, np.random.default_rng(seed)) for seed in range(8)], 0)
    weights = np.arange(24 * 24 * 3, dtype=np.float32).reshape(24, 24, 3)
    with tf.GradientTape() as tape:
        tape.watch(pictures := tf.constant(noise))
        made = transforms.apply(slots, "reflect", pictures, draws)
        total = tf.reduce_sum(made * weights)
    gradient = tape.gradient(total, pictures).numpy()
    assert len({tuple(one) for one in draws.rolls}) > 4
    for image, turned, back, roll in zip(noise, made.numpy(), gradient, draws.rolls, strict=True):
        np.testing.assert_allclose(turned, np.roll(image, roll, (0, 1)), atol=1e-6)
        np.testing.assert_allclose(back, np.roll(weights, -roll, (0, 1)), rtol=1e-5)


@pytest.mark.parametrize(("share", "reach"), [(1.0, 64), (0.5, 32), (0.0, 0)])
def test_rolls_go_as_far_as_asked_and_no_further(share, reach):
    rolls = transforms.draw((Roll(share=share),), 128, 2000, np.random.default_rng(0)).rolls
    assert (rolls.min(), rolls.max()) == (-reach, reach)


def test_around_a_picture_that_wraps_lies_its_other_side(picture):
    slots = (Roll(share=0.5), Pad(pixels=5))
    draws = step([transforms.draw(slots, 24, 1, np.random.default_rng(3))], 0)
    seen = transforms.apply(slots, "wrap", tf.constant(picture[None]), draws).numpy()[0]
    turned = np.roll(picture, draws.rolls[0], (0, 1))
    np.testing.assert_allclose(seen, np.pad(turned, ((5, 5), (5, 5), (0, 0)), mode="wrap"), atol=1e-5)
