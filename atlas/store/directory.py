"""A store in a local folder: six small verbs, every write under a temporary name and then renamed."""

import json
from pathlib import Path
from typing import Any

from atlas.canonical import canonical
from atlas.errors import StoreError
from atlas.files import write_atomically
from atlas.store.entry import Entry, decode, encode, read_record

FORMAT = "v1"


class Store:
    """Renderings by key, and one record per atlas, under one folder.

    ``<folder>/v1/entries/<first two digits of the key>/<key>.safetensors`` and ``<folder>/v1/atlases/<name>.json``.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder).absolute()
        self._entries = self.folder / FORMAT / "entries"
        self._atlases = self.folder / FORMAT / "atlases"

    def path(self, key: str) -> Path:
        """Where the entry of that key lies, or would lie."""
        return self._entries / key[:2] / f"{key}.safetensors"

    def record(self, key: str) -> dict[str, Any] | None:
        """The numbers of an entry without its picture; None when it is absent or cut."""
        return read_record(self.path(key), key)

    def get(self, key: str) -> Entry:
        """The whole entry, verified. Raises StoreError when it is absent or damaged."""
        path = self.path(key)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StoreError(f"{path}: expected an entry, received: {error.strerror}; build again") from error
        return decode(data, key, str(path))

    def put(self, entry: Entry) -> None:
        """Keep an entry: at its address it is either whole or absent, at any moment."""
        write_atomically(self.path(entry.key), encode(entry))

    def put_atlas(self, name: str, record: dict[str, Any]) -> None:
        """Keep the record of an atlas: what the pages are made from, beside the entries."""
        write_atomically(self._atlases / f"{name}.json", canonical(record).encode())

    def get_atlas(self, name: str) -> dict[str, Any] | None:
        """The record of an atlas, or None when there is none."""
        path = self._atlases / f"{name}.json"
        try:
            record: dict[str, Any] = json.loads(path.read_bytes())
            return record
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StoreError(
                f"{path}: expected an atlas record, received: {error}; delete the file and build again"
            ) from error
