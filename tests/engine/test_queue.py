"""In which order batches are handed out, and what is tried after a worker's death."""

import itertools
import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from atlas.engine.batches import Batch, Setting
from atlas.engine.queue import KILLS, Attempt, Queue
from atlas.spec.facts import NetworkRef
from atlas.spec.plan import Job
from atlas.spec.recipe import Recipe

SETTING = Setting(NetworkRef("toy", "random"), "toy", "", "", 1, "cpu")
BATCH = Batch(SETTING, "a", "relu", "main", Recipe(size=32), (), (), 0)


def batch(layer: str, *channels: int) -> Batch:
    return replace(BATCH, layer=layer, jobs=tuple(Job(channel, f"{layer}{channel}") for channel in channels))


def taken(queue: Queue, workers: int | None) -> list[list[str]]:
    """The layers that each worker gets, when they take turns."""
    found: list[list[str]] = [[] for _ in range(workers or 1)]
    turn = 0
    while queue:
        found[turn].append(queue.take(turn if workers else None).batch.layer)
        turn = (turn + 1) % len(found)
    return found


def test_each_worker_stays_with_a_layer_as_long_as_it_can():
    batches = [batch(layer, number) for layer in "abcd" for number in range(10)]
    found = taken(Queue(batches, random.Random(0)), 2)
    changes = sum(one != two for layers in found for one, two in itertools.pairwise(layers))
    assert changes == 2
    assert set(found[0]).isdisjoint(found[1])


def test_who_has_nothing_left_helps_where_most_is_left():
    batches = [batch("a", number) for number in range(3)] + [batch("b", number) for number in range(20)]
    found = taken(Queue(batches, random.Random(0)), 3)
    assert sorted(layer for layers in found for layer in layers) == ["a"] * 3 + ["b"] * 20
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_where_workers_are_not_known_all_do_one_layer_after_the_other():
    [found] = taken(Queue([batch(layer, number) for layer in "abc" for number in range(5)], random.Random(1)), None)
    assert [found[0]] * 5 + [found[5]] * 5 + [found[10]] * 5 == found


def test_two_builds_begin_elsewhere():
    batches = [batch(layer, number) for layer in "abcdef" for number in range(8)]
    orders = []
    for seed in range(20):
        queue = Queue(batches, random.Random(seed))
        orders.append(tuple(queue.take(0).batch.jobs[0].key for _ in range(3)))
    assert len(set(orders)) > 15


@given(st.integers(1, 40))
def test_a_batch_that_kills_is_halved_down_to_the_channel_that_does(count):
    """Whoever the culprit is, it is found alone; all others are finished."""
    culprit = count // 3
    todo, finished, deaths = [Attempt(batch("a", *range(count)))], [], 0
    given_up = []
    while todo:
        attempt = todo.pop()
        channels = [job.channel for job in attempt.batch.jobs]
        if culprit not in channels:
            finished += channels
            continue
        deaths += 1
        again = attempt.after(1)
        if not again:
            given_up += channels
        todo += again
    assert given_up == [culprit]
    assert sorted([*finished, culprit]) == list(range(count))
    assert deaths <= KILLS + 6


def test_as_many_deaths_at_once_halve_at_once():
    first, second = Attempt(batch("a", 1, 2)).after(KILLS)
    assert (first.batch.jobs[0].channel, second.batch.jobs[0].channel) == (1, 2)
    assert first.after(KILLS) == []
