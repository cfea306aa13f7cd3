"""Receptive fields and strides: right values for computations of every kind, and against gradients through networks."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import keras
import pytest
from keras import ops

from atlas.networks import describe
from atlas.networks.architectures import build
from atlas.networks.graph import flatten
from tests.scripts import script

Layers = keras.layers
EVERYTHING = None


@pytest.fixture(scope="module", name="script")
def loaded() -> ModuleType:
    return script("receptive_fields")


def seen(before: Callable[[Any], Any], side: int | None = 64) -> tuple[int | None, int]:
    """Receptive field and stride of a 3x3 convolution behind some computation."""
    given = keras.Input((side, side, 3))
    out = Layers.Conv2D(2, 3, padding="same", name="last")(before(given))
    (last,) = [layer for layer in describe.layers(flatten(keras.Model(given, out))) if layer.name == "last"]
    return last.receptive_field, last.stride


@pytest.mark.parametrize(
    "before",
    [
        Layers.RandomFlip(),
        Layers.RandomRotation(0.1),
        Layers.RandomBrightness(0.1),
        Layers.CenterCrop(32, 32),
        Layers.ReLU(),
        Layers.PReLU(),
        lambda x: x[..., ::-1],
        lambda x: x[:, 4:-4, 4:-4],
        lambda x: ops.cast(x, "float32"),
        lambda x: ops.clip(x, 0, 1),
        ops.sqrt,
        lambda x: x / 255.0 - 0.5,
        lambda x: 1 - x,
        lambda x: x**2,
        lambda x: x * ops.cast(x > 0.5, "float32"),
        lambda x: ops.softmax(x, axis=-1),
        lambda x: ops.split(x, 3, axis=-1)[0],
        lambda x: ops.pad(x, [[0, 0], [2, 2], [2, 2], [0, 0]]),
        lambda x: ops.flip(x, axis=1),
        lambda x: ops.round(x),
    ],
)
def test_what_changes_no_place_adds_nothing(before: Callable[[Any], Any]) -> None:
    assert seen(before) == (3, 1)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (lambda x: x - ops.mean(x, axis=(1, 2), keepdims=True), (EVERYTHING, 1)),
        (Layers.GroupNormalization(3), (EVERYTHING, 1)),
        (lambda x: Layers.LayerNormalization(axis=[1, 2, 3])(x), (EVERYTHING, 1)),
        (lambda x: Layers.Softmax(axis=(1, 2))(x), (EVERYTHING, 1)),
        (lambda x: x + ops.flip(x, axis=1), (EVERYTHING, 1)),
        (lambda x: x * Layers.Dense(3)(Layers.GlobalAveragePooling2D(keepdims=True)(x)), (EVERYTHING, 1)),
        (
            lambda x: Layers.Reshape((64, 64, 1))(Layers.Dense(4096)(Layers.Flatten()(Layers.MaxPooling2D(8)(x)))),
            (EVERYTHING, 1),
        ),
        (Layers.MaxPooling2D(2), (6, 2)),
        (Layers.Resizing(32, 32), (6, 2)),  # each place lies between two
        (Layers.Resizing(32, 32, interpolation="nearest"), (5, 2)),
        (Layers.UpSampling2D(2), (2, 1)),
        (Layers.UpSampling2D(2, interpolation="bilinear"), (3, 1)),
        (lambda x: Layers.UpSampling2D(2)(Layers.MaxPooling2D(2)(x)), (4, 1)),
        (Layers.Conv2DTranspose(3, 3, 2, padding="same"), (3, 1)),
        (Layers.Conv2D(3, 3, dilation_rate=3), (9, 1)),
        # two branches that look to other sides, as NASNet's crop and shift
        (
            lambda x: Layers.Add()([Layers.Cropping2D(((2, 0), (2, 0)))(x), Layers.Cropping2D(((0, 2), (0, 2)))(x)]),
            (5, 1),
        ),
        # places moved among channels
        (
            lambda x: ops.reshape(
                ops.transpose(ops.reshape(x, (-1, 32, 2, 32, 2, 3)), (0, 1, 3, 2, 4, 5)), (-1, 32, 32, 12)
            ),
            (6, 2),
        ),
        (lambda x: x + ops.roll(x, 4, axis=2), (7, 1)),
        (lambda x: ops.average_pool(x, 31, 1, padding="same"), (33, 1)),  # wider than what is tried first
    ],
)
def test_what_moves_places_is_told(before: Callable[[Any], Any], expected: tuple[int | None, int]) -> None:
    assert seen(before) == expected


@pytest.mark.parametrize("before", [Layers.RandomFlip(), lambda x: x[..., ::-1], Layers.Resizing(112, 112)])
def test_a_network_of_any_size(before: Callable[[Any], Any]) -> None:
    expected = (6, 2) if isinstance(before, Layers.Resizing) else (3, 1)
    assert seen(before, None) == expected


def test_a_layer_of_a_family_s_own_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """InceptionResNetV2 scales its residuals by a layer that no rule knows."""
    from atlas.networks import trial

    tried = []
    run = trial._tried
    monkeypatch.setattr(trial, "_tried", lambda *given: tried.append(given[1]) or run(*given))
    given = keras.Input((32, 32, 3))
    out = given
    for _ in range(3):
        out = Layers.RandomContrast(0.1)(out)
    flat = describe.layers(flatten(keras.Model(given, Layers.Conv2D(2, 3, name="last")(out))))
    assert flat[-1].receptive_field == 3
    assert len(tried) == 1


# the smallest network of each family; late layers where that is quick, all others in the script
FAMILIES = {
    "vgg16": ("block2_pool",),
    "inceptionv3": ("mixed0",),
    "inceptionresnetv2": ("block35_1_ac",),
    "xception": ("add",),
    "resnet50": ("conv3_block1_out",),
    "resnet50v2": ("conv3_block1_out",),
    "mobilenet": ("conv_pw_13_relu",),
    "mobilenetv2": ("block_5_add",),
    "mobilenetv3small": ("re_lu_2", "activation_3"),
    "densenet121": ("conv3_block1_concat",),
    "nasnetmobile": ("activation_15",),  # one of those that its crop and shift widen
    "efficientnetb0": ("stem_activation", "block3a_expand_activation"),
    "efficientnetv2b0": ("block3b_add", "block4b_expand_activation"),
    "convnexttiny": ("convnext_tiny_stage_0_block_0_gelu",),
}


@pytest.mark.parametrize("network", FAMILIES)
def test_receptive_fields_are_those_of_a_gradient(network: str, script: ModuleType) -> None:
    model, _ = build(network)
    layers = {layer.name: layer for layer in describe.layers(flatten(model))}
    graph = script.opened(model)
    for name in FAMILIES[network]:
        assert script.right(layers[name], script.measured(graph, layers[name])), name
