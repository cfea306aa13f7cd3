"""Weights from files of every form, and drawn."""

import hashlib
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from atlas.errors import WeightsError
from atlas.networks.architectures import build
from atlas.networks.arrays import encode
from atlas.networks.fill import draw, fill_at_random, fill_from_file
from atlas.networks.graph import Weight, weights_of
from atlas.networks.load import load
from atlas.spec.facts import NetworkRef

# Keras 3.15 saves variables in a way that numpy 2.4 is about to give up


def network(depth: int = 4) -> keras.Model:
    given = keras.Input((None, None, 3))
    block = keras.Sequential(
        [
            keras.layers.Conv2D(depth, 3, use_bias=False, name="conv"),
            keras.layers.BatchNormalization(name="norm"),
        ],
        name="block",
    )
    middle = block(keras.layers.Normalization(name="scaled")(given))
    return keras.Model(given, keras.layers.SeparableConv2D(2, 3, activation="relu", name="last")(middle))


@pytest.fixture
def filled() -> keras.Model:
    model = network()
    rng = np.random.default_rng(3)
    for variable in model.weights:
        variable.assign(rng.random(variable.shape) + 0.5)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return model


def save(model: keras.Model, path: Path) -> Path:
    """Save the weights as the suffix says."""
    if path.name.endswith(".weights.h5"):
        model.save_weights(path)
    elif path.suffix == ".safetensors":
        path.write_bytes(encode({weight.name: weight.variable.numpy() for weight in weights_of(model)}))
    elif path.suffix == ".keras":
        model.save(path)
    else:
        with h5py.File(path, "w") as file:
            keras.src.legacy.saving.legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return path


SUFFIXES = ("w.weights.h5", "w.h5", "w.safetensors", "w.keras")


@pytest.mark.parametrize("name", SUFFIXES)
def test_every_form_is_read(name: str, filled: keras.Model, tmp_path: Path) -> None:
    path = save(filled, tmp_path / name)
    model = network()
    given = np.random.default_rng(0).random((1, 8, 8, 3)).astype(np.float32)
    assert not np.allclose(model(given), filled(given))
    fill_from_file(model, path)
    for found, expected in zip(model.weights, filled.weights, strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(model(given), filled(given))


@pytest.mark.parametrize("name", SUFFIXES)
def test_a_wrong_shape_names_layer_expected_and_received(name: str, filled: keras.Model, tmp_path: Path) -> None:
    path = save(filled, tmp_path / name)
    with pytest.raises(
        WeightsError, match=r"expected kernel of shape \(3, 3, 3, 5\), received \(3, 3, 3, 4\)"
    ) as caught:
        fill_from_file(network(depth=5), path)
    assert f"{path}: layer block" in str(caught.value)


@pytest.mark.parametrize("name", SUFFIXES)
def test_a_missing_layer_is_named(name: str, filled: keras.Model, tmp_path: Path) -> None:
    short = keras.Model(filled.input, filled.layers[2].output)
    path = save(short, tmp_path / name)
    with pytest.raises(WeightsError, match=r"layer last: expected depthwise_kernel of shape .* received none"):
        fill_from_file(network(), path)


def test_a_class_head_in_the_file_is_ignored(filled: keras.Model, tmp_path: Path) -> None:
    pooled = keras.layers.GlobalAveragePooling2D()(filled.output)
    whole = keras.Model(filled.input, keras.layers.Dense(3)(pooled))
    for name in SUFFIXES:
        model = network()
        fill_from_file(model, save(whole, tmp_path / name))
        np.testing.assert_array_equal(model.get_layer("last").bias, filled.get_layer("last").bias)


def test_the_layout_of_the_vgg19_file(tmp_path: Path) -> None:
    """Layers without weights named too, arrays under names of TensorFlow 1, long lists of names split."""
    path = tmp_path / "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
    model, _ = build("vgg19")
    rng = np.random.default_rng(0)
    expected = {}
    with h5py.File(path, "w") as file:
        names = [layer.name.encode() for layer in model.layers]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:9], names[9:]
        for layer in model.layers:
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = [f"{layer.name}_{kind}_1:0".encode() for kind in "Wb" if layer.weights]
            for name, variable in zip(group.attrs["weight_names"], layer.weights, strict=True):
                expected[variable.path] = rng.random(variable.shape).astype(np.float32)
                group[name] = expected[variable.path]
    loaded = load(NetworkRef("vgg19", str(path)))
    for variable in loaded.model.weights:
        np.testing.assert_array_equal(variable, expected[variable.path])
    assert loaded.weights.kind == "file"


@pytest.mark.parametrize("trick", ["soft", "external", "storage", "virtual", "type", "up"])
def test_files_that_reach_beyond_themselves_are_refused(trick: str, filled: keras.Model, tmp_path: Path) -> None:
    path = save(filled, tmp_path / "w.weights.h5")
    with h5py.File(path, "r+") as file:
        place = file["layers/separable_conv2d/vars"]
        if trick != "up":
            del place["2"]
        if trick == "soft":
            place["2"] = h5py.SoftLink("/layers/separable_conv2d/vars/0")
        elif trick == "external":
            place["2"] = h5py.ExternalLink("/etc/passwd", "/")
        elif trick == "storage":
            place.create_dataset("2", (2,), "f4", external=[(str(tmp_path / "outside"), 0, 8)])
        elif trick == "virtual":
            layout = h5py.VirtualLayout((2,), "f4")
            layout[:] = h5py.VirtualSource(str(tmp_path / "outside.h5"), "x", (2,))
            place.create_virtual_dataset("2", layout)
        elif trick == "type":
            place["2"] = np.array(["a", "b"], dtype=h5py.string_dtype())
        else:
            place["up"] = file["layers"]
    if trick == "up":  # a hard link in a circle is odd and harmless
        fill_from_file(network(), path)
        return
    with pytest.raises(WeightsError, match=r"expected plain arrays, received .* at /layers/separable_conv2d/vars/2"):
        fill_from_file(network(), path)


