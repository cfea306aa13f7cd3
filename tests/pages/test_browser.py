"""A person's way through the site in a real browser: from disk and from the server, wide and narrow, light and dark."""

import io
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import html5lib
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, Request

from atlas.engine.encode import FRAME_COLUMNS, frame_sheet
from atlas.pages.serve import serve
from atlas.pages.write import write_atlas
from atlas.store.store import Store
from tests.engine.processes import wait_for

pytestmark = pytest.mark.slow
WITH_PHOTOS = [
    "with-photos/index.html",
    "with-photos/mixed0/index.html",
    "with-photos/mixed0/1.html",
    "with-photos/mixed0/versus.html",
    "with-photos/_/photos/index.html",
    "with-photos/_/photos/cats-tabby-one/index.html",
    "with-photos/_/photos/chelsea/mixed2.html",
]


@pytest.fixture(params=["file", "http"])
def start(request: pytest.FixtureRequest, site: Path) -> Iterator[str]:
    """The address of the shelf."""
    if request.param == "file":
        yield (site / "index.html").as_uri()
        return
    server = serve(site, 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    thread.join()
    server.server_close()


class Watched:
    """A tab that remembers all that went wrong in it, and every address it asked for."""

    def __init__(
        self, browser: Browser, width: int = 1280, scheme: Literal["light", "dark"] = "light", script: bool = True
    ):
        size = {"width": width, "height": 800}
        self.context = browser.new_context(viewport=size, color_scheme=scheme, java_script_enabled=script)  # type: ignore[arg-type]
        self.tab: Page = self.context.new_page()
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.tab.on("console", lambda message: self.faults.append(f"console: {message.text}"))
        self.tab.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.tab.on("requestfailed", self.failed)
        self.tab.on(
            "response", lambda answer: answer.status >= 400 and self.faults.append(f"{answer.status}: {answer.url}")
        )
        self.tab.on("request", lambda request: self.asked.append(request.url))

    def failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # by leaving the page before it was loaded
            self.faults.append(f"failed: {request.url}: {request.failure}")

    def name(self) -> str:
        """Folder and file of the page, once its scripts have run and hear keys."""
        self.tab.wait_for_load_state("load")
        return "/".join(self.tab.url.split("/")[-2:])

    def pictures_shown(self) -> bool:
        """Whether there are pictures, and those in the window can be seen within five seconds."""
        script = """document.images.length > 0 && Array.from(document.images)
          .filter((image) => image.checkVisibility() && image.getBoundingClientRect().top < innerHeight)
          .every((image) => image.naturalWidth > 0)"""
        for _ in range(50):
            if self.tab.evaluate(script):
                return True
            self.tab.wait_for_timeout(100)
        return False


def until(tab: Page, condition: str) -> None:
    """Wait until a condition holds in the page, which forbids evaluating texts by itself."""
    for _ in range(100):
        if tab.evaluate(f"() => {condition}"):
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"{condition} does not hold at {tab.url}")


def test_home_layer_channel_next_by_key_and_back(chromium: Browser, start: str) -> None:
    one = Watched(chromium)
    tab = one.tab
    tab.goto(start)
    assert one.pictures_shown()
    tab.click("text=InceptionV3, first look >> nth=1")
    assert one.name() == "toy/index.html"
    assert one.pictures_shown()
    tab.click("h3 >> text=mixed0")
    assert one.name() == "mixed0/index.html"
    assert one.pictures_shown()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_url("**/mixed2/index.html")
    tab.keyboard.press("ArrowLeft")
    tab.wait_for_url("**/mixed0/index.html")
    tab.click("a.cell >> nth=3")
    assert one.name() == "mixed0/3.html"
    assert one.pictures_shown()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_url("**/mixed0/4.html")
    tab.keyboard.press("ArrowLeft")
    tab.wait_for_url("**/mixed0/3.html")
    tab.keyboard.press("Alt+ArrowRight")
    tab.click(".pager .next")
    assert one.name() == "mixed0/4.html"
    tab.go_back()
    assert one.name() == "mixed0/3.html"
    tab.click(".path .home")
    assert one.name() == "toy/index.html"
    assert one.pictures_shown()
    tab.keyboard.press("u")
    tab.wait_for_url(start)
    tab.go_back()
    tab.click(".path a >> nth=0")
    assert tab.url == start
    assert one.faults == []
    origin = start.split("/index.html")[0]
    assert all(address.startswith(origin) for address in one.asked)
    one.context.close()


