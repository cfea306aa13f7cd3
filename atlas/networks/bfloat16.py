"""A network in 16 bits: the same graph, whose values are bfloat16 from its input to its last layer."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from atlas.networks.fuse import Convolution
from atlas.networks.graph import Graph, Node
from atlas.networks.rewritten import Gelu, LayerNorm

Call = Callable[[Sequence[Any]], Any]
CHEAP = {"", "relu", "leaky_relu"}  # activation functions that are not slower in 16 bits, as exponentials are
BY_CHANNEL = {"DepthwiseConv2D", "SeparableConv2D", "DepthwiseConv1D", "SeparableConv1D"}


def in_sixteen_bits(graph: Graph) -> Graph:
    """The graph for an input of bfloat16. Its weights are cast now where they are arrays, else as they are read.

    Layers of Keras's compute as under its policy ``mixed_bfloat16``. A batch norm, which would turn all of its values
    into float32 and back, is a factor and an offset. What is slower in 16 bits is computed in float32, its result cast,
    and so is what may know of one type only: layers of a user's own, and quantised ones.
    """
    return replace(graph, nodes=tuple(replace(node, call=_call(node)) for node in graph.nodes), dtype="bfloat16")


def _call(node: Node) -> Call:
    if isinstance(node.call, Convolution):
        grouped = node.call.groups > 1 and node.call.strides != (1, 1)  # whose gradient oneDNN has in float32 alone
        return _in_float32(node.call) if grouped else replace(node.call, dtype="bfloat16")
    short = _in_float32(node.call) if isinstance(node.call, Gelu | LayerNorm) else _short(node)

    def called(parents: Sequence[Any]) -> Any:
        # One channel alone comes in float32, and stays so.
        return (short if any(one.dtype == "bfloat16" for one in parents) else node.call)(parents)

    return called


def _short(node: Node) -> Call:
    """What a node computes of values in bfloat16."""
    layer, call = node.layer, node.call
    if node.function not in CHEAP or not type(layer).__module__.startswith("keras."):
        return _in_float32(call)
    strided = node.kind in BY_CHANNEL and any(step != 1 for step in layer.strides)
    if strided or getattr(layer, "quantization_mode", None):
        return _in_float32(call)
    if node.kind == "BatchNormalization" and node.joins_channels and layer.compute_dtype == "float32":
        return lambda parents: _normed(layer, parents[0])
    if getattr(layer, "compute_dtype", "") != "float32":  # an operation without weights, or another policy
        return lambda parents: _cast(call(parents), "bfloat16")
    return lambda parents: _cast(_as_mixed(layer, call, parents), "bfloat16")


def _in_float32(call: Call) -> Call:
    return lambda parents: _cast(call(_cast(parents, "float32")), "bfloat16")


def _cast(values: Any, dtype: str) -> Any:
    """Tensors, one or several, those of real numbers in a ``dtype``."""
    import tensorflow as tf

    if isinstance(values, list | tuple):
        return [_cast(one, dtype) for one in values]
    return tf.cast(values, dtype) if values.dtype.is_floating else values


def _normed(layer: Any, given: Any) -> Any:
    """What a batch norm makes of values ``(n, h, w, channels) bfloat16`` at inference."""
    import tensorflow as tf

    factor = tf.math.rsqrt(layer.moving_variance + layer.epsilon)
    factor = factor * layer.gamma if layer.scale else factor
    offset = -layer.moving_mean * factor
    offset = offset + layer.beta if layer.center else offset
    return given * tf.cast(factor, given.dtype) + tf.cast(offset, given.dtype)


def _as_mixed(layer: Any, call: Call, parents: Sequence[Any]) -> Any:
    """What a layer makes under the policy ``mixed_bfloat16``; past Keras's attribute tracking, which may be locked."""
    import keras

    kept = layer._dtype_policy
    object.__setattr__(layer, "_dtype_policy", keras.DTypePolicy("mixed_bfloat16"))
    try:
        return call(parents)
    finally:
        object.__setattr__(layer, "_dtype_policy", kept)
