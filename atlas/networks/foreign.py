"""What people give as networks besides whole ``.keras`` files: each kind with its way out. Nothing is opened or run."""

import difflib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from atlas.errors import NetworkError

HDF5, ZIP = b"\x89HDF\r\n\x1a\n", b"PK"
REBUILD = (
    "build its architecture in Keras, copy its weights, and save it with model.save('{stem}.keras'); networks of "
    "keras.applications, such as resnet50, need no file"
)
RESAVE = "write it anew with Keras 3: keras.models.load_model('{stem}.h5', compile=False).save('{stem}.keras')"


@dataclass(frozen=True)
class Kind:
    """A kind of file: ``what`` it is, and the ``way`` out, where ``{stem}`` stands for the file's name."""

    what: str
    way: str


WHOLE_H5 = Kind("a network as HDF5", RESAVE)
WEIGHTS = Kind("weights without their network", "name it under weights, and under network what the weights are of")
TORCH = Kind("a file of PyTorch", REBUILD)
SAVED_MODEL = Kind(
    "a SavedModel of TensorFlow",
    "open it with the Keras that saved it, save it there with model.save('{stem}.h5'), and " + RESAVE,
)
TFLITE = Kind("a network of TensorFlow Lite", "give the Keras network that it was converted from, as a .keras file")
KINDS = {
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".torchscript"), TORCH),
    **dict.fromkeys((".pb", ".pbtxt"), SAVED_MODEL),
    **dict.fromkeys((".tflite", ".lite"), TFLITE),
    **dict.fromkeys((".safetensors", ".npz", ".npy"), WEIGHTS),
    ".onnx": Kind("a network of ONNX", REBUILD),
    ".json": Kind("an architecture without weights", "load it with Keras, and its weights, and save both as .keras"),
    ".pkl": Kind("a pickle, which would run code", "save the network with model.save('{stem}.keras') instead"),
}


def check(path: Path) -> None:
    """Let a ``.keras`` archive pass; what is in it is not looked at.

    Raises: NetworkError, one sentence with the way out, for a path where there is no file, and for every other kind.
    """
    if not os.path.exists(path):  # noqa: PTH110 (Path.exists raises at names that are too long)
        saved = [Path(name).stem for name in _neighbours(path) if name.endswith(".keras")]
        near = difflib.get_close_matches(path.stem, saved, n=1, cutoff=0.75)
        hint = f"did you mean {path.with_name(near[0])}.keras?" if near else "check the path"
        raise NetworkError(f"expected a .keras file at {path}, received nothing; {hint}")
    try:
        kind = _kind(path)
    except OSError as error:
        raise NetworkError(f"expected a .keras file at {path}, received: {error.strerror}; check the path") from error
    if kind:
        way = kind.way.format(stem=path.name.partition(".")[0])
        raise NetworkError(f"{path}: expected a .keras file, received {kind.what}; {way}")


def _kind(path: Path) -> Kind | None:
    """The kind of what lies at a path, by its content before its name; None for a ``.keras`` archive."""
    if path.is_dir():
        return _kind_of_folder(path)
    if not path.is_file():
        return Kind("what is no file", "check the path")
    with path.open("rb") as file:
        start = file.read(8)
    if start == HDF5:
        return WHOLE_H5 if _holds_a_network(path) else WEIGHTS
    if start[4:] == b"TFL3":
        return TFLITE
    if start[:2] == ZIP:
        return _kind_of_archive(path)
    if not start:
        return Kind("an empty file", "save or copy it again")
    otherwise = Kind("a damaged or another file", "save it with model.save('{stem}.keras'), or copy it again")
    return KINDS.get(path.suffix.lower(), otherwise)


def _kind_of_folder(path: Path) -> Kind:
    names = set(_neighbours(path / "any"))
    if names & {"saved_model.pb", "saved_model.pbtxt"}:
        return SAVED_MODEL
    if "config.json" in names:
        return Kind("a folder", "load it with Keras, and save it as one file: model.save('{stem}.keras')")
    return Kind("a folder", "check the path")


def _kind_of_archive(path: Path) -> Kind | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError):
        return None  # a damaged archive, of which more can be said by whoever reads it
    if any(name.endswith("data.pkl") for name in names):
        return TORCH
    if "config.json" in names and path.suffix != ".keras":
        return Kind(f"a Keras archive by the name {path.name}", "call it {stem}.keras")
    return None


def _holds_a_network(path: Path) -> bool:
    """Whether an HDF5 file holds a network besides weights."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "model_config" in file.attrs
    except (OSError, RuntimeError):
        return False


def _neighbours(path: Path) -> list[str]:
    """The names in a path's folder, sorted; none where it cannot be read."""
    try:
        return sorted(found.name for found in path.parent.iterdir())
    except OSError:
        return []
