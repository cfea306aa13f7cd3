"""The quickstart, walked; and pictures of the real, embedded networks: they show what they should."""

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from atlas.ascent.kernel import Kernel
from atlas.ascent.render import render
from atlas.networks.load import Network, load
from atlas.resources import resource
from atlas.spec.load import load_request
from atlas.spec.recipes import RECIPES
from tests.conftest import MUCH, let_go
from tests.spec.conftest import CATALOG
from tests.walk import walk

STEPS = 64  # of the quickstart
ROCKET = Path(__file__).parent / "networks" / "data" / "rocket.webp"
REQUESTS = {
    name: load_request(resource("configs") / f"{name}.yaml", {}, CATALOG)
    for name in ("quickstart", "inceptionv3-first-look")
}
LAYERS = [
    ("quickstart", "block4_conv1"),
    ("inceptionv3-first-look", "mixed2"),
    ("inceptionv3-first-look", "mixed4"),
]


class Made(NamedTuple):
    """A layer's first two channels of a configuration: pictures ``(128, 128, 3) uint8``, and what is told of them."""

    channels: tuple[int, ...]
    pictures: list[np.ndarray]
    records: list[Mapping[str, Any]]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's folder after the whole page: every command worked in its turn."""
    folder = tmp_path_factory.mktemp("quickstart") / "reader"
    walk("quickstart", folder)
    return folder


@pytest.fixture(scope="module")
def network() -> Iterator[Callable[[str], Network]]:
    """The network of a configuration, one at a time: the one before is let go."""

    @functools.lru_cache(maxsize=1)
    def held(name: str) -> Network:
        return load(REQUESTS[name].ref)

    yield held
    held.cache_clear()


@pytest.fixture(scope="module")
def everything(network: Callable[[str], Network]) -> dict[tuple[str, str], Made]:
    found = {}
    for name, layer in LAYERS:
        [chosen] = [one for one in REQUESTS[name].layers if one.facts.name == layer]
        recipe, channels = chosen.recipes["main"].model_copy(update={"steps": STEPS}), chosen.channels[:2]
        renderings = render(Kernel(network(name), layer, recipe), channels)
        found[name, layer] = Made(channels, [one.picture for one in renderings], [one.record() for one in renderings])
        let_go([MUCH])
    return found


@pytest.fixture(params=LAYERS, ids=lambda one: one[1])
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A configuration and one of its layers."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def made(everything: dict[tuple[str, str], Made], case: tuple[str, str]) -> Made:
    return everything[case]


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


def test_the_recipes_are_those_meant():
    recipes = {name: {layer.recipes["main"] for layer in request.layers} for name, request in REQUESTS.items()}
    assert recipes["quickstart"] == {RECIPES["default"].model_copy(update={"size": 128, "steps": STEPS})}
    assert recipes["inceptionv3-first-look"] == {RECIPES["default"].model_copy(update={"size": 128, "steps": 128})}


def test_every_command_of_the_page_works_in_its_turn(walked):
    assert (walked / "site" / "vgg16-first-look" / "index.html").is_file()


def test_the_channels_are_activated(made):
    for record in made.records:
        assert record["state"] == "activated"
        assert record["score"]["end"] > 2 * max(record["score"]["start"], record["score"]["grey"])
        assert record["max"]["end"] > 0


def test_a_picture_s_own_channel_ranks_in_the_top_two_percent(network, everything, case, others):
    """Every channel's mean activation is z-scored over the pictures of all layers, and those made for no channel.

    A channel that likes everything is thus no rival. The picture's own channel is to be among the first 2 % of its
    layer by that score on its picture.
    """
    rest = [picture for key, one in everything.items() if key != case for picture in one.pictures]
    pictures = np.stack([*everything[case].pictures, *rest, *others]) / np.float32(255)
    cut = network(case[0]).cut(case[1])
    means = tf.reduce_mean(cut.activate(cut.pre(tf.constant(pictures, tf.float32))), (1, 2)).numpy()
    scores = (means - means.mean(0)) / (means.std(0) + 1e-6)
    for own, channel in zip(scores, everything[case].channels, strict=False):
        rank = int((own > own[channel]).sum())
        assert rank < 0.02 * cut.main.channels, f"channel {channel} ranks {rank} of {cut.main.channels}"


def test_colours_are_neither_pale_nor_drowned_in_one_tint(made):
    for picture in made.pictures:
        values = picture / 255
        assert (np.abs(values.mean((0, 1)) - 0.5) <= 0.12).all(), values.mean((0, 1))
        assert values.std() >= 0.2
