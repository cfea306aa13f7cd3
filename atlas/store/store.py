"""The store: renderings by their keys and one record for each atlas, in a folder or an object store."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from atlas.canonical import sealed, unsealed
from atlas.errors import DamagedError, StoreError
from atlas.store.entry import Entry, decode, encode, needed, record_of
from atlas.store.places import place

FORMAT = "v1"
ENTRIES, ATLASES = f"{FORMAT}/entries", f"{FORMAT}/atlases"
HEAD = 4096  # bytes; an entry's header is about 2 kB
AHEAD = 16  # entries
KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Kept:
    """An entry as it is listed: its key, size in bytes, and when it was written, in seconds since 1970."""

    key: str
    size: int
    written: float


class Store:
    """Renderings by key, and one record per atlas, under one address.

    ``v1/entries/<first two digits of the key>/<key>.safetensors`` and ``v1/atlases/<name>.json`` below a folder or an
    object store such as ``s3://bucket/folder``. Raises StoreError for an address that means neither.
    """

    def __init__(self, address: str):
        self.place = place(str(address))
        self.address = self.place.address

    def where(self, key: str) -> str:
        """Where the entry of that key lies, or would lie, in words."""
        return f"{self.address}/{_path(key)}"

    def record(self, key: str) -> dict[str, Any] | None:
        """The numbers of an entry without its picture; None when it is absent or cut."""
        return self.records([key])[0]

    def records(self, keys: Sequence[str]) -> list[dict[str, Any] | None]:
        """The same for many entries. Reads their headers only."""
        paths = [_path(key) for key in keys]
        found = []
        for key, path, head in zip(keys, paths, self.place.heads(paths, HEAD), strict=True):
            if head and (longer := needed(head[0])) > len(head[0]):
                [head] = self.place.heads([path], longer)
            found.append(record_of(*head, key) if head else None)
        return found

    def get(self, key: str) -> Entry:
        """The whole entry, verified. Raises StoreError when it is absent or damaged."""
        try:
            data = self.place.read(_path(key))
        except FileNotFoundError as error:
            raise StoreError(f"{self.where(key)}: expected an entry, received nothing; build again") from error
        return decode(data, key, self.where(key))

    def get_all(self, keys: Iterable[str]) -> Iterator[Entry]:
        """Whole entries in the order of their keys, verified; the next ones are read while one is used."""
        with ThreadPoolExecutor(AHEAD) as pool:
            reading: deque[Future[Entry]] = deque()
            for key in keys:
                reading.append(pool.submit(self.get, key))
                if len(reading) > AHEAD:
                    yield reading.popleft().result()
            while reading:
                yield reading.popleft().result()

    def put(self, *entries: Entry) -> None:
        """Keep entries: at its address each is either whole or absent, at any moment. They are kept for good when this
        returns, also when the power goes."""
        self.place.write_all({_path(entry.key): encode(entry) for entry in entries})

    def drop(self, key: str) -> None:
        """Delete an entry."""
        self.place.delete(_path(key))

    def entries(self) -> Iterator[Kept]:
        """Every entry, in no order."""
        for one in self.place.files(ENTRIES):
            key = one.path.rpartition("/")[2].removesuffix(".safetensors")
            if KEY.fullmatch(key) and one.path == _path(key):
                yield Kept(key, one.size, one.written)

    def sweep(self) -> int:
        """Delete temporary files of writers that are no more; how many."""
        return self.place.sweep()

    def put_atlas(self, name: str, record: dict[str, Any]) -> None:
        """Keep the record of an atlas: what the pages are made from, beside the entries."""
        self.place.write(_atlas(name), sealed(record))

    def holds_atlas(self, name: str, record: dict[str, Any]) -> bool:
        """Whether the record of an atlas is just this one, and whole."""
        try:
            return self.place.read(_atlas(name)) == sealed(record)
        except FileNotFoundError:
            return False

    def get_atlas(self, name: str) -> dict[str, Any] | None:
        """The record of an atlas, or None when there is none. Raises DamagedError when it is empty, cut or altered."""
        path = _atlas(name)
        try:
            record = unsealed(self.place.read(path), old=True)
        except FileNotFoundError:
            return None
        if record is None:
            raise DamagedError(
                f"{self.address}/{path}: expected an atlas record, received a damaged file; build that atlas again"
            )
        return record

    def drop_atlas(self, name: str) -> None:
        """Delete the record of an atlas."""
        self.place.delete(_atlas(name))

    def atlases(self) -> list[str]:
        """The names of the atlases that there are records of."""
        names = (one.path.removeprefix(f"{ATLASES}/").removesuffix(".json") for one in self.place.files(ATLASES))
        return sorted(name for name in names if "/" not in name)


def _atlas(name: str) -> str:
    return f"{ATLASES}/{name}.json"


def _path(key: str) -> str:
    return f"{ENTRIES}/{key[:2]}/{key}.safetensors"
