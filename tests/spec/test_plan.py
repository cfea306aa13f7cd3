import dataclasses
import textwrap
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image

from atlas.errors import AtlasError
from atlas.spec import plan as planning
from atlas.spec.facts import LayerFacts, NetworkFacts, Preprocessing, Work
from atlas.spec.objectives import Caricature, Channel
from atlas.spec.pace import GUESSED_SPEED, RELATIVE, at_speed
from atlas.spec.plan import OWN_WAYS, identify, job_key, make_plan, own_ways, seed_of
from atlas.spec.recipe import Recipe, automatic_size
from atlas.spec.recipes import RECIPES

CONFIG = "network: inceptionv3\nweights: embedded\nlayers: [{name: mixed0, channels: 0-9}]\n"


def keys(plan):
    return [job.key for _, job in plan.jobs()]


def painted(path, level, mode="RGB"):
    Image.new(mode, (9, 9), level if mode != "RGB" else (level, level, level)).save(path)


def test_what_does_not_decide_pixels_is_not_in_the_key(read):
    other = "title: Other\nstore: there\noutput: elsewhere\ncompute: {workers: 7, batch: 4}\nrecord: []\n"
    named = "recipes: {other: {base: default, size: 128}}\n"
    plain = make_plan(read(CONFIG + "recipes: {main: {size: 128}}\n"), "w")
    assert keys(plain) == keys(make_plan(read(CONFIG + other + named), "w"))
    assert len(set(keys(plain))) == len(plain) == 10


def test_everything_that_decides_pixels_is_in_the_key(tmp_path, monkeypatch):
    photo = tmp_path / "photo.png"
    painted(photo, 1)
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
    painted(photo, 2)
    found.add(identify(**{**base, "recipe": Recipe(size=128, start=str(photo))}))
    monkeypatch.setattr(planning, "KERNEL", planning.KERNEL + 1)
    found.add(identify(**base))
    assert len(found) == len(changes) + 3
    assert job_key("g", 1) != job_key("g", 2)


def test_pictures_in_grey_have_keys_of_their_own_and_others_keep_theirs():
    given = ("n", "w", Preprocessing(), "l", Recipe(size=96))
    assert identify(*given, grey=False) == identify(*given)
    assert identify(*given, grey=True) != identify(*given)


@pytest.mark.parametrize("arithmetic", ["fast", "plain"])
@pytest.mark.parametrize("way", sorted(OWN_WAYS))
def test_what_atlas_computes_its_own_way_is_in_the_key(arithmetic, way):
    given = ("n", "w", Preprocessing(), "l", recipe := Recipe(size=96, arithmetic=arithmetic))
    layers = [LayerFacts("l", 4, 3, 1, "conv", True, "relu", Work(9.0), own_ways=ways) for ways in ((), (way,))]
    keys = []
    for layer in layers:
        network = NetworkFacts("n", "N", (layer,), Preprocessing(), 32)
        keys.append(identify(*given, ways=own_ways(network, layer, recipe)))
    assert keys[0] == identify(*given)
    assert (keys[1] == keys[0]) is (arithmetic == "plain")  # which is computed by Keras itself


def test_the_recipe_s_name_is_not_in_the_key():
    assert identify("n", "w", Preprocessing(), "l", Recipe(size=96)) == identify(
        "n", "w", Preprocessing(), "l", Recipe(base="lucid", size=96)
    )


FORMER = """recipes:
  main:
    base: default
    parameterization: {saturation: 1, contrast: 1.6}
    transforms: [{name: shift, pixels: 6}, {name: scale, between: [0.97, 1.03]}, {name: rotate, degrees: 3}]
    optimizer: {schedule: constant}
    steps: 128
    settle: {window: 32, gain: 0.01}
    fill: reflect
"""
FORMER_MACO = """recipes:
  natural: {base: maco, steps: 256, optimizer: {rate: 0.3}, transforms: [{name: random-crop}, {name: noise}]}
"""


def test_recipes_that_did_not_change_keep_their_keys_and_so_do_the_former_ones_written_out(read):
    """A key that moves has everybody render everything again."""
    known = {
        "preview": "96d6d1fedafada7c",
        "lucid": "ff95efabeadd0c1a",
        "tutorial": "0918a235b9e9f01e",
        "unregularised": "9fb2bd44d4d67f52",
        "deepdream": "bb8d8fc33892ff88",
        "caricature": "2a6449760a68c8f1",
        "former": "3ff4cb7d7a7875ff",
        "former maco": "da4d4d3e8217cd30",
    }
    former = read(CONFIG + FORMER).layers[0].recipes["main"]
    maco = read(CONFIG + FORMER_MACO).layers[0].recipes["natural"]
    found = {
        name: identify("n", "w", Preprocessing(), "l", recipe.model_copy(update={"size": 96}))[:16]
        for name, recipe in {**RECIPES, "former": former, "former maco": maco}.items()
        if name in known
    }
    assert found == known
    changes = (Path(__file__).parents[2] / "CHANGELOG.md").read_text()
    assert all(textwrap.indent(text, "  ") in changes for text in (FORMER, FORMER_MACO))


