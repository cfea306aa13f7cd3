"""Put the engine's promises to the test: builds that are killed, beside each other, in trouble, and asked for nonsense.

    python scripts/reliability.py OUT [--only kills,two,trouble,fuzz] [--kills 50]

Prints one table as Markdown. Everything runs for real, in processes of its own. It takes about a quarter of an hour on
two cores, and mounts a small disk, so it runs as root.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
from promises import Row, atlas, contents, members, table, write

ORPHANS = 5.0  # seconds that a worker may outlive its build


def kills(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """One build that is killed again and again, against one that nothing happened to."""
    layers = [{"name": name, "channels": "0-95"} for name in ("mixed0", "mixed1", "mixed2")]
    for name in ("killed", "undisturbed"):
        write(out / name, layers=layers, compute={"batch": 4})
    calm = atlas(out / "undisturbed", "build", "atlas.yaml", "--quiet")
    began = time.monotonic()
    calm.communicate()
    lasted = time.monotonic() - began
    draw, orphans, count = random.Random(0), 0, 0
    while count < given.kills:
        build = atlas(out / "killed", "build", "atlas.yaml", "--quiet")
        victim_is_worker = count % 5 == 4
        time.sleep(draw.uniform(0.5, 0.35 * lasted))
        if build.poll() is not None:  # it was done before: begin again with some pictures less
            entries = sorted((out / "killed").glob(".atlas/v1/entries/*/*"))
            for path in draw.sample(entries, len(entries) * 2 // 3):
                path.unlink()
            continue
        alive = [process for process in members(build.pid) if process != build.pid]
        os.kill(draw.choice(alive) if victim_is_worker and alive else build.pid, signal.SIGKILL)
        count += 1
        if victim_is_worker:
            time.sleep(1)
            build.kill()
        build.wait()
        end = time.monotonic() + ORPHANS
        while time.monotonic() < end and members(build.pid):
            time.sleep(0.05)
        orphans += len(members(build.pid))
        for process in members(build.pid):
            os.kill(process, signal.SIGKILL)
        build.communicate()
    last = atlas(out / "killed", "build", "atlas.yaml", "--quiet")
    last.communicate()
    same = contents(out / "killed" / "site") == contents(out / "undisturbed" / "site")
    left = list((out / "killed").rglob("*.tmp"))
    yield f"{count} kill -9 over one build: exit code of the next", str(last.returncode), "0"
    yield "its site is the undisturbed one, byte for byte", "yes" if same else "no", "yes"
    yield "temporary files left", str(len(left)), "0"
    yield f"workers alive {ORPHANS:g} s after a kill", str(orphans), "0"


def two(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """Two builds of one configuration on one store at once, into folders of their own."""
    layers = [{"name": name, "channels": "0-127"} for name in ("mixed0", "mixed1", "mixed2")]
    write(out / "two", layers=layers, compute={"workers": 1}, store="shared")
    builds = [atlas(out / "two", "build", "atlas.yaml", "--json", "--output", f"site/{name}") for name in "ab"]
    ends = [json.loads(build.communicate()[0].splitlines()[-1]) for build in builds]
    rendered = sum(end["rendered"] for end in ends)
    yield "two builds on one store: exit codes", ", ".join(str(build.returncode) for build in builds), "0, 0"
    yield "together, times the pictures there are", f"{rendered / ends[0]['channels']:.2f}", "<= 1.2"


def trouble(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """A disk that fills up, one that cannot be written, a folder that is not ours: mounts a small disk, so as root."""
    place = out / "trouble"
    write(place, layers=[{"name": "mixed0", "channels": "0-31"}], store="disk/store")
    (place / "disk").mkdir()

    def mount(*arguments: str) -> None:
        subprocess.run(["mount", *arguments, str(place / "disk")], check=True)

    def build() -> str:
        build = atlas(place, "build", "atlas.yaml", "--quiet")
        _, said = build.communicate()
        lines = said.strip().splitlines()
        return f"exit code {build.returncode}" + (f", {len(lines)} line: {lines[0]}" if lines else "")

    mount("-t", "tmpfs", "-o", "size=300k", "tmpfs")
    try:
        yield "the store's disk is full", build(), "one sentence"
        mount("-o", "remount,size=100m,ro")
        yield "the store can only be read", build(), "one sentence"
        mount("-o", "remount,rw")
        (place / "site" / "atlas").mkdir(parents=True)
        (place / "site" / "atlas" / "thesis.tex").write_text("mine")
        yield "the output folder is not ours", build(), "one sentence"
        (place / "site" / "atlas" / "thesis.tex").unlink()
        yield "with all that mended", build(), "exit code 0"
    finally:
        subprocess.run(["umount", str(place / "disk")], check=True)


def fuzz(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """Ten thousand configurations, most of them almost right."""
    house = Path(__file__).resolve().parents[1]
    command = ["-m", "pytest", "-q", "tests/spec/test_load.py", "-k", "any_configuration"]
    run = subprocess.run(
        [sys.executable, *command, "--hypothesis-profile", "thorough", "--hypothesis-show-statistics"],
        capture_output=True,
        text=True,
        cwd=house,
    )
    tried = sum(map(int, re.findall(r"(\d+) passing", run.stdout)))
    yield f"{tried:,} configurations read or refused in sentences", "yes" if run.returncode == 0 else "no", "yes"


def main() -> None:
    parser = argparse.ArgumentParser(description="Put the engine's promises to the test.")
    parser.add_argument("--kills", type=int, default=50)
    table({"kills": kills, "two": two, "trouble": trouble, "fuzz": fuzz}, parser)


if __name__ == "__main__":
    main()
