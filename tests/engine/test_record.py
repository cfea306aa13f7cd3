from pathlib import Path

import pytest

from atlas.canonical import canonical
from atlas.engine.record import atlas_record, keep_record
from atlas.engine.run import Outcome
from atlas.engine.worker import Done
from atlas.resources import resource
from atlas.spec.load import load_request
from atlas.spec.plan import make_plan
from atlas.store.store import ATLASES, Store
from tests.spec.conftest import CATALOG

WEIGHTS = {"kind": "embedded", "digest": "sha256:0", "description": "d", "licence": "l", "seed": 0}


@pytest.fixture
def asked(tmp_path: Path):
    path = tmp_path / "two.yaml"
    path.write_text(
        "title: Two\nnetwork: inceptionv3\nweights: embedded\n"
        "layers:\n  - {name: mixed0, channels: '3,1'}\n  - {name: mixed2, channels: 7}\n"
        "recipes:\n  main: {steps: 8}\n  negative: {steps: 8, objective: {name: channel, weight: -1}}\n"
    )
    request = load_request(path, {}, CATALOG)
    return request, make_plan(request, "sha256:0")


def test_what_was_reached_what_failed_and_what_is_missing(asked):
    request, plan = asked
    keys = {(group.layer.name, group.recipe_name, job.channel): job.key for group, job in plan.jobs()}
    done = [
        Done(keys["mixed0", "main", 1], 1, "activated", "c1"),
        Done(keys["mixed0", "negative", 1], 1, "dead", "c2"),
        Done(keys["mixed0", "main", 3], 3, "failed", error="out of memory"),
    ]
    found = {
        "likeness": {"mixed0": Done("l", None, "found", "c3"), "mixed2": Done("m", None, "failed", error="broken")}
    }
    outcome = Outcome({one.key: one for one in done}, found, rendered=2)
    record = atlas_record(request, WEIGHTS, plan, outcome)
    assert [layer["name"] for layer in record["layers"]] == ["mixed0", "mixed2"]
    assert record["layers"][0]["channels_shown"] == [
        {
            "channel": 1,
            "renderings": {
                "main": {"key": done[0].key, "state": "activated", "checksum": "c1"},
                "negative": {"key": done[1].key, "state": "dead", "checksum": "c2"},
            },
        },
        {
            "channel": 3,
            "renderings": {
                "main": {"key": None, "state": "failed", "error": "out of memory"},
                "negative": {"key": None, "state": "missing"},
            },
        },
    ]
    assert [layer["found"] for layer in record["layers"]] == [{"likeness": {"key": "l", "checksum": "c3"}}, {}]
    assert outcome.failed == [done[2]]


def test_the_request_and_the_catalog_are_echoed(asked):
    request, plan = asked
    record = atlas_record(request, WEIGHTS, plan, Outcome())
    assert (record["name"], record["title"], record["weights"]) == ("two", "Two", WEIGHTS)
    assert record["recipes"] == ["main", "negative"]
    layer = record["layers"][0]
    assert (layer["channels"], layer["kind"], layer["relu"]) == (256, "concat", True)
    assert layer["branches"][0] == {"name": "1x1", "first": 0, "last": 63, "copies": ""}
    assert layer["recipes"]["negative"]["objective"]["weight"] == -1
    assert layer["recipes"]["main"]["size"] == 128
    assert record["network"]["id"] == "inceptionv3"
    assert {row["name"] for row in record["outline"] if row["in_atlas"]} == {"mixed0", "mixed2"}
    assert len(record["outline"]) > 16


def test_neither_place_nor_clock_is_in_it(asked, tmp_path):
    request, plan = asked
    text = canonical(atlas_record(request, WEIGHTS, plan, Outcome()))
    assert str(tmp_path) not in text
    assert text == canonical(atlas_record(request, WEIGHTS, plan, Outcome()))


def test_the_pages_can_read_the_quickstart_s_record():
    from atlas.pages.read import read_atlas

    request = load_request(resource("configs") / "quickstart.yaml", {}, CATALOG)
    atlas = read_atlas(atlas_record(request, WEIGHTS, make_plan(request, "sha256:0"), Outcome()))
    assert sum(len(layer.shown) for layer in atlas.layers) == 36
    assert {channel.renderings["main"].state for layer in atlas.layers for channel in layer.shown} == {"missing"}


@pytest.mark.parametrize("address", ["store", "memory://records"])
def test_a_record_lies_under_its_atlas_s_name_unless_another_output_of_that_name_has_it(tmp_path, address):
    store = Store(address if "://" in address else str(tmp_path / address))
    record = {"name": "vgg", "title": "VGG", "network": {"id": "vgg19"}, "layers": []}
    a, b, moved = (tmp_path / place / "vgg" for place in ("a", "b", "moved"))

    def kept():
        found = (one.path.rpartition("/")[2].removesuffix(".json") for one in store.place.files(ATLASES))
        return {name: store.get_atlas(name) for name in found}

    old = record | {"layers": ["old"]}
    store.put_atlas("vgg", old)  # of before: it says nothing of its place
    keep_record(store, record | {"title": "Another"}, b)
    assert kept()["vgg"] == old
    assert len(kept()) == 2
    keep_record(store, record, a)
    assert (kept()["vgg"]["layers"], len(kept())) == ([], 2)  # it was this atlas's, which goes on with it
    keep_record(store, record, b)
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    keep_record(store, record, tmp_path / "link" / "vgg")
    assert sorted(one["title"] for one in kept().values()) == ["VGG", "VGG"]
    keep_record(store, record, moved)
    assert len(kept()) == 3
    assert {path.rpartition("/")[2][:4] for path in kept()} == {"vgg", "vgg-"}


def test_a_record_is_found_again_when_store_and_output_are_moved_together(tmp_path):
    record = {"name": "vgg", "title": "VGG", "network": {"id": "vgg19"}, "layers": []}
    for place in ("a", "b"):
        keep_record(Store(str(tmp_path / "here/store")), record, tmp_path / "here" / place / "vgg")
    (tmp_path / "here").rename(tmp_path / "there")
    store = Store(str(tmp_path / "there/store"))
    for place in ("a", "b"):
        keep_record(store, record, tmp_path / "there" / place / "vgg")
    assert len(list(store.place.files(ATLASES))) == 2
