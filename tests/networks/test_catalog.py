import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from atlas.errors import NetworkError
from atlas.networks import describe, record
from atlas.networks.architectures import build
from atlas.networks.catalog import facts
from atlas.networks.graph import flatten
from atlas.networks.known import FOLDER, INCEPTIONV3_NAMES, KNOWN
from atlas.networks.seen import Seen
from atlas.spec.facts import LayerFacts, NetworkRef, Preprocessing
from tests.scripts import script


def known(network: str) -> tuple[LayerFacts, ...]:
    return facts(NetworkRef(network, "imagenet")).layers


@pytest.mark.parametrize("network", KNOWN)
def test_what_is_known_without_keras_is_what_keras_builds(network: str) -> None:
    made = script("make_records").made(network)
    assert record.record(network) == made
    assert script("make_records").text(made) == (FOLDER / f"{network}.json").read_text()


def test_inceptionv3_s_stem_and_branches_have_names() -> None:
    model, _ = build("inceptionv3")
    found = {layer.name: layer for layer in describe.layers(flatten(model))}
    listed = [layer for layer in known("inceptionv3") if layer.listed]
    for layer in listed:
        (name,) = [name for name, ours in INCEPTIONV3_NAMES.items() if ours == layer.name]
        built = found[name]
        assert replace(built, name=layer.name, branches=()) == replace(layer, branches=())
        assert [(b.first, b.last) for b in built.branches] == [(b.first, b.last) for b in layer.branches]
        copies = [INCEPTIONV3_NAMES.get(branch.copies, "") for branch in built.branches]
        assert copies == [branch.copies for branch in layer.branches]
    assert len(listed) == len(INCEPTIONV3_NAMES)
    named = {layer.name: layer for layer in known("inceptionv3") if not layer.listed}
    assert named == {
        name: replace(built, feature=False, listed=False)
        for name, built in found.items()
        if name not in INCEPTIONV3_NAMES
    }


def test_totals_of_the_known_networks() -> None:
    vgg16, vgg19, inceptionv3 = (facts(NetworkRef(name, "imagenet")) for name in ("vgg16", "vgg19", "inceptionv3"))
    assert (len(vgg16.feature_layers), sum(layer.channels for layer in vgg16.feature_layers)) == (13, 4224)
    assert (vgg16.title, vgg16.size, vgg16.smallest) == ("VGG16", 224, 32)
    assert (len(vgg19.feature_layers), sum(layer.channels for layer in vgg19.feature_layers)) == (16, 5504)
    assert (len(inceptionv3.feature_layers), sum(layer.channels for layer in inceptionv3.feature_layers)) == (16, 10448)
    assert (vgg19.title, vgg19.size, vgg19.smallest) == ("VGG19", 224, 32)
    assert (inceptionv3.title, inceptionv3.size, inceptionv3.smallest) == ("InceptionV3", 299, 75)
    mixed3 = inceptionv3.layer("mixed3")
    assert mixed3 is not None
    assert (mixed3.branches[-1].name, mixed3.branches[-1].first, mixed3.branches[-1].last) == ("pool", 480, 767)


def test_the_receptive_field_is_the_true_one() -> None:
    """The gradient of one neuron of mixed2 reaches exactly as far as the catalog says."""
    model, _ = build("inceptionv3")
    from atlas.networks.fill import fill_at_random

    fill_at_random(model, 0)
    graph = flatten(model)
    value = graph.value("mixed2")
    assert value is not None
    picture = tf.random.stateless_uniform((1, 299, 299, 3), (1, 2))
    with tf.GradientTape() as tape:
        tape.watch(picture)
        found = Seen(graph, picture).value(value)
        score = tf.reduce_sum(found[:, 17, 17])
    reached = tf.reduce_max(tf.abs(tape.gradient(score, picture)), (0, 3)).numpy() > 0
    rows, columns = reached.any(1).nonzero()[0], reached.any(0).nonzero()[0]
    assert (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) == (127, 127)


