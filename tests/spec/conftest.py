from collections.abc import Callable
from pathlib import Path

import pytest

from atlas.networks import weights
from atlas.networks.catalog import facts
from atlas.networks.families import preprocessing
from atlas.spec.load import load_request
from atlas.spec.request import Catalog, Request

CATALOG = Catalog(facts=facts, find_weights=weights.locate, available=weights.available, preprocessing=preprocessing)


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Request]:
    """Read a configuration given as text."""

    def reader(text: str, limit: int | None = None, **overrides: str) -> Request:
        path = tmp_path / "c.yaml"
        path.write_text(text)
        return load_request(path, overrides, CATALOG, limit)

    return reader
