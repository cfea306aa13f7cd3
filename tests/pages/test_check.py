import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atlas.errors import SiteError
from atlas.pages.check import check_site
from atlas.pages.theme import Theme
from atlas.pages.write import write_atlas
from atlas.store.store import Store


@pytest.fixture(scope="module")
def small(make_atlas: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of few channels, to be copied and damaged."""
    folder = tmp_path_factory.mktemp("small")
    store = Store(str(folder / "store"))
    record = make_atlas(store, layers={"mixed0": 3, "mixed2": 2}, recipes=("main",), distinct=2)
    write_atlas(record, store, folder / "toy", Theme(shelf=True))
    return folder / "toy"


def test_a_built_site_is_sound_as_a_whole_and_atlas_by_atlas(site: Path) -> None:
    assert check_site(site) == []
    assert check_site(site / "toy") == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('href="1.html"', 'href="99.html"', "link to 99.html: there is no such file"),
        ('href="#content"', 'href="#nowhere"', "link to #nowhere: there is no such place in that page"),
        ('href="../index.html"', 'href="../../../../etc/passwd"', "link to ../../../../etc/passwd leaves the site"),
        ('href="../index.html"', 'href="../mixed2/"', "link to ../mixed2/: there is no such file"),
        ('href="../index.html"', 'href="javascript:alert(1)"', "link to javascript:alert(1): expected http or https"),
        (
            'src="../_/site.js"',
            'src="https://cdn.example/x.js"',
            "<script> refers to another host: https://cdn.example/x.js",
        ),
        ('src="0.webp"', 'src="//cdn.example/0.webp"', "<img> refers to another host: //cdn.example/0.webp"),
        ('alt="The picture made for mixed0 channel 0"', 'alt=""', "picture 0.webp has no alt"),
        (
            'width="128" height="128"></a>',
            'width="64" height="128"></a>',
            "picture 0.webp: expected 128 by 128 px, received 64 by 128",
        ),
        ('id="recipe"', 'id="content"', "id 'content' is used more than once"),
        ("</figure>", "</section>", "expected </figure>, received </section>"),
        ("</html>", "", "expected </html>, received the end of the page"),
        ("<main ", '<main style="color: red" ', "<main> has inline style or script: the policy forbids it"),
        ("<main ", '<main onclick="x()" ', "<main> has inline style or script: the policy forbids it"),
        ("</main>", "<script>x()</script></main>", "<script> has inline style or script: the policy forbids it"),
    ],
)
def test_every_fault_is_found_and_named(small: Path, tmp_path: Path, old: str, new: str, problem: str) -> None:
    shutil.copytree(small, tmp_path / "toy")
    page = tmp_path / "toy" / "mixed0" / "0.html"
    text = page.read_text()
    assert old in text
    page.write_text(text.replace(old, new, 1))
    found = check_site(tmp_path)
    assert any(line.startswith("toy/mixed0/0.html: ") and line.endswith(problem) for line in found), found


def test_a_picture_that_is_gone_or_broken_is_found(site: Path, tmp_path: Path) -> None:
    shutil.copytree(site / "random", tmp_path / "random")
    (tmp_path / "random" / "mixed0" / "1.webp").unlink()
    (tmp_path / "random" / "_" / "home" / "mixed0.webp").write_bytes(b"RIFF")
    (tmp_path / "random" / "_" / "home.css").write_text("body { background: url('https://cdn.example/x.png') }")
    found = check_site(tmp_path)
    assert "random/mixed0/1.html: link to 1.webp: there is no such file" in found
    assert "random/index.html: picture _/home/mixed0.webp cannot be read" in found
    assert "random/_/home.css: refers to another host" in found


def test_every_file_that_is_empty_or_cut_is_named(site: Path, tmp_path: Path) -> None:
    """As a power cut leaves them where a copy, or another program, did not flush what it wrote."""
    shutil.copytree(site / "random", tmp_path / "random")
    files = sorted(path for path in (tmp_path / "random").rglob("*") if path.is_file())
    kept = {path: path.read_bytes() for path in files}
    for path in files:
        path.write_bytes(b"")
    found = check_site(tmp_path)
    assert [path for path in files if f"{path.relative_to(tmp_path)}: is empty" not in found] == []
    for path, data in kept.items():
        path.write_bytes(data[: len(data) // 2])
    cut = "\n".join(check_site(tmp_path))
    kinds = {".html", ".webp", ".json"}
    assert {path.suffix for path in files} >= kinds
    assert [path for path in files if path.suffix in kinds and path.name not in cut] == []
    for path, data in kept.items():
        path.write_bytes(data[:15] if path.suffix == ".html" else data)
    cut = "\n".join(check_site(tmp_path))
    pages = [path for path in files if path.suffix == ".html"]
    assert all(f"{path.relative_to(tmp_path)}: expected </html>, received the end" in cut for path in pages)


def test_a_folder_without_pages_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="expected a built site"):
        check_site(tmp_path)
