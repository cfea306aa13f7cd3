"""Which files of an output folder are ours: a list under ``_/``, so that a build removes those and no others."""

import json
import os
import re
from pathlib import Path
from typing import Any

from atlas.errors import SiteError
from atlas.files import is_abandoned, meant, write_atomically

FILES = "_/files.json"
FORMAT = 1
_ADDRESS = re.compile(r"(?!/)(?!.*(^|/)\.)[A-Za-z0-9._/-]+")


class Ledger:
    """The files of one output folder, from opening it to closing the list.

    Raises SiteError when ``output`` is there, is not empty and is not a site of ours.
    """

    def __init__(self, output: Path):
        self.output = output
        self.changed = 0
        self.removed = 0
        self._new: dict[str, int] = {}
        self._folders: set[Path] = set()
        known = self._read()
        self._known: dict[str, int] = known["files"] if known else {}
        self._inputs: str | None = known["inputs"] if known else None
        self._interrupted = known is not None and self._inputs is None

    def _read(self) -> dict[str, Any] | None:
        try:
            if not self.output.exists() or self._is_empty():
                return None
            known = json.loads((self.output / FILES).read_bytes())
            if known["format"] == FORMAT and all(_ADDRESS.fullmatch(name) for name in known["files"]):
                return dict(known)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        raise SiteError(
            f"{self.output}: expected a new or empty folder, or an atlas that this program built, received neither; "
            "name another output folder, or move this one away"
        )

    def _is_empty(self) -> bool:
        """Whether nothing is there, or only what a build leaves that was killed before it wrote its first list."""
        started = self.output / "_"
        inside = list(started.iterdir()) if started.is_dir() and not started.is_symlink() else []
        return all(path == started for path in self.output.iterdir()) and all(meant(path.name) for path in inside)

    def holds(self, inputs: str) -> bool:
        """Whether the folder was made from just these inputs and every file is still there with its size."""
        return self._inputs == inputs and all(self._size(name) == size for name, size in self._known.items())

    def pages(self) -> int:
        """How many pages the folder holds, by the last finished list."""
        return sum(name.endswith(".html") for name in self._known)

    def begin(self, names: set[str]) -> None:
        """Note the files that are about to be written, so that an interrupted build still knows them as ours."""
        planned = {**self._known, **{name: self._known.get(name, -1) for name in names}}
        self._known = planned
        self._write(planned, None)

    def put(self, name: str, data: bytes) -> None:
        """Write one file, unless its bytes are there already. Raises SiteError when a link leads out of the folder."""
        path = self.output / name
        self._refuse_links(path.parent)
        self._new[name] = len(data)
        if path.is_symlink() or self._size(name) != len(data) or _read(path) != data:
            write_atomically(path, data)
            self.changed += 1

    def finish(self, inputs: str) -> None:
        """Remove the files of earlier builds that are no longer wanted, and close the list.

        Raises: SiteError when a file cannot be removed.
        """
        try:
            self._remove()
        except OSError as error:
            raise SiteError(
                f"{error.filename}: could not be removed: {error.strerror}; remove it, build again"
            ) from error
        self._write(self._new, inputs)

    def _remove(self) -> None:
        folders = {(self.output / name).parent for name in self._known}
        for name in sorted(set(self._known) - set(self._new)):
            path = self.output / name
            self._refuse_links(path.parent)
            if path.is_file() or path.is_symlink():
                path.unlink()
                self.removed += 1
        if self._interrupted:
            self._sweep(folders)
        parents = {parent for folder in folders for parent in folder.parents}
        for folder in sorted(folders | parents, reverse=True):
            if self.output in folder.parents and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def _sweep(self, folders: set[Path]) -> None:
        """Remove temporary files of our own names that a killed build left, unless their process is still alive."""
        for folder in sorted(folders):
            for path in sorted(folder.glob(".*.tmp")):
                name = (folder / (meant(path.name) or "")).relative_to(self.output).as_posix()
                if (name in self._known or name == FILES) and is_abandoned(path):
                    path.unlink()

    def _size(self, name: str) -> int | None:
        try:
            return os.stat(f"{self.output}/{name}").st_size  # noqa: PTH116 (a third of the time, 30,000 times)
        except OSError:
            return None

    def _refuse_links(self, folder: Path) -> None:
        if folder in self._folders or folder == self.output:
            return
        if folder.is_symlink():
            raise SiteError(f"{folder}: expected a folder, received a link elsewhere; remove it and build again")
        self._refuse_links(folder.parent)
        self._folders.add(folder)

    def _write(self, files: dict[str, int], inputs: str | None) -> None:
        self._refuse_links((self.output / FILES).parent)
        text = json.dumps({"format": FORMAT, "inputs": inputs, "files": files}, indent=0, sort_keys=True)
        write_atomically(self.output / FILES, text.encode())


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
