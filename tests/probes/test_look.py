"""What a network makes of images, against Keras' own outputs, one image after the other, and loops."""

import itertools
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atlas.images.folders import Source
from atlas.images.loader import open_image
from atlas.networks.load import load
from atlas.probes import look
from atlas.probes.look import MAP, TOGETHER, Looked, Probe, pictures, respond
from atlas.spec.facts import NetworkRef, Preprocessing

SIZE = 58  # maps of 58 and 29 positions: patches of 3 and of 2, which do not come out even
LAYERS = ["first", "pool", "left", "right", "both"]
COUNT, EXEMPLARS = 21, 5


def waves(count: int, size: int) -> np.ndarray:
    """Pictures of their own colours and waves; some are the same as the one before, every tenth is grey."""
    y, x = np.mgrid[0:size, 0:size] / size
    draws = np.random.default_rng(7).uniform(-1, 1, (count, 8))
    found = np.zeros((count, size, size, 3), np.uint8)
    for number, (angle, speed, *rest) in enumerate(draws):
        wave = np.sin(2 * np.pi * (1 + 4 * abs(speed)) * (x * np.cos(3 * angle) + y * np.sin(3 * angle)))
        spot = np.exp(-((x - abs(rest[0])) ** 2 + (y - abs(rest[1])) ** 2) * 40)
        found[number] = np.clip(128 + 60 * wave[..., None] * rest[2:5] + 90 * spot[..., None] * rest[3:], 0, 255)
    for number in range(1, count):
        if number % 7 == 6 or number == TOGETHER:
            found[number] = found[number - 1]
    found[9::10] = 128
    return found


def batches(shown: np.ndarray, of: int = TOGETHER):
    """The same as they come from files."""
    for first in range(0, len(shown), of):
        some = shown[first : first + of]
        yield np.arange(first, first + len(some), dtype=np.int32), some


def outputs(ref: NetworkRef, layer: str, shown: np.ndarray) -> np.ndarray:
    """The layer's output ``(n, h, w, channels)`` by Keras itself, one image at a time."""
    import keras

    model = load(ref).model
    until = keras.Model(model.input, model.get_layer(layer).output)
    found = np.concatenate([np.asarray(until(2.0 * one[None].astype(np.float32) / 255.0 - 1.0)) for one in shown])
    return found if found.ndim == 4 else found[:, None, None, :]


