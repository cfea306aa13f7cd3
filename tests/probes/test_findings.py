"""What images tell of channels, against loops over all of them at once."""

import numpy as np
import pytest

from atlas.probes import findings
from atlas.probes.findings import BESIDE, BINS, LEVELS, NEAR, company, find
from tests.probes.parts import CONSTANT, LARGE, NEGATIVE, SATURATED, SILENT, cuts, draw

COUNT, EXEMPLARS = 90, 6
CHANNELS = [7, SATURATED, CONSTANT, 0, SILENT, 9, NEGATIVE, LARGE, 11]  # some, in any order


def quantile(values: np.ndarray, share: float) -> float:
    """Between the two values that it lies between, by how far."""
    ordered = sorted(values.astype(float).tolist())
    place = share * (len(ordered) - 1)
    low = min(int(place), len(ordered) - 2) if len(ordered) > 1 else 0
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


@pytest.fixture(scope="module")
def drawn():
    return draw(COUNT)


@pytest.fixture(scope="module")
def found(drawn):
    return find(drawn.whole, COUNT, CHANNELS, EXEMPLARS)


def test_the_strongest_images_with_their_values_places_and_maps(drawn, found):
    assert found.top.shape == (EXEMPLARS, len(CHANNELS))
    for column, channel in enumerate(CHANNELS):
        order = sorted(range(COUNT), key=lambda image: -drawn.largest[image, channel])[:EXEMPLARS]
        assert found.top[:, column].tolist() == order
        for rank, image in enumerate(order):
            assert found.top_value[rank, column] == drawn.largest[image, channel]
            assert (found.top_place[rank, column] == drawn.place[image, channel]).all()
            assert (found.top_map[rank, column] == drawn.maps[image, channel]).all()
    saturated = drawn.largest[:, SATURATED] == 6
    assert saturated.sum() > 2 * EXEMPLARS  # there are ties that more than all of the strongest have part in


