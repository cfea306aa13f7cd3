"""``atlas render``, ``atlas site`` and ``atlas status``: a build in parts, and what can be seen of it."""

import json

import pytest

from tests.engine.processes import contents


def test_parts_together_make_the_same_site_as_a_build(shell, config, tmp_path):
    assert shell("build", "toy.yaml", "--store", "whole", "--quiet").code == 0
    whole = contents(tmp_path / "site")
    made = []
    for number in (3, 1, 2):
        said = shell("render", "toy.yaml", "--shard", f"{number}/3", "--json")
        assert said.code == 0
        made.append(json.loads(said.lines[-1])["rendered"])
    assert sum(made) == 5
    assert contents(tmp_path / "site") == whole
    said = shell("site", "toy.yaml")
    assert (said.code, said.lines[-1]) == (0, "site: site/toy/index.html (unchanged)")


def test_a_part_is_cut_from_the_whole_plan_whatever_is_cached(shell, config):
    channels = set()
    for number in (1, 2):
        shell("build", "toy.yaml", "--limit", 1, "--quiet", "--store", f"store{number}")
        said = shell("render", "toy.yaml", "--shard", f"{number}/2", "--json", "--store", f"store{number}")
        channels |= {one["key"] for line in said.lines[:-1] for one in json.loads(line).get("done", [])}
        summary = json.loads(said.lines[-1])
        assert summary["missing"] == 0
    assert len(channels) == 3  # two of the five were cached already


@pytest.mark.parametrize("part", ["0/3", "4/3", "1", "a/b", "-1/2", "1/0"])
def test_a_part_that_does_not_exist_is_one_sentence(shell, config, part):
    said = shell("render", "toy.yaml", f"--shard={part}")
    assert (said.code, said.out) == (2, "")
    assert said.err == f"atlas: --shard: expected a part such as 3/16, from 1/16 to 16/16, received {part}\n"


def test_a_site_of_what_there_is(shell, config, tmp_path):
    said = shell("site", "toy.yaml")
    assert said.code == 2
    assert "expected pictures in" in said.err
    assert not (tmp_path / "site").exists()
    shell("render", "toy.yaml", "--limit", 1, "--quiet")
    assert not (tmp_path / "site").exists()
    said = shell("site", "toy.yaml")
    assert (said.code, said.lines[0]) == (0, "0 pictures rendered, 2 were cached, 3 are missing")
    assert "not yet rendered" in (tmp_path / "site/toy/first/index.html").read_text()


def test_the_status_of_builds(shell, config, tmp_path):
    assert shell("status").out == "no build has run on .atlas\n"
    shell("build", "toy.yaml", "--limit", 1, "--quiet")
    shell("build", "toy.yaml", "--quiet")
    said = shell("status")
    assert said.code == 0
    assert len(said.lines) == 1
    assert said.out.startswith("toy: done, 3 of 3 pictures rendered, since ")
    assert len(shell("status", "--all").lines) == 2
    found = json.loads(shell("status", "--json").out)
    assert (found["atlas"], found["made"], found["pictures"], found["failed"]) == ("toy", 3, 5, 0)


def test_a_plan_goes_by_the_speed_of_the_last_build(shell, config):
    guess = json.loads(shell("plan", "toy.yaml", "--json").out)
    assert guess["measured"] is False
    shell("build", "toy.yaml", "--limit", 1, "--quiet")
    assert json.loads(shell("plan", "toy.yaml", "--json").out)["measured"] is True
    assert "at the speed of the last build" in shell("plan", "toy.yaml").lines[-1]
