"""One writer for an output folder at a time: a lock on the folder itself, which ends with the process that holds it.

There is no file of the lock: what is locked is the open folder (flock), and so nothing of it is in the site, whatever
path leads there. Page writers in processes of their own hold the folder ``_`` in common, so that whoever is next also
waits for those whose command was killed.
"""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from atlas.errors import AtlasError, SiteError
from atlas.pages.addresses import OWN

PATIENCE = 600.0  # seconds that a second writer waits for the first
EVERY = 0.05  # seconds between two tries
_BUSY = (errno.EWOULDBLOCK, errno.EACCES)


@contextlib.contextmanager
def alone(output: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Nobody else writes into ``output`` inside the block; it is made when it is missing, and goes if it stays empty.

    ``waiting`` is called when another process writes there. On file systems without locks nothing is locked.

    Raises: SiteError when the other is not done within ten minutes; AtlasError when the folder cannot be made.
    """
    made = not os.path.exists(output)  # noqa: PTH110 (False where it may not be looked at)
    folder = _locked(output, waiting)
    try:
        if folder is not None:
            _pass_page_writers(output / OWN)
        yield
        if folder is not None and not _is(output, folder):
            raise SiteError(
                f"{output}: expected the folder that pages were written into, received another; somebody has put it "
                "there meanwhile: build again"
            )
    finally:
        if folder is not None:
            for path in (output / OWN, output) if made and _is(output, folder) else ():
                with contextlib.suppress(OSError):  # something is in it
                    path.rmdir()
            os.close(folder)


def in_common(output: Path) -> None:
    """Hold ``output`` as one of its page writers, for as long as this process lives."""
    with contextlib.suppress(OSError):
        fcntl.flock(_open(output / OWN), fcntl.LOCK_SH)


def _locked(output: Path, waiting: Callable[[], None]) -> int | None:
    """The descriptor of a folder that is made and locked; None where there is no folder, or it cannot be locked."""
    while True:
        try:
            output.mkdir(parents=True, exist_ok=True)
            folder = _open(output)
        except OSError as error:
            if os.path.exists(output):  # noqa: PTH110
                return None  # what reads it says what is wrong with it
            raise AtlasError(
                f"{output}: could not be made: {error.strerror}; name another output folder and run again"
            ) from error
        try:
            _wait(output, folder, waiting)
        except BaseException:
            os.close(folder)
            raise
        if _is(output, folder):
            return folder
        os.close(folder)  # whoever had it has removed it


def _pass_page_writers(own: Path) -> None:
    """Wait until the page writers of a command that was killed are gone."""
    with contextlib.suppress(OSError):  # no page was ever written
        folder = _open(own)
        try:
            _wait(own, folder, lambda: None)
        finally:
            os.close(folder)


def _wait(path: Path, folder: int, waiting: Callable[[], None]) -> None:
    end, told = time.monotonic() + PATIENCE, False
    while True:
        try:
            return fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _BUSY:  # no locks on this file system
                return None
        if not told:
            waiting()
            told = True
        if time.monotonic() > end:
            raise SiteError(
                f"{path}: expected a folder that nobody writes into, received one that another process has "
                "been writing for ten minutes; end that one, or name another output folder"
            )
        time.sleep(EVERY)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


def _is(path: Path, folder: int) -> bool:
    """Whether a folder that was opened is still what lies at its path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(folder))
    except OSError:
        return False
