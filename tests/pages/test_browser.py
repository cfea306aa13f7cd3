"""A person's way through the site in a real browser: from disk and from the server, wide and narrow, light and dark."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Request

from atlas.pages.serve import serve


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
        return "/".join(self.tab.url.split("/")[-2:])

    def pictures_shown(self) -> bool:
        """Whether there are pictures, and all of them can be seen within five seconds."""
        script = "document.images.length > 0 && Array.from(document.images).every((i) => i.naturalWidth > 0)"
        for _ in range(50):
            if self.tab.evaluate(script):
                return True
            self.tab.wait_for_timeout(100)
        return False


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
    tab.click(".path a >> nth=0")
    assert one.name() == "toy/index.html"
    assert one.faults == []
    origin = start.split("/index.html")[0]
    assert all(address.startswith(origin) for address in one.asked)
    one.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_window(
    chromium: Browser, site: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    one = Watched(chromium, width, scheme)
    names = ["index.html", "toy/index.html", "toy/mixed2/index.html", "toy/mixed0/1.html", "toy/mixed0/6.html"]
    for name in [*names, "random/mixed0/0.html"]:
        one.tab.goto((site / name).as_uri())
        assert one.tab.evaluate("document.documentElement.scrollWidth") <= width, name
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
    assert one.tab.evaluate("document.styleSheets.length") == 4
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


def test_each_cell_shows_its_own_thumbnail(chromium: Browser, site: Path) -> None:
    """The cropped cell of a channel has the colours of the channel's own picture, and no other's."""
    import io

    import numpy as np
    from PIL import Image

    one = Watched(chromium)
    one.tab.goto((site / "toy" / "mixed2" / "index.html").as_uri())
    assert one.pictures_shown()
    wanted = {}
    shown = {}
    for channel in (0, 1, 2, 3, 4, 8, 9):
        with Image.open(site / "toy" / "mixed2" / f"{channel}.webp") as picture:
            wanted[channel] = np.asarray(picture.convert("RGB").resize((16, 16)), float)
        cell = one.tab.locator(f'a.cell[href="{channel}.html"] .crop').screenshot()
        shown[channel] = np.asarray(Image.open(io.BytesIO(cell)).convert("RGB").resize((16, 16)), float)
    for channel, pixels in shown.items():
        distances = {other: float(np.abs(pixels - truth).mean()) for other, truth in wanted.items()}
        assert min(distances, key=lambda other: distances[other]) == channel
        assert distances[channel] < 16
    one.context.close()
