"""Real images through the toy network, from files to what is found out of every layer."""

import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.distance import cdist

import atlas.engine.worker
from atlas.ascent import render as rendering
from atlas.engine import run as running
from atlas.engine.pools import Here
from atlas.engine.probing import IMAGES, LOOK, Probing
from atlas.engine.run import Build, Outcome, look_up, run, to_study
from atlas.images.folders import Source, find_images
from atlas.images.loader import open_image
from atlas.networks.load import load
from atlas.networks.weights import locate
from atlas.probes.look import Probe
from atlas.spec.config import Compute
from atlas.spec.load import load_request
from atlas.spec.plan import make_plan, seen_by
from atlas.store.entry import encode
from atlas.store.store import Store
from tests.engine.processes import contents, run_here, start, write_config
from tests.spec.conftest import CATALOG

SIZE, EXEMPLARS, COUNT = 40, 4, 22
REAL = rendering.render


def write_images(folder: Path, count: int = COUNT) -> None:
    """Images of two labels and some without; in two corners all are the same, so that many excite a channel alike."""
    y, x = np.mgrid[0:1:48j, 0:1:60j]
    for number, draws in enumerate(np.random.default_rng(11).uniform(-1, 1, (count, 6))):
        wave = np.sin(2 * np.pi * (1 + 5 * abs(draws[0])) * (x if number % 2 else y) + draws[1])
        pixels = np.clip(128 + 110 * wave[..., None] * draws[2:5], 0, 255).astype(np.uint8)
        pixels[:16, :22], pixels[-16:, -22:] = 255, (255, 0, 0)
        path = folder / ("", "lines/", "rows/")[number % 3] / f"secret-{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def options(folder: Path, **more: object) -> dict[str, object]:
    return {"images": str(folder), "size": SIZE, "exemplars": EXEMPLARS} | more


@dataclass
class Case:
    """A plan of the toy network, and builds of it in this process, all into one store."""

    toy: Path
    folder: Path
    images: Path
    limit: int | None = 4  # channels of each layer
    reports: list[tuple[str, str]] = field(default_factory=list)

    def build(self, steps: int = 4, **probes: object) -> Build:
        path = write_config(self.folder, self.toy, steps)
        path.write_text(f"{path.read_text()}probes: {json.dumps(options(self.images) | probes)}\n")
        self.request = load_request(path, {}, CATALOG, self.limit)
        weights, asked = locate(self.request.ref).digest, self.request.probes
        self.plan, self.store = make_plan(self.request, weights), Store(str(self.folder / "store"))
        found = find_images(asked.images, asked.limit, asked.seed)
        probing = Probing(seen_by(self.request, weights), found, asked, asked.size)
        compute = Compute(backend="sequential")
        return Build("toy", self.request.facts.id, weights, self.store, compute, self.request.record, probing)

    def make(self, build: Build, stop: int | None = None) -> Outcome:
        """Build here, until so many parts of the images were looked at."""
        self.reports = []
        outcome = look_up(self.plan, self.store, self.request.record)
        run(
            self.plan,
            build,
            outcome,
            lambda report: None,
            lambda report: self.reports.append((report.recipe_name, report.layer)),
            lambda: stop is not None and self.looks >= stop,
            self.plan,
        )
        return outcome

    @property
    def looks(self) -> int:
        """How many parts the last build has looked at."""
        return sum(kind == LOOK for kind, _ in self.reports)

    def entry(self, outcome: Outcome, layer: str):
        return self.store.get(outcome.found["images"][layer].key)


@pytest.fixture
def case(toy, tmp_path):
    write_images(tmp_path / "images")
    return Case(toy, tmp_path, tmp_path / "images")


@pytest.fixture
def small(monkeypatch):
    """Parts of few images, so that there are many."""
    monkeypatch.setattr(atlas.engine.probing, "PART", 4)


@pytest.fixture(scope="module")
def made(toy, tmp_path_factory):
    """A build with small parts, of more images than are kept of each, and one image that is broken."""
    folder = tmp_path_factory.mktemp("made")
    write_images(folder / "images")
    (folder / "images" / "cut").mkdir()
    (folder / "images" / "cut" / "cut.png").write_bytes((folder / "images/secret-0.png").read_bytes()[:300])
    case = Case(toy, folder, folder / "images", limit=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atlas.engine.probing, "PART", 9)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        build = case.build()
        outcome = case.make(build)
    return case, build, outcome


