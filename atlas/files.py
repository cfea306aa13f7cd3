"""How every file is written: under a temporary name beside its own, flushed to the disk, then renamed.

Without the flush a power cut leaves files of 0 bytes under their names: a rename reaches the disk before the bytes do.
"""

import contextlib
import ctypes
import errno
import hashlib
import itertools
import os
import re
import socket
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from atlas.canonical import sealed, unsealed
from atlas.errors import AtlasError

DAY = 86_400  # seconds
AT_ONCE = 16  # flushes: those that wait together share one commit of the file system's journal
UNABLE = {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM}  # of a file system that flushes no folders
_HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<host>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{32}\.tmp")

Content = bytes | Callable[[BinaryIO], None]
"""What is in a file, or what writes that into it."""


def write_atomically(path: Path, data: Content, *, flush: bool = True) -> None:
    """Write a file so that at its address it is either whole or as it was before, at any moment; see ``write_all``."""
    write_all({path: data}, flush=flush)


def write_all(files: Mapping[Path, Content], *, flush: bool = True) -> None:
    """Write files so that at its address each is either whole or as it was before, at any moment.

    With ``flush`` their bytes, their names and those of new folders are on the disk when this returns: no power cut
    takes them away, and none leaves a name without its bytes. 16 files together take little longer than one. Without
    it a file may be empty after a power cut: for what is found again at little cost, or flushed by ``flush_all``.

    Makes the folders above the files. Files that were written before one that could not be are kept. Raises AtlasError
    with the reason (disk full, no permission) and leaves no temporary file behind.
    """
    whole: dict[Path, Path] = {}  # by their temporary names
    folders: set[Path] = set()  # in which a name is new
    try:
        for path, data in files.items():
            with _trouble(path):
                made = _make(path.parent)
                whole[_written(path, data)] = path
                folders |= {path.parent, *made}
    finally:
        _rename(whole, folders if flush else ())


def add(path: Path, data: bytes) -> None:
    """Add to the end of a file that nobody else writes, and flush it. All of ``data`` is added, or nothing.

    Makes the folders above the file. Raises AtlasError with the reason.
    """
    with _trouble(path):
        folders = _make(path.parent) | ({path.parent} if not path.exists() else set())
        with path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                if file.write(data) < len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(before)
                raise
    _flush(folders)


def flush_all(folder: Path) -> None:
    """Flush everything that was written to the file system of a folder: one call for many small files.

    Raises AtlasError when the disk fails.
    """
    with _trouble(folder), _opened(folder) as descriptor:
        flush = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if flush is None:  # a C library other than glibc and musl
            os.sync()
        elif flush(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def remember(path: Path, value: Mapping[str, Any]) -> None:
    """Keep a value in a cache file, with its checksum. What cannot be written is let be: it is found again."""
    with contextlib.suppress(AtlasError):
        write_atomically(path, sealed(value), flush=False)


def recall(path: Path) -> dict[str, Any] | None:
    """What ``remember`` has kept; None where there is nothing, or where it is empty, cut or altered."""
    try:
        return unsealed(path.read_bytes()) if path.is_file() else None
    except OSError:
        return None


@contextlib.contextmanager
def _trouble(path: Path) -> Iterator[None]:
    """What the system refuses inside the block, as one sentence."""
    try:
        yield
    except OSError as error:
        what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise AtlasError(f"{path}: could not be written: {what}; free or name another folder and run again") from error


def _make(folder: Path) -> set[Path]:
    """Make a folder and those above it; the folders that a new one was made in."""
    missing = list(itertools.takewhile(lambda one: not one.exists(), (folder, *folder.parents)))
    folder.mkdir(parents=True, exist_ok=True)
    return {one.parent for one in missing}


def _written(path: Path, data: Content) -> Path:
    """The temporary file beside ``path`` that data was written into; nothing is left of one that could not be."""
    temporary = path.with_name(f".{path.name}.{_HOST}-{os.getpid()}-{uuid.uuid4().hex}.tmp")
    try:
        if callable(data):
            with temporary.open("wb") as file:
                data(file)
        else:
            temporary.write_bytes(data)
    except BaseException:
        _remove([temporary])
        raise
    return temporary


def _rename(whole: Mapping[Path, Path], folders: Collection[Path]) -> None:
    """Give temporary files their names. With ``folders`` they are flushed before, and the folders after that."""
    try:
        if folders:
            _flush(whole)
        for temporary, path in whole.items():
            with _trouble(path):
                temporary.replace(path)
    except BaseException:
        _remove(whole)
        raise
    _flush(folders)


def _flush(paths: Collection[Path]) -> None:
    """Flush files and folders to the disk. Raises AtlasError."""
    if len(paths) < 2:
        for path in paths:
            _flush_one(path)
        return
    with ThreadPoolExecutor(min(len(paths), AT_ONCE)) as pool:
        list(pool.map(_flush_one, paths))


def _flush_one(path: Path) -> None:
    with _trouble(path):
        try:
            with _opened(path) as descriptor:
                os.fsync(descriptor)
        except OSError as error:
            if not (error.errno in UNABLE and path.is_dir()):
                raise


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _remove(temporary: Collection[Path]) -> None:
    for path in temporary:
        with contextlib.suppress(OSError):  # a file system that can only be read has nothing to remove
            path.unlink(missing_ok=True)


def meant(temporary: str) -> str | None:
    """The name of the file that a temporary one was to become; None for a name that ``write_atomically`` gives none."""
    found = _TEMPORARY.fullmatch(temporary)
    return found["name"] if found else None


def is_abandoned(path: Path) -> bool:
    """Whether a file is a temporary one whose process has ended, or one that is a day old: its process may be another
    machine's, or, after a power cut, its number another process's."""
    found = _TEMPORARY.fullmatch(path.name)
    if not found:
        return False
    if found["host"] == _HOST and not _is_alive(int(found["process"])):
        return True
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
