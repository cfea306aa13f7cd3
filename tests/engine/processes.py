"""A real build of the toy network in processes of its own, and what can be seen of those from outside."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from atlas.cli import main
from atlas.networks.record import record

CONFIG = """
network: {toy}
weights: random:1
preprocessing: tf
layers: [first, both]
recipes: {{main: {{size: 32, steps: {steps}{more}}}}}
compute: {{workers: 2, batch: 2}}
"""
PICTURES = 8 + 24
STEPS = 200  # so many that a build takes some seconds when its workers are up, on quick processors too
QUICK = ", parameterization: {name: pixel}, transforms: []"  # a recipe that every process traces quickly


def write_config(folder: Path, toy: Path, steps: int = 4, more: str = QUICK) -> Path:
    """A configuration of 32 pictures, in 16 batches for two workers; ``more`` is laid over the default recipe.

    What Keras tells of the network is kept in the cache folder: no build starts a process that imports Keras to ask.
    """
    record(str(toy))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "toy.yaml"
    path.write_text(CONFIG.format(toy=toy, steps=steps, more=more))
    return path


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """``atlas`` with ``arguments`` in ``folder``, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "atlas", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell ignores it for what it runs behind
    )


def run_here(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> object:
    """The exit code of ``atlas`` with ``arguments`` in ``folder``, run in this process."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["atlas", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


def entries(folder: Path) -> int:
    """How many entries the store in ``folder`` holds."""
    return len(list(folder.glob(".atlas/v1/entries/*/*.safetensors")))


def temporaries(folder: Path) -> list[Path]:
    """Files that were not renamed to their own name."""
    return [path for path in folder.rglob("*") if ".tmp" in path.name]


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether something becomes true within some time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def below(process: int) -> list[int]:
    """The living processes that a process has started, and those that they have started."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and is_alive(int(folder.name)) and (stat := _stat(int(folder.name))):
            parents[int(folder.name)] = int(stat[1])
    found = [child for child, parent in parents.items() if parent == process]
    return found + [deeper for child in found for deeper in below(child)]


def is_alive(process: int) -> bool:
    """Whether a process runs, or waits to; one that has ended and was not asked why does not."""
    stat = _stat(process)
    return stat is not None and stat[0] not in "ZX"


def workers(process: int) -> list[int]:
    """The worker processes of a build."""
    return [child for child in below(process) if b"multiprocessing.spawn" in _command(child)]


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def _stat(process: int) -> list[str] | None:
    """State, parent and more of a process: what stands behind its name in ``/proc``."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def made_or_found(out: str) -> int:
    """How many pictures a build says that it has: one whose worker was killed may find some that it had just made."""
    [(rendered, cached)] = re.findall(r"(\d+) pictures rendered, (\d+) were cached", out)
    return int(rendered) + int(cached)