def looks(tab: Page) -> Iterator[tuple[int, str]]:
    """The page that is open, in windows of each width and in either scheme: the first is the one it was opened in."""
    schemes: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
    for width in (1280, 390):
        for scheme in schemes:
            tab.set_viewport_size({"width": width, "height": 800})
            tab.emulate_media(color_scheme=scheme)
            yield width, scheme
    tab.set_viewport_size({"width": 1280, "height": 800})
    tab.emulate_media(color_scheme="light")


def test_no_page_is_wider_than_the_window(chromium: Browser, site: Path) -> None:
    one = Watched(chromium)
    names = ["index.html", "toy/index.html", "toy/mixed2/index.html", "toy/mixed0/1.html", "toy/mixed0/6.html"]
    names += [
        "toy/mixed2/1.html",
        "toy/_/glossary.html",
        "toy/_/about.html",
        "toy/_/compare.html#mixed0/1,mixed0/2",
        "toy/mixed2/near.html",
        "toy/404.html",
    ]
    more = ["random/mixed0/0.html", "random/predictions/index.html", "random/predictions/2.html"]
    for name in [*names, *more, *WITH_PHOTOS]:
        page, _, fragment = name.partition("#")
        one.tab.goto(f"{(site / page).as_uri()}#{fragment}")
        for width, scheme in looks(one.tab):
            assert one.tab.evaluate("document.documentElement.scrollWidth") <= width, (name, scheme)
            assert one.pictures_shown()
    assert one.faults == []
    one.context.close()


def test_dark_is_dark_and_light_is_light(chromium: Browser, site: Path) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        one = Watched(chromium, scheme=scheme)
        one.tab.goto((site / "toy" / "mixed0" / "1.html").as_uri())
        script = "[getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).color]"
        colours[scheme] = [sum(int(part) for part in colour[4:-1].split(",")) for colour in one.tab.evaluate(script)]
        one.context.close()
    assert colours["light"][0] > 700 > 200 > colours["light"][1]
    assert colours["dark"][0] < 80 < 600 < colours["dark"][1]


def test_the_policy_blocks_what_is_not_ours_and_nothing_of_ours(chromium: Browser, start: str) -> None:
    one = Watched(chromium)
    one.tab.goto(start.replace("index.html", "toy/mixed0/1.html"))
    assert one.pictures_shown()
    assert one.tab.evaluate("document.styleSheets.length") == 1
    assert one.faults == []
    one.tab.evaluate(
        """() => {
          document.body.insertAdjacentHTML("beforeend", '<img src="https://example.org/x.png"><p style="color: red">');
          const script = document.createElement("script");
          script.textContent = "window.injected = true";
          document.body.append(script);
        }"""
    )
    one.tab.wait_for_timeout(200)
    assert one.tab.evaluate("window.injected") is None
    assert (
        one.tab.evaluate("getComputedStyle(document.querySelector('body > p:last-of-type')).color") != "rgb(255, 0, 0)"
    )
    assert sum("Content Security Policy" in fault for fault in one.faults) >= 3
    one.context.close()


def test_everything_reads_without_script(chromium: Browser, site: Path) -> None:
    one = Watched(chromium, script=False)
    one.tab.goto((site / "toy" / "mixed0" / "1.html").as_uri())
    assert one.tab.inner_text("h1") == "mixed0 1"
    assert one.tab.is_visible("svg.plot")
    assert one.tab.is_visible("pre >> nth=0")
    one.tab.click(".pager .next")
    assert one.name() == "mixed0/2.html"
    assert one.faults == []
    one.context.close()


