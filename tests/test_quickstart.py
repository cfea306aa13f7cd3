"""The quickstart, walked, and its pictures of the real, embedded network: they show what they should."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from atlas.engine.encode import pixels
from atlas.networks.load import Network, load
from atlas.networks.weights import locate
from atlas.resources import resource
from atlas.spec.load import load_request
from atlas.spec.plan import make_plan
from atlas.store.store import Store
from tests.spec.conftest import CATALOG
from tests.walk import walk

ROCKET = Path(__file__).parent / "networks" / "data" / "rocket.webp"
LAYERS = ("mixed2", "mixed3", "mixed4")
CHANNELS = (0, 1)
REQUEST = load_request(resource("configs") / "quickstart.yaml", {}, CATALOG)
RECIPES = {layer.facts.name: layer.recipes["main"] for layer in REQUEST.layers}
CASES = [(layer, channel) for layer in LAYERS for channel in CHANNELS]


class Made(NamedTuple):
    """A picture ``(128, 128, 3) uint8`` and what the store says of it."""

    picture: np.ndarray
    record: Mapping[str, Any]


@pytest.fixture(scope="module")
def network() -> Network:
    return load(REQUEST.ref)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's folder after the whole page: every command worked in its turn."""
    folder = tmp_path_factory.mktemp("quickstart") / "reader"
    walk("quickstart", folder)
    return folder


@pytest.fixture(scope="module")
def made(walked: Path) -> dict[tuple[str, int], Made]:
    """The quickstart's pictures of the first two channels of three layers."""
    store, found = Store(walked / ".atlas"), {}
    for group, job in make_plan(REQUEST, locate(REQUEST.ref).digest).jobs():
        if (group.layer.name, job.channel) in CASES:
            entry = store.get(job.key)
            found[group.layer.name, job.channel] = Made(pixels(entry.picture), entry.record)
    return found


@pytest.fixture(scope="module")
def others() -> list[np.ndarray]:
    """Pictures ``(128, 128, 3) uint8`` that were made for no channel: a photo, its parts, noises, stripes, grey."""
    generator = np.random.default_rng(0)
    with Image.open(ROCKET) as file:
        photo = file.convert("RGB")
    parts = [photo.resize((128, 128)), photo.crop((0, 0, 128, 128)), photo.crop((64, 64, 192, 192))]
    noise = generator.integers(0, 256, (128, 128, 3)).astype(np.uint8)
    blots = Image.fromarray(generator.integers(0, 256, (8, 8, 3)).astype(np.uint8)).resize((128, 128))
    stripes = np.broadcast_to((np.arange(128) // 8 % 2 * 255).astype(np.uint8)[None, :, None], (128, 128, 3))
    grey = np.full((128, 128, 3), 128, np.uint8)
    return [*map(np.asarray, parts), noise, np.asarray(blots), stripes, np.swapaxes(stripes, 0, 1), grey]


def test_the_quickstart_s_recipe_is_the_one_meant():
    assert {(recipe.size, recipe.steps, recipe.base) for recipe in RECIPES.values()} == {(128, 64, "default")}


def test_every_command_of_the_page_works_in_its_turn(walked):
    assert (walked / "site" / "quickstart" / "mixed4" / "1.html").is_file()


@pytest.mark.parametrize(("layer", "channel"), CASES)
def test_the_channel_is_activated(made, layer, channel):
    record = made[layer, channel].record
    assert record["state"] == "activated"
    assert record["score"]["end"] > 2 * max(record["score"]["start"], record["score"]["grey"])
    assert record["max"]["end"] > 0


@pytest.mark.parametrize("layer", LAYERS)
def test_a_picture_s_own_channel_ranks_in_the_top_two_percent(network, made, others, layer):
    """Every channel's mean activation is z-scored over all pictures: the six, and those made for no channel.

    A channel that likes everything is thus no rival. The picture's own channel is to be among the first 2 % of its
    layer by that score on its picture.
    """
    pictures = np.stack([*(made[case].picture for case in CASES), *others]) / np.float32(255)
    cut = network.cut(layer)
    means = tf.reduce_mean(cut.activate(cut.pre(tf.constant(pictures, tf.float32))), (1, 2)).numpy()
    scores = (means - means.mean(0)) / (means.std(0) + 1e-6)
    for channel in CHANNELS:
        own = scores[CASES.index((layer, channel))]
        rank = int((own > own[channel]).sum())
        assert rank < 0.02 * cut.main.channels, f"channel {channel} ranks {rank} of {cut.main.channels}"


@pytest.mark.parametrize(("layer", "channel"), CASES)
def test_colours_are_neither_pale_nor_drowned_in_one_tint(made, layer, channel):
    values = made[layer, channel].picture / 255
    assert (np.abs(values.mean((0, 1)) - 0.5) <= 0.12).all(), values.mean((0, 1))
    assert values.std() >= 0.2
