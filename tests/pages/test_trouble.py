"""Sites under trouble: stopped builds, files of other people, damaged files and lists, power cuts."""

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from atlas.errors import AtlasError, SiteError
from atlas.files import write_atomically
from atlas.pages import ledger, listing, past
from atlas.pages.check import check_site
from atlas.pages.listing import COPY, FILES, JOURNAL, Known
from atlas.pages.write import Written, write_atlas
from atlas.store.store import Store
from tests.pages.test_write import contents

Make = Callable[..., dict[str, Any]]
SITE = {"recipes": ("main",), "distinct": 2, "side": 8}


def flip(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]


def make_two(make_atlas: Make, store: Store) -> tuple[dict[str, Any], dict[str, Any]]:
    """A small and a large atlas in one store, where what was found of the large one's channels stands for both."""
    return make_atlas(store, layers={"mixed0": 2}, **SITE), make_atlas(store, layers={"mixed0": 5}, **SITE)


@pytest.fixture
def small(make_atlas: Make, store: Store) -> dict[str, Any]:
    return make_atlas(store, layers={"mixed0": 2}, **SITE)


@pytest.fixture
def large(make_atlas: Make, store: Store) -> dict[str, Any]:
    return make_atlas(store, layers={"mixed0": 5}, **SITE)


@dataclass(frozen=True)
class Two:
    """A small and a large atlas, and what the small one's site is when nothing goes wrong."""

    small: dict[str, Any]
    large: dict[str, Any]
    fresh: dict[str, str]


