"""Photographs a built atlas in Chromium: ``python scripts/screenshots.py SITE OUT``.

SITE is the folder of one atlas. OUT receives every kind of page, at 1280 and 390 px, light and dark, from ``file://``.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = "/usr/bin/chromium"  # Debian's
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars"]
WIDTHS = {1280: 860, 390: 844}  # viewport width to height, px
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def pages(site: Path) -> Iterator[tuple[str, str]]:
    """Names and addresses of the pages to photograph: of the largest layer, a channel that has two neighbours."""
    yield "home", _address(site / "index.html")
    layers = (path.parent for path in site.glob("*/index.html"))
    layer = max(layers, key=lambda folder: (len(list(folder.iterdir())), folder.name))
    yield "layer", _address(layer / "index.html")
    yield "map", _address(layer / "index.html") + "#map=1"
    channels = sorted((path for path in layer.glob("*.html") if path.stem.isdigit()), key=lambda path: int(path.stem))
    yield "channel", _address(channels[min(1, len(channels) - 1)])
    if (site / "_/photos/index.html").is_file():
        yield "photos", _address(site / "_/photos/index.html")
        photo = min(path for path in (site / "_/photos").iterdir() if path.is_dir())
        yield "photo", _address(photo / "index.html")
        named = photo / f"{layer.name}.html"
        yield "photo_layer", _address(named if named.is_file() else max(photo.glob("*.html")))
    three = ",".join(f"{layer.name}/{path.stem}" for path in channels[:3])
    yield "compare", f"{_address(site / '_/compare.html')}#{three}"
    yield "about", _address(site / "_/about.html")
    yield "glossary", _address(site / "_/glossary.html")
    yield "404", _address(site / "404.html")
    if (site.parent / "index.html").is_file():
        yield "shelf", _address(site.parent / "index.html")


def _address(path: Path) -> str:
    return path.resolve().as_uri()


def photograph(browser: Browser, site: Path, out: Path) -> None:
    """Write ``<page>-<width>-<scheme>.png`` for every page, the whole page down to 3,000 px."""
    for width, height in WIDTHS.items():
        for scheme in SCHEMES:
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            tab = context.new_page()
            for name, address in pages(site):
                tab.set_viewport_size({"width": width, "height": height})
                tab.goto(address)
                length = min(int(tab.evaluate("document.documentElement.scrollHeight")), 3000)
                tab.set_viewport_size({"width": width, "height": max(length, height)})
                tab.wait_for_load_state("networkidle")
                tab.screenshot(path=out / f"{name}-{width}-{scheme}.png")
            context.close()


def main() -> int:
    if len(sys.argv) != 3 or not (Path(sys.argv[1]) / "index.html").is_file():
        print("usage: python scripts/screenshots.py SITE OUT, SITE being the folder of a built atlas", file=sys.stderr)
        return 2
    out = Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        photograph(browser, Path(sys.argv[1]), out)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
