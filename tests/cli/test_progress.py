"""How far a build is, and how long it still takes."""

import pytest

from atlas.cli import progress
from atlas.cli.progress import Count, Expected, Row
from atlas.engine.worker import Done, Report

ROWS = [Row("early", "main", 8, 1.0), Row("late", "main", 8, 10.0)]


def batch(layer: str, count: int, seconds: float) -> Report:
    done = tuple(Done(str(channel), channel, "activated") for channel in range(count))
    return Report(layer, "main", done, count, 64 * count, seconds)


def test_the_time_left_counts_what_each_layer_costs_and_not_the_start_of_workers(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    count = Count(Expected(ROWS, 2, measured=False))
    now[0] = 130.0  # the workers took long to start
    count.add(batch("early", 4, seconds=8.0))  # two seconds of a worker for a unit
    assert count.left == pytest.approx(2.0 * (4 * 1.0 + 8 * 10.0) / 2)
    count.add(batch("late", 8, seconds=160.0))
    assert count.left == pytest.approx(2.0 * 4 * 1.0 / 2)


def test_where_nobody_knows_how_many_workers_there_are_it_is_those_that_were_busy(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    count = Count(Expected(ROWS, None, measured=False))
    now[0] = 10.0
    for _ in range(4):
        count.add(batch("late", 1, seconds=10.0))
    assert count.left == pytest.approx((8 * 1.0 + 4 * 10.0) / 4)  # four at once


def test_a_first_batch_that_loads_and_traces_does_not_make_a_measured_build_seem_longer():
    known, guessed = (Count(Expected(ROWS, 2, measured)) for measured in (True, False))
    for count in (known, guessed):
        count.add(batch("early", 1, seconds=9.0))  # eight of them to load and to trace
    assert known.left == pytest.approx((9 + 0.2 * 88) / (1 + 0.2 * 88) * 87 / 2)
    assert guessed.left == pytest.approx(9 * 87 / 2)
    for count in (known, guessed):
        count.add(batch("late", 8, seconds=160.0))
    assert known.left == pytest.approx(guessed.left, rel=0.2)
