"""How every file is written: under a temporary name beside its own, then renamed."""

import contextlib
import errno
import hashlib
import os
import re
import socket
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from atlas.errors import AtlasError

DAY = 86_400  # seconds
_HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<host>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{32}\.tmp")


def write_atomically(path: Path, data: bytes | Callable[[BinaryIO], None]) -> None:
    """Write a file so that at its address it is either whole or as it was before, at any moment.

    ``data`` is what is in it, or writes that into a file. Makes the folders above it. Raises AtlasError with the reason
    (disk full, no permission) and leaves nothing behind.
    """
    temporary = path.with_name(f".{path.name}.{_HOST}-{os.getpid()}-{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(data):
            with temporary.open("wb") as file:
                data(file)
        else:
            temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # a file system that can only be read has nothing to remove
            temporary.unlink(missing_ok=True)
        what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise AtlasError(f"{path}: could not be written: {what}; free or name another folder and run again") from error


def meant(temporary: str) -> str | None:
    """The name of the file that a temporary one was to become; None for a name that ``write_atomically`` gives none."""
    found = _TEMPORARY.fullmatch(temporary)
    return found["name"] if found else None


def is_abandoned(path: Path) -> bool:
    """Whether a file is a temporary one whose process has ended; of another machine's, whether it is a day old."""
    found = _TEMPORARY.fullmatch(path.name)
    if not found:
        return False
    if found["host"] == _HOST:
        return not _is_alive(int(found["process"]))
    try:
        return time.time() - path.stat().st_mtime > DAY
    except OSError:
        return False


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
