"""What classes are called, and how ImageNet's list comes into Keras's folder."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from keras.src.applications import imagenet_utils
from keras.src.utils import file_utils

from atlas.networks import architectures, weights
from atlas.networks.architectures import Download
from atlas.networks.class_names import class_names
from atlas.networks.record import record
from atlas.networks.weights import CLASS_INDEX, CLASS_INDEX_HASH, ensure
from atlas.spec.facts import NetworkRef, Preprocessing

VGG16 = NetworkRef("vgg16", "imagenet", classes=True)
INDEX = json.dumps({str(number): [f"n{number:08}", f"made_up_{number}"] for number in range(1000)})
FILE = "vgg16_weights.h5"


def index(tmp_path: Path, text: str = INDEX) -> None:
    (tmp_path / "keras/models").mkdir(parents=True, exist_ok=True)
    (tmp_path / "keras/models" / CLASS_INDEX).write_text(text)


def test_imagenet_s_names_are_those_in_keras_s_folder(tmp_path: Path) -> None:
    assert class_names(VGG16) is None
    index(tmp_path)
    assert class_names(VGG16) == tuple(f"made up {number}" for number in range(1000))
    index(tmp_path, INDEX[:-100])
    assert class_names(VGG16) is None


def test_other_weights_have_other_classes_or_none(tmp_path: Path) -> None:
    index(tmp_path)
    assert class_names(NetworkRef("vgg16", "random", classes=True)) is None
    assert class_names(NetworkRef("vgg16", "/somewhere/mine.h5", classes=True)) is None
    assert class_names(NetworkRef("vgg16", "imagenet")) is None
    assert class_names(NetworkRef("inceptionv3", "embedded")) is None


def test_a_network_of_one_s_own_has_the_names_it_was_given(tmp_path: Path) -> None:
    given = keras.Input((16, 16, 3))
    middle = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(given))
    keras.Model(given, keras.layers.Dense(3, activation="softmax")(middle)).save(tmp_path / "own.keras")
    ref = NetworkRef(str(tmp_path / "own.keras"), "own", preprocessing=Preprocessing())
    assert class_names(ref) is None
    assert class_names(ref, ("cat", "dog", "other")) == ("cat", "dog", "other")


def test_known_names_need_no_tensorflow(tmp_path: Path) -> None:
    index(tmp_path)
    class_names(VGG16)  # what Keras tells of the network is kept from now on
    code = """
import sys
from atlas.networks.class_names import class_names
from atlas.spec.facts import NetworkRef
print(class_names(NetworkRef("vgg16", "imagenet", classes=True))[17], {"tensorflow", "keras"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "made up 17 set()\n"


def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: bool) -> None:
    """Let Keras's own download code fetch weights, and the list of names if it is there, from the disk."""
    for classes in (False, True):  # what Keras tells of the network, which is kept
        record("vgg16", classes)
    (tmp_path / "weights").write_bytes(b"weights")
    (tmp_path / "list").write_text(INDEX)
    wanted = Download(FILE, (tmp_path / "weights").as_uri(), hashlib.md5(b"weights").hexdigest())
    monkeypatch.setattr(architectures, "build", lambda *_: (None, wanted))
    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX_PATH", (tmp_path / ("list" if listed else "none")).as_uri())
    monkeypatch.setattr(weights, "CLASS_INDEX_HASH", hashlib.md5(INDEX.encode()).hexdigest())


def test_the_list_comes_with_a_download_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served(tmp_path, monkeypatch, listed=True)
    ensure(NetworkRef("vgg16", "imagenet"))
    assert not (tmp_path / "keras/models" / CLASS_INDEX).exists()
    assert ensure(VGG16).path == tmp_path / "keras/models" / FILE
    assert (class_names(VGG16) or ())[17] == "made up 17"


def test_without_the_list_s_host_classes_keep_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served(tmp_path, monkeypatch, listed=False)
    assert ensure(VGG16).path == tmp_path / "keras/models" / FILE
    assert class_names(VGG16) is None


def test_the_list_is_the_one_that_keras_itself_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    asked = []

    def get_file(*args: object, **kwargs: object) -> str:
        asked.append((args, kwargs))
        raise OSError("enough")

    monkeypatch.setattr(file_utils, "get_file", get_file)
    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", None)
    with pytest.raises(OSError, match="enough"):
        imagenet_utils.decode_predictions(np.zeros((1, 1000)))
    [(args, kwargs)] = asked
    assert args == (CLASS_INDEX, imagenet_utils.CLASS_INDEX_PATH)
    assert kwargs == {"cache_subdir": "models", "file_hash": CLASS_INDEX_HASH}
