import errno
import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from atlas.errors import NetworkError, WeightsError
from atlas.networks import architectures, weights
from atlas.networks.architectures import Download
from atlas.networks.weights import available, ensure, locate
from atlas.spec.facts import NetworkRef

VGG19 = NetworkRef("vgg19", "imagenet")
FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"


def failing(error: Exception) -> Callable[..., str]:
    def get_file(*_: object, **__: object) -> str:
        raise error

    return get_file


def refused(ref: NetworkRef) -> str:
    with pytest.raises(WeightsError) as caught:
        ensure(ref)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_imagenet_is_named_by_the_hash_that_keras_states(tmp_path: Path) -> None:
    found = locate(VGG19)
    assert found.digest == "md5:253f8cb515780f3b799900260a226db6"
    assert (found.kind, found.path) == ("imagenet", None)
    (tmp_path / "keras/models").mkdir(parents=True)
    (tmp_path / "keras/models" / FILE).write_bytes(b"")
    assert locate(VGG19).path == tmp_path / "keras/models" / FILE


@pytest.mark.parametrize(
    ("network", "digest"),
    [
        ("mobilenetv2", "file:mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"),
        ("convnexttiny", "sha256:"),
    ],
)
def test_the_digest_of_other_families(network: str, digest: str) -> None:
    assert locate(NetworkRef(network, "imagenet")).digest.startswith(digest)


def test_random_weights_are_named_by_their_seed() -> None:
    assert locate(NetworkRef("vgg19", "random", seed=5)).digest == "random:5:v1"
    assert "nothing was learned" in locate(NetworkRef("vgg19", "random")).description


def test_an_unreachable_host_is_one_sentence(tmp_path: Path) -> None:
    said = refused(VGG19)
    assert "the network is blocked in tests" in said
    assert f"{FILE} by hand and put it into {tmp_path / 'keras/models'} as {FILE}" in said
    assert "://" in said
    assert "embedded" not in said


@pytest.mark.parametrize("network", ["inceptionv3", "vgg16"])
def test_a_download_that_fails_names_the_embedded_weights(network: str) -> None:
    assert refused(NetworkRef(network, "imagenet")).endswith("or write weights: embedded, which needs no download")
    assert "embedded" not in refused(NetworkRef(network, "imagenet", classes=True))


def test_layers_that_embedded_weights_do_not_reach() -> None:
    assert available(NetworkRef("inceptionv3", "embedded"), "mixed4") is None
    assert "received mixed5" in str(available(NetworkRef("inceptionv3", "embedded"), "mixed5"))
    assert available(NetworkRef("vgg16", "embedded"), "block5_pool") is None
    assert available(NetworkRef("vgg19", "embedded"), "block5_conv4") is None  # ``locate`` has said what is wrong


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
        (
            ValueError("Incomplete or corrupted file detected. The md5 file hash does not match."),
            "a file with another hash, incomplete or altered",
        ),
        (Exception("URL fetch failure on x: None -- timed out"), "timed out"),
    ],
)
def test_other_misfortunes_are_one_sentence(error: Exception, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.utils, "get_file", failing(error))
    assert f"received: {said}; fetch " in refused(VGG19)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
    assert "received: Not a directory; fetch " in refused(VGG19)


def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digest: str) -> None:
    """Let Keras's own download code fetch a file from the disk under the name of vgg19's weights."""
    source = tmp_path / "source.h5"
    source.write_bytes(b"weights")
    monkeypatch.setattr(architectures, "build", lambda *_: (None, Download(FILE, source.as_uri(), digest)))


def test_a_download_by_keras_lands_in_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    served(tmp_path, monkeypatch, hashlib.md5(b"weights").hexdigest())
    found = ensure(VGG19)
    assert found.path == tmp_path / "keras/models" / FILE
    assert found.path.read_bytes() == b"weights"
    assert found.digest == locate(VGG19).digest
    assert capfd.readouterr().out == ""


def test_a_download_of_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served(tmp_path, monkeypatch, "0" * 32)
    assert "a file with another hash" in refused(VGG19)


def test_a_whole_file_in_the_cache_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keras/models").mkdir(parents=True)
    (tmp_path / "keras/models" / FILE).write_bytes(b"whole")
    monkeypatch.setattr(keras.utils, "get_file", failing(AssertionError("fetched")))
    digest = "md5:" + hashlib.md5(b"whole").hexdigest()
    real = weights._imagenet

    def imagenet(ref: NetworkRef) -> weights.Weights:
        return weights.replace(real(ref), digest=digest)

    monkeypatch.setattr(weights, "_imagenet", imagenet)
    assert ensure(VGG19).path == tmp_path / "keras/models" / FILE
    digest = "md5:" + "0" * 32
    assert "received: fetched; fetch " in refused(VGG19)


def test_the_cache_folder_is_keras_own(tmp_path: Path) -> None:
    code = "from keras.src.backend import config; print(config.keras_home())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "keras")
    assert weights.keras_folder() == tmp_path / "keras" / "models"


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        (NetworkRef("vgg19", "own"), "received own"),
        (NetworkRef("/tmp/x.keras", "imagenet"), "expected weights own, random or a file"),
        (NetworkRef("/tmp/x.keras", "embedded"), "expected weights own, random or a file"),
        (NetworkRef("vgg19", "imgenet"), "expected weights imagenet, embedded, random, own or a file"),
        (NetworkRef("vgg19", "/nowhere/w.h5"), "expected a file of weights at /nowhere/w.h5, received nothing"),
    ],
)
def test_weights_that_cannot_be_are_refused(ref: NetworkRef, said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        locate(ref)


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(NetworkError, match="did you mean vgg19"):
        locate(NetworkRef("vgg91", "imagenet"))


def test_a_file_is_named_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    path.write_bytes(b"one")
    first = locate(NetworkRef("vgg19", str(path)))
    assert first.digest == "sha256:" + hashlib.sha256(b"one").hexdigest()
    assert (first.kind, first.path, first.description) == ("file", path, "file a.weights.h5")
    path.write_bytes(b"another")
    assert locate(NetworkRef("vgg19", str(path))).digest != first.digest
