"""How long a build will take: what its workers do at once, at this machine's speed."""

from dataclasses import replace

import pytest

from atlas.engine import estimate as estimating
from atlas.engine import workers
from atlas.engine.estimate import OF_NODE, START, TRACE, estimate
from atlas.engine.workers import worker_count, worker_memory
from atlas.networks.catalog import facts
from atlas.spec.config import Compute
from atlas.spec.facts import LayerFacts, NetworkRef, Work
from atlas.spec.pace import GUESSED_SPEED, TIMED, at_speed, calibrated
from atlas.spec.plan import Group
from atlas.spec.recipe import Recipe, automatic_size
from atlas.spec.recipes import RECIPES
from atlas.store.store import Store

FACTS = LayerFacts("one", 8, 3, 1, "conv", True, "relu", Work(wide=500.0, fed=40.0, nodes=4.0))
GROUP = Group(FACTS, "main", Recipe(size=96, steps=1000), "identity", ())
OTHER = Group(FACTS, "short", Recipe(size=96, steps=10, arithmetic="bfloat16"), "other", ())
TWO = Compute(workers=2)


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 2)
    monkeypatch.setattr(workers, "gpus", lambda: ())
    monkeypatch.setattr(workers, "available", lambda: 16_000_000_000)
    monkeypatch.setattr(estimating, "measured", dict)


@pytest.mark.usefixtures("two_cores")
def test_an_estimate_is_work_and_tracing_by_all_workers(tmp_path):
    each = GROUP.seconds(at_speed(GUESSED_SPEED))
    found = estimate([(GROUP, 7), (OTHER, 0)], TWO, Store(str(tmp_path)))
    assert (found.by, found.groups[0]) == ("guessed", each)  # of two batches, the second is filled up to four
    assert found.total == pytest.approx(8 * each / 2 + TRACE + 4 * OF_NODE + START)
    assert estimate([(GROUP, 0)], TWO, Store(str(tmp_path))).total == 0


@pytest.mark.usefixtures("two_cores")
def test_a_machine_that_was_measured_is_taken_by_each_recipes_arithmetic(tmp_path, monkeypatch):
    fast, bfloat16 = calibrated(TIMED), calibrated({kind: seconds / 3 for kind, seconds in TIMED.items()})
    monkeypatch.setattr(estimating, "measured", lambda: {"fast": fast, "bfloat16": bfloat16})
    found = estimate([(GROUP, 1), (OTHER, 1)], TWO, Store(str(tmp_path)))
    assert (found.by, found.groups) == ("calibrated", (GROUP.seconds(fast), OTHER.seconds(bfloat16)))
    assert estimate([(GROUP, 1)], Compute(backend="dask"), Store(str(tmp_path))).by == "guessed"


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize(
    ("compute", "count"),
    [
        (Compute(), 2),
        (Compute(workers=1), 1),
        (Compute(workers=8), 2),
        (Compute(workers=1, threads_per_worker=2), 2),
        (Compute(backend="sequential", workers=2), 1),
        (Compute(backend="dask", workers=8), 8),
    ],
)
def test_workers_beyond_the_cores_take_turns(compute, count):
    assert workers.at_once(compute, workers.worker_count(compute, 0)) == count


def test_as_many_workers_as_asked_or_one_for_the_threads_of_each_as_far_as_memory_goes(monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 6)
    monkeypatch.setattr(workers, "gpus", lambda: ())
    monkeypatch.setattr(workers, "available", lambda: 4_000_000_000)
    assert worker_count(Compute(workers=7), 1e9) == 7
    assert worker_count(Compute(), 0) == 6
    assert [worker_count(Compute(), memory) for memory in (0.5e9, 1.3e9, 3e9, 9e9)] == [6, 3, 1, 1]
    assert worker_count(Compute(threads_per_worker=4), 1e9) == 1
    assert worker_count(Compute(threads_per_worker=16), 1e9) == 1
    monkeypatch.setattr(workers, "available", lambda: None)
    assert worker_count(Compute(), 9e9) == 6


@pytest.mark.usefixtures("two_cores")
def test_a_worker_takes_more_memory_for_more_and_larger_pictures(tmp_path):
    small, large = (replace(GROUP, recipe=Recipe(size=size)) for size in (64, 256))
    both = [(small, 9), (large, 9)]
    assert worker_memory(both[:1], TWO) < worker_memory(both, TWO) == worker_memory(both[::-1], TWO)
    assert worker_memory([(small, 1)], TWO) < worker_memory([(small, 9)], TWO)  # nine are sent by eight and one
    assert worker_memory([(large, 0)], TWO) == 0
    assert small.memory(16) > small.memory(2) > 0.8e9
    assert estimate([(large, 1)], TWO, Store(str(tmp_path))).memory == worker_memory([(large, 1)], TWO)


@pytest.mark.parametrize("size", ["auto", 224])
@pytest.mark.parametrize("network", ["vgg16", "vgg19", "inceptionv3"])
def test_a_laptop_of_8_cores_and_16_gb_builds_a_network_whole(network, size, monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 8)
    monkeypatch.setattr(workers, "gpus", lambda: ())
    monkeypatch.setattr(workers, "available", lambda: 12_000_000_000)
    recipe = RECIPES["default"]
    groups = []
    for layer in facts(NetworkRef(network, "imagenet")).feature_layers:
        side = automatic_size(layer.receptive_field, 32) if size == "auto" else size
        groups.append(Group(layer, "", recipe.model_copy(update={"size": side}), "", ()))
    memory = worker_memory([(group, 64) for group in groups], Compute())
    assert memory < 1.7e9
    assert worker_count(Compute(), memory) >= 7


@pytest.mark.usefixtures("two_cores")
def test_a_build_takes_as_long_as_its_longest_batch(tmp_path):
    found = estimate([(GROUP, 2), (OTHER, 2)], TWO, Store(str(tmp_path)))
    assert found.groups[0] > 50 * found.groups[1]
    assert found.total == pytest.approx(2 * found.groups[0] + TRACE + 4 * OF_NODE + START)


@pytest.mark.usefixtures("two_cores")
def test_workers_that_take_turns_and_workers_with_threads_take_their_own_time_for_a_picture(tmp_path):
    store = Store(str(tmp_path))
    plain, many, wide = (
        estimate([(GROUP, 64)], Compute(**given), store)
        for given in ({"workers": 2}, {"workers": 8}, {"workers": 1, "threads_per_worker": 2})
    )
    assert many.groups[0] == pytest.approx(4 * plain.groups[0])
    assert wide.groups[0] == pytest.approx(plain.groups[0] / 2)
    assert estimate([(GROUP, 2)], TWO, store).workers == 1  # of one batch
