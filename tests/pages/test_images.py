import io

import numpy as np
import pytest
from PIL import Image

from atlas.errors import SiteError
from atlas.pages.images import (
    activation_maps,
    cover,
    cover_side,
    cover_size,
    map_size,
    opened,
    sharp_sheet,
    sheet,
    sheet_size,
    spread,
    squared,
)


def solid(colour: tuple[int, int, int], size: tuple[int, int] = (32, 32)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "WEBP", lossless=True)
    return stream.getvalue()


def near(image: Image.Image, place: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    pixel = image.convert("RGB").getpixel(place)
    assert isinstance(pixel, tuple)
    return all(abs(a - b) < 12 for a, b in zip(pixel, colour, strict=True))


def test_thumbnails_stand_in_rows_and_gaps_are_grey() -> None:
    red, blue = (200, 30, 30), (30, 30, 200)
    images = [opened(solid(red), "here"), None, *[opened(solid(blue), "here")] * 7]
    made = Image.open(io.BytesIO(sheet(images, 16, 8)))
    assert made.size == sheet_size(9, 16, 8) == (8 * 16, 32)
    assert sheet_size(3, 16, 8) == (48, 16)
    assert near(made, (8, 8), red)
    assert near(made, (24, 8), (128, 128, 128))
    assert near(made, (40, 8), blue)
    assert near(made, (8, 24), blue)


@pytest.mark.parametrize(("sides", "tile"), [([32, 48], 48), ([160, 32], 160), ([300], 224)])
def test_a_sharp_sheet_enlarges_none_but_the_smaller_ones(sides: list[int], tile: int) -> None:
    images = [opened(solid((200, 30, 30), (side, side)), "here") for side in sides]
    made = Image.open(io.BytesIO(sharp_sheet(images, 112, 8)))
    assert made.size == (len(sides) * tile, tile)


def test_a_long_picture_gives_its_middle() -> None:
    canvas = Image.new("RGB", (96, 32), (0, 0, 0))
    canvas.paste((0, 200, 0), (32, 0, 64, 32))
    stream = io.BytesIO()
    canvas.save(stream, "WEBP", lossless=True)
    made = squared(opened(stream.getvalue(), "here"), 32)
    assert made.size == (32, 32)
    assert all(near(made, place, (0, 200, 0)) for place in [(1, 1), (30, 16), (16, 30)])


def test_bytes_that_are_no_picture_are_one_sentence() -> None:
    with pytest.raises(SiteError, match="here: expected a picture"):
        opened(b"RIFF, but no picture", "here")


@pytest.mark.parametrize(("count", "side"), [(1, 1), (3, 1), (4, 2), (15, 3), (16, 4), (500, 4)])
def test_a_cover_is_a_square_of_at_most_sixteen(count: int, side: int) -> None:
    assert cover_side(count) == side
    image = opened(solid((200, 30, 30)), "here")
    made = Image.open(io.BytesIO(cover([image] * side**2)))
    assert made.size == cover_size(side**2)
    assert made.mode == ("RGB" if side == 1 else "RGBA")


def test_spread_takes_evenly_and_in_order() -> None:
    assert spread(list(range(100)), 4) == [12, 37, 62, 87]
    assert spread([1, 2], 4) == [1, 2]


def test_two_maps_of_activations_are_on_one_scale() -> None:
    maps = np.zeros((2, 4, 6), np.float32)
    maps[1, 0, 5] = 8.0
    maps[0, 3, 0] = 4.0
    made = Image.open(io.BytesIO(activation_maps(maps)))
    assert made.size == map_size(4, 6) == (13 * 32, 4 * 32)
    pixels = np.asarray(made.convert("RGBA")).astype(int)[16::32, 16::32]  # one of each cell
    assert pixels[0, 12].tolist() == [255, 252, 240, 255]
    assert pixels[0, 0].tolist() == [15, 15, 16, 255]
    assert 15 < pixels[3, 0, 1] < pixels[0, 12, 1]
    assert (pixels[:, 6, 3] == 0).all()
    flat = np.asarray(Image.open(io.BytesIO(activation_maps(np.ones((2, 3, 3), np.float32)))).convert("RGB"))
    assert (flat[:192, :192] == [15, 15, 16]).all()
