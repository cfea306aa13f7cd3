"""A store that looks like a built one: drawn pictures, two recipes, channels dead, failed and missing."""

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from atlas.store.entry import Entry
from atlas.store.store import Store

BRANCHES = [("1x1", 0, 63), ("5x5", 64, 127), ("double 3x3", 128, 223), ("pool", 224, 287)]
OUTLINE = [  # name, channels, receptive field, stride, kind
    ("stem1", 32, 3, 2, "activation"),
    ("stem2", 32, 7, 2, "activation"),
    ("stem3", 64, 11, 2, "activation"),
    ("pool1", 64, 15, 4, "pool"),
    ("mixed0", 256, 63, 8, "concat"),
    ("mixed1", 288, 95, 8, "concat"),
    ("mixed2", 288, 127, 8, "concat"),
    ("mixed3", 768, 143, 16, "concat"),
    ("mixed4", 768, 335, 16, "concat"),
    ("mixed5", 768, 527, 16, "concat"),
    ("avg_pool", 2048, None, 32, "pool"),
]


def picture(seed: int, side: int = 128) -> bytes:
    """A lossless WebP of coloured, warped waves: as busy as the real ones, and another for each seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side * 6.283
    for _ in range(3):
        a, b, c, d = rng.uniform(-2.5, 2.5, 4)
        x, y = x + 0.5 * np.sin(a * y + b), y + 0.5 * np.sin(c * x + d)
    frequency, angle = rng.uniform(1, 7), rng.uniform(0, 3.14)
    wave = np.sin(frequency * (x * np.cos(angle) + y * np.sin(angle)))
    wave = wave + np.sin(rng.uniform(1, 5) * np.hypot(x - 3, y - 3)) * rng.uniform(0, 1.2)
    hue = np.stack([np.sin(rng.uniform(0.2, 1.6) * (x + y * k) + rng.uniform(0, 6)) for k in (-1, 0.3, 1)], -1)
    image = 0.5 + 0.24 * wave[..., None] + 0.2 * hue + rng.normal(0, 0.05, (side, side, 1))
    stream = io.BytesIO()
    Image.fromarray((image.clip(0, 1) * 255).astype(np.uint8)).save(stream, "WEBP", lossless=True, method=0)
    return stream.getvalue()


def recipe(sign: int) -> dict[str, Any]:
    return {
        "base": "default",
        "parameterization": {"name": "fourier", "decay": 1.0, "decorrelate": True},
        "transforms": [{"name": "shift", "pixels": 8}, {"name": "scale", "from": 0.9, "to": 1.1}],
        "objective": {"name": "channel", "weight": sign},
        "optimizer": {"name": "adam", "rate": 0.05},
        "size": 128,
        "steps": 64,
        "seed": 0,
    }


def entry(key: str, layer: str, channel: int, sign: int, state: str, pixels: bytes, side: int) -> Entry:
    seed = int(key[:8], 16)
    rng = np.random.default_rng(seed)
    end = 0.0 if state == "dead" else float(rng.uniform(1, 9))
    steps = np.arange(64)
    trace = end * (1 - np.exp(-steps / 14)) + rng.normal(0, 0.06 * abs(end), 64)
    record = {
        "network": "inceptionv3",
        "layer": layer,
        "channel": channel,
        "recipe": recipe(sign),
        "size": [side, side],
        "state": state,
        "attempt": 2 if state == "dead" else 0,
        "attempts": 4,
        "seed": seed,
        "steps": 64,
        "score": {"start": 0.012, "grey": 0.0, "end": round(end, 4)},
        "max": {"start": 0.2, "end": round(3 * end, 4)},
        "kernel": 1,
        "versions": {"tensorflow": "2.21.0"},
    }
    return Entry(key, record, pixels, {"trace": np.stack([trace] * 4, 1).astype(np.float32)} if channel != 3 else {})


def make(
    store: Store,
    name: str = "toy",
    layers: dict[str, int] | None = None,
    *,
    recipes: tuple[str, ...] = ("main", "negative"),
    weights: str = "embedded",
    distinct: int = 1000,
    side: int = 128,
) -> dict[str, Any]:
    """Fill the store with an atlas that shows the first channels of ``layers`` (name to number) and give its record.

    Of every layer channel 5 is dead, 6 failed and 7 missing. At most ``distinct`` pictures are drawn: the rest repeat.
    """
    layers = layers or {"mixed0": 16, "mixed2": 10}
    drawn: dict[int, bytes] = {}
    facts = {row[0]: row for row in OUTLINE}
    described = []
    for depth, (layer, shown) in enumerate(layers.items()):
        _, channels, field, stride, kind = facts[layer]
        listed = []
        for channel in range(shown):
            renderings: dict[str, Any] = {}
            for order, which in enumerate(recipes):
                state = {5: "dead", 6: "failed", 7: "missing"}.get(channel, "activated") if order == 0 else "activated"
                renderings[which] = {"key": None, "state": state}
                if state == "failed":
                    renderings[which]["error"] = "the score became NaN at step 12; try a smaller rate"
                if state in ("activated", "dead"):
                    key = f"{depth * 1_000_000 + channel * 10 + order:08x}" + "ab" * 28
                    number = (depth * 7919 + channel * 2 + order) % distinct
                    if number not in drawn:
                        drawn[number] = picture(number, side)
                    sign = 1 if order == 0 else -1
                    store.put(entry(key, layer, channel, sign, state, drawn[number], side))
                    renderings[which]["key"] = key
            listed.append({"channel": channel, "renderings": renderings})
        described.append(
            {
                "name": layer,
                "channels": channels,
                "receptive_field": field,
                "stride": stride,
                "kind": kind,
                "relu": True,
                "branches": [{"name": b, "first": f, "last": t} for b, f, t in BRANCHES] if layer == "mixed2" else [],
                "recipes": {which: recipe(1 if order == 0 else -1) for order, which in enumerate(recipes)},
                "whole": {},
                "channels_shown": listed,
            }
        )
    record = {
        "schema": 2,
        "name": name,
        "title": "InceptionV3, first look",
        "network": {
            "id": "inceptionv3",
            "title": "InceptionV3",
            "size": 299,
            "paper": "Szegedy et al. 2015, Rethinking the Inception Architecture for Computer Vision, https://arxiv.org/abs/1512.00567",
            "note": "",
        },
        "weights": {
            "kind": weights,
            "digest": "0" * 64,
            "description": "ImageNet, input to mixed4, 8 bit" if weights != "random" else "random, seed 7",
            "licence": "MIT, Apache-2.0" if weights != "random" else "",
            "seed": 7,
        },
        "kernel": 1,
        "recipes": list(recipes),
        "outline": [
            {
                "name": row[0],
                "channels": row[1],
                "receptive_field": row[2],
                "stride": row[3],
                "kind": row[4],
                "feature": row[4] != "pool",
                "relu": True,
                "in_atlas": row[0] in layers,
            }
            for row in OUTLINE
        ],
        "layers": described,
    }
    store.put_atlas(name, record)
    return record


@pytest.fixture(scope="session")
def make_atlas() -> Callable[..., dict[str, Any]]:
    return make


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shelf with two atlases, ``toy`` and ``random``: built once, only to be read."""
    from atlas.pages.write import write_atlas, write_shelf

    folder = tmp_path_factory.mktemp("built")
    toy = Store(folder / "store")
    write_atlas(make(toy), toy, folder / "site" / "toy")
    write_atlas(
        make(toy, "random", {"mixed0": 4}, weights="random", recipes=("main",)), toy, folder / "site" / "random"
    )
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
    toy = Store(folder / "store")
    few = {"mixed0": 16, "mixed2": 16, "mixed3": 16, "mixed4": 16}
    many = {"mixed0": 256, "mixed2": 288, "avg_pool": 2048}
    write_atlas(make(toy, layers=few), toy, folder / "site" / "quickstart")
    write_atlas(make(toy, "wide", many, distinct=300), toy, folder / "site" / "wide")
    write_atlas(make(toy, "random", weights="random", recipes=("main",)), toy, folder / "site" / "random")
    write_shelf(folder / "site")
