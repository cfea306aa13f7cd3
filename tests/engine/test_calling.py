"""What the network calls a layer's pictures, from the build to the pages, against plain Keras."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from PIL import Image

import atlas.engine.calling
from atlas.engine.batches import Study
from atlas.engine.record import atlas_record
from atlas.engine.run import Build, Outcome, look_up, run, to_study
from atlas.networks.weights import locate
from atlas.pages.check import check_site
from atlas.spec.load import load_request
from atlas.spec.plan import make_plan
from atlas.spec.request import Request
from atlas.store.store import Store
from tests.digits import Digits
from tests.engine.processes import contents, run_here
from tests.probes.test_classes import shifted
from tests.spec.conftest import CATALOG

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
CONFIG = """
title: Digits
network: {path}
preprocessing: tf
class_names: names.txt
layers:
  - {{name: second, channels: "0-8"}}
  - {{name: third, channels: "5,30"}}
  - classes
recipes: {{main: {{size: 32, steps: 24, transforms: []}}}}
compute: {{backend: sequential}}
"""


def configured(digits: Digits, folder: Path) -> Path:
    """The folder with a configuration of some of the digits network's channels, and names of its classes."""
    (folder / "digits.yaml").write_text(CONFIG.format(path=digits.path))
    (folder / "names.txt").write_text("\n".join(NAMES))
    return folder


@pytest.fixture
def folder(digits: Digits, tmp_path: Path) -> Path:
    return configured(digits, tmp_path)


