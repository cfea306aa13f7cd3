"""A user's own network, out of a ``.keras`` file: checked as data first, then opened by Keras in safe mode."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from atlas.errors import NetworkError
from atlas.networks import archive, foreign, reasons
from atlas.networks import describe as describing
from atlas.networks.compiled import compiled
from atlas.networks.graph import Graph, Value, flatten, inner
from atlas.networks.record import Record
from atlas.networks.seen import Seen

USUAL_SIZE = 224  # pixels; said of a network that takes any size, where the file does not tell what it was trained on
SCOPE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_./>-]*")  # names that TensorFlow takes
SIDES = (8, 16, 32, 48, 64, 96, 128, 192, 256, 512)  # tried in turn for the smallest picture that a network takes


def open_model(path: Path) -> Any:
    """The Keras model of a ``.keras`` file with its own weights, to be run forward; nothing in the file is run.

    Raises: NetworkError when the file is missing, damaged or another kind of file, holds code (a Lambda layer) or
    classes that Keras does not know, or when the model does not go from one picture, grey or in colours, through a
    graph of layers.
    """
    from keras.src.saving import saving_lib  # keras.saving opens paths only, not what was made of one

    foreign.check(path)
    found = archive.read(path)
    try:
        model = saving_lib.load_model(archive.forward(path, found), compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever a layer's constructor raises
        raise NetworkError(reasons.refusal(path, found, error)) from error
    kind, model = type(model).__name__, inner(model)
    if model is None:
        raise NetworkError(
            f"{path}: expected a Functional or Sequential model that knows its input, received a {kind} that does not; "
            "give it an Input and save it again"
        )
    if len(model.inputs) != 1:
        raise NetworkError(
            f"{path}: expected a model of one picture, received one of {len(model.inputs)} inputs; save the part that "
            "takes the picture alone"
        )
    shape = tuple(model.inputs[0].shape)
    if len(shape) != 4 or shape[3] not in (1, 3):
        raise NetworkError(
            f"{path}: expected an input of pictures (height, width, 3) or (height, width, 1), received {shape[1:]}; "
            "give a network that takes pictures, channels last"
        )
    _open_scopes(model)
    return model


def _open_scopes(model: Any) -> None:
    """Let TensorFlow trace layers whose names it does not take for scopes, such as ``a b``; they keep their names."""
    from keras.src.backend import name_scope

    for layer in model._flatten_layers(include_self=False):
        if not SCOPE.fullmatch(layer.name):
            object.__setattr__(layer, "_open_name_scope", partial(name_scope, "layer", caller=layer))


def describe(path: Path, classes: bool | str = False) -> Record:
    """The record of a user's own network, found by opening it; ``classes`` as ``graph.flatten`` takes it.

    Raises: NetworkError as ``open_model`` does, and when no output tells the classes that ``classes`` says.
    """
    try:
        graph = flatten(open_model(path), classes)
    except NetworkError as error:
        raise NetworkError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    layers = describing.layers(graph)
    maps = [layer for layer in layers if layer.listed and layer.kind != "classes"]
    if not maps:
        raise NetworkError(
            f"{path}: expected convolutions, activations or pools with maps to look at, received a network without "
            "any; give one that works on pictures"
        )
    values = [value for layer in maps if (value := graph.value(layer.name))]
    height, width, channels = graph.shape
    side, fixed = USUAL_SIZE, None
    if height is None or width is None:
        _check_runs(graph, values, (SIDES[-1], SIDES[-1]), path)
    else:
        side, others = max(height, width), ((height + 1, width + 3), (2 * height + 2, 2 * width + 5))
        if any(_refusal(graph, values, size) is not None for size in others):
            _check_runs(graph, values, (height, width), path)
            fixed = height, width
    smallest = 1 if fixed else _smallest(graph, values)
    return Record(layers, side, smallest, fixed, whole=graph.whole is not None, grey=channels == 1)


def _smallest(graph: Graph, values: Sequence[Value]) -> int:
    """The smallest of some usual sides that the layers can be computed at."""
    return next((side for side in SIDES if _refusal(graph, values, (side, side)) is None), SIDES[-1])


def _refusal(graph: Graph, values: Sequence[Value], size: tuple[int, int]) -> Exception | None:
    """Why the layers cannot be computed for pictures of that (h, w), found by tracing them without running anything;
    None where they can."""
    import tensorflow as tf

    def look(picture: Any) -> list[Any]:
        seen = Seen(graph, picture)
        return [seen.value(value) for value in values]

    given = tf.TensorSpec((2, *size, graph.shape[2]), tf.float32)
    try:
        outputs = compiled(look, given).structured_outputs
    except Exception as error:  # whatever a layer raises when a size does not fit it
        return error
    return ValueError(f"nothing is left of {size[0]} x {size[1]}") if any(0 in one.shape for one in outputs) else None


def _check_runs(graph: Graph, values: Sequence[Value], size: tuple[int, int], path: Path) -> None:
    """Raise NetworkError, with Keras's reason, when the layers cannot be computed for pictures of that (h, w)."""
    if error := _refusal(graph, values, size):
        raise NetworkError(
            f"{path}: expected a network that Keras can run, received one that fails: {reasons.reason(error)}; "
            "change it and save it again"
        )
