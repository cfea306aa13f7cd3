"""Functions as compiled graphs that go when nobody holds them any more."""

from collections.abc import Callable
from typing import Any


def compiled(function: Callable[..., Any], *signature: Any) -> Any:
    """A function, traced now for the types and shapes of ``signature`` (``tf.TensorSpec``, also in tuples).

    In a graph, ``tf.custom_gradient`` puts each gradient into a registry of the process, which never lets go of it, nor
    of the graph and its weights. Once a graph is traced its gradients are part of it, so what was put there meanwhile
    is taken out.
    """
    import tensorflow as tf
    from tensorflow.python.framework.ops import gradient_registry

    registered = gradient_registry._registry
    before = set(registered)
    try:
        return tf.function(function, input_signature=signature, autograph=False).get_concrete_function()
    finally:
        for name in set(registered) - before:
            if name.startswith("CustomGradient-"):
                del registered[name]
