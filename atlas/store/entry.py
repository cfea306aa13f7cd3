"""One rendering as one self-describing file: its key, the numbers, the picture, and a checksum over all of it.

An entry is a safetensors file. Its tensors are ``picture`` (the bytes of a lossless WebP file, uint8) and further
artefacts: ``repeat-1`` and on (pictures of the same channel from other seeds, WebP), ``opacity`` for some recipes, and,
where recorded, ``trace``, ``maps`` and ``frames``. Its metadata hold ``key``, ``record`` (canonical JSON) and
``checksum`` (sha256 over key, record and tensors). safetensors states the length of every tensor in the header, so a
cut file is seen without reading it whole.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from atlas.canonical import canonical
from atlas.errors import DamagedError

HEADER_LIMIT = 1 << 20  # bytes; a longer header is not ours


@dataclass(frozen=True)
class Entry:
    """What came of one job.

    ``record`` holds the numbers beside the picture (see ``ascent.render``); ``picture`` is a lossless WebP file.
    ``artefacts`` by name: ``repeat-1`` and on, WebP files as ``(bytes,) uint8``; ``trace (steps, 4) float32``, the
    score and the mean, maximum and minimum of where the objective looks, at each step; ``maps (2, h, w) float32``,
    where it looks, on the start and on the picture; ``frames (bytes,) uint8``, a WebP sheet of the ascent's frames;
    ``opacity (h, w) uint8``, how much each pixel counted in the ascent, of recipes that weigh it.
    """

    key: str
    record: Mapping[str, Any]
    picture: bytes
    artefacts: Mapping[str, np.ndarray] = field(default_factory=dict, compare=False)

    @property
    def repeats(self) -> list[np.ndarray]:
        """The pictures of the same job from other seeds, in order: WebP files as ``(bytes,) uint8``."""
        count = sum(name.startswith("repeat-") for name in self.artefacts)
        return [self.artefacts[f"repeat-{number}"] for number in range(1, count + 1)]

    @property
    def checksum(self) -> str:
        """sha256 over key, record, picture and artefacts."""
        digest = hashlib.sha256(f"{self.key}\n{canonical(self.record)}\n".encode())
        for name, tensor in sorted(_tensors(self).items()):
            digest.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
            digest.update(tensor.tobytes())
        return digest.hexdigest()


def encode(entry: Entry) -> bytes:
    """The bytes of an entry: the same bytes for the same entry."""
    metadata = {"checksum": entry.checksum, "key": entry.key, "record": canonical(entry.record)}
    return _sorted_header(save(_tensors(entry), metadata))


def decode(data: bytes, key: str, where: str) -> Entry:
    """The entry in ``data``, its checksum verified. Raises DamagedError when it is cut, flipped or another entry."""
    try:
        metadata = _metadata(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
        tensors = load(data)
        picture = tensors.pop("picture").tobytes()
        entry = Entry(metadata["key"], json.loads(metadata["record"]), picture, tensors)
    except (KeyError, ValueError, struct.error, SafetensorError) as error:
        raise DamagedError(
            f"{where}: expected a whole entry, received a damaged file ({error}); delete it and build again"
        ) from error
    if entry.key != key:
        raise DamagedError(
            f"{where}: expected entry {key}, received entry {entry.key}; delete the file and build again"
        )
    if entry.checksum != metadata.get("checksum"):
        raise DamagedError(f"{where}: the checksum does not match, the file is damaged; delete it and build again")
    return entry


def needed(head: bytes) -> int:
    """How many bytes of an entry hold its header, from its first bytes; 0 when that is not a header of ours."""
    if len(head) < 8:
        return 0
    (length,) = struct.unpack("<Q", head[:8])
    return 8 + int(length) if length <= HEADER_LIMIT else 0


def record_of(head: bytes, size: int, key: str) -> dict[str, Any] | None:
    """The record of an entry from its first bytes and its size, or None when it is cut or another entry.

    ``head`` holds the whole header, see ``needed``. Beside the numbers, ``has`` says which artefacts are there, and
    ``checksum`` is the entry's own.
    """
    try:
        end = needed(head)
        header = json.loads(head[8:end])
        metadata = header.pop("__metadata__")
        last = max(tensor["data_offsets"][1] for tensor in header.values())
        if size != end + last or metadata["key"] != key:
            return None
        record: dict[str, Any] = json.loads(metadata["record"])
        return {**record, "has": sorted(header), "checksum": str(metadata["checksum"])}
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _metadata(header: bytes) -> dict[str, str]:
    metadata: dict[str, str] = json.loads(header)["__metadata__"]
    return metadata


def _tensors(entry: Entry) -> dict[str, np.ndarray]:
    artefacts = {name: np.ascontiguousarray(array) for name, array in entry.artefacts.items()}
    return {"picture": np.frombuffer(entry.picture, np.uint8), **artefacts}


def _sorted_header(data: bytes) -> bytes:
    """The same file with the header's keys in order: safetensors keeps metadata in a hash map, in any order."""
    (length,) = struct.unpack("<Q", data[:8])
    header = canonical(json.loads(data[8 : 8 + length])).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]
