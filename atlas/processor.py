"""What this machine's processor can do, as Linux tells it."""

import functools
import os
import platform
import re
from pathlib import Path

from atlas.errors import AtlasError
from atlas.runtime import has_onednn

AMPERE = (8, 0)  # the compute capability of the first GPUs with bfloat16
VARIABLE = "ATLAS_ARITHMETIC"
CPUINFO = Path("/proc/cpuinfo")
BFLOAT16 = {"avx512_bf16", "amx_bf16"}
NO_BFLOAT16 = "bfloat16: expected a processor with avx512_bf16 or amx_bf16, or a GPU from Ampere on, found neither"


@functools.cache
def has_bfloat16() -> bool:
    """Whether it multiplies bfloat16 natively: twice as fast as float32. False where the system does not tell."""
    try:
        told = CPUINFO.read_text()
    except OSError:
        return False
    flags = re.search(r"^flags\s*:(.*)$", told, re.MULTILINE)
    return flags is not None and not BFLOAT16.isdisjoint(flags[1].split())


def cores() -> int:
    """How many cores affinity and cgroups leave to this process."""
    import joblib

    return int(joblib.cpu_count())


def kind() -> str:
    """Which processor this machine has and how many cores this process may use, as one line."""
    try:
        first, _, _ = CPUINFO.read_text().partition("\n\n")
    except OSError:
        first = f"model name: {platform.processor()} {platform.machine()}"
    told = dict(re.findall(r"^([^:\t]+?)\s*: ?(.*)$", first, re.MULTILINE))
    names = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags")
    arm = ("CPU implementer", "CPU part", "CPU variant", "Features")
    said = [told[name] for name in (*names, *arm) if name in told]
    return ", ".join([platform.machine(), *said, f"{cores()} cores"])


def computes_bfloat16() -> bool:
    """Whether this process computes bfloat16 natively: on its GPUs, or where it has none on the processor."""
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    able = [tf.config.experimental.get_device_details(one).get("compute_capability", (0, 0)) >= AMPERE for one in gpus]
    return all(able) if gpus else has_bfloat16() and has_onednn()


def check_bfloat16() -> None:
    """Raise AtlasError where this process does not compute bfloat16 natively: there it takes many times as long."""
    if not computes_bfloat16():
        if has_bfloat16() and not has_onednn():
            raise AtlasError("arithmetic: bfloat16: expected TensorFlow with oneDNN, received it started without")
        raise AtlasError(f"arithmetic: {NO_BFLOAT16}; compute on such a machine, or take arithmetic: fast")


def usual(native: bool) -> str:
    """What ``arithmetic: auto`` means on a machine, for who makes one picture and for an atlas that has none yet.

    That is what the variable ATLAS_ARITHMETIC names, else ``bfloat16`` where it is ``native``, else ``fast``. Raises
    AtlasError where the variable names neither.
    """
    named = os.environ.get(VARIABLE, "")
    if named not in ("", "fast", "bfloat16"):
        raise AtlasError(f"{VARIABLE}: expected fast or bfloat16, received {named!r:.60}")
    return named or ("bfloat16" if native else "fast")