@pytest.fixture(scope="module")
def once(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of which the atlas was built, to be copied."""
    folder = configured(digits, tmp_path_factory.mktemp("once"))
    with pytest.MonkeyPatch.context() as patch:
        assert run_here(patch, folder, "build", "digits.yaml", "--quiet") == 0
    return folder


@pytest.fixture
def built(once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(once, tmp_path / "built"))


def told(folder: Path, layer: str, channel: int, site: str = "digits") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "site" / site / layer / f"{channel}.json").read_bytes())
    return found


def picture(folder: Path, layer: str, channel: int) -> np.ndarray:
    """The stored picture as the Keras model takes it, ``(1, 32, 32, 3)`` from -1 to 1."""
    with Image.open(folder / "site" / "digits" / layer / f"{channel}.webp") as image:
        return np.asarray(image, np.float32)[None] / 127.5 - 1.0


def test_the_pages_say_what_keras_predicts(digits: Digits, once: Path) -> None:
    folder = once
    assert check_site(folder / "site") == []
    for layer, channels in {"second": range(9), "third": [5, 30], "classes": range(10)}.items():
        for channel in channels:
            own = told(folder, layer, channel)
            top = own["classes"]["top"]
            predicted = digits.model.predict(picture(folder, layer, channel), verbose=0)[0]
            assert [row["class"] for row in top] == sorted(range(10), key=lambda one: -predicted[one])[:5]
            np.testing.assert_allclose([row["probability"] for row in top], -np.sort(-predicted)[:5], atol=1e-5)
            assert [row["name"] for row in top] == [NAMES[row["class"]] for row in top]
            assert own["class_name"] == (NAMES[channel] if layer == "classes" else None)
            if layer == "classes":  # the picture's score is the logit
                logits = {row["class"]: row["logit"] for row in top}
                assert abs(logits[channel] - own["renderings"]["main"]["score"]["end"]) < 1e-3
                assert own["classes"]["raised"] is own["classes"]["lowered"] is None
    likeliest = [told(folder, "classes", digit)["classes"]["top"][0]["class"] for digit in range(10)]
    assert (np.array(likeliest) == np.arange(10)).sum() >= 8
    slopes_are_finite_differences(digits, folder)


def slopes_are_finite_differences(digits: Digits, folder: Path) -> None:
    signs = set()
    for layer, channel in [("second", 0), ("second", 8), ("third", 5), ("third", 30)]:
        [slopes] = shifted(digits.model, layer, picture(folder, layer, channel), [channel])
        for kind, sign in (("raised", 1), ("lowered", -1)):
            found = told(folder, layer, channel)["classes"][kind]
            order = [number for number in np.argsort(-sign * slopes, kind="stable") if sign * slopes[number] > 0][:5]
            assert [row["class"] for row in found] == order
            np.testing.assert_allclose([row["slope"] for row in found], slopes[order], atol=1e-3)
            signs.update(np.sign([row["slope"] for row in found]).astype(int).tolist())
            page = (folder / "site/digits" / layer / f"{channel}.html").read_text()
            assert page.count('<a href="../classes/') >= len(found)
    assert signs == {1, -1}


def test_names_are_words_and_nothing_is_asked_again(
    built: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = built
    page = folder / "site/digits/classes/3.html"
    assert '<span class="called">three</span></h1>' in page.read_text()
    assert 'title="3, three"' in (page.parent / "index.html").read_text()
    assert '"three"' in (folder / "site/digits/_/search.js").read_text()
    kept = contents(folder / ".atlas/v1/entries")
    monkeypatch.setattr(Study, "entries", None)  # no study is made
    (folder / "names.txt").write_text("\n".join(name.upper() for name in NAMES))
    assert run_here(monkeypatch, folder, "build", "digits.yaml") == 0
    assert "nothing to render" in capfd.readouterr().out
    assert '<span class="called">THREE</span></h1>' in page.read_text()
    config = folder / "digits.yaml"
    config.write_text(config.read_text().replace("class_names: names.txt\n", ""))
    assert run_here(monkeypatch, folder, "build", "digits.yaml") == 0
    assert "THREE" not in page.read_text()
    assert ">class 3</a>" in page.read_text()
    assert told(folder, "classes", 3)["classes"]["top"][0].items() >= {"class": 3, "name": None}.items()
    assert contents(folder / ".atlas/v1/entries") == kept


def test_a_build_with_nothing_to_do_needs_no_tensorflow(built: Path) -> None:
    code = """
import sys
from atlas.cli import main
sys.argv = ["atlas", "build", "digits.yaml"]
try:
    main()
finally:
    print({"tensorflow", "keras"} & set(sys.modules))
"""
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=built, env=here, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "nothing to render: all 21 pictures are cached",
        "site: site/digits/index.html (unchanged)",
        "set()",
    ]


def test_random_weights_have_been_taught_no_names(
    folder: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("build", "digits.yaml", "--weights", "random:2", "--limit", "2")
    assert run_here(monkeypatch, folder, *arguments) == 0
    assert check_site(folder / "site") == []
    for layer in ("second", "third", "classes"):
        for page in (folder / "site/digits-random" / layer).glob("[0-9]*.html"):
            text = page.read_text()
            assert "Random weights (seed 2): nothing here was learned." in text
            assert "What the network calls it" in text
    assert len(told(folder, "second", 1, "digits-random")["classes"]["top"]) == 5


class Made(NamedTuple):
    """A request, what a build of it is told, and a function that builds here and gives what came of it."""

    request: Request
    build: Build
    run: Callable[[], Outcome]


def building(path: Path) -> Made:
    request = load_request(path, {}, CATALOG, 2)
    found, store = locate(request.ref), Store(path.parent / "store")
    plan = make_plan(request, found.digest)
    classifier = request.facts.classifier.name if request.facts.classifier else None
    build = Build(
        request.name, request.facts.id, found.digest, store, request.compute, request.record, classifier=classifier
    )

    def make() -> Outcome:
        outcome = look_up(plan, store, request.record)
        run(plan, build, outcome, lambda report: None, lambda report: None, lambda: False, plan)
        assert to_study(plan, outcome, build) == []
        return outcome

    return Made(request, build, make)


def test_one_entry_for_each_layer_without_names(folder: Path) -> None:
    made = building(folder / "digits.yaml")
    outcome = made.run()
    assert set(outcome.found["classes"]) == {"second", "third", "classes"}
    entry = made.build.store.get(outcome.found["classes"]["second"].key)
    assert dict(entry.record).items() >= {"classes": 1, "layer": "second", "sigmoid": False}.items()
    assert entry.artefacts["raised_by"].shape == (2, 5)
    assert b"three" not in b"".join(contents(folder / "store/v1/entries").values())
    weights = {"kind": "own", "digest": "d", "description": "d", "licence": "l", "seed": 0}
    plan = make_plan(made.request, made.build.weights_digest)
    assert atlas_record(made.request, weights, plan, outcome)["class_names"] == NAMES
    assert atlas_record(replace(made.request, class_names=None), weights, plan, outcome)["class_names"] is None
    assert atlas_record(made.request, weights, plan, Outcome())["class_names"] is None


def test_another_picture_is_asked_about_again(folder: Path) -> None:
    made = building(folder / "digits.yaml")
    before = made.run().found["classes"]
    victim = next(iter(make_plan(made.request, made.build.weights_digest).jobs()))[1]
    entry = made.build.store.get(victim.key)
    made.build.store.put(type(entry)(entry.key, {**entry.record, "attempt": 9}, entry.picture, entry.artefacts))
    after = made.run().found["classes"]
    assert [layer for layer in before if before[layer].key != after[layer].key] == ["second"]


def test_one_that_fails_is_told_and_nothing_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("not enough")

    made = building(folder / "digits.yaml")
    monkeypatch.setattr(atlas.engine.calling, "named", fail)
    outcome = made.run()
    assert outcome.failed == []
    assert {one.error for one in outcome.found["classes"].values()} == {"MemoryError: not enough"}
    monkeypatch.undo()
    assert {one.state for one in made.run().found["classes"].values()} == {"found"}


def test_a_layer_before_resizing_has_names_and_says_why_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = keras.layers
    keras.utils.set_random_seed(1)
    given = keras.Input((16, 16, 3))
    first = layers.Conv2D(4, 3, activation="relu", name="first")(given)
    large = layers.UpSampling2D(2, interpolation="bilinear")(first)
    last = layers.Conv2D(4, 3, activation="relu", name="last")(large)
    out = layers.Dense(3, activation="sigmoid", name="out")(layers.GlobalAveragePooling2D()(last))
    keras.Model(given, out).save(tmp_path / "own.keras")
    (tmp_path / "own.yaml").write_text(
        "network: own.keras\npreprocessing: tf\nlayers: [first, last]\n"
        "recipes: {main: {size: 16, steps: 2, transforms: []}}\ncompute: {backend: sequential}\n"
    )
    assert run_here(monkeypatch, tmp_path, "build", "own.yaml") == 0
    first_one, last_one = (told(tmp_path, layer, 0, "own")["classes"] for layer in ("first", "last"))
    assert "ResizeBilinear" in first_one["why"]
    assert first_one["raised"] is first_one["lowered"] is None
    assert last_one["why"] is None
    assert len(last_one["raised"]) + len(last_one["lowered"]) > 0
    assert len(first_one["top"]) == len(last_one["top"]) == 3
    page = (tmp_path / "site/own/first/0.html").read_text()
    assert "Which classes the channel raises could not be found: expected a network that resizes nothing" in page
    assert "All 3 classes, each with a probability for itself." in page
    assert check_site(tmp_path / "site") == []


def test_a_network_without_its_classifier_is_asked_nothing(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(
        f"network: {toy}\npreprocessing: tf\nlayers: [first]\nrecipes: {{main: {{size: 32, steps: 2}}}}\n"
        "compute: {backend: sequential}\n"
    )
    outcome = building(tmp_path / "toy.yaml").run()
    assert set(outcome.found) == {"likeness"}
