"""What pages say of real images: every number against the entry it comes from, computed once more."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import atlas.pages.among
from atlas.pages import words
from atlas.pages.check import check_site
from atlas.pages.write import write_atlas
from atlas.store.store import Store
from tests.pages.looked import GRID, IMAGES, LABELS, with_images

Make = Callable[..., dict[str, Any]]
Built = tuple[Path, list[Mapping[str, np.ndarray]]]


def text(page: Path) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.read_text()))


@pytest.fixture(scope="module")
def built(make_atlas: Make, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A site, and what its store has of the images of each layer: only to be read."""
    folder = tmp_path_factory.mktemp("built")
    store = Store(str(folder / "store"))
    record = with_images(store, make_atlas(store, distinct=4, side=16))
    write_atlas(record, store, folder / "out")
    return folder / "out", [store.get(layer["found"]["images"]["key"]).artefacts for layer in record["layers"]]


def test_a_channel_s_page_shows_its_images_and_their_numbers(built: Built) -> None:
    out, images = built
    arrays = images[1]
    row = arrays["channels"].tolist().index(8)
    page = (out / "mixed2" / "8.html").read_text()
    said = text(out / "mixed2" / "8.html")
    assert f"Those of {IMAGES} images that excite it most" in said
    for rank, image in enumerate(arrays["top"][:, row].tolist()):
        value = words.score(float(arrays["top_value"][rank, row]))
        assert (
            f'class="x{rank}" src="8._images.webp" alt="{image}.jpg, where mixed2 channel 8 is at most {value}"' in page
        )
        assert f"{LABELS[image % 3] or f'{image}.jpg'} {value}" in said
    below = float(arrays["score_below"][row])
    assert f"score {words.score(float(arrays['score'][row]))}, " in said
    some = f"above {100 * below:.0f} % of images"
    assert {0.0: "below all images", 1.0: "above all images"}.get(below, some) in said
    assert f"at {100 * float(arrays['active'][row]):.0f} % of positions" in said
    assert "in 0 % of images" in said
    silent = text(out / "mixed2" / "3.html")
    assert "in 100 % of images" in silent
    apart = dict(zip(["cats", "dogs"], arrays["cosine"][row].tolist(), strict=True))
    near, far = sorted(apart, key=lambda label: apart[label])
    assert f"nearest labels {near} {apart[near]:.2f}" in said
    assert f"farthest {far} {apart[far]:.2f}" in said


def test_the_sheet_is_the_entry_s_and_has_a_tile_for_each_image(built: Built) -> None:
    out, images = built
    arrays = images[0]
    row = arrays["channels"].tolist().index(2)
    ends = [0, *arrays["sheet_ends"].tolist()]
    file = out / "mixed0" / "2._images.webp"
    assert file.read_bytes() == arrays["sheets"][ends[row] : ends[row + 1]].tobytes()
    with Image.open(file) as sheet:
        assert sheet.size == (96 * (4 + 2), 96)  # a neuron sees 63 px of images of 64: all of it, without crops
    assert check_site(out) == []


def test_what_goes_together_is_named_in_all_three_layers(built: Built) -> None:
    out, images = built
    arrays = images[1]
    data = json.loads((out / "mixed2" / "4.json").read_text())
    row = arrays["channels"].tolist().index(4)
    for kind, layer in (("with", "mixed2"), ("before", "mixed0")):
        wanted = [
            {"alike": round(value, 3), "channel": channel, "layer": layer}
            for channel, value in zip(arrays[kind][row].tolist(), arrays[f"{kind}_value"][row].tolist(), strict=True)
            if channel >= 0 and value >= 0.005
        ]
        assert data["together"][layer] == wanted
    below = json.loads((out / "mixed0" / "4.json").read_text())["together"]
    likely = arrays["after"][4][arrays["after_value"][4] >= 0.005]
    assert [one["channel"] for one in below["mixed2"]] == likely.tolist()


def test_the_data_of_a_channel_have_every_number(built: Built) -> None:
    out, (arrays, _) = built
    images = json.loads((out / "mixed0" / "1.json").read_text())["images"]
    assert (images["count"], images["grid"], images["sheet"]) == (IMAGES, list(GRID), "mixed0/1._images.webp")
    assert sum(images["histogram"]) == IMAGES
    assert [one["image"] for one in images["top"]] == [f"{image}.jpg" for image in arrays["top"][:, 1].tolist()]
    assert [one["at"] for one in images["top"]] == arrays["top_place"][:, 1].tolist()
    assert images["quantiles"]["largest"][-1] == pytest.approx(float(arrays["largest"][-1, 1]), rel=1e-5)
    assert set(images["labels"]) == {"cats", "dogs"}
    assert images["labels"]["dogs"]["euclid"] == pytest.approx(float(arrays["euclid"][1, 1]), rel=1e-5)
    assert json.loads((out / "mixed0" / "6.json").read_text())["images"] is None  # it failed: there is no picture


def test_the_page_among_images_names_the_nearest_channels_of_each_label(built: Built) -> None:
    out, images = built
    arrays = images[1]
    page = out / "mixed2" / "near.html"
    said = text(page)
    assert page.read_text().count('<circle class="image') == IMAGES
    assert page.read_text().count('<circle class="picture"') == len(arrays["channels"])
    nearest = arrays["channels"][np.argsort(arrays["cosine"][:, 0], kind="stable")].tolist()
    rows = re.search(r"cats 4 images .*? Nearest (.*?) Farthest (.*?) dogs 4 images", said.split("</svg>")[-1])
    assert rows is not None
    assert [int(number) for number in re.findall(r"(\d+) \d\.\d\d", rows[1])] == nearest[: len(nearest) // 2]
    assert [int(number) for number in re.findall(r"(\d+) \d\.\d\d", rows[2])] == nearest[::-1][: len(nearest) // 2]
    assert 'href="near.html"' in (out / "mixed2" / "index.html").read_text()


def test_of_many_labels_those_of_most_images_have_rows(
    make_atlas: Make, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atlas.pages.among, "LABELS", 1)
    write_atlas(with_images(store, make_atlas(store, distinct=4, side=16)), store, tmp_path / "out")
    page = (tmp_path / "out" / "mixed2" / "near.html").read_text()
    assert 'aria-label="cats"' in page
    assert 'aria-label="dogs"' not in page
    assert "1 other label has fewer images" in page


def test_nothing_of_images_is_shown_that_are_not_published(make_atlas: Make, store: Store, tmp_path: Path) -> None:
    record = with_images(store, make_atlas(store, distinct=4, side=16), published=False)
    write_atlas(record, store, tmp_path / "out")
    assert list((tmp_path / "out").rglob("*_images.webp")) == []
    for path in (tmp_path / "out").rglob("*"):
        if path.suffix in (".html", ".json", ".js"):
            assert ".jpg" not in path.read_text(), path
    said = text(tmp_path / "out" / "mixed2" / "8.html")
    assert "12 images by largest activation" in said
    assert "that excite it most" not in said
    assert check_site(tmp_path / "out") == []


def test_pages_without_images_have_no_trace_of_them(make_atlas: Make, store: Store, tmp_path: Path) -> None:
    write_atlas(make_atlas(store, distinct=4, side=16), store, tmp_path / "out")
    assert not (tmp_path / "out" / "mixed2" / "near.html").exists()
    assert "Real images" not in (tmp_path / "out" / "mixed2" / "8.html").read_text()
    assert json.loads((tmp_path / "out" / "mixed2" / "8.json").read_text())["images"] is None
