"""What people give as networks that is no ``.keras`` file: a sentence each, with the way out."""

import os
import zipfile
from pathlib import Path

import h5py
import pytest

from atlas.errors import NetworkError
from atlas.networks import foreign, record

WHOLE = "received a network as HDF5; write it anew with Keras 3: keras.models.load_model('net.h5', compile=False)"
REBUILD = r"build its architecture in Keras, copy its weights, and save it with model.save('net.keras'); networks of"
MAGIC = {"net.tflite": b"\x20\0\0\0TFL3", "lies.keras": b"\x20\0\0\0TFL3", "empty.keras": b""}


def make(path: Path, kind: str) -> None:
    """A file of some kind, as small as it can be."""
    if kind == "whole h5" or kind == "weights h5":
        with h5py.File(path, "w") as file:
            if kind == "whole h5":
                file.attrs["model_config"] = "{}"
    elif kind == "torch":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("net/data.pkl", b"x")
    elif kind == "saved model":
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"x")
    elif kind == "unpacked":
        path.mkdir()
        (path / "config.json").write_bytes(b"x")
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "keras":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "{}")
    else:
        path.write_bytes(MAGIC.get(path.name, b"anything"))


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("net.h5", "whole h5", WHOLE),
        ("net.keras", "whole h5", WHOLE),
        ("net.hdf5", "weights h5", "received weights without their network; name it under weights, and under network"),
        ("net.weights.h5", "weights h5", "received weights without their network; name it under weights"),
        ("net.safetensors", "", "received weights without their network; name it under weights"),
        ("net.onnx", "", f"received a network of ONNX; {REBUILD}"),
        ("net.pt", "torch", f"received a file of PyTorch; {REBUILD}"),
        ("net.keras", "torch", f"received a file of PyTorch; {REBUILD}"),
        ("net.pth", "", f"received a file of PyTorch; {REBUILD}"),
        ("net.PT", "", f"received a file of PyTorch; {REBUILD}"),
        ("net.pb", "", "received a SavedModel of TensorFlow; open it with the Keras that saved it, save it there with"),
        ("net", "saved model", "received a SavedModel of TensorFlow; open it with the Keras that saved it"),
        ("net.keras", "saved model", "received a SavedModel of TensorFlow; open it with the Keras that saved it"),
        ("net.tflite", "", "received a network of TensorFlow Lite; give the Keras network that it was converted from"),
        ("lies.keras", "", "received a network of TensorFlow Lite; give the Keras network"),
        ("net.json", "", "received an architecture without weights; load it with Keras"),
        ("net.pkl", "", "received a pickle, which would run code; save the network with model.save('net.keras')"),
        ("net.keras", "", "received a damaged or another file; save it with model.save('net.keras')"),
        ("empty.keras", "", "received an empty file; save or copy it again"),
        ("net.keras", "unpacked", "received a folder; load it with Keras, and save it as one file: model.save('net."),
        ("net.keras", "folder", "received a folder; check the path"),
        ("net.keras", "pipe", "received what is no file; check the path"),
        ("net.zip", "keras", "received a Keras archive by the name net.zip; call it net.keras"),
    ],
)
def test_every_kind_is_told_the_way_out(name: str, kind: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    make(path, kind)
    with pytest.raises(NetworkError) as caught:
        record.record(str(path))
    assert str(caught.value).startswith(f"{path}: expected a .keras file, {said}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["no.keras", "no.h5", "no/such.keras", "x" * 300 + ".keras", "n\0.keras"])
def test_nothing_there_is_said(name: str, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"expected a \.keras file at .*, received nothing; check the path$"):
        foreign.check(tmp_path / name)


def test_a_file_of_nearly_that_name_is_named(tmp_path: Path) -> None:
    make(tmp_path / "flowers.keras", "keras")
    with pytest.raises(NetworkError, match=r"received nothing; did you mean \S*/flowers\.keras\?$"):
        foreign.check(tmp_path / "flower.keras")
