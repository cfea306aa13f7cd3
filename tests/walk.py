"""A page of the documents, walked: its commands and files in order, in a folder of a reader's own."""

import contextlib
import io
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

from atlas.cli import main
from atlas.engine import worker
from tests.conftest import MUCH, let_go

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = {
    "python3 -m venv .venv && . .venv/bin/activate": "the environment is that of the tests",
    "pip install . && ": "atlas is installed in the environment of the tests",
    "pip install scikit-image": "it is installed there too",
}
SHORTER = {  # what is added to a command
    "atlas build configs/quickstart.yaml": "--limit 1",  # a channel of each layer
    "atlas show inceptionv3 mixed3 2 --weights embedded --size 128 --steps 64 -o one.png": "--steps 8",
    "atlas show inceptionv3 mixed3 2 --weights embedded --recipe unregularised -o plain.png": "--steps 8",
    "atlas show inceptionv3 mixed3 0-3 --weights embedded --recipe preview -o ascent.gif": "--steps 8",
}
PAGES = ("quickstart", "tutorial")
KEPT = 2  # kernels, as a worker keeps them


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


def walk(page: str, folder: Path) -> None:
    """Every command works in its turn, says what the page shows, and the files that the page names are there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", f"{folder}-cache")
        patch.setenv("COLUMNS", "120")
        patch.setattr(worker, "KERNELS_KEPT", KEPT)
        shutil.copytree(ROOT / "configs", folder / "configs")  # of the unpacked sources, with an eighth of the steps
        quickstart = folder / "configs" / "quickstart.yaml"
        quickstart.write_text(quickstart.read_text().replace("steps: 64", "steps: 8"))
        patch.chdir(folder)
        _walk(page, folder)
    assert (folder / ".atlas").is_dir()
    names = promised(page)
    assert names
    assert [name for name in names if not (folder / name).is_file()] == []


def _walk(page: str, folder: Path) -> None:
    said = ""
    for kind, title, text in steps(page):
        match kind:
            case "yaml":
                (folder / title).write_text(text)
            case "text":
                assert not (missing := [line for line in text.splitlines() if line not in said]), f"{missing}\n{said}"
            case "sh":
                said = "".join(_said(line, folder) for line in text.splitlines())


def _said(line: str, folder: Path) -> str:
    """What a command says, which runs in this process, where TensorFlow is imported once; builds need no workers."""
    given = line
    for start in SKIPPED:
        given = given.removeprefix(start)
    if not given:
        return ""
    assert given.startswith("atlas "), given
    if given == "atlas serve":
        _served(folder)
        return ""
    here = "--backend sequential" if given.startswith("atlas build ") else ""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        patch.setattr(sys, "argv", shlex.split(f"{given} {SHORTER.get(given, '')} {here}"))
        with pytest.raises(SystemExit) as end:
            main()
    assert not end.value.code, f"{given}\n{out.getvalue()}"
    let_go([MUCH])
    return out.getvalue()


def _served(folder: Path) -> None:
    """``atlas serve`` at a free port: its first page comes, and Ctrl-C ends it."""
    command = [sys.executable, "-m", "atlas", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, env=_environment(), stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().split()[0]
            with urllib.request.urlopen(address) as answer:
                assert answer.status == 200
                assert b"<title>" in answer.read()
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 0
        finally:
            server.kill()


def _environment() -> dict[str, str]:
    """As the tests have it, wide enough for tables, with this atlas, whatever the folder."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
