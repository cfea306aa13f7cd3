"""``atlas plan``: what a build would do, without doing it."""

import json
import shutil

import pytest

from atlas.engine import anew
from atlas.engine.estimate import START, TRACE
from atlas.engine.run import Outcome
from atlas.spec import plan
from atlas.spec.facts import LayerFacts, Work
from atlas.spec.recipe import Recipe
from atlas.spec.slots import Fourier, RandomCrop


def test_before_and_after_a_build(shell, config, tmp_path):
    before = shell("plan", "toy.yaml")
    assert (before.code, before.err) == (0, "")
    assert before.lines[0].split() == ["layer", "recipe", "size", "steps", "channels", "cached"]
    assert before.lines[1].split() == ["first", "main", "32", "3", "3", "0"]
    assert before.lines[2].split() == ["both", "main", "32", "3", "2", "0"]
    assert before.lines[-1].startswith("5 pictures, 0 cached, 5 to render: about ")
    assert before.lines[-1].endswith("at a guess; --calibrate measures this machine")
    assert not (tmp_path / ".atlas").exists()
    assert not (tmp_path / "site").exists()

    shell("build", "toy.yaml", "--limit", 1, "--quiet")
    after = shell("plan", "toy.yaml")
    assert after.lines[1].split() == ["first", "main", "32", "3", "3", "1"]
    assert after.lines[-1].startswith("5 pictures, 2 cached, 3 to render: about ")
    assert shell("plan", "toy.yaml", "--limit", 1).lines[-1] == "2 pictures, 2 cached, 0 to render"


def test_in_json(shell, config):
    said = json.loads(shell("plan", "toy.yaml", "--json", "--workers", 2).out)
    alone = json.loads(shell("plan", "toy.yaml", "--json", "--workers", 1).out)
    assert (said["channels"], said["missing"]) == (5, 5)
    assert [(row["layer"], row["recipe"], row["channels"], row["cached"]) for row in said["groups"]] == [
        ("first", "main", 3, 0),
        ("both", "main", 2, 0),
    ]
    assert said["seconds"] > START + TRACE + sum(row["seconds"] for row in said["groups"])
    assert (said["by"], said["workers"]) == ("guessed", 1)  # sequential, which is one, whatever is asked for
    assert alone == said
    assert 0.8e9 < said["memory"] < 1e9


def test_the_store_and_the_weights_decide_what_is_cached(shell, config):
    shell("build", "toy.yaml", "--limit", 1, "--quiet", "--store", "kept")
    assert json.loads(shell("plan", "toy.yaml", "--json").out)["missing"] == 5
    assert json.loads(shell("plan", "toy.yaml", "--json", "--store", "kept").out)["missing"] == 3
    random = shell("plan", "toy.yaml", "--json", "--store", "kept", "--weights", "random")
    assert json.loads(random.out)["missing"] == 5


def test_a_mistake_is_exit_code_2(shell, config):
    config.write_text("network: vgg91\n")
    said = shell("plan", "toy.yaml")
    assert (said.code, said.out) == (2, "")
    assert "did you mean vgg19" in said.err


def test_what_is_made_anew_is_told_with_the_reason(shell, config, monkeypatch):
    """Not what was never made, nor what was only deleted."""
    config.write_text(config.read_text() + "weights: random:1\n")
    shell("build", "toy.yaml", "--limit", 1, "--quiet")
    assert "anew" not in shell("plan", "toy.yaml").out
    config.write_text(config.read_text().replace("steps: 3", "steps: 4, transforms: []"))
    reason = "recipe main differs in transforms and steps"
    assert shell("plan", "toy.yaml").lines[-1] == f"2 pictures of this atlas are made anew: {reason}"
    said = json.loads(shell("plan", "toy.yaml", "--json").out)["made_anew"]
    assert said == {"pictures": 2, "reasons": [reason]}
    built = shell("build", "toy.yaml", "--limit", 1)
    assert f"2 pictures of this atlas are made anew: {reason}" in built.out + built.err
    assert "anew" not in shell("plan", "toy.yaml").out
    with monkeypatch.context() as later:
        later.setattr(plan, "KERNEL", plan.KERNEL + 1)
        later.setattr(anew, "KERNEL", plan.KERNEL)
        assert shell("plan", "toy.yaml").lines[-1].endswith("anew: this version of atlas renders differently")
    config.write_text(config.read_text().replace("random:1", "random:2"))
    assert shell("plan", "toy.yaml").lines[-1].endswith("anew: the weights are different")
    config.write_text(config.read_text().replace("random:2", "random:1"))
    shutil.rmtree(".atlas/v1/entries")
    assert "anew" not in shell("plan", "toy.yaml").out


@pytest.mark.parametrize("ways", [(), ("gelu", "groups", "layer_norms")])
def test_what_recipes_did_not_have_before_is_no_reason(ways):
    recipe = Recipe(size=32, parameterization=Fourier(), transforms=(RandomCrop(),))
    layer = LayerFacts("l", 4, 3, 1, "conv", True, "relu", Work(1.0), own_ways=ways)
    group = plan.Group(layer, "main", recipe, "", (plan.Job(0, "new"),))
    was = recipe.shown
    del was["transforms"][0]["count"], was["parameterization"]["saturation"]
    before = {
        "kernel": plan.KERNEL,
        "weights": {"digest": "w"},
        "layers": [
            {
                "name": "l",
                "recipes": {"main": was},
                "channels_shown": [{"channel": 0, "renderings": {"main": {"key": "old"}}}],
            }
        ],
    }
    found = anew.made_anew(before, "w" if ways else "other", plan.Plan(None, (group,)), Outcome())
    ours = "this version of atlas computes GELU, convolutions in groups and layer norms its own way"
    assert found.reasons == ((ours,) if ways else ("the weights are different",))


def test_repeats_count_in_the_time(shell, config):
    once = json.loads(shell("plan", "toy.yaml", "--json").out)
    config.write_text(config.read_text().replace("steps: 3", "steps: 3, repeats: 4"))
    four = json.loads(shell("plan", "toy.yaml", "--json").out)
    assert [row["seconds"] for row in four["groups"]] == [4 * row["seconds"] for row in once["groups"]]
