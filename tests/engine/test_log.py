"""The log of a run: what it says while it runs, when it has ended, and when it was killed."""

import json
import time

import pytest

from atlas.engine import log
from atlas.engine.log import Log, measured_speed, runs
from atlas.errors import StoreError
from atlas.store.store import Store
from tests.engine.processes import wait_for

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
    assert wait_for(lambda: [len(one.batches) for one in runs(store)] == [1], 60)
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
    """Once in BEAT seconds, not each time that it looks."""
    looks = []

    class Clock:
        now = 1000.0
        time = time.time

        def monotonic(self):
            looks.append(self.now)
            return self.now

    clock = Clock()
    monkeypatch.setattr(log, "time", clock)
    monkeypatch.setattr(log, "FLUSH", 0.01)

    def events():
        files = list(store.place.files(log.RUNS))
        return [json.loads(line)["event"] for listed in files for line in store.place.read(listed.path).splitlines()]

    run = Log(store, ABOUT)
    for beats in (1, 2):
        assert wait_for(lambda beats=beats: events().count("beat") == beats, 60)
        before = len(looks)
        clock.now += 0.9 * log.BEAT
        assert wait_for(lambda before=before: len(looks) > before + 3, 60)
        assert events().count("beat") == beats
        clock.now += 0.2 * log.BEAT
    run.end("interrupted")
    assert (events()[0], events()[-1]) == ("run", "end")


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
    assert wait_for(lambda: len(failing) == 3, 60)
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
