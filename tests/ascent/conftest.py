from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from atlas.networks.load import load
from atlas.spec.facts import NetworkRef, Preprocessing
from atlas.spec.recipe import Recipe


@pytest.fixture(scope="session")
def toy_network(toy_ref: NetworkRef) -> Any:
    return load(toy_ref)


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of blocks of colour, wider than high."""
    blocks = np.random.default_rng(5).integers(20, 236, (6, 8, 3), np.uint8)
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    PIL.Image.fromarray(blocks).resize((80, 60), PIL.Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """The default recipe, small."""
    return Recipe(size=32, steps=6)


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small network that ends in five classes."""
    import keras

    picture = keras.Input((None, None, 3))
    first = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="first")(picture)
    both = keras.layers.Conv2D(24, 3, strides=2, activation="relu", name="both")(first)
    mean = keras.layers.GlobalAveragePooling2D()(both)
    classes = keras.layers.Dense(5, activation="softmax", name="classes")(mean)
    path = tmp_path_factory.mktemp("classifier") / "classifier.keras"
    keras.Model(picture, classes).save(path)
    return load(NetworkRef(str(path), "random", 1, Preprocessing("rgb", (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0))))
