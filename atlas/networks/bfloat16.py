"""Layers of Keras's in 16 bits: each computes in the type of what it is given."""

from collections.abc import Callable, Sequence
from typing import Any

Call = Callable[[Sequence[Any]], Any]


def as_given(layer: Any, call: Call) -> Call:
    """``call`` of a layer or operation, which where it is given bfloat16 gives bfloat16.

    Keras's own layers then compute as under its policy ``mixed_bfloat16``: roots in float32 inside, weights cast as
    they are read. A batch norm, which would turn all of its values into float32 and back, is a factor and an offset.
    Layers of a user's own, whose code may know of one type only, compute in float32, and so do strided convolutions of
    each channel, whose gradient the convolution library has in float32 alone.
    """
    if not type(layer).__module__.startswith("keras.") or _is_strided_depthwise(layer):
        return in_float32(call)

    def called(parents: Sequence[Any]) -> Any:
        import tensorflow as tf

        if not any(one.dtype == tf.bfloat16 for one in parents):
            return call(parents)
        if type(layer).__name__ == "BatchNormalization" and layer.axis in (-1, len(parents[0].shape) - 1):
            factor, offset = _of_norm(layer)
            return parents[0] * tf.cast(factor, tf.bfloat16) + tf.cast(offset, tf.bfloat16)
        return _cast(_in_sixteen_bits(layer, call, parents), tf.float32, tf.bfloat16)

    return called


def in_float32(call: Call) -> Call:
    """``call``, which takes and gives bfloat16 where it is given that, and computes in float32 all the same.

    For what is slower in 16 bits: roots and exponentials take twice as long and more.
    """

    def called(parents: Sequence[Any]) -> Any:
        import tensorflow as tf

        if not any(one.dtype == tf.bfloat16 for one in parents):
            return call(parents)
        return _cast(call(_cast(parents, tf.bfloat16, tf.float32)), tf.float32, tf.bfloat16)

    return called


def _is_strided_depthwise(layer: Any) -> bool:
    return type(layer).__name__ in ("DepthwiseConv2D", "SeparableConv2D") and tuple(layer.strides) != (1, 1)


def _cast(values: Any, before: Any, after: Any) -> Any:
    """Tensors, one or several, with those of one type in another."""
    import tensorflow as tf

    if isinstance(values, list | tuple):
        return [_cast(one, before, after) for one in values]
    return tf.cast(values, after) if values.dtype == before else values


def _of_norm(layer: Any) -> tuple[Any, Any]:
    """The factor and the offset ``(channels,) float32`` that a batch norm is at inference."""
    import tensorflow as tf

    factor = tf.math.rsqrt(layer.moving_variance + layer.epsilon)
    factor = factor * layer.gamma if layer.scale else factor
    offset = -layer.moving_mean * factor
    return factor, offset + layer.beta if layer.center else offset


def _in_sixteen_bits(layer: Any, call: Call, parents: Sequence[Any]) -> Any:
    import keras

    kept = getattr(layer, "_dtype_policy", None)
    if kept is None or kept.compute_dtype != "float32":  # an operation without weights, or a layer with a mind
        return call(parents)
    object.__setattr__(layer, "_dtype_policy", keras.DTypePolicy("mixed_bfloat16"))  # past its attribute tracking
    try:
        return call(parents)
    finally:
        object.__setattr__(layer, "_dtype_policy", kept)
