"""Objectives: the one number per image that ascends. Never a mean over the batch: that would couple its images.

Only the pictures of one job, where diversity is asked for, look at each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import tensorflow as tf

from atlas.activations import raised_by
from atlas.ascent.parameterization import LANES
from atlas.errors import AtlasError
from atlas.networks.cut import Cut, Sight, channel, whole
from atlas.networks.seen import Seen
from atlas.spec.objectives import NO_PHOTO, Caricature, Channel, Class, Direction, Diversity, Layer, Neuron, Objective

# Below this cosine a caricature ascends by strength alone, as in tensorflow/lucid, recipes/caricature.py.
LEAST_COSINE = 0.1
NO_PHOTOS: Mapping[str, Seen] = MappingProxyType({})


@dataclass(frozen=True)
class Looked:
    """What the terms make of a batch of n.

    ``target (n,)`` is what ascends, ``score (n,)`` the objective's number as reported, without leaks or rescues;
    ``field (n, h, w)`` is where the first term looks: the activations of its channel, or what it has in their place.
    """

    target: Any
    score: Any
    field: Any


def look(
    terms: tuple[Objective, ...],
    cut: Cut,
    seen: Seen,
    channels: Any,
    repeats: int = 1,
    photos: Mapping[str, Seen] = NO_PHOTOS,
) -> Looked:
    """The weighted sum of ``terms`` for what the network sees, each image with its own of ``channels (n,) int32``.

    With ``repeats`` r the images of one job lie next to each other, r of them, and may be held against each other.
    ``photos`` are what the network makes of the photos that terms name, by path: n of each, one beside each image,
    under that image's transforms. Raises AtlasError when a term does not fit its layer, or has no photo.
    """
    found = [_of_term(term, cut, seen, channels, repeats, photos) for term in terms]
    return Looked(
        target=tf.add_n([term.weight * one.target for term, one in zip(terms, found, strict=True)]),
        score=tf.add_n([term.weight * one.score for term, one in zip(terms, found, strict=True)]),
        field=next(one.field for term, one in zip(terms, found, strict=True) if not isinstance(term, Diversity)),
    )


def _of_term(term: Objective, cut: Cut, seen: Seen, channels: Any, repeats: int, photos: Mapping[str, Seen]) -> Looked:
    sight = cut.classes if isinstance(term, Class) else cut.sight(term.layer)
    if sight is None:
        raise AtlasError(f"{cut.layer}: objective class: expected a network with its classifier, received one without")
    match term:
        case Channel() | Neuron():
            own = channels if term.channel is None else tf.fill(tf.shape(channels), term.channel)
            if term.channel is not None and term.channel >= sight.channels:
                raise _misfit(sight, f"a channel from 0 to {sight.channels - 1}", str(term.channel))
            if raised_by(sight.function) == "log":
                logarithms = tf.nn.log_softmax(whole(seen, sight))
                return _raised(term, sight, tf.gather(logarithms, own, axis=3, batch_dims=1))
            return _raised(term, sight, channel(seen, sight, own))
        case Layer():
            values = within(sight.activate(whole(seen, sight)), term.border, sight)  # (n, h, w, c)
            squares = tf.reduce_mean(tf.square(values), axis=[1, 2, 3])
            return Looked(squares, squares, tf.reduce_mean(values, axis=3))
        case Direction():
            try:
                along = tf.constant(term.along(sight.channels), tf.float32)
            except ValueError as error:
                raise AtlasError(f"{sight.layer}: objective direction: {error}") from error
            field = tf.reduce_sum(within(sight.activate(whole(seen, sight)), term.border, sight) * along, axis=3)
            mean = tf.reduce_mean(field, axis=[1, 2])
            return Looked(mean, mean, field)
        case Class():
            logits = whole(seen, sight)
            if term.index >= sight.channels:
                raise _misfit(sight, f"a class from 0 to {sight.channels - 1}", str(term.index))
            logit = logits[..., term.index]  # (n, 1, 1)
            return Looked(logit[:, 0, 0], logit[:, 0, 0], logit)
        case Diversity():
            unlike = unlikeness(sight.activate(whole(seen, sight)), repeats)
            return Looked(unlike, unlike, unlike[:, None, None])
        case Caricature():
            if term.photo is None:
                raise AtlasError(f"{sight.layer}: objective caricature: {NO_PHOTO}")
            aim = sight.activate(whole(photos[term.photo], sight))  # (n, h, w, c)
            return _caricature(term, sight, whole(seen, sight), aim)


def _raised(term: Channel | Neuron, sight: Sight, before: Any) -> Looked:
    """A channel or neuron of it from its pre-activation ``(n, h, w)``, of a softmax from the logarithm of its output.

    Behind a ReLU, and whatever is like it, the mean of the positive part ascends, plus ``leak`` times the mean of what
    lies below zero. Without a leak, an image whose channel is nowhere above zero would have no gradient and stay grey:
    for that image, and only while that is so, the mean pre-activation ascends instead. With a weight below zero the
    mean pre-activation is what is lowered. See ``activations.raised_by``.
    """
    number, field = raised_by(sight.function), before
    if term.weight > 0:
        field = tf.exp(before) if number == "log" else sight.activate_channel(before)
    before = within(before, term.border, sight) if isinstance(term, Channel) else _position(before, term, sight)
    plain = tf.reduce_mean(before, axis=[1, 2])
    if number != "positive" or term.weight < 0:
        return Looked(plain, plain, field)
    positive = sight.activate(before) if sight.function == "relu" else tf.nn.relu(before)  # a ReLU may have a ceiling
    active = tf.reduce_mean(positive, axis=[1, 2])
    if term.leak > 0:
        target = active + term.leak * tf.reduce_mean(tf.minimum(before, 0.0), axis=[1, 2])
    else:
        target = tf.where(tf.reduce_any(before > 0, axis=[1, 2]), active, plain)
    return Looked(target, active, field)


def _caricature(term: Caricature, sight: Sight, before: Any, aim: Any) -> Looked:
    """A caricature from a layer's pre-activation and from the photo's activations, both ``(n, h, w, c)``.

    Behind a ReLU, and whatever is like it, what ascends has ``leak`` times the values below zero, as in a channel.
    """
    active = sight.activate(before)
    score, field = along(active, aim, term.power)
    if raised_by(sight.function) != "positive" or term.leak == 0:
        return Looked(score, score, field)
    target, _ = along(active + term.leak * tf.minimum(before, 0.0), aim, term.power)
    return Looked(target, score, field)


def along(values: Any, aim: Any, power: float) -> tuple[Any, Any]:
    """How far ``values (n, h, w, c)`` go along ``aim``, of the same shape: score ``(n,)`` and its map ``(n, h, w)``.

    The score is the length of ``values`` along ``aim``, counted in lengths of ``aim``, times the cosine between the two
    to that ``power``, in which a cosine counts LEAST_COSINE at least. So it is 1 for ``aim`` itself, and s for s times
    it. The mean of the map is the score without the cosine. After tensorflow/lucid, recipes/caricature.py, whose score
    is the bare product of the two, and whose cosine is over the length of ``values`` alone.
    """
    products = (values * aim, tf.square(values), tf.square(aim))
    both, own, aimed = (_lanes(tf.reduce_mean(product, axis=[1, 2, 3])) for product in products)  # (n, LANES) each
    cosine = both / (tf.sqrt(own + 1e-12) * tf.sqrt(aimed + 1e-12))
    share = 1 / (aimed + 1e-12)
    score = both * share * tf.pow(tf.maximum(cosine, LEAST_COSINE), power)
    return score[:, 0], tf.reduce_mean(products[0], axis=3) * share[:, :1, None]


def _lanes(numbers: Any) -> Any:
    """One number for each image ``(n,)`` as ``(n, LANES)``: no lone roots and divisions, see parameterization."""
    return tf.broadcast_to(numbers[:, None], [tf.shape(numbers)[0], LANES])


def _position(before: Any, term: Neuron, sight: Sight) -> Any:
    """One position of ``(n, h, w)``, as ``(n, 1, 1)``."""
    height, width = before.shape[1:3]
    y, x = (height // 2, width // 2) if term.at == "centre" else term.at
    if y >= height or x >= width:
        raise _misfit(sight, f"a neuron within its {height} by {width} positions", f"[{y}, {x}]")
    return before[:, y : y + 1, x : x + 1]


def within(values: Any, border: int, sight: Sight) -> Any:
    """Values ``(n, h, w, ...)`` without ``border`` positions on every side."""
    height, width = values.shape[1:3]
    if 2 * border >= min(height, width):
        raise _misfit(sight, f"a border that leaves something of its {height} by {width} positions", str(border))
    return values[:, border : height - border, border : width - border] if border else values


def unlikeness(values: Any, repeats: int) -> Any:
    """Minus the mean cosine of each image's channel correlations with those of its job's others, ``(n,)``.

    ``values (n, h, w, c)`` with the images of a job next to each other. After Olah et al. 2017, "diversity".
    """
    channels = values.shape[3]
    flat = tf.reshape(values, [tf.shape(values)[0], -1, channels])  # (n, h w, c)
    gram = tf.reshape(tf.matmul(flat, flat, transpose_a=True), [-1, repeats, channels * channels])
    power = tf.reduce_sum(tf.square(gram), axis=2, keepdims=True)  # (jobs, repeats, 1)
    unit = gram / tf.sqrt(tf.broadcast_to(power, tf.shape(gram)) + 1e-12)
    alike = tf.matmul(unit, unit, transpose_b=True)  # (jobs, repeats, repeats)
    others = (tf.reduce_sum(alike, axis=2) - tf.linalg.diag_part(alike)) / (repeats - 1)
    return tf.reshape(-others, [-1])


def _misfit(sight: Sight, expected: str, received: str) -> AtlasError:
    return AtlasError(f"{sight.layer}: objective: expected {expected}, received {received}")
