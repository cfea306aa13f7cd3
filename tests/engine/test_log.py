"""The log of a run: what it says while it runs, when it has ended, and when it was killed."""

import json
import time

import pytest

from atlas.canonical import sealed, unsealed
from atlas.engine import log
from atlas.engine.log import Log, measured_speed, runs
from atlas.errors import StoreError
from atlas.store.store import Store
from tests.engine.processes import wait_for

ABOUT = {"atlas": "toy", "pictures": 100, "missing": 40, "work": 4000.0}


def batch(run: Log, made: int, seconds: float = 2.0) -> None:
    run.write("batch", layer="a", recipe="main", made=made, dead=1, failed=0, seconds=seconds, work=100.0 * made)


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
    first = unsealed(lines[0]) | {"at": time.time() - 1000}
    store.place.write(listed.path, sealed(first) + b'\n{"at": 17')
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


def test_a_line_that_is_altered_is_left_out_and_no_other(store):
    run = Log(store, ABOUT)
    batch(run, 10)
    batch(run, 20)
    run.end("done")
    [listed] = store.place.files(log.RUNS)
    path = store.place.folder / listed.path
    whole = path.read_bytes()
    made = {0: [], 1: [20], 2: [10], 3: [10, 20]}  # by the line that a flip is in
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 1 << place % 8
        path.write_bytes(data)
        found = [[one["made"] for one in run.batches] for run in runs(store)] or [[]]
        line = whole[:place].count(b"\n")
        accepted = [made[line], [10, 20]]  # in the word checksum itself a flip makes a line of before, of right numbers
        if whole[place : place + 1] == b"\n":
            accepted += [made[line][:1], []]
        assert found[0] in accepted, (place, found)


@pytest.mark.parametrize(
    "line",
    [b"", b"null", b"[]", b"7", b"\xff\xfe", b"{}", bytes(40), b'{"event": "run"}', b'{"at": 1, "event": "batch"}'],
)
def test_lines_that_say_nothing_are_no_trouble(store, line):
    run = Log(store, ABOUT)
    batch(run, 10)
    run.end("done")
    [listed] = store.place.files(log.RUNS)
    lines = store.place.read(listed.path).splitlines()
    store.place.write(listed.path, b"\n".join([line, *lines, line]))
    store.place.write(f"{log.RUNS}/1-other-2.jsonl", line)
    [found] = runs(store)
    assert (found.state, found.summary["made"]) == ("done", 10)


def test_a_log_of_before_there_were_checksums_is_read(store):
    about = {"at": time.time(), "event": "run", "host": "h", "process": 1, **ABOUT}
    done = {"at": time.time(), "event": "batch", "layer": "a", "recipe": "main"}
    done |= {"made": 3, "dead": 0, "failed": 0, "seconds": 2, "work": 300.0}
    store.place.write(f"{log.RUNS}/1-h-1.jsonl", b"".join(json.dumps(one).encode() + b"\n" for one in (about, done)))
    [found] = runs(store)
    assert (found.state, found.summary["made"], measured_speed(store)) == ("running", 3, 150)


def test_the_speed_is_that_of_the_last_build_that_rendered(store):
    assert measured_speed(store) == 0
    first = Log(store, ABOUT)
    batch(first, 10, 4.0)
    batch(first, 10, 6.0)
    first.end("done")
    Log(store, ABOUT).end("stopped")
    assert measured_speed(store) == 200
