"""GPUs: which this process may use, and one for each worker, claimed before TensorFlow is imported.

A claim is a lock on a file of the machine, which the system lets go when the process ends, however it ends: builds
beside each other, and workers that are started anew, never share a GPU.
"""

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO

from atlas.errors import AtlasError

NONE = "-1"  # what hides every GPU from CUDA
DEVICES = Path("/dev")
_claimed: list[IO[str]] = []  # held open as long as this process lives


def gpus() -> tuple[str, ...]:
    """The GPUs this process may use: those ``CUDA_VISIBLE_DEVICES`` names, all of the machine's when it is not set."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        names = tuple(name.strip() for name in named.split(",") if name.strip())
        return () if NONE in names else names
    numbers = (path.name.removeprefix("nvidia") for path in DEVICES.glob("nvidia[0-9]*"))
    return tuple(sorted((number for number in numbers if number.isdigit()), key=int))


def claim(device: str) -> None:
    """Make this process see one GPU alone, which no other claims, or none. What it has claimed stays its own.

    ``device`` is ``gpu``, ``cpu``, or ``auto`` for a GPU where there are some. Raises AtlasError when there is none for
    ``gpu``, when all are claimed, or when a process that works on a GPU is to work on cores.
    """
    if _claimed and device == "cpu":
        name = os.environ["CUDA_VISIBLE_DEVICES"]
        raise AtlasError(f"expected a worker on cores, received one that works on GPU {name} already; start another")
    if _claimed:
        return
    found = gpus() if device != "cpu" else ()
    if not found:
        if device == "gpu":
            raise AtlasError("compute: device: expected a GPU, found none; take device: auto or cpu")
        os.environ["CUDA_VISIBLE_DEVICES"] = NONE
        return
    for name in found:
        if _lock(name):
            os.environ["CUDA_VISIBLE_DEVICES"] = name
            return
    raise AtlasError(
        f"expected a free GPU for each worker, received {len(found)} that are all taken by other workers; wait for the "
        "other build, ask for fewer workers, or write compute: device: cpu"
    )


def check() -> None:
    """See that TensorFlow, which has started, uses the GPU that was claimed. Raises AtlasError when it does not."""
    import tensorflow as tf

    if _claimed and not tf.config.list_physical_devices("GPU"):
        raise AtlasError(
            f"expected TensorFlow to use GPU {os.environ['CUDA_VISIBLE_DEVICES']}, received one that finds none; "
            "install tensorflow[and-cuda], or write compute: device: cpu"
        )


def _lock(name: str) -> bool:
    job = os.environ.get("SLURM_JOB_ID", "")  # each of Slurm's jobs may count its own GPUs from 0
    path = Path(tempfile.gettempdir()) / f"atlas-gpu-{name.replace('/', '-')}-{os.getuid()}{job and f'-{job}'}.lock"
    file = path.open("a")
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _claimed.append(file)
        return True
    file.close()
    return False
