"""Reading the weights between the layers of an atlas: once for each layer, and never in the way of a build."""

import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest

import atlas.engine.wire
from atlas.engine.batches import Setting
from atlas.engine.mains import mains
from atlas.engine.run import Build, Outcome, look_up, run, to_study
from atlas.engine.study import study
from atlas.engine.wire import wires
from atlas.networks.load import load
from atlas.networks.weights import locate
from atlas.probes.wiring import wiring
from atlas.spec.config import Compute
from atlas.spec.load import load_request
from atlas.spec.plan import Plan, make_plan
from atlas.store.store import Store
from tests.spec.conftest import CATALOG

LAYERS = ["first", "pool", "left", "right", "both"]
CONFIG = """
network: {toy}
weights: {weights}
preprocessing: tf
layers: [{{name: "{layers}", channels: "0,2"}}]
recipes: {{main: {{size: 32, steps: 2}}}}
"""


def planned(folder, toy, layers: str, weights: str = "random:1"):
    """A request of the toy network, and its plan."""
    folder.mkdir(exist_ok=True)
    path = folder / "toy.yaml"
    path.write_text(CONFIG.format(toy=toy, weights=weights, layers=layers))
    request = load_request(path, {}, CATALOG)
    return request, make_plan(request, locate(request.ref).digest)


def asked(request, plan, folder, network=""):
    """The studies of weights that a plan asks for, of the network by its own id or by another."""
    setting = Setting(plan.ref, request.facts.id, locate(request.ref).digest, str(folder / "store"), 1, "auto")
    return wires([one.facts for one in mains(plan, {})], setting, network or request.facts.id)


@pytest.fixture
def building(toy, tmp_path):
    """The plan of all layers of the toy network, what a build of it is told, and a function that builds here."""
    request, plan = planned(tmp_path, toy, "*")
    assert sorted({group.layer.name for group in plan.groups}) == sorted(LAYERS)
    store, digest = Store(tmp_path / "store"), locate(request.ref).digest
    build = Build("toy", request.facts.id, digest, store, Compute(backend="sequential"), request.record)

    def make(part: Plan = plan):
        outcome, seen = look_up(part, store, request.record), []
        run(part, build, outcome, lambda report: None, seen.append, lambda: False, plan)
        return outcome, sorted(report.layer for report in seen if report.recipe_name == "weights")

    return plan, build, make


def test_weights_are_read_once_for_every_layer_that_others_are_before(building):
    plan, build, make = building
    outcome, seen = make()
    assert seen == ["both", "left", "right"]  # a pool feeds nothing, and nothing comes before the first
    assert {one.state for one in outcome.found["weights"].values()} == {"found"}
    again, seen = make()
    assert seen == []
    assert to_study(plan, again, build) == []
    assert again.found["weights"] == outcome.found["weights"]


def test_an_entry_holds_the_lists_and_the_shares_of_those_listed(building, toy_ref):
    plan, build, make = building
    outcome, _ = make()
    entry = build.store.get(outcome.found["weights"]["left"].key)
    network = load(replace(toy_ref, preprocessing=plan.ref.preprocessing))
    expected = wiring(network, "first", "left")
    assert entry.record == {
        "wiring": 2,
        "layer": "left",
        "before": ["first"],
        "notes": ["Max-pools count as averages."],
        "scales": [float(expected.scale)],
    }
    assert expected.note == entry.record["notes"][0]
    for name in ("before", "after", "before_slices", "after_slices"):
        assert np.array_equal(entry.artefacts[f"{name}_0"], getattr(expected, name)), name
    sums = network.model.get_layer("left").kernel.numpy().sum((0, 1))  # (first's channels, left's channels)
    sums /= np.abs(sums).sum(0)
    for name, of in (("before", lambda own, other: sums[other, own]), ("after", lambda own, other: sums[own, other])):
        listed, share = entry.artefacts[f"{name}_0"], entry.artefacts[f"{name}_share_0"]
        assert share.dtype == np.float32
        assert share.shape == listed.shape
        for own, side, place in np.ndindex(*listed.shape):
            other = listed[own, side, place]
            value = of(own, other) if other >= 0 else 0.0
            assert share[own, side, place] == pytest.approx(value, rel=1e-5)
        assert (listed == -1).any()  # of few channels some lists are short


