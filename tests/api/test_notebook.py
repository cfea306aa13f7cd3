"""The notebook in docs/ runs from its first cell to its last, and shows what it says."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "notebook.ipynb"


def test_the_notebook_runs(capsys: pytest.CaptureFixture[str]) -> None:
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
    said = capsys.readouterr().out
    assert pictures == 3
    assert said.startswith("activated")
    assert "'pool1': (73, 73, 64)" in said
    assert "above 100% of 26 images" in said
