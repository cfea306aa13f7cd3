"""Classes only where there are classes: which output of a network tells them."""

import re
from pathlib import Path
from typing import Any

import keras
import pytest

from atlas.errors import ConfigError, NetworkError
from atlas.networks.answers import catalog
from atlas.networks.catalog import facts
from atlas.networks.graph import flatten
from atlas.spec.facts import NetworkRef, Preprocessing
from atlas.spec.load import check_request
from atlas.spec.plan import make_plan

Layers = keras.layers


def pooled() -> tuple[Any, Any]:
    given = keras.Input((16, 16, 3))
    return given, Layers.GlobalAveragePooling2D(name="embedding")(Layers.Conv2D(4, 3, name="maps")(given))


def ending(*names: str) -> keras.Model:
    """A network with the outputs of some names."""
    given, vector = pooled()
    logits = Layers.Dense(3, name="logits")(vector)
    outputs = {
        "embedding": vector,
        "angle": Layers.Dense(1, name="angle")(vector),
        "box": Layers.Dense(4, name="box")(vector),
        "logits": logits,
        "softmax": Layers.Dense(3, activation="softmax", name="softmax")(vector),
        "labels": Layers.Dense(5, activation="sigmoid", name="labels")(vector),
        "binary": Layers.Dense(1, activation="sigmoid", name="binary")(vector),
        "apart": Layers.Softmax(name="apart")(logits),
        "operation": keras.ops.softmax(logits),
        "log": Layers.Activation("log_softmax", name="log")(logits),
        "kept": Layers.Dropout(0.5, name="kept")(Layers.Activation("softmax", name="inside")(logits)),
        "unit": Layers.UnitNormalization(name="unit")(vector),
        "tanh": Layers.Dense(3, activation="tanh", name="tanh")(vector),
        "map": Layers.Conv2D(3, 1, activation="softmax", name="map")(given),
    }
    return keras.Model(given, [outputs[name] for name in names])


@pytest.mark.parametrize("name", ["embedding", "angle", "box", "logits", "binary", "unit", "tanh", "map"])
def test_what_says_nothing_of_classes_has_none(name: str) -> None:
    assert flatten(ending(name)).head is None


@pytest.mark.parametrize(
    ("names", "layer", "sigmoid"),
    [
        (["softmax"], "softmax", False),
        (["labels"], "labels", True),
        (["apart"], "apart", False),
        (["operation"], "softmax", False),
        (["log"], "log", False),
        (["kept"], "inside", False),
        (["box", "softmax"], "softmax", False),
        (["embedding", "angle", "labels", "softmax"], "labels", True),
    ],
)
def test_the_output_that_tells_classes_is_found(names: list[str], layer: str, sigmoid: bool) -> None:
    graph = flatten(ending(*names))
    assert graph.head is not None
    assert (re.sub(r"_\d+$", "", graph.head.layer), graph.head.sigmoid) == (layer, sigmoid)
    assert graph.shape_of(graph.head.logits) == (None, 5 if layer == "labels" else 3)
    assert graph.nodes[graph.head.logits[0]].function == ""


@pytest.mark.parametrize(
    ("names", "classes", "layer"),
    [
        (["logits"], True, "logits"),
        (["logits"], "logits", "logits"),
        (["binary"], True, "binary"),
        (["angle", "logits"], True, "logits"),
        (["box", "logits"], "logits", "logits"),
        (["softmax", "labels"], "labels", "labels"),
        (["softmax", "box"], True, "softmax"),
    ],
)
def test_a_person_says_that_they_are_classes_or_which(names: list[str], classes: bool | str, layer: str) -> None:
    head = flatten(ending(*names), classes).head
    assert head is not None
    assert head.layer == layer


@pytest.mark.parametrize(
    ("names", "classes", "said"),
    [
        (["angle"], True, "expected one output of classes (n, classes), received none"),
        (["map"], True, "expected one output of classes (n, classes), received none"),
        (["box", "logits"], True, "received box, logits; write classes: box"),
        (["box", "softmax"], "clas", "received 'clas'; choose among box, softmax"),
    ],
)
def test_what_cannot_be_is_one_sentence(names: list[str], classes: bool | str, said: str) -> None:
    with pytest.raises(NetworkError) as caught:
        flatten(ending(*names), classes)
    assert said in str(caught.value)


def test_the_chosen_output_in_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "two.keras"
    ending("box", "softmax", "labels").save(path)
    asked = {"network": str(path), "preprocessing": "none", "layers": ["maps"]}

    def keys(**more: Any) -> list[str]:
        request = check_request(asked | more, catalog())
        assert request.facts.classifier is not None
        found = [(layer.name, layer.channels) for layer in request.facts.layers if layer.kind == "classes"]
        assert found == [("labels", 5) if more.get("classes") == "labels" else ("softmax", 3)]
        assert not more or request.ref.classes == more["classes"]
        return [job.key for _, job in make_plan(request, "weights").jobs()]

    assert keys() == keys(classes=True)  # saying what the file says changes no picture
    assert keys() != keys(classes="labels")
    with pytest.raises(ConfigError, match=r"two\.keras: classes: expected the name of an output"):
        check_request(asked | {"classes": "map"}, catalog())
    with pytest.raises(ConfigError, match="classes: expected true or false with vgg19, received 'predictions'"):
        check_request({"network": "vgg19", "classes": "predictions"}, catalog())


def test_logits_are_classes_where_the_configuration_says_so(tmp_path: Path) -> None:
    path = tmp_path / "logits.keras"
    ending("logits").save(path)
    none, some = (
        facts(NetworkRef(str(path), "own", preprocessing=Preprocessing(), classes=classes)) for classes in (False, True)
    )
    assert none.classifier is None
    assert some.classifier is not None
    assert some.classifier.name == "logits"
    vector = none.layer("logits")
    assert vector is not None
    assert (vector.kind, vector.channels, vector.listed) == ("vector", 3, False)
