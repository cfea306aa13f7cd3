"""Comparing the pictures of a layer: once, when all are there, and never in the way of a build."""

import numpy as np
import pytest

import atlas.engine.likeness
from atlas.engine.run import Build, Outcome, look_up, run, to_study
from atlas.networks.weights import locate
from atlas.spec.config import Compute
from atlas.spec.load import load_request
from atlas.spec.plan import make_plan
from atlas.store.store import Store
from tests.engine.processes import write_config
from tests.spec.conftest import CATALOG


@pytest.fixture
def building(toy, tmp_path):
    """A plan of the toy network, what a build of it is told, and a function that builds here."""
    request = load_request(write_config(tmp_path, toy), {}, CATALOG)
    found = locate(request.ref)
    plan, store = make_plan(request, found.digest), Store(tmp_path / "store")
    compute = Compute(backend="sequential")
    build = Build("toy", request.facts.id, found.digest, store, compute, request.record)

    def make(part=plan):
        outcome, seen = look_up(part, store, request.record), []
        run(part, build, outcome, lambda report: None, seen.append, lambda: False, plan)
        return outcome, [report.layer for report in seen if report.recipe_name == "likeness"]

    return plan, build, make


def test_every_layer_is_compared_once(building):
    plan, build, make = building
    layers = list(dict.fromkeys(group.layer.name for group in plan.groups))
    outcome, seen = make()
    assert sorted(seen) == sorted(layers)
    assert {one.state for one in outcome.found["likeness"].values()} == {"found"}
    again, seen = make()
    assert seen == []
    assert to_study(plan, again, build) == []
    assert again.found["likeness"] == outcome.found["likeness"]
    first = build.store.get(outcome.found["likeness"][layers[0]].key)
    jobs = [job for group, job in plan.jobs() if group.layer.name == layers[0]]
    assert [bytes(row).hex() for row in first.artefacts["pictures"]] == [job.key for job in jobs]
    assert first.artefacts["before"].shape == (len(jobs), 0)
    second = build.store.get(outcome.found["likeness"][layers[1]].key)
    assert second.artefacts["before"].shape[1] == plan.groups[0].layer.channels


def test_a_layer_waits_for_its_last_picture(building):
    plan, _, make = building
    seen = [make(plan.part(number, 3))[1] for number in (1, 2, 3)]
    assert sorted(name for part in seen for name in part) == sorted({group.layer.name for group in plan.groups})
    assert seen[0] == []


def test_another_picture_is_another_comparison(building):
    plan, build, make = building
    outcome, _ = make()
    before = dict(outcome.found["likeness"])
    victim = plan.groups[-1].jobs[0]
    entry = build.store.get(victim.key)
    build.store.put(type(entry)(entry.key, {**entry.record, "attempt": 9}, entry.picture, entry.artefacts))
    outcome, seen = make()
    assert seen == [plan.groups[-1].layer.name]
    changed = [layer for layer, one in outcome.found["likeness"].items() if before[layer].key != one.key]
    assert changed == seen


def test_a_comparison_that_fails_is_told_and_nothing_more(building, monkeypatch):
    _, _, make = building

    def fail(*_):
        raise MemoryError("not enough")

    monkeypatch.setattr(atlas.engine.likeness, "likeness", fail)
    outcome, _ = make()
    assert outcome.failed == []
    assert {one.error for one in outcome.found["likeness"].values()} == {"MemoryError: not enough"}
    monkeypatch.undo()
    outcome, seen = make()
    assert len(seen) == len(outcome.found["likeness"])
    assert {one.state for one in outcome.found["likeness"].values()} == {"found"}


def test_nothing_is_compared_with_nothing(building):
    plan, build, _ = building
    assert {one.recipe_name for one in to_study(plan, Outcome(), build)} == {"weights"}


def test_failed_pictures_are_left_out(building):
    plan, build, make = building
    outcome, _ = make()
    victim = plan.groups[0].jobs[1]
    outcome.done[victim.key] = type(outcome.done[victim.key])(victim.key, victim.channel, "failed", error="broken")
    [comparison] = to_study(plan, Outcome(outcome.done), build)
    assert victim.key not in comparison.pictures
    assert np.isin(comparison.pictures, [job.key for job in plan.groups[0].jobs]).all()
