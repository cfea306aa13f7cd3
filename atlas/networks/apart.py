"""What needs Keras, done by another process that sees no GPU: this one stays quick, and its GPUs are its workers'.

A module that is run so ends with one line of JSON, made by ``answer``.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from atlas.canonical import canonical
from atlas.errors import AtlasError, NetworkError
from atlas.runtime import settled, start_tensorflow


def ask(module: str, *given: str, heard: bool = False) -> dict[str, Any]:
    """What a module answers when it is run with arguments; ``heard`` lets its error stream through.

    Raises: NetworkError when it breaks, and with the sentence of an AtlasError that it raised.
    """
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    folder = str(Path(__file__).resolve().parent.parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])])
    errors = None if heard else subprocess.PIPE
    command = [sys.executable, "-P", "-m", module, *given]  # -P: nothing that lies in the current folder is run
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, check=False)
    try:
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        last = ((done.stderr or "").strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise NetworkError(
            f"{given[0]}: expected Keras to build it, received: {last}; check the installation"
        ) from error
    if "error" in found:
        raise NetworkError(found["error"])
    return found


def answer(find: Callable[[], dict[str, Any]]) -> None:
    """Print what is found, or why nothing is, as the last line."""
    start_tensorflow(1)
    try:
        with settled():
            found = find()
        print(canonical(found))
    except AtlasError as error:
        print(canonical({"error": str(error)}))
