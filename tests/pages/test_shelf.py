from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atlas.pages.check import check_site
from atlas.pages.write import may_have_shelf, write_atlas, write_shelf
from atlas.store.store import Store


@pytest.fixture
def folder(make_atlas: Callable[..., dict[str, Any]], store: Store, tmp_path: Path) -> Path:
    for name in ("b", "a"):
        record = make_atlas(store, name, {"mixed0": 4}, recipes=("main",), distinct=2, side=8)
        write_atlas({**record, "title": f"<b>{name}</b> & more"}, store, tmp_path / "site" / name)
    (tmp_path / "site" / ".git").mkdir()
    (tmp_path / "site" / "README.md").write_text("files do not matter")
    return tmp_path / "site"


def test_the_shelf_lists_every_atlas_and_is_left_alone_when_nothing_changed(folder: Path) -> None:
    assert write_shelf(folder) is None
    shelf = folder / "index.html"
    text = shelf.read_text()
    assert text.index("a/index.html") < text.index("b/index.html")
    assert "&lt;b&gt;a&lt;/b&gt; &amp; more" in text
    assert 'src="a/_/cover.webp"' in text
    identity = shelf.stat().st_ino, shelf.stat().st_mtime_ns
    assert write_shelf(folder) is None
    assert (shelf.stat().st_ino, shelf.stat().st_mtime_ns) == identity


def test_the_shelf_follows_its_atlases(folder: Path, make_atlas: Callable[..., dict[str, Any]], store: Store) -> None:
    write_shelf(folder)
    record = make_atlas(store, "c", {"mixed0": 5}, weights="random", recipes=("main",), distinct=2, side=8)
    write_atlas(record, store, folder / "c")
    assert write_shelf(folder) is None
    text = (folder / "index.html").read_text()
    assert "c/index.html" in text
    assert text.count("random weights") == 1


@pytest.mark.parametrize("damage", ["flip", "zeros"])
def test_a_damaged_shelf_is_named_and_written_again(folder: Path, damage: str) -> None:
    write_shelf(folder)
    shelf = folder / "index.html"
    whole = shelf.read_bytes()
    shelf.write_bytes(
        bytes(len(whole)) if damage == "zeros" else whole.replace(b"Pictures of what", b"Pictures of whas")
    )
    said = "is empty" if damage == "zeros" else "is not as a build wrote it: damaged, or changed since; build again"
    assert check_site(folder) == [f"index.html: {said}"]
    assert write_shelf(folder) is None
    assert (shelf.read_bytes(), check_site(folder)) == (whole, [])


def test_an_atlas_knows_whether_a_shelf_will_stand_above_it(folder: Path, tmp_path: Path) -> None:
    assert may_have_shelf(folder / "coming")
    assert may_have_shelf(tmp_path / "nowhere" / "atlas")
    (folder / "thesis").mkdir()
    assert not may_have_shelf(folder / "coming")
    assert may_have_shelf(folder / "thesis")  # the folder that the atlas itself is to have


def test_a_stranger_s_folder_keeps_the_shelf_away(folder: Path) -> None:
    (folder / "thesis").mkdir()
    assert write_shelf(folder) == f"{folder / 'thesis'} is not an atlas of ours"
    assert not (folder / "index.html").exists()


@pytest.mark.parametrize("text", ["<h1>My page</h1>", ""])
def test_a_stranger_s_page_is_kept(folder: Path, text: str) -> None:
    (folder / "index.html").write_text(text)
    assert write_shelf(folder) == f"{folder / 'index.html'} is not a shelf of ours"
    assert (folder / "index.html").read_text() == text


def test_the_home_page_of_an_atlas_is_no_shelf(folder: Path) -> None:
    home = (folder / "a" / "index.html").read_text()
    (folder / "index.html").write_text(home)
    assert write_shelf(folder) is not None
    assert (folder / "index.html").read_text() == home


def test_a_folder_without_atlases_gets_no_shelf(tmp_path: Path) -> None:
    assert write_shelf(tmp_path) == f"{tmp_path} holds no atlas"
    assert list(tmp_path.iterdir()) == []
