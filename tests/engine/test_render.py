"""What becomes of a dead or broken job, with a stub in the kernel's place."""

from types import SimpleNamespace

import numpy as np
import pytest

from atlas.ascent.kernel import Ascended
from atlas.ascent.render import render
from atlas.spec.plan import ATTEMPTS, seed_of
from atlas.spec.recipe import Channel, Recipe

RECIPE = Recipe(size=16, steps=3)


class Stub:
    """A kernel whose scores at the end are given by channel and attempt; it notes every batch."""

    smallest_batch = 2

    def __init__(self, ends, relu=True, recipe=RECIPE):
        self.ends, self.recipe, self.cut = ends, recipe, SimpleNamespace(layer="l", relu=relu)
        self.seeds, self.batches = {}, []
        for channel in ends:
            for attempt in range(ATTEMPTS + 2):
                self.seeds[seed_of(recipe, "l", channel, attempt)] = (channel, attempt)

    def draw(self, seed):
        return np.array(self.seeds[seed], np.float32), np.zeros((3, 8), np.float32)

    def __call__(self, channels, starts, maps):
        given = [(int(channel), int(attempt)) for channel, attempt in starts]
        assert [channel for channel, _ in given] == list(channels)
        self.batches.append(given)
        ends = np.array([self.ends[channel][attempt] for channel, attempt in given], np.float32)
        zero = np.zeros(len(given), np.float32)
        pictures = (
            np.zeros((len(given), 16, 16, 3), np.uint8) + np.array([a for _, a in given], np.uint8)[:, None, None, None]
        )
        trace = np.stack([zero, ends, ends], 1)
        none = np.zeros((len(given), 0, 16, 16, 3), np.uint8)
        return Ascended(pictures, trace, zero, ends, zero, zero, zero, ends, none)


def test_an_activated_channel_is_made_once():
    kernel = Stub({4: [1.0]})
    [one] = render(kernel, [4])
    assert (one.channel, one.state, one.attempt, one.score["end"]) == (4, "activated", 0, 1.0)
    assert one.seed == seed_of(RECIPE, "l", 4, 0)
    assert kernel.batches == [[(4, 0), (4, 0)]]


def test_only_the_dead_are_tried_again_with_another_seed_and_the_attempt_is_noted():
    kernel = Stub({0: [1.0], 1: [0.0, 0.0, 2.0], 2: [3.0]})
    found = render(kernel, [2, 1, 0])
    assert [(one.channel, one.state, one.attempt) for one in found] == [
        (2, "activated", 0),
        (1, "activated", 2),
        (0, "activated", 0),
    ]
    assert kernel.batches == [[(2, 0), (1, 0), (0, 0), (0, 0)], [(1, 1), (1, 1)], [(1, 2), (1, 2)]]
    assert found[1].seed == seed_of(RECIPE, "l", 1, 2) != seed_of(RECIPE, "l", 1, 0)
    assert (found[1].picture == 2).all()
    assert found[1].record()["attempt"] == 2


def test_three_more_attempts_and_the_best_stays():
    kernel = Stub({1: [-4.0, -1.0, -3.0, -2.0, 9.0]})
    [one] = render(kernel, [1])
    assert ATTEMPTS == 3
    assert len(kernel.batches) == 1 + 3
    assert (one.state, one.attempt, one.score["end"]) == ("dead", 1, -1.0)


def test_not_finite_is_tried_again_and_worse_than_dead():
    [cured] = render(Stub({1: [np.nan, np.inf, 5.0]}), [1])
    assert (cured.state, cured.attempt) == ("activated", 2)
    [dead] = render(Stub({1: [np.nan, -1.0, np.nan, -2.0]}), [1])
    assert (dead.state, dead.attempt) == ("dead", 1)
    [broken] = render(Stub({1: [np.nan] * 4}), [1])
    assert broken.state == "failed"


@pytest.mark.parametrize(("count", "size"), [(1, 2), (2, 2), (3, 4), (5, 8), (8, 8), (9, 16)])
def test_a_batch_is_filled_up_to_a_power_of_two(count, size):
    kernel = Stub({channel: [1.0] for channel in range(count)})
    assert len(render(kernel, range(count))) == count
    assert len(kernel.batches[0]) == size


def test_a_layer_without_relu_cannot_be_dead():
    [one] = render(Stub({1: [-4.0]}, relu=False), [1])
    assert (one.state, one.attempt) == ("activated", 0)


def test_the_negative_of_a_channel_need_not_be_above_zero():
    recipe = RECIPE.model_copy(update={"objective": Channel(sign=-1)})
    kernel = Stub({1: [0.5]}, recipe=recipe)
    [one] = render(kernel, [1])
    assert one.state == "activated"
