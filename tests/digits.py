"""A classifier that has learned something, small enough to train within the tests."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from atlas.networks.load import load
from atlas.spec.facts import NetworkRef, Preprocessing
from tests.conftest import tell

HELD_OUT = 360


class Digits(NamedTuple):
    """A network that tells handwritten digits, as atlas loads it and as Keras trained it, and digits it has not seen.

    ``path`` is its .keras file, ``model`` takes pixels from -1 to 1; ``pictures (360, 32, 32, 3) uint8`` and ``labels
    (360,)`` were held out.
    """

    path: Path
    network: Any
    model: Any
    pictures: np.ndarray
    labels: np.ndarray


def _digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's 1,797 handwritten digits of 8 by 8 pixels, each pixel made 4 by 4 and grey in three channels.

    They are the test set of Alpaydin and Kaynak 1998, https://archive.ics.uci.edu/dataset/80, in an order of our own.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    pixels = np.uint8(np.round(images.reshape(-1, 8, 8) * (255 / 16)))
    pictures = np.repeat(pixels.repeat(4, axis=1).repeat(4, axis=2)[..., None], 3, axis=3)
    order = np.random.default_rng(0).permutation(len(labels))
    return pictures[order], labels[order]


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory, told: Path) -> Digits:
    """Three convolutions and a softmax, trained on 1,437 of the digits for some seconds; the same on every run."""
    import keras

    pictures, labels = _digits()
    keras.utils.set_random_seed(5)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(12, 5, strides=2, padding="same", activation="relu", name="first"),
            keras.layers.Conv2D(24, 3, padding="same", activation="relu", name="second"),
            keras.layers.MaxPooling2D(2, name="pool"),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu", name="third"),
            keras.layers.Flatten(name="flat"),
            keras.layers.Dense(10, activation="softmax", name="classes"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    shown = pictures.astype(np.float32) / 127.5 - 1.0
    model.fit(shown[:-HELD_OUT], labels[:-HELD_OUT], batch_size=32, epochs=6, verbose=0)
    path = Path(tmp_path_factory.mktemp("digits") / "digits.keras")
    model.save(path)
    tell(told, path)
    ref = NetworkRef(str(path), "own", preprocessing=Preprocessing("rgb", (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0)))
    return Digits(path, load(ref), model, pictures[-HELD_OUT:], labels[-HELD_OUT:])
