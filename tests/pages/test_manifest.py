import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from atlas.errors import SiteError
from atlas.pages.manifest import read_summary
from atlas.pages.read import read_atlas
from atlas.store.store import Store


@pytest.fixture
def record(make_atlas: Callable[..., dict[str, Any]], store: Store) -> dict[str, Any]:
    return make_atlas(store, distinct=1, side=8)


def test_the_tree_holds_what_the_record_says(record: dict[str, Any]) -> None:
    atlas = read_atlas(record)
    assert [layer.name for layer in atlas.layers] == ["mixed0", "mixed2"]
    assert atlas.main == "main"
    layer = atlas.layers[1]
    assert [branch.name for branch in layer.branches] == ["1x1", "5x5", "double 3x3", "pool"]
    assert layer.branch(64) == layer.branches[1]
    assert atlas.layers[0].branch(64) is None
    assert layer.shown[6].renderings["main"].error.startswith("the score became NaN")
    assert (atlas.outline[-1].name, atlas.outline[-1].receptive_field) == ("mixed10", 1311)
    assert layer.branches[3].copies == "mixed0"
    assert set(layer.found) == {"likeness", "weights"}


def test_a_channel_without_a_rendering_is_missing_and_channels_come_in_order(record: dict[str, Any]) -> None:
    channels = record["layers"][0]["channels_shown"]
    del channels[0]["renderings"]["negative"]
    channels.reverse()
    shown = read_atlas(record).layers[0].shown
    assert [channel.number for channel in shown] == list(range(16))
    assert shown[0].renderings["negative"].state == "missing"


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("schema",), 1, "expected schema 4, received 1"),
        (("schema",), True, "schema: expected int, received True"),
        (("title",), None, "title: expected str, received None"),
        (("recipes",), [], "recipes: expected at least one name"),
        (("network", "size"), "299", "network: size: expected int, received '299'"),
        (("layers", 1, "channels"), None, "layers[1]: channels: expected int"),
        (("layers", 0, "channels_shown"), {}, "layers[0]: channels_shown: expected list"),
        (("layers", 0, "channels_shown", 3), 7, "channels_shown[3]: expected a mapping, received 7"),
        (("layers", 0, "channels_shown", 3, "channel"), 2, "expected each channel once"),
        (("layers", 0, "channels_shown", 3, "channel"), -1, "expected a channel from 0 on"),
        (("layers", 0, "channels_shown", 3, "renderings", "main", "state"), "fine", "expected a state of activated"),
        (("layers", 0, "channels_shown", 3, "renderings", "main", "key"), None, "the first 5 with a key"),
        (("layers", 0, "channels_shown", 3, "renderings", "other"), {}, "recipes of main, negative"),
        (("layers", 0, "channels_shown", 3, "renderings", "main"), "x", "renderings: main: expected a mapping"),
        (("layers", 1, "found", "likeness"), {}, "layers[1]: found: likeness: key: expected str"),
        (("layers", 1, "notes"), [], "layers[1]: notes: expected dict"),
        (("site", "zip"), 1, "site: zip: expected bool, received 1"),
        (("class_names",), ["jay"], "class_names: expected a name for each of 0 classes, received 1"),
        (("class_names",), "jay", "class_names: expected list, received 'jay'"),
        (("outline", 2, "in_atlas"), 1, "outline[2]: in_atlas: expected bool, received 1"),
    ],
)
def test_a_wrong_record_is_one_sentence_that_names_the_place(
    record: dict[str, Any], path: tuple[str | int, ...], value: object, sentence: str
) -> None:
    wrong: Any = copy.deepcopy(record)
    place = wrong
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(SiteError) as caught:
        read_atlas(wrong)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"generator": "other"}', '{"generator": "atlas-microscope", "schema": 9}']
)
def test_a_manifest_that_is_not_ours_has_no_summary(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    assert read_summary(tmp_path) is None


def test_the_written_data_say_what_stands_there(site: Path) -> None:
    toy = site / "toy"
    manifest = json.loads((toy / "manifest.json").read_bytes())
    assert (manifest["generator"], manifest["schema"], manifest["channels"]) == ("atlas-microscope", 3, 26)
    assert manifest["pages"] == len(list(toy.rglob("*.html"))) == 35
    for listed in manifest["layers"]:
        layer = json.loads((toy / listed["data"]).read_bytes())
        assert (layer["name"], len(layer["shown"])) == (listed["name"], listed["shown"])
        with Image.open(toy / layer["sheet"]["address"]) as sheet:
            assert sheet.width == min(layer["sheet"]["columns"], listed["shown"]) * layer["sheet"]["tile"]
        for channel in layer["shown"]:
            pictures = [made["picture"] for made in channel["renderings"].values() if made["key"]]
            names = [listed["page"], channel["page"], *pictures, *filter(None, [channel["thumbnail"]])]
            assert all((toy / name).is_file() for name in names)
            own = json.loads((toy / listed["name"] / f"{channel['channel']}.json").read_bytes())
            assert own["near"] == channel["near"]
    channel = json.loads((toy / "mixed0" / "0.json").read_bytes())
    assert channel["renderings"]["negative"]["picture"] == "mixed0/0.negative.webp"
    assert channel["renderings"]["main"]["size"] == [128, 128]
    assert channel["renderings"]["main"]["score"]["start"] == 0.012
    assert len(channel["renderings"]["main"]["trace"]) == 64
    assert len(channel["near"]["mixed0"]) == 8
    assert len(channel["near"]["mixed2"]) == 6
    assert "trace" not in json.loads((toy / "mixed0" / "3.json").read_bytes())["renderings"]["main"]
    failed = json.loads((toy / "mixed0" / "layer.json").read_bytes())["shown"][6]["renderings"]["main"]
    assert failed == {"state": "failed", "key": None, "error": "the score became NaN at step 12; try a smaller rate"}
    summary = read_summary(toy)
    assert summary is not None
    assert (summary.title, summary.channels, summary.layers) == ("InceptionV3, first look", 26, 2)