@pytest.mark.clock
def test_known_facts_need_no_tensorflow_and_no_time() -> None:
    code = (
        "import sys, time; from atlas.networks.catalog import facts, networks; from atlas.spec.facts import NetworkRef;"
        "from atlas.networks.weights import available, locate;"
        "start = time.perf_counter(); ref = NetworkRef('inceptionv3', 'embedded');"
        "facts(ref); facts(NetworkRef('vgg19', 'imagenet')); networks(); available(ref, 'mixed5'); locate(ref);"
        "print(time.perf_counter() - start); assert not {'tensorflow', 'keras', 'h5py'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.2


def test_a_record_is_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    find = record.find
    monkeypatch.setattr(record, "find", lambda network, classes: made.append(network) or find(network, classes))
    first = facts(NetworkRef("mobilenetv2", "imagenet"))
    assert facts(NetworkRef("mobilenetv2", "random")) == first
    bottleneck = first.layer("block_1_project_BN")  # without an activation, and so in no list
    assert bottleneck is not None
    assert (bottleneck.kind, bottleneck.channels, bottleneck.listed, bottleneck.feature) == ("map", 24, False, False)
    assert made == ["mobilenetv2"]
    (kept,) = (tmp_path / "cache/atlas/networks").iterdir()
    assert kept.name.startswith(f"mobilenetv2-keras{keras.__version__}-")
    whole = kept.read_bytes()
    altered = [b"", b"{", whole[:-1], bytes(len(whole)), b'{"layers": []}', b'[{"name": "a"}]', b"null"]
    altered += [whole.replace(b'"channels":96', b'"channels":97'), whole.replace(b'"size":224', b'"size":225')]
    for count, data in enumerate(altered, 2):
        kept.write_bytes(data)
        assert facts(NetworkRef("mobilenetv2", "imagenet")) == first
        assert made == ["mobilenetv2"] * count
        assert kept.read_bytes() == whole


def test_a_cache_folder_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert facts(NetworkRef("mobilenet", "imagenet")).feature_layers[-1].name == "conv_pw_13_relu"


@pytest.mark.clock
def test_a_record_is_found_in_another_process(tmp_path: Path) -> None:
    code = (
        "import sys; from atlas.networks.catalog import facts; from atlas.spec.facts import NetworkRef;"
        "print(len(facts(NetworkRef('vgg16', 'imagenet', classes=True)).layers));"
        "assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout == "22\n"
    (kept,) = (tmp_path / "cache/atlas/networks").iterdir()
    start = time.perf_counter()
    assert asdict(record.record("vgg16", True)) == asdict(record.find("vgg16", True))
    assert time.perf_counter() - start < 5
    assert kept.stat().st_size > 1000


def test_resnet_layers_are_those_a_user_names() -> None:
    names = [layer.name for layer in known("resnet50") if layer.feature]
    assert names[:4] == ["conv1_relu", "conv2_block1_1_relu", "conv2_block1_2_relu", "conv2_block1_out"]
    assert not [name for name in names if name.endswith(("_add", "_bn", "_conv", "_pad"))]
    assert all(layer.activation == "relu" and not layer.behind for layer in known("resnet50") if layer.listed)


def test_what_atlas_computes_its_own_way_is_known_from_where_it_is() -> None:
    given = keras.Input((None, None, 3))
    first = keras.layers.Conv2D(8, 3, name="first")(given)
    apart = keras.layers.Conv2D(8, 3, groups=4, name="apart")(first)
    normed = keras.layers.LayerNormalization(name="normed")(keras.layers.DepthwiseConv2D(3, name="depth")(apart))
    last = keras.layers.Conv2D(5, 1, activation="gelu", name="last")(normed)
    found = {layer.name: layer.own_ways for layer in describe.layers(flatten(keras.Model(given, last)))}
    groups, both = ("groups",), ("groups", "layer_norms")
    assert found == {"first": (), "apart": groups, "depth": groups, "normed": both, "last": ("gelu", *both)}
    assert not any(layer.own_ways for name in ("resnet50", "efficientnetb0") for layer in known(name))


def test_the_smallest_batch_is_known_before_anything_is_loaded() -> None:
    assert {layer.smallest_batch for layer in known("resnet50")} == {2}
    soft = {layer.name: layer.smallest_batch for layer in known("efficientnetb0")}
    assert soft["stem_activation"] == soft["block5a_activation"] == 8
    assert {layer.smallest_batch for layer in known("inceptionresnetv2")} == {2}


def test_squeeze_and_excitation_sees_the_whole_picture_and_is_not_listed() -> None:
    layers = {layer.name: layer for layer in known("efficientnetb0") if layer.listed}
    assert not [name for name in layers if "_se_" in name]
    assert layers["stem_activation"].receptive_field == 3
    assert layers["block2a_expand_activation"].receptive_field is None
    assert layers["block2a_expand_activation"].stride == 2


def test_nasnet_says_that_it_resizes() -> None:
    found = facts(NetworkRef("nasnetmobile", "imagenet"))
    assert found.note == "Pictures are resized to 224 x 224 inside the graph, since the network takes no other size."
    assert record.record("nasnetmobile").fixed == (224, 224)


def test_preprocessing_can_be_overridden() -> None:
    own = Preprocessing("bgr", (1.0, 2.0, 3.0), (0.0, 0.0, 1.0))
    assert facts(NetworkRef("vgg19", "imagenet", preprocessing=own)).preprocessing == own


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        *(("vgg91", "vgg19"), ("InceptionV3", "inceptionv3"), ("resnet-50", "resnet50"), ("xeption", "xception")),
        *(("efficientnet_v2_s", "efficientnetv2s"), ("nasnetmob", "nasnetmobile"), ("densenet112", "densenet121")),
    ],
)
def test_unknown_networks_name_the_nearest(wrong: str, right: str) -> None:
    with pytest.raises(NetworkError, match=rf"received '{wrong}'; did you mean {right}\?"):
        facts(NetworkRef(wrong, "imagenet"))


@pytest.mark.parametrize(
    ("wrong", "family"),
    [
        ("resnet18", "resnet101, resnet101v2, resnet152, resnet152v2, resnet50, resnet50v2"),
        ("vgg13", "vgg16, vgg19"),
        ("densenet161", "densenet121, densenet169, densenet201"),
        ("inceptionv1", "inceptionresnetv2, inceptionv3"),
        ("mobilenetv3", "mobilenetv3large, mobilenetv3small"),
    ],
)
def test_another_number_is_another_network_whose_family_is_listed(wrong: str, family: str) -> None:
    with pytest.raises(NetworkError, match=f"received '{wrong}'; known are {family}; save any other with Keras"):
        facts(NetworkRef(wrong, "imagenet"))


@pytest.mark.parametrize("wrong", ["qqqq", "alexnet", "yolov8", ""])
def test_nothing_near_lists_what_there_is(wrong: str) -> None:
    with pytest.raises(NetworkError, match=r"known are convnextbase, convnextlarge.*and give its \.keras file"):
        facts(NetworkRef(wrong, "imagenet"))


def test_what_lies_there_by_that_name_is_not_taken_for_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flowers").mkdir()
    (tmp_path / "vgg19").mkdir()
    with pytest.raises(
        NetworkError, match=r"received 'flowers'; to name what lies here by that name, write \./flowers"
    ):
        facts(NetworkRef("flowers", "imagenet"))
    assert facts(NetworkRef("vgg19", "imagenet")).title == "VGG19"
