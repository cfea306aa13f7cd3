"""How long a build will take: what its workers do at once, at this machine's speed."""

import pytest

from atlas.engine import estimate as estimating
from atlas.engine import workers
from atlas.engine.estimate import OF_NODE, START, TRACE, estimate
from atlas.spec.config import Compute
from atlas.spec.facts import LayerFacts, Work
from atlas.spec.pace import GUESSED_SPEED, TIMED, at_speed, calibrated
from atlas.spec.plan import Group
from atlas.spec.recipe import Recipe
from atlas.store.store import Store

FACTS = LayerFacts("one", 8, 3, 1, "conv", True, "relu", Work(wide=500.0, nodes=4.0))
GROUP = Group(FACTS, "main", Recipe(size=96, steps=1000), "identity", ())
OTHER = Group(FACTS, "short", Recipe(size=96, steps=10, arithmetic="bfloat16"), "identity", ())
TWO = Compute(workers=2)


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 2)
    monkeypatch.setattr(workers, "gpus", lambda: ())
    monkeypatch.setattr(estimating, "measured", dict)


@pytest.mark.usefixtures("two_cores")
def test_an_estimate_is_work_and_tracing_by_all_workers(tmp_path):
    each = GROUP.seconds(at_speed(GUESSED_SPEED))
    found = estimate([(GROUP, 6), (OTHER, 0)], TWO, Store(str(tmp_path)))
    assert (found.by, found.groups[0]) == ("guessed", each)
    assert found.total == pytest.approx((6 * each + TRACE + 4 * OF_NODE) / 2 + START)
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
    assert workers.at_once(compute) == count
