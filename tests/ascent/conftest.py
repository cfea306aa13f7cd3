from typing import Any

import pytest

from atlas.networks.load import load
from atlas.spec.facts import NetworkRef
from atlas.spec.recipe import Recipe


@pytest.fixture(scope="session")
def toy_network(toy_ref: NetworkRef) -> Any:
    return load(toy_ref)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """The default recipe, small."""
    return Recipe(size=32, steps=6)