def channels(tab: Page) -> list[int]:
    """The channels that are shown on a layer's page, in their order from the top left."""
    script = """() => Array.from(document.querySelectorAll("a.cell"))
      .map((link) => [link.getBoundingClientRect(), Number(link.querySelector("b").textContent)])
      .filter(([box]) => box.width > 0)
      .sort(([a, ], [b, ]) => Math.abs(a.top - b.top) > 8 ? a.top - b.top : a.left - b.left)
      .map(([, channel]) => channel)"""
    return [int(channel) for channel in tab.evaluate(script)]


def test_a_layer_is_sorted_filtered_and_shared_by_its_address(chromium: Browser, start: str) -> None:
    one = Watched(chromium)
    tab = one.tab
    page = start.replace("index.html", "toy/mixed0/index.html")
    tab.goto(page)
    assert channels(tab) == list(range(16))
    tab.select_option("[name=sort]", "dead")
    until(tab, "location.hash === '#sort=dead'")
    assert channels(tab)[-3:] == [5, 6, 7]
    tab.select_option("[name=sort]", "score")
    until(tab, "location.hash === '#sort=score'")
    by_score = channels(tab)
    tab.select_option("[name=sort]", "like")
    tab.fill("[name=like]", "4")
    until(tab, "location.hash.includes('like=4')")
    by_likeness = channels(tab)
    assert by_likeness[0] == 4
    assert by_likeness != by_score
    tab.select_option("[name=only]", "live")
    until(tab, "location.hash.includes('only=live')")
    assert set(channels(tab)) == set(range(16)) - {5, 6, 7}
    tab.select_option("[name=only]", "dead")
    until(tab, "location.hash.includes('only=dead')")
    assert channels(tab) == [5]
    tab.select_option("[name=only]", "live")
    until(tab, "location.hash.includes('only=live')")
    assert tab.inner_text("output") == "13 of 16"
    shared = tab.url
    tab.goto(start)
    tab.goto(shared)
    until(tab, "document.querySelector('output').textContent === '13 of 16'")
    assert channels(tab) == [channel for channel in by_likeness if channel not in (5, 6, 7)]
    tab.check("[name=map]")
    until(tab, "location.hash.includes('map=1')")
    boxes = tab.evaluate("Array.from(document.querySelectorAll('.map li')).filter((one) => !one.hidden).length")
    assert boxes == 13
    tab.goto(start)
    tab.goto(f"{page}#sort=nonsense&branch=nowhere&only=no&size=huge&like=999&find=")
    until(tab, "document.getElementById('view').hidden === false")
    assert channels(tab) == list(range(16))
    assert one.faults == []
    one.context.close()


def test_a_channel_s_neighbours_follow_the_order_of_its_layer(chromium: Browser, start: str) -> None:
    one = Watched(chromium)
    tab = one.tab
    tab.goto(start.replace("index.html", "toy/mixed0/index.html"))
    tab.select_option("[name=sort]", "score")
    until(tab, "location.hash === '#sort=score'")
    tab.select_option("[name=only]", "live")
    until(tab, "location.hash.includes('only=live')")
    order = channels(tab)
    tab.click("a.cell:visible >> nth=1")
    tab.wait_for_url(f"**/mixed0/{order[1]}.html#sort=score&only=live")
    until(tab, f"document.querySelector('.pager .next').href.includes('/{order[2]}.html#')")
    assert tab.inner_text(".pager .prev").split() == ["Previous", "by", "score", str(order[0])]
    tab.keyboard.press("ArrowLeft")
    tab.wait_for_url(f"**/mixed0/{order[0]}.html#sort=score&only=live")
    until(tab, "!document.querySelector('.pager .prev')")
    tab.keyboard.press("u")
    tab.wait_for_url("**/mixed0/index.html#sort=score&only=live")
    until(tab, f"document.querySelector('output').textContent === '{len(order)} of 16'")
    assert channels(tab) == order
    tab.select_option("[name=sort]", "number")
    tab.select_option("[name=only]", "")
    until(tab, "location.hash === ''")
    tab.click("a.cell >> nth=3")
    tab.wait_for_url("**/mixed0/3.html")
    assert one.faults == []
    one.context.close()