def test_the_range_below_is_from_the_90th_to_the_10th_percentile(drawn, found):
    assert found.spread.shape == (EXEMPLARS // 2, len(CHANNELS))
    for column, channel in enumerate(CHANNELS):
        order = sorted(range(COUNT), key=lambda image: -drawn.largest[image, channel])
        for row, level in enumerate([0.9, 0.5, 0.1]):
            image = order[round((1 - level) * (COUNT - 1))]
            assert found.spread[row, column] == image
            assert found.spread_value[row, column] == drawn.largest[image, channel]
            assert (found.spread_place[row, column] == drawn.place[image, channel]).all()
        below = (drawn.largest[:, channel] < found.spread_value[0, column]).mean()
        assert below <= 0.9 + 1 / COUNT


def test_quantiles_shares_and_histograms(drawn, found):
    assert found.largest.shape == found.mean.shape == (LEVELS, len(CHANNELS))
    for column, channel in enumerate(CHANNELS):
        for percent in range(LEVELS):
            for name in ("largest", "mean"):
                expected = quantile(getattr(drawn, name)[:, channel], percent / 100)
                assert getattr(found, name)[percent, column] == pytest.approx(expected, rel=1e-5, abs=1e-6)
        assert found.active[column] == pytest.approx(sum(drawn.active[:, channel].tolist()) / COUNT, rel=1e-6)
        silent = sum(value <= 0 for value in drawn.largest[:, channel]) / COUNT
        assert found.silent[column] == np.float32(silent)
        values = drawn.largest[:, channel].astype(float)
        counts = np.histogram(values, BINS)[0] if np.ptp(values) else [COUNT] + [0] * (BINS - 1)
        assert found.histogram[:, column].tolist() == list(counts)
    assert found.silent[CHANNELS.index(SILENT)] == 1
    assert 0 < found.silent[CHANNELS.index(NEGATIVE)] < 1
    assert (found.histogram.sum(0) == COUNT).all()


def test_the_kinds_of_numbers(found):
    kinds = {name: array.dtype for name, array in vars(found).items()}
    assert {name for name, kind in kinds.items() if kind == np.int32} == {"top", "spread", "histogram"}
    assert {name for name, kind in kinds.items() if kind == np.uint16} == {"top_place", "spread_place"}
    assert kinds.pop("top_map") == np.uint8
    floats = {"top_value", "spread_value", "largest", "mean", "active", "silent"}
    assert {name for name, kind in kinds.items() if kind == np.float32} == floats


@pytest.mark.parametrize(("sizes", "seed"), [(2, 0), (7, 1), (30, 2), (90, 3)])
def test_parts_of_any_kind_give_the_same(drawn, found, sizes, seed):
    again = find(drawn.parts(cuts(COUNT, sizes, seed)), COUNT, CHANNELS, EXEMPLARS)
    for name, array in vars(found).items():
        assert (getattr(again, name) == array).all(), name


@pytest.mark.parametrize("width", [1, 2, 4])
def test_some_channels_at_a_time_give_the_same(drawn, found, monkeypatch, width):
    monkeypatch.setattr(findings, "BLOCK", COUNT * width)
    again = find(drawn.parts(cuts(COUNT, 5, 1)), COUNT, CHANNELS, EXEMPLARS)
    for name, array in vars(found).items():
        assert (getattr(again, name) == array).all(), name


@pytest.mark.parametrize("count", [2, 3, 7])
def test_few_images(count):
    few = draw(count, seed=3)
    found = find(few.whole, count, CHANNELS, 12)
    assert found.top.shape == (count, len(CHANNELS))
    assert found.top_map.shape == (count, len(CHANNELS), 7, 7)
    assert (np.sort(found.top, axis=0) == np.arange(count)[:, None]).all()
    assert len(found.spread) == len({round((1 - level) * (count - 1)) for level in np.linspace(0.9, 0.1, 6)})


def test_numbers_of_images_that_are_not_all_there(drawn):
    """Some images could not be shown: numbers have gaps."""
    here = [number for number in range(COUNT) if number % 5]
    found = find(drawn.parts([here[1::2], here[::2]]), len(here), [8], EXEMPLARS)
    order = sorted(here, key=lambda image: -drawn.largest[image, 8])
    assert found.top[:, 0].tolist() == order[:EXEMPLARS]
    assert found.histogram.sum() == len(here)


def test_values_that_are_hardly_apart_have_a_histogram(drawn):
    drawn = draw(10)
    drawn.largest[:, 0] = 0
    drawn.largest[3, 0] = np.float32(1e-45)
    found = find(drawn.whole, 10, [0], 2)
    assert found.histogram[[0, -1], 0].tolist() == [9, 1]


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's, 0 where one is the same everywhere."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(np.corrcoef(x.astype(float), y.astype(float))[0, 1])


def test_channels_that_go_together(drawn):
    own = [CONSTANT, SILENT, NEGATIVE, LARGE, *range(5, 12)]
    for parts in (drawn.whole, drawn.parts(cuts(COUNT, 9, 4))):
        [near] = company(parts, own)
        assert near.channel.shape == near.value.shape == (len(own), NEAR)
        for row, channel in enumerate(own):
            others = [(correlation(drawn.mean[:, channel], drawn.mean[:, one]), one) for one in own if one != channel]
            expected = sorted(others, key=lambda pair: -pair[0])[:NEAR]
            for (value, other), found, number in zip(expected, near.value[row], near.channel[row], strict=True):
                if value > 1e-9:
                    assert found == pytest.approx(value, abs=1e-5)
                    assert number == other
                else:
                    assert number == -1
        assert (near.channel[:2] == -1).all()  # constant ones go with none
        assert (near.channel[2:] >= 0).any(axis=1).all()


def test_channels_of_two_layers_that_go_together(drawn):
    below = draw(COUNT, channels=20, seed=0)
    below.mean[:, 10] = drawn.mean[:, 8] * 2 + 1
    own, theirs = [8, 6, CONSTANT, LARGE, 10], [*range(4, 20), CONSTANT]
    pieces = cuts(COUNT, 6, 5)
    before, after = company(drawn.parts(pieces), own, below.parts(pieces), theirs)
    assert before.channel.shape == (len(own), BESIDE)
    assert after.channel.shape == (len(theirs), BESIDE if len(own) >= BESIDE else len(own))
    for near, mine, others, x, y in (
        (before, own, theirs, drawn.mean, below.mean),
        (after, theirs, own, below.mean, drawn.mean),
    ):
        for row, channel in enumerate(mine):
            pairs = [(correlation(x[:, channel], y[:, other]), other) for other in others]
            for rank, (value, other) in enumerate(sorted(pairs, key=lambda pair: -pair[0])[: near.value.shape[1]]):
                assert near.value[row, rank] == pytest.approx(value, abs=1e-5)
                assert near.channel[row, rank] == (other if value > 1e-9 else -1)
    assert (before.channel[0, 0], before.value[0, 0]) == (10, pytest.approx(1, abs=1e-6))


def test_a_layer_of_one_channel_has_no_company(drawn):
    [alone] = company(drawn.whole, [5])
    assert (alone.channel == -1).all()