def shrunk(field: np.ndarray) -> np.ndarray:
    """Of a map ``(h, w)`` the largest of each patch, what is over at the edges in halves."""
    factor = -(-max(field.shape) // MAP)
    sides = [-(-side // factor) for side in field.shape]
    before = [(count * factor - side) // 2 for count, side in zip(sides, field.shape, strict=True)]
    found = np.full(sides, -np.inf)
    for row, column in itertools.product(range(field.shape[0]), range(field.shape[1])):
        place = (row + before[0]) // factor, (column + before[1]) // factor
        found[place] = max(found[place], field[row, column])
    return found


def check(found: Looked, maps: np.ndarray, exemplars: int) -> None:
    """Every number against loops over the layer's outputs ``(n, h, w, channels)``."""
    count, height, width, channels = maps.shape
    assert found.grid == (height, width)
    factor = -(-max(height, width) // MAP)
    for image, channel in itertools.product(range(count), range(channels)):
        field = maps[image, :, :, channel]
        assert found.largest[image, channel] == pytest.approx(field.max(), abs=1e-5)
        row, column = found.place[image, channel]
        assert field[row, column] == pytest.approx(field.max(), abs=1e-5)
        assert found.mean[image, channel] == pytest.approx(field.astype(np.float64).mean(), abs=1e-5)
        above = [field[row, column] > 0 for row in range(0, height, factor) for column in range(0, width, factor)]
        assert found.active[image, channel] == pytest.approx(sum(above) / len(above), abs=1.01 / len(above))
    for channel in range(channels):
        order = sorted(range(count), key=lambda image: -found.largest[image, channel])[:exemplars]
        best = [*order, *[-1] * (exemplars - len(order))]
        assert found.best[:, channel].tolist() == best
        for rank, image in enumerate(order):
            small = np.maximum(shrunk(maps[image, :, :, channel]), 0)
            levels = 255 * small / small.max() if small.max() > 0 else small
            assert np.abs(found.maps[rank, channel] - levels).max() <= (1 if small.max() > 1e-3 else 255)


@pytest.fixture(scope="module")
def shown() -> np.ndarray:
    return waves(COUNT, SIZE)


@pytest.fixture(scope="module")
def probe(toy_ref: NetworkRef) -> Probe:
    return Probe([load(toy_ref).cut("first", also=LAYERS[1:])], SIZE, EXEMPLARS)


@pytest.fixture(scope="module")
def found(probe: Probe, shown: np.ndarray) -> dict[str, Looked]:
    numbers, found = probe.look(batches(shown))
    assert numbers.tolist() == list(range(COUNT))
    return found


@pytest.mark.parametrize("layer", LAYERS)
def test_every_number_of_every_layer(found, toy_ref, shown, layer):
    check(found[layer], outputs(toy_ref, layer, shown), EXEMPLARS)


def test_the_shapes_and_kinds_are_those_that_are_told(found):
    assert list(found) == LAYERS
    first, pool = found["first"], found["pool"]
    assert (first.grid, first.maps.shape) == ((58, 58), (EXEMPLARS, 8, 20, 20))
    assert (pool.grid, pool.maps.shape) == ((29, 29), (EXEMPLARS, 8, 15, 15))
    assert max(first.maps.shape[2:]) <= MAP
    kinds = {name: array.dtype for name, array in vars(first).items() if name != "grid"}
    assert kinds == {
        "largest": np.float32,
        "place": np.uint16,
        "mean": np.float32,
        "active": np.float32,
        "best": np.int32,
        "maps": np.uint8,
    }


def test_equal_images_are_told_apart_by_their_order(found, shown):
    twins = [(5, 6), (12, 13), (TOGETHER - 1, TOGETHER), (9, 19)]
    both = 0
    for one, other in twins:
        assert (shown[one] == shown[other]).all()
        for layer in LAYERS:
            assert (found[layer].largest[one] == found[layer].largest[other]).all()
            for best in found[layer].best.T.tolist():
                assert other not in best or best[best.index(other) - 1] == one
                both += other in best and other == TOGETHER
    assert both  # also where the second came a batch later


def test_the_same_in_batches_of_any_length(probe, found, shown):
    for of in (1, 3, 5):
        numbers, again = probe.look(batches(shown, of))
        assert numbers.tolist() == list(range(COUNT))
        for layer in LAYERS:
            for name, array in vars(found[layer]).items():
                assert np.asarray(array == getattr(again[layer], name)).all(), (of, layer, name)


def test_one_graph_is_traced(toy_ref, shown, monkeypatch):
    traced = []
    seen = Probe._seen
    monkeypatch.setattr(Probe, "_seen", lambda self, pixels: traced.append(1) or seen(self, pixels))
    probe = Probe([load(toy_ref).cut("pool")], SIZE, 2)
    probe.look(batches(shown, 5))
    probe.look(batches(shown[:3]))
    assert traced == [1]


def test_few_images_leave_places_empty(probe, toy_ref, shown):
    _, few = probe.look(batches(shown[:3]))
    check(few["both"], outputs(toy_ref, "both", shown[:3]), EXEMPLARS)
    assert (few["both"].best[3:] == -1).all()
    assert (few["both"].maps[3:] == 0).all()


def test_no_images_give_nothing(probe):
    numbers, none = probe.look(iter([]))
    assert numbers.shape == (0,)
    assert none == {}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> NetworkRef:
    """A network with a convolution that goes below zero, and a dense layer."""
    import keras

    keras.utils.set_random_seed(5)
    picture = keras.Input((20, 20, 3), name="picture")
    line = keras.layers.Conv2D(6, 3, strides=2, name="line", bias_initializer=keras.initializers.Constant(-0.4))(
        picture
    )
    flat = keras.layers.GlobalAveragePooling2D(name="flat")(line)
    scores = keras.layers.Dense(5, name="scores")(flat)
    path = tmp_path_factory.mktemp("lines") / "lines.keras"
    keras.Model(picture, scores, name="lines").save(path)
    return NetworkRef(str(path), "own", 0, Preprocessing("rgb", (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0)))


def test_below_zero_nothing_is_active(lines):
    shown = waves(11, 20)
    _, found = Probe(load(lines).cuts(["line", "scores"], 20), 20, 4).look(batches(shown))
    maps = outputs(lines, "line", shown)
    check(found["line"], maps, 4)
    silent = maps.max((1, 2)) <= 0
    assert silent.any()
    assert not silent.all()
    best = found["line"].best
    for rank, channel in np.ndindex(*best.shape):
        if silent[best[rank, channel], channel]:
            assert (found["line"].maps[rank, channel] == 0).all()
    check(found["scores"], outputs(lines, "scores", shown), 4)
    assert found["scores"].grid == (1, 1)


def test_pictures_of_a_layer(toy_ref):
    shown = waves(11, 24)
    for count in (1, 8, 11):
        check(respond(load(toy_ref).cut("both"), iter(shown[:count])), outputs(toy_ref, "both", shown[:count]), 1)


@pytest.fixture
def sources(tmp_path: Path) -> list[Source]:
    """Twelve images, of which the fifth is cut, the eighth too small, and the last could not be read before."""
    found = []
    for number, pixels in enumerate(waves(12, 40)):
        path = tmp_path / f"{number}.png"
        Image.fromarray(pixels[:6] if number == 7 else pixels).save(path)
        if number == 4:
            path.write_bytes(path.read_bytes()[:200])
        digest = "" if number == 11 else sha256(path.read_bytes()).hexdigest()
        found.append(Source(str(path), path.name, "", digest))
    (tmp_path / "11.png").unlink()
    return found


@pytest.mark.parametrize("crop", ["middle", "squeeze"])
def test_images_come_in_batches_without_those_that_cannot_be_shown(sources, crop):
    skipped = {}
    found = list(pictures(sources, 32, crop, lambda source, why: skipped.update({source.name: why})))
    assert [numbers.tolist() for numbers, _ in found] == [[0, 1, 2, 3, 5, 6, 8, 9], [10]]
    for numbers, pixels in found:
        assert pixels.dtype == np.uint8
        for number, one in zip(numbers, pixels, strict=True):
            assert (one == open_image(sources[number].path, 32, crop)).all()
    assert skipped == {
        "4.png": skipped["4.png"],
        "7.png": "one of 40 by 6 pixels: too small",
        "11.png": "a file that may not be read (No such file or directory)",
    }
    assert "truncated" in skipped["4.png"]


def test_an_image_that_went_away_meanwhile_ends_it(sources):
    Path(sources[3].path).unlink()
    with pytest.raises(FileNotFoundError):
        list(pictures(sources, 32, "middle", lambda source, why: None))


def test_an_image_that_became_another_meanwhile_ends_it(sources):
    Path(sources[3].path).write_bytes(Path(sources[2].path).read_bytes())
    with pytest.raises(OSError, match="changed while the build ran; build again"):
        list(pictures(sources, 32, "middle", lambda source, why: None))


def test_a_classifier_of_another_size_is_looked_at_by_itself(lines):
    """Its layers are shown images as they are, and it the same images at its own size."""
    shown = waves(3, 28)
    network = load(lines)
    assert len(network.cuts(["line", "scores"], 20)) == 1
    cuts = network.cuts(["scores", "line"], 28)
    assert [[sight.layer for sight in cut.sights] for cut in cuts] == [["line"], ["scores"]]
    _, found = Probe(cuts, 28, 2).look(batches(shown))
    alone = Probe([network.cut("line")], 28, 2).look(batches(shown))[1]["line"]
    assert (found["line"].largest == alone.largest).all()
    scores = Probe([network.cut("scores")], 28, 2).look(batches(shown))[1]["scores"]
    assert (found["scores"].largest == scores.largest).all()


def test_reading_goes_on_while_some_are_looked_at(sources, monkeypatch):
    opened = []
    monkeypatch.setattr(look, "open_image", lambda path, *more: opened.append(path) or open_image(path, *more))
    coming = pictures(sources * 20, 32, "middle", lambda source, why: None)
    next(coming)
    assert len(opened) < 6 * TOGETHER  # never all: memory does not grow with the number of images
