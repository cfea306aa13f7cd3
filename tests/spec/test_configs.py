import json
from pathlib import Path

import pytest

from atlas.resources import resource
from atlas.spec.load import load_request
from atlas.spec.plan import make_plan
from atlas.spec.schema import json_schema
from tests.spec.conftest import CATALOG

CONFIGS = sorted(resource("configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_configuration_loads_and_carries_the_editors_line(path: Path):
    request = load_request(path, {}, CATALOG)
    assert len(make_plan(request, "w")) > 0
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=atlas.schema.json\n")
    assert text.count("#") > 3


def counts(name):
    request = load_request(resource("configs") / f"{name}.yaml", {}, CATALOG)
    return {layer.facts.name: len(layer.channels) for layer in request.layers}, request


def test_the_whole_networks_are_whole():
    assert sum(counts("vgg16")[0].values()) == 4224
    assert counts("vgg16")[1].ref.weights == "embedded"
    assert sum(counts("vgg19")[0].values()) == 5504
    assert sum(counts("inceptionv3")[0].values()) == 10_448


@pytest.mark.parametrize(
    ("name", "network", "count"), [("quickstart", "vgg16", 36), ("inceptionv3-first-look", "inceptionv3", 40)]
)
def test_the_first_looks_are_small_and_each_of_their_channels_has_a_note(name, network, count):
    channels, request = counts(name)
    assert (request.ref.network, request.ref.weights) == (network, "embedded")
    assert sum(channels.values()) == count
    assert all(recipe.steps <= 128 for layer in request.layers for recipe in layer.recipes.values())
    noted = {layer: set(notes) for layer, notes in request.website.notes.items()}
    assert noted == {layer.facts.name: set(layer.channels) for layer in request.layers}
    assert max(len(note.name.split()) for notes in request.website.notes.values() for note in notes.values()) <= 2


def test_the_first_looks_are_over_late_blocks_and_every_branch():
    channels, request = counts("quickstart")
    assert {name[:6] for name in channels} == {"block3", "block4", "block5"}
    assert request.output == Path("site/vgg16-first-look")
    _, request = counts("inceptionv3-first-look")
    for layer in request.layers:
        assert all(
            any(branch.first <= channel <= branch.last for channel in layer.channels) for branch in layer.facts.branches
        )
        assert layer.facts.name in ("mixed0", "mixed1") or layer.channels[:2] == (0, 1)


def test_the_tutorial_s_three_pictures():
    channels, request = counts("vgg19-tutorial")
    assert channels == {"block4_conv1": 2, "block5_conv4": 1}
    assert {(recipe.size, recipe.steps) for recipe in request.layers[0].recipes.values()} == {(300, 10), (224, 100)}


def test_the_study_has_the_channel_its_neighbours_and_the_class():
    channels, request = counts("sea-cucumber")
    assert channels == {"block5_conv4": 9, "predictions": 4}
    assert (request.ref.classes, request.facts.classifier.name) == (True, "predictions")
    assert request.layers[1].channels == (327, 328, 329, 330)
    assert len(make_plan(request, "w")) == 4 * 13


def test_the_demo_of_real_images_needs_no_file_beside_it():
    channels, request = counts("photos")
    assert channels == {"mixed3": 16, "mixed4": 16}
    assert request.ref.weights == "embedded"
    assert request.probes.images == "scikit-image"
    assert {Path(name).is_file() for name in request.layers[0].recipes["cat"].photos} == {True}


def test_the_schema_beside_the_configurations_is_the_program_s():
    assert json.loads((resource("configs") / "atlas.schema.json").read_text()) == json_schema()


def test_every_key_has_a_sentence():
    for name, key in json_schema()["properties"].items():
        assert key.get("description", "").endswith("."), name
