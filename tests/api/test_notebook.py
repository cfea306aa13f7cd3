"""The notebook in docs/ runs from its first cell to its last, and shows what it says."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import atlas
from tests.conftest import MUCH, let_go

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "notebook.ipynb"


def test_the_notebook_runs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With 24 steps for each picture, a fifth of what a reader's cells take."""
    monkeypatch.setattr(atlas, "maximize", functools.partial(atlas.maximize, steps=24))
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    names: dict[str, Any] = {}
    pictures = 0
    for cell in cells:
        source = "".join(cell["source"])
        exec(compile(source, str(NOTEBOOK), "exec"), names)
        last = source.strip().splitlines()[-1]
        if last.startswith("Image.fromarray"):
            shown = eval(last, names)
            assert isinstance(shown, Image.Image)
            pictures += 1
        let_go([MUCH])
    said = capsys.readouterr().out
    assert pictures == 3
    assert said.startswith("activated")
    assert "'pool1': (73, 73, 64)" in said
    assert "above 100% of 26 images" in said