@pytest.fixture(scope="module")
def means(made):
    """By layer: of all images that can be shown the largest and the mean activations ``(n, channels)``, and the maps,
    by Keras itself; and the same of the layer's own pictures."""
    import keras

    case, build, _ = made
    model = load(case.request.ref).model
    good = [number for number, one in enumerate(build.probing.sources) if "cut" not in one.name]
    shown = [open_image(build.probing.sources[number].path, SIZE, "middle") for number in good]
    found = {}
    for group in case.plan.groups:
        until = keras.Model(model.input, model.get_layer(group.layer.name).output)
        entries = [case.store.get(job.key) for job in group.jobs]
        own = [np.asarray(Image.open(io.BytesIO(entry.picture)).convert("RGB")) for entry in entries]
        seen = [
            np.concatenate([np.asarray(until(2.0 * one[None] / 255.0 - 1.0)) for one in part]) for part in (shown, own)
        ]
        found[group.layer.name] = np.array(good), *seen
    return found


LAYERS = ["first", "both"]


@pytest.mark.parametrize("layer", LAYERS)
def test_the_strongest_images_and_their_statistics(made, means, layer):
    case, _, outcome = made
    entry = case.entry(outcome, layer)
    arrays, (good, maps, _) = entry.artefacts, means[layer]
    largest = maps.max((1, 2))
    assert entry.record["images"] == len(good) == COUNT
    assert entry.record["grid"] == list(maps.shape[1:3])
    assert arrays["channels"].tolist() == list(range(maps.shape[3]))
    assert arrays["top"].shape == (EXEMPLARS, maps.shape[3])
    for channel in range(maps.shape[3]):
        ordered = np.sort(largest[:, channel])[::-1]
        assert np.allclose(arrays["top_value"][:, channel], ordered[:EXEMPLARS], atol=1e-5)
        rows = np.searchsorted(good, arrays["top"][:, channel])
        assert np.allclose(largest[rows, channel], ordered[:EXEMPLARS], atol=1e-5)
        for row, place in zip(rows, arrays["top_place"][:, channel], strict=True):
            assert maps[row, place[0], place[1], channel] == pytest.approx(largest[row, channel], abs=1e-5)
        for rank in range(2):
            assert arrays["spread_value"][rank, channel] == pytest.approx(
                ordered[round([0.1, 0.9][rank] * (COUNT - 1))], abs=1e-5
            )
    assert (arrays["top_map"].max((2, 3)) == 255)[arrays["top_value"] > 1e-6].all()
    alike = np.abs(largest - largest.max(0)) < 1e-6
    assert (alike.sum(0) > EXEMPLARS).any()  # more than there is room for
    shares = np.linspace(0, 1, 101)
    assert np.allclose(arrays["largest"], np.quantile(largest, shares, axis=0), atol=1e-5)
    assert np.allclose(arrays["mean"], np.quantile(maps.mean((1, 2)), shares, axis=0), atol=1e-5)
    factor = -(-maps.shape[1] // 28)
    active = (maps[:, ::factor, ::factor] > 0).mean((0, 1, 2))
    assert np.allclose(arrays["active"], active, atol=2e-3)
    assert np.allclose(arrays["silent"], (largest <= 0).mean(0), atol=1e-6)


@pytest.mark.parametrize("layer", LAYERS)
def test_pictures_beside_images(made, means, layer):
    case, build, outcome = made
    arrays, (good, maps, own) = case.entry(outcome, layer).artefacts, means[layer]
    names = sorted({build.probing.sources[number].label for number in good} - {""})
    assert names == ["lines", "rows"]
    channels = range(own.shape[3])
    score = np.array([own[channel, :, :, channel].mean() for channel in channels])
    peak = np.array([own[channel, :, :, channel].max() for channel in channels])
    assert np.allclose(arrays["score"], score, atol=1e-5)
    assert np.allclose(arrays["peak"], peak, atol=1e-5)
    assert np.allclose(arrays["score_below"], (maps.mean((1, 2)) < score - 1e-6).mean(0), atol=1.01 / COUNT)
    assert np.allclose(arrays["peak_below"], (maps.max((1, 2)) < peak - 1e-6).mean(0), atol=1.01 / COUNT)
    labels = np.array([build.probing.sources[number].label for number in good])
    centres = np.stack([maps.mean((1, 2))[labels == name].mean(0) for name in names])
    assert arrays["label_images"].tolist() == [(labels == name).sum() for name in names]
    assert np.allclose(arrays["euclid"], cdist(own.mean((1, 2)), centres), atol=1e-5)
    assert np.allclose(arrays["cosine"], cdist(own.mean((1, 2)), centres, "cosine"), atol=1e-5)
    assert arrays["map_images"].tolist() == good.tolist()
    assert arrays["map"].shape == (len(own) + COUNT, 2)
    together = np.concatenate([own.mean((1, 2)), maps.mean((1, 2))]).astype(float)
    units = together / np.linalg.norm(together, axis=1, keepdims=True)
    strength = np.linalg.svd(units - units.mean(0), compute_uv=False)
    assert np.allclose(np.linalg.norm(arrays["map"], axis=0), strength[:2], rtol=1e-3)


def test_channels_that_go_together(made, means):
    case, _, outcome = made
    both, first = (case.entry(outcome, layer).artefacts for layer in ("both", "first"))
    own = np.concatenate([means["both"][1].mean((1, 2)), means["first"][1].mean((1, 2))], axis=1).astype(float)
    deviates = np.ptp(own, axis=0) > 1e-7
    with np.errstate(invalid="ignore", divide="ignore"):
        correlated = np.where(np.outer(deviates, deviates), np.corrcoef(own.T), 0)
    inner, outer = correlated[:24, :24].copy(), correlated[:24, 24:]
    np.fill_diagonal(inner, -1)
    for name, expected in (("with", inner), ("before", outer), ("after", outer.T)):
        values = both[f"{name}_value"]
        assert np.allclose(values, -np.sort(-expected, axis=1)[:, : values.shape[1]], atol=1e-3)
        for row, channel in zip(*np.nonzero(both[name] >= 0), strict=True):
            assert expected[row, both[name][row, channel]] == pytest.approx(values[row, channel], abs=1e-3)
        assert ((both[name] >= 0) == (values > 0)).all()
    assert both["with"].shape == (24, 8)
    assert both["before"].shape == (24, 6)
    assert both["after"].shape == (8, 6)
    assert "before" not in first


def test_names_labels_sheets_and_what_was_skipped(made):
    case, build, outcome = made
    entry = case.entry(outcome, "first")
    assert entry.record["skipped"] == 1
    [[name, why]] = entry.record["skipped_names"]
    assert name == "cut/cut.png"
    assert "truncated" in why
    assert build.probing.skipped(case.store, "both") == [[name, why]]
    arrays = entry.artefacts
    told = json.loads(arrays["told"].tobytes())
    assert told["labels"] == ["lines", "rows"]  # of cut there is nothing that can be shown
    assert (arrays["label_images"] > 0).all()
    assert arrays["cosine"].shape == arrays["euclid"].shape == (8, 2)
    for number, (name, label) in told["images"].items():
        source = build.probing.sources[int(number)]
        assert [name, label] == [source.name, source.label]
    shown = {int(one) for kind in ("top", "spread", "map_images") for one in arrays[kind].ravel()}
    assert {int(number) for number in told["images"]} == shown
    ends = arrays["sheet_ends"].tolist()
    tiles = entry.record["tiles"]
    for begin, end in zip([0, *ends], ends, strict=False):
        with Image.open(io.BytesIO(arrays["sheets"][begin:end].tobytes())) as sheet:
            assert sheet.size == ((EXEMPLARS + EXEMPLARS // 2) * tiles["side"], tiles["rows"] * tiles["side"])
    assert len(ends) == 8
    assert ends[-1] == len(arrays["sheets"])
    for key, row in zip([job.key for job in case.plan.groups[0].jobs], arrays["keys"], strict=True):
        assert bytes(row).hex() == key


def test_a_sheet_shows_the_images_it_says(made):
    case, build, outcome = made
    arrays = case.entry(outcome, "both").artefacts
    begin, end = arrays["sheet_ends"][[4, 5]]
    with Image.open(io.BytesIO(arrays["sheets"][begin:end].tobytes())) as sheet:
        tiles = np.asarray(sheet.convert("RGB")).astype(float)
    side = case.entry(outcome, "both").record["tiles"]["side"]
    for place, number in enumerate(arrays["spread"][:, 5], EXEMPLARS):
        shown = Image.fromarray(open_image(build.probing.sources[number].path, SIZE, "middle")).resize((side, side))
        tile = tiles[:side, place * side : (place + 1) * side]
        assert np.abs(tile - np.asarray(shown, float)).mean() < 12


def test_all_is_found_again(made):
    case, build, outcome = made
    again = case.make(build)
    assert case.reports == []
    assert to_study(case.plan, again, build) == []
    assert again.found == outcome.found


def test_the_same_in_one_part(made, toy, tmp_path):
    """All but the last digits: parts change nothing."""
    case, _, outcome = made
    other = Case(toy, tmp_path, case.images, limit=None)
    whole = other.make(other.build())
    assert other.looks == 1
    for layer in LAYERS:
        one, two = case.entry(outcome, layer), other.entry(whole, layer)
        assert one.record == two.record
        for name, array in one.artefacts.items():
            same = (
                array == two.artefacts[name]
                if array.dtype.kind != "f"
                else np.isclose(array, two.artefacts[name], atol=1e-5)
            )
            assert np.all(same), (layer, name)


def test_parts_hold_every_image_once_and_few_change(small):
    def probing(numbers: Sequence[int]) -> Probing:
        digests = sorted(f"{number * 2654435761 % 2**32:08x}{number:056x}" for number in numbers)
        return Probing("", tuple(Source(one, one, "", one) for one in digests), None, SIZE)

    before = probing(range(100))
    assert sorted(number for part in before.parts for number in part) == list(range(100))
    assert all(list(part) == sorted(part) for part in before.parts)
    assert max(map(len, before.parts)) <= 4
    held = {tuple(before.sources[number].digest for number in part) for part in before.parts}
    for more in range(100, 130):
        after = probing([*range(100), more])
        kept = {tuple(after.sources[number].digest for number in part) for part in after.parts}
        assert len(held - kept) <= 1
        assert len(kept - held) in (1, 2, 3)


def test_copies_of_an_image_are_parted_by_their_places(small):
    sources = tuple(Source(str(number), str(number), "", "ab" * 32) for number in range(9))
    assert Probing("", sources, None, SIZE).parts == [range(4), range(4, 8), range(8, 9)]


def test_an_image_more_costs_its_own_part(case, small):
    case.make(case.build())
    parts = case.looks
    assert parts >= COUNT / 4
    write_images(case.images, COUNT + 1)
    outcome = case.make(case.build())
    assert 1 <= case.looks <= 2
    assert case.entry(outcome, "both").record["images"] == COUNT + 1
    (case.images / "secret-0.png").unlink()
    outcome = case.make(case.build())
    assert case.looks <= 1
    assert case.entry(outcome, "both").record["images"] == COUNT


def test_one_graph_is_traced_for_all_parts(case, small, monkeypatch):
    traced = []
    seen = Probe._seen
    monkeypatch.setattr(Probe, "_seen", lambda self, pixels: traced.append(self.cuts[0].layer) or seen(self, pixels))
    atlas.engine.worker._traced.clear()
    build = case.build(size=44)
    case.make(build)
    assert len(build.probing.parts) >= COUNT / 4
    assert sorted(traced) == ["both", "first", "first"]  # of the images, and each layer of its own pictures


def test_a_layer_whose_pictures_all_failed_does_not_stop_the_next(case, monkeypatch):
    def failing(kernel, channels):
        if kernel.cut.layer == "first":
            raise RuntimeError("out of memory")
        return REAL(kernel, channels)

    monkeypatch.setattr(rendering, "render", failing)
    outcome = case.make(case.build())
    assert set(outcome.found["images"]) == {"both"}
    assert outcome.found["images"]["both"].checksum


def test_images_that_come_to_a_finished_atlas_are_looked_at_by_all_workers(case, small, monkeypatch):
    outcome = case.make(case.build())
    write_images(case.images, COUNT + 1)
    build = replace(case.build(), compute=Compute(workers=5))
    asked = []
    monkeypatch.setattr(running, "Processes", lambda count: asked.append(count) or Here())
    outcome = look_up(case.plan, case.store, build.record)
    run(case.plan, build, outcome, lambda report: None, lambda report: None, lambda: True, case.plan)
    assert asked == [5]


def test_a_layer_more_looks_at_images_for_itself_alone(case, small, monkeypatch):
    looked = []
    entries = atlas.engine.probing.Look.entries

    def noted(self, network, store, wanted):
        looked.append(sorted(self.layers[job.key] for job in wanted))
        return entries(self, network, store, wanted)

    monkeypatch.setattr(atlas.engine.probing.Look, "entries", noted)
    build = case.build()
    plan = case.plan
    case.plan = replace(plan, groups=plan.groups[1:])
    case.make(build)
    case.plan = plan
    case.make(build)
    assert looked[0] == [IMAGES, "both"]
    assert looked[-1] == ["first"]
    assert len(looked) == 2 * len(build.probing.parts)


def test_probing_that_was_interrupted_goes_on(case, small):
    build = case.build()
    parts = len(build.probing.parts)
    outcome = case.make(build, stop=2)
    assert case.looks == 2
    assert outcome.found.get("images", {}) == {}
    outcome = case.make(build)
    assert case.looks == parts - 2
    assert set(outcome.found["images"]) == set(LAYERS)


@pytest.mark.parametrize("good", [0, 1])
@pytest.mark.parametrize("publish", [True, False])
def test_too_few_images_that_can_be_shown_are_told_and_nothing_more(case, good, publish):
    for path in sorted(case.images.rglob("*.png"))[good:]:
        path.write_bytes(path.read_bytes()[:100])
    build = case.build(publish_images=publish)
    outcome = case.make(build)
    assert outcome.failed == []
    assert {one.error for one in outcome.found["images"].values()} == {
        f"ValueError: expected at least 2 images that can be shown, received {good}"
    }
    assert {one.state for one in outcome.found["likeness"].values()} == {"found"}
    assert len(build.probing.skipped(case.store, "first")) == COUNT - good
    shutil.rmtree(case.images)
    write_images(case.images)
    again = case.make(case.build(publish_images=publish))
    assert {one.state for one in again.found["images"].values()} == {"found"}


def test_images_that_cannot_be_looked_at_are_told_and_tried_again(case, small, monkeypatch):
    def fail(*_):
        raise MemoryError("not enough")

    monkeypatch.setattr(atlas.engine.probing.Probe, "look", fail)
    build = case.build()
    outcome = case.make(build)
    assert outcome.failed == []
    assert {one.error for one in outcome.found["images"].values()} == {"MemoryError: not enough"}
    monkeypatch.undo()
    outcome = case.make(build)
    assert {one.state for one in outcome.found["images"].values()} == {"found"}


def test_an_image_that_goes_away_meanwhile_is_no_broken_one(case):
    build = case.build()
    (case.images / "secret-3.png").unlink()
    outcome = case.make(build)
    assert all(one.error.startswith("FileNotFoundError") for one in outcome.found["images"].values())
    again = case.make(case.build())
    assert case.entry(again, "first").record["images"] == COUNT - 1
    assert case.entry(again, "first").record["skipped"] == 0


def test_unpublished_images_leave_neither_pixels_nor_names(case, small):
    (case.images / "lines" / "secret-cut.png").write_bytes(b"no image")
    build = case.build(publish_images=False)
    outcome = case.make(build)
    for layer in LAYERS:
        entry = case.entry(outcome, layer)
        assert entry.record["skipped"] == 1
        assert entry.record["skipped_names"] == []
        assert not {"sheets", "sheet_ends"} & set(entry.artefacts)
        told = json.loads(entry.artefacts["told"].tobytes())
        assert {name for name, _ in told["images"].values()} == {""}
        assert told["labels"] == ["lines", "rows"]
    assert case.store.records(build.probing.looks(IMAGES)) == [None] * len(build.probing.parts)
    for kept in case.store.entries():
        data = encode(case.store.get(kept.key))
        assert b"secret" not in data
        assert str(case.folder).encode() not in data


def test_published_images_are_kept_by_their_content(case, small):
    (case.images / "lines" / "secret-cut.png").write_bytes(b"no image")
    build = case.build()
    case.make(build)
    for layer in (IMAGES, "first"):
        for key in build.probing.looks(layer):
            assert b"secret" not in encode(case.store.get(key))
    good = [number for number, one in enumerate(build.probing.sources) if "cut" not in one.name]
    shown = np.stack([open_image(build.probing.sources[number].path, SIZE, "middle") for number in good]).astype(float)
    for part, key in zip(build.probing.parts, build.probing.looks(IMAGES), strict=True):
        kept = case.store.get(key).artefacts
        for name, data in kept.items():
            with Image.open(io.BytesIO(data.tobytes())) as image:
                assert not image.getexif()
                assert image.format == "JPEG"
                apart = np.abs(np.asarray(image.convert("RGB")) - shown).mean((1, 2, 3))
            assert good[apart.argmin()] == part[int(name)]


def test_keys_are_those_of_content_and_network_alone(case, small, toy, tmp_path):
    build = case.build()
    case.make(build)
    probing = build.probing
    keys = {layer: set(probing.looks(layer)) for layer in (IMAGES, *LAYERS)}
    assert len(set().union(*keys.values())) == 3 * len(probing.parts)
    for other in (
        case.build(size=48).probing,
        case.build(crop="squeeze").probing,
        replace(probing, identity="another network"),
    ):
        assert not set(other.looks("first")) & keys["first"]
    assert set(replace(probing, identity="another network").looks(IMAGES)) == keys[IMAGES]
    assert not set(case.build(exemplars=5).probing.looks("first")) & keys["first"]
    assert set(case.build(exemplars=5).probing.looks(IMAGES)) == keys[IMAGES]
    assert set(case.build(layout="tsne", seed=3).probing.looks("first")) == keys["first"]

    moved = tmp_path / "elsewhere" / "photos"
    shutil.copytree(case.images, moved)
    case.make(case.build(images=str(moved)))
    assert case.reports == []  # neither looked at nor searched again

    (moved / "secret-0.png").rename(moved / "renamed.png")
    (moved / "lines").rename(moved / "strokes")
    outcome = case.make(case.build(images=str(moved)))
    assert case.looks == 0
    assert sorted(case.reports) == [("images", "both"), ("images", "first")]
    told = json.loads(case.entry(outcome, "first").artefacts["told"].tobytes())
    assert told["labels"] == ["rows", "strokes"]
    assert ["renamed.png", ""] in told["images"].values()


def test_another_picture_is_asked_about_again_and_images_are_not_looked_at(case, small):
    case.make(case.build())
    outcome = case.make(case.build(steps=5))
    assert case.looks == 0
    assert sorted(layer for kind, layer in case.reports if kind == "images") == sorted(LAYERS)
    assert len(outcome.found["images"]) == 2


def test_two_workers_give_the_same_bytes_as_this_process(toy, tmp_path, monkeypatch):
    stores = []
    write_images(tmp_path / "images", 150)  # in more than one part
    for name in ("one", "two"):
        folder = tmp_path / name
        path = write_config(folder, toy)
        path.write_text(f"{path.read_text()}probes: {json.dumps(options(tmp_path / 'images'))}\n")
        if name == "one":
            arguments = ("render", "toy.yaml", "--backend", "sequential", "--limit", "4", "--quiet")
            assert run_here(monkeypatch, folder, *arguments) == 0
        else:
            built = start(folder, "render", "toy.yaml", "--workers", "2", "--limit", "4", "--quiet")
            out, err = built.communicate(timeout=240)
            assert (built.returncode, out, err) == (0, "", "")
        stores.append(contents(folder / ".atlas" / "v1" / "entries"))
    assert stores[0] == stores[1]
    assert len(stores[0]) == 8 + 2 + 2 + 1 + 3 * 2  # pictures, likeness, findings, weights; and two parts of the images
