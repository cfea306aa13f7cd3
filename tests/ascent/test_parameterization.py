import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from atlas.ascent.parameterization import COLOURS, FourierPicture, MacoPicture, PixelPicture, parameterization
from atlas.ascent.starts import photo, resized, start_picture
from atlas.errors import AtlasError
from atlas.spec.recipe import Recipe
from atlas.spec.recipes import RECIPES
from atlas.spec.slots import Fourier, Maco, Pixel


def painted(picture, parameters):
    return picture.paint(tf.constant(parameters[None])).numpy()[0]


@pytest.mark.parametrize("contrast", [None, 1.3])
@pytest.mark.parametrize(("decorrelate", "saturation"), [(False, 1.0), (True, 1.0), (True, 0.4)])
def test_fourier_paints_what_numpy_paints(contrast, decorrelate, saturation):
    rng = np.random.default_rng(0)
    picture = FourierPicture(16, 1.25, decorrelate, contrast, saturation=saturation)
    parameters = rng.standard_normal(picture.shape).astype(np.float32)
    frequency = np.maximum(np.hypot(np.fft.fftfreq(16)[:, None], np.fft.rfftfreq(16)[None]), 1 / 16)
    weights = 16 / frequency**1.25
    if contrast:
        weights[0, 0] = 0
    values = np.fft.irfft2((parameters[..., 0] + 1j * parameters[..., 1]) * weights, (16, 16)).transpose(1, 2, 0) / 4
    if decorrelate:
        light, *colours = values.transpose(2, 0, 1)
        values = np.stack([light, *(saturation * colour for colour in colours)], axis=-1) @ COLOURS.T
    if contrast:
        values = values / values.std() * contrast
    np.testing.assert_allclose(painted(picture, parameters), 1 / (1 + np.exp(-values)), atol=1e-5)


def test_lucid_s_constants():
    recipe = RECIPES["lucid"]
    picture = parameterization(recipe, int(recipe.size))
    assert picture == FourierPicture(128, 1.0, True, None)
    assert picture.weights[0, 0] == 128 * 128  # 1 / max(f, 1 / 128) * sqrt(128 * 128)
    assert picture.weights[0, 64] == pytest.approx(128 / 0.5)
    np.testing.assert_allclose(COLOURS[0], np.array([0.26, 0.09, 0.02]) / 0.46195, rtol=1e-6)
    start = picture.start(recipe.start, np.random.default_rng(0))
    assert start.std() == pytest.approx(0.01, rel=0.02)
    assert (recipe.steps, recipe.optimizer.rate) == (513, 0.05)
    assert [transform.name for transform in recipe.transforms] == ["pad", "shift", "scale", "rotate", "shift", "crop"]
    assert recipe.transforms[2].among == (0.9, 0.92, 0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06, 1.08, 1.1)
    assert len(recipe.transforms[3].among) == 26


def test_a_fixed_contrast_has_no_tint_and_no_pale_pictures():
    rng = np.random.default_rng(1)
    picture = FourierPicture(32, 1.25, True, 1.3)
    for scale in (1e-3, 1.0, 1e3):
        drawn = painted(picture, (scale * rng.standard_normal(picture.shape)).astype(np.float32))
        assert drawn.std() > 0.2
        assert np.abs(drawn.mean((0, 1)) - 0.5).max() < 0.1


@pytest.mark.parametrize("slot", [Pixel(), Fourier(contrast=None), Fourier(contrast=None, decorrelate=False)])
@pytest.mark.parametrize("start", ["grey", "black"])
def test_flat_starts_are_painted_as_they_are(slot, start):
    recipe = Recipe(size=16, parameterization=slot, start=start)
    picture = parameterization(recipe, int(recipe.size))
    drawn = painted(picture, picture.start(recipe.start, np.random.default_rng(0)))
    np.testing.assert_allclose(drawn, 0.5 if start == "grey" else 0.0, atol=0.021)


