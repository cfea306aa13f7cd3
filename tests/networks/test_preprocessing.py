"""Ours against each family's own, and no picture is ever preprocessed twice."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from atlas.errors import NetworkError
from atlas.networks.architectures import build
from atlas.networks.cut import preprocess
from atlas.networks.families import FAMILIES, Family, networks, preprocessing

INSIDE = {"efficientnet", "efficientnet_v2", "convnext", "mobilenet_v3"}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.module)
def test_is_the_familys_own(family: Family) -> None:
    pictures = np.random.default_rng(0).random((2, 5, 6, 3)).astype(np.float32)
    expected = getattr(keras.applications, family.module).preprocess_input(255 * pictures)
    found = preprocess(tf.constant(pictures), preprocessing(family.preprocessing), 3)
    np.testing.assert_allclose(found, expected, atol=2e-4 if np.abs(expected).max() > 10 else 2e-6)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.module)
def test_networks_preprocess_inside_or_outside_but_not_both(family: Family) -> None:
    member = min(family.sizes, key=family.sizes.__getitem__).lower()
    model, _ = build(member)
    inside = [layer for layer in model.layers[:6] if type(layer).__name__ in ("Rescaling", "Normalization")]
    assert bool(inside) == (family.module in INSIDE)
    assert (family.preprocessing == "none") == (family.module in INSIDE)


def test_every_classifier_of_keras_is_known() -> None:
    expected = {name.lower() for name in dir(keras.applications) if name[0].isupper()}
    assert set(networks()) == expected
    assert networks() == tuple(sorted(networks()))


def test_unknown_name_lists_the_right_ones() -> None:
    with pytest.raises(
        NetworkError, match=r"expected a preprocessing of none \| tf \| caffe \| torch, received 'pytorch'"
    ):
        preprocessing("pytorch")
