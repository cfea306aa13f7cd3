"""Photos through the network: one entry for each, made once, under a key of what decides it."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atlas.cli.prepare import prepare
from atlas.engine.photos import Photos, layers_before
from atlas.engine.record import atlas_record
from atlas.engine.run import run
from atlas.images.folders import Source
from atlas.images.loader import open_image
from atlas.networks.load import load
from atlas.probes.maps import feature_maps
from atlas.store.store import Store

CONFIG = """
network: {toy}
weights: random:1
preprocessing: tf
layers: [{{name: left, channels: "0-1"}}]
recipes: {{main: {{size: 32, steps: 2}}}}
probes: {{images: photos, photos: {photos}, size: 40, exemplars: 2{more}}}
compute: {{backend: sequential}}
"""


def paint(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 7, 3)).astype(np.uint8)
    Image.fromarray(pixels).resize((70, 60), Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def building(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Three photos, and a function that builds here and gives what was prepared and which photos were looked at."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(["a.png", "b.png", "cats/c.png"]):
        paint(tmp_path / "photos" / name, seed)

    def make(more: str = "", photos: str = '["*.png"]'):
        (tmp_path / "toy.yaml").write_text(CONFIG.format(toy=toy, more=more, photos=photos))
        prepared, seen = prepare(str(tmp_path / "toy.yaml"), {}, None), []
        parts = prepared.plan, prepared.build, prepared.outcome
        run(*parts, lambda report: None, seen.append, lambda: False, prepared.whole)
        return prepared, [report.layer for report in seen if report.recipe_name == "photos"]

    return make


def test_each_photo_is_looked_at_once_by_all_layers_up_to_the_deepest(building):
    prepared, seen = building()
    assert sorted(seen) == ["a.png", "b.png", "cats/c.png"]
    assert prepared.build.photos.layers == ("first", "pool", "left")
    found = prepared.outcome.found["photos"]
    entry = prepared.store.get(found["b.png"].key)
    shown = open_image("photos/b.png", 40, "middle")
    with Image.open(io.BytesIO(entry.picture)) as image:
        assert image.size == (40, 40)
        assert np.abs(np.asarray(image.convert("RGB"), int) - shown).mean() < 12
    network = load(prepared.request.ref)
    for name, one in feature_maps(network.cut("left", also=["first", "pool"]), shown).items():
        np.testing.assert_array_equal(entry.artefacts[f"{name}/maps"], one.maps)
        np.testing.assert_array_equal(entry.artefacts[f"{name}/largest"], one.largest)
        np.testing.assert_array_equal(entry.artefacts[f"{name}/mean"], one.mean)
    assert entry.record["grids"] == {"first": [40, 40], "pool": [20, 20], "left": [20, 20]}
    again, seen = building()
    assert seen == []
    assert again.complete
    assert {one.key for one in found.values()} <= again.studied  # which `atlas store prune` leaves alone


def test_the_record_says_which_photos_there_are(building):
    prepared, _ = building()
    record = prepared.record()["photos"]
    assert (record["layers"], record["size"]) == (["first", "pool", "left"], 40)
    assert [(one["name"], one["label"]) for one in record["shown"]] == [
        ("a.png", ""),
        ("b.png", ""),
        ("cats/c.png", "cats"),
    ]
    for one in record["shown"]:
        assert prepared.store.get(one["key"]).checksum == one["checksum"]
    assert str(Path.cwd()) not in json.dumps(record)


def test_a_key_goes_by_content_not_by_place_or_name(building, tmp_path):
    first, _ = building()
    (tmp_path / "photos" / "a.png").rename(tmp_path / "photos" / "cats" / "z.png")
    paint(tmp_path / "photos" / "b.png", 9)
    second, seen = building()
    assert seen == ["b.png"]
    old, new = first.outcome.found["photos"], second.outcome.found["photos"]
    assert old["a.png"].key == new["cats/z.png"].key
    assert old["b.png"].key != new["b.png"].key
    _, seen = building(", crop: squeeze")
    assert len(seen) == 3


def test_all_that_decides_maps_is_in_the_key():
    source = Source("/one/a.png", "a.png", "", "12")
    photos = Photos("network", ("first", "pool"), (source,), 40, "middle")
    changes = [
        {"identity": "other"},
        {"layers": ("first", "pool", "left")},
        {"size": 48},
        {"crop": "squeeze"},
    ]
    keys = [photos.key(source), *(replace(photos, **change).key(source) for change in changes)]
    keys.append(photos.key(replace(source, digest="34")))
    assert len(set(keys)) == len(keys)
    assert photos.key(Source("/two/b.jpg", "b.jpg", "two", "12")) == keys[0]


def test_photos_decide_nothing_of_what_else_is_found(building):
    prepared, _ = building()
    fewer, seen = building(photos='["b.png"]')
    assert seen == []
    assert list(fewer.outcome.found["photos"]) == ["b.png"]
    assert fewer.outcome.found["images"] == prepared.outcome.found["images"]


def test_a_photo_that_cannot_be_shown_is_told_and_left_out(building, tmp_path):
    (tmp_path / "photos" / "broken.png").write_bytes(b"\x89PNG\r\n but no more")
    prepared, seen = building()
    assert len(seen) == 4
    broken = prepared.outcome.found["photos"]["broken.png"]
    assert broken.error.startswith("ValueError: expected an image, received a file that is no JPEG")
    assert "broken.png" not in [one["name"] for one in prepared.record()["photos"]["shown"]]


def test_without_photos_or_without_leave_to_publish_there_are_none(building):
    prepared, seen = building(", publish_images: false")
    assert seen == []
    assert prepared.build.photos is None
    assert "photos" not in prepared.record()
    assert "photos" not in atlas_record(prepared.request, {}, prepared.plan, prepared.outcome)


def test_what_the_store_has_is_known_from_headers_alone(building, monkeypatch):
    building()

    def read(*_: object) -> None:
        raise RuntimeError("an entry was read whole")

    monkeypatch.setattr(Store, "get", read)
    prepared, seen = building()
    assert seen == []
    assert prepared.complete
    assert len(prepared.outcome.found["photos"]) == 3


@pytest.mark.parametrize(
    ("names", "reached", "expected"),
    [
        (["pool"], {"first", "pool", "left"}, ("first", "pool")),
        (["first", "left"], {"first", "pool", "left"}, ("first", "pool", "left")),
        (["both", "first"], {"first", "pool"}, ("first", "pool")),
    ],
)
def test_layers_up_to_the_deepest_that_the_weights_reach(toy_ref, names, reached, expected):
    from atlas.networks.catalog import facts

    def available(name: str) -> str | None:
        return None if name in reached else "expected another"

    assert layers_before(facts(toy_ref), names, available) == expected


def test_a_classifier_s_layer_has_no_maps(toy_ref):
    from atlas.networks.catalog import facts

    known = facts(toy_ref)
    last = replace(known.layers[-1], kind="classes")
    known = replace(known, layers=(*known.layers[:-1], last))
    assert layers_before(known, [last.name], lambda name: None) == ("first", "pool", "left", "right")
