"""Pictures by others beside ours, against plain Keras and loops on the toy network."""

import keras
import numpy as np
import pytest

from atlas.ascent import transforms
from atlas.networks.load import load
from atlas.probes import versus as module
from atlas.probes.likeness import responses
from atlas.probes.robust import DRAWS, MOVES, moves, robust_scores
from atlas.probes.versus import BEYOND, DIFFERENT, FIRST, UNCLEAR, VERDICTS, Crowd, layer_verdict, verdicts, versus


def drawn(seed: int, count: int, side: int = 24) -> np.ndarray:
    """Blurred noise, another in each."""
    noise = np.random.default_rng(seed).integers(0, 256, (count, side // 4, side // 4, 3), np.uint8)
    return noise.repeat(4, axis=1).repeat(4, axis=2)


@pytest.fixture(scope="module")
def cut(toy_ref):
    return load(toy_ref).cut("both")


@pytest.fixture(scope="module")
def means(toy_ref):
    """The mean activations of the layer ``both``, by Keras itself, one picture after the other."""
    model = load(toy_ref).model
    until = keras.Model(model.input, model.get_layer("both").output)

    def of(pictures: np.ndarray) -> np.ndarray:
        shown = [np.asarray(until(2.0 * one[None] / 255.0 - 1.0)) for one in pictures.astype(np.float32)]
        return np.concatenate(shown).mean((1, 2))

    return of


def test_a_robust_score_is_the_mean_of_the_channel_on_moved_pictures(cut, means):
    pictures, channels = drawn(1, 3), [0, 13, 23]
    expected = []
    for picture, channel in zip(pictures, channels, strict=True):
        each = []
        for one in moves(24):
            drawn_once = transforms.Draws(one[None])
            moved = transforms.apply(MOVES, "grey", picture[None].astype(np.float32) / 255, drawn_once).numpy()
            each.append(means(moved * 255)[0, channel])
        expected.append(np.mean(each))
    assert moves(24).shape == (DRAWS, 6)
    np.testing.assert_allclose(robust_scores(cut, pictures, channels), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("count", [1, 16, 17])
def test_robust_scores_do_not_depend_on_what_else_is_asked(cut, count):
    pictures = drawn(2, count)
    alone = [robust_scores(cut, pictures[place : place + 1], [place])[0] for place in range(count)]
    np.testing.assert_allclose(robust_scores(cut, pictures, range(count)), alone, rtol=1e-5)


def test_ranks_and_likeness_are_those_of_plain_loops(cut, means):
    theirs, ours, pictures = drawn(3, 5), drawn(4, 5), [*drawn(5, 9), *drawn(6, 3, side=32)]
    channels, made_for = np.array([2, 5, 11, 17, 20]), [-1, 2, 2, 7, -1, -1, 20, 3, -1, 0, -1, 5]
    found = versus(cut, channels, theirs, ours, Crowd(pictures, made_for))
    among = np.concatenate([means(one[None]) for one in pictures])
    others = [[row for row, own in enumerate(made_for) if own != channel] for channel in range(24)]
    mean = np.array([among[rows, channel].mean() for channel, rows in enumerate(others)])
    deviation = np.array([among[rows, channel].std() for channel, rows in enumerate(others)])
    told, own = ((means(some) - mean) / deviation for some in (theirs, ours))
    assert found.others == 23
    for place, channel in enumerate(channels):
        assert found.rank[place] == sum(value > told[place, channel] for value in told[place])
        assert found.our_rank[place] == sum(value > own[place, channel] for value in own[place])
        alike = told[place] @ own[place] / np.linalg.norm(told[place]) / np.linalg.norm(own[place])
        assert found.alike[place] == pytest.approx(alike, abs=1e-3)
    np.testing.assert_array_equal(found.verdict, verdicts(found.rank / 23, found.our_rank / 23))
    np.testing.assert_allclose(found.theirs, robust_scores(cut, theirs, channels.tolist()))
    np.testing.assert_allclose(found.ours, robust_scores(cut, ours, channels.tolist()))


def test_our_own_picture_is_never_another_channel(cut):
    pictures = drawn(7, 24)
    found = versus(cut, np.arange(24), pictures, pictures, Crowd(drawn(8, 8), [-1] * 8))
    np.testing.assert_allclose(found.alike, 1, atol=1e-5)
    np.testing.assert_array_equal(found.theirs, found.ours)
    np.testing.assert_array_equal(found.rank, found.our_rank)
    assert DIFFERENT not in found.verdict
    assert found.rank.max() / 23 > BEYOND  # though some of them do not have their channel among the first


def test_channels_that_do_the_same_on_all_pictures_say_nothing(cut):
    plain = Crowd(np.full((8, 24, 24, 3), 90, np.uint8), [-1] * 8)
    found = versus(cut, np.arange(2), drawn(9, 2), drawn(10, 2), plain)
    assert found.verdict.tolist() == [UNCLEAR, UNCLEAR]
    assert found.alike.tolist() == [0, 0]
    assert found.others == 0


def test_numbers_that_are_not_finite_are_unclear(cut, monkeypatch):
    def broken(cut, pictures):
        found = responses(cut, pictures)[0]
        return [np.where(np.arange(len(found))[:, None] == 1, np.nan, found)]

    crowd = Crowd(drawn(11, 9), [-1] * 9)
    monkeypatch.setattr(module, "responses", broken)
    found = versus(cut, np.arange(3), drawn(12, 3), drawn(13, 3), crowd)
    assert found.verdict[1] == UNCLEAR
    for array in (found.theirs, found.ours, found.alike):
        assert np.isfinite(array).all()
    assert (found.theirs[1], found.alike[1]) == (0, 0)


def test_a_layer_of_few_channels_has_no_verdict(toy_ref):
    first = load(toy_ref).cut("first")
    pictures = drawn(14, 4)
    found = versus(first, np.arange(4), pictures, pictures, Crowd(drawn(15, 8), [-1] * 8))
    assert found.verdict.tolist() == [UNCLEAR] * 4


def test_verdicts_go_by_the_shares_of_the_ranks():
    shares = np.array([0, FIRST, FIRST + 1e-6, BEYOND, BEYOND + 1e-6, 1])
    said = [VERDICTS[place] for place in verdicts(shares, np.zeros(6))]
    assert said == ["same", "same", "unclear", "unclear", "different", "different"]
    said = [VERDICTS[place] for place in verdicts(shares, np.full(6, FIRST + 1e-6))]
    assert said == ["same", "same", "unclear", "unclear", "unclear", "unclear"]


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ([0], "same"),
        ([0, 0, 2], "same"),
        ([0, 2], "unclear"),
        ([0, 0, 1, 2, 2], "unclear"),
        ([2, 2, 2, 1], "different"),
        ([1, 1, 1], "unclear"),
    ],
)
def test_a_layer_is_what_two_thirds_of_its_channels_are(places, said):
    assert layer_verdict(np.array(places, np.int8)) == said
