"""The quickstart and the tutorial, walked: their commands and files in order, in a folder of a reader's own."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import shell

__all__ = ["shell"]

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = {
    "python3 -m venv .venv && . .venv/bin/activate": "the environment is that of the tests",
    "pip install . && ": "atlas is installed in the environment of the tests",
    "pip install scikit-image": "it is installed there too",
}
SHORTER = {"atlas build configs/quickstart.yaml": "--limit 2"}  # two channels of each layer, of sixteen
PAGES = ("quickstart", "tutorial")


def steps(page: str) -> Iterator[tuple[str, str, str]]:
    """The blocks of a page in their order: language, title, text."""
    text = (ROOT / "docs" / f"{page}.md").read_text()
    yield from re.findall(r"^```(\w+)(?: title=\"([^\"\n]+)\")?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    return [line for kind, _, text in steps(page) if kind == "sh" for line in text.splitlines()]


def promised(page: str) -> list[str]:
    """The files that the words of a page name."""
    text = re.sub(r"^```.*?^```$", "", (ROOT / "docs" / f"{page}.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`((?:site/[^`]+|[\w.-]+)\.(?:html|png|gif|yaml))`", text)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_command_works_in_its_turn(page, tmp_path, shell, monkeypatch):
    folder, said = tmp_path / "reader", ""
    shutil.copytree(ROOT / "configs", folder / "configs")  # of the unpacked sources
    monkeypatch.chdir(folder)
    for kind, title, text in steps(page):
        match kind:
            case "yaml":
                (folder / title).write_text(text)
            case "text":
                assert not (missing := [line for line in text.splitlines() if line not in said]), f"{missing}\n{said}"
            case "sh":
                said = ""
                for whole in text.splitlines():
                    line = whole
                    for start in SKIPPED:
                        line = line.removeprefix(start)
                    if not line:
                        continue
                    assert line.startswith("atlas "), line
                    if line == "atlas serve":
                        served(folder)
                        continue
                    _, *arguments = shlex.split(f"{line} {SHORTER.get(line, '')}")
                    done = shell(*arguments)  # in this process, where TensorFlow is imported once
                    assert done.code == 0, f"{line}\n{done.out}{done.err}"
                    said += done.out + done.err
    assert (folder / ".atlas").is_dir()
    names = promised(page)
    assert names
    assert [name for name in names if not (folder / name).is_file()] == []
    if page == "tutorial":
        channel = (folder / "site" / "mine" / "mixed3" / "2.html").read_text()
        for part in ("to look at again", "Other pictures of it", "Weights", "Real images", "On photos", "chelsea"):
            assert part in channel, part


def environment() -> dict[str, str]:
    """As the tests have it, wide enough for tables, with this atlas, whatever the folder."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "120", "PYTHONUNBUFFERED": "1"}


def served(folder: Path) -> None:
    """``atlas serve`` at a free port: its first page comes, and Ctrl-C ends it."""
    command = [sys.executable, "-m", "atlas", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().split()[0]
            with urllib.request.urlopen(address) as answer:
                assert answer.status == 200
                assert b"<title>" in answer.read()
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 0
        finally:
            server.kill()


def test_what_is_skipped_is_there():
    lines = [line for page in PAGES for line in commands(page)]
    for start in SKIPPED:
        assert any(line.startswith(start) for line in lines), start
    for line in SHORTER:
        assert line in lines


def test_the_readme_the_quickstart_and_continuous_integration_run_the_same_commands():
    shown = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    build, check = (block.splitlines() for block in shown)
    assert commands("quickstart")[: len(build)] == build
    run = (ROOT / ".ci" / "run").read_text()
    places = [run.index(line) for line in (*build[1:], *check)]
    assert places == sorted(places)
