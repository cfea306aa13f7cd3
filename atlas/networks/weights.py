"""Where a network's weights come from, and what names their values in keys. TensorFlow only to download."""

import contextlib
import errno
import hashlib
import io
import os
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from atlas.errors import NetworkError, WeightsError
from atlas.networks.apart import answer, ask
from atlas.networks.embedded_weights import EMBEDDED
from atlas.networks.families import family_of
from atlas.networks.record import digest_of, record
from atlas.resources import home
from atlas.runtime import start_tensorflow
from atlas.spec.facts import NetworkRef, is_path

if TYPE_CHECKING:
    from atlas.networks.architectures import Download

CLASS_INDEX = "imagenet_class_index.json"
CLASS_INDEX_HASH = "c2c37ea517e94d9795004a39431a14cb"  # as keras.applications.imagenet_utils states it
DRAWS = 1  # version of the random draws, part of their digest
SUFFIXES = (".weights.h5", ".h5", ".safetensors", ".keras")


@dataclass(frozen=True)
class Weights:
    """Weights as they are found.

    ``kind`` is ``embedded``, ``imagenet``, ``random``, ``own`` or ``file``. ``digest`` names their values, and so
    decides keys. ``description`` and ``licence`` are for people. ``path`` is the file, None for random weights and for
    ImageNet's while they are not downloaded.
    """

    kind: str
    digest: str
    description: str
    licence: str
    path: Path | None


def locate(ref: NetworkRef) -> Weights:
    """Find the weights of a network without downloading or loading anything.

    Raises: NetworkError when there is no such network; WeightsError when there are no such weights.
    """
    if ref.weights == "random":
        said = f"random, seed {ref.seed}: the architecture only, nothing was learned"
        return Weights("random", f"random:{ref.seed}:v{DRAWS}", said, "", None)
    if ref.weights == "own":
        if not is_path(ref.network):
            raise WeightsError(
                f"expected weights imagenet, random or a file for {ref.network}, received own; own means those "
                "inside a .keras file that network names"
            )
        path = Path(ref.network)
        return Weights("own", f"sha256:{digest_of(ref.network)}", "those of the network's own file", "", path)
    if ref.weights in ("embedded", "imagenet"):
        if is_path(ref.network):
            raise WeightsError(
                f"expected weights own, random or a file for {ref.network}, received {ref.weights}; only networks of "
                "keras.applications have those"
            )
        family_of(ref.network)
        return _embedded(ref) if ref.weights == "embedded" else _imagenet(ref)
    return _file(Path(ref.weights))


def ensure(ref: NetworkRef) -> Weights:
    """Find the weights of a network, and download ImageNet's through Keras where they are not in its cache yet.

    With a classifier the list of its classes' names comes along if it can be had.

    Raises: NetworkError and WeightsError as ``locate``; WeightsError also when the download fails, with the file to
    fetch by hand and the folder to put it into.
    """
    weights = locate(ref)
    if weights.kind != "imagenet" or _is_whole(weights):
        return weights
    if "tensorflow" in sys.modules:
        return replace(weights, path=_download(ref.network, bool(ref.classes)))
    try:
        found = ask(__name__, ref.network, *["classes"] * bool(ref.classes), heard=True)
    except NetworkError as error:
        raise WeightsError(str(error)) from error
    return replace(weights, path=Path(found["path"]))


def available(ref: NetworkRef, layer: str) -> str | None:
    """Why a network's weights do not reach a layer, as one sentence; None when they do."""
    embedded = EMBEDDED.get(ref.network)
    if ref.weights != "embedded" or embedded is None:
        return None  # ``locate`` says that a network has no embedded weights
    layers = record(ref.network).layers
    names = [known.name for known in layers]
    if layer in names and names.index(layer) > names.index(embedded.last):
        first = next(known.name for known in layers if known.listed)
        return (
            f"expected a layer from {first} to {embedded.last} with embedded weights, received {layer}: "
            f"{embedded.beyond}; choose an earlier layer or ImageNet weights"
        )
    return None


def keras_folder() -> Path:
    """Where Keras keeps downloaded weights: in ``$KERAS_HOME`` or ``~/.keras``, or ``/tmp`` where neither will do."""
    folder = Path(os.environ.get("KERAS_HOME") or home() / ".keras").expanduser()
    if Path(os.devnull) in folder.parents or (folder.exists() and not os.access(folder, os.W_OK)):
        folder = Path("/tmp" if Path("/tmp").is_dir() else tempfile.gettempdir()) / ".keras"
    return folder / "models"


