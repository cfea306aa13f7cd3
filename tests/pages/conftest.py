"""Sites of drawn pictures, and a browser."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from atlas.store.store import Store
from tests.pages.looked import with_images
from tests.pages.synthetic import make


@pytest.fixture(scope="session")
def make_atlas() -> Callable[..., dict[str, Any]]:
    return make


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shelf with three atlases, ``toy``, ``random`` and ``with-photos``: built once, only to be read."""
    from atlas.pages.theme import Theme
    from atlas.pages.write import write_atlas, write_shelf

    folder = tmp_path_factory.mktemp("built")
    toy = Store(str(folder / "store"))
    notes = {"mixed0": {"3": {"name": "zigzags", "text": "as mixed2 4"}}}
    write_atlas(with_images(toy, make(toy, notes=notes)), toy, folder / "site" / "toy", Theme(shelf=True))
    names = ("jay", "magpie", "a bird with a very long name, of the kind that lists of classes have", *"abcdefghi")
    layers = {"mixed0": 4, "predictions": 4}
    few = make(toy, "random", layers, weights="random", recipes=("main",), class_names=names)
    write_atlas(few, toy, folder / "site" / "random", Theme(shelf=True))
    photos = ("chelsea.png", "cats/tabby one.jpg", "coffee.webp")
    seen = make(toy, "with-photos", {"mixed0": 9, "mixed2": 3}, recipes=("main",), photos=photos, by="Lucid")
    write_atlas(seen, toy, folder / "site" / "with-photos", Theme(shelf=True))
    assert write_shelf(folder / "site") is None
    return folder / "site"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. A test that needs it fails where it is missing: the test script installs it."""
    arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        yield browser
        browser.close()


if __name__ == "__main__":  # a site to look at: PYTHONPATH=. python tests/pages/conftest.py FOLDER
    from atlas.pages.write import write_atlas, write_shelf

    folder = Path(sys.argv[1])
    toy = Store(str(folder / "store"))
    few = {"mixed0": 16, "mixed2": 16, "mixed3": 16, "mixed4": 16}
    many = {"mixed0": 256, "mixed2": 288, "mixed10": 2048}
    write_atlas(make(toy, layers=few), toy, folder / "site" / "quickstart")
    write_atlas(make(toy, "wide", many, distinct=300), toy, folder / "site" / "wide")
    write_atlas(make(toy, "random", weights="random", recipes=("main",)), toy, folder / "site" / "random")
    write_shelf(folder / "site")
