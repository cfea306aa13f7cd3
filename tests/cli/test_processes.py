"""What only a process of its own can show: a terminal, and what a build that has nothing to do costs."""

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atlas.networks.weights import locate
from atlas.spec.load import load_request
from atlas.spec.plan import KERNEL, make_plan
from atlas.store.entry import Entry
from atlas.store.store import Store
from tests.spec.conftest import CATALOG

REPORTING = """
import sys
from atlas.cli import main
try:
    main()
finally:
    loaded = {"tensorflow", "keras"} & set(sys.modules)
    print("loaded:", *sorted(loaded), file=sys.stderr)
"""

ENDING = """
import atexit, time
atexit.register(lambda: (print("ends", flush=True), time.sleep(0.5)))
from atlas.cli import main
main()
"""

THOUSAND = """
network: inceptionv3
weights: embedded
layers:
  - {name: mixed0, channels: "0-231"}
  - mixed3
recipes: {main: {size: 76, steps: 4}}
"""


def timed(folder: Path, *arguments: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Seconds that a command takes, from its start to its end, and what it said."""
    began = time.perf_counter()
    run = subprocess.run([sys.executable, "-c", REPORTING, *arguments], cwd=folder, capture_output=True, text=True)
    return time.perf_counter() - began, run


def assert_a_second_build_is_quick(folder: Path, name: str, pictures: str) -> None:
    runs = [timed(folder, "build", name) for _ in range(2)]
    for _, run in runs:
        assert run.returncode == 0, run.stderr
        assert run.stdout.splitlines()[0] == f"nothing to render: all {pictures} pictures are cached"
        assert run.stdout.splitlines()[1].endswith("(unchanged)")
        assert run.stderr == "loaded:\n"
    assert min(seconds for seconds, _ in runs) < 2


@pytest.mark.clock
def test_a_second_build_of_a_thousand_channels(tmp_path):
    (tmp_path / "thousand.yaml").write_text(THOUSAND)
    request = load_request(tmp_path / "thousand.yaml", {}, CATALOG)
    found = locate(request.ref)
    store = Store(tmp_path / ".atlas")
    buffer = io.BytesIO()
    Image.effect_mandelbrot((76, 76), (-2, -1, 1, 1), 50).convert("RGB").save(buffer, "WEBP", lossless=True)
    for group, job in make_plan(request, found.digest).jobs():
        numbers = {"start": 0.0, "grey": 0.0, "end": 1.0}
        record = {
            "attempt": 0,
            "channel": job.channel,
            "kernel": KERNEL,
            "layer": group.layer.name,
            "max": numbers,
            "network": request.facts.id,
            "recipe": group.recipe.model_dump(mode="json"),
            "score": numbers,
            "seed": 0,
            "size": [76, 76],
            "state": "activated",
            "steps": 4,
            "versions": {},
            "weights": found.digest,
        }
        store.put(Entry(job.key, record, buffer.getvalue(), {"trace": np.zeros((4, 4), np.float32)}))
    _, first = timed(tmp_path, "build", "thousand.yaml")
    assert (first.returncode, first.stderr) == (0, "loaded:\n")
    assert "nothing to render: all 1,000 pictures are cached" in first.stdout.splitlines()
    assert len(list((tmp_path / "site/thousand/mixed3").glob("[0-9]*.html"))) == 768
    assert_a_second_build_is_quick(tmp_path, "thousand.yaml", "1,000")


@pytest.mark.clock
def test_a_second_build_of_an_own_network(shell, config, tmp_path):
    shell("build", "toy.yaml", "--quiet")
    assert_a_second_build_is_quick(tmp_path, "toy.yaml", "5")


def read(reader: int) -> bytes:
    """What has been written to a terminal; nothing once its program has closed it."""
    if not select.select([reader], [], [], 0.1)[0]:
        return b""
    try:
        return os.read(reader, 65536)
    except OSError:  # its other end is closed
        return b""


@pytest.fixture
def terminal():
    """A terminal of 100 columns: what a program is given, and where what it writes is read."""
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (30, 100))
    yield reader, writer
    os.close(reader)


def test_bars_on_a_terminal_that_is_left_as_it_was(config, tmp_path, terminal):
    reader, writer = terminal
    before = termios.tcgetattr(writer)
    environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    build = subprocess.Popen(
        [sys.executable, "-m", "atlas", "build", "toy.yaml"],
        cwd=tmp_path,
        stdin=writer,
        stdout=writer,
        stderr=writer,
        env=environment,
    )
    written = b""
    while build.poll() is None:
        written += read(reader)
    after = termios.tcgetattr(writer)
    os.close(writer)
    written += read(reader)
    text = written.decode()
    assert build.returncode == 0, text
    assert after == before
    for part in ("all", "first", "both", "━", "5/5", "image-steps/s", "writing pages", "site: site/toy/index.html"):
        assert part in text, part
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is hidden and comes back
    last = text[text.rindex("\x1b[K") :]
    assert "5 pictures rendered" in last
    assert "\x1b" not in last.removeprefix("\x1b[K")


def test_json_through_a_pipe_can_be_cut_short_and_nothing_below_writes_to_the_error_stream(config, tmp_path):
    command = f"{sys.executable} -m atlas build toy.yaml --json | head -n 1"
    run = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert json.loads(run.stdout)["event"] == "batch"
    assert run.stderr == ""


def test_ctrl_c_while_python_ends_changes_nothing(tmp_path: Path) -> None:
    """What came of the command is decided, its exit code too: neither a traceback nor a death by the signal."""
    command = [sys.executable, "-c", ENDING, "--version"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline().startswith("atlas ")
        assert run.stdout.readline() == "ends\n"
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=20)
    assert (run.returncode, said) == (0, "")
