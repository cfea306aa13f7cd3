"""``--measure=FILE``: what each test file costs, as a table: processor time, and the memory of the process it ran in.

Children count where they were waited for. With several workers each adds its own files to the same table.
"""

import os
import resource
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--measure", metavar="FILE", help="add to FILE what each test file costs")


def pytest_configure(config: pytest.Config) -> None:
    name = config.getoption("--measure")
    if name:
        config.pluginmanager.register(Measure(Path(name)))


class Measure:
    """Counts the processor seconds of each file's tests, and writes them at the end of the session."""

    def __init__(self, path: Path):
        self.path = path
        self.seconds: dict[str, float] = defaultdict(float)
        self.below: dict[str, float] = defaultdict(float)
        self.largest: dict[str, float] = defaultdict(float)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        before, below = _spent(), _below()
        try:
            return (yield)
        finally:
            file = item.nodeid.partition("::")[0]
            self.seconds[file] += _spent() - before
            self.below[file] += _below() - below
            self.largest[file] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6

    def pytest_sessionfinish(self) -> None:
        rest = _spent() - sum(self.seconds.values())
        self.seconds["start and collection"] = rest
        worker = os.environ.get("PYTEST_XDIST_WORKER", "")
        with self.path.open("a") as file:
            for name, seconds in self.seconds.items():
                file.write(
                    f"{seconds:8.1f} s, {self.below[name]:6.1f} of them in children  "
                    f"{self.largest[name]:4.1f} GB so far  {worker or 'alone':5}  {name}\n"
                )


def _spent() -> float:
    """Processor seconds of this process, and of its children that have ended and were waited for."""
    return sum(os.times()[:4])


def _below() -> float:
    """The processor seconds of the children alone."""
    return sum(os.times()[2:4])
