"""What of a ``.keras`` file is needed, what is left out, and why a file cannot be opened."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from atlas.errors import NetworkError, WeightsError
from atlas.networks import archive, own
from atlas.networks.catalog import facts
from atlas.networks.fill import fill_at_random, fill_from_file
from atlas.networks.graph import flatten
from atlas.networks.seen import Seen
from atlas.spec.facts import NetworkRef, Preprocessing

Layers = keras.layers
PLAIN = Preprocessing("rgb", (1.0, 1.0, 1.0))


class Odd(keras.losses.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return y_pred


class Count(keras.metrics.Metric):
    pass


class Slow(keras.optimizers.SGD):
    pass


class Small(keras.regularizers.Regularizer):
    def __call__(self, values: Any) -> Any:
        return tf.constant(0.0)

    def get_config(self) -> dict[str, Any]:
        return {}


class Flat(keras.constraints.Constraint):
    def __call__(self, values: Any) -> Any:
        return values


class Tens(keras.initializers.Initializer):
    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return tf.fill(shape, 10.0)

    def get_config(self) -> dict[str, Any]:
        return {}


def network(**more: Any) -> keras.Model:
    """A convolution that is normalised, and one behind it; ``more`` goes to the first."""
    keras.utils.set_random_seed(0)
    given = keras.Input((12, 12, 3))
    first = Layers.BatchNormalization(name="norm")(Layers.Conv2D(4, 3, name="first", **more)(given))
    second = Layers.Conv2D(5, 3, activation="relu", name="second")(Layers.ReLU(name="rectified")(first))
    return keras.Model(given, Layers.Dense(6, name="head")(Layers.GlobalAveragePooling2D(name="mean")(second)))


def ref(path: Path) -> NetworkRef:
    return NetworkRef(str(path), "own", preprocessing=PLAIN)


def saved(path: Path, model: keras.Model) -> Path:
    model.save(path)
    return path


def changed(path: Path, change: Callable[[dict[str, Any]], Any], version: str = keras.__version__) -> Path:
    """A copy of a file with another configuration, as ``version`` of Keras saved it."""
    other = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as target:
        config = json.loads(source.read("config.json"))
        target.writestr("config.json", json.dumps(change(config) or config))
        target.writestr("metadata.json", json.dumps({"keras_version": version}))
        target.writestr("model.weights.h5", source.read("model.weights.h5"))
    return other


def same(path: Path, model: keras.Model, *layers: str, tolerance: float = 1e-5) -> None:
    """What a file's layers make of pictures is what the model's own make of them."""
    graph = flatten(own.open_model(path))
    pictures = np.random.default_rng(0).random((2, 12, 12, 3)).astype(np.float32)
    outputs = [model.get_layer(layer).output for layer in layers]
    *expected, _ = keras.Model(model.input, [*outputs, model.output])(pictures, training=False)
    for layer, wanted in zip(layers, expected, strict=True):
        value = graph.value(layer)
        assert value is not None
        found = tf.cast(Seen(graph, tf.constant(pictures)).value(value), tf.float32).numpy()
        scale = np.abs(found).max()
        assert scale > 0
        np.testing.assert_allclose(found / scale, tf.cast(wanted, tf.float32).numpy() / scale, atol=tolerance)


def nested() -> keras.Model:
    inner = network()
    inner.compile("sgd", lambda y_true, y_pred: y_pred)
    given = keras.Input((12, 12, 3))
    return keras.Model(given, Layers.Dense(2, name="last")(inner(given)))


LAMBDA = pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")


@LAMBDA
@pytest.mark.parametrize(
    "training",
    [
        {"loss": lambda y_true, y_pred: y_pred},
        {"loss": Odd()},
        {"loss": "mse", "metrics": [Count()]},
        {"loss": "mse", "optimizer": Slow()},
    ],
    ids=["lambda", "loss", "metric", "optimizer"],
)
def test_how_a_network_was_trained_does_not_matter(training: dict[str, Any], tmp_path: Path) -> None:
    model = network()
    model.compile(**training)
    same(saved(tmp_path / "a.keras", model), model, "second")


@LAMBDA
@pytest.mark.parametrize(
    "more",
    [
        {"kernel_regularizer": Small()},
        {"activity_regularizer": Small(), "bias_constraint": Flat()},
        {"kernel_initializer": Tens()},
        {"kernel_initializer": lambda shape, dtype=None: tf.ones(shape)},
    ],
    ids=["regularizer", "constraint", "initializer", "lambda"],
)
def test_what_shaped_the_weights_does_not_matter(more: dict[str, Any], tmp_path: Path) -> None:
    model = network(**more)
    same(saved(tmp_path / "a.keras", model), model, "second")


@LAMBDA
def test_a_nested_network_that_was_compiled_is_not_compiled_again(tmp_path: Path) -> None:
    model = nested()
    path = saved(tmp_path / "a.keras", model)
    names = [layer.name for layer in facts(ref(path)).feature_layers]
    inner = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    assert names == [f"{inner.name}.rectified", f"{inner.name}.second"]


@pytest.mark.parametrize("policy", ["bfloat16", "float16", "mixed_bfloat16", "mixed_float16", "float64"])
def test_every_type_of_numbers_gives_keras_s_own_values(policy: str, tmp_path: Path) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        model = network()
    finally:
        keras.config.set_dtype_policy("float32")
    path = saved(tmp_path / "a.keras", model)
    same(path, model, "rectified", "second", "head")
    assert [layer.name for layer in facts(ref(path)).layers if layer.listed] == ["rectified", "second"]


@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_networks_that_keras_quantised_are_opened(mode: str, tmp_path: Path) -> None:
    model = network()
    model.get_layer("head").quantize(mode)
    path = saved(tmp_path / "a.keras", model)
    same(path, model, "second", "head")


def test_a_network_that_keras_itself_cannot_run_is_one_sentence(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.keras", network(dtype="float8_from_float32"))
    with pytest.raises(NetworkError, match=r"expected a network that Keras can run, .* Conv2D does not have") as caught:
        facts(ref(path))
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_sixteen_bits_fill_a_network_of_any_type(suffix: str, tmp_path: Path) -> None:
    keras.config.set_dtype_policy("bfloat16")
    try:
        model, other = network(), network()
    finally:
        keras.config.set_dtype_policy("float32")
    path = tmp_path / f"w{suffix}"
    (model.save if suffix == ".keras" else model.save_weights)(path)
    fill_at_random(other, seed=3)
    plain = network()
    for filled in (other, plain):
        assert not np.array_equal(filled.get_layer("first").kernel, model.get_layer("first").kernel)
        fill_from_file(filled, path)
        for found, expected in zip(filled.weights, model.weights, strict=True):
            np.testing.assert_array_equal(tf.cast(found.value, tf.float32), tf.cast(expected.value, tf.float32))


def test_two_bytes_of_anything_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.weights.h5"
    network().save_weights(path)
    with h5py.File(path, "a") as file:
        file["layers/odd"] = np.zeros(3, "V2")
    with pytest.raises(WeightsError, match=r"expected plain arrays, received data of type \|V2 at /layers/odd"):
        fill_from_file(network(), path)


def mine(values: Any) -> Any:
    return values


def with_function() -> keras.Model:
    return network(activation=mine)


def with_lambda() -> keras.Model:
    return network(activation=lambda values: values)


@LAMBDA
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            with_function,
            "of which it refuses the function mine: Could not locate function 'mine'; replace that part and save",
        ),
        (with_lambda, r"expected layers only, received a lambda function \(first\), which is code"),
    ],
)
def test_code_that_runs_forward_is_refused(make: Callable[[], keras.Model], said: str, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=said):
        facts(ref(saved(tmp_path / "a.keras", make())))


class Trained(keras.Model):
    def train_step(self, data: Any) -> dict[str, Any]:
        return {}


def test_a_graph_of_layers_by_a_class_of_one_s_own_is_told_how_to_save_them_alone(tmp_path: Path) -> None:
    model = network()
    own_class = Trained(model.inputs, model.outputs)
    path = saved(tmp_path / "a.keras", own_class)
    with pytest.raises(
        NetworkError, match=r"received the class Trained \(.*\) of \S*test_archive, whose own"
    ) as caught:
        facts(ref(path))
    assert str(caught.value).endswith("save these alone: keras.Model(model.inputs, model.outputs).save('a.keras')")
    same(saved(path, keras.Model(own_class.inputs, own_class.outputs)), model, "second")


def rotated() -> keras.Model:
    given = keras.Input((12, 12, 3))
    turned = Layers.RandomRotation(0.1, name="turned")(given)
    return keras.Model(given, Layers.Conv2D(4, 3, name="conv")(turned))


def of_keras_3_3(config: dict[str, Any]) -> None:
    config["config"]["layers"][1]["config"]["value_range"] = [0, 255]


def of_keras_99(config: dict[str, Any]) -> None:
    config["config"]["layers"][2]["class_name"] = "Conv9D"


@pytest.mark.parametrize(
    ("change", "version", "refused", "advice"),
    [
        (of_keras_3_3, "3.3.3", r"the class RandomRotation \(turned\): .*value_range.*; ", "pip install keras==3.3.3"),
        (of_keras_99, "99.1.0", r"the class Conv9D \(conv\): Could not ", "'keras>=99.1.0'"),
        (of_keras_99, keras.__version__, r"the class Conv9D", "; replace that part and save it again"),
    ],
)
def test_why_keras_cannot_open_a_file_is_said(
    change: Callable[[dict[str, Any]], None], version: str, refused: str, advice: str, tmp_path: Path
) -> None:
    path = changed(saved(tmp_path / "a.keras", rotated()), change, version)
    with pytest.raises(NetworkError) as caught:
        facts(ref(path))
    said = str(caught.value).removeprefix(f"{path}: ")
    begin = f"expected a network that Keras {keras.__version__} can open, received one that Keras {version} saved, "
    assert said.startswith(begin + "of which it refuses ")
    assert advice in said
    assert "\n" not in said
    assert "class_name" not in said
    with pytest.raises(NetworkError, match=refused):
        facts(ref(path))


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_weights_that_do_not_fit_are_said(tmp_path: Path) -> None:
    def smaller(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["config"]["kernel_size"] = [1, 1]

    with pytest.raises(NetworkError, match=r"could not be loaded.*first.*shape") as caught:
        facts(ref(changed(saved(tmp_path / "a.keras", network()), smaller)))
    assert "List of" not in str(caught.value)


def old(module: str) -> Callable[[dict[str, Any]], None]:
    """A configuration as Keras 2 wrote it: a module that is no more, and shapes by their old name."""

    def change(config: dict[str, Any]) -> None:
        config.update(module=module, registered_name="Functional")
        first = config["config"]["layers"][0]["config"]
        first["batch_input_shape"] = first.pop("batch_shape")

    return change


@pytest.mark.parametrize(
    ("module", "version"),
    [
        ("keras.src.engine.functional", "2.15.0"),
        ("keras.engine.functional", "2.12.0"),
        ("tf_keras.src.engine.functional", "2.21.0"),
    ],
)
def test_a_file_of_keras_2_is_told_the_way_to_keras_3(module: str, version: str, tmp_path: Path) -> None:
    path = changed(saved(tmp_path / "a.keras", network()), old(module), version)
    with pytest.raises(NetworkError) as caught:
        facts(ref(path))
    assert str(caught.value) == (
        f"{path}: expected a file of Keras 3, received one that Keras {version} saved, which is not read yet; open it "
        "with that Keras, save it there with model.save('changed.h5'), and write it anew with Keras 3: "
        "keras.models.load_model('changed.h5', compile=False).save('changed.keras')"
    )


def test_the_way_from_keras_2_ends_in_a_file_that_is_opened(tmp_path: Path) -> None:
    model = network()
    model.save(tmp_path / "old.h5")
    keras.models.load_model(tmp_path / "old.h5", compile=False).save(tmp_path / "new.keras")
    same(tmp_path / "new.keras", model, "second")


def test_layers_of_a_package_that_is_not_there_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hub(config: dict[str, Any]) -> None:
        config["config"]["layers"][1].update(
            module="keras_hub.src.models.resnet.resnet_backbone",
            class_name="ResNetBackbone",
            registered_name="keras_hub>ResNetBackbone",
        )

    monkeypatch.setattr(archive, "find_spec", lambda name: None)
    path = changed(saved(tmp_path / "a.keras", network()), hub)
    with pytest.raises(NetworkError, match=r"ResNetBackbone \(first\) of keras_hub, .*: pip install keras-hub$"):
        facts(ref(path))


@pytest.mark.parametrize(
    ("member", "content"),
    [
        ("config.json", b"[]"),
        ("config.json", b'{"a": 1}'),
        ("config.json", b"[" * 100_000 + b"]" * 100_000),
        ("config.json", b"\xff"),
        ("metadata.json", b"3"),
        ("metadata.json", b"{"),
    ],
    ids=["list", "no network", "deep", "no text", "no version", "half"],
)
def test_what_no_keras_wrote_is_one_sentence(member: str, content: bytes, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.keras", network())
    other = tmp_path / "b.keras"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            target.writestr(name, content if name == member else source.read(name))
    with pytest.raises(NetworkError, match=r"b\.keras: expected a whole \.keras file as model\.save writes it"):
        archive.read(other)


def test_a_small_file_of_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGE", 10_000)
    with zipfile.ZipFile(tmp_path / "a.keras", "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("config.json", b" " * 1_000_000)
    with pytest.raises(NetworkError, match=r"received one whose config\.json unpacks to 1,000,000 bytes"):
        archive.read(tmp_path / "a.keras")
