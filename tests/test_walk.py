"""The quickstart and the tutorial, walked: the tutorial here, and what both say of their commands.

The quickstart is walked in tests/test_quickstart.py, which looks at its pictures too.
"""

import re

import pytest

from tests.walk import PAGES, ROOT, SHORTER, SKIPPED, commands, walk


@pytest.mark.slow
def test_every_command_of_the_tutorial_works_in_its_turn(tmp_path):
    folder = tmp_path / "reader"
    walk("tutorial", folder)
    channel = (folder / "site" / "mine" / "mixed3" / "2.html").read_text()
    for part in ("to look at again", "Other pictures of it", "Weights", "Real images", "On photos", "chelsea"):
        assert part in channel, part


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
