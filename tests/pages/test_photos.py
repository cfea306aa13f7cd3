"""Pages of photos: every map stands where its page says, and a channel's page has its maps on all photos."""

import hashlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from atlas.errors import SiteError
from atlas.pages import build, images
from atlas.pages.addresses import all_addresses, check_names, folders
from atlas.pages.check import check_site
from atlas.pages.images import RAMP, SHADES, map_sheet
from atlas.pages.read import read_atlas
from atlas.pages.statics import static_names
from atlas.pages.theme import Theme
from atlas.pages.write import write_atlas
from atlas.store.store import Store
from tests.pages.synthetic import OUTLINE
from tests.pages.test_write import contents, identities

Make = Callable[..., dict[str, Any]]
NAMES = ("chelsea.png", "cats/tabby one.jpg")
CELL = re.compile(r'<li id="c(\d+)">(.*?)</li>', re.DOTALL)
VIEW = re.compile(r'viewBox="(\d+) (\d+) (\d+) (\d+)".*?<i>(.*?)</i>', re.DOTALL)


@pytest.fixture
def record(make_atlas: Make, store: Store) -> dict[str, Any]:
    return make_atlas(store, layers={"mixed0": 3, "mixed1": 2}, recipes=("main",), distinct=2, side=16, photos=NAMES)


def digits(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def colour(value: int) -> list[int]:
    """The colour of a map's value, by the ramp's stops in a loop."""
    share = round(value * (SHADES - 1) / 255) / (SHADES - 1) * (len(RAMP) - 1)
    stop = min(int(share), len(RAMP) - 2)
    return [round(a + (share - stop) * (b - a)) for a, b in zip(RAMP[stop], RAMP[stop + 1], strict=True)]


def test_a_sheet_has_every_map_in_its_cell() -> None:
    maps = np.random.default_rng(0).integers(0, 256, (5, 3, 3)).astype(np.uint8)
    sheet = np.asarray(Image.open(io.BytesIO(map_sheet(maps, 2))).convert("RGB"), int)
    assert sheet.shape == (9, 6, 3)
    for number in range(5):
        for row in range(3):
            for column in range(3):
                pixel = sheet[number // 2 * 3 + row, number % 2 * 3 + column]
                assert np.abs(pixel - colour(int(maps[number, row, column]))).max() <= 1
    assert np.abs(sheet[6:, 3:] - RAMP[0]).max() == 0


def test_a_map_that_is_no_square_becomes_one() -> None:
    maps = np.zeros((1, 2, 4), np.uint8)
    maps[0, 1] = 255
    sheet = np.asarray(Image.open(io.BytesIO(map_sheet(maps, 8))).convert("RGB"), int)
    assert sheet.shape == (4, 4, 3)
    assert (sheet[:2] == RAMP[0]).all()
    assert (sheet[2:] == RAMP[-1]).all()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["chelsea.png", "cats/Tabby One.JPG", "Café.webp"], ["chelsea", "cats-tabby-one", "cafe"]),
        (["a.png", "a.jpg", "b.png"], [f"a-{digits('a.png')}", f"a-{digits('a.jpg')}", "b"]),
        (["猫.jpg", "_.png"], [f"photo-{digits('猫.jpg')}", f"photo-{digits('_.png')}"]),
        (["con.png", "index.png"], [f"con-{digits('con.png')}", f"index-{digits('index.png')}"]),
        ([f"{'x' * 90}{end}" for end in "12"], [f"{'x' * 60}-{digits('x' * 90 + end)}" for end in "12"]),
    ],
)
def test_folders_of_photos_are_safe_and_do_not_depend_on_the_order(names: list[str], expected: list[str]) -> None:
    assert folders(names) == expected
    assert folders(names[::-1]) == expected[::-1]


