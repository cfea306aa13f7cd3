import numpy as np
import pytest

from atlas.errors import AtlasError, StoreError
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
    (tmp_path / "v1" / "atlases" / "a.json").write_text("{")
    with pytest.raises(StoreError, match="expected an atlas record"):
        store.get_atlas("a")
