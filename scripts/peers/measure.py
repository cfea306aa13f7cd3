"""How the benchmark measures: repeats that take turns, ratios of medians, and atlas's processes that begin together."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
CORES = len(os.sched_getaffinity(0))
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
FREE = {key: value for key, value in os.environ.items() if key not in THREADS and not key.startswith("TF_NUM_")} | {
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
"""The environment of a process that may use every core, and no GPU."""
SINGLE = FREE | dict.fromkeys(THREADS, "1")
"""That of a process that keeps to one core; TensorFlow's threads are set where it is started."""


class UnmeasuredError(Exception):
    """Why a figure could not be measured, in one sentence."""


@dataclass(frozen=True)
class Figure:
    """A line of the table. ``must`` is a bound such as ``>= 2``, empty for what is told for itself."""

    name: str
    value: str
    must: str = ""
    met: bool | None = None


@dataclass
class Bench:
    """One run: where it works, and what it has found.

    ``samples`` are what every source of every section gave, in their order; ``versions`` those of each peer's packages.
    """

    out: Path
    work: Path
    venvs: Path
    repeats: int
    figures: list[Figure] = field(default_factory=list)
    samples: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def weights(self) -> Path:
        """The weights of the embedded network in an .npz, exported once."""
        place = self.work / "weights.npz"
        if not place.exists():
            subprocess.run([sys.executable, str(HERE / "run_atlas.py"), "export", str(place)], env=SINGLE, check=True)
        return place

    def turns(
        self, section: str, sources: Mapping[str, Callable[[], dict[str, Any]]], repeats: int
    ) -> dict[str, list[dict[str, Any]]]:
        """What each source gives, ``repeats`` times, one source after the other in turn."""
        found: dict[str, list[Any]] = {name: [] for name in sources}
        self.samples[section] = found
        for repeat in range(repeats):
            for name, source in sources.items():
                found[name].append(source())
                said = ", ".join(f"{key} {value:.4g}" for key, value in found[name][-1].items())
                print(f"{section} {repeat + 1}/{repeats}: {name}: {said}", file=sys.stderr, flush=True)
        return found

    def ratio(self, name: str, over: Sequence[float], under: Sequence[float], must: str = "") -> None:
        """Add a figure: the ratio of two medians, with the least and the greatest ratio of one turn."""
        value = median(over) / median(under)
        each = [a / b for a, b in zip(over, under, strict=True)]
        met = None
        if must:
            bound = float(must.split()[1])
            met = value >= bound if must.startswith(">") else value <= bound
        self.figures.append(Figure(name, f"{value:.2f} ({min(each):.2f}-{max(each):.2f})", must, met))

    def plain(self, name: str, values: Sequence[float], unit: str) -> None:
        """Add a figure that is told for itself: the median, with the least and the greatest."""
        self.figures.append(Figure(name, f"{median(values):.3g} {unit} ({min(values):.3g}-{max(values):.3g})"))


def column(samples: Sequence[dict[str, Any]], key: str) -> list[float]:
    """One number of each sample."""
    return [float(sample[key]) for sample in samples]


@contextlib.contextmanager
def workers(
    *arguments: str, count: int = CORES, script: str = "run_atlas.py"
) -> Iterator[Callable[[], dict[str, Any]]]:
    """Warm processes of atlas, or of another ``script``, one for each core or so many; what is given lets all do their
    work once, together.

    Its answer has the ``rate`` of all in work per second, the ``seconds`` until the last was done, and what the first
    process told beside.
    """
    command = [sys.executable, str(HERE / script), *arguments]
    with contextlib.ExitStack() as stack:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        made = []
        for _ in range(count):
            made.append(stack.enter_context(subprocess.Popen(command, env=SINGLE, **pipes)))
            stack.callback(made[-1].kill)

        def answers() -> list[dict[str, Any]]:
            lines = [one.stdout.readline() for one in made if one.stdout]
            if not all(lines):
                raise UnmeasuredError(f"expected an answer of {script}, received its end: {' '.join(arguments)}")
            return [json.loads(line) for line in lines]

        def once() -> dict[str, Any]:
            begun = time.perf_counter()
            for one in made:
                with contextlib.suppress(BrokenPipeError):  # then there is no answer, which is said below
                    if one.stdin:
                        one.stdin.write("\n")
            found = answers()
            seconds = time.perf_counter() - begun
            return found[0] | {"rate": sum(one["work"] for one in found) / seconds, "seconds": seconds}

        answers()  # that they are ready
        yield once
