"""What a network calls pictures, and which classes a channel stands for: what raising it does to the logits.

A class's *logit* is its number before the softmax or the sigmoid. How a channel raises a class is the derivative of the
class's logit along the direction in which that channel of the layer grows by the same at every position and nothing
else does, at the activations of one picture: in logits per unit of the channel's mean activation. All classes at once
come out of one derivative in forward mode, by the double backward pass of Townsend 2017,
https://j-towns.github.io/2017/06/12/A-new-trick.html, of which TensorFlow runs only what depends on the direction.

A network of ReLUs and max-pools is linear only in pieces, and the derivative is that of the piece the picture lies in:
it says what a small raise does on this picture, not what a large one or another picture would.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.errors import NetworkError
from atlas.networks.compiled import compiled

if TYPE_CHECKING:
    from atlas.networks.load import Network

VERSION = 1  # of what is computed here, for the keys of what is kept
TOP = 5  # classes told of each picture
TOGETHER = 8  # pictures that go through the network at once
RESIZING = {"ResizeBilinear", "ResizeBicubic", "ResizeNearestNeighbor", "ScaleAndTranslate"}  # operations of TensorFlow


@dataclass(frozen=True)
class Named:
    """What a network calls n pictures: of each its k likeliest classes, the likeliest first.

    ``classes (n, k) int32`` count from 0. ``probabilities (n, k) float32`` are the softmax over all classes, or each
    class's own sigmoid where the network ends in one; ``logits (n, k) float32`` are before that.
    """

    classes: np.ndarray
    probabilities: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True)
class Raised:
    """What raising its channel does to the classes of each of n pictures, the k raised and the k lowered most.

    ``raised (n, k) int32`` are classes with ``raised_by (n, k) float32``, the largest first; ``lowered (n, k) int32``
    with ``lowered_by (n, k) float32``, the smallest first. In logits per unit of mean activation. Where k is more than
    the classes that are raised, numbers of 0 and below stand at the end of ``raised_by``, and so with ``lowered_by``.
    """

    raised: np.ndarray
    raised_by: np.ndarray
    lowered: np.ndarray
    lowered_by: np.ndarray


def named(network: "Network", pictures: Iterable[np.ndarray], k: int = TOP) -> Named | None:
    """What a network calls pictures ``(h, w, 3) uint8`` of one size; None for a network without its classifier.

    Pictures are resized to the size the classifier takes, where it takes only one. ``k`` is at most all classes.
    """
    import tensorflow as tf

    from atlas.networks.cut import whole

    head = network.graph.logits()
    if head is None:
        return None
    cut = network.cut(head[0])

    def look(shown: Any) -> Any:
        seen = cut.see(tf.cast(shown, tf.float32) / 255.0)
        return cut.main.activate(whole(seen, cut.main))[:, 0, 0]

    logits = _looked(look, ((picture,) for picture in pictures), cut.main.channels)
    chosen = _first(-logits, k)
    chances = _sigmoid(logits) if network.graph.sigmoid else _softmax(logits)
    return Named(chosen, *(np.take_along_axis(values, chosen, axis=1) for values in (chances, logits)))


def raised(
    network: "Network", layer: str, pictures: Iterable[np.ndarray], channels: Sequence[int], k: int = TOP
) -> Raised | None:
    """The classes that channels raise and lower most; None for a network without its classifier.

    Parameters: ``pictures`` are ``(h, w, 3) uint8`` of one size, one for each of ``channels``, which count from 0 in
    ``layer``. A layer that the classifier does not depend on raises every class by 0.

    Raises: NetworkError when there is no such layer or channel, or when the network resizes behind the layer otherwise
    than by repeating positions, of which TensorFlow has no second derivative.
    """
    import tensorflow as tf

    head = network.graph.logits()
    if head is None:
        return None
    name, logits = head
    value = network.value(layer)
    cut = replace(network.cut(name), graph=network.plain)  # whose pools are not behind their convolutions
    depth = int(cut.graph.shape_of(value)[-1] or 0)
    wrong = [channel for channel in channels if not 0 <= channel < depth]
    if wrong:
        raise NetworkError(f"expected channels 0 to {depth - 1} of {layer}, received {wrong[0]}")

    def look(shown: Any, own: Any) -> Any:
        seen = cut.see(tf.cast(shown, tf.float32) / 255.0)
        there = seen.value(value)  # (n, h, w, depth), or (n, depth) of the classifier itself
        along = tf.one_hot(own, depth, dtype=there.dtype)
        along = tf.reshape(along, [-1, *[1] * (len(there.shape) - 2), depth])
        with tf.GradientTape(watch_accessed_variables=False) as outer:
            with tf.GradientTape(watch_accessed_variables=False) as inner:
                inner.watch(there)
                found = tf.cast(seen.value(logits), tf.float32)  # (n, classes)
            weights = tf.zeros_like(found)
            outer.watch(weights)
            back = inner.gradient(found, there, output_gradients=weights)  # is linear in the weights
        if back is None:  # the classifier does not depend on the layer
            return weights
        _check_derivatives(there.graph, layer)
        return outer.gradient(back, weights, output_gradients=tf.broadcast_to(along, tf.shape(there)))

    slopes = _looked(look, zip(pictures, np.asarray(channels, np.int32), strict=True), cut.main.channels)
    most, least = _first(-slopes, k), _first(slopes, k)
    return Raised(most, np.take_along_axis(slopes, most, axis=1), least, np.take_along_axis(slopes, least, axis=1))


def _looked(look: Callable[..., Any], rows: Iterable[tuple[Any, ...]], classes: int) -> np.ndarray:
    """What ``look`` makes of rows, each a picture and what belongs to it: ``(n, classes) float32``, by one trace."""
    import tensorflow as tf

    run, found, left = None, [np.zeros((0, classes), np.float32)], iter(rows)
    while some := list(islice(left, TOGETHER)):
        filled = [*some, *some[-1:] * (TOGETHER - len(some))]
        columns = [tf.constant(np.stack(column)) for column in zip(*filled, strict=True)]
        if run is None:
            run = compiled(look, *map(tf.TensorSpec.from_tensor, columns))
        found.append(run(*columns).numpy()[: len(some)])
    return np.concatenate(found)


def _check_derivatives(traced: Any, layer: str) -> None:
    """Refuse a backward pass through resizing, whose own derivative TensorFlow takes for zero without a word."""
    types = {operation.type for operation in traced.get_operations()}
    found = sorted(kind for kind in RESIZING if f"{kind}Grad" in types)
    if found:
        raise NetworkError(
            f"expected a network that resizes nothing behind {layer}, received one with {found[0]}, whose second "
            "derivative TensorFlow does not have; choose a layer behind it"
        )


def _first(values: np.ndarray, k: int) -> np.ndarray:
    """The places of the k smallest values of each row ``(n, classes)``, of equal ones the first: ``(n, k) int32``."""
    return np.argsort(values, axis=1, kind="stable")[:, :k].astype(np.int32)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(float) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits.astype(float)), np.float32)
