"""How TensorFlow is started in a process: late, quietly, and with the threads this process may use."""

import contextlib
import os
import sys
from collections.abc import Iterator


def start_tensorflow(threads: int) -> None:
    """Import TensorFlow with ``threads`` threads for its operations. Does nothing when it is imported already.

    One thread per worker is what makes the same bytes come out on every run. TensorFlow writes to the process's error
    stream while it looks for devices; that is kept quiet. What goes wrong in later calls is raised all the same.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # the cores, unless whoever starts this says otherwise
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    os.environ["OMP_NUM_THREADS"] = str(threads)
    with _quiet():
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)  # no more of its memory than is needed
            tf.config.experimental.enable_op_determinism()  # or sums come in another order on every run
        tf.constant(0)  # looks for devices, which is when it writes


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send what native code writes to the error stream nowhere, for a while."""
    try:
        kept = os.dup(2)
    except OSError:  # a process without an error stream
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
