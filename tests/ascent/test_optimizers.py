import numpy as np
import pytest
import tensorflow as tf

from atlas.ascent.optimizers import memories, rates, update, updater
from atlas.spec.slots import Adam, Ascent


def nothing_yet(optimizer, parameters):
    return tuple(tf.zeros_like(parameters) for _ in range(memories(optimizer)))


def test_adam_is_keras_adam():
    import keras

    rng = np.random.default_rng(0)
    theirs = keras.Variable(rng.standard_normal((2, 3)).astype(np.float32))
    keras_adam = keras.optimizers.Adam(0.05, beta_1=0.5, beta_2=0.9, epsilon=1e-8)
    ours = tf.constant(theirs.numpy())
    optimizer = Adam(beta1=0.5)
    state = nothing_yet(optimizer, ours)
    for step in range(5):
        gradient = rng.standard_normal((2, 3)).astype(np.float32)
        keras_adam.apply([-gradient], [theirs])
        ours, state = update(optimizer, ours, tf.constant(gradient), state, tf.constant(step), 0.05)
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-5)


def test_ascent_is_the_gradient_over_its_own_deviation():
    gradient = np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype(np.float32)
    gradient[1] *= 1000
    moved, state = update(Ascent(), tf.zeros_like(gradient), tf.constant(gradient), (), tf.constant(0), 0.05)
    for image in range(2):
        np.testing.assert_allclose(moved[image], 0.05 * gradient[image] / gradient[image].std(), rtol=1e-5)
    assert state == ()


@pytest.mark.parametrize("optimizer", [Adam(), Ascent()])
def test_no_gradient_no_nan(optimizer):
    flat = tf.zeros((1, 4, 4, 3))
    moved, _ = update(optimizer, flat, flat, nothing_yet(optimizer, flat), tf.constant(0), 0.05)
    assert np.isfinite(moved.numpy()).all()


@pytest.mark.parametrize(("over", "size"), [("length", np.linalg.norm), ("mean", lambda g: np.abs(g).mean())])
def test_ascent_by_other_sizes_of_the_gradient(over, size):
    gradient = np.random.default_rng(1).standard_normal((2, 4, 4, 3)).astype(np.float32)
    moved, _ = update(Ascent(over=over), tf.zeros_like(gradient), tf.constant(gradient), (), tf.constant(0), 2.0)
    for image in range(2):
        np.testing.assert_allclose(moved[image], 2 * gradient[image] / size(gradient[image]), rtol=1e-5)


def test_schedules_fall_from_the_full_rate():
    assert (rates(Adam(rate=0.5), 8) == 0.5).all()
    np.testing.assert_allclose(rates(Ascent(rate=0.5, schedule="linear"), 4), [0.5, 0.375, 0.25, 0.125])
    cosine = rates(Adam(rate=1.0, schedule="cosine"), 100)
    assert cosine[0] == 1
    assert cosine[50] == pytest.approx(0.5)
    assert 0 < cosine[-1] < 0.001


def test_kernels_share_a_compiled_update():
    """What XLA compiles it keeps for as long as the process lives, 0.7 MB of it here."""
    adam = Adam(rate=0.0123)  # no other test's
    shared, other = updater(adam, "fast"), updater(Adam(rate=0.1), "fast")
    assert updater(adam, "fast") is shared is not other
    for _ in range(2):
        given = tf.ones((2, 4, 4, 3)), tf.ones((2, 4, 4, 3)), (tf.zeros((2, 4, 4, 3)),) * 2, tf.constant(0)
        moved, _ = updater(adam, "fast")(*given, tf.constant(0.05))
        np.testing.assert_allclose(moved, 1.05, rtol=1e-6)
    assert shared.experimental_get_tracing_count() == 1
