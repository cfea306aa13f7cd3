"""Objectives: the one number per image that ascends. Never a mean over the batch: that would couple its images."""

from typing import Any

import tensorflow as tf

from atlas.networks.cut import Cut
from atlas.spec.recipe import Channel


def pick(values: Any, channels: Any) -> Any:
    """Each image's own channel: ``(n, h, w)`` from ``values (n, h, w, c)`` and ``channels (n,) int32``."""
    return tf.gather(values, channels, axis=3, batch_dims=1)


def target(objective: Channel, cut: Cut, before: Any) -> Any:
    """What ascends, ``(n,)``, from each image's own channel before the layer's ReLU, ``before (n, h, w)``.

    Of a layer that ends in a ReLU, the mean activation, plus ``leak`` times the mean of what lies below zero. Without a
    leak, an image whose channel is nowhere above zero would have no gradient and stay grey: for that image, and only
    while that is so, the mean before the ReLU ascends instead.
    """
    if not cut.relu or objective.sign < 0:
        return objective.sign * tf.reduce_mean(before, axis=[1, 2])
    active = tf.reduce_mean(cut.activate(before), axis=[1, 2])
    if objective.leak > 0:
        return active + objective.leak * tf.reduce_mean(tf.minimum(before, 0.0), axis=[1, 2])
    alive = tf.reduce_any(before > 0, axis=[1, 2])
    return tf.where(alive, active, tf.reduce_mean(before, axis=[1, 2]))


def score(objective: Channel, cut: Cut, before: Any) -> Any:
    """The objective's number as reported, ``(n,)``: without leak or rescue."""
    if objective.sign < 0:
        return -tf.reduce_mean(before, axis=[1, 2])
    return tf.reduce_mean(cut.activate(before), axis=[1, 2])
