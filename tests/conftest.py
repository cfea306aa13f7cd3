"""What every test has: one thread for TensorFlow, folders of its own, no network, and a toy network."""

import atexit
import contextlib
import ctypes
import gc
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

os.environ["HOME"] = tempfile.mkdtemp(prefix="atlas-home-")  # the user's own may be missing, or say much
os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="2",
    TF_NUM_INTRAOP_THREADS="1",
    TF_NUM_INTEROP_THREADS="1",
    OMP_NUM_THREADS="1",
    TF_ENABLE_ONEDNN_OPTS="1",
    ATLAS_ARITHMETIC="fast",  # what auto means is the same on every processor; tests of bfloat16 name it
)

import pytest
from hypothesis import settings

from atlas.engine import worker
from atlas.networks import record, weights
from atlas.spec.facts import NetworkRef, Preprocessing

atexit.register(shutil.rmtree, os.environ["HOME"], ignore_errors=True)
pytest_plugins = ["tests.s3", "tests.digits", "tests.measure"]

# A shell lets what it runs in the background ignore Ctrl-C, and some starters block signals or ignore dead children;
# the processes of tests would inherit it.
for number, handler in {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGCHLD: signal.SIG_DFL,
}.items():
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)
signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())

MUCH, MORE = 1_200_000_000, 200_000_000  # bytes: no process may have more than twice MUCH

settings.register_profile("thorough", max_examples=10_000)


class WithoutTensorFlow:
    """Skips whatever imports TensorFlow or Keras: a finder for ``sys.meta_path``."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in ("keras", "tensorflow"):
            pytest.skip("needs TensorFlow", allow_module_level=True)


def without_keras(*_: object, **__: object) -> NoReturn:
    """In place of what asks Keras in a process of its own."""
    pytest.skip("needs TensorFlow")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="skip the tests that need TensorFlow or are marked slow")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick"):
        sys.meta_path.insert(0, WithoutTensorFlow())
        record.ask = weights.ask = without_keras


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick"):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="is slow"))


@pytest.fixture(scope="session")
def left() -> list[int]:
    """How many bytes were resident after memory was let go last: one number."""
    return [MUCH]


@pytest.fixture(autouse=True)
def memory(left: list[int]) -> Iterator[None]:
    """What tests have loaded and traced is let go when it has become much: MORE than was left the last time."""
    yield
    let_go(left)


def let_go(left: list[int]) -> None:
    """What is loaded and traced is let go where it is much; in the middle of long tests too."""
    if _resident() > max(MUCH, left[0] + MORE) and "keras" in sys.modules:
        worker._network.cache_clear()
        worker._traced.clear()
        if "atlas.api.ask" in sys.modules:
            sys.modules["atlas.api.ask"]._kept = None
            sys.modules["atlas.api.ask"]._kernels.clear()
        sys.modules["keras"].backend.clear_session()
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):  # where the C library is another than GNU's
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        left[0] = _resident()


def _resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="session", autouse=True)
def kernels() -> None:
    """Kernels are kept from one build to the next, more of them than a worker keeps: tests build the same few again."""
    worker.KERNELS_KEPT = 8


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with what Keras tells of the networks that many tests share."""
    return tmp_path_factory.mktemp("told")


def tell(told: Path, network: Path) -> None:
    """Have Keras tell of a network, once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(told))
        record.record(str(network))


@pytest.fixture(autouse=True)
def folders(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: Path) -> None:
    """Cache folders of the test's own; what Keras tells of the networks that tests share is in there already."""
    if {"toy", "digits"} & set(request.fixturenames):
        shutil.copytree(told, tmp_path / "cache")
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
def toy(tmp_path_factory: pytest.TempPathFactory, told: Path) -> Path:
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
    tell(told, path)
    return path


@pytest.fixture(scope="session")
def toy_ref(toy: Path) -> NetworkRef:
    """The toy network with weights drawn from a seed."""
    return NetworkRef(str(toy), "random", 1, Preprocessing("rgb", (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0)))
