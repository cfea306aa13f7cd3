import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from atlas.errors import NetworkError, WeightsError
from atlas.networks.arrays import Quantized, encode, read
from atlas.networks.load import Network, load
from atlas.networks.weights import EMBEDDED, available, locate
from atlas.spec.facts import NetworkRef

DATA = Path(__file__).parent / "data"
REF = NetworkRef("inceptionv3", "embedded")
LAYERS = ("mixed0", "mixed1", "mixed2", "mixed3", "mixed4")


@pytest.fixture(scope="module")
def network() -> Network:
    return load(REF)


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


def test_the_file_is_small_and_named_by_its_hash() -> None:
    data = EMBEDDED.read_bytes()
    assert len(data) < 4_500_000
    weights = locate(REF)
    assert weights.digest == "sha256:" + hashlib.sha256(data).hexdigest()
    assert weights.kind == "embedded"
    assert "Apache-2.0" in weights.licence
    assert "MIT" in weights.licence
    assert {path.name for path in EMBEDDED.parent.glob("LICENSE-*")} == {
        "LICENSE-nsfwjs",
        "LICENSE-keras-inceptionv3",
    }


def test_only_inceptionv3_is_embedded() -> None:
    ref = NetworkRef("vgg19", "embedded")
    with pytest.raises(WeightsError, match="only inceptionv3 is embedded"):
        locate(ref)


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


def test_a_cut_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(EMBEDDED.read_bytes()[:100_000])
    with pytest.raises(WeightsError, match=r"cut\.safetensors: expected a safetensors file, received a damaged one"):
        read(path)
