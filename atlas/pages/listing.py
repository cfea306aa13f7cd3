"""What is written down of an output folder, under ``_/``: the list of its files, and the journal of a build under way.

The list stands there twice, each with a checksum: when one is damaged, the other counts. The journal is a line for each
file, written before the file itself; a build that ends well removes it. No list and no journal is ever a reason to
believe that a file is a build's: what lies at its address must have the digest that was noted.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from atlas.errors import AtlasError
from atlas.files import write_atomically

FILES = "_/files.json"
COPY = "_/files.copy.json"
JOURNAL = "_/files.journal"
FORMAT = 3
_ADDRESS = re.compile(r"(?!/)(?!.*(^|/)\.)[A-Za-z0-9._/-]+")
_CHECKSUM = '{"checksum": '


@dataclass(frozen=True)
class Known:
    """A file that a build wrote: its size in bytes, the sha256 of its bytes, and the digest of what it was made from.

    ``digest`` is empty in lists of before format 3; ``source`` is empty where only the bytes tell.
    """

    size: int
    digest: str = ""
    source: str = ""


@dataclass(frozen=True)
class Origin:
    """Which atlas a folder holds: the name of the configuration's file, and the atlas's title."""

    file: str
    title: str


@dataclass(frozen=True)
class Listing:
    """What a finished build left: its files by address, and a digest of its inputs.

    ``inputs`` is None where a build of before format 3 did not finish; ``stamp`` is when the list was written, in
    nanoseconds since 1970, 0 where that lies ahead: files that have not changed since are as they were written.
    ``twice`` says that the list and its copy are the same.
    """

    files: Mapping[str, Known]
    inputs: str | None
    origin: Origin | None
    stamp: int = 0
    twice: bool = True


@dataclass(frozen=True)
class Journal:
    """What builds that did not finish were about to write: for each address one row or several.

    ``told`` says that at least one line could be read.
    """

    files: Mapping[str, tuple[Known, ...]]
    origin: Origin | None
    told: bool


def write_listing(output: Path, listing: Listing) -> None:
    """Write the list, both times. Raises AtlasError when it cannot be written."""
    body = json.dumps(
        {
            "files": {name: _row(known) for name, known in listing.files.items()},
            "format": FORMAT,
            "inputs": listing.inputs,
            "of": _of(listing.origin),
        },
        sort_keys=True,
    )
    checksum = hashlib.sha256(body.encode()).hexdigest()
    for name in (COPY, FILES):  # the later of the two says when
        write_atomically(output / name, f'{_CHECKSUM}"{checksum}", {body[1:]}'.encode())


def read_listing(output: Path) -> Listing | None:
    """The list, or its copy where the list is damaged; None without either."""
    here, copy = _bytes(output / FILES), _bytes(output / COPY)
    for path, data in ((output / FILES, here), (output / COPY, copy)):
        if data is not None and (found := _listing(data)):
            stamp = path.stat().st_mtime_ns
            return replace(found, stamp=stamp if stamp <= time.time_ns() else 0, twice=here == copy)
    return None


def damaged(output: Path) -> list[str]:
    """Which of the list and its copy are damaged; the list, too, where only its copy is there."""
    here, copy = _bytes(output / FILES), _bytes(output / COPY)
    lost = here is None and copy is not None
    unsound = [name for name, data in ((FILES, here), (COPY, copy)) if data is not None and _listing(data) is None]
    return [FILES] * lost + unsound


def begin_journal(output: Path, origin: Origin | None) -> None:
    """Note that a build begins to write. Raises AtlasError when that cannot be written."""
    if (output / JOURNAL).exists():
        _append(output, {"of": _of(origin)})
    else:
        write_atomically(output / JOURNAL, _line({"of": _of(origin)}))


def note(output: Path, name: str, known: Known) -> None:
    """Note that a file is about to be written. Raises AtlasError when that cannot be written."""
    _append(output, [name, *_row(known)])


def read_journal(output: Path) -> Journal | None:
    """The journal; None without one. Lines that are torn or damaged say nothing."""
    data = _bytes(output / JOURNAL)
    if data is None:
        return None
    files: dict[str, tuple[Known, ...]] = {}
    origin, told = None, False
    for said in _sound(data.split(b"\n")):
        told = True
        match said:
            case {"of": of}:
                origin = _origin(of) or origin
            case [str(name), *row] if _ADDRESS.fullmatch(name) and (known := _known(row)):
                files[name] = (*files.get(name, ()), known)
    return Journal(files, origin, told)


def _listing(data: bytes) -> Listing | None:
    """What a list says; None when it is damaged, or not of this program."""
    try:
        said = json.loads(data)
        read = _known if said["format"] == FORMAT else _known_before
        files = {name: read(row) for name, row in said["files"].items()}
        sound = said["format"] in (1, 2) or (said["format"] == FORMAT and said["checksum"] == _checksum(data))
        whole = sound and all(map(_ADDRESS.fullmatch, files)) and isinstance(said["inputs"], str | None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not whole or None in files.values():
        return None
    written = {name: known for name, known in files.items() if known and known.size >= 0}  # before 3: -1 was planned
    return Listing(written, said["inputs"], _origin(said.get("of")))


def _bytes(path: Path) -> bytes | None:
    """What is in a file; None when it is not there, no file, or cannot be read."""
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None


def _checksum(data: bytes) -> str:
    """The sha256 of what was written after the checksum."""
    return hashlib.sha256(b"{" + data[len(_CHECKSUM) + 68 :]).hexdigest()  # 64 digits, two quotes, comma and space


def _row(known: Known) -> list[int | str]:
    return [known.size, known.digest, known.source]


def _known(row: Any) -> Known | None:
    match row:
        case [int(size), str(digest), str(source)]:
            return Known(size, digest, source)
    return None


def _known_before(row: Any) -> Known | None:
    """What a row of format 1 says, a size; or one of format 2, a list of the size and, for some, the source."""
    match row:
        case int(size) | [int(size)]:
            return Known(size)
        case [int(size), str(source)]:
            return Known(size, source=source)
    return None


def _of(origin: Origin | None) -> list[str] | None:
    return [origin.file, origin.title] if origin else None


def _origin(of: Any) -> Origin | None:
    """Which atlas a list is of; None where it does not say."""
    match of:
        case [str(file), str(title)]:
            return Origin(file, title)
    return None


def _line(said: Any) -> bytes:
    """One line, after the end of another that may be torn: its checksum and its JSON."""
    text = json.dumps(said).encode()
    return b"\n%08x %s" % (zlib.crc32(text), text)


def _sound(lines: list[bytes]) -> Iterator[Any]:
    for line in lines:
        with contextlib.suppress(ValueError):
            if int(line[:8], 16) == zlib.crc32(line[9:]):
                yield json.loads(line[9:])


def _append(output: Path, said: Any) -> None:
    """Add a line to the journal in one go, so that several processes may."""
    line = _line(said)
    try:
        with (output / JOURNAL).open("ab", buffering=0) as file:
            if file.write(line) == len(line):
                return
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise AtlasError(
            f"{output / JOURNAL}: could not be written: {what}; free or name another folder and run again"
        ) from error
