"""Processes that write one site: page writers whose command is killed, and commands at the same time."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atlas.canonical import canonical
from atlas.errors import SiteError
from atlas.pages import alone
from atlas.pages.check import check_site
from atlas.pages.listing import JOURNAL
from atlas.pages.write import write_atlas, write_shelf
from atlas.store.store import Store
from tests.engine.processes import below, is_alive, wait_for
from tests.pages.test_write import contents

Make = Callable[..., dict[str, Any]]
SITE = {"recipes": ("main",), "distinct": 2, "side": 8}
WRITE = """
import sys
from pathlib import Path
from atlas.pages.write import write_atlas
from atlas.store.store import Store

if __name__ == "__main__":
    address, name, output, workers = sys.argv[1:]
    store = Store(address)
    waiting = lambda: print("waiting", flush=True)
    written = write_atlas(store.get_atlas(name), store, Path(output), workers=int(workers), waiting=waiting)
    print(written.changed)
"""


@pytest.fixture
def begin(tmp_path: Path, store: Store) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Write the atlas of a record in a process of its own, in a folder with modules that must not be run."""
    folder = tmp_path / "here"
    folder.mkdir()
    for name in ("secrets", "random", "joblib", "numpy", "atlas"):
        (folder / f"{name}.py").write_text("open('ran', 'w').close()\nraise SystemExit('ran what lies here')\n")
    script = tmp_path / "write.py"
    script.write_text(WRITE)

    def begin(record: dict[str, Any], out: Path, workers: int = 1) -> "subprocess.Popen[str]":
        name = f"{len(record['layers'])}-{len(record['layers'][0]['channels_shown'])}"
        store.put_atlas(name, record)
        command = [sys.executable, str(script), store.address, name, str(out), str(workers)]
        begun.append(
            subprocess.Popen(
                command,
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        )
        return begun[-1]

    begun: list[subprocess.Popen[str]] = []
    yield begin
    for command in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(command.pid, signal.SIGKILL)
        command.communicate()


@pytest.mark.slow
def test_page_writers_end_with_their_command_and_leave_nothing_that_stays(
    make_atlas: Make, store: Store, tmp_path: Path, begin: Callable[..., "subprocess.Popen[str]"]
) -> None:
    record = make_atlas(store, layers={"mixed2": 202, "mixed3": 202}, **SITE)
    out, journal = tmp_path / "out", tmp_path / "out" / JOURNAL
    for stop in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        known = journal.stat().st_size if journal.exists() else 0
        command = begin(record, out, 2)
        assert wait_for(lambda known=known: journal.exists() and journal.stat().st_size > known + 20_000, 60)
        children = below(command.pid)
        writers = [child for child in children if b"loky" in Path(f"/proc/{child}/cmdline").read_bytes()]
        assert len(writers) >= 2
        os.killpg(command.pid, stop) if stop == signal.SIGINT else command.send_signal(stop)
        said, wrong = command.communicate(timeout=60)
        assert wait_for(lambda children=children: not any(map(is_alive, children)), 5)
        assert said == ""
        assert wrong.count("Traceback") == (stop == signal.SIGINT), wrong  # of the script, which minds no Ctrl-C
        assert not (tmp_path / "here/ran").exists()
    small = json.loads(canonical(make_atlas(store, layers={"mixed2": 2}, **SITE)))
    write_atlas(small, store, out)
    write_atlas(small, store, tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


@pytest.mark.slow
def test_several_commands_at_once_write_one_after_the_other(
    make_atlas: Make, store: Store, tmp_path: Path, begin: Callable[..., "subprocess.Popen[str]"]
) -> None:
    out = tmp_path / "out"
    records = [make_atlas(store, layers={"mixed0": count}, **SITE) for count in (3, 9, 6)]
    with alone.alone(out):
        (out / "_").mkdir()  # what a build that has begun has made
        commands = [begin(record, out) for record in records]
        assert [command.stdout and command.stdout.readline() for command in commands] == ["waiting\n"] * 3
        assert not (out / "index.html").exists()
    for command in commands:
        said, wrong = command.communicate(timeout=60)
        assert command.returncode == 0, wrong
        assert int(said.split()[-1]) > 0
    sites = []
    for place, record in enumerate(records):
        write_atlas(json.loads(canonical(record)), store, tmp_path / f"{place}")
        sites.append(contents(tmp_path / f"{place}"))
    assert contents(out) in sites
    assert check_site(out) == []


def test_a_writer_that_is_never_done_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "PATIENCE", 0)
    told: list[bool] = []
    with (
        alone.alone(tmp_path),
        pytest.raises(SiteError, match="received one that another process has been writing"),
        alone.alone(tmp_path, lambda: told.append(True)),
    ):
        pass
    assert told == [True]
    with alone.alone(tmp_path):
        pass


def test_page_writers_of_a_command_that_was_killed_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alone, "PATIENCE", 0)
    (tmp_path / "_").mkdir()
    script = "import sys; from pathlib import Path; from atlas.pages.alone import in_common\n"
    script += "in_common(Path(sys.argv[1])); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        writer.stdout.readline()
        with pytest.raises(SiteError, match="another process"), alone.alone(tmp_path):
            pass
        writer.communicate()
    with alone.alone(tmp_path):
        pass


def test_a_folder_that_is_replaced_while_pages_are_written_is_one_sentence(tmp_path: Path) -> None:
    def replaced() -> None:
        with alone.alone(tmp_path / "out"):
            (tmp_path / "out").rename(tmp_path / "old")
            (tmp_path / "out").mkdir()

    with pytest.raises(SiteError, match="received another"):
        replaced()


def test_a_folder_that_nothing_came_into_goes_and_one_that_is_not_ours_gets_nothing(tmp_path: Path) -> None:
    with alone.alone(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()
    (tmp_path / "file").write_text("")
    with alone.alone(tmp_path / "file"):
        pass
    write_shelf(tmp_path / "nowhere")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
