"""A user's own ``.keras`` file, honest or not."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from atlas.errors import NetworkError, WeightsError
from atlas.networks.arrays import encode
from atlas.networks.catalog import facts
from atlas.networks.families import preprocessing
from atlas.networks.graph import flatten, weights_of
from atlas.networks.load import load
from atlas.networks.own import open_model
from atlas.networks.seen import Seen
from atlas.networks.weights import locate
from atlas.spec.facts import NetworkRef, Preprocessing

# Keras 3.15 saves variables in a way that numpy 2.4 is about to give up

PLAIN = Preprocessing("rgb", (1.0, 1.0, 1.0))
Layers = keras.layers


def ref(path: Path, weights: str = "own") -> NetworkRef:
    return NetworkRef(str(path), weights, preprocessing=PLAIN)


def saved(tmp_path: Path, model: keras.Model, name: str = "mine.keras") -> Path:
    model.save(tmp_path / name)
    return tmp_path / name


def classifier(channels: int = 3) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((28, 28, channels)),
            Layers.Conv2D(4, 3, activation="relu", name="first"),
            Layers.MaxPooling2D(name="pool"),
            keras.Sequential([Layers.Conv2D(6, 3), Layers.BatchNormalization(), Layers.ReLU(name="out")], name="block"),
            Layers.Flatten(),
            Layers.Dense(3, activation="softmax"),
        ]
    )


def test_a_classifier_of_a_fixed_size_is_rebuilt_free(tmp_path: Path) -> None:
    model = classifier()
    network = load(ref(saved(tmp_path, model)))
    assert [layer.name for layer in network.facts.feature_layers] == ["first", "block.out"]
    assert [layer.kind for layer in network.facts.layers if layer.listed] == ["conv", "pool", "activation", "classes"]
    assert (network.facts.note, network.facts.size, network.facts.smallest) == ("", 28, 8)
    assert (network.facts.title, network.facts.id[:4], len(network.facts.id)) == ("mine", "own-", 16)
    cut = network.cut("block.out")
    assert cut.main.function == "relu"
    assert cut.pre(tf.zeros((2, 60, 71, 3))).shape == (2, 27, 32, 6)
    pictures = np.random.default_rng(0).random((2, 28, 28, 3)).astype(np.float32)
    expected = keras.Sequential(model.layers[:3])(pictures)
    np.testing.assert_allclose(cut.activate(cut.pre(tf.constant(pictures))), expected, atol=1e-6)


def test_an_architecture_that_takes_one_size_is_resized_to_and_says_so(tmp_path: Path) -> None:
    given = keras.Input((16, 16, 3))
    flat = Layers.Dense(4 * 4 * 2)(Layers.Flatten()(Layers.Conv2D(2, 3, name="encoder", activation="relu")(given)))
    out = Layers.Conv2DTranspose(2, 2, 2, activation="relu", name="decoder")(Layers.Reshape((4, 4, 2))(flat))
    path = saved(tmp_path, keras.Model(given, out))
    network = load(ref(path))
    assert (
        network.facts.note == "Pictures are resized to 16 x 16 inside the graph, since the network takes no other size."
    )
    known = network.facts.layer("decoder")
    assert known is not None
    assert known.receptive_field is None
    assert network.cut("decoder").pre(tf.zeros((2, 40, 30, 3))).shape == (2, 8, 8, 2)


def test_grey_input_sees_the_luminance(tmp_path: Path) -> None:
    model = classifier(channels=1)
    network = load(ref(saved(tmp_path, model)))
    pictures = np.random.default_rng(0).random((2, 28, 28, 3)).astype(np.float32)
    grey = pictures @ np.array([[0.299], [0.587], [0.114]], np.float32)
    cut = network.cut("first")
    np.testing.assert_allclose(
        cut.activate(cut.pre(tf.constant(pictures))), keras.Sequential(model.layers[:1])(grey), atol=1e-6
    )


def test_the_path_and_the_name_of_the_file_decide_nothing(tmp_path: Path) -> None:
    one = saved(tmp_path, classifier())
    (tmp_path / "sub").mkdir()
    other = Path(shutil.copy(one, tmp_path / "sub" / "renamed.keras"))
    assert facts(ref(one)).id == facts(ref(other)).id
    assert facts(ref(one)).layers == facts(ref(other)).layers
    assert locate(ref(one)).digest == locate(ref(other)).digest
    assert len(list((tmp_path / "cache/atlas/networks").iterdir())) == 1


def test_random_weights_and_a_file_replace_its_own(tmp_path: Path) -> None:
    model = classifier()
    path = saved(tmp_path, model)
    kernel = model.layers[0].kernel.numpy()
    drawn = load(ref(path, "random")).graph.nodes[0].layer.kernel
    assert not np.array_equal(drawn, kernel)
    model.layers[0].kernel.assign(kernel + 1)
    model.save_weights(tmp_path / "w.weights.h5")
    loaded = load(ref(path, str(tmp_path / "w.weights.h5")))
    np.testing.assert_array_equal(loaded.graph.nodes[0].layer.kernel, kernel + 1)


def test_preprocessing_is_asked_for(tmp_path: Path) -> None:
    path = saved(tmp_path, classifier())
    with pytest.raises(
        NetworkError, match=r"mine\.keras: expected preprocessing: tf, caffe, torch, none or numbers .*, received none"
    ):
        facts(NetworkRef(str(path), "own"))
    assert facts(NetworkRef(str(path), "own", preprocessing=preprocessing("tf"))).preprocessing.offset[0] == -1


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.layer = Layers.Conv2D(2, 3)

    def call(self, given: tf.Tensor) -> tf.Tensor:
        return self.layer(given)


def subclassed() -> keras.Model:
    model = Subclassed()
    model(np.zeros((1, 8, 8, 3), np.float32))
    return model


class Foreign(Layers.Layer):
    def call(self, given: tf.Tensor) -> tf.Tensor:
        return given


def two_inputs() -> keras.Model:
    given = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    return keras.Model(given, Layers.Add()(given))


def functional(shape: tuple[int, ...], layer: keras.Layer) -> keras.Model:
    given = keras.Input(shape)
    return keras.Model(given, layer(given))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (two_inputs, "received one of 2 inputs"),
        (subclassed, "received the subclassed Subclassed"),
        (lambda: functional((8,), Layers.Dense(2)), r"expected an input of pictures .* received \(8,\)"),
        (lambda: functional((8, 8, 4), Layers.Conv2D(2, 1)), r"received \(8, 8, 4\)"),
        (lambda: functional((8, 8, 3), Layers.GlobalAveragePooling2D()), "received a network without any"),
        (lambda: functional((8, 8, 3), Foreign(name="own")), r"received the class Foreign \(own\) of test_own"),
        (lambda: functional((8, 8, 3), Layers.Lambda(tf.nn.relu, name="sly")), r"received a Lambda layer \(sly\)"),
    ],
)
def test_networks_that_cannot_be_looked_at_are_refused(
    make: Callable[[], keras.Model], said: str, tmp_path: Path
) -> None:
    path = saved(tmp_path, make())
    with pytest.raises(NetworkError, match=said) as caught:
        facts(ref(path))
    assert str(caught.value).startswith(f"{path}: expected ")
    assert "\n" not in str(caught.value)


def test_a_refusal_comes_through_from_another_process(tmp_path: Path) -> None:
    path = saved(tmp_path, two_inputs())
    code = (
        "import sys; from atlas.errors import NetworkError; from atlas.networks.record import record\n"
        "try: record(sys.argv[1])\n"
        "except NetworkError as error: print(error, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{path}: expected a model of one picture, received one of 2 inputs")
    assert done.stdout.endswith(" False\n")


def test_an_unknown_class_is_one_sentence(tmp_path: Path) -> None:
    path = saved(tmp_path, classifier())
    altered = tmp_path / "altered.keras"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(altered, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data.replace(b'"MaxPooling2D"', b'"MaxPooling9D"') if name == "config.json" else data)
    with pytest.raises(
        NetworkError, match=r"expected a network that Keras .* can open, received .* the class MaxPooling9D \(pool\): "
    ) as caught:
        facts(ref(altered))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "cut", "empty archive", "outside", "linked weights"])
def test_files_that_are_no_network_are_one_sentence(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.keras"
    good = saved(tmp_path, classifier())
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("hello")
    elif kind == "cut":
        path.write_bytes(good.read_bytes()[:2000])
    elif kind == "empty archive":
        with zipfile.ZipFile(path, "w"):
            pass
    elif kind == "outside":
        shutil.copy(good, path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("../outside.txt", "x")
    elif kind == "linked weights":
        with h5py.File(tmp_path / "w.h5", "w") as file:
            file["layers"] = h5py.ExternalLink("/etc/passwd", "/")
        with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", source.read("config.json"))
            archive.writestr("model.weights.h5", (tmp_path / "w.h5").read_bytes())
    with pytest.raises(NetworkError, match="expected ") as caught:
        load(ref(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "outside.txt").exists()


def test_imagenet_weights_of_an_own_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"only networks of keras\.applications have those"):
        locate(ref(saved(tmp_path, classifier()), "imagenet"))


def test_a_lambda_hidden_deep_is_found(tmp_path: Path) -> None:
    path = saved(tmp_path, classifier())
    hidden = tmp_path / "hidden.keras"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(hidden, "w") as target:
        config = json.loads(source.read("config.json"))
        config["config"]["layers"][1]["config"]["activation"] = {"class_name": "__lambda__", "config": {"value": "x"}}
        target.writestr("config.json", json.dumps(config))
        target.writestr("model.weights.h5", source.read("model.weights.h5"))
    with pytest.raises(NetworkError, match="received a lambda function"):
        facts(ref(hidden))


def counted(first: int) -> keras.Model:
    """Four convolutions with the names that Keras gives them, counted from ``first`` on."""
    keras.utils.clear_session()
    for _ in range(first):
        Layers.Conv2D(2, 1)
    given = made = keras.Input((12, 12, 3))
    for channels in (2, 3, 4, 5):
        made = Layers.Conv2D(channels, 3, activation="relu")(made)
    return keras.Model(given, made)


def test_layers_have_the_names_that_the_file_has(tmp_path: Path) -> None:
    path = saved(tmp_path, counted(first=1))
    for already in (0, 3):  # whatever Keras has counted in this process
        keras.utils.clear_session()
        for _ in range(already):
            Layers.Conv2D(2, 1)
        network = load(ref(path))
        assert [layer.name for layer in network.facts.layers] == ["conv2d_1", "conv2d_2", "conv2d_3", "conv2d_4"]
        assert network.cut("conv2d_2").main.channels == 3
    with pytest.raises(NetworkError, match=r"expected a layer of mine\.keras, received 'conv2d'; did you mean conv2d_"):
        network.cut("conv2d")


def test_weights_by_name_have_the_names_that_the_file_has(tmp_path: Path) -> None:
    model = counted(first=7)
    path = saved(tmp_path, model)
    names = ["conv2d_7/kernel", "conv2d_7/bias", "conv2d_8/kernel", "conv2d_8/bias"]
    assert [weight.name for weight in weights_of(open_model(path))][:4] == names
    arrays = {weight.name: weight.variable.numpy() + 1 for weight in weights_of(model)}
    (tmp_path / "w.safetensors").write_bytes(encode(arrays))
    network = load(ref(path, str(tmp_path / "w.safetensors")))
    np.testing.assert_array_equal(network.model.get_layer("conv2d_8").kernel, arrays["conv2d_8/kernel"])


def test_names_within_nested_models_and_of_further_calls_are_all_different(tmp_path: Path) -> None:
    def block(name: str) -> keras.Model:
        inside = [keras.Input((8, 8, 3)), Layers.Conv2D(3, 1, name="conv"), Layers.ReLU(name="out")]
        return keras.Sequential(inside, name=name)

    one, other, shared = block("one"), block("other"), Layers.Conv2D(3, 1, activation="relu", name="shared")
    given = keras.Input((8, 8, 3))
    made = one(other(one(given)))
    taken = Layers.Conv2D(3, 1, activation="relu", name="shared-2")(shared(shared(made)))
    path = saved(tmp_path, keras.Model(given, Layers.ReLU(name="one.out")(taken)))
    graph = flatten(open_model(path))
    names = [node.name for node in graph.nodes if node.function == "relu"]
    assert names == ["one.out", "other.out", "one-2.out", "shared", "shared-3", "shared-2", "one.out-2"]
    pictures = np.random.default_rng(0).random((2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(
        Seen(graph, tf.constant(pictures)).value(graph.output), open_model(path)(pictures), atol=1e-6
    )


@pytest.mark.parametrize("name", ["a b", "a:b", "über", "a+b", "_a", "[a]", "index"])
def test_any_name_can_be_traced(name: str, tmp_path: Path) -> None:
    given = keras.Input((16, 16, 3))
    pooled = Layers.MaxPooling2D(name=name)(given)
    path = saved(tmp_path, keras.Model(given, Layers.Conv2D(3, 3, activation="relu", name="last")(pooled)))
    found = facts(ref(path))
    assert [layer.name for layer in found.layers] == [name, "last"]
    assert (found.note, found.smallest) == ("", 8)
