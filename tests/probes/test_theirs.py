"""Which pictures are of which channels, by their names."""

import numpy as np
import PIL.Image
import pytest

from atlas.errors import AtlasError
from atlas.microscope import microscope, picture
from atlas.probes.theirs import Called, find_theirs


def called(layer: str, *channels: int) -> Called:
    place = microscope("inceptionv3", layer, "imagenet")
    return Called(layer, place.op if place else (), (place.folder,) if place else (), frozenset(channels))


MIXED = [called("mixed2", 0, 1, 17), called("mixed3", 0, 1), called("mixed10", 0)]


@pytest.fixture
def folder(tmp_path):
    def fill(*names: str):
        for place, name in enumerate(names):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(np.full((16, 16, 3), place, np.uint8)).save(path)
        return str(tmp_path)

    return fill


def named(theirs) -> dict[str, dict[int, str]]:
    return {layer: {channel: one.name for channel, one in of.items()} for layer, of in theirs.of.items()}


@pytest.mark.parametrize(
    "name",
    [
        "InceptionV3_InceptionV3_Mixed_5d_concat_0/channel-17.png",
        "deep/er/InceptionV3_InceptionV3_Mixed_5d_concat_0/channel-17.png",
        picture(microscope("inceptionv3", "mixed2", "imagenet"), 17).partition("/inceptionv3_slim/")[2],
        "mixed2/17.webp",
        "mixed2/channel-17.png",
        "mixed2_ch17.jpg",
        "mixed2-17.PNG",
        "pictures/mixed2_17.jpeg",
        "Mixed_5d_ch17.png",
        "Mixed_5d_17.png",
    ],
)
def test_names_that_are_known(folder, name):
    assert named(find_theirs(folder(name), None, MIXED)) == {"mixed2": {17: name}}


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("Mixed_{op}_ch{channel}.png", "Mixed_5d_ch17.png"),
        ("{op}_ch{channel}.png", "Mixed_5d_ch17.png"),
        ("*-{layer}-n{channel}-*.png", "run3-mixed2-n17-final.png"),
        ("{layer}/{channel}/best.png", "mixed2/17/best.png"),
        ("{tensor}.{channel}.png", "InceptionV3_InceptionV3_Mixed_5d_concat_0.17.png"),
        ("ch{channel}(of {layer}).png", "ch17(of mixed2).png"),
    ],
)
def test_names_by_a_pattern(folder, pattern, name):
    assert named(find_theirs(folder(name, "mixed3/1.png"), pattern, MIXED)) == {"mixed2": {17: name}}


def test_a_layer_s_name_is_taken_whole(folder):
    found = find_theirs(folder("mixed1_0.png", "mixed10_0.png"), None, MIXED)
    assert named(found) == {"mixed10": {0: "mixed10_0.png"}}


def test_one_layer_alone_needs_no_name(folder):
    assert named(find_theirs(folder("c17.png"), "c{channel}.png", MIXED[:1])) == {"mixed2": {17: "c17.png"}}
    with pytest.raises(
        AtlasError, match=r"names: expected \{layer\}, \{op\} or \{tensor\} in the names of pictures of 3 layers"
    ):
        find_theirs(folder("c17.png"), "c{channel}.png", MIXED)


def test_the_first_picture_of_a_channel_is_taken_and_the_others_are_named(folder):
    found = find_theirs(folder("mixed2/1.png", "mixed2_ch1.png", "mixed2-1.webp"), None, MIXED)
    assert named(found) == {"mixed2": {1: "mixed2-1.webp"}}
    assert found.more == ("mixed2/1.png", "mixed2_ch1.png")


def test_an_atlas_s_own_small_pictures_are_none(folder):
    place = folder("_/thumbs/mixed2/1.webp", "mixed2/1.webp", "mixed2/1._images.webp", "mixed2/1.negative.webp")
    found = find_theirs(place, None, MIXED)
    assert named(found) == {"mixed2": {1: "mixed2/1.webp"}}
    assert (found.more, found.unknown) == ((), ("mixed2/1._images.webp", "mixed2/1.negative.webp"))


def test_of_microscope_s_pictures_those_of_the_channel_itself_are_taken(folder):
    place = microscope("inceptionv3", "mixed2", "imagenet")
    first, again, neuron = (
        picture(place, 17, objective=objective, repeat=repeat, base="x").partition("/")[2]
        for objective, repeat in (("channel", 0), ("channel", 1), ("neuron", 0))
    )
    silent = first.replace("negative%3DFalse", "negative%3DTrue")
    found = find_theirs(folder(again, neuron, silent, first), None, MIXED)
    assert named(found) == {"mixed2": {17: first}}
    assert found.more == (again,)
    assert set(found.unknown) == {neuron, silent}


def test_names_of_any_letters(folder):
    place = folder("x1²2.png", "mixed2_ch1.png", "ünï/mixed3_ch1.png", "{channel}.png")
    found = find_theirs(place, None, MIXED)
    assert named(found) == {"mixed2": {1: "mixed2_ch1.png"}, "mixed3": {1: "ünï/mixed3_ch1.png"}}
    assert len(found.unknown) == 2


def test_pictures_of_nothing_that_is_wanted_are_one_sentence(folder):
    found = find_theirs(folder("mixed2_ch5.png", "cat.jpg"), None, MIXED)
    assert not found.of
    assert "expected pictures of this atlas's channels of mixed2, mixed3, mixed10 with names such as" in found.none
    assert "received 2 images with others, the first cat.jpg; say how they are called" in found.none
