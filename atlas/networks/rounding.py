"""Where a network takes or makes whole numbers: rounded as the network does it, while a gradient passes as if it were
not (the straight-through estimator, Bengio et al. 2013, https://arxiv.org/abs/1308.3432)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from atlas.networks.graph import Node

STEPS = {"Round", "Floor", "Ceil", "Trunc"}  # operations whose own gradient is zero
REAL = {"Cast", "Rescaling", "Normalization", "Divide", "TrueDivide"}  # what makes real numbers of whole ones


def limits(dtype: str) -> tuple[int, int] | None:
    """The (lowest, highest) number of a type of whole numbers, such as ``uint8``; None for other types."""
    if dtype == "bool":
        return 0, 1
    if not dtype.startswith(("int", "uint")):
        return None
    found = np.iinfo(dtype)
    return int(found.min), int(found.max)


def rounded(given: Any, within: tuple[int, int]) -> Any:
    """Values as the nearest whole numbers ``within`` two, float32, shape unchanged."""
    import tensorflow as tf

    return _straight_through(lambda values: tf.clip_by_value(tf.round(values), *map(float, within)))(given)


def cut_off(given: Any, within: tuple[int, int]) -> Any:
    """Values without their fractions, as Keras hands them to a nested model of whole numbers ``within`` two."""
    import tensorflow as tf

    whole = _straight_through(
        lambda values: tf.clip_by_value(tf.cast(tf.cast(values, tf.int32), values.dtype), *map(float, within))
    )
    return whole(given) if given.dtype.is_floating else given


def passable(nodes: Sequence["Node"]) -> tuple["Node", ...]:
    """The same nodes, where a gradient passes those that make whole numbers of real ones.

    A cast to whole numbers is one of these where all that takes them makes real numbers of them again, not where they
    are places in a table.
    """
    takers: dict[int, set[str]] = {}
    for node in nodes:
        for parent, _ in node.parents:
            takers.setdefault(parent, set()).add(node.kind)
    return tuple(
        replace(node, call=_passing(node.call))
        if node.kind in STEPS or (_casts(node) and takers.get(index, {""}) <= REAL)
        else node
        for index, node in enumerate(nodes)
    )


def _casts(node: "Node") -> bool:
    return node.kind == "Cast" and node.layer is not None and limits(str(node.layer.dtype)) is not None


def _passing(call: Callable[[Sequence[Any]], Any]) -> Callable[[Sequence[Any]], Any]:
    """``call`` of real numbers, whose outputs stay real numbers; that of whole ones as it is."""
    import tensorflow as tf

    def passed(parents: Sequence[Any]) -> Any:
        (given,) = parents
        if not given.dtype.is_floating:
            return call(parents)
        return _straight_through(lambda values: tf.cast(call([values]), values.dtype))(given)

    return passed


def _straight_through(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    import tensorflow as tf

    def stepped(given: Any) -> Any:
        return step(given), lambda upstream: upstream

    passed: Callable[[Any], Any] = tf.custom_gradient(stepped)
    return passed