@pytest.mark.parametrize(
    "slot",
    [
        Pixel(),
        Fourier(contrast=None),
        Fourier(contrast=None, saturation=0.4),
        Fourier(contrast=None, decorrelate=False),
    ],
)
def test_a_photo_is_painted_as_it_is_cropped_to_a_square(slot, tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "photo.png"
    Image.fromarray(rng.integers(20, 230, (20, 32, 3), np.uint8)).resize((48, 32)).save(path)
    recipe = Recipe(size=32, parameterization=slot, start=str(path))
    picture = parameterization(recipe, int(recipe.size))
    drawn = painted(picture, picture.start(recipe.start, rng))
    np.testing.assert_allclose(drawn, photo(path, 32), atol=0.02)


def test_a_photo_that_is_none_is_one_sentence(tmp_path):
    path = tmp_path / "photo.png"
    path.write_text("no")
    with pytest.raises(AtlasError, match="expected a photo"):
        photo(path, 32)


def test_a_very_large_photo_is_taken_and_a_bomb_is_one_sentence(tmp_path):
    large, bomb = tmp_path / "large.png", tmp_path / "bomb.png"
    Image.new("1", (12_000, 9_000), 1).save(large)  # Pillow warns of it, and warnings are errors here
    assert photo(large, 16).min() == 1
    Image.new("1", (20_000, 10_000)).save(bomb)
    with pytest.raises(AtlasError, match=r"bomb\.png: expected a photo .* received one of too many pixels"):
        photo(bomb, 16)


def test_noise_starts_are_the_tutorial_s():
    picture = PixelPicture(64)
    plain = picture.start("noise", np.random.default_rng(0))
    assert 0 <= plain.min() < 0.01
    assert 0.99 < plain.max() <= 1
    caffe = picture.start("noise-caffe", np.random.default_rng(0))
    first_clip = np.clip(2 * caffe - 1, -1, 1)
    assert (np.abs(first_clip) == 1).mean() > 0.98  # almost pure -1 and 1 after the first clip


def test_grey_noise_is_grey_with_a_trace_of_noise():
    grey = start_picture("grey-noise", 64, np.random.default_rng(0))
    assert np.abs(grey - 0.5).max() <= 0.0025
    assert grey.std() > 0.001


def test_resizing_keeps_a_flat_picture_and_its_size_s_own():
    flat = np.full((20, 20, 3), 0.25, np.float32)
    np.testing.assert_allclose(resized(flat, 28), np.full((28, 28, 3), 0.25), rtol=1e-6)
    noise = np.random.default_rng(0).random((20, 20, 3), np.float32)
    np.testing.assert_array_equal(resized(noise, 20), noise)


@pytest.mark.parametrize("decorrelate", [False, True])
def test_maco_keeps_the_magnitude_whatever_the_phases(decorrelate):
    picture = MacoPicture(32, 1.5, 1.5, decorrelate, 1.3)
    parameters = picture.start("noise", np.random.default_rng(0))
    drawn = painted(picture, parameters)
    values = np.log(drawn / (1 - drawn))  # the sigmoid undone
    if decorrelate:
        values = values @ np.linalg.inv(COLOURS).T
    assert values.std() == pytest.approx(1.3, rel=0.05)
    found = np.abs(np.fft.rfft2(values.transpose(2, 0, 1)))[:, 1:-1, 1:-1]  # the edges lose their imaginary half
    np.testing.assert_allclose(found, np.broadcast_to(picture.magnitude[1:-1, 1:-1], found.shape), rtol=0.02)
    expected = np.fft.irfft2(picture.magnitude * np.exp(1j * parameters), (32, 32)).transpose(1, 2, 0)
    np.testing.assert_allclose(values, expected, atol=2e-3)


def test_maco_s_magnitude_is_that_of_natural_images():
    """It falls as f ** -1.5, and has 1.5 times as much energy along the axes as along the diagonals."""
    magnitude = MacoPicture(128, 1.5, 1.5, True, 1.3).magnitude
    assert magnitude[0, 0] == 0
    assert magnitude[0, 8] / magnitude[0, 32] == pytest.approx(4**1.5)
    diagonal = magnitude[8, 8] * (8 * np.sqrt(2) / 8) ** 1.5
    assert (magnitude[0, 8] / diagonal) ** 2 == pytest.approx(1.5)


def test_maco_takes_the_phases_of_a_photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)).save(path)
    picture = MacoPicture(32, 1.5, 1.5, False, 1.3)
    drawn = painted(picture, picture.start(str(path), np.random.default_rng(0)))
    given = photo(path, 32)
    assert np.corrcoef(drawn.ravel(), given.ravel())[0, 1] > 0.15  # the edges are the photo's, the contrast is not


