import hashlib
import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2 import Environment
from PIL import Image

from atlas import files
from atlas.errors import SiteError, StoreError
from atlas.pages import build, ledger, templating
from atlas.pages.check import check_site
from atlas.pages.listing import COPY, FILES
from atlas.pages.theme import Theme
from atlas.pages.write import write_atlas
from atlas.store.entry import Entry
from atlas.store.store import Store

Make = Callable[..., dict[str, Any]]
LISTS = {FILES, COPY}
SITE = {"layers": {"mixed0": 8, "mixed2": 5}, "distinct": 6, "side": 32}  # 13 pages of channels, 2 of layers, 5 more


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def identities(folder: Path) -> dict[str, tuple[int, int]]:
    """Changes for every file that is written again, even with the same bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def record(make_atlas: Make, store: Store) -> dict[str, Any]:
    return make_atlas(store, **SITE)


def test_pictures_are_the_store_s_bytes(record: dict[str, Any], store: Store, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    written = write_atlas(record, store, tmp_path / "out", progress=lambda done, total: steps.append((done, total)))
    count = len(contents(tmp_path / "out").keys() - LISTS)
    assert (written.pages, written.changed, written.removed, written.unchanged) == (20, count, 0, False)
    assert steps == [*((n, 20) for n in range(1, 16)), (20, 20)]
    renderings = record["layers"][1]["channels_shown"][3]["renderings"]
    for name, recipe in (("3.webp", "main"), ("3.negative.webp", "negative")):
        assert (tmp_path / "out" / "mixed2" / name).read_bytes() == store.get(renderings[recipe]["key"]).picture
    assert check_site(tmp_path / "out") == []


def test_lossy_pictures_look_the_same_in_smaller_files(make_atlas: Make, store: Store, tmp_path: Path) -> None:
    record = make_atlas(store, layers={"mixed0": 3}, recipes=("main",), distinct=3, side=96)
    out, key = tmp_path / "out", record["layers"][0]["channels_shown"][1]["renderings"]["main"]["key"]
    write_atlas(record, store, out)
    picture, small = store.get(key).picture, record | {"site": record["site"] | {"pictures": "lossy"}}
    written = write_atlas(small, store, out)
    assert not written.unchanged
    shown = (out / "mixed0" / "1.webp").read_bytes()
    assert len(shown) < 0.5 * len(picture)
    before, after = (np.asarray(Image.open(io.BytesIO(one)).convert("RGB"), int) for one in (picture, shown))
    assert np.abs(before - after).max() == 8
    assert np.unique(after).tolist() == [*range(0, 256, 16), 255]
    assert json.loads((out / "manifest.json").read_text())["lossy"] is True
    assert check_site(out) == []
    write_atlas(small, store, tmp_path / "new")
    assert contents(tmp_path / "new") == contents(out)
    write_atlas(record, store, out)
    assert (out / "mixed0" / "1.webp").read_bytes() == picture


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
        "assert written.unchanged and written.pages == 20 and written.changed == 0, written\n"
        "print(sorted({'jinja2', 'PIL', 'yaml', 'tensorflow', 'keras'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code, store.address, str(tmp_path / "out")]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "[]\n"
    assert identities(tmp_path / "out") == before


@pytest.mark.clock
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
    assert touched == {"mixed0/6.html", "mixed0/6.json", "mixed0/layer.json", *LISTS}
    assert (written.changed, written.removed) == (3, 0)


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
    assert not (out / "_" / "thumbs" / "mixed0").exists()
    write_atlas(record, store, tmp_path / "fresh")
    assert contents(tmp_path / "fresh").items() <= contents(out).items()


def test_what_somebody_puts_at_an_address_that_is_not_in_use_stays(
    record: dict[str, Any], store: Store, tmp_path: Path
) -> None:
    write_atlas(record, store, tmp_path / "out")
    names = ["sitemap.xml", "pictures.zip", "_/theme.css", "mixed0/3._frames.webp"]
    for name in names:
        (tmp_path / "out" / name).write_text("mine")
    written = write_atlas({**record, "title": "Another"}, store, tmp_path / "out")
    assert written.removed == 0
    assert {(tmp_path / "out" / name).read_text() for name in names} == {"mine"}


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

    real = Store.get

    def get(self: Store, key: str) -> Entry:
        nonlocal calls
        calls += 1
        if calls == 20:
            raise KeyboardInterrupt
        return real(self, key)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(Store, "get", get)
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


def test_the_list_of_files_is_on_the_disk_before_the_first_page_and_after_the_last(
    record: dict[str, Any], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, calls = tmp_path / "out", []
    write_atlas(record, store, out)
    (out / "mixed0" / "0.html").unlink()
    fsync, replace, unlink, flush_all = os.fsync, os.replace, Path.unlink, ledger.flush_all

    def flushed(descriptor: int) -> None:
        calls.append(f"flush {Path(f'/proc/self/fd/{descriptor}').readlink().relative_to(out)}")
        fsync(descriptor)

    def renamed(old: Path, new: Path) -> None:
        calls.append(f"rename {Path(new).relative_to(out)}")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    monkeypatch.setattr(
        Path, "unlink", lambda path, **more: calls.append(f"remove {path.name}") or unlink(path, **more)
    )
    monkeypatch.setattr(ledger, "flush_all", lambda folder: calls.append(f"flush all of {folder}") or flush_all(folder))
    record["layers"][0]["channels_shown"].pop()  # which leaves files that are no longer wanted
    write_atlas(record, store, out)
    calls = [re.sub(r"_/\.(files[a-z.]*)\..*\.tmp", r"_/new \1", call) for call in calls]
    begun, copied, listed = (
        [f"flush _/new {name}", f"rename _/{name}", "flush _"]
        for name in ("files.journal", "files.copy.json", "files.json")
    )
    assert calls[:3] == begun
    place = calls.index(f"flush all of {out}")
    assert {call.split()[0] for call in calls[3:place]} == {"rename", "remove"}
    assert "rename mixed0/0.html" in calls[3:place]
    assert calls[place + 1 :] == [*copied, *listed, "remove files.journal"]


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


def test_layers_with_names_that_are_no_folder_get_one_inside(
    record: dict[str, Any], store: Store, tmp_path: Path
) -> None:
    record["layers"][0]["name"] = "../../escape"
    write_atlas(record, store, tmp_path / "site" / "out")
    assert [path.name for path in tmp_path.glob("*escape*")] == []
    assert len(list((tmp_path / "site" / "out").glob("*escape*/index.html"))) == 1


def test_pictures_that_are_there_are_not_made_again(
    record: dict[str, Any], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atlas.pages import images

    out = tmp_path / "out"
    write_atlas(record, store, out)
    whole = contents(out)
    made: list[Any] = []
    monkeypatch.setattr(images, "webp", lambda image: made.append(image) or b"")
    monkeypatch.setattr(images, "kernel_sheet", lambda rows: made.append(rows) or b"")
    record["title"] = "Another title"
    assert write_atlas(record, store, out).changed > 30
    assert made == []
    assert {name for name in whole if contents(out)[name] != whole[name] and name.endswith(".webp")} == set()


@pytest.mark.slow
def test_several_processes_write_the_same_site(
    make_atlas: Make, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "APART", 50)
    layers = {"mixed0": 40, "mixed2": 30, "mixed3": 16}
    record = make_atlas(store, layers=layers, recipes=("main",), distinct=2, side=8)
    steps: list[tuple[int, int]] = []
    write_atlas(record, store, tmp_path / "one")
    two = write_atlas(record, store, tmp_path / "two", workers=2, progress=lambda *step: steps.append(step))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert steps[-1] == (two.pages, two.pages)
    assert two.changed == len(contents(tmp_path / "two").keys() - LISTS)


def test_a_zip_holds_every_picture_and_is_the_same_each_time(make_atlas: Make, store: Store, tmp_path: Path) -> None:
    record = make_atlas(store, **SITE, zip=True)
    write_atlas(record, store, tmp_path / "a")
    time.sleep(2.1)  # a zip counts in two seconds
    write_atlas(record, store, tmp_path / "b")
    assert (tmp_path / "a/pictures.zip").read_bytes() == (tmp_path / "b/pictures.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a/pictures.zip") as file:
        names = file.namelist()
        assert names == sorted(names)
        pictures = {f"toy/{path.relative_to(tmp_path / 'a').as_posix()}" for path in (tmp_path / "a").rglob("*.webp")}
        assert {name for name in pictures if not re.search("/_/|sheet|_weights", name)} == set(names)
        assert file.read("toy/mixed0/1.webp") == (tmp_path / "a/mixed0/1.webp").read_bytes()


def test_a_base_address_gives_a_sitemap_and_cards(make_atlas: Make, store: Store, tmp_path: Path) -> None:
    record = make_atlas(store, **SITE, base_url="https://example.org/v/toy")
    write_atlas(record, store, tmp_path / "out")
    places = re.findall("<loc>(.*?)</loc>", (tmp_path / "out/sitemap.xml").read_text())
    assert len(places) == 19
    assert "https://example.org/v/toy/mixed0/3.html" in places
    page = (tmp_path / "out/mixed0/3.html").read_text()
    assert '<meta property="og:image" content="https://example.org/v/toy/mixed0/3.webp">' in page
    assert '<link rel="canonical" href="https://example.org/v/toy/mixed0/3.html">' in page
    assert 'href="/v/toy/_/site.css"' in (tmp_path / "out/404.html").read_text()
    assert check_site(tmp_path / "out") == []


def test_templates_of_one_s_own_extend_ours(record: dict[str, Any], store: Store, tmp_path: Path) -> None:
    own = tmp_path / "own"
    (own / ".git").mkdir(parents=True)
    (own / "channel.html").write_text(
        '{% extends "original/channel.html" %}'
        "{% block content %}{{ super() }}<p>Ask about {{ number }}.</p>{% endblock %}"
    )
    logo = tmp_path / "lab.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>')
    write_atlas(record, store, tmp_path / "out", Theme(own, logo))
    page = (tmp_path / "out/mixed0/3.html").read_text()
    assert "<p>Ask about 3.</p>" in page
    assert "The picture excites the channel" in page
    assert 'src="../_/logo.svg"' in page
    assert (tmp_path / "out/_/logo.svg").read_text() == logo.read_text()
    assert "Ask about" not in (tmp_path / "out/mixed0/index.html").read_text()
    (own / "channel.html").write_text("{{ nonsense.more }}")
    with pytest.raises(SiteError, match=r"template channel.html.*'nonsense' is undefined"):
        write_atlas(record, store, tmp_path / "out", Theme(own, logo))
    (own / "channel.html").write_text("{{ 1 / 0 }}")
    with pytest.raises(SiteError, match=r"template channel.html.*division by zero"):
        write_atlas(record, store, tmp_path / "out", Theme(own, logo))
    (own / "channel.html").write_bytes(b"caf\xe9")
    with pytest.raises(SiteError, match=r"template channel.html.*decode"):
        write_atlas(record, store, tmp_path / "out", Theme(own, logo))
    (own / "channel.html").write_text("{% block %}")
    with pytest.raises(SiteError, match=r"template channel.html:1"):
        write_atlas(record, store, tmp_path / "out", Theme(own, logo))


def test_a_template_is_compiled_once_and_again_when_it_changes(
    make_atlas: Make, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = make_atlas(store, layers={"mixed0": 1, "mixed1": 1, "mixed2": 1}, recipes=("main",), distinct=1, side=8)
    compiled: list[str] = []
    real = Environment.compile

    def noted(self: Environment, source: str, name: str, *rest: Any, **more: Any) -> Any:
        compiled.append(name)
        return real(self, source, name, *rest, **more)

    monkeypatch.setattr(templating, "COMPILED", templating._Compiled())
    monkeypatch.setattr(Environment, "compile", noted)
    own = tmp_path / "own"
    own.mkdir()
    for text in ("as it was", "as it is"):
        start = '{% extends "original/channel.html" %}{% block title %}'
        (own / "channel.html").write_text(f"{start}{text}{{% endblock %}}")
        write_atlas(record, store, tmp_path / "out", Theme(own))
        pages = [(tmp_path / f"out/mixed{layer}/0.html").read_text() for layer in range(3)]
        assert all(f"<title>{text}" in page for page in pages)
    assert compiled.count("layer.html") == 1
    assert compiled.count("channel.html") == 3  # ours, and their own twice


def test_a_logo_is_a_picture_of_any_size(record: dict[str, Any], store: Store, tmp_path: Path) -> None:
    logo = tmp_path / "lab.png"
    Image.new("RGB", (300, 100)).save(logo)
    write_atlas(record, store, tmp_path / "out", Theme(None, logo))
    assert 'src="../_/logo.png"' in (tmp_path / "out/mixed0/3.html").read_text()
    assert check_site(tmp_path / "out") == []


@pytest.mark.parametrize("accent", ["#ffff00", "#000000", "#ffffff", "#2a6f6b", "#a5401f"])
def test_a_colour_of_one_s_own_can_be_read(make_atlas: Make, store: Store, tmp_path: Path, accent: str) -> None:
    record = make_atlas(store, layers={"mixed0": 2}, distinct=1, side=8, accent=accent)
    write_atlas(record, store, tmp_path / "out")
    light, dark = re.findall("--accent: (#[0-9a-f]{6})", (tmp_path / "out/_/theme.css").read_text())

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    assert (luminance("#fdfdfc") + 0.05) / (luminance(light) + 0.05) >= 4.49
    assert (luminance(dark) + 0.05) / (luminance("#0f0f10") + 0.05) >= 4.49
    assert light == accent or accent in ("#ffff00", "#ffffff")
