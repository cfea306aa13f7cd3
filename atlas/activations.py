"""Activation functions of networks: which hinder an ascent, and by which number a channel behind one is raised.

Names are Keras's own. *Before* and *pre-activation* mean the value that the function is applied to.
"""

from collections.abc import Mapping
from typing import Literal

RECTIFIERS = frozenset(
    {
        *("relu", "leaky_relu", "prelu", "elu", "selu", "celu", "gelu", "silu", "hard_silu", "mish"),
        *("softplus", "squareplus", "sparse_plus"),
    }
)
"""Like the identity well above zero; below it flat, or falling before they rise."""

SQUASHERS = frozenset(
    {
        *("sigmoid", "hard_sigmoid", "sparse_sigmoid", "log_sigmoid", "tanh", "hard_tanh", "softsign"),
        *("tanh_shrink", "soft_shrink", "hard_shrink", "threshold", "exponential", "positional_softmax"),
    }
)
"""Flat at one end or both, or around zero, so that nothing tells where a channel begins to be active."""

SOFTMAXES = frozenset({"softmax", "log_softmax", "sparsemax"})
"""Over the channels of one position: what one channel wins, the others lose."""

MONOTONE = (RECTIFIERS | SQUASHERS) - {"gelu", "silu", "hard_silu", "mish", "prelu", "positional_softmax"}
ZERO_AT_ZERO = (RECTIFIERS | {"tanh", "hard_tanh", "softsign"}) - {"softplus", "squareplus", "sparse_plus"}
NEVER_POSITIVE = frozenset({"log_sigmoid", "log_softmax"})
ELEMENTWISE = (RECTIFIERS | SQUASHERS) - {"relu", "prelu", "positional_softmax"}
"""Those that look at one number at a time and hold no weights, but for ReLU."""

SEEDS = 3
"""How often a channel that is dead or not raised is tried again with another seed, before its last resort."""

Number = Literal["positive", "before", "log", "value"]


def raised_by(function: str) -> Number:
    """The number that says whether a channel is raised, a mean over positions.

    ``positive``: the positive part of the pre-activation; ``before``: the pre-activation; ``log``: the logarithm of
    the channel's own output; ``value``: the value itself, where there is no activation function or an unknown one.
    """
    if function in RECTIFIERS:
        return "positive"
    if function in SQUASHERS:
        return "before"
    return "log" if function in SOFTMAXES else "value"


def is_raised(score: Mapping[str, float]) -> bool:
    """Whether that number is higher on the finished picture, ``end``, than on its ``start`` and on mid-``grey``."""
    return score["end"] > max(score["start"], score["grey"])


def state(function: str, score: Mapping[str, float], maximum: Mapping[str, float]) -> str:
    """What came of a channel behind an activation function: ``activated`` or ``dead``; ``raised`` or ``unraised`` where
    there is no such function.

    An activated channel is raised, and its largest value behind the function, ``maximum``, is above zero, where the
    function has such values.
    """
    if raised_by(function) == "value":
        return "raised" if is_raised(score) else "unraised"
    positive = maximum["end"] > 0 or function in NEVER_POSITIVE
    return "activated" if positive and is_raised(score) else "dead"
