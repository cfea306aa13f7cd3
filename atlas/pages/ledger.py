"""Which files of an output folder are ours, and what each was made from: a list under ``_/``.

So a build removes the files of the build before it and no others, and makes no picture again that is there already.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from atlas.errors import SiteError
from atlas.files import flush_all, is_abandoned, meant, write_atomically

FILES = "_/files.json"
FORMAT = 2
_ADDRESS = re.compile(r"(?!/)(?!.*(^|/)\.)[A-Za-z0-9._/-]+")


@dataclass(frozen=True)
class Known:
    """A file of ours: its size in bytes, and the digest of what it was made from, empty where only its bytes tell."""

    size: int
    source: str = ""


@dataclass(frozen=True)
class Origin:
    """Which atlas a folder holds: the name of the configuration's file, and the atlas's title."""

    file: str
    title: str


@dataclass
class Writer:
    """Writes files into an output folder, and only those whose bytes change. ``known`` is what the last build left.

    ``written`` are the files of this build, ``changed`` counts those that were not there before. Picklable, so that
    several processes can write into one folder, each its own files.
    """

    output: Path
    known: Mapping[str, Known]
    written: dict[str, Known] = field(default_factory=dict)
    changed: int = 0
    _folders: set[Path] = field(default_factory=set)

    def has(self, name: str, source: str) -> bool:
        """Whether a file is there that was made from just this, which is then one of this build's."""
        known = self.known.get(name)
        if known is None or known.source != source or size_of(self.output, name) != known.size:
            return False
        refuse_links(self.output, (self.output / name).parent, self._folders)
        self.written[name] = known
        return True

    def put(self, name: str, data: bytes, source: str = "") -> None:
        """Write one file, unless its bytes are there already. Raises SiteError when a link leads out of the folder."""
        path = self.output / name
        refuse_links(self.output, path.parent, self._folders)
        self.written[name] = Known(len(data), source)
        if path.is_symlink() or size_of(self.output, name) != len(data) or _read(path) != data:
            write_atomically(path, data, flush=False)
            self.changed += 1

    def fill(self, name: str, write: Callable[[BinaryIO], None], source: str) -> None:
        """Write a large file piece by piece, unless it is there and was made from just this."""
        if not self.has(name, source):
            refuse_links(self.output, (self.output / name).parent, self._folders)
            write_atomically(self.output / name, write, flush=False)
            self.written[name] = Known(size_of(self.output, name) or 0, source)
            self.changed += 1

    def take(self, written: Mapping[str, Known], changed: int) -> None:
        """Count what another writer has written as this one's."""
        self.written.update(written)
        self.changed += changed


class Ledger:
    """The list of one output folder, from opening it to closing it.

    Raises SiteError when ``output`` is there, is not empty and is not a site of ours; or when it is that of another
    atlas: of another configuration's file and with another title. Without ``origin`` nothing is asked of that.
    """

    def __init__(self, output: Path, origin: Origin | None = None):
        self.output, self.origin = output, origin
        self.removed = 0
        known = self._read()
        self._known: dict[str, Known] = {name: Known(*row) for name, row in known["files"].items()} if known else {}
        self._inputs: str | None = known["inputs"] if known else None
        self._interrupted = known is not None and self._inputs is None
        self._last = _origin(known)
        self._refuse_another()

    def _read(self) -> dict[str, Any] | None:
        try:
            if not self.output.exists() or self._is_empty():
                return None
            known = json.loads((self.output / FILES).read_bytes())
            if known["format"] == 1:  # sizes only
                known["files"] = {name: [size] for name, size in known["files"].items()}
            if known["format"] in (1, FORMAT) and all(_ADDRESS.fullmatch(name) for name in known["files"]):
                return dict(known)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        raise SiteError(
            f"{self.output}: expected a new or empty folder, or an atlas that this program built, received neither; "
            "name another output folder, or move this one away"
        )

    def _refuse_another(self) -> None:
        last, own = self._last, self.origin
        if last and own and last.file != own.file and last.title != own.title:
            raise SiteError(
                f"{self.output}: expected a folder for {own.title!r}, received that of {last.title!r}, which "
                f"{last.file} made; write another folder as output in {own.file}, or delete this one if it may go"
            )

    def _is_empty(self) -> bool:
        """Whether nothing is there, or only what a build leaves that was killed before it wrote its first list."""
        started = self.output / "_"
        inside = list(started.iterdir()) if started.is_dir() and not started.is_symlink() else []
        return all(path == started for path in self.output.iterdir()) and all(meant(path.name) for path in inside)

    def holds(self, inputs: str) -> bool:
        """Whether the folder was made from just these inputs and every file is still there with its size."""
        held = self._inputs == inputs and all(
            size_of(self.output, name) == known.size for name, known in self._known.items()
        )
        if held and self.origin not in (None, self._last):  # the configuration has another name now
            self._write(self._known, inputs)
        return held

    def pages(self) -> int:
        """How many pages the folder holds, by the last finished list."""
        return sum(name.endswith(".html") for name in self._known)

    def begin(self, names: set[str]) -> Writer:
        """Note the files that may be written, so that an interrupted build still knows them as ours.

        What lies at their addresses already and is not of ours stays what it is, unless it is written over.
        """
        writer = Writer(self.output, self._known)
        fresh = {name: Known(-1) for name in names - set(self._known) if not os.path.lexists(f"{self.output}/{name}")}
        self._known = {**self._known, **fresh}
        self._write(self._known, None)
        return writer

    def finish(self, writer: Writer, inputs: str) -> None:
        """Remove the files of earlier builds that are no longer wanted, and close the list.

        Raises: SiteError when a file cannot be removed.
        """
        try:
            self._remove(set(self._known) - set(writer.written))
        except OSError as error:
            raise SiteError(
                f"{error.filename}: could not be removed: {error.strerror}; remove it, build again"
            ) from error
        flush_all(self.output)  # the list says that all of it is there
        self._write(writer.written, inputs)

    def _remove(self, unwanted: set[str]) -> None:
        folders = {(self.output / name).parent for name in self._known}
        for name in sorted(unwanted):
            path = self.output / name
            refuse_links(self.output, path.parent, set())
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

    def _write(self, files: Mapping[str, Known], inputs: str | None) -> None:
        refuse_links(self.output, (self.output / FILES).parent, set())
        rows = {name: [known.size, known.source] if known.source else [known.size] for name, known in files.items()}
        origin = self.origin or self._last
        of = {"of": [origin.file, origin.title]} if origin else {}
        text = json.dumps({"format": FORMAT, "inputs": inputs, "files": rows, **of}, sort_keys=True)
        write_atomically(self.output / FILES, text.encode())


def _origin(known: Mapping[str, Any] | None) -> Origin | None:
    """Which atlas a list is of; None where it does not say."""
    match (known or {}).get("of"):
        case [str(file), str(title)]:
            return Origin(file, title)
    return None


def size_of(output: Path, name: str) -> int | None:
    """The size of a file in an output folder, None when there is none."""
    try:
        return os.stat(f"{output}/{name}").st_size  # noqa: PTH116 (a third of the time, 30,000 times)
    except OSError:
        return None


def refuse_links(output: Path, folder: Path, seen: set[Path]) -> None:
    """Raise SiteError when a folder below ``output`` is a link to elsewhere; ``seen`` are those known to be none."""
    if folder in seen or folder == output:
        return
    if folder.is_symlink():
        raise SiteError(f"{folder}: expected a folder, received a link elsewhere; remove it and build again")
    refuse_links(output, folder.parent, seen)
    seen.add(folder)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
