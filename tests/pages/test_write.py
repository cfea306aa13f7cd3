import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atlas import files
from atlas.errors import SiteError, StoreError
from atlas.pages.check import check_site
from atlas.pages.write import Written, write_atlas
from atlas.store.entry import Entry
from atlas.store.store import Store

Make = Callable[..., dict[str, Any]]


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def identities(folder: Path) -> dict[str, tuple[int, int]]:
    """Changes for every file that is written again, even with the same bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def record(make_atlas: Make, store: Store) -> dict[str, Any]:
    return make_atlas(store, distinct=6, side=32)


def test_pictures_are_the_store_s_bytes(record: dict[str, Any], store: Store, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    written = write_atlas(record, store, tmp_path / "out", lambda done, total: steps.append((done, total)))
    assert written == Written(pages=29, changed=len(contents(tmp_path / "out")) - 1, removed=0, unchanged=False)
    assert steps == [(n, 29) for n in range(1, 30)]
    renderings = record["layers"][1]["channels_shown"][3]["renderings"]
    for name, recipe in (("3.webp", "main"), ("3.negative.webp", "negative")):
        assert (tmp_path / "out" / "mixed2" / name).read_bytes() == store.get(renderings[recipe]["key"]).picture
    assert check_site(tmp_path / "out") == []


def test_same_input_same_bytes(record: dict[str, Any], store: Store, tmp_path: Path) -> None:
    write_atlas(record, store, tmp_path / "a")
    write_atlas(record, store, tmp_path / "deep" / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "deep" / "b")


def test_a_second_build_touches_nothing_and_imports_nothing_heavy(
    record: dict[str, Any], store: Store, tmp_path: Path
) -> None:
    write_atlas(record, store, tmp_path / "out")
    before = identities(tmp_path / "out")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from atlas.store.store import Store\n"
        "from atlas.pages.write import write_atlas\n"
        "store = Store(sys.argv[1])\n"
        "written = write_atlas(store.get_atlas('toy'), store, Path(sys.argv[2]))\n"
        "assert written.unchanged and written.pages == 29 and written.changed == 0, written\n"
        "print(sorted({'jinja2', 'PIL', 'yaml', 'tensorflow', 'keras'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code, store.address, str(tmp_path / "out")]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "[]\n"
    assert identities(tmp_path / "out") == before


def test_a_thousand_unchanged_channels_take_no_time(make_atlas: Make, store: Store, tmp_path: Path) -> None:
    record = make_atlas(store, layers={"mixed0": 256, "mixed3": 768}, recipes=("main",), distinct=2, side=8)
    write_atlas(record, store, tmp_path / "out")
    start = time.perf_counter()
    assert write_atlas(record, store, tmp_path / "out").unchanged
    assert time.perf_counter() - start < 0.5


def test_only_what_changes_is_written(record: dict[str, Any], store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_atlas(record, store, out)
    before = identities(out)
    record["layers"][0]["channels_shown"][6]["renderings"]["main"]["error"] = "another reason"
    written = write_atlas(record, store, out)
    touched = {name for name, identity in identities(out).items() if before.get(name) != identity}
    assert touched == {"mixed0/6.html", "manifest.json", "_/files.json"}
    assert (written.changed, written.removed) == (2, 0)


@pytest.mark.parametrize("damage", ["delete", "cut"])
def test_a_file_that_is_gone_or_cut_comes_back(
    record: dict[str, Any], store: Store, tmp_path: Path, damage: str
) -> None:
    out = tmp_path / "out"
    write_atlas(record, store, out)
    whole = contents(out)
    victim = out / "mixed2" / "1.webp"
    victim.unlink() if damage == "delete" else victim.write_bytes(victim.read_bytes()[:40])
    assert write_atlas(record, store, out).changed == 1
    assert contents(out) == whole


def test_files_no_longer_wanted_go_and_others_stay(record: dict[str, Any], store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_atlas(record, store, out)
    (out / "CNAME").write_text("atlas.example")
    (out / "mixed0" / "notes.txt").write_text("mine")
    del record["layers"][0]
    written = write_atlas(record, store, out)
    assert written.removed > 30
    assert sorted(path.name for path in (out / "mixed0").iterdir()) == ["notes.txt"]
    assert (out / "CNAME").read_text() == "atlas.example"
    assert not (out / "_" / "sheets" / "mixed0").exists()
    write_atlas(record, store, tmp_path / "fresh")
    assert contents(tmp_path / "fresh").items() <= contents(out).items()


@pytest.mark.parametrize("foreign", ["thesis.tex", "_/files.json", "index.html"])
def test_a_folder_that_is_not_ours_is_refused(
    record: dict[str, Any], store: Store, tmp_path: Path, foreign: str
) -> None:
    path = tmp_path / "out" / foreign
    path.parent.mkdir(parents=True)
    path.write_text('{"format": 1, "inputs": null, "files": {"../thesis.tex": 4}}')
    before = contents(tmp_path / "out")
    with pytest.raises(SiteError, match="expected a new or empty folder"):
        write_atlas(record, store, tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_a_file_in_place_of_the_folder_is_refused(record: dict[str, Any], store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(SiteError, match="expected a new or empty folder"):
        write_atlas(record, store, tmp_path / "out")


def test_an_interrupted_build_goes_on_to_the_same_site(
    record: dict[str, Any], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def get(key: str) -> Entry:
        nonlocal calls
        calls += 1
        if calls == 40:
            raise KeyboardInterrupt
        return Store.get(store, key)

    monkeypatch.setattr(store, "get", get)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        write_atlas(record, store, out)
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    torn = out / "mixed0" / f".0.html.{files._HOST}-{int(gone.stdout)}-{'0' * 32}.tmp"
    torn.write_bytes(b"half a page")
    mine = out / "mixed0" / ".mine.tmp"
    mine.write_bytes(b"not of the program")
    alive = out / "mixed0" / f".1.html.{files._HOST}-{os.getpid()}-{'0' * 32}.tmp"
    alive.write_bytes(b"another build is writing this")
    write_atlas(record, store, out)
    assert not torn.exists()
    for path in (mine, alive):
        path.unlink()
    write_atlas(record, store, tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def test_nothing_is_written_through_a_link(record: dict[str, Any], store: Store, tmp_path: Path) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside"
    write_atlas(record, store, out)
    outside.mkdir()
    (out / "mixed0").rename(outside / "mixed0")
    (out / "mixed0").symlink_to(outside / "mixed0")
    before = contents(outside)
    record["title"] = "Another title"
    with pytest.raises(SiteError, match="received a link"):
        write_atlas(record, store, out)
    assert contents(outside) == before


def test_a_damaged_entry_is_never_shown(record: dict[str, Any], store: Store, tmp_path: Path) -> None:
    path = Path(store.where(record["layers"][0]["channels_shown"][2]["renderings"]["main"]["key"]))
    data = bytearray(path.read_bytes())
    data[-200] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        write_atlas(record, store, tmp_path / "out")


def test_layers_with_names_that_are_no_folder_are_refused_before_anything_is_written(
    record: dict[str, Any], store: Store, tmp_path: Path
) -> None:
    record["layers"][0]["name"] = "../../escape"
    with pytest.raises(SiteError, match="expected a name that can be a file"):
        write_atlas(record, store, tmp_path / "out")
    assert not (tmp_path / "out").exists()
