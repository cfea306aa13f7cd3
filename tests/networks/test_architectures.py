"""A network is built as Keras builds it for ImageNet weights, though nothing of Keras is patched."""

import pytest

from atlas.networks.architectures import build
from scripts.architectures import same


@pytest.mark.parametrize(
    "network",
    ["efficientnetb0", "resnet50v2"],  # rescales once more with these weights; is made by another family's module
)
def test_it_is_what_keras_builds(network: str) -> None:
    """All of them: scripts/architectures.py."""
    assert same(network, False)


def test_the_classes_come_with_it_and_name_another_file() -> None:
    assert same("mobilenetv3small", True)
    (with_them, file), (_, other) = build("mobilenetv3small", classes=True), build("mobilenetv3small")
    assert with_them.output_shape == (None, 1000)
    assert file.file != other.file
    assert file.origin.endswith(file.file)
