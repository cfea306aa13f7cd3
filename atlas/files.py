"""How every file is written: under a temporary name beside its own, then renamed."""

import errno
import os
import threading
import uuid
from pathlib import Path

from atlas.errors import AtlasError


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that at its address it is either whole or as it was before, at any moment.

    Makes the folders above it. Raises AtlasError with the reason (disk full, no permission) and leaves nothing behind.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}-{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        if path.parent.is_dir():
            temporary.unlink(missing_ok=True)
        what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise AtlasError(f"{path}: could not be written: {what}; free or name another folder and run again") from error
