"""Classes on the pages: what is listed, how it is said, where names stand."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from atlas.pages import words
from atlas.pages.check import check_site
from atlas.pages.write import write_atlas
from atlas.store.store import Store
from tests.pages.synthetic import make
from tests.pages.test_content import EVIL, said

LONG = "a bird with a very long name, of the kind that lists of classes have"


def classes(page: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.with_suffix(".json").read_bytes())["classes"]
    return found


def bars(page: Path) -> dict[str, list[float]]:
    """The lengths of the bars of each list on a page."""
    lists = re.findall(r'<ol class="bars (\w+)">.*?</ol>', page.read_text(), re.DOTALL)
    texts = re.findall(r'(<ol class="bars \w+">.*?</ol>)', page.read_text(), re.DOTALL)
    return {
        kind: [float(rect.get("width") or 0) for rect in ElementTree.fromstring(text).iter("rect")][1::2]
        for kind, text in zip(lists, texts, strict=True)
    }


def test_a_page_lists_classes_with_bars(site: Path) -> None:
    page = site / "random" / "mixed0" / "2.html"
    told, drawn = classes(page), bars(page)
    assert drawn["likely"] == [round(100 * row["probability"], 1) for row in told["top"]]
    slopes = [abs(row["slope"]) for kind in ("raised", "lowered") for row in told[kind]]
    assert drawn["raised"] + drawn["lowered"] == pytest.approx([100 * one / max(slopes) for one in slopes], abs=0.06)
    text = said(page)
    assert "The likeliest of 12 classes." in text
    for row in told["top"]:
        assert (
            f"{row['name']} {row['class']} {words.chance(row['probability'])} logit {words.score(row['logit'])}" in text
        )
    for row in told["raised"]:
        assert f"{row['name']} {row['class']} {words.slope(row['slope'])}" in text


def test_only_what_is_raised_is_listed_as_raised(site: Path) -> None:
    nothing, everything = (classes(site / "random" / "mixed0" / f"{channel}.html") for channel in (0, 1))
    assert (nothing["raised"], len(nothing["lowered"])) == ([], 5)
    assert (len(everything["raised"]), everything["lowered"]) == (5, [])
    page = site / "random" / "mixed0" / "0.html"
    assert "Raised by the channel Logits per unit of its mean activation. None." in said(page)
    assert "raised" not in bars(page)


def test_classes_lead_to_their_own_channel_where_the_atlas_has_it(site: Path) -> None:
    links = set()
    for channel in range(4):
        page = site / "random" / "mixed0" / f"{channel}.html"
        own = classes(page)
        told = {row["class"] for kind in ("top", "raised", "lowered") for row in own[kind]}
        found = {
            int(number) for number in re.findall(r'class="what"><a href="../predictions/(\d+).html"', page.read_text())
        }
        assert found == {number for number in told if number < 4}
        links |= found
    assert links == {0, 1, 2, 3}


def test_channels_of_the_classes_layer_go_by_their_names(site: Path) -> None:
    layer = site / "random" / "predictions"
    page = layer / "2.html"
    assert f"<title>predictions 2, {LONG} ·" in page.read_text()
    assert f"predictions 2 {LONG}" in said(page)
    grid = (layer / "index.html").read_text()
    assert f'title="2, {LONG}"' in grid
    assert f'alt="Channel 2, {LONG}"' in grid
    assert json.loads((layer / "2.json").read_bytes())["class_name"] == LONG
    assert json.loads((site / "random/mixed0/2.json").read_bytes())["class_name"] is None
    for script in (site / "random/_/search.js", site / "random/_/data/predictions.js"):
        assert '"notes":{"0":["jay",""],"1":["magpie",""]' in script.read_text()
    text = said(page)
    assert "What the network calls it" in text
    assert "Raised by the channel" not in text


def test_an_atlas_without_such_a_study_says_nothing_of_classes(site: Path) -> None:
    page = site / "toy" / "mixed0" / "1.html"
    assert "What the network calls it" not in page.read_text()
    assert classes(page) is None


def test_names_are_text_and_notes_stand_beside_them(store: Store, tmp_path: Path) -> None:
    notes = {"predictions": {"0": {"name": "mine", "text": "my own"}}}
    layers = {"mixed0": 2, "predictions": 2}
    record = make(store, layers=layers, class_names=(EVIL, *"abcdef"), notes=notes, distinct=2, side=16)
    write_atlas(record, store, tmp_path / "out")
    assert check_site(tmp_path / "out") == []
    page = tmp_path / "out" / "predictions" / "0.html"
    assert "<script>alert" not in page.read_text()
    assert f"predictions 0 {' '.join(EVIL.split())} mine my own" in said(page)
    data = (tmp_path / "out" / "_" / "search.js").read_text()
    assert ', mine","my own"]' in data


def test_a_picture_that_was_made_again_since_has_no_section(store: Store, tmp_path: Path) -> None:
    record = make(store, layers={"mixed0": 2}, class_names=tuple("abcdef"), distinct=2, side=16)
    entry = store.get(record["layers"][0]["found"]["classes"]["key"])
    entry.artefacts["pictures"][1] = 0
    store.put(type(entry)(entry.key, entry.record, b"", entry.artefacts))
    write_atlas(record, store, tmp_path / "out")
    assert classes(tmp_path / "out/mixed0/0.html") is not None
    assert classes(tmp_path / "out/mixed0/1.html") is None
    assert "What the network calls it" not in (tmp_path / "out/mixed0/1.html").read_text()


@pytest.mark.parametrize(
    ("probability", "words_"),
    [
        (0.0, "0.0 %"),
        (0.0004, "less than 0.1 %"),
        (0.0005, "0.1 %"),
        (0.757, "75.7 %"),
        (0.9994, "99.9 %"),
        (0.9996, "more than 99.9 %"),
        (1.0, "100.0 %"),
    ],
)
def test_probabilities_in_words(probability: float, words_: str) -> None:
    assert words.chance(probability) == words_


def test_slopes_in_words() -> None:
    assert [words.slope(value) for value in (0.36612, -12.0, 1.5e-6)] == ["+0.366", "−12", "+1.5e−06"]


def test_numbers_with_nouns() -> None:
    assert [words.count(1, "class", "classes"), words.count(1000, "class", "classes")] == ["1 class", "1,000 classes"]
