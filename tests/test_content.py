"""What a file holds: never what it held before, and read once where that is sure."""

import os
import time
from hashlib import sha256

import pytest

from atlas import content
from atlas.content import file_digest


@pytest.fixture
def reads(monkeypatch):
    found, read = [], content.read_digest
    monkeypatch.setattr(content, "read_digest", lambda path: found.append(path) or read(path))
    return found


@pytest.fixture
def coarse(monkeypatch):
    """A file system whose times tell no two writes apart: they lie in one tick, which is not over."""
    now = 2 * time.time_ns()
    monkeypatch.setattr(content, "stamp", lambda status: (status.st_size, now, now, 1))


def test_a_file_written_just_now_is_read_each_time(tmp_path, coarse):
    path = tmp_path / "a"
    for text in (b"one", b"two", b"six"):
        path.write_bytes(text)
        assert file_digest(path) == sha256(text).hexdigest()


def test_a_file_that_stays_is_read_once_and_again_when_it_changes(tmp_path, reads, monkeypatch):
    monkeypatch.setattr(content, "SETTLED", -(10**18))
    path = tmp_path / "a"
    path.write_bytes(b"one")
    assert file_digest(path) == file_digest(str(path)) == sha256(b"one").hexdigest()
    monkeypatch.chdir(tmp_path)
    assert file_digest("a") == sha256(b"one").hexdigest()
    assert len(reads) == 1
    before = path.stat()
    other = tmp_path / "b"
    other.write_bytes(b"two")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)  # of the same size and time, another inode
    assert file_digest(path) == sha256(b"two").hexdigest()


def test_only_times_long_past_are_settled(monkeypatch):
    monkeypatch.setattr(content.time, "time_ns", lambda: 10_000_000_000)
    assert content.settled((3, 7_000_000_000, 7_999_999_999, 1))
    assert not content.settled((3, 7_000_000_000, 8_000_000_000, 1))
    assert not content.settled((3, 8_000_000_000, 1, 1))
    assert not content.settled((3, 99_000_000_000, 1, 1))  # a clock that goes ahead


def test_no_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        file_digest(tmp_path / "none")