def test_a_layer_that_nothing_feeds_says_so(building):
    _, build, make = building
    outcome, _ = make()
    entry = build.store.get(outcome.found["weights"]["both"].key)  # left and right are what it is made of
    assert entry.record == {"wiring": 2, "layer": "both", "before": [], "notes": [], "scales": []}
    assert entry.artefacts == {}


def test_a_layer_fed_by_two_has_both(tmp_path):
    layers = keras.layers
    picture = keras.Input((None, None, 3), name="picture")
    first = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(picture)
    second = layers.Conv2D(4, 3, padding="same", activation="relu", name="second")(first)
    added = layers.Add()([layers.Conv2D(6, 1, name="short")(first), layers.Conv2D(6, 3, padding="same")(second)])
    path = tmp_path / "two.keras"
    keras.Model(picture, layers.ReLU(name="last")(added)).save(path)
    request, plan = planned(tmp_path, path, "*", "own")
    *_, last = asked(request, plan, tmp_path)
    assert (last.layer, last.before) == ("last", ("first", "second"))
    study(last)
    entry = Store(last.setting.store).get(last.jobs[0].key)
    assert entry.record["before"] == ["first", "second"]
    network = load(request.ref)
    for index, below in enumerate(("first", "second")):
        assert np.array_equal(entry.artefacts[f"before_{index}"], wiring(network, below, "last").before)
    short = network.model.get_layer("short").kernel.numpy()[0, 0][:, 3]
    largest = max(0, short.max()) / np.abs(short).sum()
    assert entry.artefacts["before_share_0"][3, 0, 0] == pytest.approx(largest, rel=1e-5)


def test_keys_tell_weights_and_layers_apart_and_pictures_do_not_count(toy, tmp_path):
    def keys(layers="*", weights="random:1", more=""):
        path = toy
        if more:  # the same network under another name
            path = tmp_path / more
            path.write_bytes(toy.read_bytes())
        request, plan = planned(tmp_path / "given", path, layers, weights)
        return {one.layer: one.jobs[0].key for one in asked(request, plan, tmp_path)}

    every = keys()
    assert keys(more="copy.keras") == every
    assert len(set(every.values())) == 3
    for other in (keys(weights="random:2"), keys(weights="own")):
        assert other.keys() == every.keys()
        assert set(other.values()).isdisjoint(every.values())
    fewer = keys(layers="[flr]*")  # both comes after them
    assert fewer == {name: every[name] for name in ("left", "right")}
    assert keys(layers="[lr]*").keys() == {"right"}
    assert keys(layers="[lr]*")["right"] != every["right"]  # which knows of first
    assert keys(layers="left") == {}
    request, plan = planned(tmp_path / "given", toy, "*")
    found = asked(request, plan, tmp_path, "another")
    assert {one.jobs[0].key for one in found}.isdisjoint(every.values())


def test_weights_that_cannot_be_read_are_told_and_nothing_more(building, monkeypatch):
    _, _, make = building

    def fail(*_):
        raise MemoryError("not enough")

    monkeypatch.setattr(atlas.engine.wire, "wiring", fail)
    outcome, seen = make()
    assert outcome.failed == []
    assert len(seen) == 3
    assert outcome.found["weights"]["left"].error == "MemoryError: not enough"
    assert outcome.found["weights"]["both"].state == "found"
    monkeypatch.undo()
    outcome, seen = make()
    assert seen == ["left", "right"]
    assert {one.state for one in outcome.found["weights"].values()} == {"found"}


def test_no_tensorflow_to_see_that_nothing_is_to_be_done(building):
    _, build, make = building
    make()
    folder = build.store.address.removesuffix("/store").removeprefix("file://")
    code = f"""
import sys
from pathlib import Path
from atlas.cli.prepare import prepare
prepared = prepare({folder + "/toy.yaml"!r}, {{"store": {folder + "/store"!r}}}, None)
assert prepared.complete, prepared.unstudied
assert len(prepared.outcome.found["weights"]) == 3
print(sorted({{"tensorflow", "keras"}} & set(sys.modules)))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_nothing_is_read_of_an_empty_plan(building):
    plan, build, _ = building
    assert to_study(Plan(plan.ref, ()), Outcome(), build) == []
