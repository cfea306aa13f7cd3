"""The architectures of keras.applications, built without drawing or allocating a single weight."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from atlas.networks.families import family_of
from atlas.networks.graph import stable_names
from atlas.runtime import unmoved


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

    family = family_of(network)
    side = None if family.free and not classes else family.size(network)
    architecture = getattr(keras.applications, family.keras_name(network))
    asked = _Asked()
    names = _own_names(sys.modules[architecture.__module__], asked.names())
    with _without_values(), unmoved():
        model = names[architecture.__name__](include_top=classes, weights="imagenet", input_shape=(side, side, 3))
    stable = stable_names(model.operations)
    for operation in model.operations:
        operation.name = stable[operation.name]
    return model, asked.downloads[0]


def set_value(variable: Any, array: Any) -> None:
    """Give a Keras variable its value, an array of its shape; one that has none yet is created with it."""
    if getattr(variable, "_value", None) is None:
        variable._initialize(array)
    else:
        variable.assign(array)


class _Asked:
    """What an architecture of Keras's asks for when it is built as with ImageNet weights; nothing of it is done."""

    def __init__(self) -> None:
        self.downloads: list[Download] = []

    def names(self) -> dict[str, Any]:
        """What stands in for Keras's own names in its source."""
        from keras.src.models import Functional

        class Model(Functional):  # type: ignore[misc]
            def load_weights(self, *_: Any, **__: Any) -> None: ...

        Model.__name__ = Functional.__name__
        return {
            "Functional": Model,
            "file_utils": SimpleNamespace(get_file=self._get_file),
            "warnings": SimpleNamespace(warn=lambda *_, **__: None),  # MobileNet: of weights made at 224 px
        }

    def _get_file(self, fname: str, origin: str, file_hash: str | None = None, **_: Any) -> str:
        self.downloads.append(Download(fname, origin, file_hash or ""))
        return ""


def _own_names(module: Any, instead: Mapping[str, Any]) -> dict[str, Any]:
    """The names of a module of keras.applications, where some stand ``instead`` of its own.

    Its functions are made anew, bound to these names, and so are the modules of keras.applications that it uses: the
    module itself stays as it is, and nobody else in this process sees a difference.
    """
    names = {name: instead.get(name, value) for name, value in vars(module).items()}
    for name, value in vars(module).items():
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            names[name] = FunctionType(value.__code__, names, value.__name__, value.__defaults__, value.__closure__)
            names[name].__kwdefaults__ = value.__kwdefaults__
        elif isinstance(value, ModuleType) and value.__name__.startswith("keras.src.applications."):
            names[name] = SimpleNamespace(**_own_names(value, instead))
    return names


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
