"""A power cut on a disk of its own, in small; ``scripts/reliability.py`` cuts whole builds."""

import sys
from pathlib import Path

import pytest

from atlas.errors import StoreError
from atlas.files import flush_all, write_atomically
from atlas.store.entry import Entry
from atlas.store.store import Store

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "peers"))
from power import Disk, allowed

KEYS = [f"{number:02x}" * 32 for number in range(8)]


@pytest.fixture
def disk(tmp_path):
    """A small disk; the test is skipped where none can be mounted."""
    if why := allowed(tmp_path):
        pytest.skip(why)
    with Disk(tmp_path / "disk.img", tmp_path / "disk").format() as made:
        yield made


def whole(folder: Path) -> list[str]:
    store = Store(folder / "store")
    found = []
    for key in KEYS:
        try:
            found.append(store.get(key).key)
        except StoreError:
            continue
    return found


def test_what_was_kept_is_there_after_a_power_cut(disk, tmp_path):
    store, copy = Store(disk.folder / "store"), tmp_path / "copy.img"
    store.put(*(Entry(key, {"state": "dead"}, b"picture" * 999) for key in KEYS[:7]))
    store.put(Entry(KEYS[7], {"state": "dead"}, b"picture" * 999))
    store.put_atlas("a", {"name": "a"})
    copy.write_bytes(disk.cut())
    with Disk(copy, tmp_path / "copy") as left:
        assert whole(left.folder) == KEYS
        assert Store(left.folder / "store").get_atlas("a") == {"name": "a"}


def test_what_was_not_flushed_is_not_there_so_the_test_can_tell(disk, tmp_path):
    copy = tmp_path / "copy.img"
    (disk.folder / "file").write_bytes(b"picture" * 999)
    copy.write_bytes(disk.cut())
    with Disk(copy, tmp_path / "copy") as left:
        file = left.folder / "file"
        assert not file.exists() or file.stat().st_size == 0


def test_many_small_files_are_there_once_all_of_the_disk_was_flushed(disk, tmp_path):
    copy, names = tmp_path / "copy.img", [f"{number % 5}/{number}.html" for number in range(60)]
    for name in names:
        write_atomically(disk.folder / name, name.encode() * 99, flush=False)
    flush_all(disk.folder)
    copy.write_bytes(disk.cut())
    with Disk(copy, tmp_path / "copy") as left:
        assert [name for name in names if (left.folder / name).read_bytes() != name.encode() * 99] == []
