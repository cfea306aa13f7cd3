"""Put the engine's promises to the test: builds that are killed, robbed of their power, beside each other, in trouble,
and asked for nonsense.

    python scripts/reliability.py OUT [--only kills,power,two,trouble,fuzz,flush] [--kills 50] [--cuts 20]

Prints one table as Markdown. Everything runs for real, in processes of its own. It takes about half an hour on two
cores, and mounts small disks, so it runs as root. ``flush`` measures time, so nothing else should run then.
"""

import argparse
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
from power import Disk, Found, built_on, cuts
from promises import Row, atlas, contents, members, table, write

ORPHANS = 5.0  # seconds that a worker may outlive its build
AFTER = 5  # power cuts after the end of a build, within as many seconds
UNFLUSHED = """
import os, atlas.files
atlas.files._flush_one = atlas.files.flush_all = os.fsync = lambda _: None
"""  # what Python runs first in every process of a build that flushes nothing


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


def power(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """One build on a small disk of its own that is copied at random moments, against one that nothing happened to."""
    layers = [{"name": name, "channels": "0-31"} for name in ("mixed0", "mixed1")]
    recipes = {"main": {"size": 76, "steps": 8}}
    asked = {"layers": layers, "recipes": recipes, "compute": {"batch": 4}}
    write(out / "calm", **asked)
    calm = atlas(out / "calm", "build", "atlas.yaml", "--quiet")
    began = time.time()
    calm.communicate()
    lasted, draw = time.time() - began, random.Random(0)
    first = min(path.stat().st_mtime for path in (out / "calm").glob(".atlas/v1/entries/*/*")) - began
    site = contents(out / "calm" / "site")
    with Disk(out / "disk.img", out / "disk").format() as disk:
        write(disk.folder, **asked)
        os.sync()
        moments = [draw.uniform(first, lasted) for _ in range(given.cuts)]
        copies = list(cuts(disk, out / "log", moments, [draw.uniform(0, AFTER) for _ in range(AFTER)]))
    found = [built_on(copy, out / "copy", site) for copy in copies]
    during = sum(not copy.ended for copy in copies)
    for number, one in enumerate(found):
        for what in one.broken:
            print(f"copy {number}: {what}", file=sys.stderr)
    told = f"{during} power cuts of a build of {len(site):,} files, {len(copies) - during} after its end"
    yield (
        f"{told}: pictures called kept; not whole",
        f"{sum(one.kept for one in found):,}; {_sum(found, 'lost')}",
        "any; 0",
    )
    named = f"{_sum(found, 'empty')}; {_sum(found, 'unnamed')}"
    yield "files left empty; not named by verify or check", named, "any; 0"
    good = sum(not one.broken for one in found)
    yield "next build ends in the undisturbed site; after the end all was there", f"{good} of {len(found)}", "all"


def _sum(found: list[Found], name: str) -> str:
    return f"{sum(getattr(one, name) for one in found):,}"


def flush(out: Path, given: argparse.Namespace) -> Iterator[Row]:
    """What it costs that the disk is waited for: builds in turns with ones that never wait."""
    (out / "unflushed").mkdir(parents=True, exist_ok=True)
    (out / "unflushed" / "sitecustomize.py").write_text(UNFLUSHED)
    layers = [{"name": name, "channels": "0-127"} for name in ("mixed0", "mixed1", "mixed2", "mixed3")]
    asked = {"layers": layers, "recipes": {"main": {"size": 128, "steps": 64}}}
    seconds: dict[str, list[float]] = {"": [], str(out / "unflushed"): []}
    for turn in range(given.turns):
        for path, taken in seconds.items():
            place = out / f"flush-{turn}-{bool(path)}"
            write(place, **asked)
            began = time.monotonic()
            run = atlas(place, "build", "atlas.yaml", "--quiet", path=path)
            run.communicate()
            taken.append(time.monotonic() - began)
            assert run.returncode == 0
    flushed, without = map(statistics.median, seconds.values())
    yield (
        f"512 pictures, 128 px, 64 steps: {flushed:.0f} s, over the time without a flush",
        f"{flushed / without:.3f}",
        "<= 1.02",
    )


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
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--turns", type=int, default=3)
    sections = {"kills": kills, "power": power, "two": two, "trouble": trouble, "fuzz": fuzz, "flush": flush}
    table(sections, parser)


if __name__ == "__main__":
    main()
