"""The log of a run: what it says while it runs, when it has ended, and when it was killed."""

import json
import time

import pytest

from atlas.engine import log
from atlas.engine.log import Log, measured_speed, runs
from atlas.errors import StoreError
from atlas.store.store import Store

ABOUT = {"atlas": "toy", "pictures": 100, "missing": 40, "flop": 4000.0}


def batch(run: Log, made: int, seconds: float = 2.0) -> None:
    run.write("batch", layer="a", recipe="main", made=made, dead=1, failed=0, seconds=seconds, flop=100.0 * made)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_a_run_that_goes_on(store, monkeypatch):
    monkeypatch.setattr(log, "FLUSH", 0.01)
    run = Log(store, ABOUT)
    batch(run, 10)
    time.sleep(0.2)
    [found] = runs(store)
    assert found.state == "running"
    said = found.summary
    assert (said["atlas"], said["made"], said["missing"], said["dead"]) == ("toy", 10, 40, 1)
    assert said["left"] == pytest.approx((found.last - said["began"]) * 3, rel=1e-6)
    run.end("done")
    [found] = runs(store)
    assert found.state == "done"


def test_a_run_that_fell_silent_is_lost(store):
    run = Log(store, ABOUT)
    run.end("done")
    [listed] = store.place.files(log.RUNS)
    lines = store.place.read(listed.path).splitlines()
    first = json.loads(lines[0]) | {"at": time.time() - 1000}
    store.place.write(listed.path, json.dumps(first).encode() + b'\n{"at": 17')
    [found] = runs(store)
    assert found.state == "lost"


def test_a_run_that_lives_but_has_no_news_beats(store, monkeypatch):
    monkeypatch.setattr(log, "FLUSH", 0.02)
    monkeypatch.setattr(log, "BEAT", 0.05)
    run = Log(store, ABOUT)
    time.sleep(0.5)
    run.end("interrupted")
    [listed] = store.place.files(log.RUNS)
    events = [json.loads(line)["event"] for line in store.place.read(listed.path).splitlines()]
    assert (events[0], events[-1]) == ("run", "end")
    assert 2 <= events.count("beat") <= 10


def test_what_cannot_be_written_is_written_later_and_is_never_in_the_way(store, monkeypatch):
    monkeypatch.setattr(log, "FLUSH", 0.01)
    real, failing = store.place.append, []

    def append(path, data):
        if len(failing) < 3:
            failing.append(data)
            raise StoreError("the disk is full")
        real(path, data)

    monkeypatch.setattr(store.place, "append", append)
    run = Log(store, ABOUT)
    batch(run, 10)
    time.sleep(0.3)
    run.end("done")
    [found] = runs(store)
    assert (found.state, found.summary["made"]) == ("done", 10)


def test_the_speed_is_that_of_the_last_build_that_rendered(store):
    assert measured_speed(store) == 0
    first = Log(store, ABOUT)
    batch(first, 10, 4.0)
    batch(first, 10, 6.0)
    first.end("done")
    Log(store, ABOUT).end("stopped")
    assert measured_speed(store) == 200
