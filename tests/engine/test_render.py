"""What becomes of a dead or broken job, with a stub in the kernel's place."""

from types import SimpleNamespace

import numpy as np
import pytest

from atlas.ascent.kernel import Climb, Measured, Steps
from atlas.ascent.render import render
from atlas.spec.objectives import Channel
from atlas.spec.plan import ATTEMPTS, seed_of
from atlas.spec.recipe import Recipe

RECIPE = Recipe(size=16, steps=3)


class Stage:
    """A stage whose scores at the end are given by channel and attempt; it notes every batch."""

    def __init__(self, ends, seeds):
        self.ends, self.seeds, self.batches = ends, seeds, []
        self.picture = SimpleNamespace(size=16, start=self.start)

    def start(self, _, generator):
        return np.array(self.seeds[generator.integers(0, 2**62)], np.float32)

    def begin(self, starts):
        return Climb(starts.copy(), (), ())

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

    def __init__(self, ends, relu=True, recipe=RECIPE):
        self.recipe, self.cut = recipe, SimpleNamespace(layer="l", main=SimpleNamespace(relu=relu))
        seeds = {}
        for channel in ends:
            for attempt in range(ATTEMPTS + 2):
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
    recipe = RECIPE.model_copy(update={"objective": Channel(weight=-1)})
    kernel = Stub({1: [0.5]}, recipe=recipe)
    [one] = render(kernel, [1])
    assert one.state == "activated"