@pytest.fixture(scope="module")
def fresh(make_atlas: Make, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("fresh")
    store = Store(str(folder / "store"))
    small, _ = make_two(make_atlas, store)
    write_atlas(small, store, folder / "out")
    return contents(folder / "out")


@pytest.fixture
def two(make_atlas: Make, store: Store, fresh: dict[str, str]) -> Two:
    return Two(*make_two(make_atlas, store), fresh)


@pytest.fixture
def stop(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Begin to build and stop when some files are written."""

    def build(record: dict[str, Any], out: Path, count: int, error: BaseException) -> None:
        left = iter(range(count))

        def write(path: Path, data: Any, **more: Any) -> None:
            if next(left, None) is None:
                raise error
            write_atomically(path, data, **more)

        with monkeypatch.context() as patch:
            patch.setattr(ledger, "write_atomically", write)
            with pytest.raises(type(error)):
                write_atlas(record, store, out)

    return build


@pytest.mark.parametrize(
    ("first", "error"),
    [(True, AtlasError("the disk is full")), (False, KeyboardInterrupt())],
    ids=["first", "over-a-site"],
)
def test_what_is_not_known_to_be_written_is_never_removed(
    two: Two, store: Store, tmp_path: Path, stop: Callable[..., None], first: bool, error: BaseException
) -> None:
    out = tmp_path / "out"
    if not first:
        write_atlas(two.small, store, out)
    stop(two.large, out, 30 if first else 8, error)
    assert (out / "mixed0/3.webp").exists()  # written, and then replaced by somebody
    names = ["sitemap.xml", "pictures.zip", "mixed0/3.html", "mixed0/3.webp", "_/thumbs/mixed0/4.webp"]
    for name in names:
        (out / name).write_text("mine")
    written = write_atlas(two.small, store, out)
    assert {name: (out / name).read_text() for name in names} == dict.fromkeys(names, "mine")
    assert {"mixed0/3.webp", "_/thumbs/mixed0/4.webp"} <= set(written.strange) <= set(names)
    assert contents(out).keys() - set(names) == two.fresh.keys()
    assert two.fresh.items() <= contents(out).items()


def test_a_file_of_somebody_s_in_the_way_is_one_sentence_and_stays(
    large: dict[str, Any], store: Store, tmp_path: Path, stop: Callable[..., None]
) -> None:
    out = tmp_path / "out"
    stop(large, out, 20, KeyboardInterrupt())
    mine = out / "mixed0/3.html"
    mine.write_text("mine")
    with pytest.raises(SiteError, match=r"mixed0/3\.html: expected a file that a build wrote, or none, received one"):
        write_atlas(large, store, out)
    assert mine.read_text() == "mine"
    mine.unlink()
    mine.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SiteError, match="no build is known to have written"):
        write_atlas(large, store, out)
    mine.unlink()
    write_atlas(large, store, out)
    write_atlas(large, store, tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def test_a_file_at_an_address_that_comes_into_use_is_one_sentence_and_stays(
    small: dict[str, Any], store: Store, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    write_atlas(small, store, out)
    (out / "sitemap.xml").write_text("mine")
    (out / "pictures.zip").write_text("mine")
    small["site"]["base_url"] = "https://example.org/"
    with pytest.raises(SiteError, match=r"sitemap\.xml: expected a file that a build wrote"):
        write_atlas(small, store, out)
    (out / "sitemap.xml").unlink()
    small["site"]["zip"] = True
    with pytest.raises(SiteError, match=r"pictures\.zip: expected a file that a build wrote"):
        write_atlas(small, store, out)
    assert (out / "pictures.zip").read_text() == "mine"


def lose(out: Path, data: Callable[[bytes], bytes]) -> None:
    """Leave of every file but the journal what a power cut may leave."""
    for path in [path for path in out.rglob("*") if path.is_file() and path != out / JOURNAL]:
        path.write_bytes(data(path.read_bytes()))


def test_what_a_power_cut_leaves_is_nobody_s(
    large: dict[str, Any], store: Store, tmp_path: Path, stop: Callable[..., None]
) -> None:
    out = tmp_path / "out"
    write_atlas(large, store, tmp_path / "whole")
    stop(large, out, 40, KeyboardInterrupt())
    lose(out, lambda data: data[: len(data) % 2 * 30] + b"\0" * 9)  # nothing of some files, the beginning of others
    assert write_atlas(large, store, out).changed > 40
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.parametrize("data", [lambda data: b"", lambda data: b"\0" * len(data)], ids=["empty", "zeros"])
def test_what_a_power_cut_leaves_goes_with_what_is_no_longer_wanted(
    two: Two, store: Store, tmp_path: Path, stop: Callable[..., None], data: Callable[[bytes], bytes]
) -> None:
    out = tmp_path / "out"
    stop(two.large, out, 40, KeyboardInterrupt())
    lose(out, data)
    assert write_atlas(two.small, store, out).strange == ()
    assert contents(out) == two.fresh


def test_a_power_cut_as_the_first_build_begins_leaves_a_folder_that_can_be_used(
    two: Two, store: Store, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "_").mkdir(parents=True)
    for name in (FILES, COPY, JOURNAL):
        (out / name).write_bytes(b"\0" * 20)
    write_atlas(two.small, store, out)
    assert contents(out) == two.fresh


FILES_OF_ALL_KINDS = ["index.html", "mixed0/0.html", "mixed0/0.json", "mixed0/0.webp", "_/thumbs/mixed0/1.webp"]
FILES_OF_ALL_KINDS += ["pictures.zip", "_/search.js", "_/data/mixed0.js", "_/site.css", "manifest.json", "sitemap.xml"]


@pytest.mark.parametrize("damage", [lambda data: b"\0" * len(data), flip], ids=["zeros", "flip"])
def test_damage_is_named_by_check_and_mended_by_a_build(
    make_atlas: Make, store: Store, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    out = tmp_path / "out"
    record = make_atlas(store, layers={"mixed0": 2}, **SITE, zip=True, base_url="https://example.org/")
    write_atlas(record, store, out)
    whole = contents(out)
    assert check_site(out) == []
    for name in FILES_OF_ALL_KINDS:
        before = (out / name).stat()
        (out / name).write_bytes(damage((out / name).read_bytes()))
        os.utime(out / name, ns=(before.st_atime_ns, before.st_mtime_ns))
    said = "is not as a build wrote it: damaged, or changed since; build again"
    assert {line for line in check_site(out) if said in line} == {f"{name}: {said}" for name in FILES_OF_ALL_KINDS}
    written = write_atlas(record, store, out)
    assert (written.unchanged, written.changed) == (False, len(FILES_OF_ALL_KINDS))
    assert written.mended == tuple(sorted(FILES_OF_ALL_KINDS))
    assert contents(out) == whole
    assert write_atlas(record, store, out).unchanged


def test_an_empty_page_is_a_problem_even_where_no_list_says_so(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_bytes(b"")
    assert check_site(tmp_path) == ["index.html: is empty"]


def types(data: bytes) -> bytes:
    said = json.loads(data)
    return json.dumps(said | {"files": {name: {"size": 1} for name in said["files"]}}).encode()


DAMAGES: list[Callable[[bytes], bytes]] = [
    lambda data: b"",
    lambda data: b"\0" * len(data),
    lambda data: data[:-100],
    flip,
    types,
    lambda data: b"[" * 100_000,
    lambda data: b'{"format": 3, "checksum": null, "inputs": null, "files": {}}',
    lambda data: data.replace(b'"format": 3', b'"format": 2'),
    lambda data: data.replace(b"mixed0/0.html", b"../thesis.tex"),
]
NAMES = ["empty", "zeros", "cut", "flip", "types", "deep", "unsealed", "format", "escape"]


@pytest.mark.parametrize("damage", DAMAGES, ids=NAMES)
def test_every_damage_of_a_list_is_found(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    files = {"mixed0/0.html": Known(3, "ab", "cd"), "index.html": Known(1, "ef")}
    listing.write_listing(tmp_path, listing.Listing(files, "inputs", listing.Origin("a.yaml", "A")))
    data = (tmp_path / FILES).read_bytes()
    (tmp_path / FILES).write_bytes(damage(data))
    assert listing.damaged(tmp_path) == [FILES]
    found = listing.read_listing(tmp_path)
    assert found
    assert (found.files, found.twice) == (files, False)
    (tmp_path / COPY).write_bytes(damage(data))
    assert listing.damaged(tmp_path) == [FILES, COPY]
    assert listing.read_listing(tmp_path) is None


def test_a_damaged_list_is_made_anew(two: Two, store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_atlas(two.large, store, out)
    whole = contents(out)
    (out / FILES).unlink()
    assert check_site(out) == [f"{FILES}: the list of files is damaged or gone; build again"]
    assert write_atlas(two.large, store, out).unchanged  # the copy counts
    assert (contents(out), check_site(out)) == (whole, [])
    (out / FILES).write_bytes(b"")
    (out / "mixed0/4.html").write_text("mine")
    written = write_atlas(two.small, store, out)
    assert (written.strange, (out / "mixed0/4.html").read_text()) == (("mixed0/4.html",), "mine")
    for name in (FILES, COPY):  # nothing is known of any file
        (out / name).write_bytes(flip((out / name).read_bytes()))
    written = write_atlas(two.small, store, out)
    assert (written.unchanged, written.changed, written.removed) == (False, 0, 0)
    (out / "mixed0/4.html").unlink()
    assert contents(out) == two.fresh
    assert write_atlas(two.small, store, out).unchanged


@pytest.mark.parametrize("version", [1, 2])
def test_lists_of_before_are_read(two: Two, store: Store, tmp_path: Path, version: int) -> None:
    out = tmp_path / "out"
    write_atlas(two.large, store, out)
    known = json.loads((out / FILES).read_bytes())["files"]
    rows = {name: size if version == 1 else [size, source] for name, (size, _, source) in known.items()}
    (out / COPY).unlink()
    planned = {"pictures.zip": -1 if version == 1 else [-1]}  # by a build that was stopped
    (out / FILES).write_text(json.dumps({"format": version, "inputs": None, "files": rows | planned}))
    (out / "pictures.zip").write_text("mine")
    (out / "mixed0/4.html").write_text("mine")
    written = write_atlas(two.small, store, out)
    assert written.strange == ("mixed0/4.html",)
    assert written.removed > 8
    assert contents(out).keys() - two.fresh.keys() == {"pictures.zip", "mixed0/4.html"}
    assert contents(out).items() >= two.fresh.items()


def test_a_copy_of_a_site_is_read_once_and_then_trusted(
    small: dict[str, Any], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atlas(small, store, tmp_path / "out")
    shutil.copytree(tmp_path / "out", tmp_path / "copy")
    read: list[Path] = []
    real = past.digest_of
    monkeypatch.setattr(past, "digest_of", lambda path: read.append(path) or real(path))

    def build() -> tuple[Written, int]:
        read.clear()
        return write_atlas(small, store, tmp_path / "copy"), len(read)

    files = len(contents(tmp_path / "copy").keys() - {FILES, COPY})
    os.utime(tmp_path / "copy" / FILES, ns=(1, 1))
    time.sleep(2 * ledger.TICK)
    assert build() == (Written(8, 0, 0, True), files)
    assert build() == (Written(8, 0, 0, True), 0)
    os.utime(tmp_path / "copy" / FILES, (2**33, 2**33))  # of a clock that was ahead
    assert build() == (Written(8, 0, 0, True), files)


def test_a_journal_counts_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "_").mkdir()
    assert listing.read_journal(tmp_path) is None
    listing.begin_journal(tmp_path, listing.Origin("a.yaml", "A"))
    rows = [Known(1, "ab"), Known(2, "cd", "ef")]
    listing.note(tmp_path, "mixed0/0.html", rows[0])
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes() + b"\n00000000 torn")
    listing.note(tmp_path, "mixed0/0.html", rows[1])
    listing.note(tmp_path, "../thesis.tex", rows[1])
    listing.note(tmp_path, "mixed0/1.html", rows[1])
    lines = journal.read_bytes().split(b"\n")
    journal.write_bytes(b"\n".join([*lines[:-1], flip(lines[-1])]))
    expected = listing.Journal({"mixed0/0.html": tuple(rows)}, listing.Origin("a.yaml", "A"), True)
    assert listing.read_journal(tmp_path) == expected
