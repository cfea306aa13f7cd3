"""Images that are named by patterns."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atlas.errors import AtlasError
from atlas.probes.images import find_images, find_photos


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(
        ["b.png", "a.png", "cats/tabby.png", "cats/old/tom.png", "dogs/rex.png", "odd[1].png"]
    ):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((9, 9, 3), number, np.uint8)).save(path)
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["b.png", "a.png"], ["b.png", "a.png"]),
        (["cats/*.png"], ["cats/old/tom.png", "cats/tabby.png"]),
        (["dogs/*", "?.png"], ["dogs/rex.png", "a.png", "b.png"]),
        (["a.png", "*"], ["a.png", "b.png", "cats/old/tom.png", "cats/tabby.png", "dogs/rex.png", "odd[1].png"]),
        (["odd[1].png"], ["odd[1].png"]),
        ([], []),
    ],
)
def test_each_image_comes_once_in_the_order_of_the_patterns(folder, patterns, names):
    found = find_photos(str(folder), patterns, 24)
    assert [source.name for source in found] == names
    everything = {source.name: source for source in find_images(str(folder))}
    assert [everything[name] for name in names] == list(found)  # paths, labels and digests alike


def test_a_limit_of_images_does_not_hide_photos(folder):
    assert len(find_images(str(folder), limit=1)) == 1
    assert len(find_photos(str(folder), ["*"], 24)) == 6


@pytest.mark.parametrize(
    ("patterns", "most", "sentence"),
    [
        (
            ["cats/taby.png"],
            24,
            "received 'cats/taby.png', which none of its 6 images has; did you mean cats/tabby.png?",
        ),
        (["*.jpg"], 24, "received '*.jpg', which none of its 6 images has"),
        (["A.png"], 24, "received 'A.png'"),
        (["*"], 5, "expected at most 5 images, received patterns that name 6"),
    ],
)
def test_a_wrong_pattern_is_one_sentence(folder, patterns, most, sentence):
    with pytest.raises(AtlasError) as caught:
        find_photos(str(folder), patterns, most)
    assert str(caught.value).startswith("probes.photos: expected ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
