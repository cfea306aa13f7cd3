"""Builds of atlas as its users run them: their wall time and their memory."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from measure import FREE, Bench, UnmeasuredError

SAMPLE_EVERY = 0.1  # seconds
PAGE = os.sysconf("SC_PAGE_SIZE")


def build(bench: Bench, channels: int, size: int, steps: int) -> dict[str, Any]:
    """What a build of the first channels of mixed4 takes, from command to site, with nothing stored before.

    ``wall`` is in seconds, ``memory`` the greatest sum of the resident memory of all its processes, in GB; pages that
    they share count in each. Raises UnmeasuredError when it fails.
    """
    with tempfile.TemporaryDirectory(dir=bench.work) as folder:
        config = {
            "network": "inceptionv3",
            "weights": "embedded",
            "layers": [{"name": "mixed4", "channels": f"0-{channels - 1}"}],
            "recipes": {"main": {"base": "default", "size": size, "steps": steps}},
            "record": [],
        }
        (Path(folder) / "bench.yaml").write_text(json.dumps(config))  # JSON is YAML
        command = [sys.executable, "-m", "atlas", "build", "bench.yaml", "--quiet"]
        begun, greatest = time.perf_counter(), [0]
        made = subprocess.Popen(command, env=FREE, cwd=folder, stderr=subprocess.PIPE, text=True)
        watch = threading.Thread(target=_watch, args=(made, greatest))
        watch.start()
        _, said = made.communicate()
        wall = time.perf_counter() - begun
        watch.join()
        if made.returncode or not (Path(folder) / "site" / "bench" / "mixed4" / f"{channels - 1}.html").exists():
            lines = said.strip().splitlines() or [f"exit code {made.returncode}"]
            raise UnmeasuredError(f"atlas cannot build: {lines[-1]}")
    return {"wall": wall, "memory": greatest[0] / 1e9}


def _watch(process: "subprocess.Popen[str]", greatest: list[int]) -> None:
    """Keep the greatest resident memory of a process and all that descend from it, in bytes, until it ends."""
    while process.poll() is None:
        greatest[0] = max(greatest[0], _resident(process.pid))
        time.sleep(SAMPLE_EVERY)


def _resident(ancestor: int) -> int:
    parents, resident = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        parents[int(folder.name)], resident[int(folder.name)] = int(fields[1]), int(fields[21]) * PAGE
    family, grown = {ancestor}, True
    while grown:
        found = {process for process, parent in parents.items() if parent in family} - family
        family, grown = family | found, bool(found)
    return sum(resident.get(process, 0) for process in family)
