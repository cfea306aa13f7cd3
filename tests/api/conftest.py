"""Images with labels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import shell

__all__ = ["shell"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images of 32 px: six of stripes, six of noise, by label."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(6):
        stripes = np.zeros((32, 32, 3), np.uint8)
        stripes[:, :: number + 2] = 255
        for label, pixels in (("stripes", stripes), ("noise", rng.integers(0, 256, (32, 32, 3), np.uint8))):
            (root / label).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(root / label / f"{number}.png")
    return root
