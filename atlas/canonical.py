"""One spelling per value: what keys, checksums and records are made from."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

CHECKSUM = "checksum"  # the key under which a sealed value has the digest of all else


def canonical(value: Any) -> str:
    """JSON with sorted keys, no spaces and no NaN: equal values give equal text. Raises ValueError on NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """sha256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(_encoded(value)).hexdigest()


def sealed(value: Mapping[str, Any]) -> bytes:
    """A JSON object with the digest of the rest of it under ``checksum``; all of its keys are strings, at any depth."""
    return _encoded({**value, CHECKSUM: digest(value)})


def unsealed(data: bytes, *, old: bool = False) -> dict[str, Any] | None:
    """The value that was sealed; None for what is empty, cut or altered.

    ``old`` lets an object without a checksum pass: one that was kept before there were any.
    """
    try:
        value: Any = json.loads(data)
        if not isinstance(value, dict):
            return None
        found = value.pop(CHECKSUM, None)
        return value if (old and found is None) or found == digest(value) else None
    except (ValueError, RecursionError):  # UnicodeError is a ValueError
        return None


def _encoded(value: Any) -> bytes:
    """Canonical JSON as UTF-8; names of files whose bytes are no text keep them."""
    return canonical(value).encode("utf-8", "surrogatepass")
