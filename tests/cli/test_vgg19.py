"""VGG19's way from its address to a site: a server on this machine has the file, in Keras's own layout and name.

VGG16's real values stand in the layers that the two networks share, so that pictures come out. None of them leaves the
test: they are no VGG19.
"""

import filecmp
import gc
import hashlib
import json
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from atlas.microscope import BADGES, NAME
from atlas.networks import architectures, arrays, record
from atlas.networks.architectures import Download
from atlas.networks.embedded_weights import EMBEDDED

# Keras does not close the connection to a server that refuses a file; the garbage collection does.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
CONVOLUTIONS = [f"block{block}_conv{n}" for block, count in enumerate((2, 2, 4, 4, 4), 1) for n in range(1, count + 1)]
CONFIG = """
title: VGG19
network: vgg19
weights: imagenet
layers: [{name: block1_conv2, channels: "0-3"}, {name: block3_conv1, channels: "0-3"}]
recipes: {main: {base: preview, size: 48, steps: 12}}
compute: {backend: sequential}
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and writes no lines."""

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as Keras's own: a group for each layer, named in ``layer_names``, pools without weights among them."""
    real = arrays.read(EMBEDDED["vgg16"].path)
    draws = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("served") / FILE
    with h5py.File(path, "w") as file:
        names = ["input_2", *CONVOLUTIONS, *(f"block{block}_pool" for block in range(1, 6))]
        file.attrs["layer_names"] = [name.encode() for name in sorted(names)]
        before = 3
        for name in names:
            group = file.create_group(name)
            if name not in CONVOLUTIONS:
                group.attrs["weight_names"] = np.array([], "S1")
                continue
            channels = 64 * 2 ** min(int(name[5]) - 1, 3)
            kernel = real.get(f"{name}/kernel")
            if kernel is None:  # the fourth of a block
                kernel = draws.standard_normal((3, 3, before, channels)).astype(np.float32) * np.sqrt(2 / 9 / before)
            bias = real.get(f"{name}/bias", np.zeros(channels, np.float32))
            group.attrs["weight_names"] = [f"{name}_W_1:0".encode(), f"{name}_b_1:0".encode()]
            group[f"{name}_W_1:0"], group[f"{name}_b_1:0"] = kernel, bias
            before = channels
    return path


@pytest.fixture
def redirected(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Keras's address and hash of VGG19's weights, of the file on a server here; a switch to turn the server off."""
    import tensorflow  # noqa: F401 (then weights are fetched by this process, where the address is another)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(weights.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()
    folder, build = [""], architectures.build

    def elsewhere(network: str, classes: bool = False) -> tuple[Any, Download]:
        model, download = build(network, classes)
        address = f"http://127.0.0.1:{server.server_address[1]}{folder[0]}/{download.file}"
        return model, Download(download.file, address, digest)

    monkeypatch.setattr(architectures, "build", elsewhere)
    found = replace(record.record("vgg19"), hash=digest)
    monkeypatch.setattr(record, "_known", lambda network: found)
    yield folder
    server.shutdown()
    server.server_close()
    gc.collect()  # in this test, and in no other


def test_weights_are_fetched_and_pictures_come_out(shell, redirected, weights, tmp_path):
    """And ``compare`` takes pictures with Microscope's own names: those of the atlas itself are the same channels."""
    (tmp_path / "vgg19.yaml").write_text(CONFIG)
    said = json.loads(shell("build", "vgg19.yaml", "--json").lines[-1])
    assert (said["rendered"], said["failed"]) == (8, [])
    kept = tmp_path / "keras/models" / FILE
    assert filecmp.cmp(kept, weights, shallow=False)
    manifest = json.loads((tmp_path / "site/vgg19/manifest.json").read_text())
    assert manifest["weights"]["description"] == f"ImageNet, keras.applications, {FILE}"
    page = json.loads((tmp_path / "site/vgg19/block3_conv1/1.json").read_text())
    assert page["renderings"]["main"]["state"] == "activated"
    redirected[0] = "/gone"  # from here on nothing can be fetched
    assert json.loads(shell("build", "vgg19.yaml", "--json").lines[-1])["rendered"] == 0

    for layer, tensor in (("block1_conv2", "conv1_2_conv1_2_0"), ("block3_conv1", "conv3_1_conv3_1_0")):
        (tmp_path / "microscope" / tensor).mkdir(parents=True)
        for channel in range(4):
            (picture,) = (tmp_path / "site/vgg19" / layer).glob(f"{channel}.*[gp]")
            shutil.copy(picture, tmp_path / "microscope" / tensor / f"channel-{channel}{picture.suffix}")
    arguments = ("--pictures", "microscope", "--by", NAME, "--json")
    layers = json.loads(shell("compare", "vgg19.yaml", *arguments).lines[-1])["compared"]["layers"]
    assert [layer["known"] for layer in layers] == [BADGES["weights"]] * 2
    verdicts = [channel["verdict"] for layer in layers for channel in layer["channels"]]
    assert len(verdicts) == 8
    assert "different" not in verdicts


def test_a_file_put_by_hand_where_the_sentence_says_is_taken(shell, redirected, weights, tmp_path):
    (tmp_path / "vgg19.yaml").write_text(CONFIG)
    redirected[0] = "/gone"
    said = shell("build", "vgg19.yaml")
    assert said.code == 2
    found = re.search(r"fetch http://127\S+ by hand and put it into (\S+) as (\S+)", said.err)
    assert found is not None, said.err
    Path(found[1]).mkdir(parents=True, exist_ok=True)
    shutil.copy(weights, Path(found[1]) / found[2].rstrip(";."))
    assert json.loads(shell("build", "vgg19.yaml", "--limit", 1, "--json").lines[-1])["rendered"] == 2
