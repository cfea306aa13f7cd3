"""What becomes of a dead or broken job, with a stub in the kernel's place."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.activations import SEEDS
from atlas.ascent.ascend import filled
from atlas.ascent.kernel import Climb, Measured, Steps
from atlas.ascent.render import render
from atlas.engine.batches import batch_size
from atlas.spec.facts import LayerFacts, Work
from atlas.spec.objectives import Channel
from atlas.spec.plan import Group, seed_of
from atlas.spec.recipe import LAST_SEEDS, Recipe

RECIPE = Recipe(size=16, steps=3, through=0.0)  # without a last resort


class Stage:
    """A stage whose scores at the end are given by channel and attempt; it notes every batch."""

    def __init__(self, ends, seeds):
        self.ends, self.seeds, self.batches = ends, seeds, []
        self.picture = SimpleNamespace(size=16, start=self.start)

    def start(self, _, generator):
        return np.array(self.seeds[generator.integers(0, 2**62)], np.float32)

    def begin(self, starts):
        return Climb(starts.copy(), (), (), ())

    def climb(self, channels, at, draws, rates, first):
        given = [(int(channel), int(attempt)) for channel, attempt in at.parameters]
        assert [channel for channel, _ in given] == list(channels)
        self.batches.append(given)
        trace = np.zeros((len(given), len(rates), 4), np.float32)
        trace[:, 1:, 0] = np.array([self.ends[channel][attempt] for channel, attempt in given])[:, None]
        return at, Steps(trace, np.zeros((len(given), 0, 16, 16, 3), np.uint8))

    def paint(self, parameters):
        attempts = parameters[:, 1].astype(np.uint8)
        return np.zeros((len(attempts), 16, 16, 3), np.uint8) + attempts[:, None, None, None]

    def measure(self, channels, pictures):
        made = [(int(channel), int(picture[0, 0, 0])) for channel, picture in zip(channels, pictures, strict=True)]
        self.measured += 1
        second = self.measured % 3 == 2  # the start, the picture, plain grey
        score = np.array([self.ends[channel][attempt] if second else 0.0 for channel, attempt in made], np.float32)
        return Measured(score, score, np.zeros((len(made), 2, 2), np.float32))

    measured = 0


class Stub:
    """A kernel of one such stage."""

    smallest_batch = 2
    frame_every = 0

    def __init__(self, ends, function="relu", recipe=RECIPE, last_resort=None):
        self.recipe, self.cut = recipe, SimpleNamespace(layer="l", main=SimpleNamespace(function=function))
        self.last_resort = last_resort
        seeds = {}
        for channel in ends:
            for attempt in range(1 + SEEDS + LAST_SEEDS):
                generator = np.random.Generator(np.random.Philox(seed_of(recipe, "l", channel, attempt)))
                seeds[generator.integers(0, 2**62)] = (channel, attempt)
        self.stages = [Stage(ends, seeds)]

    @property
    def batches(self):
        return self.stages[0].batches


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
    assert SEEDS == 3
    assert one.record()["attempts"] == 4
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


@pytest.mark.parametrize("function", ["silu", "gelu", "sigmoid", "softmax"])
def test_behind_every_activation_function_a_channel_can_be_dead(function):
    ends = [-4.0, -1.0, -3.0, 2.0]
    [one] = render(Stub({1: ends}, function), [1])
    assert (one.state, one.attempt) == ("activated", 3)
    [one] = render(Stub({1: [*ends[:3], -2.0]}, function), [1])
    assert (one.state, one.attempt) == ("dead", 1)


def test_without_an_activation_function_a_channel_is_raised_or_not():
    [one] = render(Stub({1: [-4.0, 0.5]}, ""), [1])
    assert (one.state, one.attempt) == ("raised", 1)
    [one] = render(Stub({1: [-4.0, -1.0, -3.0, -2.0]}, ""), [1])
    assert (one.state, one.attempt) == ("unraised", 1)


def test_what_no_seed_raises_is_tried_by_the_last_resort_alone():
    recipe = RECIPE.model_copy(update={"through": 0.05})
    last = Stub({1: [0.0] * 5 + [3.0], 2: [0.0] * 4 + [7.0]}, recipe=recipe)
    kernel = Stub({0: [1.0], 1: [0.0] * 4, 2: [0.0] * 4}, recipe=recipe, last_resort=last)
    found = render(kernel, [0, 1, 2])
    assert [(one.state, one.attempt) for one in found] == [("activated", 0), ("activated", 5), ("activated", 4)]
    assert kernel.batches == [[(0, 0), (1, 0), (2, 0), (2, 0)]] + [[(1, n), (2, n)] for n in (1, 2, 3)]
    assert last.batches == [[(1, 4), (2, 4)], [(1, 5), (1, 5)]]
    assert found[1].record()["attempts"] == 1 + SEEDS + LAST_SEEDS


def test_the_negative_of_a_channel_need_not_be_above_zero():
    recipe = RECIPE.model_copy(update={"objective": Channel(weight=-1)})
    kernel = Stub({1: [0.5]}, recipe=recipe)
    [one] = render(kernel, [1])
    assert one.state == "made"


@given(
    size=st.sampled_from([32, 128, 160, 224]),
    smallest=st.sampled_from([1, 2, 8]),
    repeats=st.integers(1, 16),
    gpu=st.booleans(),
)
def test_a_full_batch_of_a_build_is_not_filled_up(size, smallest, repeats, gpu):
    recipe = Recipe(size=size, repeats=repeats)
    layer = LayerFacts("l", 1000, 3, 1, "conv", True, "relu", Work(1.0))
    count = batch_size(Group(layer, "main", recipe, "", (), smallest_batch=smallest), "auto", gpu)
    kernel = SimpleNamespace(recipe=recipe, smallest_batch=smallest)
    assert len(filled(kernel, count * repeats)) == count * repeats
