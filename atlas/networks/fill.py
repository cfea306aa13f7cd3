"""Give a model its values: from a file of any supported form, or drawn."""

import io
import math
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from atlas.errors import WeightsError
from atlas.networks import arrays, hdf5
from atlas.networks.architectures import set_value
from atlas.networks.graph import Weight, weights_of

ONES = {"gamma", "moving_variance", "variance"}

Source = tuple[str, Any, Any]
"""A weight's name, its Keras variable, and what holds its values: an array or a dataset, None when nothing does."""


def fill_from_file(model: Any, path: Path) -> None:
    """Set every weight of a model to the values in a file.

    Parameters: ``path`` ends in ``.safetensors`` (see ``arrays``), ``.h5`` (see ``hdf5.pairs``) or ``.keras``, of which
    only the weights inside are read. Weights that the file has beyond the model's, such as a class head, are ignored.

    Raises: WeightsError when the file is damaged or reaches beyond itself, lacks a weight, or has one of another shape.
    """
    if path.suffix == ".safetensors":
        found = arrays.read(path)
        _fill(((weight.name, weight.variable, found.get(weight.name)) for weight in weights_of(model)), path)
    else:
        file = _inside(path) if path.suffix == ".keras" else path
        hdf5.check_links(file, path)
        try:
            with hdf5.open_file(file, path) as opened:
                filled = _fill(hdf5.pairs(opened, model, path), path)
        except hdf5.DAMAGED as error:
            raise WeightsError(
                f"{path}: expected a file of weights, received a damaged one ({error}); fetch or save it again"
            ) from error
        for weight in weights_of(model):
            if id(weight.variable) not in filled:
                raise WeightsError(
                    f"{path}: layer {weight.name.partition('/')[0]}: expected weights of its own, received a layer "
                    "that keeps them in layers inside it; give the whole network as a .keras file"
                )
    _finish(model)


def fill_at_random(model: Any, seed: int) -> None:
    """Set every weight of a model to random values that depend on ``seed`` and the weight's position only."""
    for position, weight in enumerate(weights_of(model)):
        set_value(weight.variable, _as(weight.variable, draw(weight, seed, position)))
    _finish(model)


def draw(weight: Weight, seed: int, position: int) -> np.ndarray:
    """The random array of one weight, float32.

    Kernels are normal with deviation sqrt(2 / fan-in) (He et al. 2015, https://arxiv.org/abs/1502.01852), which keeps
    values alive through many ReLUs; biases are zero and normalisations neutral.

    Parameters: ``seed`` is the network's, 0 or more; ``position`` is the weight's place among all of the network's,
    from 0.
    """
    name, shape = weight.variable.name, tuple(weight.variable.shape)
    kind = type(weight.layer).__name__
    if len(shape) < 2:
        return np.full(shape, 1.0 if name in ONES else 0.0, np.float32)
    if kind == "DepthwiseConv2D" or name == "depthwise_kernel":
        fan_in: float = math.prod(shape[:2])
    elif kind == "Conv2DTranspose":
        fan_in = math.prod(shape[:2]) * shape[3] / math.prod(weight.layer.strides)
    else:
        fan_in = math.prod(shape[:-1])
    values = np.random.default_rng([seed, position]).standard_normal(shape, np.float32)
    return values * np.float32(math.sqrt(2 / fan_in))


def _fill(sources: Iterable[Source], path: Path) -> set[int]:
    """Set variables to their sources; the ids of those that were set."""
    filled = set()
    for name, variable, source in sources:
        filled.add(id(variable))
        layer, _, own = name.partition("/")
        shape = tuple(variable.shape)
        if source is None:
            raise WeightsError(
                f"{path}: layer {layer}: expected {own} of shape {shape}, received none; "
                "give the weights of this network"
            )
        if tuple(source.shape) != shape:
            raise WeightsError(
                f"{path}: layer {layer}: expected {own} of shape {shape}, received {tuple(source.shape)}; "
                "give the weights of this network"
            )
        try:
            set_value(variable, _as(variable, source if isinstance(source, np.ndarray) else hdf5.array(source)))
        except OSError as error:
            raise WeightsError(
                f"{path}: layer {layer}: {own} cannot be read ({error}); fetch the file again"
            ) from error
    return filled


def _as(variable: Any, values: np.ndarray) -> np.ndarray:
    """Values in the type of a variable, which numpy need not know (bfloat16)."""
    import tensorflow as tf

    return values.astype(tf.as_dtype(variable.dtype).as_numpy_dtype)


def _inside(path: Path) -> io.BytesIO:
    """The weights inside a ``.keras`` file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return io.BytesIO(archive.read("model.weights.h5"))
    except (OSError, KeyError, RuntimeError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise WeightsError(
            f"{path}: expected a .keras file with weights, received a damaged one ({error}); save it again"
        ) from error


def _finish(model: Any) -> None:
    """Let layers that keep constants made from their weights (Normalization) make them anew."""
    for layer in model._flatten_layers(include_self=False):
        finish: Callable[[], None] | None = getattr(layer, "finalize_state", None)
        if finish is not None:
            finish()
