import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from atlas.cli import main
from atlas.networks.record import record

CONFIG = """
title: Toy
network: {toy}
preprocessing: tf
layers:
  - {{name: first, channels: "0-2"}}
  - {{name: both, channels: "0,13"}}
recipes: {{main: {{size: 32, steps: 3}}}}
compute: {{backend: sequential}}
"""


@dataclass(frozen=True)
class Said:
    """What came of a command: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs ``atlas`` with some arguments in this process and in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["atlas", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        code = end.value.code
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return Said(code if isinstance(code, int) else 0, said.out, said.err)

    return run


@pytest.fixture
def config(toy: Path, tmp_path: Path) -> Path:
    """Five channels of the toy network, in one process, which has been told already what Keras tells of it."""
    record(str(toy))
    path = tmp_path / "toy.yaml"
    path.write_text(CONFIG.format(toy=toy))
    return path
