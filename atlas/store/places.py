"""Where bytes lie: a folder, or an object store by its fsspec address. Few verbs, all logic is above them.

Paths are relative, with ``/``. What is written is whole or absent at any moment, and survives a power cut: a folder
flushes a temporary file, renames it and flushes its name; an object store gets one PUT and keeps what it has accepted.
A path that is not there raises FileNotFoundError; every other trouble is a StoreError.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from atlas.errors import StoreError
from atlas.files import add, is_abandoned, write_all, write_atomically

T = TypeVar("T")
TOGETHER = 32  # requests at once
MANY = 1000  # sizes of so many objects come from lists
PACKAGES = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}  # protocol -> the extra that brings its package
PATIENCE = 90.0  # seconds until an object store that does not answer is given up


@dataclass(frozen=True)
class Listed:
    """A file: its path, size in bytes, and when it was last written, in seconds since 1970."""

    path: str
    size: int
    written: float


class Place(Protocol):
    """A folder or an object store."""

    address: str

    def read(self, path: str) -> bytes:
        """All of a file."""

    def heads(self, paths: Sequence[str], length: int) -> list[tuple[bytes, int] | None]:
        """The first ``length`` bytes of each file and its size; None for one that is not there."""

    def write(self, path: str, data: bytes) -> None:
        """Write a file, whole."""

    def write_all(self, files: Mapping[str, bytes]) -> None:
        """Write files by their paths, each whole; together they take little longer than one."""

    def append(self, path: str, data: bytes) -> None:
        """Add to a file that nobody else writes; not whole at any moment."""

    def files(self, folder: str) -> Iterator[Listed]:
        """Every file below a folder, in no order; none when it is not there."""

    def delete(self, path: str) -> None:
        """Delete a file; nothing happens when it is not there."""

    def sweep(self) -> int:
        """Delete what writers that are no more have left behind; how many files."""


def place(address: str) -> Place:
    """The place an address means. Raises StoreError when its package is missing or the address is unknown."""
    if "://" not in address:
        return Folder(Path(address).absolute())
    if address.startswith("file://"):
        return Folder(Path(address.removeprefix("file://")).absolute())
    return Bucket(address.rstrip("/"))


class Folder:
    """A folder of this machine, or one that machines share."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.address = str(folder)

    def read(self, path: str) -> bytes:
        """All of a file."""
        try:
            return (self.folder / path).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._trouble(path, "read", error) from error

    def heads(self, paths: Sequence[str], length: int) -> list[tuple[bytes, int] | None]:
        """The first bytes of each file and its size."""
        return [self._head(path, length) for path in paths]

    def write(self, path: str, data: bytes) -> None:
        """Write a file under a temporary name, flush and rename it."""
        write_atomically(self.folder / path, data)

    def write_all(self, files: Mapping[str, bytes]) -> None:
        """Write files likewise, and flush them together."""
        write_all({self.folder / path: data for path, data in files.items()})

    def append(self, path: str, data: bytes) -> None:
        """Add to a file, and flush it."""
        add(self.folder / path, data)

    def files(self, folder: str) -> Iterator[Listed]:
        """Every file below a folder but temporary ones."""
        try:
            with os.scandir(self.folder / folder) as found:
                for one in found:
                    path = f"{folder}/{one.name}"
                    if one.is_dir(follow_symlinks=False):
                        yield from self.files(path)
                    elif not one.name.startswith("."):
                        known = one.stat(follow_symlinks=False)
                        yield Listed(path, known.st_size, known.st_mtime)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._trouble(folder, "listed", error) from error

    def delete(self, path: str) -> None:
        """Delete a file."""
        try:
            (self.folder / path).unlink(missing_ok=True)
        except OSError as error:
            raise self._trouble(path, "deleted", error) from error

    def sweep(self) -> int:
        """Delete temporary files of processes that have ended."""
        swept = 0
        for path in self.folder.rglob(".*.tmp"):
            with contextlib.suppress(OSError):  # somebody else's, or on a file system that can only be read
                if is_abandoned(path):
                    path.unlink()
                    swept += 1
        return swept

    def _head(self, path: str, length: int) -> tuple[bytes, int] | None:
        try:
            with (self.folder / path).open("rb", buffering=0) as file:
                return file.read(length), os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._trouble(path, "read", error) from error

    def _trouble(self, path: str, what: str, error: OSError) -> StoreError:
        return StoreError(f"{self.folder / path}: could not be {what}: {error.strerror}; mend that and run again")


