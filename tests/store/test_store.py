import os
from pathlib import Path

import numpy as np
import pytest

from atlas.errors import AtlasError, DamagedError, StoreError
from atlas.store.entry import Entry
from atlas.store.store import Store

KEY = "ab" * 32


def entry(text=b"picture"):
    return Entry(KEY, {"state": "activated"}, text, {"trace": np.ones(3)})


def test_what_was_put_is_there_and_nothing_else(tmp_path):
    store = Store(tmp_path / "s")
    assert store.record(KEY) is None
    store.put(entry())
    assert store.get(KEY) == entry()
    assert store.record(KEY)["state"] == "activated"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{KEY}.safetensors"]


def test_an_absent_entry_is_one_sentence(tmp_path):
    with pytest.raises(StoreError, match="expected an entry"):
        Store(tmp_path).get(KEY)


def test_a_folder_that_cannot_be_written_is_one_sentence_and_leaves_nothing(tmp_path):
    (tmp_path / "v1").write_text("in the way")
    with pytest.raises(AtlasError, match="could not be written"):
        Store(tmp_path).put(entry())
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]


def test_a_full_disk_keeps_the_old_entry(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.put(entry())

    def full(self, data):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(AtlasError, match="the disk is full"):
        store.put(entry(b"other"))
    assert store.get(KEY) == entry()
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_atlas_records(tmp_path):
    store = Store(tmp_path)
    assert store.get_atlas("a") is None
    store.put_atlas("a", {"name": "a"})
    assert store.get_atlas("a") == {"name": "a"}
    assert store.holds_atlas("a", {"name": "a"})
    assert not store.holds_atlas("a", {"name": "b"})
    assert not store.holds_atlas("b", {"name": "a"})
    assert store.atlases() == ["a"]


def test_a_damaged_atlas_record_is_one_sentence_and_can_be_written_over(tmp_path):
    store, record = Store(tmp_path), {"name": "a", "layers": [{"name": "mixed0", "channels": 256}]}
    store.put_atlas("a", record)
    path = tmp_path / "v1" / "atlases" / "a.json"
    whole = path.read_bytes()
    flipped = [whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :] for place in range(len(whole))]
    for data in [b"", b"{", whole[:-1], bytes(len(whole)), *flipped]:
        path.write_bytes(data)
        assert not store.holds_atlas("a", record)
        if data[2:10] != b"checksum" and data[2:10].isalnum():  # then it reads as one from before there were any
            assert record.items() <= store.get_atlas("a").items()
            continue
        with pytest.raises(DamagedError, match=r"a.json: expected an atlas record, received a damaged file; build"):
            store.get_atlas("a")
    store.put_atlas("a", record)
    assert path.read_bytes() == whole


def test_an_atlas_record_of_before_there_were_checksums_is_read(tmp_path):
    store = Store(tmp_path)
    store.put_atlas("a", {"name": "b"})
    (tmp_path / "v1" / "atlases" / "a.json").write_text('{"name":"a","schema":4}')
    assert store.get_atlas("a") == {"name": "a", "schema": 4}


def test_entries_are_on_the_disk_before_anybody_hears_of_them(tmp_path, monkeypatch):
    flushed, real = [], os.fsync

    def fsync(descriptor):
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    keys = [f"{number:02x}" * 32 for number in range(3)]
    Store(tmp_path).put(*(Entry(key, {"state": "dead"}, b"p") for key in keys))
    entries = tmp_path / "v1" / "entries"
    assert all(path.name.endswith(".tmp") for path in flushed[:3])
    assert set(flushed[3:]) == {*(entries / key[:2] for key in keys), entries, entries.parent, tmp_path}