def _embedded(ref: NetworkRef) -> Weights:
    embedded = EMBEDDED.get(ref.network)
    if embedded is None:
        raise WeightsError(
            f"expected weights imagenet, random or a file for {ref.network}, received embedded; only "
            f"{' and '.join(EMBEDDED)} are embedded"
        )
    if ref.classes:
        raise WeightsError(f"expected no classes with embedded weights, which end at {embedded.last}, received some")
    digest = f"sha256:{digest_of(str(embedded.path))}"
    return Weights("embedded", digest, embedded.description, embedded.licence, embedded.path)


def _imagenet(ref: NetworkRef) -> Weights:
    found = record(ref.network, ref.classes)
    path = keras_folder() / found.file
    algorithm = {32: "md5:", 64: "sha256:"}.get(len(found.hash), "file:")
    return Weights(
        "imagenet",
        algorithm + (found.hash or found.file),  # Keras states no hash for MobileNet and MobileNetV2
        f"ImageNet, keras.applications, {found.file}",
        family_of(ref.network).licence,
        path if path.is_file() else None,
    )


def _file(path: Path) -> Weights:
    if not path.name.endswith(SUFFIXES):
        raise WeightsError(
            f"expected weights imagenet, embedded, random, own or a file {', '.join(SUFFIXES)}, received {str(path)!r}"
        )
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise WeightsError(f"expected a file of weights at {path}, received {found}; check the path")
    return Weights("file", f"sha256:{digest_of(str(path))}", f"file {path.name}", "", path)


def _is_whole(weights: Weights) -> bool:
    """Whether the file is there and hashes to what Keras states."""
    if weights.path is None:
        return False
    algorithm, _, expected = weights.digest.partition(":")
    if algorithm == "file":
        return True
    try:
        with weights.path.open("rb") as file:
            return hashlib.file_digest(file, algorithm).hexdigest() == expected
    except OSError:
        return False


def _download(network: str, classes: bool) -> Path:
    """The ImageNet weights of a network, fetched by Keras's own code, which checks their hash."""
    start_tensorflow(1)
    from keras.src.applications.imagenet_utils import CLASS_INDEX_PATH

    from atlas.networks.architectures import Download, build

    _, wanted = build(network, classes)
    try:
        found = _fetch(wanted)
    except Exception as error:  # Keras raises a bare Exception when a host cannot be reached
        embedded = network in EMBEDDED and not classes
        instead = "; or write weights: embedded, which needs no download" if embedded else ""
        folder = keras_folder()
        raise WeightsError(
            f"expected the ImageNet weights of {network} in {folder} or from their host, received: "
            f"{_reason(error)}; fetch {wanted.origin} by hand and put it into {folder} as {wanted.file}{instead}"
        ) from error
    if classes:
        with contextlib.suppress(Exception):  # as above; classes are called by their numbers then
            _fetch(Download(CLASS_INDEX, CLASS_INDEX_PATH, CLASS_INDEX_HASH))
    return found


def _fetch(wanted: "Download") -> Path:
    """A file in Keras's folder, from its host if it is not there. Raises whatever Keras and the disk raise."""
    import keras

    folder = keras_folder()
    folder.mkdir(parents=True, exist_ok=True)
    bar = sys.stderr if sys.stderr.isatty() else io.StringIO()  # Keras's; standard output is for results
    with contextlib.redirect_stdout(bar):
        found = keras.utils.get_file(
            wanted.file,
            wanted.origin,
            cache_dir=str(folder.parent),
            cache_subdir=folder.name,
            file_hash=wanted.hash or None,
        )
    return Path(found)


def _reason(error: Exception) -> str:
    """What went wrong with a download, in a few words."""
    if isinstance(error, OSError):
        return "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
    if isinstance(error, ValueError) and "hash" in str(error):
        return "a file with another hash, incomplete or altered"
    return " ".join(str(error).split()).rpartition(" -- ")[2]  # Keras writes the address before it


if __name__ == "__main__":
    answer(lambda: {"path": str(_download(sys.argv[1], "classes" in sys.argv[2:]))})
