"""Objectives as numbers: each term against numpy, and the algebra of sums and weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from atlas.ascent.objectives import look, unlikeness
from atlas.errors import AtlasError
from atlas.networks.cut import Cut, Sight
from atlas.networks.graph import INPUT, Graph
from atlas.spec.facts import Preprocessing
from atlas.spec.objectives import Caricature, Channel, Class, Direction, Diversity, Layer, Neuron

VALUES = np.random.default_rng(0).normal(0, 2, (4, 6, 5, 3)).astype(np.float32)
VALUES[1, ..., 0] = -np.abs(VALUES[1, ..., 0])  # a dead channel
CHANNELS = np.array([0, 0, 2, 1], np.int32)
RELU = np.maximum(VALUES, 0)
AIM = np.random.default_rng(1).normal(0, 2, VALUES.shape).astype(np.float32)
OWN = np.stack([VALUES[image, ..., channel] for image, channel in enumerate(CHANNELS)])


def looked(terms, values=VALUES, function="relu", repeats=1, aim=AIM):
    """The terms on a network that hands its input over: target, score, field, and the gradient by the input."""
    graph = Graph((), (None, None, 3))
    activate = keras.activations.get(function) if function else lambda values: values
    sight = Sight("layer", 3, function, INPUT, INPUT, activate)
    cut = Cut((sight,), Preprocessing("rgb", (1.0, 1.0, 1.0)), graph, classes=sight)
    given = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(given)
        photos = {"photo": cut.see(tf.constant(aim[: len(values)]))}
        found = look(tuple(terms), cut, cut.see(given), tf.constant(CHANNELS[: len(values)]), repeats, photos)
    return found.target.numpy(), found.score.numpy(), found.field.numpy(), tape.gradient(found.target, given).numpy()


def test_each_image_has_its_own_channel():
    target, score, field, slope = looked([Channel(leak=0.0)])
    np.testing.assert_allclose(score, np.maximum(OWN, 0).mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(field, np.maximum(OWN, 0))
    for image, channel in enumerate(CHANNELS):
        assert not np.delete(slope[image], channel, axis=-1).any()
    alive = [0, 2, 3]
    np.testing.assert_allclose(target[alive], score[alive])
    np.testing.assert_allclose(slope[0, ..., 0], (VALUES[0, ..., 0] > 0) / 30, rtol=1e-5)


def test_without_a_leak_a_dead_image_is_rescued_and_no_other():
    target, score, _, slope = looked([Channel(leak=0.0)])
    assert score[1] == 0
    assert target[1] == pytest.approx(VALUES[1, ..., 0].mean(), rel=1e-5)
    np.testing.assert_allclose(slope[1, ..., 0], 1 / 30, rtol=1e-5)


def test_a_leak_weighs_what_lies_below_zero():
    target, score, _, slope = looked([Channel(leak=0.1)])
    np.testing.assert_allclose(target, score + 0.1 * np.minimum(OWN, 0).mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(slope[0, ..., 0], np.where(VALUES[0, ..., 0] > 0, 1, 0.1) / 30, rtol=1e-5)


@pytest.mark.parametrize("function", ["silu", "gelu", "hard_silu", "mish", "elu", "selu", "softplus", "leaky_relu"])
@pytest.mark.parametrize("leak", [0.0, 0.1])
def test_what_is_like_a_relu_ascends_as_behind_a_relu(function, leak):
    target, score, field, slope = looked([Channel(leak=leak)], function=function)
    of_relu = looked([Channel(leak=leak)])
    for found, same in zip((target, score, slope), (of_relu[0], of_relu[1], of_relu[3]), strict=True):
        np.testing.assert_allclose(found, same)
    np.testing.assert_allclose(field, getattr(keras.activations, function)(OWN), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("function", ["sigmoid", "tanh", "hard_sigmoid", "softsign"])
def test_what_is_flat_at_both_ends_is_raised_by_its_pre_activation(function):
    target, score, field, slope = looked([Channel()], function=function)
    np.testing.assert_allclose(score, OWN.mean(axis=(1, 2)), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(target, score)
    np.testing.assert_allclose(slope.sum(axis=-1), 1 / 30, rtol=1e-5)
    np.testing.assert_allclose(field, getattr(keras.activations, function)(OWN), rtol=1e-5, atol=1e-6)


def test_a_softmax_is_raised_by_the_logarithm_of_the_channel_s_own_output():
    target, score, field, _ = looked([Channel()], function="softmax")
    shares = np.exp(VALUES) / np.exp(VALUES).sum(axis=-1, keepdims=True)
    own = np.stack([shares[image, ..., channel] for image, channel in enumerate(CHANNELS)])
    np.testing.assert_allclose(field, own, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(score, np.log(own).mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(target, score)


def test_a_leak_of_one_raises_the_mean_before_the_relu():
    target, _, _, slope = looked([Channel(leak=1.0)])
    np.testing.assert_allclose(target, OWN.mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(slope.sum(axis=-1), 1 / 30, rtol=1e-5)


def test_a_border_is_cut_off():
    _, score, field, slope = looked([Channel(border=1, leak=0.0)])
    np.testing.assert_allclose(score, np.maximum(OWN, 0)[:, 1:-1, 1:-1].mean(axis=(1, 2)), rtol=1e-5)
    assert field.shape == (4, 6, 5)  # the map is shown whole
    assert not slope[:, 0].any()
    with pytest.raises(AtlasError, match="a border that leaves something of its 6 by 5 positions, received 3"):
        looked([Channel(border=3)])


def test_a_channel_by_its_number():
    _, score, _, _ = looked([Channel(channel=2)])
    np.testing.assert_allclose(score, RELU[..., 2].mean(axis=(1, 2)), rtol=1e-5)
    with pytest.raises(AtlasError, match="a channel from 0 to 2, received 3"):
        looked([Channel(channel=3)])


def test_a_neuron_is_one_position():
    _, score, field, slope = looked([Neuron(at=(1, 4), leak=0.0)])
    np.testing.assert_allclose(score, np.maximum(OWN, 0)[:, 1, 4])
    assert field.shape == (4, 6, 5)
    assert (np.abs(slope) > 0).sum() <= 4
    np.testing.assert_allclose(looked([Neuron()])[1], np.maximum(OWN, 0)[:, 3, 2])
    with pytest.raises(AtlasError, match=r"within its 6 by 5 positions, received \[6, 0\]"):
        looked([Neuron(at=(6, 0))])


def test_a_layer_is_its_mean_square():
    _, score, field, slope = looked([Layer()])
    np.testing.assert_allclose(score, np.square(RELU).mean(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(field, RELU.mean(axis=3), rtol=1e-5)
    np.testing.assert_allclose(slope, 2 * RELU / 90, rtol=1e-5)
    _, bordered, _, _ = looked([Layer(border=1)])
    np.testing.assert_allclose(bordered, np.square(RELU[:, 1:-1, 1:-1]).mean(axis=(1, 2, 3)), rtol=1e-5)


def test_a_direction_is_taken_at_unit_length():
    expected = (RELU @ np.array([0.6, 0, -0.8])).mean(axis=(1, 2))
    for vector in ((3.0, 0.0, -4.0), ((0, 3.0), (2, -4.0))):
        np.testing.assert_allclose(looked([Direction(vector=vector)])[1], expected, rtol=1e-4, atol=1e-6)
    for vector, said in (((1.0, 2.0), "3 numbers"), (((3, 1.0),), "channels 0 to 2")):
        with pytest.raises(AtlasError, match=said):
            looked([Direction(vector=vector)])


def test_a_class_is_its_logit():
    values = VALUES[:, :1, :1]
    _, score, _, _ = looked([Class(index=2)], values)
    np.testing.assert_allclose(score, values[:, 0, 0, 2])
    with pytest.raises(AtlasError, match="a class from 0 to 2, received 3"):
        looked([Class(index=3)], values)


def along(values, aim, power):
    """The formula of a caricature for one image, position by position."""
    both = own = aimed = 0.0
    for value, wanted in zip(values.ravel().tolist(), aim.ravel().tolist(), strict=True):
        both, own, aimed = both + value * wanted, own + value**2, aimed + wanted**2
    return both / aimed * max(both / (own * aimed) ** 0.5, 0.1) ** power


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_a_caricature_goes_along_the_photo_s_activations(power):
    term = Caricature(photo="photo", power=power, leak=0.3)
    target, score, field, _ = looked([term])
    aim, leaky = np.maximum(AIM, 0), np.where(VALUES > 0, VALUES, 0.3 * VALUES)
    np.testing.assert_allclose(score, [along(RELU[image], aim[image], power) for image in range(4)], rtol=1e-4)
    np.testing.assert_allclose(target, [along(leaky[image], aim[image], power) for image in range(4)], rtol=1e-4)
    np.testing.assert_allclose(field.mean(axis=(1, 2)), [along(RELU[i], aim[i], 0) for i in range(4)], rtol=1e-4)
    plain, same, _, _ = looked([term], function="")
    np.testing.assert_array_equal(plain, same)
    np.testing.assert_allclose(plain, [along(VALUES[i], AIM[i], power) for i in range(4)], rtol=1e-3, atol=1e-6)
    for times in (1.0, 3.0):  # the photo itself, and three times as strong
        np.testing.assert_allclose(looked([term], times * AIM, function="")[1], times, rtol=1e-5)
    np.testing.assert_allclose(looked([term], -AIM, function="")[1], -(0.1**power), rtol=1e-5)
    assert not looked([term], aim=-np.abs(AIM))[1].any()  # a photo at which the whole layer is silent


def test_a_caricature_s_gradient_is_its_score_s_slope():
    """Against differences of the formula, without a leak for a whole layer, on few numbers that are above zero."""
    values, aim = np.abs(VALUES[:2, :2, :1]), np.abs(AIM[:2, :2, :1])
    slope = looked([Caricature(photo="photo", power=1.5)], values, aim=aim)[3]
    for place in np.ndindex(values.shape):
        step = np.zeros(values.shape)
        step[place] = 1e-4
        more, less = (along(moved[place[0]], aim[place[0]], 1.5) for moved in (values + step, values - step))
        assert slope[place] == pytest.approx((more - less) / 2e-4, rel=1e-2, abs=1e-5)


def test_a_caricature_needs_a_photo():
    with pytest.raises(AtlasError, match="layer: objective caricature: expected the path of a photo"):
        looked([Caricature()])


@pytest.mark.parametrize("function", ["", "relu", "silu", "sigmoid"])
def test_the_negative_lowers_the_pre_activation(function):
    target, score, _, slope = looked([Channel(weight=-1)], function=function)
    np.testing.assert_allclose(target, -OWN.mean(axis=(1, 2)), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(score, target)
    np.testing.assert_allclose(slope.sum(axis=-1), -1 / 30, rtol=1e-5)


TERMS = [
    Channel(),
    Channel(channel=1, leak=0.0),
    Neuron(),
    Layer(),
    Direction(vector=(1.0, 2.0, 3.0)),
    Caricature(photo="photo"),
    Diversity(),
]


@pytest.mark.parametrize("one", TERMS, ids=lambda term: term.name)
@pytest.mark.parametrize("other", TERMS, ids=lambda term: term.name)
@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (2.5, 0.3)])
def test_a_sum_is_the_weighted_sum_of_its_terms(one, other, a, b):
    if one.name == other.name == "diversity":
        return  # refused: there would be nothing to hold it against
    first, second = (looked([term, Channel()], repeats=2) for term in (one, other))
    plain = looked([Channel()], repeats=2)
    weighted = [one.model_copy(update={"weight": a}), other.model_copy(update={"weight": b})]
    together = looked([*weighted, Channel()], repeats=2)
    for which in (0, 1, 3):  # target, score, gradient
        alone = [found[which] - plain[which] for found in (first, second)]
        np.testing.assert_allclose(
            together[which] - plain[which], a * alone[0] + b * alone[1], rtol=1e-3, atol=2e-5 * max(a, b)
        )


@pytest.mark.parametrize("term", [*TERMS[3:6], Class(index=1)], ids=lambda t: t.name)
def test_a_weight_below_zero_is_the_negative(term):
    values = VALUES[:, :1, :1]
    plain = looked([term], values)
    negative = looked([term.model_copy(update={"weight": -2.0})], values)
    for which in (0, 1, 3):
        np.testing.assert_allclose(negative[which], -2 * plain[which], rtol=1e-5)


def test_unlikeness_is_minus_the_mean_cosine_of_gram_matrices():
    flat = RELU.reshape(2, 2, 30, 3)
    gram = np.einsum("jrpa,jrpb->jrab", flat, flat).reshape(2, 2, 9)
    cosine = (gram[:, 0] * gram[:, 1]).sum(1) / np.linalg.norm(gram[:, 0], axis=1) / np.linalg.norm(gram[:, 1], axis=1)
    found = unlikeness(tf.constant(RELU), 2).numpy()
    np.testing.assert_allclose(found, -np.repeat(cosine, 2), rtol=1e-4)
    alike = unlikeness(tf.constant(np.repeat(RELU[:1], 3, axis=0)), 3).numpy()
    np.testing.assert_allclose(alike, -1, rtol=1e-4)


def test_only_the_pictures_of_one_job_look_at_each_other():
    terms = [Channel(), Diversity(weight=5.0)]
    before = looked(terms, repeats=2)[0]
    changed = VALUES.copy()
    changed[2] += 1
    after = looked(terms, changed, repeats=2)[0]
    np.testing.assert_array_equal(before[:2], after[:2])
    assert (before[2:] != after[2:]).all()
