from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from atlas.errors import SiteError
from atlas.pages.addresses import all_addresses, check_names, safe_segment
from atlas.pages.read import read_atlas
from atlas.pages.statics import static_names
from atlas.pages.theme import Theme
from atlas.store.store import Store
from tests.pages.looked import with_images


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
    twin = replace(atlas.layers[0], name="MIXED2")
    with pytest.raises(SiteError, match=r"'mixed2' and 'MIXED2'|'MIXED2' and 'mixed2'"):
        check_names(replace(atlas, layers=(*atlas.layers, twin)))
    with pytest.raises(SiteError, match="recipes 'main' and 'Main'"):
        check_names(replace(atlas, recipes=("main", "Main")))
    with pytest.raises(SiteError, match="recipe 'a/b'"):
        check_names(replace(atlas, recipes=("main", "a/b")))


def test_every_file_that_is_written_has_a_known_address(
    site: Path, make_atlas: Callable[..., dict[str, Any]], store: Store
) -> None:
    atlas = read_atlas(with_images(store, make_atlas(store, distinct=1, side=8)))
    expected = all_addresses(atlas, static_names(Theme())) | {"_/files.json", "_/files.copy.json"}
    written = {path.relative_to(site / "toy").as_posix() for path in (site / "toy").rglob("*") if path.is_file()}
    assert written <= expected
    not_asked_for = {"sitemap.xml", "pictures.zip", "_/theme.css"}
    without_picture = {f"_/thumbs/{layer}/{channel}.webp" for layer in ("mixed0", "mixed2") for channel in (6, 7)}
    kept = {name for name in expected if "._frames." in name or "._maps." in name}  # nothing was recorded
    lone = {"mixed2/3._weights.webp"}
    assert expected - written == not_asked_for | without_picture | kept | lone
