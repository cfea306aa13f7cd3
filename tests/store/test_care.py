"""What is in a store, what is damaged, and what nobody needs."""

import os
import time

import numpy as np
import pytest

from atlas.engine.worker import done_before
from atlas.errors import StoreError
from atlas.spec.plan import Job
from atlas.spec.recipe import Recipe
from atlas.store.care import Verified, shares, unneeded, verified, verified_atlases
from atlas.store.entry import Entry
from atlas.store.store import Store


def key(number: int) -> str:
    return f"{number:02x}" * 32


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path)
    for number in range(6):
        made.put(Entry(key(number), {"state": "activated", "number": number}, b"picture" * 9, {"trace": np.ones(3)}))
    return made


def path(store, number):
    return store.place.folder / f"v1/entries/{key(number)[:2]}/{key(number)}.safetensors"


def test_a_whole_store_has_no_fault(store):
    assert sorted(verified(store), key=lambda one: one.key) == [Verified(key(number)) for number in range(6)]


def test_photos_of_an_atlas_are_its_own(store):
    shown = [{"name": "a.png", "label": "", "key": key(2), "checksum": ""}]
    store.put_atlas("seen", {"layers": [], "photos": {"layers": ["first"], "size": 32, "shown": shown}})
    assert [(row["atlas"], row["entries"]) for row in shares(store)] == [("seen", 1), ("in no atlas", 5), ("in all", 6)]


def test_flipped_cut_empty_and_swapped_entries_are_named(store):
    flipped = bytearray(path(store, 0).read_bytes())
    flipped[-3] ^= 1
    path(store, 0).write_bytes(flipped)
    path(store, 1).write_bytes(path(store, 1).read_bytes()[:-1])
    path(store, 2).write_bytes(b"")
    path(store, 3).write_bytes(path(store, 4).read_bytes())
    found = {one.key: one.fault for one in verified(store) if one.damaged}
    assert found.keys() == {key(number) for number in range(4)}
    assert "checksum" in found[key(0)]
    assert "expected a whole entry" in found[key(1)]
    assert "expected a whole entry" in found[key(2)]
    assert f"received entry {key(4)}" in found[key(3)]
    assert all(str(path(store, number)) in found[key(number)] for number in range(4))
    assert [number for number in range(6) if store.record(key(number)) is None] == [1, 2, 3]


def test_every_flipped_byte_is_found(store):
    """Wherever a byte is flipped, reading the entry says so; nothing else is raised."""
    whole = path(store, 5).read_bytes()
    for place in range(0, len(whole), 7):
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        path(store, 5).write_bytes(flipped)
        [damaged] = [one.damaged for one in verified(store) if one.key == key(5)]
        assert damaged, place
        record = store.record(key(5))  # reads the header alone: it may not see the fault, and raises nothing
        done_before(Job(0, key(5)), record, ["trace"], 4, Recipe(), "")


@pytest.mark.parametrize("data", [b"", b"{", bytes(40), b"\xff", b'{"name":"toy","checksum":"0"}', b"[]"])
def test_a_damaged_record_of_an_atlas_is_named_and_hides_nothing_else(store, data):
    for name in ("fine", "toy"):
        store.put_atlas(name, {"layers": []})
    path = store.place.folder / "v1/atlases/toy.json"
    path.write_bytes(data)
    fault = f"{path}: expected an atlas record, received a damaged file; build that atlas again"
    assert list(verified_atlases(store)) == [Verified("fine"), Verified("toy", fault, True)]
    assert [(row["atlas"], row.get("fault")) for row in shares(store)] == [
        ("fine", None),
        ("toy", fault),
        ("in no atlas", None),
        ("in all", None),
    ]


def test_an_entry_that_cannot_be_read_this_time_is_not_damaged(store, monkeypatch):
    real = store.place.read

    def read(path):
        if key(2) in path:
            raise StoreError(f"{path}: could not be read: Input/output error")
        return real(path)

    monkeypatch.setattr(store.place, "read", read)
    [unread] = [one for one in verified(store) if one.fault]
    assert (unread.key, unread.damaged) == (key(2), False)


def test_what_is_needed_or_young_stays(store):
    old = time.time() - 2 * 86_400
    for number in range(4):
        os.utime(path(store, number), (old, old))
    found = unneeded(store, {key(0), key(5)}, time.time())
    assert sorted(one.key for one in found) == [key(1), key(2), key(3)]


def test_shares_of_atlases(store):
    rendering = {"main": {"key": key(1), "state": "activated"}}
    found = {kind: {"key": key(number), "checksum": ""} for kind, number in (("likeness", 2), ("weights", 4))}
    layer = {"whole": {}, "found": found, "channels_shown": [{"channel": 3, "renderings": rendering}]}
    store.put_atlas("toy", {"name": "toy", "layers": [layer]})
    first, rest, everything = shares(store)
    own = sum(path(store, number).stat().st_size for number in (1, 2, 4))
    assert (first["atlas"], first["entries"], first["bytes"]) == ("toy", 3, own)
    assert (rest["entries"], everything["entries"]) == (3, 6)
    assert everything["bytes"] == rest["bytes"] + first["bytes"]