def test_the_controls_of_a_layer_stay_in_sight(chromium: Browser, site: Path) -> None:
    one = Watched(chromium)
    one.tab.goto((site / "toy" / "mixed0" / "index.html").as_uri())
    one.tab.fill("[name=size]", "224")
    one.tab.mouse.wheel(0, 700)
    until(one.tab, "scrollY > 300")
    assert one.tab.locator("#view").bounding_box()["y"] == 0  # type: ignore[index]
    one.context.close()


def test_from_a_photo_to_a_layer_to_a_channel_and_back(chromium: Browser, start: str) -> None:
    one = Watched(chromium)
    tab = one.tab
    tab.goto(start.replace("index.html", "with-photos/index.html"))
    tab.click(".tools >> text=Photos")
    tab.wait_for_url("**/_/photos/index.html")
    assert one.pictures_shown()
    tab.click("text=chelsea.png")
    tab.wait_for_url("**/_/photos/chelsea/index.html")
    assert one.pictures_shown()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_url("**/_/photos/cats-tabby-one/index.html")
    tab.keyboard.press("ArrowLeft")
    tab.wait_for_url("**/_/photos/chelsea/index.html")
    tab.click("h3 >> text=mixed0")
    tab.wait_for_url("**/_/photos/chelsea/mixed0.html")
    tab.keyboard.press("ArrowLeft")
    tab.wait_for_url("**/_/photos/chelsea/pool2.html")
    tab.keyboard.press("ArrowRight")
    tab.wait_for_url("**/_/photos/chelsea/mixed0.html")
    tab.click("nav.beside a >> nth=2")
    tab.wait_for_url("**/_/photos/coffee/mixed0.html")
    tab.keyboard.press("u")
    tab.wait_for_url("**/_/photos/coffee/index.html")
    tab.keyboard.press("u")
    tab.wait_for_url("**/_/photos/index.html")
    tab.goto(start.replace("index.html", "with-photos/_/photos/chelsea/mixed0.html"))
    assert tab.locator(".of-maps a.cell").count() == 9  # the channels that the atlas shows
    assert tab.locator(".of-maps .cell").count() == 256
    tab.click(".of-maps a.cell >> nth=4")
    tab.wait_for_url("**/with-photos/mixed0/4.html")
    tab.locator("#on-photos").scroll_into_view_if_needed()
    assert one.pictures_shown()
    tab.click(".on-photos .dots >> nth=1")
    tab.wait_for_url("**/_/photos/cats-tabby-one/mixed0.html#c4")
    assert one.faults == []
    one.context.close()


def test_maps_are_loaded_when_they_come_near(chromium: Browser, site: Path) -> None:
    one = Watched(chromium)
    one.tab.goto((site / "with-photos" / "mixed0" / "1.html").as_uri(), wait_until="networkidle")
    assert not any(address.endswith(("_photos.webp", "_all.webp")) for address in one.asked)
    one.tab.locator("#on-photos").scroll_into_view_if_needed()
    until(one.tab, "Array.from(document.querySelectorAll('.on-photos img')).every((image) => image.naturalWidth)")
    assert sum(address.endswith("mixed0/1._photos.webp") for address in one.asked) == 1
    assert sum(address.endswith("_/photos/_all.webp") for address in one.asked) == 1
    one.context.close()


