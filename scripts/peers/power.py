"""A power cut, as far as one program can make one: a small ext4 disk in a file, copied while builds on it stand still.

What a program writes lies in memory first; the kernel brings it to the disk later, or when the program asks for it. A
copy of the file behind a mounted loop device has only what was brought there, as a disk has after a power cut. Needs
root.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from promises import contents, members

SIZE = 64  # MB: copied in some 30 ms
TRIES = 20  # copies until two in turn are the same: the kernel writes meanwhile


class Disk:
    """An ext4 file system in the file ``image``, mounted on ``folder`` inside a ``with`` block."""

    def __init__(self, image: Path, folder: Path):
        self.image, self.folder = image, folder

    def format(self) -> "Disk":
        """Make it anew, all of it at once: nothing is left for the kernel to do later."""
        with self.image.open("wb") as file:
            file.truncate(SIZE << 20)
        now = "lazy_itable_init=0,lazy_journal_init=0"
        command = ["mkfs.ext4", "-q", "-m", "0", "-N", "8192", "-J", "size=4", "-E", now, str(self.image)]
        subprocess.run(command, check=True)
        return self

    def __enter__(self) -> "Disk":
        self.folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.folder)], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", str(self.folder)], check=True)

    def cut(self) -> bytes:
        """What is on the disk at this moment. Raises RuntimeError where the kernel never stops writing."""
        last = self.image.read_bytes()
        for _ in range(TRIES):
            now = self.image.read_bytes()
            if now == last:
                return now
            last = now
        raise RuntimeError(f"{self.image}: expected a disk that stands still, received one that is always written to")


def allowed(folder: Path) -> str:
    """Why no such disk can be mounted here, in a few words; empty where it can."""
    if os.geteuid() != 0:
        return "only root may mount a disk"
    try:
        with Disk(folder / "try.img", folder / "try").format():
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no ext4 disk can be mounted here: {error}"


@dataclass(frozen=True)
class Copy:
    """A disk as a power cut left it: the keys that the live log had called kept just before, and whether the build had
    ended."""

    image: Path
    kept: frozenset[str]
    ended: bool


@dataclass(frozen=True)
class Found:
    """What came of a copy: ``lost`` are the pictures called kept that are not whole; ``empty`` the files of 0 bytes in
    store and site, ``unnamed`` those of them that neither ``atlas store verify`` nor ``atlas check`` names; ``broken``
    what else was not as promised, in words.
    """

    kept: int
    lost: int
    empty: int
    unnamed: int
    broken: tuple[str, ...]


def start(disk: Path, log: Path) -> subprocess.Popen[bytes]:
    """``atlas build`` on a disk, its caches too, in a process group of its own; its output goes to a file elsewhere."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(disk / "cache")}
    command = [sys.executable, "-m", "atlas", "build", "atlas.yaml", "--json"]
    with log.open("wb") as file:
        return subprocess.Popen(command, cwd=disk, stdout=file, stderr=file, env=environment, start_new_session=True)


def kept(log: Path) -> frozenset[str]:
    """The keys of the pictures that a live log calls kept."""
    found = set()
    for line in log.read_bytes().split(b"\n")[:-1]:
        with contextlib.suppress(ValueError):  # a sentence of an error
            event = json.loads(line)
            if event["event"] == "batch":
                found |= {one["key"] for one in event["done"] if one["state"] != "failed"}
    return frozenset(found)


def cut_power(disk: Disk, build: subprocess.Popen[bytes], log: Path, image: Path) -> Copy:
    """Stop all processes of a build, read its live log, copy the disk, and let them go on."""
    ended = build.poll() is not None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(build.pid, signal.SIGSTOP)
    try:
        told = kept(log)
        image.write_bytes(disk.cut())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(build.pid, signal.SIGCONT)
    return Copy(image, told, ended)


def cuts(disk: Disk, log: Path, moments: list[float], after: list[float]) -> Iterator[Copy]:
    """Copies of a disk at some moments of a build, in seconds from its start, and at some after its end."""
    build, began = start(disk.folder, log), time.monotonic()
    for number, moment in enumerate(sorted(moments)):
        while time.monotonic() - began < moment and build.poll() is None:
            time.sleep(0.005)
        yield cut_power(disk, build, log, disk.image.with_name(f"copy-{number}.img"))
    build.wait()
    ended = time.monotonic()
    for number, moment in enumerate(sorted(after), len(moments)):
        time.sleep(max(0.0, ended + moment - time.monotonic()))
        yield cut_power(disk, build, log, disk.image.with_name(f"copy-{number}.img"))
    if build.returncode or members(build.pid):
        raise RuntimeError(f"expected a build that ends well, received exit code {build.returncode}: {log.read_text()}")


def built_on(copy: Copy, folder: Path, site: dict[str, bytes]) -> Found:
    """Mount a copy, see what it has, and build on; ``site`` is the undisturbed one."""
    from atlas.errors import StoreError
    from atlas.store.store import Store

    def atlas(*given: str) -> tuple[int, str]:
        environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
        command = [sys.executable, "-m", "atlas", *given]
        run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        return run.returncode, run.stdout + run.stderr

    lost, broken = 0, []
    with Disk(copy.image, folder):
        store, output = Store(str(folder / ".atlas")), folder / "site" / "atlas"
        for key in copy.kept:
            try:
                store.get(key)
            except StoreError:
                lost += 1
        empty = [path for part in (".atlas/v1/entries", ".atlas/v1/atlases", "site") for path in _empty(folder / part)]
        named = atlas("store", "verify")[1]
        if any(output.rglob("*.html")):
            named += atlas("check", "site/atlas")[1]
        unnamed = [
            path for path in empty if str(path) not in named and f"{_within(path, output)}: is empty" not in named
        ]
        if copy.ended and (empty or contents(folder / "site") != site):
            broken.append("after its end something is gone")
        code, said = atlas("build", "atlas.yaml", "--quiet")
        if code:
            broken.append(f"the next build: exit code {code}, {said.strip()}")
        if contents(folder / "site") != site:
            broken.append("another site")
        for command in (("store", "verify"), ("check", "site/atlas")):
            code, said = atlas(*command)
            if code:
                broken.append(f"{' '.join(command)} afterwards: {said.strip()}")
        broken += [f"left behind: {path}" for path in folder.rglob("*.tmp")]
    return Found(len(copy.kept), lost, len(empty), len(unnamed), tuple(broken))


def _empty(folder: Path) -> list[Path]:
    """The files of 0 bytes below a folder, but for temporary ones."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".tmp"))
    return [path for path in files if path.stat().st_size == 0]


def _within(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