@pytest.mark.parametrize("several", [False, True])
def test_a_photo_counts_by_its_content_wherever_it_lies(read, tmp_path, several):
    """That of a caricature as that of a start: not by its path, which no page shows either."""
    (tmp_path / "photos").mkdir()
    places = [tmp_path / "one.png", tmp_path / "photos" / "two.png"]
    term = "{name: caricature, photo: %s}"
    text = CONFIG + "recipes: {main: {size: 96}, like: {size: 96, start: %s, objective: %s}}\n"
    objective = f"[{{name: layer}}, {term}]" if several else term

    def planned(name):
        return make_plan(read(text % (name, objective % name)), "w").groups[1]

    for place in places:
        painted(place, 1)
    first, second = planned("one.png"), planned("photos/two.png")
    assert first.identity == second.identity
    assert first.jobs[0].channel is None
    assert first.recipe.photos == (str(places[0]),)
    shown = second.recipe.shown
    # The photo goes forward beside the picture.
    assert first.flop == pytest.approx((4 + 2) * first.step(RELATIVE) * first.recipe.steps)
    assert first.seconds(at_speed(GUESSED_SPEED)) == pytest.approx(first.flop / GUESSED_SPEED)
    assert shown["start"] == "two.png"
    assert (shown["objective"][1] if several else shown["objective"])["photo"] == "two.png"
    painted(places[1], 2)
    assert planned("photos/two.png").identity != first.identity


def test_a_photo_of_colours_keeps_its_key_and_one_that_is_read_anew_has_another(tmp_path):
    """Those of before it stood for what Pillow makes of 16 bits, and of what can be seen through."""

    def plain(path):
        return f"photo:{sha256(path.read_bytes()).hexdigest()}"

    for mode, level, anew in (("RGB", 1, False), ("L", 1, False), ("I;16", 40_000, True), ("RGBA", 0, True)):
        path = tmp_path / f"{mode}.png"
        painted(path, level, mode)
        given = ("n", "w", Preprocessing(), "l", Recipe(size=96, start=str(path)))
        assert (identify(*given) != identify(*given, named=plain)) == anew


def test_a_plan_names_its_photos_and_refuses_what_is_none(read, tmp_path):
    painted(tmp_path / "a.png", 1)
    painted(tmp_path / "b.png", 2)
    text = CONFIG + "recipes: {main: {size: 96}, like: {start: b.png, objective: {name: caricature, photo: a.png}}}\n"
    plain, group = make_plan(read(text), "w").groups
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    assert group.photos == tuple((str(one), f"photo:{sha256(one.read_bytes()).hexdigest()}") for one in paths)
    assert plain.photos == ()
    (tmp_path / "b.png").write_text("no")
    with pytest.raises(AtlasError, match=r"b\.png: expected a photo .*, received a file that is no JPEG"):
        make_plan(read(text), "w")


def test_every_photo_of_an_objective_is_in_the_key(tmp_path):
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    painted(one, 1)
    painted(two, 2)
    objectives = [
        Caricature(photo=str(one)),
        Caricature(photo=str(two)),
        Caricature(photo=str(two), power=2.0),
        (Channel(), Caricature(photo=str(one))),
        (Channel(), Caricature(photo=str(two))),
        (Caricature(photo=str(one)), Caricature(photo=str(two))),
        (Caricature(photo=str(two)), Caricature(photo=str(one))),
    ]
    recipes = [Recipe(size=96, objective=objective) for objective in objectives]
    assert len({identify("n", "w", Preprocessing(), "l", recipe) for recipe in recipes}) == len(objectives)
    assert recipes[-1].photos == (str(two), str(one))
    assert [recipe.whole for recipe in recipes] == [True, True, True, False, False, True, True]


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
    [(3, 32, 128), (102, 32, 128), (103, 32, 160), (300, 32, 160), (None, 32, 160), (3, 224, 224)],
)
def test_automatic_size(field, smallest, size):
    assert automatic_size(field, smallest) == size


def test_cost_counts_the_area(read):
    recipe = "recipes: {main: {size: %d}}\n"
    group, larger = (make_plan(read(CONFIG + recipe % size), "w").groups[0] for size in (100, 200))
    begun = RELATIVE.kinds.nodes * group.layer.work.nodes / 2
    assert larger.step(RELATIVE) - begun == pytest.approx(4 * (group.step(RELATIVE) - begun))
    assert dataclasses.replace(group, jobs=()).seconds(RELATIVE) == group.seconds(RELATIVE)
