"""The architectures of keras.applications, built without drawing or allocating a single weight."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from atlas.networks.families import family_of
from atlas.networks.graph import stable_names


@dataclass(frozen=True)
class Download:
    """The file of ImageNet weights that Keras names for an architecture, as it states them at run time.

    ``file`` is its name in Keras's cache, ``origin`` its address, ``hash`` what it must hash to (MD5 or sha256 in
    hexadecimal digits), or empty where Keras states none.
    """

    file: str
    origin: str
    hash: str


def build(network: str, classes: bool = False) -> tuple[Any, Download]:
    """The architecture of a network of keras.applications, and where its weights would come from.

    Without its ``classes`` the model takes pictures of any size, ``(None, None, 3)``, or of the default size where the
    architecture depends on it (NASNet); with them always of the default size. Its variables have shapes and no values:
    give them some with ``set_value``. It is built as with ImageNet weights, since some families then differ
    (EfficientNet rescales once more). Layers have the names of a fresh process, whatever was built in this one before.
    """
    import keras
    from keras.src.utils import file_utils

    family = family_of(network)
    side = None if family.free and not classes else family.size(network)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def get_file(*args: Any, **kwargs: Any) -> str:
        calls.append((args, kwargs))
        return ""

    with (
        _without_values(),
        _replaced(file_utils, "get_file", get_file),
        _replaced(keras.Model, "load_weights", _nothing),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # MobileNet: that it takes the weights made at 224 px for a free size
        model = getattr(keras.applications, family.keras_name(network))(
            include_top=classes, weights="imagenet", input_shape=(side, side, 3)
        )
    names = stable_names(model.operations)
    for operation in model.operations:
        operation.name = names[operation.name]
    args, kwargs = calls[0]
    named = {**dict(zip(("fname", "origin"), args, strict=False)), **kwargs}
    return model, Download(named["fname"], named["origin"], named.get("file_hash") or "")


def set_value(variable: Any, array: Any) -> None:
    """Give a Keras variable its value, an array of its shape; one that has none yet is created with it."""
    if getattr(variable, "_value", None) is None:
        variable._initialize(array)
    else:
        variable.assign(array)


def _nothing(*_: Any, **__: Any) -> None:
    """Stands in for a step that is left out."""


@contextmanager
def _replaced(owner: Any, name: str, replacement: Any) -> Iterator[None]:
    """``owner.name`` is ``replacement`` inside the block."""
    kept = getattr(owner, name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        setattr(owner, name, kept)


@contextmanager
def _without_values() -> Iterator[None]:
    """Variables made inside the block have a shape and no value, and Keras does not give them one later."""
    import keras
    from keras.src.backend.common import global_state

    waiting = list(global_state.get_global_attribute("uninitialized_variables", []))
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute("uninitialized_variables", waiting)
