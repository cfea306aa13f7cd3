"""The weights on a channel's page, in its data and on its sheet: those of the entry, pixel by pixel."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import html5lib
import numpy as np
import pytest
from PIL import Image

from atlas.pages import images, words
from atlas.pages.check import check_site
from atlas.pages.statics import PAPER, _contrast
from atlas.pages.wire_views import ROWS
from atlas.pages.write import write_atlas
from atlas.store.entry import Entry
from atlas.store.store import Store

Make = Callable[..., dict[str, Any]]
SITE = {"recipes": ("main",), "distinct": 2, "side": 8}
ROOM = 40  # px of a kernel on its sheet


def weights(store: Store, record: dict[str, Any]) -> Entry:
    """What was read of the weights between the two layers of a record."""
    return store.get(record["layers"][1]["found"]["weights"]["key"])


@pytest.fixture(scope="module")
def built(make_atlas: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Entry]:
    """A site of some channels of two layers, only to be read, and what was read of the weights between them."""
    folder = tmp_path_factory.mktemp("built")
    store = Store(str(folder / "store"))
    record = make_atlas(store, **SITE)
    write_atlas(record, store, folder / "out")
    return folder / "out", weights(store, record)


@pytest.fixture(scope="module")
def problems(built: tuple[Path, Entry]) -> list[str]:
    """What is wrong with that site."""
    return check_site(built[0])


@pytest.fixture
def own(make_atlas: Make, store: Store) -> tuple[Entry, dict[str, Any]]:
    """A record of the same atlas in a store of the test's own, and what was read of the weights."""
    record = make_atlas(store, **SITE)
    return weights(store, record), record


def listed(entry: Entry, side: str, channel: int) -> list[list[tuple[int, float]]]:
    """The channels and shares of an entry, by sign."""
    pairs = zip(entry.artefacts[f"{side}_0"][channel], entry.artefacts[f"{side}_share_0"][channel], strict=True)
    return [[(int(one), float(value)) for one, value in zip(*pair, strict=True) if one >= 0] for pair in pairs]


def section(page: Path) -> Any:
    """The section of the weights of a page, None where it has none."""
    root = html5lib.parse(page.read_text(), namespaceHTMLElements=False)
    found = [one for one in root.iter("section") if one.get("aria-labelledby") == "weights"]
    return found[0] if found else None


