"""One batch in one worker: what it makes, what it does not make again, and what becomes of a channel that breaks."""

import dataclasses
import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import atlas.ascent.render
from atlas.engine.worker import Done, done_before, versions, work
from atlas.errors import AtlasError, StoreError, WeightsError
from atlas.spec.objectives import Channel
from atlas.spec.plan import KERNEL, Job
from atlas.spec.recipe import Recipe
from atlas.spec.recipes import RECIPES
from atlas.spec.slots import RandomCrop
from atlas.store.store import Store

REAL = atlas.ascent.render.render


@pytest.fixture
def rendered(monkeypatch):
    """The calls of ``render``, as lists of channels."""
    calls = []

    def spy(kernel, channels):
        calls.append(list(channels))
        return REAL(kernel, channels)

    monkeypatch.setattr(atlas.ascent.render, "render", spy)
    return calls


def elsewhere(batch, **setting):
    return dataclasses.replace(batch, setting=dataclasses.replace(batch.setting, **setting))


def test_an_entry_of_fixed_magnitude_holds_how_much_each_pixel_counted(batch):
    crops = (RandomCrop(pixels=32, count=3),)
    recipe = RECIPES["maco"].model_copy(update={"size": 32, "steps": 4, "transforms": crops})
    asked = dataclasses.replace(batch([3, 17]), recipe=recipe)
    assert work(asked).image_steps == 2 * 4 * 3
    opacity = Store(asked.setting.store).get(asked.jobs[0].key).artefacts["opacity"]
    assert (opacity.shape, opacity.dtype, opacity.max()) == ((32, 32), np.uint8, 255)


def test_an_entry_holds_the_picture_its_numbers_and_where_they_come_from(batch):
    asked = batch([3, 17])
    report = work(asked)
    assert [(done.key, done.channel, done.error) for done in report.done] == [
        (j.key, j.channel, "") for j in asked.jobs
    ]
    assert (report.layer, report.recipe_name, report.image_steps) == ("both", "main", 2 * 4)
    assert report.seconds > 0
    entry = Store(asked.setting.store).get(asked.jobs[1].key)
    picture = Image.open(io.BytesIO(entry.picture))
    assert (picture.format, picture.size, picture.mode) == ("WEBP", (32, 32), "RGB")
    assert entry.artefacts["trace"].shape == (4, 4)
    record = dict(entry.record)
    assert {name: record.pop(name) for name in ("kernel", "layer", "channel", "network", "weights", "versions")} == {
        "kernel": KERNEL,
        "layer": "both",
        "channel": 17,
        "network": asked.setting.network,
        "weights": asked.setting.weights_digest,
        "versions": versions(),
    }
    assert asked.setting.network.startswith("own-")
    assert record.pop("recipe") == asked.recipe.shown
    assert record.pop("state") == report.done[1].state
    assert record["score"].keys() == record["max"].keys() == {"start", "grey", "end"}
    assert record.keys() == {"attempt", "attempts", "seed", "settled", "size", "steps", "score", "max"}


def test_the_picture_in_the_entry_is_the_kernel_s_pixel_by_pixel(batch, monkeypatch):
    kept = []
    monkeypatch.setattr(atlas.ascent.render, "render", lambda *given: kept.extend(REAL(*given)) or kept)
    asked = batch([5])
    work(asked)
    picture = Image.open(io.BytesIO(Store(asked.setting.store).get(asked.jobs[0].key).picture))
    np.testing.assert_array_equal(np.asarray(picture), kept[0].picture)


def test_the_store_is_asked_once_more_just_before_rendering(batch, rendered):
    first = work(batch([1, 2]))
    report = work(batch([0, 1, 2, 3]))
    assert rendered == [[1, 2], [0, 3]]
    assert sorted(done.channel for done in report.done) == [0, 1, 2, 3]
    assert set(first.done) <= set(report.done)
    assert report.image_steps == 2 * 4
    assert work(batch([0, 1, 2, 3])).image_steps == 0
    assert len(rendered) == 2


