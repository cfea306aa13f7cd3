"""``atlas check``, ``atlas serve`` and ``atlas schema``."""

import json
import os
import signal
import urllib.request

import pytest

from atlas.resources import resource
from tests.engine.processes import start


@pytest.fixture
def site(shell, config, tmp_path):
    shell("build", "toy.yaml", "--limit", 1, "--quiet")
    return tmp_path / "site"


def test_check_of_a_sound_site(shell, site):
    for folder in ((), ("site",), ("site/toy",)):
        said = shell("check", *folder)
        assert (said.code, said.err) == (0, "")
        assert said.out == f"{(folder or ('site',))[0]}: no problems\n"


def test_check_lists_what_is_wrong(shell, site):
    (site / "toy/first/0.html").unlink()
    page = site / "toy/both/0.html"
    page.write_text(page.read_text().replace('alt="', 'title="', 1))
    said = shell("check")
    assert said.code == 1
    assert any(line.startswith("toy/first/index.html: link to 0.html: there is no such file") for line in said.lines)
    assert any(line.startswith("toy/both/0.html: picture ") and line.endswith("has no alt") for line in said.lines)
    assert said.lines[-1] == f"{len(said.lines) - 1} problems in site"


@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_folder_that_is_not_there_or_empty_is_one_sentence(shell, tmp_path, command):
    said = shell(command, "no")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("atlas: no: expected a folder that a build has written")
    (tmp_path / "empty").mkdir()
    said = shell(command, "empty")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("atlas: empty: expected a built site")
    assert len(said.err.splitlines()) == 1


def test_serve_answers_on_this_machine_until_ctrl_c(site, tmp_path):
    server = start(tmp_path, "serve", "--port", "0")
    assert server.stdout is not None
    said = server.stdout.readline()
    address = said.split()[0]
    assert address.startswith("http://127.0.0.1:")
    assert said.strip() == f"{address} shows site; Ctrl-C ends it"
    with urllib.request.urlopen(f"{address}toy/index.html", timeout=10) as answer:
        assert answer.read() == (site / "toy/index.html").read_bytes()
    os.killpg(server.pid, signal.SIGINT)
    _, errors = server.communicate(timeout=10)
    assert (server.returncode, errors) == (0, "")


def test_the_schema_is_the_one_beside_the_configurations(shell):
    said = shell("schema")
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out) == json.loads((resource("configs") / "atlas.schema.json").read_text())
