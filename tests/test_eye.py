"""``scripts/peers/eye.py``: what the quality script measures of pictures."""

from types import ModuleType

import numpy as np
import pytest

from tests.scripts import script

SIDE = 128


@pytest.fixture(scope="module")
def eye() -> ModuleType:
    return script("peers/eye")


def noise(power: float = 0.0, seed: int = 0) -> np.ndarray:
    """A picture whose amplitude falls as 1 / frequency ** power."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None])
    white = np.fft.fft2(np.random.default_rng(seed).standard_normal((3, SIDE, SIDE)))
    made = np.fft.ifft2(white / np.maximum(frequency, 1 / SIDE) ** power).real
    return np.clip(128 + 40 * made / made.std(), 0, 255).astype(np.uint8).transpose(1, 2, 0)


def test_a_frame_is_full_where_it_is_like_the_middle(eye: ModuleType) -> None:
    full, bare, loud = noise(1), noise(1), noise(1)
    bare[: eye.FRAME] = 128
    loud[:, -eye.FRAME :] = noise(0)[:, -eye.FRAME :]
    found = eye.fullness(np.stack([full, bare, loud]))
    assert found.shape == (3, 4)
    np.testing.assert_allclose(found[0], 1, atol=0.15)
    assert found[1, 0] < 0.3
    assert found[1, 1] > 0.85
    assert found[2, 3] > 1.5
    assert found[2, 2] < 1.3


@pytest.mark.parametrize(("value", "hole"), [(0, True), (7, True), (12, True), (250, True), (None, False)])
def test_a_hole_is_black_white_or_flat(eye: ModuleType, value: int | None, hole: bool) -> None:
    picture = noise(1)
    if value is not None:
        picture[30:70, 30:70] = value
    share = eye.in_holes(picture[None])[0]
    assert share == pytest.approx(1600 / SIDE**2 if hole else 0, abs=0.045)
    assert (share > 0) == hole


def test_small_dark_patches_are_no_hole_unless_they_join(eye: ModuleType) -> None:
    picture = noise(1)
    for place in range(0, SIDE, 32):
        picture[place : place + 16, place : place + 16] = 0  # 1.6 % each
    assert eye.in_holes(picture[None])[0] == 0
    picture[:, :4] = 0  # 3.1 %
    assert eye.in_holes(picture[None])[0] > 0.03


def test_nature_s_spectrum_is_one_over_f(eye: ModuleType) -> None:
    white, pink, brown = (eye.from_nature(noise(power)[None])[0] for power in (0, 1, 2))
    assert pink < 0.3
    assert min(white, brown) > 1.2


def test_palettes_that_differ_are_spread(eye: ModuleType) -> None:
    red, blue = np.zeros((2, SIDE, SIDE, 3), np.uint8)
    red[..., 0], blue[..., 2] = 200, 200
    assert eye.colour_spread(np.stack([red, red])) == 0
    assert eye.colour_spread(np.stack([red, blue])) == 1
    assert eye.colour_spread(np.stack([red, red, blue])) == pytest.approx(2 / 3)


def test_six_views_of_a_picture(eye: ModuleType) -> None:
    picture = noise(1)
    seen = eye.views(picture[None])
    assert tuple(seen) == eye.VIEWS
    assert [one.shape[1] for one in seen.values()] == [128, 160, 160, 86, 108, 154]
    np.testing.assert_array_equal(seen["wrapped"][0, :16, 16:-16], picture[-16:])
    np.testing.assert_array_equal(seen["reflected"][0, :16, 16:-16], picture[:16][::-1])
