"""Which files of an output folder are ours, by what is known to have been written, and writing those of a build.

So a build removes the files of the builds before it and no others, writes over nobody's work, and makes no picture
again that is there already.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from atlas.errors import SiteError
from atlas.files import flush_all, is_abandoned, meant, write_atomically
from atlas.pages.addresses import HOME
from atlas.pages.listing import (
    FILES,
    JOURNAL,
    Known,
    Listing,
    Origin,
    begin_journal,
    note,
    read_journal,
    read_listing,
    write_listing,
)
from atlas.pages.manifest import is_page, is_shelf, read_summary
from atlas.pages.past import Past, digest_of, holds_nothing, size_of

TICK = 0.02  # seconds within which two changes of files may bear the same time


@dataclass
class Writer:
    """Writes files into an output folder, and only those whose bytes change; each is noted in the journal before.

    ``written`` are the files of this build, ``changed`` counts those that were not there before, ``mended`` are those
    that had been changed since a build wrote them. Picklable, so that several processes can write into one folder, each
    its own files.
    """

    past: Past
    written: dict[str, Known] = field(default_factory=dict)
    changed: int = 0
    mended: list[str] = field(default_factory=list)
    _folders: set[Path] = field(default_factory=set)

    @property
    def output(self) -> Path:
        """The folder."""
        return self.past.output

    def has(self, name: str, source: str) -> bool:
        """Whether a file is there that was made from just this, which is then one of this build's."""
        known = self.past.find(name)
        if known is None or known.source != source:
            return False
        refuse_links(self.output, (self.output / name).parent, self._folders)
        self.written[name] = known if known.digest else replace(known, digest=digest_of(self.output / name))
        return True

    def put(self, name: str, data: bytes, source: str = "") -> None:
        """Write one file, unless its bytes are there already.

        Raises SiteError when a link leads out of the folder, or a file lies there that is not a build's.
        """
        path = self.output / name
        refuse_links(self.output, path.parent, self._folders)
        known = Known(len(data), hashlib.sha256(data).hexdigest(), source)
        if path.is_symlink() or size_of(path) != len(data) or _read(path) != data:
            self._clear(name, data)
            note(self.output, name, known)
            write_atomically(path, data, flush=False)
            self.changed += 1
        self.written[name] = known

    def fill(self, name: str, write: Callable[[BinaryIO], None], source: str) -> None:
        """Write a large file piece by piece, unless it is there and was made from just this. Raises as ``put``."""
        if self.has(name, source):
            return

        def noted(stream: BinaryIO) -> None:
            write(stream)
            stream.flush()
            path = Path(stream.name)
            self.written[name] = Known(path.stat().st_size, digest_of(path), source)
            note(self.output, name, self.written[name])

        refuse_links(self.output, (self.output / name).parent, self._folders)
        self._clear(name)
        write_atomically(self.output / name, noted, flush=False)
        self.changed += 1

    def take(self, written: Mapping[str, Known], changed: int, mended: list[str]) -> None:
        """Count what another writer has written as this one's."""
        self.written.update(written)
        self.changed += changed
        self.mended += mended

    def _clear(self, name: str, data: bytes = b"") -> None:
        """See that what lies at an address may be written over: nothing, a build's file, or the beginning of ``data``,
        with zeros behind it, as a power cut leaves it. Raises SiteError otherwise."""
        path = self.output / name
        if not os.path.lexists(path) or self.past.find(name):
            return
        if name in self.past.files:
            self.mended.append(name)
        elif path.is_symlink() or not (holds_nothing(path) or data.startswith((_read(path) or b" ").rstrip(b"\0"))):
            raise SiteError(
                f"{path}: expected a file that a build wrote, or none, received one that no build is known to have "
                f"written; move it away, or delete it if it may go, and build again"
            )


