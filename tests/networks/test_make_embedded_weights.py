"""The script that makes the embedded weights, on a package made here."""

import base64
import importlib.util
import io
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_embedded_weights.py"
MANIFEST = (
    'x={weightsManifest:[{weights:[{name:"batch_normalization_1/beta",shape:[2],dtype:"float32",'
    'quantization:{min:-1,scale:.5,dtype:"uint8"}},{name:"conv2d_2/kernel",shape:[1,2,3],dtype:"float32",'
    'quantization:{min:-1.5e-3,scale:.25,dtype:"uint8"}},{name:"conv2d_41/kernel",shape:[4],dtype:"float32",'
    'quantization:{min:0,scale:1,dtype:"uint8"}}]}]}'
)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_embedded_weights", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def package(folder: Path, values: bytes) -> Path:
    shards = [values[start : start + 2] for start in range(0, 12, 2)]
    scripts = {"model.min.js": MANIFEST} | {
        f"group1-shard{number}of6.min.js": f'!function(a,"b"){{x="{base64.b64encode(shard).decode()}"}}'
        for number, shard in enumerate(shards, start=1)
    }
    path = folder / "package.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in scripts.items():
            member = tarfile.TarInfo(f"package/dist/models/inception_v3/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def test_tensors_up_to_mixed4_are_kept_under_our_names(script: ModuleType, tmp_path: Path) -> None:
    with tarfile.open(package(tmp_path, bytes(range(12)))) as archive:
        tensors = script.read_tensors(archive)
    assert set(tensors) == {"batch_normalization/beta", "conv2d_1/kernel"}
    np.testing.assert_allclose(tensors["batch_normalization/beta"].array(), [-1.0, -0.5])
    np.testing.assert_array_equal(tensors["conv2d_1/kernel"].values, np.arange(2, 8).reshape(1, 2, 3))
    assert (tensors["conv2d_1/kernel"].minimum, tensors["conv2d_1/kernel"].scale) == (-1.5e-3, 0.25)


def test_shards_that_do_not_fit_the_manifest_are_refused(script: ModuleType, tmp_path: Path) -> None:
    path = package(tmp_path, bytes(11))
    with tarfile.open(path) as archive, pytest.raises((SystemExit, ValueError)):
        script.read_tensors(archive)


def test_another_package_is_refused(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = package(tmp_path, bytes(12))
    monkeypatch.setattr(sys, "argv", ["make_embedded_weights", str(path)])
    monkeypatch.setattr(script, "FOLDER", tmp_path / "embedded")
    with pytest.raises(SystemExit, match="expected sha256 4496790efc9bdc6f"):
        script.main()
    assert not (tmp_path / "embedded").exists()
