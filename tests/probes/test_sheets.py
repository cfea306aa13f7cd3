"""Sheets of images: what is light in them, and where a neuron looks."""

import io

import numpy as np
import pytest
from PIL import Image

from atlas.probes.findings import find
from atlas.probes.sheets import DIM, TILE, rows, seen, sheets
from tests.probes.parts import draw

SIZE = 120
COUNT, EXEMPLARS = 10, 4
NUMBERS = EXEMPLARS + EXEMPLARS // 2


@pytest.mark.parametrize("sight", [1, 7, 40, 63, 119, 120, 400])
@pytest.mark.parametrize("grid", [(7, 7), (5, 11), (60, 60), (1, 1)])
def test_what_a_neuron_sees_is_a_square_in_the_image_around_it(sight, grid):
    side = min(sight, SIZE)
    for row, column in np.ndindex(*grid):
        left, top, right, bottom = seen(np.array([row, column], np.uint16), grid, SIZE, sight)
        assert right - left == bottom - top == side
        assert min(left, top) >= 0
        assert max(right, bottom) <= SIZE
        for first, where, count in ((top, row, grid[0]), (left, column, grid[1])):
            centre = (where + 0.5) * SIZE / count  # of the position, in px
            if side / 2 <= centre <= SIZE - side / 2:
                assert abs(first + side / 2 - centre) <= 0.5
            else:
                assert first == (0 if centre < SIZE / 2 else SIZE - side)


def test_without_a_receptive_field_all_is_seen():
    assert seen(np.array([0, 3]), (4, 4), SIZE, None) == (0, 0, SIZE, SIZE)


def test_a_crop_that_is_the_image_again_is_not_shown():
    assert [rows(sight, 100) for sight in (None, 3, 89, 90, 100, 300)] == [1, 2, 2, 1, 1, 1]


def image(number: int) -> np.ndarray:
    """A colour of its own above, and another below."""
    found = np.zeros((SIZE, SIZE, 3), np.uint8)
    found[: SIZE // 2] = (20 * number + 40, 120, 60)
    found[SIZE // 2 :] = (60, 20 * number + 40, 200)
    return found


@pytest.fixture(scope="module")
def found():
    """Of two channels: the first is active above in every image, the second nowhere in particular."""
    drawn = draw(COUNT, kept=EXEMPLARS)
    drawn.maps[:] = 255
    drawn.maps[:, 5, 3:] = 0
    drawn.place[:, 5] = (1, 3)
    drawn.place[:, 6] = (5, 3)
    return find(drawn.whole, COUNT, [5, 6], EXEMPLARS)


def opened(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as sheet:
        assert sheet.format == "WEBP"
        return np.asarray(sheet.convert("RGB")).astype(float)


def tile(sheet: np.ndarray, row: int, column: int) -> np.ndarray:
    return sheet[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]


def close(pixels: np.ndarray, colour: np.ndarray) -> bool:
    return bool(np.abs(pixels.mean((0, 1)) - colour).max() < 8)


def test_a_sheet_has_light_where_the_channel_is_active_and_below_what_the_neuron_sees(found):
    one, other = (opened(data) for data in sheets(found, image, (7, 7), 30))
    assert one.shape == other.shape == (2 * TILE, NUMBERS * TILE, 3)
    for channel, sheet in enumerate((one, other)):
        numbers = [*found.top[:, channel], *found.spread[:, channel]]
        for place, number in enumerate(numbers):
            above, below = image(number)[0, 0], image(number)[-1, 0]
            lit = tile(sheet, 0, place)
            dark = channel == 0 and place < EXEMPLARS
            assert close(lit[8:24, 16:-16], above)
            assert close(lit[-28:-8, 16:-16], below * (DIM if dark else 1))
            assert close(tile(sheet, 1, place)[16:-16, 16:-16], below if channel else above)


def test_without_crops_a_sheet_is_one_row(found):
    [one, _] = (opened(data) for data in sheets(found, image, (7, 7), None))
    assert one.shape == (TILE, NUMBERS * TILE, 3)


def test_an_image_is_asked_for_once_and_sheets_are_the_same_again(found):
    asked = []

    def counted(number: int) -> np.ndarray:
        asked.append(number)
        return image(number)

    first = list(sheets(found, counted, (7, 7), 30))
    assert sorted(asked) == sorted(set(found.top.ravel().tolist()) | set(found.spread.ravel().tolist()))
    assert list(sheets(found, image, (7, 7), 30)) == first