class Ledger:
    """What is known of the files of one output folder, from opening it to closing it.

    Raises SiteError when ``output`` is there, is not empty and is not a site of ours; or when it is that of another
    atlas: of another configuration's file and with another title. Without ``origin`` nothing is asked of that.
    """

    def __init__(self, output: Path, origin: Origin | None = None):
        self.output, self.origin = output, origin
        self.removed = 0
        self.strange: list[str] = []  # files at our addresses that are not what a build wrote, and were left alone
        listing, journal = read_listing(output), read_journal(output)
        if listing is None and (journal is None or not journal.told) and not self._may_begin():
            raise SiteError(
                f"{output}: expected a new or empty folder, or an atlas that this program built, received neither; "
                "name another output folder, or move this one away"
            )
        self._interrupted = listing is None or listing.inputs is None or journal is not None
        self._inputs = None if self._interrupted or listing is None else listing.inputs
        self._last = (journal.origin if journal else None) or (listing.origin if listing else None)
        self._twice = listing is not None and listing.twice
        files, stamp = (listing.files, listing.stamp) if listing else ({}, 0)
        self._past = Past(output, files, journal.files if journal else {}, stamp)
        self._folders: set[Path] = set()
        self._refuse_another()

    def _may_begin(self) -> bool:
        """Whether a folder without a sound list may become a site: nothing is in it, or only what a build leaves that
        was killed at once, or an atlas of ours whose list is lost."""
        try:
            inside = list(self.output.iterdir())
            started = self.output / FILES.partition("/")[0]
            empty = all(path == started for path in inside) and (
                not inside or (started.is_dir() and not started.is_symlink() and all(map(_left, started.iterdir())))
            )
        except FileNotFoundError:
            return True
        except OSError:
            return False
        home = self.output / HOME
        return empty or read_summary(self.output) is not None or (is_page(home) and not is_shelf(home))

    def _refuse_another(self) -> None:
        last, own = self._last, self.origin
        if last and own and last.file != own.file and last.title != own.title:
            raise SiteError(
                f"{self.output}: expected a folder for {own.title!r}, received that of {last.title!r}, which "
                f"{last.file} made; write another folder as output in {own.file}, or delete this one if it may go"
            )

    def holds(self, inputs: str) -> bool:
        """Whether the folder was made from just these inputs and every file is still there as it was written."""
        now, past = time.time_ns(), self._past
        touched = past.touched() if self._inputs == inputs else []
        if self._inputs != inputs or any(past.find(name) is None for name in touched):
            return False
        if not self._twice or self.origin not in (None, self._last):  # the configuration has another name now
            self._write(past.files, inputs)
        elif touched:  # the folder was copied, say: the time of the list says that all of it was read again
            with contextlib.suppress(OSError):  # in a folder that can only be read it is read next time too
                os.utime(self.output / FILES, ns=(now, now - int(TICK * 1e9)))
        return True

    def pages(self) -> int:
        """How many pages the folder holds, by the last finished list."""
        return sum(name.endswith(".html") for name in self._past.files)

    def begin(self, names: set[str]) -> Writer:
        """Begin to write; ``names`` are the addresses of all files that this build may write."""
        refuse_links(self.output, (self.output / JOURNAL).parent, set())
        begin_journal(self.output, self.origin or self._last)
        self._folders = {(self.output / name).parent for name in (*names, *self._past.files, *self._past.begun, FILES)}
        return Writer(self._past)

    def finish(self, writer: Writer, inputs: str) -> None:
        """Remove the files of earlier builds that are no longer wanted, and write the list.

        Raises: SiteError when a file cannot be removed.
        """
        try:
            self._remove({*self._past.files, *self._past.begun} - set(writer.written))
            flush_all(self.output)  # the list says that all of it is there
            time.sleep(TICK)  # so that every file is older than the list
            self._write(writer.written, inputs)
            (self.output / JOURNAL).unlink()
        except OSError as error:
            raise SiteError(
                f"{error.filename}: could not be removed: {error.strerror}; remove it, build again"
            ) from error

    def _remove(self, unwanted: set[str]) -> None:
        for name in sorted(unwanted):
            path = self.output / name
            refuse_links(self.output, path.parent, set())
            if self._past.find(name) or holds_nothing(path):
                path.unlink()
                self.removed += 1
            elif os.path.lexists(path):
                self.strange.append(name)
        if self._interrupted:
            self._sweep()
        parents = {parent for folder in self._folders for parent in folder.parents}
        for folder in sorted(self._folders | parents, reverse=True):
            if self.output in folder.parents and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def _sweep(self) -> None:
        """Remove temporary files of our own names that a killed build left, unless their process is still alive."""
        for folder in sorted(self._folders):
            for path in sorted(folder.glob(".*.tmp")):
                if is_abandoned(path):
                    path.unlink()

    def _write(self, files: Mapping[str, Known], inputs: str) -> None:
        refuse_links(self.output, (self.output / FILES).parent, set())
        write_listing(self.output, Listing(files, inputs, self.origin or self._last))


def refuse_links(output: Path, folder: Path, seen: set[Path]) -> None:
    """Raise SiteError when a folder below ``output`` is a link to elsewhere; ``seen`` are those known to be none."""
    if folder in seen or folder == output:
        return
    if folder.is_symlink():
        raise SiteError(f"{folder}: expected a folder, received a link elsewhere; remove it and build again")
    refuse_links(output, folder.parent, seen)
    seen.add(folder)


def _left(path: Path) -> bool:
    """Whether a file below ``_/`` is what a build leaves that was killed, or lost its power, as it began."""
    return meant(path.name) is not None or holds_nothing(path)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
