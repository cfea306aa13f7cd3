"""Folders of a user: with a home and without."""

import os
from pathlib import Path

import pytest

from atlas.files import recall, remember
from atlas.images.folders import find_images
from atlas.networks.weights import keras_folder
from atlas.resources import cache_folder, home
from tests.images.test_loader import noise, write


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No HOME, and no entry among the system's users."""

    def nobody(_: int) -> None:
        raise KeyError("getpwuid(): uid not found")

    for name in ("HOME", "XDG_CACHE_HOME", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)


def test_folders_lie_in_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("XDG_CACHE_HOME", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert (home(), cache_folder()) == (tmp_path, tmp_path / ".cache" / "atlas")
    assert keras_folder() == tmp_path / ".keras" / "models"


@pytest.mark.usefixtures("homeless")
def test_without_a_home_nothing_is_kept_and_all_else_works(tmp_path: Path) -> None:
    kept = cache_folder() / "networks" / "a.json"
    remember(kept, {"a": 1})
    assert recall(kept) is None
    write(tmp_path / "photos" / "0.png", noise(9, 9))
    assert [one.name for one in find_images(str(tmp_path / "photos"))] == ["0.png"]
    assert keras_folder() == Path("/tmp/.keras/models")
    assert os.devnull in str(cache_folder())
