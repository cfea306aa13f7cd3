"""A ``.keras`` archive read as data: what Keras needs to run the network forward, and no code."""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from atlas.errors import NetworkError, WeightsError
from atlas.networks.hdf5 import check_links

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
CODE = {
    "Lambda": "a Lambda layer",
    "__lambda__": "a lambda function",
    "TorchModuleWrapper": "a pickled torch module",
    "TFSMLayer": "a layer that runs a SavedModel",
    "JaxLayer": "a layer that runs functions of JAX",
    "FlaxLayer": "a layer that runs a module of Flax",
}
SISTERS = {"keras_hub": "keras-hub", "keras_cv": "keras-cv", "keras_nlp": "keras-nlp"}  # packages Keras itself imports
TRAINING = {"regularizer": None, "constraint": None, "initializer": "zeros"}  # by ends of keys, and what stands in
LARGE, PACKED = 1 << 28, 100  # bytes and times: what is larger than both is no network but a trap for memory


@dataclass(frozen=True)
class Archive:
    """What a ``.keras`` file says: the ``config`` of the network without what only training needs, and the ``version``
    of the Keras that saved it, empty where it does not say."""

    config: dict[str, Any]
    version: str

    @property
    def old(self) -> bool:
        """Whether a Keras before 3 saved it."""
        return self.version.partition(".")[0] in ("1", "2")


def read(path: Path) -> Archive:
    """The archive at ``path``, without Keras.

    Raises: NetworkError when the archive is damaged, or when running the network forward takes code: a Lambda layer, or
    a class or a function that Keras does not have. How it was trained is left out, whatever that takes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
                    raise NetworkError(
                        f"{path}: expected plain names in the archive, received {name!r}; do not trust it"
                    )
            config = _forward(json.loads(_member(archive, CONFIG, path)))
            said = json.loads(_member(archive, METADATA, path)) if METADATA in archive.namelist() else {}
            weights = _member(archive, WEIGHTS, path)
        if not {"class_name", "config"} <= config.keys():
            raise ValueError(f"{CONFIG} describes no network")
        found = Archive(config, str(said.get("keras_version", "")))
    except (
        OSError,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        AttributeError,
        RuntimeError,
        EOFError,
        zlib.error,
    ) as error:
        raise NetworkError(
            f"{path}: expected a whole .keras file as model.save writes it, received a damaged or another one "
            f"({error}); save or copy it again"
        ) from error
    _check_parts(found, path)
    try:
        check_links(io.BytesIO(weights), path)
    except WeightsError as error:
        raise NetworkError(str(error)) from error
    return found


def forward(path: Path, found: Archive) -> io.BytesIO:
    """The archive at ``path`` with the configuration that ``read`` found in it, for Keras to open."""
    made = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(made, "w") as copy:
        for name in archive.namelist():
            copy.writestr(name, json.dumps(found.config) if name == CONFIG else archive.read(name))
    return made


def parts(config: Any) -> Iterator[dict[str, Any]]:
    """Every part of a configuration that Keras makes an object of, inner ones before outer ones."""
    for value in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        yield from parts(value)
    if isinstance(config, dict) and {"class_name", "config"} <= config.keys():
        yield config


def called(part: dict[str, Any]) -> str:
    """What a part of a configuration is called in messages: its class and, if it has one, its name."""
    kind, config = str(part["class_name"]), part["config"]
    if kind == "function":
        return f"function {config}"
    name = config.get("name") if isinstance(config, dict) else None
    return f"class {kind}" + (f" ({name})" if name else "")


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """A member of an archive, unless it would unpack to far more than it is."""
    info = archive.getinfo(name)
    if info.file_size > max(LARGE, PACKED * info.compress_size):
        raise NetworkError(
            f"{path}: expected a .keras file as model.save writes it, received one whose {name} unpacks to "
            f"{info.file_size:,} bytes; do not trust it"
        )
    return archive.read(name)


def _forward(config: Any) -> Any:
    """A configuration without what only training needs: how models were compiled, and what stands in for
    regularizers, constraints, and initializers of weights that are in the file."""
    if isinstance(config, list):
        return [_forward(value) for value in config]
    if not isinstance(config, dict):
        return config
    kept = {}
    for key, value in config.items():
        instead = next((end for end in TRAINING if key.endswith(end)), None)
        if key != "compile_config":
            kept[key] = _forward(value) if instead is None or value is None else TRAINING[instead]
    return kept


def _check_parts(found: Archive, path: Path) -> None:
    """Refuse what is code, and what Keras does not have."""
    for part in parts(found.config):
        kind = "__lambda__" if _holds_a_lambda(part["config"]) else str(part["class_name"])
        package = str(part.get("module")).partition(".")[0]
        if kind in CODE:
            raise NetworkError(
                f"{path}: expected layers only, received {CODE[kind]} ({_name(part)}), which is code that would be "
                "run; replace it by a layer of Keras and save the model again"
            )
        if package == "tf_keras":
            raise NetworkError(too_old(path, found))
        if package in SISTERS and find_spec(package) is None:
            raise NetworkError(
                f"{path}: expected layers that are installed, received the {called(part)} of {package}, which is not; "
                f"install it: pip install {SISTERS[package]}"
            )
        if package in ("keras", "builtins", "None", *SISTERS):
            continue
        if part is found.config and isinstance(part["config"], dict) and "layers" in part["config"]:
            raise NetworkError(
                f"{path}: expected a Functional or Sequential model, received the {called(part)} of {part['module']}, "
                "whose own code may change what its layers compute; save these alone: keras.Model(model.inputs, "
                f"model.outputs).save({path.name!r})"
            )
        if part is found.config:
            raise NetworkError(
                f"{path}: expected a Functional or Sequential model, received the subclassed {kind}, whose layers "
                "cannot be told apart; build it with the functional API and save it again"
            )
        raise NetworkError(
            f"{path}: expected layers of Keras only, received the {called(part)} of {part['module']}; replace it by "
            "layers of Keras and save the model again"
        )


def _holds_a_lambda(config: Any) -> bool:
    """Whether a layer was given a lambda function, of which Keras writes the code alone, without saying what it is."""
    values = config.values() if isinstance(config, dict) else ()
    return any(isinstance(value, dict) and value.keys() == {"value"} for value in values)


def too_old(path: Path, found: Archive) -> str:
    """The sentence for a file that was saved before Keras 3."""
    saved = f"{path.stem}.h5"
    return (
        f"{path}: expected a file of Keras 3, received one that Keras {found.version or '2'} saved, which is not read "
        f"yet; open it with that Keras, save it there with model.save({saved!r}), and write it anew with Keras 3: "
        f"keras.models.load_model({saved!r}, compile=False).save({path.name!r})"
    )


def _name(part: dict[str, Any]) -> str:
    config = part["config"]
    return str(config.get("name", "unnamed")) if isinstance(config, dict) else "unnamed"
