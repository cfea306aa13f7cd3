"""A build on a real Dask cluster: a scheduler and two worker processes on loopback, one of which is killed."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas.engine.pools import LOST
from tests.engine.processes import (
    PICTURES,
    STEPS,
    below,
    contents,
    entries,
    is_alive,
    made_or_found,
    run_here,
    start,
    wait_for,
    write_config,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The scheduler's address, and the processes of two workers and the scheduler."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    log = folder / "scheduler.log"
    with contextlib.ExitStack() as stack:
        end = stack.callback

        def begin(command: list[str], said: Path) -> subprocess.Popen[bytes]:
            log = stack.enter_context(said.open("w"))
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
            end(process.wait)
            end(process.kill)
            return process

        scheduler = begin([*command, "--no-dashboard"], log)
        assert wait_for(lambda: bool(re.search(r"tcp://127\.0\.0\.1:\d+", log.read_text())), 60)
        [address, *_] = re.findall(r"tcp://127\.0\.0\.1:\d+", log.read_text())
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
        workers = [
            begin([*worker, "--no-nanny", "--host", "127.0.0.1", "--name", str(number)], folder / f"{number}.log")
            for number in range(2)
        ]
        yield address, [*workers, scheduler]


@contextlib.contextmanager
def building(folder: Path, toy: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A build on a cluster in mid-way."""
    write_config(folder, toy, STEPS)
    build = start(folder, "build", "toy.yaml", "--backend", "dask", *arguments)
    try:
        assert wait_for(lambda: entries(folder) >= 4, 120)
        yield build
    finally:
        build.kill()


def test_a_cluster_makes_the_same_site_without_a_worker_and_one_sentence_without_its_scheduler(
    cluster, toy, tmp_path, undisturbed
):
    """Each is killed in the middle of a build, the scheduler in that of the next."""
    address, (worker, _, scheduler) = cluster
    with building(tmp_path / "first", toy, "--scheduler", address) as build:
        worker.kill()
        out, said = build.communicate(timeout=180)
    assert (build.returncode, said) == (0, "")
    assert made_or_found(out) == PICTURES
    assert contents(tmp_path / "first" / "site") == undisturbed
    with building(tmp_path / "next", toy, "--scheduler", address) as build:
        scheduler.kill()
        _, said = build.communicate(timeout=120)
    assert (build.returncode, said.splitlines()) == (2, [f"atlas: {LOST}"])
    assert 4 <= entries(tmp_path / "next") < PICTURES


def test_a_cluster_for_this_run_alone(toy, tmp_path):
    path = write_config(tmp_path, toy)
    path.write_text(path.read_text().replace("[first, both]", "[first]"))
    build = start(tmp_path, "build", "toy.yaml", "--backend", "dask", "--workers", "1", "--limit", "2")
    out, said = build.communicate(timeout=180)
    assert (build.returncode, said) == (0, "")
    assert "2 pictures rendered, 0 were cached" in out


def test_ctrl_c_on_a_cluster_for_this_run_finishes_what_is_in_flight(toy, tmp_path):
    with building(tmp_path, toy, "--workers", "1") as build:
        started = below(build.pid)
        os.killpg(build.pid, signal.SIGINT)
        _, said = build.communicate(timeout=60)
    assert build.returncode == 130
    assert [line.split(":")[1].strip() for line in said.splitlines()] == ["interrupted", "interrupted"]
    assert 4 <= entries(tmp_path) < PICTURES
    assert "not yet rendered" in (tmp_path / "site" / "toy-random" / "both" / "index.html").read_text()
    assert wait_for(lambda: not any(map(is_alive, started)), 5)


def test_a_scheduler_that_is_not_there_is_one_sentence(toy, tmp_path, monkeypatch, capfd):
    from atlas.engine import pools

    monkeypatch.setattr(pools, "WAIT", 1)
    write_config(tmp_path, toy)
    arguments = ["build", "toy.yaml", "--backend", "dask", "--scheduler", "tcp://127.0.0.1:9"]
    assert run_here(monkeypatch, tmp_path, *arguments) == 2
    [sentence] = capfd.readouterr().err.strip().splitlines()
    assert sentence.startswith("atlas: backend dask: expected a scheduler at tcp://127.0.0.1:9, received: ")
