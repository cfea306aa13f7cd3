"""Processes of joblib's that share a command's work, none of which lives on once the command has ended."""

import contextlib
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor

from atlas.errors import AtlasError
from atlas.runtime import safe_paths

T = TypeVar("T")
R = TypeVar("R")
EVERY = 0.2  # seconds between two looks at whether the command still lives
_work: list["_Work[Any, Any]"] = []  # of a process: one


class KilledError(AtlasError):
    """A process was killed under its work."""


@dataclass(frozen=True, eq=False)
class _Work(Generic[T, R]):
    """What a process is to do, what it does first, and for which process."""

    function: Callable[[T], R]
    begin: Callable[[], None] | None
    parent: int


def spread(
    function: Callable[[T], R], items: Sequence[T], count: int, begin: Callable[[], None] | None = None
) -> Iterator[R]:
    """What ``function`` makes of each item, in no order, by ``count`` processes, each of which calls ``begin`` first.

    Both are sent to each process once. Raises KilledError when one is killed, and what ``function`` raises.
    """
    work = _Work(function, begin, os.getpid())
    with safe_paths(), warnings.catch_warnings(), parallel_config("loky", initializer=_settle, initargs=(work,)):
        warnings.filterwarnings("ignore", "A worker stopped", UserWarning)  # loky renews one whose memory grew
        pool = Parallel(count, return_as="generator_unordered", batch_size=1, pre_dispatch="all")
        try:
            with _deaf():
                results = pool(delayed(_do)(item) for item in items)
            yield from results
        except BrokenProcessPool as error:
            raise KilledError(
                "expected processes that live, one was killed: is there too little memory? Try again"
            ) from error
        finally:
            get_reusable_executor(reuse=True).shutdown(kill_workers=True)


def _settle(work: _Work[Any, Any]) -> None:
    """The first thing in a process: be deaf to Ctrl-C, which is the command's, and end with the command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if work.begin:
        work.begin()

    def watch() -> None:
        while os.getppid() == work.parent:
            time.sleep(EVERY)
        os._exit(1)

    if os.getppid() != work.parent:
        os._exit(1)
    threading.Thread(target=watch, daemon=True, name="command-watch").start()
    _work[:] = [work]


def _do(item: Any) -> Any:
    return _work[0].function(item)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Processes begun inside the block do not hear Ctrl-C; this one hears it at the end of the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
