"""The log of a run, as lines of JSON in the store: what ``atlas status`` reads, and what shows that a build is alive.

The first line is the ``run``: its atlas, its machine, how many pictures there are and are missing. Then a ``batch`` for
each that ended, a ``beat`` where nothing else was written for a while, and at last the ``end``. Each line has its own
checksum; a line that is cut or altered is left out.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from atlas.canonical import sealed, unsealed
from atlas.errors import AtlasError
from atlas.store.store import Store

RUNS = "v1/runs"
FLUSH = 5.0  # seconds between two writes
BEAT = 30.0  # seconds after which a build that is alive has written something
LOST = 120.0  # seconds of silence after which it is not
WORK = "work"  # as ``Group.flop``; lines of before have none, and say ``flop``, which counted multiply-adds alone
SAID: dict[str, dict[str, type | tuple[type, ...]]] = {
    "run": {
        "atlas": str,
        "host": str,
        "process": int,
        "pictures": int,
        "missing": int,
    },
    "batch": {
        "layer": str,
        "recipe": str,
        "made": int,
        "dead": int,
        "failed": int,
        "seconds": (int, float),
    },
    "beat": {},
    "end": {"state": str},
}
"""What each kind of line says: lines from before there were checksums are taken only where they say all of it."""


@dataclass(frozen=True)
class Run:
    """What the log of one run says: its first line, its batches, and how it stands.

    ``state`` is running, lost (it stopped writing without an end), or how it ended: done, interrupted or stopped.
    ``last`` is when it was last heard of, in seconds since 1970.
    """

    about: dict[str, Any]
    batches: tuple[dict[str, Any], ...]
    state: str
    last: float

    @property
    def speed(self) -> float:
        """Floating point operations in each second of a worker; 0 before the first batch."""
        seconds = sum(batch["seconds"] for batch in self.batches)
        return float(sum(batch.get(WORK, 0) for batch in self.batches) / seconds) if seconds else 0.0

    @property
    def summary(self) -> dict[str, Any]:
        """All of it as plain data; ``left`` in seconds, None before the first batch."""
        made, paid = (sum(batch.get(name, 0) for batch in self.batches) for name in ("made", WORK))
        begun = self.about["at"]
        left = (self.last - begun) * (self.about.get(WORK, 0) - paid) / paid if paid else None
        return {
            "atlas": self.about["atlas"],
            "state": self.state,
            "began": begun,
            "heard": self.last,
            "host": self.about["host"],
            "process": self.about["process"],
            "pictures": self.about["pictures"],
            "missing": self.about["missing"],
            "made": made,
            "dead": sum(batch["dead"] for batch in self.batches),
            "failed": sum(batch["failed"] for batch in self.batches),
            "left": left,
        }


class Log:
    """The log of the run that goes on here. What it writes is never in the way of the work: trouble is let be."""

    def __init__(self, store: Store, about: dict[str, Any]):
        began = time.time()
        self._store = store
        self._path = f"{RUNS}/{int(1000 * began)}-{socket.gethostname()}-{os.getpid()}.jsonl"
        self._lines: list[bytes] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.write("run", host=socket.gethostname(), process=os.getpid(), **about)
        self._writer = threading.Thread(target=self._keep_writing, daemon=True, name="run-log")
        self._writer.start()

    def write(self, event: str, **said: Any) -> None:
        """Add a line."""
        with self._lock:
            self._lines.append(sealed({"at": round(time.time(), 3), "event": event} | said) + b"\n")

    def end(self, state: str) -> None:
        """The last line."""
        self.write("end", state=state)
        self._over.set()
        self._writer.join()
        self._flush()

    def _keep_writing(self) -> None:
        written = 0.0
        while True:
            self._flush()
            if self._over.wait(FLUSH):
                return
            if self._lines:
                written = time.monotonic()
            elif time.monotonic() - written > BEAT:
                self.write("beat")
                written = time.monotonic()

    def _flush(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        if not lines:
            return
        try:
            self._store.place.append(self._path, b"".join(lines))
        except AtlasError:  # it is tried again with the next lines
            with self._lock:
                self._lines = lines + self._lines


def runs(store: Store) -> Iterator[Run]:
    """The runs that the store has logs of, the latest first."""
    for listed in sorted(store.place.files(RUNS), key=lambda one: one.path, reverse=True):
        lines = list(_lines(store, listed.path))
        if not lines or lines[0]["event"] != "run":
            continue
        last = lines[-1]
        silent = time.time() - last["at"]
        state = last["state"] if last["event"] == "end" else "running" if silent < LOST else "lost"
        yield Run(lines[0], tuple(line for line in lines if line["event"] == "batch"), state, last["at"])


def measured_speed(store: Store) -> float:
    """Floating point operations in each second of a worker of the last build that rendered anything; 0 if none did."""
    return next((run.speed for run in runs(store) if run.speed), 0.0)


def _lines(store: Store, path: str) -> Iterator[dict[str, Any]]:
    """The lines that are whole; none of a log that was just deleted."""
    try:
        data = store.place.read(path)
    except FileNotFoundError:
        return
    for text in data.split(b"\n"):
        line = unsealed(text, old=True)
        if line and _says_all(line):
            yield line


def _says_all(line: dict[str, Any]) -> bool:
    said = SAID.get(str(line.get("event")))
    wanted = None if said is None else {"at": (int, float), **said}
    return wanted is not None and all(isinstance(line.get(name), kind) for name, kind in wanted.items())
