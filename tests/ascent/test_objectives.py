import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from atlas.ascent import objectives
from atlas.spec.recipe import Channel


@pytest.fixture
def cuts(toy_network):
    relu = toy_network.cut("both")
    return relu, dataclasses.replace(relu, relu=False)


VALUES = np.array([[[-2.0, 1.0], [3.0, -4.0]], [[-1.0, -2.0], [-3.0, -6.0]]], np.float32)  # the second is dead


def gradient(objective, cut):
    before = tf.constant(VALUES)
    with tf.GradientTape() as tape:
        tape.watch(before)
        value = objectives.target(objective, cut, before)
    return value.numpy(), tape.gradient(value, before).numpy()


def test_each_image_gets_its_own_channel():
    values = np.random.default_rng(0).random((3, 2, 2, 5), np.float32)
    picked = objectives.pick(tf.constant(values), tf.constant([4, 0, 2])).numpy()
    np.testing.assert_array_equal(picked, np.stack([values[0, ..., 4], values[1, ..., 0], values[2, ..., 2]]))


def test_without_leak_the_mean_activation_ascends_and_a_dead_image_is_rescued(cuts):
    value, slope = gradient(Channel(leak=0.0), cuts[0])
    np.testing.assert_allclose(value, [1.0, -3.0])
    np.testing.assert_allclose(slope[0], [[0, 0.25], [0.25, 0]])
    np.testing.assert_allclose(slope[1], 0.25)


def test_a_leak_weighs_what_lies_below_zero(cuts):
    value, slope = gradient(Channel(leak=0.1), cuts[0])
    np.testing.assert_allclose(value, [1.0 + 0.1 * -1.5, 0.1 * -3.0], rtol=1e-6)
    np.testing.assert_allclose(slope[0], [[0.025, 0.25], [0.25, 0.025]])
    np.testing.assert_allclose(slope[1], 0.025)


def test_the_negative_lowers_the_value_before_the_relu(cuts):
    value, slope = gradient(Channel(sign=-1), cuts[0])
    np.testing.assert_allclose(value, [0.5, 3.0])
    np.testing.assert_allclose(slope, -0.25)


def test_a_layer_without_relu_is_its_plain_mean(cuts):
    value, _ = gradient(Channel(), cuts[1])
    np.testing.assert_allclose(value, [-0.5, -3.0])


def test_the_score_is_the_mean_activation_without_leak_or_rescue(cuts):
    before = tf.constant(VALUES)
    np.testing.assert_allclose(objectives.score(Channel(), cuts[0], before), [1.0, 0.0])
    np.testing.assert_allclose(objectives.score(Channel(sign=-1), cuts[0], before), [0.5, 3.0])
    np.testing.assert_allclose(objectives.score(Channel(), cuts[1], before), [-0.5, -3.0])
