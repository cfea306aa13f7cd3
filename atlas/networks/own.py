"""A user's own network, out of a ``.keras`` file: checked as data first, then opened by Keras in safe mode."""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from atlas.errors import NetworkError, WeightsError
from atlas.networks import describe as describing
from atlas.networks.graph import Graph, Value, flatten, inner
from atlas.networks.hdf5 import check_links
from atlas.networks.record import Record
from atlas.networks.seen import Seen

WEIGHTS = "model.weights.h5"
CODE = {"Lambda": "a Lambda layer", "__lambda__": "a lambda function", "TorchModuleWrapper": "a pickled torch module"}
USUAL_SIZE = 224  # pixels; said of a network that takes any size, where the file does not tell what it was trained on
SIDES = (8, 16, 32, 48, 64, 96, 128, 192, 256, 512)  # tried in turn for the smallest picture that a network takes


def open_model(path: Path) -> Any:
    """The Keras model of a ``.keras`` file with its own weights.

    Raises: NetworkError when the file is missing or damaged, holds code (a Lambda layer) or classes that Keras does not
    know, or when the model does not go from one picture, grey or in colours, through a graph of layers.
    """
    import keras

    _check_file(path)
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever a layer's constructor raises
        said = " ".join(str(error).split())[:300]
        raise NetworkError(f"{path}: expected a network that Keras can open, received: {said}; save it anew") from error
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
    return model


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
    grey = channels == 1
    if height is None or width is None:
        return Record(layers, USUAL_SIZE, _smallest(graph, values), grey=grey)
    if all(_runs_at(graph, values, size) for size in ((height + 1, width + 3), (2 * height + 2, 2 * width + 5))):
        return Record(layers, max(height, width), _smallest(graph, values), grey=grey)
    return Record(layers, max(height, width), 1, fixed=(height, width), grey=grey)


def _smallest(graph: Graph, values: Sequence[Value]) -> int:
    """The smallest of some usual sides that the layers can be computed at."""
    return next((side for side in SIDES if _runs_at(graph, values, (side, side))), SIDES[-1])


def _runs_at(graph: Graph, values: Sequence[Value], size: tuple[int, int]) -> bool:
    """Whether the layers can be computed for pictures of that (h, w), by tracing them without running anything."""
    import tensorflow as tf

    def look(picture: Any) -> list[Any]:
        seen = Seen(graph, picture)
        return [seen.value(value) for value in values]

    given = tf.TensorSpec((2, *size, graph.shape[2]), tf.float32)
    try:
        outputs = tf.function(look, autograph=False).get_concrete_function(given).structured_outputs
    except Exception:  # whatever a layer raises when a size does not fit it
        return False
    return all(0 not in output.shape for output in outputs)


def _check_file(path: Path) -> None:
    """Refuse a file that is no whole ``.keras`` archive, or that holds code or tricks, without Keras."""
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise NetworkError(f"expected a .keras file at {path}, received {found}; check the path")
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
                    raise NetworkError(
                        f"{path}: expected plain names in the archive, received {name!r}; do not trust it"
                    )
            config = json.loads(archive.read("config.json"))
            weights = archive.read(WEIGHTS)
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, EOFError, zlib.error) as error:
        raise NetworkError(
            f"{path}: expected a whole .keras file as model.save writes it, received a damaged or another one "
            f"({error}); save or copy it again"
        ) from error
    if _is_foreign(config):
        raise NetworkError(
            f"{path}: expected a Functional or Sequential model, received the subclassed {config['class_name']}, whose "
            "layers cannot be told apart; build it with the functional API and save it again"
        )
    for holder in _dictionaries(config):
        kind = str(holder.get("class_name"))
        if kind in CODE:
            raise NetworkError(
                f"{path}: expected layers only, received {CODE[kind]} ({_named(holder)}), which is code that would be "
                "run; replace it by a layer of Keras and save the model again"
            )
        if _is_foreign(holder):
            raise NetworkError(
                f"{path}: expected layers of Keras only, received the class {kind} ({_named(holder)}) of "
                f"{holder['module']}; replace it by layers of Keras and save the model again"
            )
    try:
        check_links(io.BytesIO(weights), path)
    except WeightsError as error:
        raise NetworkError(str(error)) from error


def _is_foreign(holder: Any) -> bool:
    """Whether a part of a model's configuration is of a class that Keras does not have."""
    if not isinstance(holder, dict) or not {"class_name", "config", "module"} <= holder.keys():
        return False
    return not str(holder["module"]).startswith(("keras", "builtins", "None"))


def _dictionaries(config: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary inside a JSON value."""
    stack = [config]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            yield value
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)


def _named(holder: dict[str, Any]) -> str:
    inner = holder.get("config")
    return str(inner.get("name", "unnamed")) if isinstance(inner, dict) else "unnamed"
