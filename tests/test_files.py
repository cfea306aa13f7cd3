"""Files that are whole or absent whatever happens, and the order in which they reach the disk."""

import errno
import os
from pathlib import Path

import pytest

from atlas import files
from atlas.canonical import sealed, unsealed
from atlas.errors import AtlasError
from atlas.files import add, flush_all, recall, remember, write_all, write_atomically

VALUE = {"size": 224, "layers": [{"name": "änd", "cost": 1.25e9, "relu": True}], "fixed": None}


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """What reaches the disk in its order, as (what, path within the test's folder); all of it is really done."""
    made = []
    fsync, replace = os.fsync, os.replace

    def name(path):
        return Path(path).relative_to(tmp_path).as_posix()

    def flushed(descriptor):
        made.append(("flush", name(Path(f"/proc/self/fd/{descriptor}").readlink())))
        fsync(descriptor)

    def renamed(old, new):
        made.append(("rename", name(new)))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    return made


def test_bytes_are_flushed_before_names_and_names_before_it_returns(tmp_path, calls):
    (tmp_path / "a").mkdir()
    write_all({tmp_path / "a/b/one": b"1", tmp_path / "a/b/two": b"2", tmp_path / "a/three": b"3"})
    kinds = [what for what, _ in calls]
    assert kinds[:6] == ["flush"] * 3 + ["rename"] * 3
    assert all(".tmp" in path for _, path in calls[:3])
    assert [path for _, path in calls[3:6]] == ["a/b/one", "a/b/two", "a/three"]
    assert sorted(calls[6:]) == [("flush", "a"), ("flush", "a/b")]  # a/b is a new name in a
    assert names(tmp_path) == ["a/b/one", "a/b/two", "a/three"]


def test_every_new_folder_is_flushed_into_the_one_above_it(tmp_path, calls):
    write_atomically(tmp_path / "a/b/c/one", b"1")
    assert sorted(path for what, path in calls[2:] if what == "flush") == [".", "a", "a/b", "a/b/c"]


def test_what_need_not_be_flushed_is_not(tmp_path, calls):
    write_atomically(tmp_path / "a/one", b"1", flush=False)
    remember(tmp_path / "cache.json", VALUE)
    assert [what for what, _ in calls] == ["rename", "rename"]


def test_files_that_were_written_before_the_disk_was_full_are_kept(tmp_path, calls):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(AtlasError, match="two: could not be written: the disk is full"):
        write_all({tmp_path / "one": b"1", tmp_path / "two": full, tmp_path / "three": b"3"})
    assert names(tmp_path) == ["one"]
    assert [what for what, _ in calls] == ["flush", "rename", "flush"]


def test_what_cannot_be_flushed_gets_no_name(tmp_path, monkeypatch):
    def broken(_):
        raise OSError(errno.EIO, "Input/output error")

    write_atomically(tmp_path / "one", b"before")
    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(AtlasError, match="could not be written: Input/output error"):
        write_all({tmp_path / "one": b"after", tmp_path / "two": b"2"})
    assert names(tmp_path) == ["one"]
    assert (tmp_path / "one").read_bytes() == b"before"


def test_a_file_system_that_flushes_no_folders_is_no_trouble(tmp_path, monkeypatch):
    real = os.fsync

    def refuse(descriptor):
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    write_atomically(tmp_path / "a/one", b"1")
    add(tmp_path / "a/log", b"1\n")
    assert names(tmp_path) == ["a/log", "a/one"]


def test_many_files_at_once_are_those_files(tmp_path):
    wanted = {tmp_path / f"{number % 7}/{number}": bytes([number]) * number for number in range(50)}
    write_all(wanted)
    assert {path: path.read_bytes() for path in wanted} == wanted
    assert len(names(tmp_path)) == 50
    write_all({})


def test_what_is_added_is_there_whole_or_not_at_all(tmp_path, calls, monkeypatch):
    log = tmp_path / "runs/log"
    add(log, b"one\n")
    assert calls[0] == ("flush", "runs/log")
    assert sorted(calls[1:]) == [("flush", "."), ("flush", "runs")]
    del calls[:]
    add(log, b"two\n")
    assert calls == [("flush", "runs/log")]

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AtlasError, match="the disk is full"):
        add(log, b"three\n")
    assert log.read_bytes() == b"one\ntwo\n"


def test_a_whole_file_system_is_flushed_or_it_is_said_why(tmp_path):
    flush_all(tmp_path)
    with pytest.raises(AtlasError, match="nowhere: could not be written: No such file or directory"):
        flush_all(tmp_path / "nowhere")


def test_what_is_sealed_comes_back():
    assert unsealed(sealed(VALUE)) == VALUE
    assert unsealed(sealed({})) == {}
    name = os.fsdecode(b"\xff.jpg")  # a file's name that is no text
    assert unsealed(sealed({name: [1, 2]})) == {name: [1, 2]}


def test_every_altered_bit_is_found():
    data = sealed(VALUE)
    for place in range(len(data)):
        for bit in range(8):
            altered = bytearray(data)
            altered[place] ^= 1 << bit
            assert unsealed(bytes(altered)) in (None, VALUE), (place, bit)  # 1.25e9 and 1.25E9 are one number
            with_old = unsealed(bytes(altered), old=True)
            assert with_old is None or VALUE.items() <= with_old.items(), (place, bit)


def test_what_is_cut_empty_or_no_object_is_found():
    data = sealed(VALUE)
    assert [end for end in range(len(data)) if unsealed(data[:end], old=True) is not None] == []
    zeros = (bytes(len(data)), data[:40] + bytes(len(data) - 40), data + bytes(4))
    others = (b"[]", b"null", b"7", b'"x"', b"[" * 100_000, b'{"a": NaN, "checksum": "x"}', b"\xff\xfe{")
    assert [unsealed(one, old=True) for one in (*zeros, *others)] == [None] * 10


def test_values_of_before_there_were_checksums_count_only_where_they_may():
    assert unsealed(b'{"schema": 4}', old=True) == {"schema": 4}
    assert unsealed(b'{"schema": 4}') is None
    assert unsealed(b'{"schema": 4, "checksum": null}') is None


def test_a_cache_never_raises(tmp_path):
    place = tmp_path / "a/cache.json"
    assert recall(place) is None
    remember(place, VALUE)
    assert recall(place) == VALUE
    place.write_bytes(place.read_bytes()[:-5])
    assert recall(place) is None
    os.mkfifo(tmp_path / "pipe")
    assert recall(tmp_path / "pipe") is None
    assert recall(tmp_path / "a") is None
    (tmp_path / "file").write_text("in the way")
    remember(tmp_path / "file" / "cache.json", VALUE)
    assert recall(tmp_path / "file" / "cache.json") is None


def test_temporary_files_say_whose_they_are(tmp_path):
    path = files._written(tmp_path / "one", b"1")
    assert files.meant(path.name) == "one"
    assert not files.is_abandoned(path)
    old = path.stat().st_mtime - files.DAY - 1
    os.utime(path, (old, old))  # from before a power cut: another process has its number now
    assert files.is_abandoned(path)
