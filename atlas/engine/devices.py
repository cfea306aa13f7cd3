"""GPUs: which this process may use, and one for each worker, claimed before TensorFlow is imported.

A claim is a lock on a file of the machine, which the system lets go when the process ends, however it ends: builds
beside each other, and workers that are started anew, never share a GPU.
"""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from atlas.errors import AtlasError
from atlas.runtime import check_convolutions, settled, start_tensorflow

NONE = "-1"  # what hides every GPU from CUDA
DEVICES = Path("/dev")
_claimed: list[IO[str]] = []  # held open as long as this process lives


def gpus() -> tuple[str, ...]:
    """The GPUs this process may use: the machine's, or those of them that ``CUDA_VISIBLE_DEVICES`` names, ``all`` too.

    The variable alone promises nothing: images of containers and login scripts set it on machines without a GPU. Of
    numbers, CUDA sees those before the first that does not exist; names such as ``GPU-...`` are CUDA's to look up.
    """
    there = len([path for path in DEVICES.glob("nvidia*") if path.name.removeprefix("nvidia").isdigit()])
    there = there or int((DEVICES / "dxg").exists())  # Windows shows its GPU to Linux under this name
    every = tuple(map(str, range(there)))
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not there or named is None or named.strip() == "all":
        return every
    found = []
    for name in filter(None, (one.strip() for one in named.split(","))):
        if name.lstrip("-").isdigit() and name not in every:
            break
        found.append(name)
    return tuple(dict.fromkeys(found))


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


@contextlib.contextmanager
def ready(device: str, threads: int) -> Iterator[None]:
    """Inside the block this process computes as a worker does: on what it has claimed, see ``claim``, with ``threads``
    threads, and with TensorFlow and Keras settled.

    Raises: AtlasError as ``claim``, ``check_convolutions`` and ``settled``, and when TensorFlow cannot use the GPU.
    """
    claim(device)
    start_tensorflow(threads, gpu=bool(_claimed))
    import tensorflow as tf

    if _claimed and not tf.config.get_visible_devices("GPU"):
        raise AtlasError(
            f"expected TensorFlow to use GPU {os.environ['CUDA_VISIBLE_DEVICES']}, received one that finds none; "
            "install tensorflow[and-cuda], or write compute: device: cpu"
        )
    if not _claimed:
        check_convolutions()
    with settled():
        yield


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
