import numpy as np
import pytest
import tensorflow as tf

from atlas.ascent.optimizers import state_of, update
from atlas.spec.recipe import Adam, Ascent


def test_adam_is_keras_adam():
    import keras

    rng = np.random.default_rng(0)
    theirs = keras.Variable(rng.standard_normal((2, 3)).astype(np.float32))
    keras_adam = keras.optimizers.Adam(0.05, beta_1=0.5, beta_2=0.9, epsilon=1e-8)
    ours = tf.constant(theirs.numpy())
    optimizer = Adam()
    state = state_of(optimizer, ours)
    for step in range(5):
        gradient = rng.standard_normal((2, 3)).astype(np.float32)
        keras_adam.apply([-gradient], [theirs])
        ours, state = update(optimizer, ours, tf.constant(gradient), state, tf.constant(step))
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-5)


def test_ascent_is_the_gradient_over_its_own_deviation():
    gradient = np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype(np.float32)
    gradient[1] *= 1000
    moved, state = update(Ascent(rate=0.05), tf.zeros_like(gradient), tf.constant(gradient), (), tf.constant(0))
    for image in range(2):
        np.testing.assert_allclose(moved[image], 0.05 * gradient[image] / gradient[image].std(), rtol=1e-5)
    assert state == ()


@pytest.mark.parametrize("optimizer", [Adam(), Ascent()])
def test_no_gradient_no_nan(optimizer):
    flat = tf.zeros((1, 4, 4, 3))
    moved, _ = update(optimizer, flat, flat, state_of(optimizer, flat), tf.constant(0))
    assert np.isfinite(moved.numpy()).all()
