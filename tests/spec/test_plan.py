import dataclasses

import pytest

from atlas.spec import plan as planning
from atlas.spec.facts import Preprocessing
from atlas.spec.plan import identify, job_key, make_plan, seed_of
from atlas.spec.recipe import Recipe, automatic_size
from atlas.spec.recipes import RECIPES

CONFIG = "network: inceptionv3\nweights: embedded\nlayers: [{name: mixed0, channels: 0-9}]\n"


def keys(plan):
    return [job.key for _, job in plan.jobs()]


def test_what_does_not_decide_pixels_is_not_in_the_key(read):
    other = "title: Other\nstore: there\noutput: elsewhere\ncompute: {workers: 7, batch: 4}\nrecord: []\n"
    named = "recipes: {other: {base: default, size: 128}}\n"
    plain = make_plan(read(CONFIG + "recipes: {main: {size: 128}}\n"), "w")
    assert keys(plain) == keys(make_plan(read(CONFIG + other + named), "w"))
    assert len(set(keys(plain))) == len(plain) == 10


def test_everything_that_decides_pixels_is_in_the_key(tmp_path, monkeypatch):
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"one")
    base = {
        "network": "vgg19",
        "weights_digest": "w",
        "preprocessing": Preprocessing(),
        "layer": "l",
        "recipe": Recipe(size=128),
    }
    changes = [
        {"network": "vgg16"},
        {"weights_digest": "v"},
        {"preprocessing": Preprocessing("bgr")},
        {"layer": "m"},
        *(
            {"recipe": Recipe(**{"size": 128, **change})}
            for change in (
                {"size": 96},
                {"steps": 3},
                {"seed": 1},
                {"start": "grey"},
                {"start": str(photo)},
                {"fill": "grey"},
                {"input": "signed"},
                {"rounding": "down"},
                {"transforms": ()},
            )
        ),
        *({"recipe": recipe} for name, recipe in RECIPES.items() if name != "default"),
    ]
    found = {identify(**base), *(identify(**{**base, **change}) for change in changes)}
    photo.write_bytes(b"two")
    found.add(identify(**{**base, "recipe": Recipe(size=128, start=str(photo))}))
    monkeypatch.setattr(planning, "KERNEL", planning.KERNEL + 1)
    found.add(identify(**base))
    assert len(found) == len(changes) + 3
    assert job_key("g", 1) != job_key("g", 2)


def test_the_recipe_s_name_is_not_in_the_key():
    assert identify("n", "w", Preprocessing(), "l", Recipe(size=96)) == identify(
        "n", "w", Preprocessing(), "l", Recipe(base="lucid", size=96)
    )


def test_seeds_differ_by_channel_layer_attempt_and_recipe_seed():
    recipe = Recipe(size=96)
    other = recipe.model_copy(update={"seed": 1})
    seeds = {
        seed_of(one, layer, channel, attempt)
        for one in (recipe, other)
        for layer in "ab"
        for channel in range(5)
        for attempt in range(3)
    }
    assert len(seeds) == 2 * 2 * 5 * 3


@pytest.mark.parametrize(
    ("field", "smallest", "size"),
    [(3, 32, 96), (76, 32, 96), (77, 32, 128), (300, 32, 224), (None, 32, 224), (3, 224, 224)],
)
def test_automatic_size(field, smallest, size):
    assert automatic_size(field, smallest) == size


def test_cost_counts_the_area(read):
    group = make_plan(read(CONFIG + "recipes: {main: {size: 100}}\n"), "w").groups[0]
    assert group.cost == group.layer.cost * 10_000
    assert dataclasses.replace(group, jobs=()).cost == group.cost