def test_an_entry_without_an_artefact_that_is_asked_for_is_made_again(batch, rendered):
    bare = batch([1], record=())
    work(bare)
    assert Store(bare.setting.store).get(bare.jobs[0].key).artefacts == {}
    work(batch([1]))
    assert Store(bare.setting.store).get(bare.jobs[0].key).artefacts.keys() == {"trace"}
    work(bare)
    assert rendered == [[1], [1]]


def test_a_record_counts_only_with_everything_that_is_wanted():
    job = Job(3, "k")

    def found(*has, wanted=(), every=0):
        record = {"has": list(has), "state": "activated", "checksum": "c", "frames": {"every": 3, "steps": [0, 3]}}
        return done_before(job, record, wanted, every, Recipe(), "relu")

    assert done_before(job, None, (), 0, Recipe(), "relu") is None
    assert found("picture") == found("picture", "trace", wanted=("trace",)) == Done("k", 3, "activated", "c")
    assert found("picture", wanted=("trace",)) is None
    assert found("trace", wanted=("trace",)) is None
    assert found("picture", "frames", wanted=("frames",), every=3) == Done("k", 3, "activated", "c")
    assert found("picture", "frames", wanted=("frames",), every=2) is None
    old = {"has": ["picture", "frames"], "state": "activated", "checksum": "c", "frames": {"every": 3, "count": 9}}
    assert done_before(job, old, ("frames",), 3, Recipe(), "relu") is None  # it is not known when its frames were taken


def test_what_is_recorded_lies_beside_the_picture(batch):
    asked = batch([3], record=("trace", "maps", "frames"))
    asked = replace(asked, recipe=asked.recipe.model_copy(update={"repeats": 2}))
    work(asked)
    entry = Store(asked.setting.store).get(asked.jobs[0].key)
    assert entry.artefacts.keys() == {"frames", "maps", "repeat-1", "trace"}
    assert entry.artefacts["maps"].shape == (2, 16, 16)
    assert entry.record["frames"] == {"every": 2, "steps": [0, 2], "columns": 8}
    sheet = Image.open(io.BytesIO(entry.artefacts["frames"].tobytes()))
    assert sheet.size == (8 * 32, 32)
    last = np.asarray(sheet)[:, 64:96].astype(int)
    assert np.abs(last - np.asarray(Image.open(io.BytesIO(entry.picture)))).mean() < 12
    (repeat,) = entry.repeats
    assert Image.open(io.BytesIO(repeat.tobytes())).size == (32, 32)
    assert repeat.tobytes() != entry.picture


def test_a_channel_that_breaks_does_not_fail_the_others(batch, monkeypatch):
    def breaking(kernel, channels):
        if 7 in channels:
            raise RuntimeError("OOM when allocating\na very long graph")
        return REAL(kernel, channels)

    asked = batch([6, 7, 8])
    monkeypatch.setattr(atlas.ascent.render, "render", breaking)
    report = work(asked)
    states = {done.channel: done for done in report.done}
    assert states[7] == Done(asked.jobs[1].key, 7, "failed", error="RuntimeError: OOM when allocating")
    assert {states[6].state, states[8].state} <= {"activated", "dead"}
    store = Store(asked.setting.store)
    assert [store.record(job.key) is not None for job in asked.jobs] == [True, False, True]
    monkeypatch.setattr(atlas.ascent.render, "render", REAL)
    whole = elsewhere(asked, store=asked.setting.store + "-other")
    work(whole)
    for job in (asked.jobs[0], asked.jobs[2]):
        assert store.get(job.key).picture == Store(whole.setting.store).get(job.key).picture


def test_numbers_that_are_not_finite_fail_with_a_sentence_and_are_not_kept(batch, monkeypatch):
    def not_finite(kernel, channels):
        return [dataclasses.replace(one, state="failed") for one in REAL(kernel, channels)]

    monkeypatch.setattr(atlas.ascent.render, "render", not_finite)
    asked = batch([2])
    [done] = work(asked).done
    assert (done.state, done.error) == ("failed", "its numbers were not finite, also with 3 other seeds")
    assert Store(asked.setting.store).record(done.key) is None


