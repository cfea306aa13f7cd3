"""Builds in real worker processes: whole, killed, interrupted, and robbed of a worker."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from atlas.engine.run import Build, Outcome, look_up, run
from atlas.networks.weights import locate
from atlas.spec.config import Compute
from atlas.spec.load import load_request
from atlas.spec.plan import make_plan
from atlas.store.store import Store
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
    temporaries,
    wait_for,
    workers,
    write_config,
)
from tests.spec.conftest import CATALOG


def test_two_workers_make_everything_once(toy: Path, tmp_path: Path) -> None:
    request = load_request(write_config(tmp_path, toy), {}, CATALOG)
    found = locate(request.ref)
    plan, store, reports = make_plan(request, found.digest), Store(tmp_path / "store"), []
    outcome = look_up(plan, store, request.record)
    assert outcome.cached == 0
    build = Build("toy", request.facts.id, found.digest, store, request.compute, request.record)

    def make(outcome: Outcome, observe: Callable[..., None]) -> None:
        run(plan, build, outcome, observe, lambda report: None, lambda: False, plan)

    make(outcome, reports.append)
    assert outcome.rendered == len(outcome.done) == len(plan) == PICTURES
    assert outcome.done.keys() == {job.key for _, job in plan.jobs()}
    assert outcome.failed == []
    assert sum(len(report.done) for report in reports) == PICTURES
    assert sum(report.image_steps for report in reports) == 4 * PICTURES
    for group, job in plan.jobs():
        assert store.get(job.key).record["layer"] == group.layer.name
    assert temporaries(tmp_path) == []
    assert wait_for(lambda: workers(os.getpid()) == [], 5)

    again = look_up(plan, store, request.record)
    assert (again.cached, len(again.done)) == (PICTURES, PICTURES)
    make(again, pytest.fail)
    assert again.rendered == 0

    late = Outcome()  # of a build that looked before the first had made anything: it runs here, as a worker would
    build = replace(build, compute=Compute(backend="sequential", batch=2))
    make(late, reports.append)
    assert (late.rendered, late.cached, len(late.done)) == (0, PICTURES, PICTURES)


@pytest.fixture
def building(toy: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A build in mid-way: its workers, two where a test asks for no other number, are up, and some pictures are made,
    most are not."""
    count = getattr(request, "param", 2)
    write_config(tmp_path, toy, STEPS)
    build = start(tmp_path, "build", "toy.yaml", "--workers", str(count))
    try:
        assert wait_for(lambda: entries(tmp_path) >= 2 and len(workers(build.pid)) == count, 90)
        yield build
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(build.pid, signal.SIGKILL)
        build.communicate()


def assert_the_next_build_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], undisturbed: dict[str, bytes]
) -> None:
    made = entries(folder)
    assert 2 <= made < PICTURES
    capfd.readouterr()
    assert run_here(monkeypatch, folder, "build", "toy.yaml", "--backend", "sequential") == 0
    assert f"{PICTURES - made} pictures rendered, {made} were cached" in capfd.readouterr().out
    assert contents(folder / "site") == undisturbed
    assert temporaries(folder) == []


@pytest.mark.parametrize("building", [1], indirect=True)
def test_killed_in_mid_build_nothing_lives_on_and_the_next_build_ends_the_same(
    building, tmp_path, monkeypatch, capfd, undisturbed
):
    started = below(building.pid)
    building.kill()
    building.wait()
    assert wait_for(lambda: not any(map(is_alive, started)), 5)
    building.communicate(timeout=5)
    assert temporaries(tmp_path) == []
    assert_the_next_build_goes_on(tmp_path, monkeypatch, capfd, undisturbed)


@pytest.mark.parametrize("building", [1], indirect=True)
def test_ctrl_c_finishes_what_is_in_flight_and_writes_pages(building, tmp_path, monkeypatch, capfd, undisturbed):
    started = below(building.pid)
    made = entries(tmp_path)
    os.killpg(building.pid, signal.SIGINT)
    assert building.wait(timeout=60) == 130
    assert wait_for(lambda: not any(map(is_alive, started)), 5)
    _, said = building.communicate(timeout=5)
    first, last = said.strip().splitlines()
    assert first == "atlas: interrupted: what is in flight is finished; once more to stop at once"
    kept = entries(tmp_path)
    assert last == f"atlas: interrupted: {kept} of {PICTURES} pictures are kept; build again to go on"
    assert made <= kept <= made + 6  # two batches of two in flight, or none, and one that was just being written
    assert "not yet rendered" in (tmp_path / "site" / "toy-random" / "both" / "index.html").read_text()
    assert_the_next_build_goes_on(tmp_path, monkeypatch, capfd, undisturbed)


@pytest.mark.parametrize("building", [1], indirect=True)
def test_ctrl_c_twice_is_now(building, tmp_path, monkeypatch, capfd, undisturbed):
    started = below(building.pid)
    os.killpg(building.pid, signal.SIGINT)
    assert "once more to stop at once" in building.stderr.readline()
    os.killpg(building.pid, signal.SIGINT)
    assert building.wait(timeout=5) == 130
    assert wait_for(lambda: not any(map(is_alive, started)), 5)
    _, said = building.communicate(timeout=5)
    sentence = said.strip().splitlines()[-1]
    assert sentence.endswith(f" of {PICTURES} pictures are kept; build again to go on"), said
    assert_the_next_build_goes_on(tmp_path, monkeypatch, capfd, undisturbed)


def test_a_worker_that_is_killed_costs_its_batch_and_no_more(building, tmp_path, undisturbed):
    started = below(building.pid)
    os.kill(workers(building.pid)[0], signal.SIGKILL)
    out, said = building.communicate(timeout=120)
    assert (building.returncode, said) == (0, "")
    assert made_or_found(out) == PICTURES
    assert wait_for(lambda: not any(map(is_alive, started)), 5)
    assert contents(tmp_path / "site") == undisturbed
    assert temporaries(tmp_path) == []
