"""Folders and object stores keep the same promises; S3 is a real server."""

import errno
import threading
import uuid
from pathlib import Path

import pytest

from atlas import files
from atlas.errors import AtlasError, StoreError
from atlas.store import places
from atlas.store.places import Bucket, Folder, place
from atlas.store.store import Store


@pytest.fixture(params=["folder", "memory", "s3"])
def somewhere(request, tmp_path):
    if request.param == "folder":
        return place(str(tmp_path / "store"))
    if request.param == "memory":
        return place(f"memory://{uuid.uuid4()}")
    return place(request.getfixturevalue("s3").address)


def test_what_is_written_is_read_listed_and_deleted(somewhere):
    somewhere.write("a/b/one", b"1234567890")
    somewhere.write("a/two", b"12")
    somewhere.write("a/two", b"123")
    assert somewhere.read("a/b/one") == b"1234567890"
    assert {one.path: one.size for one in somewhere.files("a")} == {"a/b/one": 10, "a/two": 3}
    assert all(one.written > 1_700_000_000 for one in somewhere.files("a"))
    assert [one.path for one in somewhere.files("a/b")] == ["a/b/one"]
    assert list(somewhere.files("nothing")) == []
    somewhere.delete("a/two")
    somewhere.delete("a/two")
    assert [one.path for one in somewhere.files("a")] == ["a/b/one"]
    with pytest.raises(FileNotFoundError):
        somewhere.read("a/two")


@pytest.mark.parametrize("many", [1, 1000])
def test_heads_are_first_bytes_and_sizes(somewhere, many, monkeypatch):
    monkeypatch.setattr(places, "MANY", many)
    somewhere.write("a/long", bytes(range(100)))
    somewhere.write("a/short", b"12")
    assert somewhere.heads(["a/long", "a/none", "a/short"], 4) == [(bytes(range(4)), 100), None, (b"12", 2)]
    assert somewhere.heads([], 4) == []


def test_a_log_grows(somewhere):
    somewhere.append("runs/a", b"1\n")
    somewhere.append("runs/a", b"2\n")
    assert somewhere.read("runs/a") == b"1\n2\n"


def test_an_object_is_put_once_and_never_renamed(s3, monkeypatch):
    bucket, asked = place(s3.address), []
    real = bucket.system._call_s3

    async def spy(method, *rest, **more):
        asked.append(method)
        return await real(method, *rest, **more)

    monkeypatch.setattr(bucket.system, "_call_s3", spy)
    bucket.write("v1/entries/ab/one", bytes(100_000))
    assert asked == ["put_object"]


def test_a_store_that_is_gone_for_a_while_is_waited_for(s3):
    bucket = place(s3.address)
    bucket.write("a", b"1")
    s3.server.pause()
    threading.Timer(1, s3.server.go_on).start()
    bucket.write("a", b"2")
    assert bucket.read("a") == b"2"


def test_a_store_that_stays_away_is_one_sentence(monkeypatch):
    import fsspec.config
    import s3fs

    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)  # it tries again too, five times, and botocore below it
    away = {"endpoint_url": "http://127.0.0.1:9", "key": "a", "secret": "b"}
    monkeypatch.setitem(fsspec.config.conf, "s3", {**away, "config_kwargs": {"retries": {"max_attempts": 0}}})
    monkeypatch.setattr(places, "PATIENCE", 1.0)
    with pytest.raises(StoreError, match=r"s3://nowhere/x/a: could not be written: .* what is finished is kept"):
        place("s3://nowhere/x").write("a", b"1")


def test_an_address_that_means_nothing_is_one_sentence():
    with pytest.raises(StoreError, match="expected a folder or an address such as s3://bucket/folder"):
        place("nonsense://bucket/x")


def test_folders_by_path_and_by_address(tmp_path):
    for address in (str(tmp_path), f"file://{tmp_path}"):
        found = place(address)
        assert isinstance(found, Folder)
        assert found.folder == tmp_path
    assert isinstance(place("memory://x"), Bucket)


def test_temporary_files_of_the_dead_are_swept_and_those_of_the_living_are_not(tmp_path):
    import os
    import subprocess
    import sys

    code = (
        "import os, sys, pathlib; import atlas.files as f; from unittest import mock\n"
        "with mock.patch.object(pathlib.Path, 'replace', lambda *a: os._exit(9)): "
        "f.write_atomically(pathlib.Path(sys.argv[1]), b'half')"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a" / "x")], check=False)
    [left] = [path for path in tmp_path.rglob("*") if path.is_file()]
    mine = left.with_name(left.name.replace(left.name.split("-")[1], str(os.getpid())))
    mine.touch()
    (left.parent / ".notes.tmp").touch()
    store = place(str(tmp_path))
    assert list(store.files("a")) == []
    assert store.sweep() == 1
    assert sorted(path.name for path in left.parent.iterdir()) == sorted([mine.name, ".notes.tmp"])


def test_a_folder_that_cannot_be_read_is_one_sentence(tmp_path):
    (tmp_path / "a").write_text("in the way")
    with pytest.raises(AtlasError, match="a/b: could not be read"):
        place(str(tmp_path)).read("a/b")


def test_a_bucket_that_is_not_there_is_one_sentence(s3):
    nowhere = place("s3://no-such-bucket-at-all/atlas")
    assert nowhere.heads(["v1/x"], 8) == [None]
    with pytest.raises(StoreError, match="could not be written: there is no such bucket or container"):
        nowhere.write("v1/x", b"data")


def test_on_a_disk_that_can_only_be_read_nothing_else_goes_wrong(tmp_path, monkeypatch):
    """What cannot be written is one sentence, and what is left behind is let be: also where removing it is refused."""
    made = Store(str(tmp_path))
    left = tmp_path / "v1" / "entries" / f".a.{files._HOST}-4194304-{'0' * 32}.tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert made.sweep() == 0
    with pytest.raises(AtlasError, match="could not be written: Read-only file system"):
        made.place.write("v1/entries/b", b"data")
