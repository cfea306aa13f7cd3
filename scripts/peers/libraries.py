"""The libraries that atlas is compared with: their versions, their environments, and runs of their scripts."""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import FREE, HERE, Bench, UnmeasuredError


@dataclass(frozen=True)
class Library:
    """One of them.

    Its environment is made of ``needs`` and then of ``itself``, without what that asks for. ``channels`` and ``steps``
    are what is timed, some half a minute of it.
    """

    script: str
    needs: str
    itself: str
    channels: str
    steps: int


LIBRARIES = {
    # Lucent asks for a kornia of 2020, and for tools of its own tests, which are left out.
    "Lucent": Library(
        "run_lucent.py",
        "torch==2.14.1 torchvision==0.29.1 kornia==0.4.1 numpy==2.4.6 scikit-learn==1.9.1 decorator==5.3.1 "
        "future==1.0.0 ipython==9.18.1 pillow==13.0.0 tqdm==4.70.1",
        "torch-lucent==0.1.8",
        "0-7",
        32,
    ),
    "tf-keras-vis": Library(
        "run_tf_keras_vis.py",
        "tensorflow==2.21.0 keras==3.15.1 scipy==1.17.1 numpy==2.4.6 deprecated==1.3.1 imageio==2.38.1 "
        "packaging==26.3 pillow==13.0.0",
        "tf-keras-vis==0.8.7",
        "0-7",
        32,
    ),
    # Xplique asks for TensorFlow's GPU packages and for a linter, which are left out. It compiles anew for each
    # channel, so its steps are as many as it takes by itself.
    "Xplique": Library(
        "run_xplique.py",
        "tensorflow==2.20.0 keras==3.15.1 tensorflow-probability[tf]==0.25.0 scipy==1.15.3 numpy==2.4.6 "
        "scikit-learn==1.7.2 scikit-image==0.25.2 opencv-python-headless==5.0.0.93 matplotlib==3.11.2 einops==0.8.2 "
        "deprecated==1.3.1 pillow==13.0.0",
        "xplique==2.0.2",
        "0-3",
        256,
    ),
}


def python_of(name: str, venvs: Path) -> Path:
    """The interpreter of a library's environment, made in ``venvs`` unless it is there. Raises UnmeasuredError."""
    library, folder = LIBRARIES[name], venvs / name.lower()
    python, mark = folder / "bin" / "python", folder / "made-of.json"
    wanted = json.dumps([library.needs, library.itself])
    if mark.exists() and mark.read_text() == wanted:
        return python
    print(f"{name}: making {folder}", file=sys.stderr, flush=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    call(f"{name} cannot be installed", [sys.executable, "-m", "venv", str(folder)])
    call(f"{name} cannot be installed", [*pip, *library.needs.split()])
    call(f"{name} cannot be installed", [*pip, "--no-deps", library.itself])
    mark.write_text(wanted)
    return python


def run(
    bench: Bench, name: str, channels: str, steps: int, *more: str, python: str = sys.executable, size: int = 128
) -> dict[str, Any]:
    """What a peer's script took for some channels.

    ``rate`` is in image-steps per second, the first channel left out; ``first`` the seconds of that channel,
    ``start_up`` those before it, ``prepared`` the mean of what went before an ascent, ``wall`` all of the process.
    ``name`` is a library's, or the tutorial's. Raises UnmeasuredError with what the script said last.
    """
    script = LIBRARIES[name].script if name in LIBRARIES else "run_tutorial.py"
    with tempfile.TemporaryDirectory(dir=bench.work) as out:
        command = [python, str(HERE / script), str(bench.weights), "--channels", channels, "--steps", str(steps)]
        begun = time.perf_counter()
        said = call(f"{name} cannot run", [*command, "--size", str(size), "--out", out, *more])
        wall = time.perf_counter() - begun
    found = json.loads(said.splitlines()[-1])
    first, *others = found["seconds"]
    bench.versions[name] = found["versions"]
    return {
        "rate": steps * len(others) / sum(others),
        "first": first,
        "start_up": found["start_up"],
        "prepared": sum(found["prepared"]) / len(found["prepared"]),
        "wall": wall,
    }


def call(failure: str, command: list[str]) -> str:
    """What a command printed. Raises UnmeasuredError, which begins with ``failure``, when it failed."""
    done = subprocess.run(command, env=FREE, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
        raise UnmeasuredError(f"{failure}: {lines[-1].strip()[:300]}")
    return done.stdout
