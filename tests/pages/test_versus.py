"""Pictures by others on the pages: beside ours on a channel's, and all of a layer on one."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from atlas.errors import SiteError
from atlas.pages.check import check_site
from atlas.pages.write import write_atlas
from atlas.store.store import Store
from tests.pages.synthetic import make
from tests.pages.test_content import said


@pytest.fixture(scope="module")
def page(site: Path) -> Path:
    return site / "with-photos" / "mixed0" / "versus.html"


def test_a_channel_s_page_shows_both_and_what_came_of_it(site: Path) -> None:
    text = said(site / "with-photos" / "mixed0" / "3.html")
    assert "Beside Lucid" in text
    assert re.search(r"here, 3\.00 Lucid, 2\.00 unclear place 11 of 256, ours 4; alike 0\.35", text)
    page = (site / "with-photos" / "mixed0" / "3.html").read_text()
    assert 'href="versus.html"' in page
    assert '<img src="3._theirs.webp" alt="By Lucid, for mixed0 channel 3"' in page
    assert "Beside Lucid" not in said(site / "with-photos" / "mixed0" / "6.html")  # has no picture of ours


def test_the_page_of_a_layer_has_those_that_disagree_most_first(page: Path) -> None:
    text = said(page)
    assert "mixed0 beside Lucid" in text
    assert re.search(r"Same 3 channels Unclear 1 channel Different 3 channels", text)
    assert re.search(r"Our score at least theirs 5 of 7", text)
    assert [int(one) for one in re.findall(r'<li data-number="(\d+)"', page.read_text())] == [8, 5, 4, 3, 1, 2, 0]
    assert "a<b>.png: expected an image, received a file" in text


def test_the_data_has_all_numbers(site: Path) -> None:
    found = json.loads((site / "with-photos" / "mixed0" / "3.json").read_text())["versus"]
    assert found == {
        "by": "Lucid",
        "verdict": "unclear",
        "rank": 10,
        "our_rank": 3,
        "others": 255,
        "alike": 0.35,
        "theirs": 2.0,
        "ours": 3.0,
        "picture": "mixed0/3._theirs.webp",
    }


def test_the_layer_s_page_leads_to_it_and_the_site_is_sound(site: Path) -> None:
    assert 'href="versus.html">Lucid</a>' in (site / "with-photos" / "mixed0" / "index.html").read_text()
    assert check_site(site) == []


def test_without_their_pictures_there_are_numbers(store: Store, tmp_path: Path) -> None:
    record = make(store, layers={"mixed0": 4}, by="a <b>colleague</b>")
    record["compare"]["publish"] = False
    write_atlas(record, store, tmp_path / "site")
    assert not list((tmp_path / "site").rglob("*_theirs*"))
    text = said(tmp_path / "site" / "mixed0" / "1.html")
    assert "Beside a <b>colleague</b>" in text
    assert "place 4 of 256" in text
    assert "the same channels" in said(tmp_path / "site" / "mixed0" / "versus.html")
    assert "a<b>" not in said(tmp_path / "site" / "mixed0" / "versus.html")


def test_a_record_that_is_none_is_one_sentence(store: Store, tmp_path: Path) -> None:
    record = make(store, layers={"mixed0": 4}, by="x")
    record["compare"]["publish"] = "yes"
    with pytest.raises(SiteError, match="atlas record: compare: publish: expected bool, received 'yes'; build again"):
        write_atlas(record, store, tmp_path / "site")


def test_the_order_is_chosen_and_stands_in_the_address(chromium: Browser, page: Path) -> None:
    tab = chromium.new_page()
    tab.goto(page.as_uri())

    def order() -> list[int]:
        return [int(number) for number in tab.locator("#versus > li b").all_inner_texts()]

    assert order() == [8, 5, 4, 3, 1, 2, 0]
    tab.get_by_label("Sort by").select_option("number")
    assert order() == [0, 1, 2, 3, 4, 5, 8]
    assert tab.url.endswith("#sort=number")
    tab.get_by_label("Sort by").select_option("better")
    assert order() == [8, 5, 4, 3, 2, 1, 0]
    tab.goto(f"{page.as_uri()}#sort=alike")
    tab.reload()
    assert order() == [8, 5, 4, 3, 2, 1, 0]
    tab.close()


def test_it_reads_without_script(chromium: Browser, page: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(page.as_uri())
    assert tab.locator("#versus > li").count() == 7
    assert not tab.get_by_label("Sort by").is_visible()
    context.close()
