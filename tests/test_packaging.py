"""The wheel: what is in it, and that it works where there is no checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from atlas import __version__

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_it_is_named_by_its_version_and_small(wheel):
    assert wheel.name == f"atlas_microscope-{__version__}-py3-none-any.whl"
    assert wheel.stat().st_size < 6_000_000


def test_everything_travels_in_it(names):
    checkout = {
        *(path.relative_to(ROOT).as_posix() for path in (ROOT / "atlas").rglob("*.py")),
        *(f"atlas/_data/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "templates").rglob("*.*")),
        *(f"atlas/_data/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "configs").glob("*.*")),
        *(f"atlas/networks/embedded/{path.name}" for path in (ROOT / "atlas/networks/embedded").iterdir()),
    }
    own = {name for name in names if not name.startswith("atlas_microscope-")}
    assert own == checkout
    assert "atlas/_data/configs/atlas.schema.json" in names
    assert "atlas/_data/templates/static/layer.js" in names


def test_the_weights_come_with_their_licences(wheel, names):
    licences = [name for name in names if "/licenses/" in name]
    assert {name.rpartition("/")[2] for name in licences} == {"LICENSE", "LICENSE-keras-inceptionv3", "LICENSE-nsfwjs"}
    with zipfile.ZipFile(wheel) as archive:
        assert archive.getinfo("atlas/networks/embedded/inceptionv3_mixed4.safetensors").file_size < 4_500_000
        metadata = archive.read(f"atlas_microscope-{__version__}.dist-info/METADATA").decode()
    assert "License-Expression: Apache-2.0 AND MIT" in metadata
    assert "Requires-Python: >=3.11" in metadata


def test_it_works_where_there_is_no_checkout(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    (tmp_path / "elsewhere").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path / "elsewhere", env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    found = run("-c", "from atlas.resources import resource as r; print(r('templates'), r('configs'), sep='\\n')")
    data = tmp_path / "installed" / "atlas" / "_data"
    assert found.splitlines() == [str(data / "templates"), str(data / "configs")]
    assert "64 pictures, 0 cached, 64 to render" in run("-m", "atlas", "plan", "quickstart")
    assert "768" in run("-m", "atlas", "layers", "inceptionv3")
    assert list((tmp_path / "elsewhere").iterdir()) == []
