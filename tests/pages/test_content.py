"""What the pages say: states, weights, links, and that no string can become markup."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from atlas.pages.check import check_site
from atlas.pages.write import write_atlas
from atlas.store.store import Store

Make = Callable[..., dict[str, Any]]
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;{{ 7*7 }}</pre></svg>"


def said(path: Path) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", path.read_text())).split())


@pytest.mark.parametrize(
    ("channel", "state", "words"),
    [
        (1, "activated", "The picture excites the channel: positive somewhere, and on the mean above both the start"),
        (5, "dead", "No start activated the channel, whatever its seed"),
        (6, "failed", "This picture could not be made: the score became NaN at step 12; try a smaller rate"),
        (7, "not yet", "The build stopped before this picture was made."),
    ],
)
def test_a_channel_page_says_what_came_of_it(site: Path, channel: int, state: str, words: str) -> None:
    page = site / "toy" / "mixed0" / f"{channel}.html"
    assert f"{state} {words}" in said(page)
    assert (f'src="{channel}.webp"' in page.read_text()) == (channel in (1, 5))


def test_a_channel_page_says_how_its_picture_was_made(site: Path) -> None:
    text = said(site / "toy" / "mixed2" / "1.html")
    assert "Branch 1x1 0–63" in text
    assert "Each neuron sees 127 px" in text
    assert "Try" not in text
    assert "at the start 0.012 on plain grey 0 on this picture" in text
    assert "parameterization: name: fourier decay: 1.0 decorrelate: true" in text
    assert "objective: name: channel weight: -1" in text
    assert 'aria-label="Score at each step, from 1 to 64' in (site / "toy" / "mixed2" / "1.html").read_text()
    assert '<svg class="plot"' not in (site / "toy" / "mixed2" / "3.html").read_text()  # no trace was recorded


def test_the_ends_of_a_layer_have_one_neighbour(site: Path) -> None:
    first, last = ((site / "toy" / "mixed0" / f"{n}.html").read_text() for n in (0, 15))
    assert 'rel="prev"' not in first
    assert '<link rel="next" href="1.html">' in first
    assert '<link rel="prev" href="14.html">' in last
    assert 'rel="next"' not in last


def test_the_layer_page_marks_what_went_wrong(site: Path) -> None:
    text = said(site / "toy" / "mixed0" / "index.html")
    assert "Exceptions 1 dead, 1 failed, 1 not yet rendered" in text
    assert "5 dead 6 failed 7 not yet 8" in text


def test_the_home_page_shows_where_in_the_network_one_is(site: Path) -> None:
    text = said(site / "toy" / "index.html")
    order = ["stem1 stem2 stem3 pool1", "mixed0", "mixed1", "mixed2", "mixed3 mixed4 mixed5 avg_pool"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "26 channels in 2 layers of InceptionV3" in text
    assert "ImageNet, input to mixed4, 8 bit" in text


def test_random_weights_are_said_on_every_page_and_lead_nowhere(site: Path) -> None:
    pages = sorted((site / "random").rglob("*.html"))
    assert len(pages) == 6
    for page in pages:
        assert "Random weights (seed 7): nothing here was learned." in said(page)
        assert "microscope.openai.com" not in page.read_text()
    assert "Random weights" not in said(site / "toy" / "index.html")


def test_the_link_to_microscope_says_that_it_may_be_offline(site: Path) -> None:
    page = site / "toy" / "mixed2" / "1.html"
    assert 'href="https://microscope.openai.com/models/inceptionv3_slim/' in page.read_text()
    assert "An outside service, possibly offline. Same channel order there, but not known to be the same" in said(page)


def test_no_string_becomes_markup(make_atlas: Make, store: Store, tmp_path: Path) -> None:
    record = make_atlas(store, distinct=2, side=8)
    record["title"] = EVIL
    record["network"] |= {"title": EVIL, "paper": f'{EVIL}, https://example.org/"onclick=x', "note": EVIL}
    record["weights"] |= {"description": EVIL, "licence": EVIL}
    record["outline"][0]["name"] = EVIL
    for layer in record["layers"]:
        layer["kind"] = EVIL
        layer["branches"] = [{"name": EVIL, "first": 0, "last": 3}]
        layer["recipes"]["main"] = {"objective": {"name": EVIL, "sign": 1}, EVIL: EVIL}
        layer["channels_shown"][6]["renderings"]["main"]["error"] = EVIL
    write_atlas(record, store, tmp_path / "out")
    assert check_site(tmp_path / "out") == []
    for page in (tmp_path / "out").rglob("*.html"):
        text = page.read_text()
        assert "<script>" not in text
        assert "<img src=x" not in text
        assert EVIL in unescape(text)


def test_a_layer_without_relu_claims_nothing_about_death(make_atlas: Make, store: Store, tmp_path: Path) -> None:
    record = make_atlas(store, layers={"mixed0": 2}, recipes=("main",), distinct=2, side=8)
    record["layers"][0]["relu"] = False
    write_atlas(record, store, tmp_path / "out")
    assert "The picture was made. Whether a channel is dead is asked only" in said(
        tmp_path / "out" / "mixed0" / "0.html"
    )


def test_an_atlas_without_any_picture_still_stands(make_atlas: Make, store: Store, tmp_path: Path) -> None:
    record = make_atlas(store, layers={"mixed0": 8}, recipes=("main",), distinct=1, side=8)
    for channel in record["layers"][0]["channels_shown"]:
        channel["renderings"]["main"] = {"key": None, "state": "missing"}
    write_atlas(record, store, tmp_path / "out")
    assert check_site(tmp_path / "out") == []
    assert "No picture yet." in said(tmp_path / "out" / "index.html")
    assert not (tmp_path / "out" / "_" / "cover.webp").exists()


def test_pages_never_bring_in_tensorflow(site: Path) -> None:
    import subprocess
    import sys

    names = [
        "addresses",
        "build",
        "check",
        "images",
        "ledger",
        "links",
        "manifest",
        "plot",
        "serve",
        "views",
        "words",
        "write",
    ]
    imports = "\n".join(f"import atlas.pages.{name}" for name in names)
    code = f"{imports}\nimport sys\nprint(sorted({{'tensorflow', 'keras'}} & set(sys.modules)))"
    found = {path.stem for path in Path("atlas/pages").resolve().glob("*.py")} - {"__init__"}
    assert found <= set(names)
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
