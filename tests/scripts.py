"""Scripts as modules, for the tests of what they do."""

import importlib.util
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parents[1] / "scripts"


def script(name: str) -> ModuleType:
    """A script by its path without the suffix, from the folder of scripts: ``blind``, ``peers/eye``. Nothing is run."""
    spec = importlib.util.spec_from_file_location(Path(name).name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
