import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from atlas.errors import SiteError
from atlas.pages.addresses import all_addresses, check_names, layer_folders, safe_segment
from atlas.pages.check import check_site
from atlas.pages.read import read_atlas
from atlas.pages.statics import static_names
from atlas.pages.theme import Theme
from atlas.pages.write import write_atlas
from atlas.store.store import Store
from tests.pages.looked import with_images
from tests.pages.test_write import contents


@pytest.mark.parametrize(
    "name", ["mixed4", "block4_conv1", "outer.inner", "_conv", "a-b", "0", "-x", "a" * 100, "auxiliary", "con_1"]
)
def test_names_of_layers_stand_as_they_are(name: str) -> None:
    assert safe_segment(name, "layer") == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            ".",
            "..",
            "_",
            "../x",
            "a/b",
            "a\\b",
            ".hidden",
            "a.",
            "a b",
            "<script>",
            "ä",
            "a\0",
            "a\n",
            "a" * 101,
            "x:y",
        ),
        *("a" * 300, "index.html", "Manifest.JSON", "404.html", "%2e%2e", "CON", "aux", "nul.txt", "com1", "Lpt9.a.b"),
    ],
)
def test_names_that_could_do_harm_are_refused(name: str) -> None:
    with pytest.raises(SiteError, match="expected a name that can be a file"):
        safe_segment(name, "layer")


def test_layers_and_recipes_that_differ_in_case_only_are_refused(
    make_atlas: Callable[..., dict[str, Any]], store: Store
) -> None:
    atlas = read_atlas(make_atlas(store, distinct=1, side=8))
    check_names(atlas)
    twin = replace(atlas.layers[0], folder="MIXED2")
    with pytest.raises(SiteError, match=r"'mixed2' and 'MIXED2'|'MIXED2' and 'mixed2'"):
        check_names(replace(atlas, layers=(*atlas.layers, twin)))
    with pytest.raises(SiteError, match="recipes 'main' and 'Main'"):
        check_names(replace(atlas, recipes=("main", "Main")))
    with pytest.raises(SiteError, match="recipe 'a/b'"):
        check_names(replace(atlas, recipes=("main", "a/b")))


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("my layer", "my-layer-[0-9a-f]{8}"),
        ("a:b", "a-b-[0-9a-f]{8}"),
        ("a+b", "a-b-[0-9a-f]{8}"),
        ("größe", "groe-[0-9a-f]{8}|gro-e-[0-9a-f]{8}"),
        ("index", "index-[0-9a-f]{8}"),
        ("aux", "aux-[0-9a-f]{8}"),
        ("..", "layer-[0-9a-f]{8}"),
        ("_", "layer-[0-9a-f]{8}"),
        ("層", "layer-[0-9a-f]{8}"),
        ("x" * 300, "x{60}-[0-9a-f]{8}"),
        ("mixed4.", "mixed4-[0-9a-f]{8}"),
        ("Conv1_relu", "Conv1_relu"),
        ("block.conv2d_1", "block.conv2d_1"),
    ],
)
def test_a_layer_has_a_folder_whatever_its_name(name: str, folder: str) -> None:
    found = layer_folders([name, "other"])
    assert re.fullmatch(folder, found[name])
    assert safe_segment(found[name], "layer") == found[name]
    assert layer_folders(["another", name])[name] == found[name]  # it does not depend on what stands beside it


def test_layers_whose_names_differ_in_case_only_have_folders_that_do_not() -> None:
    names = ["Conv", "conv", "CONV", "dense", "a b", "a:b"]
    found = layer_folders(names)
    assert (found["conv"], found["dense"]) == ("conv", "dense")
    assert found == {**layer_folders(names[::-1])}
    assert len({folder.lower() for folder in found.values()}) == len(names)


def test_a_site_of_layers_with_any_names(
    make_atlas: Callable[..., dict[str, Any]], store: Store, tmp_path: Path
) -> None:
    """They are called so on their pages, and every link leads to a file."""
    record = json.dumps(make_atlas(store, "odd", {"mixed0": 4, "mixed1": 3, "mixed2": 3}, distinct=1, side=8))
    for plain, odd in (("mixed0", "my: layer"), ("mixed1", "MIXED2"), ("mixed2", "mixed2")):
        record = record.replace(f'"{plain}"', f'"{odd}"')
    atlas = read_atlas(json.loads(record))
    write_atlas(json.loads(record), store, tmp_path / "site", Theme())
    assert check_site(tmp_path / "site") == []
    folders = [atlas.folder(name) for name in ("my: layer", "MIXED2", "mixed2")]
    assert folders[2] == "mixed2"
    assert [(tmp_path / "site" / folder / "index.html").is_file() for folder in folders] == [True] * 3
    page = (tmp_path / "site" / folders[0] / "0.html").read_text()
    assert f'data-layer="{folders[0]}"' in page
    assert "my: layer" in page
    assert f'"folder":"{folders[0]}"' in (tmp_path / "site/_/search.js").read_text()


def test_every_file_that_is_written_has_a_known_address(
    make_atlas: Callable[..., dict[str, Any]], store: Store, tmp_path: Path
) -> None:
    record = with_images(store, make_atlas(store, distinct=1, side=8))
    write_atlas(record, store, tmp_path / "out")
    expected = all_addresses(read_atlas(record), static_names(Theme())) | {"_/files.json", "_/files.copy.json"}
    written = set(contents(tmp_path / "out"))
    assert written <= expected
    not_asked_for = {"sitemap.xml", "pictures.zip", "_/theme.css"}
    without_picture = {
        f"_/{kind}/{layer}/{channel}.webp"
        for kind in ("thumbs", "2x/thumbs")
        for layer in ("mixed0", "mixed2")
        for channel in (6, 7)
    }
    recorded = ("._frames.", "._maps.", "._opacity.")  # nothing was
    kept = {name for name in expected if any(one in name for one in recorded)}
    lone = {"mixed2/3._weights.webp"}
    assert expected - written == not_asked_for | without_picture | kept | lone
