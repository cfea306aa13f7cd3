"""What every test has: one thread for TensorFlow, folders of its own, no network, and a toy network."""

import os
import socket
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="2", TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1", OMP_NUM_THREADS="1")

import pytest
from hypothesis import settings

from atlas.spec.facts import NetworkRef, Preprocessing

pytest_plugins = ["tests.s3", "tests.digits"]

settings.register_profile("thorough", max_examples=10_000)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cache folders of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections reach this machine only."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def only_here(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "localhost", "::1"):
            raise OSError(f"the network is blocked in tests: {address}")
        connect(self, address)

    def known_here(host: Any, *rest: Any, **more: Any) -> Any:
        if host not in (None, "", "127.0.0.1", "localhost", "::1", "0.0.0.0"):
            raise socket.gaierror(f"the network is blocked in tests: {host}")
        return look_up(host, *rest, **more)

    monkeypatch.setattr(socket.socket, "connect", only_here)
    monkeypatch.setattr(socket, "getaddrinfo", known_here)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network of three convolutions, one pool and a concatenation, as a .keras file."""
    import keras

    keras.utils.set_random_seed(3)
    picture = keras.Input((None, None, 3), name="picture")
    first = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="first")(picture)
    pool = keras.layers.MaxPooling2D(2, name="pool")(first)
    left = keras.layers.Conv2D(12, 3, padding="same", activation="relu", name="left")(pool)
    right = keras.layers.Conv2D(12, 5, padding="same", activation="relu", name="right")(pool)
    both = keras.layers.Concatenate(name="both")([left, right])
    path = tmp_path_factory.mktemp("toy") / "toy.keras"
    keras.Model(picture, both, name="toy").save(path)
    return path


@pytest.fixture(scope="session")
def toy_ref(toy: Path) -> NetworkRef:
    """The toy network with weights drawn from a seed."""
    return NetworkRef(str(toy), "random", 1, Preprocessing("rgb", (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0)))
