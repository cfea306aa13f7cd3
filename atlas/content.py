"""What a file holds, by its sha256: asked again and again, and read again wherever it may have changed."""

import hashlib
import os
import time
from functools import lru_cache
from pathlib import Path

SETTLED = 2_000_000_000  # ns after which another change of a file shows in its times, on every file system

Stamp = tuple[int, int, int, int]


def file_digest(path: str | Path) -> str:
    """sha256 of a file's content, 64 hexadecimal digits. Raises OSError when it cannot be read.

    A file that was not changed for a while is read once. One that was written just now is read each time: a second
    write of as many bytes within a tick of the file system's clock would not show.
    """
    place = os.path.abspath(path)  # noqa: PTH100 (resolve would follow links)
    status = Path(place).stat()
    return _digest(place, stamp(status)) if settled(stamp(status)) else read_digest(place)


def read_digest(path: str) -> str:
    """The same, of the file as it is read now."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp(status: os.stat_result) -> Stamp:
    """What changes when a file does: its size, its times of change in ns and its inode. No program can set the second
    of the times back."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def settled(found: Stamp) -> bool:
    """Whether the next change of a file is sure to change its stamp: the last one is more than SETTLED ago."""
    return time.time_ns() - max(found[1:3]) > SETTLED


@lru_cache(maxsize=256)
def _digest(path: str, found: Stamp) -> str:
    return read_digest(path)