def test_a_swollen_array_is_not_read(filled: keras.Model, tmp_path: Path) -> None:
    path = save(filled, tmp_path / "w.weights.h5")
    with h5py.File(path, "r+") as file:
        place = file["layers/separable_conv2d/vars"]
        del place["2"]
        place.create_dataset("2", (1 << 40,), "f4", chunks=(1 << 16,), compression="gzip")
    with pytest.raises(WeightsError, match=r"expected bias of shape \(2,\), received \(1099511627776,\)"):
        fill_from_file(network(), path)


@pytest.mark.parametrize("name", ["w.weights.h5", "w.keras"])
def test_an_altered_bit_gives_other_weights_or_one_sentence(name: str, tmp_path: Path) -> None:
    """HDF5 has no checksum; zip has one for each file, but none for its table of contents."""
    given = keras.Input((None, None, 3))
    model = keras.Model(given, keras.layers.Conv2D(2, 3, name="last")(given))
    path = tmp_path / name
    model.save(path) if name.endswith(".keras") else model.save_weights(path)
    whole, said = path.read_bytes(), []
    table = [len(whole) - place for place in range(1, 400, 5)]
    for place in [*range(0, len(whole), 299), *table]:
        altered = bytearray(whole)
        altered[place] ^= 1 << place % 8
        path.write_bytes(altered)
        try:
            fill_from_file(model, path)
        except WeightsError as error:
            said.append(str(error))
    assert said
    assert [one for one in said if not one.startswith(f"{path}: ")] == []


@pytest.mark.parametrize("name", SUFFIXES)
def test_a_damaged_file_is_one_sentence(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"not what it says")
    with pytest.raises(WeightsError, match="damaged") as caught:
        fill_from_file(network(), path)
    assert str(caught.value).startswith(f"{path}: expected")


def test_another_hdf5_file_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["other"] = [1.0]
    with pytest.raises(WeightsError, match=r"expected weights as Keras saves them, .* received an HDF5 file of other"):
        fill_from_file(network(), tmp_path / "x.h5")


def test_draws_are_neutral_and_keep_deep_layers_alive() -> None:
    loaded = load(NetworkRef("vgg19", "random", seed=1))
    cut = loaded.cut("block5_conv4")
    picture = np.random.default_rng(0).random((1, 64, 64, 3)).astype(np.float32)
    deep = np.asarray(cut.activate(cut.pre(picture)))
    assert 1 < deep.std() < 1e4
    model, _ = build("inceptionv3")
    fill_at_random(model, 0)
    norm = next(layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
    np.testing.assert_array_equal(norm.beta, np.zeros(32))
    np.testing.assert_array_equal(norm.moving_variance, np.ones(32))


def weight(layer: keras.Layer, given: int) -> Weight:
    layer.build((None, None, None, given))
    return Weight("layer/kernel", layer, layer.kernel)


def test_draws_are_pinned() -> None:
    kernel = weight(keras.layers.Conv2D(8, 3), 64)
    values = draw(kernel, seed=5, position=2)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values[0, 0, 0, :3], [0.10122409, -0.04110413, -0.044017781], rtol=1e-6)
    assert not np.array_equal(values, draw(kernel, seed=6, position=2))
    assert not np.array_equal(values, draw(kernel, seed=5, position=3))


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (keras.layers.Conv2D(64, 3), 9 * 64),
        (keras.layers.DepthwiseConv2D(3), 9),
        (keras.layers.Conv2DTranspose(32, 4, 2), 4 * 64),
        (keras.layers.Dense(64), 64),
    ],
)
def test_draws_keep_the_variance(layer: keras.Layer, fan_in: int) -> None:
    deviation = draw(weight(layer, 64), 0, 0).std()
    assert abs(deviation / np.sqrt(2 / fan_in) - 1) < 0.07


def test_draws_are_the_same_in_another_process_after_other_networks() -> None:
    """A process of atlas's own, in which nothing has imported scikit-learn, and everybody can."""
    code = (
        "import hashlib, importlib.util, sys; from atlas.runtime import start_tensorflow; start_tensorflow(1);"
        "assert 'sklearn' not in sys.modules; assert importlib.util.find_spec('sklearn');"
        "from atlas.networks.load import load; from atlas.spec.facts import NetworkRef;"
        "[load(NetworkRef(name, 'random', seed=4)) for name in sys.argv[1:]];"
        "model = load(NetworkRef('mobilenetv3small', 'random', seed=4)).model;"
        "print(hashlib.sha256(b''.join(v.numpy().tobytes() for v in model.weights)).hexdigest())"
    )
    run = subprocess.run([sys.executable, "-c", code, "mobilenetv2"], capture_output=True, text=True, check=True)
    model = load(NetworkRef("mobilenetv3small", "random", seed=4)).model
    here = hashlib.sha256(b"".join(variable.numpy().tobytes() for variable in model.weights)).hexdigest()
    assert run.stdout.strip() == here
