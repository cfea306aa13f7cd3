from collections.abc import Callable
from pathlib import Path

import pytest

from atlas.networks.answers import catalog
from atlas.spec.load import load_request
from atlas.spec.request import Request

CATALOG = catalog()


@pytest.fixture(autouse=True)
def records(folders: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Keras tells of a network is kept for all these files: asking it takes seconds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "records"))


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Request]:
    """Read a configuration given as text."""

    def reader(text: str, limit: int | None = None, **overrides: str) -> Request:
        path = tmp_path / "c.yaml"
        path.write_text(text)
        return load_request(path, overrides, CATALOG, limit)

    return reader