def test_a_tile_shows_its_own_photo_and_map(chromium: Browser, site: Path) -> None:
    one = Watched(chromium, script=False)
    one.tab.goto((site / "with-photos" / "mixed0" / "2.html").as_uri())
    with Image.open(site / "with-photos" / "mixed0" / "2._photos.webp") as image:
        sheet = np.asarray(image.convert("RGB"), int)
    side = sheet.shape[0]
    for column in range(3):
        tile = one.tab.locator(".on-photos .dots").nth(column)
        tile.scroll_into_view_if_needed()
        shot = Image.open(io.BytesIO(tile.screenshot())).convert("RGB")
        for row, place in ((0, 0), (side // 2, side // 3), (side - 1, side - 1)):
            wanted = sheet[row, column * side + place]
            at = [int((spot + 0.5) / side * length) for spot, length in ((place, shot.width), (row, shot.height))]
            assert np.abs(np.array(shot.getpixel((at[0], at[1]))) - wanted).max() <= 3
    one.context.close()


def test_search_finds_channels_states_and_notes(chromium: Browser, start: str) -> None:
    one = Watched(chromium)
    tab = one.tab
    tab.goto(start.replace("index.html", "toy/mixed0/1.html"))
    assert not any("search.js" in address for address in one.asked)
    for query, found in (
        ("mixed2 7", ["mixed2 7"]),
        ("mixed2/7", ["mixed2 7"]),
        ("dead", ["mixed0 5", "mixed2 5"]),
        ("MIXED0 failed", ["mixed0 6"]),
        ("zigzag", ["mixed0 3"]),
        ("nothing of the kind", []),
    ):
        tab.keyboard.press("/")
        tab.fill("#search input", query)
        until(tab, f"document.querySelectorAll('.found li').length === {len(found)}")
        assert tab.locator(".found b").all_inner_texts() == found
        tab.keyboard.press("Escape")
    tab.keyboard.press("/")
    tab.fill("#search input", "mixed2")
    until(tab, "document.querySelectorAll('.found li').length === 12")
    assert tab.locator(".found b").first.inner_text() == "mixed2"
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/mixed2/index.html")
    tab.go_back()
    assert one.pictures_shown()
    tab.keyboard.press("/")
    tab.fill("#search input", "mixed2 3")
    until(tab, "document.querySelectorAll('.found li').length === 2")  # a note of mixed0 3 names mixed2
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/mixed2/3.html")
    tab.keyboard.press("r")
    tab.wait_for_url(re.compile(r"/(?!mixed2/3\.html)(mixed0|mixed2)/\d+\.html$"))  # never the same once more
    tab.keyboard.press("u")
    tab.wait_for_url("**/index.html")
    assert one.faults == []
    one.context.close()


def test_pictures_are_compared_by_address(chromium: Browser, start: str) -> None:
    one = Watched(chromium)
    tab = one.tab
    tab.goto(start.replace("index.html", "toy/mixed0/1.html"))
    tab.keyboard.press("c")
    tab.wait_for_url("**/_/compare.html#mixed0/1,**")
    tab.goto(start.replace("index.html", "toy/_/compare.html#mixed0/1,mixed0/1@negative,random:mixed0/2,mixed2/6"))
    until(tab, "document.querySelectorAll('#comparison li').length === 4")
    assert tab.locator("#comparison h2").all_inner_texts() == ["mixed0 1", "mixed0 1", "random: mixed0 2", "mixed2 6"]
    assert one.pictures_shown()
    tab.fill("[name=what]", "mixed2 4")
    tab.click("#add button")
    until(tab, "document.querySelectorAll('#comparison li').length === 5")
    tab.click("[aria-label='Remove mixed2/6']")
    until(tab, "document.querySelectorAll('#comparison li').length === 4")
    assert tab.url.endswith("#mixed0/1,mixed0/1@negative,random:mixed0/2,mixed2/4")
    assert one.faults == []
    tab.goto(start.replace("index.html", "toy/_/compare.html#nowhere/1,mixed0/99"))
    until(tab, "document.querySelectorAll('#comparison li').length === 2")
    said = tab.inner_text("#comparison")
    assert "nowhere/1: there is no such layer" in said
    assert "mixed0/99: there is no such channel" in said
    tab.goto("about:blank")
    one.faults.clear()
    odd = "%,mixed0/1@constructor,mixed0/1,mixed0/1"
    tab.goto(start.replace("index.html", f"toy/_/compare.html#{odd}"))
    until(tab, "document.querySelectorAll('#comparison li').length === 4")
    assert "%: expected layer/channel" in tab.inner_text("#comparison")
    assert "mixed0/1@constructor: there is no such recipe" in tab.inner_text("#comparison")
    tab.locator("[aria-label='Remove mixed0/1']").first.click()
    until(tab, "document.querySelectorAll('#comparison li').length === 3")
    assert one.faults == []
    one.context.close()


def test_a_picture_fills_the_window_and_texts_are_copied(chromium: Browser, start: str) -> None:
    one = Watched(chromium)
    tab = one.tab
    one.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.goto(start.replace("index.html", "toy/mixed0/1.html"))
    tab.click(".main .picture")
    assert tab.locator("dialog[open] .stage img").bounding_box()["width"] > 600  # type: ignore[index]
    tab.keyboard.press("Escape")
    assert tab.locator("dialog[open]").count() == 0
    tab.keyboard.press("z")
    assert tab.locator("dialog[open]").count() == 1
    tab.keyboard.press("z")
    assert tab.locator("dialog[open]").count() == 0
    tab.click(".pictures .picture >> nth=0")
    assert tab.get_attribute("dialog[open] .stage img", "src").endswith("mixed0/1.negative.webp")  # type: ignore[union-attr]
    box = tab.locator("dialog[open] .stage img").bounding_box()
    assert box["height"] == 800  # type: ignore[index]
    tab.keyboard.press("Escape")
    tab.click("[data-copy=citation]")
    until(tab, "document.querySelector('[data-copy=citation]').textContent !== 'Copy'")
    assert tab.inner_text("[data-copy=citation]") == "Copied"
    assert tab.evaluate("navigator.clipboard.readText()").startswith("@misc{toy-mixed0-1,")
    tab.keyboard.press("?")
    assert "a random channel" in tab.inner_text("#keys")
    assert one.faults == []
    one.context.close()


def test_real_images_are_loaded_when_they_come_into_sight(chromium: Browser, start: str) -> None:
    one = Watched(chromium)
    one.tab.goto(start.replace("index.html", "toy/mixed2/1.html"))
    assert one.pictures_shown()
    assert not any("_images.webp" in address for address in one.asked)
    one.tab.locator("#images").scroll_into_view_if_needed()
    one.tab.mouse.wheel(0, 600)
    until(one.tab, "document.querySelector('.exemplars img').naturalWidth > 0")
    assert sum("_images.webp" in address for address in one.asked) == 1
    one.tab.click("text=pictures and images on a map")
    assert one.name() == "mixed2/near.html"
    assert one.pictures_shown()
    one.tab.click(".among a >> nth=2")
    one.tab.wait_for_url("**/mixed2/*.html")
    assert one.faults == []
    one.context.close()


@pytest.mark.parametrize(("side", "drawn"), [(40, 80), (128, 256), (300, 512)])
def test_a_picture_is_drawn_at_two_pixels_of_the_page_to_one_of_its_own_at_most(
    chromium: Browser, make_atlas: Callable[..., dict[str, Any]], store: Store, tmp_path: Path, side: int, drawn: int
) -> None:
    record = make_atlas(store, layers={"mixed0": 2}, distinct=2, side=side)
    write_atlas(record, store, tmp_path / "out")
    one = Watched(chromium)
    sizes = "Array.from(document.images).map((one) => [one.getBoundingClientRect().width, one.naturalWidth])"
    for page in ("index.html", "mixed0/index.html", "mixed0/1.html", "_/compare.html#mixed0/0,mixed0/1"):
        one.tab.goto(f"{(tmp_path / 'out').as_uri()}/{page}")
        assert one.pictures_shown()
        if page == "mixed0/1.html":
            assert (
                one.tab.evaluate("document.querySelector('.main .picture img').getBoundingClientRect().width") == drawn
            )
        # some are still on their way
        assert wait_for(lambda: all(width <= 2 * own + 1 for width, own in one.tab.evaluate(sizes)), 20)
    assert one.faults == []
    one.context.close()


@pytest.mark.parametrize("pixels", [1, 2])
def test_thumbnails_are_sharp_on_a_screen_with_two_pixels_in_one_of_the_page(
    chromium: Browser, make_atlas: Callable[..., dict[str, Any]], store: Store, tmp_path: Path, pixels: int
) -> None:
    """As large as they are drawn, or as the picture itself; a screen with one pixel loads the small ones only."""
    write_atlas(make_atlas(store, layers={"mixed0": 2}, distinct=2, side=128), store, tmp_path / "out")
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, device_scale_factor=pixels)
    tab = context.new_page()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    for page, folder, small, side in (
        ("index.html", "home", ".crop", 112),
        ("mixed0/index.html", "thumbs", ".cell img", 96),
    ):
        tab.goto((tmp_path / "out" / page).as_uri())
        tab.locator(small).first.scroll_into_view_if_needed()
        for _ in range(200):  # pictures may be asked for after a moment in which nothing is
            if any(f"/{folder}/" in url for url in asked):
                break
            tab.wait_for_timeout(50)
        tab.wait_for_load_state("networkidle")
        shown = [url for url in asked if f"/{folder}/" in url]
        assert shown
        assert all(("/_/2x/" in url) == (pixels == 2) for url in shown)
        width = tab.evaluate(f"document.querySelector('{small}').getBoundingClientRect().width")
        assert 80 < width <= side + 8
    context.close()


@pytest.mark.parametrize("count", [5, 12])  # frames, the finished picture among them
def test_the_ascent_is_scrubbed_and_played(
    chromium: Browser, make_atlas: Callable[..., dict[str, Any]], store: Store, tmp_path: Path, count: int
) -> None:
    record = make_atlas(store, layers={"mixed0": 2}, recipes=("main",), distinct=2, side=16)
    entry = store.get(record["layers"][0]["channels_shown"][1]["renderings"]["main"]["key"])
    shown = np.zeros((count, 16, 16, 3), np.uint8)
    shown[..., 0] = 20 * np.arange(count)[:, None, None]
    steps = list(range(0, 4 * count - 4, 4))
    described = {**entry.record, "frames": {"every": 4, "steps": steps, "columns": FRAME_COLUMNS}}
    frames = {**entry.artefacts, "frames": np.frombuffer(frame_sheet(shown), np.uint8)}
    store.put(type(entry)(entry.key, described, entry.picture, frames))
    write_atlas(record, store, tmp_path / "out")
    one = Watched(chromium)
    one.tab.goto((tmp_path / "out" / "mixed0" / "1.html").as_uri())
    slider = one.tab.locator(".ascent input")
    assert int(slider.get_attribute("max") or 0) == count - 1
    for frame in (0, 2, count - 2):
        slider.fill(str(frame))
        assert one.tab.inner_text(".ascent output") == f"step {4 * frame}"
        until(one.tab, "document.querySelector('.frames').naturalWidth > 0")
        shot = Image.open(io.BytesIO(one.tab.locator(".main .picture").screenshot())).convert("RGB")
        red, _, _ = shot.getpixel((shot.width // 2, shot.height // 2))  # type: ignore[misc]
        assert abs(red - 20 * frame) < 8
    one.tab.click(".ascent button")
    until(one.tab, "document.querySelector('.ascent output').textContent === 'step 64'")
    assert one.tab.inner_text(".ascent button") == "Play"
    assert one.faults == []
    one.context.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_weights_come_when_they_are_nearly_seen_each_from_its_place_on_the_sheet(
    chromium: Browser, site: Path, width: int
) -> None:
    page = site / "toy" / "mixed2" / "1.html"
    one = Watched(chromium, width)
    one.tab.goto(page.as_uri(), wait_until="networkidle")
    assert not any("_weights" in address for address in one.asked)
    one.tab.locator("#weights").scroll_into_view_if_needed()
    until(one.tab, "!document.querySelector('.wires.later')")
    until(one.tab, "Array.from(document.querySelectorAll('.wires img')).every((one) => one.naturalWidth > 0)")
    assert sum("_weights" in address for address in one.asked) == 1
    with Image.open(page.with_name("1._weights.webp")) as image:
        sheet = np.asarray(image.convert("RGBA")).astype(float)
    paper = np.array([253, 253, 252])
    kernels = one.tab.locator(".wires .kernel img")
    assert kernels.count() == 10
    rooms = [sheet[:, 40 * place : 40 * place + 40] for place in range(10)]
    expected = [paper + (room[..., :3] - paper) * room[..., 3:] / 255 for room in rooms]
    for place in range(10):
        shot = np.asarray(Image.open(io.BytesIO(kernels.nth(place).screenshot())).convert("RGB")).astype(float)
        unlike = [np.abs(shot[:40, :40] - other).mean() for other in expected]
        assert np.argmin(unlike) == place
    assert one.faults == []
    one.tab.locator(".wires a").first.click()
    assert one.name() == "mixed0/1.html"
    one.context.close()


# What axe-core finds by colours and by where things stand; its other rules read the marks, the same in every window.
BY_LOOKS = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"]


def test_everybody_can_use_it(chromium: Browser, site: Path) -> None:
    """axe-core finds nothing on any kind of page: by all its rules wide and light, by those of looks narrow and dark.

    Its rules of looks are of colours, which the width does not change, or of places, which the scheme does not.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
    tab, axe = context.new_page(), Axe()
    names = ["index.html", "toy/mixed0/6.html", "toy/mixed2/1.html", "toy/mixed2/near.html"]
    names += ["toy/_/glossary.html", "toy/_/about.html", "toy/_/compare.html#mixed0/1,mixed0/2", "toy/404.html"]
    names += ["toy/mixed2/index.html#sort=like&like=1", "toy/mixed2/index.html#map=1"]
    names += ["random/index.html", "random/mixed0/2.html", "random/predictions/index.html", "random/predictions/2.html"]
    names += [*WITH_PHOTOS, "with-photos/_/photos/chelsea/pool1.html#c3"]
    run = "(options) => axe.run(document, options).then((found) => found.violations)"
    for name in names:
        page, _, fragment = name.partition("#")
        tab.goto("about:blank")  # else a page of another fragment is not loaded again
        tab.goto(f"{(site / page).as_uri()}#{fragment}", wait_until="networkidle")
        tab.evaluate(axe.axe_script)
        rules: dict[str, Any] = {}
        for width, scheme in [(1280, "light"), (390, "dark")]:
            tab.emulate_media(color_scheme=scheme)
            tab.set_viewport_size({"width": width, "height": 800})
            found = tab.evaluate(run, {"resultTypes": ["violations"], **rules})
            assert [f"{one['id']}: {one['nodes'][0]['html']}" for one in found] == [], (name, width, scheme)
            rules = {"runOnly": {"type": "rule", "values": BY_LOOKS}}
    context.close()


def test_every_page_is_valid_html(site: Path) -> None:
    for page in sorted(site.rglob("*.html")):
        parser = html5lib.HTMLParser(strict=False)
        parser.parse(page.read_text())
        faults = [(place, kind) for place, kind, _ in parser.errors]
        assert faults == [], page
