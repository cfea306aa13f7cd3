"""The pixels of images on disk, made here with known ones: the same whoever asks for them."""

import contextlib
import gc
import io
import struct
import threading
import warnings
import zlib
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from atlas.errors import AtlasError
from atlas.images import loader
from atlas.images.loader import UnfitError, open_image, open_photo, photo_name

SIDES = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "lt", 6: "rt", 7: "rb", 8: "lb"}
"""Which sides of what is seen are the first row and the first column of what is stored: Exif 2.3, 4.6.4."""


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def blocks(height: int = 32, width: int = 48) -> np.ndarray:
    """Four quarters of four colours, which JPEG keeps."""
    found = np.zeros((height, width, 3), np.uint8)
    middle, centre = height // 2, width // 2
    found[:middle, :centre], found[:middle, centre:] = (200, 30, 40), (30, 190, 60)
    found[middle:, :centre], found[middle:, centre:] = (40, 60, 210), (230, 220, 90)
    return found


def write(path: Path, pixels: np.ndarray, **options: object) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return str(path)


def header(width: int, height: int) -> bytes:
    """The beginning of a PNG that claims to be so large, and is whole as far as it goes."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    begun = struct.pack(">I", 100) + b"IDAT"
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + begun


@pytest.mark.parametrize(("name", "options"), [("a.png", {}), ("a.webp", {"lossless": True})])
def test_an_image_of_the_size_that_is_asked_for_stays_as_it_is(tmp_path, name, options):
    pixels = noise(24, 24)
    for crop in ("middle", "squeeze"):
        assert (open_image(write(tmp_path / name, pixels, **options), 24, crop) == pixels).all()


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_jpeg_is_read_nearly_as_it_was(tmp_path, options):
    found = open_image(write(tmp_path / "a.JPG", blocks(32, 32), quality=95, subsampling=0, **options), 32, "middle")
    assert np.abs(found.astype(int) - blocks(32, 32)).max() < 12


def test_a_large_jpeg_is_read_at_a_fraction_of_its_size_and_looks_the_same(tmp_path):
    found = open_image(write(tmp_path / "a.jpg", blocks(1600, 2400), quality=95), 64, "middle")
    assert found.shape == (64, 64, 3)
    corners = found[[8, 8, 56, 56], [8, 56, 8, 56]].astype(int)
    assert np.abs(corners - blocks()[[0, 0, -1, -1], [0, -1, 0, -1]]).max() < 4


def test_the_middle_is_the_largest_square_there_and_squeezing_keeps_all(tmp_path):
    wide, high = noise(16, 40), noise(40, 16)
    assert (open_image(write(tmp_path / "a.png", wide), 16, "middle") == wide[:, 12:28]).all()
    assert (open_image(write(tmp_path / "b.png", high), 16, "middle") == high[12:28]).all()
    stripes = np.repeat(np.repeat(noise(1, 4), 16, 0), 16, 1)  # (16, 64, 3): four colours
    squeezed = open_image(write(tmp_path / "c.png", stripes), 16, "squeeze")
    assert np.abs(squeezed[:, [1, 6, 9, 14]].astype(int) - noise(1, 4)).max() < 26  # edges are soft
    assert len(np.unique(open_image(str(tmp_path / "c.png"), 16, "middle")[0, :4], axis=0)) == 1  # from the second


def test_grey_and_two_levels_become_colours(tmp_path):
    grey = noise(12, 12)[..., 0]
    for name in ("a.png", "a.webp"):
        write(tmp_path / name, grey, **({"lossless": True} if name == "a.webp" else {}))
        assert (open_image(str(tmp_path / name), 12, "middle") == grey[..., None]).all()
    Image.fromarray(grey > 99).save(tmp_path / "b.png")
    assert (open_image(str(tmp_path / "b.png"), 12, "middle") == np.where(grey > 99, 255, 0)[..., None]).all()


def test_sixteen_bits_are_scaled_and_not_cut(tmp_path):
    deep = np.linspace(0, 65535, 144).round().astype(np.uint16).reshape(12, 12)
    found = open_image(write(tmp_path / "a.png", deep), 12, "middle")
    expected = [[round(int(value) * 255 / 65535) for value in row] for row in deep]
    assert (found == np.array(expected)[..., None]).all()
    assert len(np.unique(found)) > 130


def test_cmyk_is_seen_in_its_colours(tmp_path):
    Image.fromarray(blocks(32, 32)).convert("CMYK").save(tmp_path / "a.jpg", quality=95, subsampling=0)
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.mode == "CMYK"
    assert np.abs(open_image(str(tmp_path / "a.jpg"), 32, "middle").astype(int) - blocks(32, 32)).max() < 16


def test_what_can_be_seen_through_lies_on_white(tmp_path):
    pixels, alpha = noise(16, 16), np.tile(np.array([0, 51, 128, 255], np.uint8), (16, 4))
    expected = np.zeros((16, 16, 3))
    for row in range(16):
        for column in range(16):
            share = alpha[row, column] / 255
            expected[row, column] = share * pixels[row, column] + (1 - share) * 255
    for name, options in (("a.png", {}), ("a.webp", {"lossless": True, "exact": True})):
        found = open_image(write(tmp_path / name, np.dstack([pixels, alpha]), **options), 16, "middle")
        assert np.abs(found - expected).max() <= 1
    grey = np.dstack([pixels[..., 0], alpha])
    expected = grey[..., 0] * (alpha / 255) + 255 * (1 - alpha / 255)
    assert np.abs(open_image(write(tmp_path / "b.png", grey), 16, "middle")[..., 1] - expected).max() <= 1


@pytest.mark.parametrize("clear", [2, bytes([0, 255, 128, 255])])
def test_a_palette_with_clear_colours(tmp_path, clear):
    image = Image.fromarray(np.tile(np.arange(4, dtype=np.uint8), (8, 2)), "P")
    colours = [(10, 20, 30), (200, 100, 50), (0, 0, 250), (90, 90, 90)]
    image.putpalette([value for colour in colours for value in colour])
    image.save(tmp_path / "a.png", transparency=clear)
    share = np.array([1, 1, 0, 1] if clear == 2 else [0, 1, 128 / 255, 1])[:, None]
    expected = np.array(colours) * share + 255 * (1 - share)
    assert np.abs(open_image(str(tmp_path / "a.png"), 8, "middle")[3, :4] - expected).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG", "TIFF"])
def test_images_are_turned_upright(tmp_path, orientation, format):
    seen = blocks(16, 24)
    first_row, first_column = SIDES[orientation]
    shape = (16, 24) if first_row in "tb" else (24, 16)
    stored = np.zeros((*shape, 3), np.uint8)
    for row in range(shape[0]):
        for column in range(shape[1]):
            place = {first_row: row, first_column: column}  # how far from which side
            y = place["t"] if "t" in place else 15 - place["b"]
            x = place["l"] if "l" in place else 23 - place["r"]
            stored[row, column] = seen[y, x]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}.get(format, {})
    write(tmp_path / "a.jpg", stored, format=format, exif=exif, **options)
    found = open_image(str(tmp_path / "a.jpg"), 16, "middle").astype(int)
    assert np.abs(found - seen[:, 4:20]).max() <= (14 if format == "JPEG" else 0)
    assert (open_photo(tmp_path / "a.jpg", 16) == found).all()


def test_an_orientation_that_is_none_turns_nothing(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 77
    assert (open_image(write(tmp_path / "a.png", noise(9, 9), exif=exif), 9, "middle") == noise(9, 9)).all()


def test_of_several_pictures_in_a_file_the_first_is_seen(tmp_path):
    pair = [Image.fromarray(np.full((16, 16, 3), level, np.uint8)) for level in (50, 200)]
    pair[0].save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=pair[1:])
    pair[0].save(tmp_path / "b.webp", save_all=True, append_images=pair[1:], lossless=True)
    pair[0].save(tmp_path / "c.png", save_all=True, append_images=pair[1:])
    pair[0].save(tmp_path / "d.gif", save_all=True, append_images=pair[1:])
    first, second = (one.copy() for one in pair)  # Pillow remembers at an image how it was saved
    first.save(tmp_path / "e.tif", save_all=True, append_images=[second])
    for name in ("a.jpg", "b.webp", "c.png", "d.gif", "e.tif"):
        assert np.abs(open_image(str(tmp_path / name), 16, "middle").astype(int) - 50).max() <= 2


def cut(path: Path, format: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(noise(64, 64)).save(buffer, format)
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: write(path, noise(7, 40), format="PNG"), "one of 40 by 7 pixels: too small"),
        (lambda path: path.write_bytes(header(60_000, 60_000)), "one of too many pixels"),
        (lambda path: path.write_bytes(header(loader.LARGEST // 10_000 + 1, 10_000)), "one of too many pixels"),
        (lambda path: cut(path, "JPEG"), "cannot be read (image file is truncated"),
        (lambda path: cut(path, "PNG"), "cannot be read (image file is truncated"),
        (lambda path: cut(path, "WEBP"), "cannot be read"),
        (lambda path: path.write_bytes(b""), "a file that is no JPEG, PNG, WebP, GIF, TIFF or BMP image"),
        (lambda path: path.write_text("a picture, I say"), "a file that is no JPEG, PNG, WebP, GIF, TIFF or BMP image"),
        (lambda path: write(path, noise(16, 16), format="PPM"), "a file that is no JPEG"),
        (
            lambda path: write(path, np.full((9, 9), 70_000, np.int32), format="TIFF"),
            "from 70000 to 70000, not from 0, black, to 65",
        ),
        (lambda path: write(path, np.full((9, 9), -1, np.int32), format="TIFF"), "one of numbers from -1 to -1"),
        (
            lambda path: write(path, np.full((9, 9), 1.5, np.float32), format="TIFF"),
            "from 1.5 to 1.5, not from 0, black, to 1,",
        ),
        (
            lambda path: write(path, np.full((9, 9), np.nan, np.float32), format="TIFF"),
            "one of numbers from nan to nan",
        ),
        (
            lambda path: path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"),
            "is no JPEG",
        ),
    ],
)
def test_what_cannot_be_shown_is_said_without_its_path_and_nothing_stays_open(tmp_path, make, said):
    path = tmp_path / "wrong.jpg"
    make(path)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(UnfitError) as caught:
            open_image(str(path), 32, "middle")
        assert said in str(caught.value)
        assert str(tmp_path) not in str(caught.value)
        caught = None
        gc.collect()
    assert [str(one.message) for one in told] == []


def test_a_file_that_is_gone_is_no_broken_image(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_image(str(tmp_path / "gone.png"), 32, "middle")


SEEDS = []
for _format, _options in (
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("WEBP", {"lossless": True}),
    ("TIFF", {}),
):
    _buffer, _exif = io.BytesIO(), Image.Exif()
    _exif[0x0112], _exif[0x010E], _exif[0x011A] = 6, "said", 72.5
    Image.fromarray(noise(20, 30)).save(_buffer, _format, exif=_exif, **_options)
    SEEDS.append(_buffer.getvalue())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.sampled_from(SEEDS),
    flips=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6),
    length=st.integers(0, 3000),
)
def test_whatever_is_wrong_with_a_file_it_is_shown_or_said(tmp_path, data, flips, length):
    damaged = bytearray(data)
    for place, value in flips:
        damaged[place % len(damaged)] = value
    path = tmp_path / "damaged.jpg"
    path.write_bytes(damaged[: max(length, 10)])
    with contextlib.suppress(UnfitError):
        assert open_image(str(path), 16, "middle").shape == (16, 16, 3)


def test_warnings_are_as_other_threads_have_set_them(tmp_path, monkeypatch):
    path = write(tmp_path / "a.png", noise(16, 16))
    inside, go_on, upright = threading.Event(), threading.Event(), loader._upright

    def slow(*given):
        inside.set()
        go_on.wait(10)
        return upright(*given)

    monkeypatch.setattr(loader, "_upright", slow)
    reader = threading.Thread(target=open_image, args=(path, 16, "middle"))
    reader.start()
    inside.wait(10)
    with warnings.catch_warnings():
        warnings.simplefilter("error", BytesWarning)
        go_on.set()
        reader.join()
        with pytest.raises(BytesWarning):
            warnings.warn("still an error", BytesWarning, stacklevel=1)
    with pytest.raises(UserWarning):
        warnings.warn("as pytest has set it", UserWarning, stacklevel=1)


def test_pillow_s_warnings_are_not_passed_on(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels, data = noise(16, 16), io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", exif=exif)
    place = data.getvalue().index(b"Exif\0\0") + 14  # the count of tags
    (tmp_path / "a.jpg").write_bytes(data.getvalue()[:place] + b"\x09" + data.getvalue()[place + 1 :])
    with pytest.warns(UserWarning, match="orrupt EXIF"), Image.open(tmp_path / "a.jpg") as image:
        image.getexif()
    assert open_image(str(tmp_path / "a.jpg"), 16, "middle").shape == (16, 16, 3)


COLOURS = noise(16, 16, 5)
GREY = COLOURS[..., 0]
PALETTE = Image.fromarray(COLOURS).quantize(8)
FIRST = int(np.asarray(PALETTE)[0, 0])


def flat(value, kind) -> Image.Image:
    return Image.fromarray(np.full((16, 16), value, kind))


def layered(*parts) -> Image.Image:
    return Image.fromarray(np.dstack(parts))


@pytest.mark.parametrize(
    ("image", "name", "options", "first", "anew"),
    [
        (flat(40_000, np.uint16), "a.png", {}, [156] * 3, True),
        (flat(40_000, np.uint16), "a.tif", {}, [156] * 3, True),
        (flat(40_000, ">u2"), "a.tif", {}, [156] * 3, True),
        (flat(40_000, np.int32), "a.tif", {}, [156] * 3, True),
        (flat(40_000, np.uint16), "a.png", {"transparency": 40_000}, [255] * 3, False),  # white before, too
        (flat(0.25, np.float32), "a.tif", {}, [64] * 3, True),
        (layered(COLOURS, np.zeros((16, 16), np.uint8)), "a.png", {}, [255] * 3, True),
        (
            layered(COLOURS, np.full((16, 16), 255, np.uint8)),
            "a.png",
            {},
            COLOURS[0, 0],
            False,
        ),  # nothing to see through
        (layered(COLOURS, np.zeros((16, 16), np.uint8)), "a.tif", {}, [255] * 3, True),
        (layered(COLOURS, np.zeros((16, 16), np.uint8)), "a.webp", {"lossless": True, "exact": True}, [255] * 3, True),
        (layered(GREY, np.zeros((16, 16), np.uint8)), "a.png", {}, [255] * 3, True),
        (PALETTE, "a.gif", {}, PALETTE.convert("RGB").getpixel((0, 0)), False),
        (PALETTE, "a.gif", {"transparency": FIRST}, [255] * 3, True),
        (PALETTE, "a.png", {"transparency": FIRST}, [255] * 3, True),
        (PALETTE, "a.png", {"transparency": bytes(8)}, [255] * 3, True),
        (PALETTE, "a.bmp", {}, PALETTE.convert("RGB").getpixel((0, 0)), False),
        (Image.fromarray(COLOURS), "a.png", {"transparency": tuple(COLOURS[0, 0].tolist())}, [255] * 3, True),
        (Image.fromarray(GREY), "a.png", {"transparency": int(GREY[0, 0])}, [255] * 3, True),
        (Image.fromarray(GREY), "a.png", {}, [GREY[0, 0]] * 3, False),
        (Image.fromarray(GREY > 99), "a.png", {}, [0 if GREY[0, 0] <= 99 else 255] * 3, False),
        (Image.fromarray(COLOURS).convert("CMYK"), "a.tif", {}, COLOURS[0, 0], False),
        (Image.fromarray(COLOURS).convert("CMYK"), "a.jpg", {"quality": 100, "subsampling": 0}, None, False),
        (Image.fromarray(COLOURS), "a.jpg", {"quality": 95}, None, False),
        (Image.fromarray(COLOURS), "a.tif", {"compression": "tiff_lzw"}, COLOURS[0, 0], False),
        (Image.fromarray(COLOURS), "a.bmp", {}, COLOURS[0, 0], False),
    ],
)
def test_a_file_has_the_same_pixels_for_whoever_asks(tmp_path, image, name, options, first, anew):
    """For starts and caricatures as for probes, photos and references; of ``anew`` files the name in keys is a new one,
    and of no others: their pixels are those that Pillow's plain conversion gives."""
    image.save(tmp_path / name, **options)
    found = open_photo(tmp_path / name, 16)
    np.testing.assert_array_equal(found, open_image(str(tmp_path / name), 16, "middle"))
    if first is not None:
        assert np.abs(found[0, 0].astype(int) - first).max() <= 1
    with Image.open(tmp_path / name) as opened:
        plain = np.asarray(opened.convert("RGB"))
    assert (found == plain).all() != anew
    digest = sha256((tmp_path / name).read_bytes()).hexdigest()
    assert photo_name(tmp_path / name) == f"photo:{digest}" + ":2" * anew


def test_a_photo_may_be_small_and_what_is_none_is_one_sentence(tmp_path):
    Image.new("RGB", (1, 1), (9, 8, 7)).save(tmp_path / "dot.png")
    assert (open_photo(tmp_path / "dot.png", 16) == (9, 8, 7)).all()
    (tmp_path / "no.png").write_text("no")
    for ask in (lambda path: open_photo(path, 16), photo_name):
        with pytest.raises(AtlasError, match=r"no\.png: expected a photo \(JPEG.*\), received a file that is no JPEG"):
            ask(tmp_path / "no.png")
        with pytest.raises(AtlasError, match=r"gone\.png: expected a photo, received: No such file.*; check the path"):
            ask(tmp_path / "gone.png")
