"""Real builds in processes of their own, and tables of what came of them."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

SMALL = {"size": 76, "steps": 32}
BUILD = {"network": "inceptionv3", "weights": "embedded", "recipes": {"main": SMALL}}

Row = tuple[str, str, str]  # what, found, must be
Section = Callable[[Path, argparse.Namespace], Iterator[Row]]


def write(folder: Path, **more: Any) -> None:
    """A configuration ``atlas.yaml`` in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "atlas.yaml").write_text(yaml.safe_dump(BUILD | more, sort_keys=False))


def atlas(folder: Path, *arguments: str, path: str = "") -> subprocess.Popen[str]:
    """``atlas`` with arguments in a folder, in a process group of its own; ``path`` is searched for modules first."""
    command = [sys.executable, "-m", "atlas", *arguments]
    environment = {**os.environ, "PYTHONPATH": path} if path else None
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def members(group: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                text = (place / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(text[2]) == group and text[0] != "Z":
                found.append(int(place.name))
    return found


def measured(folder: Path, *arguments: str) -> tuple[float, float, str]:
    """Seconds and GB of peak memory of one command, and what it printed."""
    began = time.perf_counter()
    run = atlas(folder, *arguments)
    assert run.stdout
    text = run.stdout.read()
    _, status, usage = os.wait4(run.pid, 0)
    if status:
        sys.exit(f"{folder}: atlas {' '.join(arguments)} failed")
    return time.perf_counter() - began, usage.ru_maxrss / 1e6, text


def table(sections: Mapping[str, Section], parser: argparse.ArgumentParser) -> None:
    """Run some sections into a folder, as the command line says, and print their rows as Markdown."""
    parser.add_argument("out", type=Path, help="an empty folder for what is built")
    parser.add_argument("--only", default=",".join(sections), help=f"some of {', '.join(sections)}")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    print("| promise | found | must be |\n|---|---|---|")
    for name in given.only.split(","):
        for what, found, must in sections[name](given.out.absolute(), given):
            print(f"| {what} | {found} | {must} |", flush=True)