def test_a_failure_without_words_is_named_by_its_kind(batch, monkeypatch):
    def breaking(kernel, channels):
        raise MemoryError

    monkeypatch.setattr(atlas.ascent.render, "render", breaking)
    assert [done.error for done in work(batch([2])).done] == ["MemoryError"]


def test_what_would_fail_every_batch_alike_is_raised_through(batch, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AtlasError, match=r"file/store.* could not be read: Not a directory"):
        work(elsewhere(batch([1]), store=str(tmp_path / "file" / "store")))
    asked = batch([1, 2])
    with pytest.raises(WeightsError, match="expected a file of weights"):
        work(elsewhere(asked, ref=dataclasses.replace(asked.setting.ref, weights=str(tmp_path / "no.h5"))))

    def refuse(self, *entries):
        raise StoreError("the store is gone")

    monkeypatch.setattr(Store, "put", refuse)
    with pytest.raises(StoreError, match="the store is gone"):
        work(asked)


def test_a_cached_batch_needs_no_tensorflow(batch, tmp_path):
    asked = batch([1, 2])
    work(asked)
    (tmp_path / "again.py").write_text(f"""
import sys
from atlas.engine.batches import Batch, Setting
from atlas.engine.worker import work
from atlas.spec.facts import NetworkRef
from atlas.spec.plan import Job
from atlas.spec.recipe import Recipe

jobs = [Job(channel, key) for channel, key in {[(job.channel, job.key) for job in asked.jobs]}]
setting = Setting(NetworkRef("n", "own"), "n", "w", {asked.setting.store!r}, 1, "cpu")
report = work(Batch(setting, "l", "relu", "main", Recipe(size=32), jobs, (), 0))
print(len(report.done), "tensorflow" in sys.modules)
""")
    run = subprocess.run([sys.executable, tmp_path / "again.py"], capture_output=True, text=True, check=True)
    assert run.stdout == "2 False\n"


def test_what_another_build_recorded_stays_beside_the_picture(batch):
    first, second = batch([3], record=("trace", "frames")), batch([3], record=("maps",))
    work(first)
    work(second)
    store, key = Store(first.setting.store), first.jobs[0].key
    entry = store.get(key)
    assert entry.artefacts.keys() == {"trace", "frames", "maps"}
    assert entry.record["frames"]["every"] == 2
    for asked in (first, second):
        there = store.record(key)
        assert done_before(asked.jobs[0], there, asked.record, asked.frame_every, asked.recipe, asked.activation)
        assert work(asked).tried == 0


@pytest.mark.parametrize("state", ["activatee", None, 7])
def test_an_entry_of_no_known_state_counts_as_missing(state):
    record = {"has": ["picture"], "state": state, "checksum": "c"}
    assert done_before(Job(0, "k"), record, [], 0, Recipe(), "relu") is None


LUCID = Recipe(through=0.0)  # no last resort
NEGATIVE = Recipe(objective=Channel(weight=-1))


@pytest.mark.parametrize(
    ("kept", "attempts", "end", "recipe", "activation", "state"),
    [
        ("activated", 4, 1.0, Recipe(), "relu", "activated"),
        ("dead", 4, 0.0, Recipe(), "relu", None),  # kept before there was a last resort
        ("dead", 6, 0.0, Recipe(), "relu", "dead"),
        ("dead", 4, 0.0, LUCID, "relu", "dead"),
        ("dead", "4", 0.0, Recipe(), "relu", None),
        ("activated", 4, 1.0, Recipe(), "", "raised"),  # kept before it was asked of layers without a function
        ("activated", 4, 0.0, Recipe(), "", None),
        ("unraised", 6, 0.0, Recipe(), "", "unraised"),
        ("activated", 4, 0.0, NEGATIVE, "relu", "made"),
        ("made", 4, 0.0, NEGATIVE, "", "made"),
    ],
)
def test_what_was_kept_as_dead_is_tried_anew_once(kept, attempts, end, recipe, activation, state):
    score = {"start": 0.5, "grey": 0.1, "end": end}
    record = {"has": ["picture"], "state": kept, "checksum": "c", "attempts": attempts, "score": score}
    found = done_before(Job(0, "k"), record, [], 0, recipe, activation)
    assert (found and found.state) == state