def said(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


@pytest.mark.parametrize(
    ("page", "side", "title", "heads", "other"),
    [
        ("mixed2/1", "before", "From mixed0", ["Excite it", "Inhibit it"], "mixed0"),
        ("mixed2/2", "before", "From mixed0", ["Excite it"], "mixed0"),
        ("mixed2/6", "before", "From mixed0", ["Excite it", "Inhibit it"], "mixed0"),  # it has no picture of its own
        ("mixed0/1", "after", "To mixed2", ["Excited by it"], "mixed2"),
        ("mixed0/3", "after", "To mixed2", ["Excited by it", "Inhibited by it"], "mixed2"),
    ],
)
def test_numbers_and_links_are_those_of_the_entry(
    built: tuple[Path, Entry], problems: list[str], page: str, side: str, title: str, heads: list[str], other: str
) -> None:
    out, entry = built
    expected = listed(entry, side, int(page.split("/")[1]))
    found = section(out / f"{page}.html")
    assert [said(one) for one in found.iter("h3")] == [title]
    assert [one.get("href") for one in found.find("h3")] == [f"../{other}/index.html"]
    assert [said(one) for one in found.iter("h4")] == heads
    assert "Activations between the two layers count as the identity: behind chains of ReLUs" in said(found)
    lists = list(found.iter("ol"))
    assert len(lists) == len(heads) == sum(map(bool, expected))
    for rows, channels in zip(lists, filter(None, expected), strict=True):
        assert len(rows) == len(channels)
        for row, (channel, share) in zip(rows, channels, strict=True):
            [inside] = list(row)
            assert said(row) == f"{channel} {words.signed_share(share)}"
            shown = channel < (16 if other == "mixed0" else 10)
            assert inside.get("href") == (f"../{other}/{channel}.html" if shown else None)
            thumbnails = [one.get("src") for one in inside.iter("img") if "thumbs" in one.get("src")]
            assert thumbnails == ([f"../_/thumbs/{other}/{channel}.webp"] if shown and channel not in (6, 7) else [])
            [kernel] = [one for one in inside.iter("img") if "_weights" in one.get("src")]
            assert kernel.get("alt") == f"Weights {'from' if side == 'before' else 'to'} {other}"
            assert all(one.get("loading") == "lazy" for one in inside.iter("img"))
    assert problems == []


def test_a_channel_that_no_weights_lead_to_has_no_section(built: tuple[Path, Entry]) -> None:
    out, entry = built
    assert listed(entry, "before", 3) == [[], []]
    assert section(out / "mixed2" / "3.html") is None
    assert not (out / "mixed2" / "3._weights.webp").exists()
    assert json.loads((out / "mixed2" / "3.json").read_bytes())["weights"] is None


def test_the_data_are_those_of_the_entry(built: tuple[Path, Entry]) -> None:
    out, entry = built
    for page, side in (("mixed2/1", "before"), ("mixed2/8", "before"), ("mixed0/4", "after")):
        channel = int(page.split("/")[1])
        told = json.loads((out / f"{page}.json").read_bytes())["weights"]
        assert told["sheet"] == f"{page}._weights.webp"
        assert told["after" if side == "before" else "before"] == []
        [row] = told[side]
        for name, expected in zip(("excite", "inhibit"), listed(entry, side, channel), strict=True):
            assert [one["channel"] for one in row[name]] == [other for other, _ in expected]
            assert [one["share"] for one in row[name]] == pytest.approx([value for _, value in expected], rel=1e-3)
        largest = np.abs(entry.artefacts[f"{side}_slices_0"][channel]).max()
        assert row["largest"] == pytest.approx(0.5 * largest, rel=1e-3)
        assert row["window"] == ([1, 1] if channel == 8 else [3, 5])
        assert row["note"] == entry.record["notes"][0]
        layer = json.loads((out / page.split("/")[0] / "layer.json").read_bytes())
        assert layer["shown"][channel]["weights"] == told


def drawn(kernels: np.ndarray) -> np.ndarray:
    """A row of a sheet, made by hand from the kernels ``(2, k, h, w)`` of a channel."""
    _, count, high, wide = kernels.shape
    largest = max(abs(float(weight)) for weight in kernels.ravel())
    share = kernels.astype(float) / largest
    while high > 2 and np.abs(share[:, :, [0, -1]]).max() < 0.004:
        share, high = share[:, :, 1:-1], high - 2
    while wide > 2 and np.abs(share[:, :, :, [0, -1]]).max() < 0.004:
        share, wide = share[:, :, :, 1:-1], wide - 2
    factor = ROOM // max(high, wide)
    top, left = (ROOM - factor * high) // 2, (ROOM - factor * wide) // 2
    row = np.zeros((ROOM, 2 * count * ROOM, 4), np.uint8)
    for side, place, y, x in np.ndindex(*share.shape):
        weight = share[side, place, y, x]
        colour = (213, 94, 0) if weight >= 0 else (0, 114, 178)
        begin = (side * count + place) * ROOM + left + x * factor
        row[top + y * factor : top + (y + 1) * factor, begin : begin + factor] = (
            *colour,
            round(255 * abs(weight) ** 0.5),
        )
    return row


@pytest.mark.parametrize("page", ["mixed2/1", "mixed2/2", "mixed2/8", "mixed0/0", "mixed0/6"])
def test_every_pixel_of_a_sheet_is_a_weight(built: tuple[Path, Entry], page: str) -> None:
    out, entry = built
    side = "before" if page.startswith("mixed2") else "after"
    expected = drawn(entry.artefacts[f"{side}_slices_0"][int(page.split("/")[1])])
    with Image.open(out / f"{page}._weights.webp") as sheet:
        pixels = np.asarray(sheet.convert("RGBA")).astype(int)
    assert pixels.shape == (ROOM, 10 * ROOM, 4)
    assert expected[..., 3].max() == 255
    assert np.array_equal(pixels[..., 3] > 0, expected[..., 3] > 0)
    seen = expected[..., 3] > 0
    np.testing.assert_array_equal(pixels[seen], expected[seen])


def test_two_rows_and_a_layer_that_is_not_in_the_atlas(
    own: tuple[Entry, dict[str, Any]], store: Store, tmp_path: Path
) -> None:
    """Fed by two layers, one of which the atlas has no more: its channels have numbers and no links."""
    entry, record = own
    more = {f"{name[:-1]}1": array for name, array in entry.artefacts.items()}
    more["before_slices_1"] = -more["before_slices_1"]
    about = {"before": ["gone", "mixed0"], "notes": ["", entry.record["notes"][0]], "scales": [0.5, 0.25]}
    store.put(Entry(entry.key, {**entry.record, **about}, b"", {**entry.artefacts, **more}))
    write_atlas(record, store, tmp_path / "two")
    found = section(tmp_path / "two" / "mixed2" / "1.html")
    assert [said(one) for one in found.iter("h3")] == ["From gone", "From mixed0"]
    assert said(found).count("signed products say little") == 1
    first, second = found.findall("div")
    assert list(first.iter("a")) == []
    assert len(list(second.iter("a"))) > 0
    classes = [[one.get("class") for one in row.iter("img") if one.get("class")] for row in (first, second)]
    assert classes == [[f"x{place} y{row}" for place in range(10)] for row in range(2)]
    with Image.open(tmp_path / "two/mixed2/1._weights.webp") as sheet:
        pixels = np.asarray(sheet.convert("RGBA"))
    kernels = entry.artefacts["before_slices_0"][1]
    expected = np.concatenate([drawn(kernels), drawn(-kernels)])
    assert np.array_equal(pixels[expected[..., 3] > 0], expected[expected[..., 3] > 0])
    told = json.loads((tmp_path / "two/mixed2/1.json").read_bytes())["weights"]["before"]
    assert [one["layer"] for one in told] == ["gone", "mixed0"]
    assert told[1]["largest"] == pytest.approx(told[0]["largest"] / 2, rel=1e-3)
    below = section(tmp_path / "two" / "mixed0" / "1.html")
    assert [said(one) for one in below.iter("h3")] == ["To mixed2"]
    assert check_site(tmp_path / "two") == []


def test_more_layers_than_the_page_has_room_for_are_counted(
    own: tuple[Entry, dict[str, Any]], store: Store, tmp_path: Path
) -> None:
    entry, record = own
    names = [f"layer{number}" for number in range(ROWS + 3)]
    about = {"before": names, "notes": [""] * len(names), "scales": [0.5] * len(names)}
    more = {f"{name[:-1]}{index}": one for name, one in entry.artefacts.items() for index in range(len(names))}
    store.put(Entry(entry.key, {**entry.record, **about}, b"", more))
    write_atlas(record, store, tmp_path / "many")
    found = section(tmp_path / "many" / "mixed2" / "1.html")
    assert [said(one) for one in found.iter("h3")] == [f"From {name}" for name in names[:ROWS]]
    assert "3 more layers: in the JSON." in said(found)
    style = (tmp_path / "many" / "_" / "site.css").read_text()
    places = {f"{axis}{place}" for axis, count in (("x", 10), ("y", ROWS)) for place in range(1, count)}
    for name in places:
        assert f".kernel .{name} {{ --{name[0]}: -{ROOM * int(name[1:])}px; }}" in style
    assert check_site(tmp_path / "many") == []


def test_windows_that_are_larger_than_their_room_show_their_middle(
    own: tuple[Entry, dict[str, Any]], store: Store, tmp_path: Path
) -> None:
    entry, record = own
    kernels = np.random.default_rng(0).normal(0, 0.2, (288, 2, 5, 45, 3)).astype(np.float16)
    store.put(Entry(entry.key, entry.record, b"", {**entry.artefacts, "before_slices_0": kernels}))
    write_atlas(record, store, tmp_path / "tall")
    with Image.open(tmp_path / "tall/mixed2/1._weights.webp") as sheet:
        pixels = np.asarray(sheet.convert("RGBA"))
    largest = np.abs(kernels[1].astype(float)).max()
    alpha = np.round(255 * np.sqrt(np.abs(kernels[1, 0, 0, 3:42].astype(float)) / largest))
    assert np.abs(pixels[:39, 18:21, 3].astype(int) - alpha).max() <= 1
    assert json.loads((tmp_path / "tall/mixed2/1.json").read_bytes())["weights"]["before"][0]["window"] == [39, 3]


def test_sheets_are_made_again_when_the_weights_are_others(
    own: tuple[Entry, dict[str, Any]], store: Store, tmp_path: Path
) -> None:
    (entry, record), out = own, tmp_path / "out"
    write_atlas(record, store, out)
    above, below = ((out / f"{page}._weights.webp").read_bytes() for page in ("mixed2/1", "mixed0/1"))
    kernels = {name: -array if "slices" in name else array for name, array in entry.artefacts.items()}
    other = Entry("fe" * 32, entry.record, b"", kernels)
    store.put(other)
    record["layers"][1]["found"]["weights"] = {"key": other.key, "checksum": other.checksum}
    write_atlas(record, store, out)
    for page, before in (("mixed2/1", above), ("mixed0/1", below)):
        assert (out / f"{page}._weights.webp").read_bytes() != before
    del record["layers"][1]["found"]["weights"]
    assert write_atlas(record, store, out).removed == 16 + 9
    assert list(out.rglob("*_weights.webp")) == []
    assert section(out / "mixed2" / "1.html") is None


def test_the_colours_can_be_told_apart_from_either_ground() -> None:
    """Graphics need a contrast of 3 by WCAG 2.2 (1.4.11)."""
    for colour in (images.POSITIVE, images.NEGATIVE):
        assert all(_contrast(colour, paper) > 3 for paper in PAPER.values())
    style = (Path(__file__).parents[2] / "templates/static/style/5-channel.css").read_text()
    for colour in (images.POSITIVE, images.NEGATIVE):
        assert "#" + "".join(f"{part:02x}" for part in colour) in style


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0312, "+3.1 %"), (-0.05, "−5.0 %"), (0.0994, "+9.9 %"), (0.0995, "+10 %"), (-1.0, "−100 %"), (4e-4, "+0.0 %")],
)
def test_shares_have_a_sign(value: float, said: str) -> None:
    assert words.signed_share(value) == said