class Bucket:
    """An object store, by an fsspec address such as ``s3://bucket/prefix``; or ``memory://``, of this process alone."""

    def __init__(self, address: str):
        self.address = address
        self.system, self.root = _system(address)
        self._grown: dict[str, bytes] = {}

    def read(self, path: str) -> bytes:
        """All of an object."""
        return bytes(self._ask(lambda: self.system.cat_file(f"{self.root}/{path}"), path, "read"))

    def heads(self, paths: Sequence[str], length: int) -> list[tuple[bytes, int] | None]:
        """The first bytes of each object and its size: sizes from lists where many are asked for."""
        sizes: dict[str, int | None]
        if len(paths) > MANY:
            sizes = {one.path: one.size for folder in {_above(path) for path in paths} for one in self.files(folder)}
        else:
            sizes = dict(zip(paths, self._all(self._size, paths), strict=True))
        there = {path: size for path in paths if (size := sizes.get(path))}
        heads = self._all(lambda path: self._first(path, min(length, there[path])), list(there))
        starts = dict(zip(there, heads, strict=True))
        return [_head(starts.get(path), there.get(path)) for path in paths]

    def write(self, path: str, data: bytes) -> None:
        """One PUT. A bucket that is not there is trouble too, though reading from it finds nothing."""
        try:
            self._ask(lambda: self.system.pipe_file(f"{self.root}/{path}", data), path, "written")
        except FileNotFoundError as error:
            said = "there is no such bucket or container; make it, or name another store"
            raise StoreError(f"{self.address}: could not be written: {said}") from error

    def write_all(self, files: Mapping[str, bytes]) -> None:
        """One PUT each, some at once."""
        self._all(lambda path: self.write(path, files[path]), list(files))

    def append(self, path: str, data: bytes) -> None:
        """Write all of it anew: an object cannot grow."""
        whole = self._grown.get(path, b"") + data
        self.write(path, whole)
        self._grown[path] = whole

    def files(self, folder: str) -> Iterator[Listed]:
        """Every object below a prefix."""
        start = f"{self.root}/{folder}"
        try:
            found = self._ask(lambda: self.system.find(start, detail=True), folder, "listed")
        except FileNotFoundError:
            return
        for name, known in found.items():
            written = known.get("LastModified") or known.get("created") or known.get("mtime")
            when = written.timestamp() if hasattr(written, "timestamp") else float(written or 0)
            yield Listed(name.removeprefix(f"{self.root}/"), int(known["size"]), when)

    def delete(self, path: str) -> None:
        """Delete an object."""
        with contextlib.suppress(FileNotFoundError):
            self._ask(lambda: self.system.rm_file(f"{self.root}/{path}"), path, "deleted")

    def sweep(self) -> int:
        """Nothing is ever left behind."""
        return 0

    def _size(self, path: str) -> int | None:
        try:
            return int(self._ask(lambda: self.system.info(f"{self.root}/{path}"), path, "read")["size"])
        except FileNotFoundError:
            return None

    def _first(self, path: str, length: int) -> bytes | None:
        try:
            start = self._ask(lambda: self.system.cat_file(f"{self.root}/{path}", start=0, end=length), path, "read")
            return bytes(start)
        except FileNotFoundError:
            return None

    def _all(self, ask: Callable[[str], T], paths: Sequence[str]) -> list[T]:
        """Many requests, some at once."""
        with ThreadPoolExecutor(TOGETHER) as pool:
            return list(pool.map(ask, paths))

    def _ask(self, request: Callable[[], Any], path: str, what: str) -> Any:
        """One request, again and again with longer pauses while the store does not answer."""
        import tenacity

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_transient),
            wait=tenacity.wait_random_exponential(0.5, 10),
            stop=tenacity.stop_after_delay(PATIENCE),
            reraise=True,
        )
        try:
            return retrying(request)
        except FileNotFoundError:
            raise
        except Exception as error:  # every object store's package has errors of its own
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise StoreError(
                f"{self.address}/{path}: could not be {what}: {said}; what is finished is kept: mend that and run again"
            ) from error


def _is_transient(error: BaseException) -> bool:
    """Whether it may be otherwise in a moment: not what was refused, or is not there."""
    refused = (FileNotFoundError, PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError)
    if isinstance(error, OSError) and error.errno == errno.EINVAL:
        return False
    return isinstance(error, Exception) and not isinstance(error, (*refused, ValueError, TypeError, ImportError))


def _head(start: bytes | None, size: int | None) -> tuple[bytes, int] | None:
    return None if start is None or size is None else (start, size)


def _above(path: str) -> str:
    return path.rpartition("/")[0]


def _system(address: str) -> tuple[Any, str]:
    """fsspec's file system of an address, and the path in it."""
    import fsspec

    protocol = address.partition("://")[0]
    extra = f"atlas-microscope[{PACKAGES[protocol]}]" if protocol in PACKAGES else "what fsspec names for it"
    try:
        system, root = fsspec.core.url_to_fs(address, use_listings_cache=False)
    except ImportError as error:
        raise StoreError(f"{address}: expected a package for {protocol}:, received none; install {extra}") from error
    except ValueError as error:
        raise StoreError(f"{address}: expected a folder or an address such as s3://bucket/folder: {error}") from error
    return system, root.rstrip("/")