def test_every_map_stands_where_its_page_says(record: dict[str, Any], store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_atlas(record, store, out)
    for listed, folder in zip(record["photos"]["shown"], ("chelsea", "cats-tabby-one"), strict=True):
        entry = store.get(listed["key"])
        assert (out / f"_/photos/{folder}.webp").read_bytes() == entry.picture
        for layer in ("stem1", "pool1", "mixed1"):
            page = (out / f"_/photos/{folder}/{layer}.html").read_text()
            sheet = np.asarray(Image.open(out / f"_/photos/{folder}/{layer}.webp").convert("RGB"), int)
            maps = entry.artefacts[f"{layer}/maps"]
            cells = CELL.findall(page)
            assert [int(number) for number, _ in cells] == list(range(len(maps)))
            for number, cell in cells:
                left, top, width, height, value = VIEW.search(cell).groups()  # type: ignore[union-attr]
                shown = sheet[int(top) : int(top) + int(height), int(left) : int(left) + int(width)]
                own = maps[int(number)]
                assert shown.shape[:2] == own.shape
                y, x = np.unravel_index(own.argmax(), own.shape)
                assert np.abs(shown[y, x] - colour(int(own[y, x]))).max() <= 1
                y, x = np.unravel_index(own.argmin(), own.shape)
                assert np.abs(shown[y, x] - colour(int(own[y, x]))).max() <= 1
                largest = float(entry.artefacts[f"{layer}/largest"][int(number)])
                assert abs(float(value) - largest) <= 0.005 * max(largest, 1)
                assert ('href="../../../mixed1/' in cell) == (layer == "mixed1" and int(number) < 2)
    assert check_site(out) == []


def test_a_photo_s_page_has_layers_in_order_with_pools_and_live_channels(site: Path) -> None:
    page = (site / "with-photos/_/photos/chelsea/index.html").read_text()
    names = re.findall(r'<h3><a href="[^"]+">(\w+)</a>(?: <span class="badge">(pool)</span>)?</h3>', page)
    upto = [row for row in OUTLINE if OUTLINE.index(row) <= 9]
    assert names == [(row[0], "pool" if row[4] == "pool" else "") for row in upto]
    assert page.count('alt="Map of channel ') == 8 * len(upto)
    assert 'alt="Map of channel 1"' not in page  # it is active nowhere
    assert "96 × 96 px" in page
    layer = (site / "with-photos/_/photos/chelsea/stem1.html").read_text()
    assert "32, 31 active here" in layer
    assert '<link rel="next" href="stem2.html">' in layer
    assert 'rel="prev"' not in layer


def test_a_channel_s_page_and_data_have_its_maps_on_all_photos(
    record: dict[str, Any], store: Store, tmp_path: Path
) -> None:
    write_atlas(record, store, tmp_path / "out")
    told = json.loads((tmp_path / "out/mixed1/1.json").read_bytes())["photos"]
    told_live = json.loads((tmp_path / "out/mixed1/0.json").read_bytes())["photos"]
    entries = [store.get(one["key"]) for one in record["photos"]["shown"]]
    assert [one["name"] for one in told["shown"]] == list(NAMES)
    assert [one["largest"] for one in told["shown"]] == [0, 0]
    for one, entry in zip(told_live["shown"], entries, strict=True):
        assert one["largest"] == pytest.approx(float(entry.artefacts["mixed1/largest"][0]), rel=1e-5)
        assert one["mean"] == pytest.approx(float(entry.artefacts["mixed1/mean"][0]), rel=1e-5)
        assert (tmp_path / "out" / one["page"]).is_file()
    sheet = np.asarray(Image.open(tmp_path / "out" / told_live["sheet"]).convert("RGB"), int)
    side = told_live["tile"]
    assert sheet.shape == (side, 2 * side, 3)
    for column, entry in enumerate(entries):
        own = entry.artefacts["mixed1/maps"][0]
        y, x = np.unravel_index(own.argmax(), own.shape)
        assert np.abs(sheet[y, column * side + x] - colour(int(own[y, x]))).max() <= 1
    page = (tmp_path / "out/mixed1/0.html").read_text()
    section = page[page.index('id="on-photos"') : page.index("</section>", page.index('id="on-photos"'))]
    assert section.count('loading="lazy"') == section.count("<img") == 4
    assert '../_/photos/chelsea/mixed1.html#c0"' in section
    manifest = json.loads((tmp_path / "out/manifest.json").read_bytes())
    assert [one["page"] for one in manifest["photos"]] == [
        "_/photos/chelsea/index.html",
        "_/photos/cats-tabby-one/index.html",
    ]
    assert manifest["photo_layers"] == record["photos"]["layers"]
    assert manifest["pages"] == len(list((tmp_path / "out").rglob("*.html")))


@pytest.mark.parametrize("name", ["index.html", "mixed0/1.html", "mixed0/index.html", "_/about.html"])
def test_an_atlas_without_photos_says_nothing_of_them(site: Path, name: str) -> None:
    assert "photos/" not in (site / "toy" / name).read_text()
    assert "photos/index.html" in (site / "with-photos" / name).read_text()
    assert json.loads((site / "toy/mixed0/1.json").read_bytes())["photos"] is None
    assert not (site / "toy/_/photos").exists()


def test_every_file_has_a_known_address_and_all_are_in_the_sitemap(
    make_atlas: Make, store: Store, tmp_path: Path
) -> None:
    given = {"layers": {"mixed0": 3}, "recipes": ("main",), "distinct": 1, "side": 8, "photos": NAMES}
    record = make_atlas(store, **given, base_url="https://example.org/toy/")
    write_atlas(record, store, tmp_path / "out")
    written = set(contents(tmp_path / "out"))
    known = all_addresses(read_atlas(record), static_names(Theme()))
    assert written <= known | {"_/files.json", "_/files.copy.json"}
    assert {name for name in known if "photos" in name} <= written
    places = (tmp_path / "out/sitemap.xml").read_text()
    pages = [name for name in written if "photos/" in name and name.endswith(".html")]
    assert len(pages) == 1 + 2 * (1 + len(record["photos"]["layers"]))
    assert all(f"<loc>https://example.org/toy/{name}</loc>" in places for name in pages)
    assert check_site(tmp_path / "out") == []


@pytest.mark.slow
def test_the_same_bytes_from_one_process_and_from_two(
    make_atlas: Make, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "APART", 50)
    layers = {"mixed0": 30, "mixed1": 30}
    record = make_atlas(store, layers=layers, recipes=("main",), distinct=2, side=8, photos=NAMES)
    steps: list[tuple[int, int]] = []
    one = write_atlas(record, store, tmp_path / "one", progress=lambda *step: steps.append(step))
    two = write_atlas(record, store, tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert steps[-1] == (one.pages, one.pages)
    assert one.pages == two.pages == len(list((tmp_path / "one").rglob("*.html")))


def test_sheets_that_are_there_are_not_made_again(
    record: dict[str, Any], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write_atlas(record, store, out)
    before = identities(out)
    assert write_atlas(record, store, out).unchanged

    def again(*_: object) -> bytes:
        raise RuntimeError("a sheet was made again")

    monkeypatch.setattr(images, "map_sheet", again)
    record["title"] = "Another title"
    assert write_atlas(record, store, out).changed > 20
    after = identities(out)
    assert {name for name in before if name.endswith(".webp")} == {
        name for name in before if name.endswith(".webp") and before[name] == after[name]
    }


def test_photos_that_go_leave_no_file_behind(record: dict[str, Any], store: Store, tmp_path: Path) -> None:
    write_atlas(record, store, tmp_path / "out")
    del record["photos"]
    write_atlas(record, store, tmp_path / "out")
    assert not (tmp_path / "out/_/photos").exists()
    assert not list((tmp_path / "out").rglob("*._photos.webp"))
    assert check_site(tmp_path / "out") == []


def test_a_record_of_photos_that_is_wrong_is_one_sentence(record: dict[str, Any]) -> None:
    for change, sentence in (
        ({"layers": ["nowhere"]}, "photos: layers: expected layers of the outline, received 'nowhere'"),
        ({"size": "96"}, "photos: size: expected int"),
        ({"shown": [{"name": "a.png"}]}, "photos: shown[0]: label: expected str"),
        ({"shown": {}}, "photos: shown: expected list"),
    ):
        with pytest.raises(SiteError, match=re.escape(sentence)):
            read_atlas({**record, "photos": {**record["photos"], **change}})
    record["outline"][0]["name"] = "index"
    record["photos"]["layers"] = ["index"]
    atlas = read_atlas(record)
    check_names(atlas)
    assert atlas.photo_layers[0].folder.startswith("index-")