SLOTS = [Pixel(), Fourier(), Fourier(contrast=None), Fourier(decorrelate=False), Maco()]


@pytest.mark.parametrize("slot", SLOTS)
def test_pictures_in_grey_are_grey_and_have_one_plane_of_parameters(slot):
    recipe = Recipe(size=32, parameterization=slot)
    colours, grey = parameterization(recipe, 32), parameterization(recipe, 32, grey=True)
    start = grey.start("noise", np.random.default_rng(0))
    assert start.shape == grey.shape
    assert 3 * np.prod(grey.shape) == np.prod(colours.shape)
    drawn = painted(grey, start)
    assert drawn.shape == (32, 32, 3)
    assert drawn.std() > 1e-5
    np.testing.assert_array_equal(drawn, np.repeat(drawn[..., :1], 3, axis=2))


@pytest.mark.parametrize("slot", SLOTS[:1] + SLOTS[2:3])
@pytest.mark.parametrize("start", ["grey", "photo"])
def test_starts_in_grey_are_the_luminance_of_those_in_colours(slot, start, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(20, 230, (20, 20, 3), np.uint8)).resize((32, 32)).save(path)
    start = str(path) if start == "photo" else start
    recipe = Recipe(size=32, parameterization=slot, start=start)
    colours, grey = (parameterization(recipe, 32, grey=one) for one in (False, True))
    expected, drawn = (painted(one, one.start(start, np.random.default_rng(0))) for one in (colours, grey))
    np.testing.assert_allclose(drawn[..., 0], expected @ np.float32([0.299, 0.587, 0.114]), atol=0.02)


def test_a_network_of_one_input_channel_gets_pictures_in_grey(tmp_path):
    """What is painted, measured and kept, through octaves too."""
    import keras

    from atlas.ascent.render import renderings
    from atlas.networks.answers import catalog
    from atlas.networks.load import load
    from atlas.spec.load import check_request

    keras.utils.set_random_seed(4)
    out = keras.layers.Conv2D(4, 3, activation="relu", name="maps")
    keras.Sequential([keras.Input((32, 32, 1)), out]).save(tmp_path / "grey.keras")
    for base in ("preview", "deepdream"):
        changes = {"base": base, "steps": 4, "size": 32}
        asked = {"network": str(tmp_path / "grey.keras"), "preprocessing": "tf", "layers": ["maps"]}
        request = check_request(asked | {"recipes": {"main": changes}}, catalog())
        assert request.facts.grey
        for made in renderings(load(request.ref), "maps", [0, 1], request.layers[0].recipes["main"]):
            (picture,) = made.pictures
            assert (picture == picture[..., :1]).all()
            assert picture.std() > 0


MIXED = """
import numpy as np, tensorflow as tf
from atlas.ascent.parameterization import COLOURS, coloured
values = np.random.default_rng(0).standard_normal((8, 3, 32, 32), np.float32)
whole = coloured(values, COLOURS).numpy()
print(all((coloured(values[:n], COLOURS).numpy() == whole[:n]).all() for n in range(1, 8)))
"""


def test_colours_are_the_same_in_every_batch_without_avx_512():
    """There oneDNN's product of two matrices rounds its last rows otherwise."""
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "TF_ENABLE_ONEDNN_OPTS": "1"}
    run = subprocess.run([sys.executable, "-c", MIXED], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "True"
