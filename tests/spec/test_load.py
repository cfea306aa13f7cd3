import copy
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atlas.errors import ConfigError
from atlas.spec.load import check_request, load_request
from atlas.spec.recipes import RECIPES
from tests.spec.conftest import CATALOG

BASE = "network: inceptionv3\nweights: embedded\n"


def problems(read, text, **more):
    with pytest.raises(ConfigError) as caught:
        read(text, **more)
    return [line.split("c.yaml:", 1)[1] for line in caught.value.problems]


def test_the_smallest_configuration_means_every_layer_that_the_weights_reach(read):
    request = read(BASE)
    assert [layer.facts.name for layer in request.layers][:2] == ["stem1", "stem2"]
    assert request.layers[-1].facts.name == "mixed4"
    assert sum(len(layer.channels) for layer in request.layers) == 400 + 256 + 288 + 288 + 768 + 768
    assert request.title == "InceptionV3"
    assert str(request.output) == "site/c"
    assert request.layers[0].recipes["main"].steps == RECIPES["default"].steps


def test_layers_by_name_pattern_and_channels_come_in_the_network_s_order_each_once(read):
    layers = "layers:\n  - {name: mixed4, channels: '5-6,2'}\n  - {name: mixed4, channels: 6}\n  - 'stem[12]'\n"
    request = read(BASE + layers, limit=2)
    assert [(layer.facts.name, layer.channels) for layer in request.layers] == [
        ("stem1", (0, 1)),
        ("stem2", (0, 1)),
        ("mixed4", (2, 5)),
    ]


def test_recipes_change_their_base_slot_by_slot(read):
    recipes = (
        "recipes:\n  main: {base: lucid, steps: 9}\n"
        "  negative: {objective: {weight: -1}}\n  flat: {parameterization: {name: pixel}}\n"
    )
    layer = read(BASE + recipes).layers[0]
    assert list(layer.recipes) == ["main", "negative", "flat"]
    assert layer.recipes["main"].transforms == RECIPES["lucid"].transforms
    assert layer.recipes["main"].steps == 9
    assert layer.recipes["negative"].objective.weight == -1
    assert layer.recipes["negative"].objective.leak == RECIPES["default"].objective.leak
    assert layer.recipes["flat"].parameterization.name == "pixel"


def test_automatic_sizes_follow_the_receptive_field(read):
    sizes = {layer.facts.name: layer.recipes["main"].size for layer in read("network: vgg19\n").layers}
    assert sizes["block1_conv1"] == 128
    assert sizes["block4_conv3"] == 128
    assert sizes["block4_conv4"] == 160
    assert sizes["block5_conv4"] == 160


def test_all_problems_at_once_with_their_places(read):
    text = (
        "title: 3\nnetwrk: x\nnetwork: inceptionv3\nweights: embedded\nlayers:\n  - mixd3\n"
        "  - {name: mixed4, channels: '0-900'}\n  - mixed6\nrecipes:\n"
        "  main: {stps: 4, size: 12}\n  main: {base: lucid}\n  x: {base: defalt}\ncompute: {workers: '2'}\n"
    )
    found = problems(read, text)
    for line in (
        "1:1: title: expected a valid string, received 3",
        "6:5: layers[0]: expected a layer of inceptionv3, received 'mixd3'; did you mean mixed3?",
        "7:20: layers[1].channels: expected channels 0 to 767 of mixed4, received 900",
        "10:19: recipes.main.size: expected 'auto' or greater than or equal to 16, received 12",
        "11:3: recipes.main: expected each key once, received it again",
        "12:7: recipes.x.base: expected one of default, fine, preview, lucid, tutorial, unregularised, maco, "
        "deepdream, caricature, received 'defalt'; did you mean default?",
        "13:11: compute.workers: expected 'auto' or a valid integer, received \"2\"",
    ):
        assert any(one.startswith(line) for one in found), (line, found)
    assert any("did you mean network?" in one for one in found)
    assert any("did you mean steps?" in one for one in found)
    assert any("mixed6" in one and "embedded" in one for one in found)


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("network: vgg91\n", "1:1", "did you mean vgg19?"),
        ("- a\n", "1:1", "expected a map"),
        ("", "1:1", "expected a map"),
        ("network: [\n", "2:1", "expected YAML"),
        ("network: !!python/object/apply:os.system [ls]\n", "1:10", "tag"),
        ("a: &x 1\nb: *x\n", "1:4", "anchor"),
        ("network: vgg19\nrecord: [trace, mood]\n", "2:", "expected 'trace'"),
        ("network: vgg19\npreprocessing: tf\n", "2:1", "only with a .keras file"),
        ("network: vgg19\nweights: random:x\n", "2:1", "whole number"),
        (
            "network: vgg19\nlayers: [{name: block1_conv1, channels: 1000000000}]\n",
            "2:",
            "expected channels 0 to 63 of block1_conv1, received 1000000000",
        ),
        ("network: vgg19\nlayers: [{name: block1_conv1, channels: 9-3}]\n", "2:", "lower channel first"),
        ("network: vgg19\nrecipes: {Main: {}}\n", "2:11", "small letters"),
        ("network: vgg19\nrecipes: {main: {start: photo.jpg}}\n", "2:18", "path of a photo"),
        (
            "network: vgg19\nrecipes: {main: {}, like: {base: caricature}}\n",
            "2:21",
            "expected the path of a photo to make",
        ),
        (
            "network: vgg19\nrecipes: {main: {}, like: {base: caricature, objective: {photo: no.jpg}}}\n",
            "2:58",
            "recipes.like.objective.photo: expected the path of a photo, received 'no.jpg'",
        ),
        (
            "network: vgg19\nrecipes: {main: {objective: [{name: channel}, {name: caricature, photo: no.jpg}]}}\n",
            "2:",
            "recipes.main.objective[1].photo: expected the path of a photo, received 'no.jpg'",
        ),
        (
            "network: vgg19\nrecipes: {main: {objective: {photo: no.jpg}}}\n",
            "2:",
            "expected one of weight, layer, name, channel, leak, border, received the key 'photo'",
        ),
        ("network: inceptionv3\nrecipes: {main: {size: 32}}\n", "2:18", "to see at least 75 pixels"),
        (
            "network: vgg19\nrecipes: {main: {size: 96, transforms: [{name: crop, pixels: 60}]}}\n",
            "2:18",
            "to see at least 32 pixels",
        ),
        ("network: vgg19\nrecipes: {main: {start: noise-caffe}}\n", "2:11", "parameterization pixel only"),
        ("network: vgg19\nrecipes: {main: {start: black}}\n", "2:11", "contrast: null or parameterization pixel"),
        ("network: vgg19\nrecipes: {main: {optimizer: {name: adam, rate: .nan}}}\n", "2:", "finite number"),
        ('network: "a\\0.keras"\npreprocessing: tf\n', "1:1", "name or path"),
        (f"network: {'x' * 5000}.keras\npreprocessing: tf\n", "1:1", "name or path"),
        (f"network: vgg19\nweights: random:{'9' * 30}\n", "2:1", "at most 18 digits"),
        ("network: vgg19\nweights: ~nobody/a.h5\n", "2:1", "expected a file of weights"),
        ("network: vgg19\nstore: ~nobody-at-all/x\n", "2:1", "a home folder that there is"),
        ("network: vgg19\nlayers: []\n", "2:1", "at least 1 item"),
        ("network: vgg19\nrecipes: {}\n", "2:1", "at least 1 item"),
        ("network: vgg19\nrecipes: {main: {base: lucd, steps: 0}}\n", "2:30", "greater than or equal to 1"),
        ("network: vgg19\ncompute: {batch: 3}\n", "2:11", "expected 'auto', 2, 4, 8, 16, 32, 64, 128 or 256"),
        ("network: toy.keras\n", "1:1", "expected a .keras file at"),
        ("network: vgg19\nprobes: {}\n", "2:1", "probes: expected the key images"),
        ("network: vgg19\nprobes: photos\n", "2:1", "probes"),
        ("network: vgg19\nprobes:\n  images: no/folder\n", "3:3", "where there is none"),
        ("network: vgg19\nprobes:\n  images: ''\n", "3:3", "name or path"),
        ("network: vgg19\nprobes:\n  images: 3\n", "3:3", "valid string"),
        ("network: vgg19\nprobes: {images: scikit-image, limit: 0}\n", "2:32", "greater than or equal to 1"),
        ("network: vgg19\nprobes: {images: scikit-image, seed: -1}\n", "2:32", "greater than or equal to 0"),
        ("network: vgg19\nprobes: {images: scikit-image, size: 4}\n", "2:32", "greater than or equal to 8"),
        ("network: vgg19\nprobes: {images: scikit-image, size: 31}\n", "2:32", "at least 32 pixels, which vgg19 needs"),
        ("network: vgg19\nprobes: {images: scikit-image, crop: left}\n", "2:32", "expected 'middle' or 'squeeze'"),
        ("network: vgg19\nprobes: {images: scikit-image, layout: tsn}\n", "2:32", "expected 'pca', 'tsne' or 'umap'"),
        ("network: vgg19\nprobes: {images: scikit-image, exemplars: 33}\n", "2:32", "less than or equal to 32"),
        ("network: vgg19\nprobes: {images: scikit-image, publish_images: 1}\n", "2:32", "valid boolean"),
        ("network: vgg19\nprobes: {images: scikit-image, colour: red}\n", "2:32", "colour"),
    ],
)
def test_one_problem_one_sentence(read, text, place, said):
    found = problems(read, text)
    assert any(line.startswith(place) and said in line for line in found), found
    assert all(": " in line and "\n" not in line for line in found)


def test_a_pattern_means_the_layers_that_the_weights_reach(read):
    request = read(BASE + "layers: ['mixed*']\n")
    assert [layer.facts.name for layer in request.layers] == ["mixed0", "mixed1", "mixed2", "mixed3", "mixed4"]
    assert any("mixed7" in line for line in problems(read, BASE + "layers: ['mixed[789]']\n"))


def test_a_wrong_option_is_named_and_the_rest_is_checked_all_the_same(read):
    with pytest.raises(ConfigError) as caught:
        read(BASE + "layers: [mixd3]\n", **{"weights": "no.h5", "compute.backend": "foo"})
    assert [line.split("c.yaml:")[-1].split(": expected")[0] for line in caught.value.problems] == [
        "--backend",
        "--weights",
        "3:10: layers[0]",
    ]
    assert str(Path.cwd() / "no.h5") in caught.value.problems[1]


def test_a_random_atlas_never_lands_on_the_real_one(read):
    text = "network: vgg19\noutput: site/mine\nlayers: [block1_conv1]\n"
    assert str(read(text).output) == "site/mine"
    assert str(read(text, weights="random").output) == "site/mine-random"
    assert str(read("network: vgg19\nweights: random\n").output) == "site/c-random"
    assert str(read(text, weights="random", output="here").output) == "here"


def test_an_atlas_has_the_name_of_its_folder_however_it_is_written(read, tmp_path, monkeypatch):
    (tmp_path / "mine" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "mine" / "deep")
    names = {output: read("network: vgg19\n", output=output).name for output in (".", "..", "../deep/", "x/../y", "/")}
    assert names == {".": "deep", "..": "mine", "../deep/": "deep", "x/../y": "y", "/": "c"}


def test_data_without_a_file_is_checked_as_well():
    data = {"network": "vgg19", "layers": [{"name": "block1_conv1", "channels": "x"}], "recipes": {"a": {"size": 97}}}
    with pytest.raises(ConfigError) as caught:
        check_request(data, CATALOG)
    assert caught.value.problems == (
        'layers[0].channels: expected channels such as 0-63,100 or a valid integer, received "x"',
        "recipes.a.size: expected 'auto' or a multiple of 4, received 97",
    )


SOUND = {
    "network": "inceptionv3",
    "weights": "embedded",
    "title": "A title",
    "output": "site/x",
    "store": ".atlas",
    "layers": ["mixed0", {"name": "mixed[34]", "channels": "0-3,9"}],
    "recipes": {
        "main": {"size": 96, "steps": 8, "transforms": [{"name": "shift", "pixels": 4}, {"name": "rotate"}]},
        "other": {
            "base": "lucid",
            "parameterization": {"name": "pixel"},
            "objective": [{"name": "channel", "weight": -1.0}, {"name": "diversity"}],
            "optimizer": {"name": "adam", "rate": 0.1},
            "repeats": 2,
        },
    },
    "compute": {"workers": 2, "batch": 4},
    "record": ["trace", "frames"],
    "frame_every": 4,
}
KEYS = ["base", "channels", "compute", "layers", "main", "name", "network", "recipes", "size", "steps"]
HOSTILE = [
    *(
        "../../x",
        "/etc/passwd",
        "~root",
        "<script>alert(1)</script>",
        "{{ 7*7 }}",
        "a\0b",
        "x" * 300,
        "ä\u202eü",
        "CON",
        "nul",
    ),
    *("0-3", "9-1", "0-99999999999999999999", "9" * 5000, "1e999", "mixed*", "[", "random:", "random:-1", "memory://x"),
    *("s3://", "file:///", "null", "~", "yes", "!!python/object:os.system", "&a", "*a", "\n", "\r\n", "default"),
]
WORDS = st.sampled_from([*KEYS, *HOSTILE])
VALUES = st.recursive(
    WORDS | st.text(max_size=8) | st.integers() | st.floats() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def places(value, where=()):
    """The place of everything in a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*where, key)
        yield from places(one, (*where, key))


@st.composite
def nearly_sound(draw):
    """A configuration that is right but for a few things."""
    data = copy.deepcopy(SOUND)
    for _ in range(draw(st.integers(1, 3))):
        *above, last = draw(st.sampled_from(list(places(data))))
        inner = data
        for key in above:
            inner = inner[key]
        inner[draw(WORDS) if isinstance(inner, dict) and draw(st.booleans()) else last] = draw(VALUES)
        if not list(places(data)):
            break
    return data


def test_what_is_sound_is_read(read):
    import yaml

    assert [layer.facts.name for layer in read(yaml.safe_dump(SOUND)).layers] == ["mixed0", "mixed3", "mixed4"]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(nearly_sound() | st.dictionaries(WORDS, VALUES, max_size=5) | st.text(max_size=60))
def test_any_configuration_is_read_or_refused_in_sentences(read, data):
    """100 of them here; ``--hypothesis-profile thorough`` tries 10,000."""
    import yaml

    text = data if isinstance(data, str) else yaml.safe_dump(data)
    found = []
    try:
        read(text.encode("utf-8", "replace").decode())
    except ConfigError as error:
        found += error.problems
    assert all(len(line) < 1000 and line.isprintable() for line in found), found


def test_a_file_of_a_hundred_megabytes_is_not_read(read):
    text = "network: vgg19\ntitle: " + "x" * 100_000_000
    assert problems(read, text) == ["1:1: expected at most 1,000,000 characters, received more"]


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
        "network: " + "[" * 100_000,
        "network: " + "{a: " * 50_000,
        "? " * 100_000,
        "- " * 100_000,
        "network: " + "!" * 100_000,
        "network: !!binary aGVsbG8=\n",
        "network: !!python/name:os.system\n",
        "%TAG ! tag:evil,2000:\n---\nnetwork: !x y\n",
        "network: vgg19\n---\nnetwork: vgg16\n",
        "<<: {network: vgg19}\n",
    ],
)
def test_yaml_that_means_harm_is_one_sentence(read, text):
    found = problems(read, text)
    assert len(found) < 5
    assert all(len(line) < 1000 for line in found)


def test_octaves_need_a_step_each_and_a_size_that_the_network_takes(read):
    dream = "recipes:\n  main: {}\n  dream: {base: deepdream, "
    assert any("at least one step for each of 4 octaves" in one for one in problems(read, BASE + dream + "steps: 3}\n"))
    found = problems(read, BASE + dream + "size: 128}\n")
    assert any("recipes.dream.size: expected the network to see at least 75 pixels" in one for one in found)


def test_a_roll_comes_before_other_transforms(read):
    turned = "recipes:\n  main: {transforms: [%s]}\n"
    for wrong in ("{name: shift}, {name: roll}", "{name: roll}, {name: roll}"):
        (problem,) = problems(read, BASE + turned % wrong)
        assert problem.startswith("4:3: recipes.main: expected roll before the other transforms, and once")
    assert read(BASE + turned % "{name: roll}, {name: shift}").layers


def test_an_atlas_of_random_weights_has_an_address_of_its_own(tmp_path):
    path = tmp_path / "pub.yaml"
    path.write_text(
        "network: vgg19\nlayers: [block1_conv1]\noutput: site/pub\nsite: {base_url: https://example.org/pub/}\n"
    )
    assert load_request(path, {}, CATALOG).website.base_url == "https://example.org/pub/"
    random = load_request(path, {"weights": "random"}, CATALOG)
    assert (random.website.base_url, random.output.name) == ("https://example.org/pub-random/", "pub-random")


@pytest.mark.parametrize("address", ["http:///", "https://", "ftp://example.org/", "https://example.org/a b/"])
def test_a_base_address_has_a_host(tmp_path, address):
    path = tmp_path / "pub.yaml"
    path.write_text(f"network: vgg19\nlayers: [block1_conv1]\nsite: {{base_url: '{address}'}}\n")
    with pytest.raises(ConfigError, match=r"site\.base_url"):
        load_request(path, {}, CATALOG)


def test_probes_mean_the_network_s_own_size_and_a_folder_beside_the_file(read, tmp_path):
    assert read("network: vgg19\n").probes is None
    (tmp_path / "photos").mkdir()
    probes = read("network: vgg19\nprobes: {images: photos}\n").probes
    assert (probes.images, probes.size, probes.crop) == (str(tmp_path / "photos"), 224, "middle")
    assert read("network: inceptionv3\nprobes: {images: photos}\n").probes.size == 299
    assert read("network: vgg19\nprobes: {images: photos, size: 96}\n").probes.size == 96
    assert read("network: vgg19\nprobes: {images: scikit-image}\n").probes.images == "scikit-image"
    assert read("network: vgg19\nprobes: {images: 'no/**/*.jpg'}\n").probes.images == str(tmp_path / "no/**/*.jpg")
    assert read(f"network: vgg19\nprobes: {{images: '{tmp_path}/photos'}}\n").probes.images == str(tmp_path / "photos")


def test_a_network_that_resizes_pictures_is_shown_images_at_its_size(read):
    text = "network: vgg19\nclasses: true\nprobes: {{images: scikit-image, size: {}}}\n"
    assert read(text.format(224)).probes.size == 224
    [found] = problems(read, text.format(448))
    assert found == "3:32: probes.size: expected 224 pixels, which vgg19 resizes all to, received 448"


def test_all_problems_of_probes_at_once(read):
    found = problems(read, "network: vgg19\nprobes:\n  images: nowhere\n  size: 31\n")
    assert [line.split(": expected")[0] for line in found] == ["3:3: probes.images", "4:3: probes.size"]


def test_umap_without_its_package_is_said_before_anything_is_made(read, monkeypatch):
    monkeypatch.setattr("atlas.spec.load.find_spec", lambda name: None)
    [found] = problems(read, "network: vgg19\nprobes: {images: scikit-image, layout: umap}\n")
    assert found.startswith("2:32: probes.layout: expected pca or tsne, or the package umap-learn, received umap")
    monkeypatch.setattr("atlas.spec.load.find_spec", lambda name: name)
    assert read("network: vgg19\nprobes: {images: scikit-image, layout: umap}\n").probes.layout == "umap"


def test_a_configuration_and_its_notes_are_read_anew_each_time(read, tmp_path):
    for size, word in ((96, "one"), (128, "two")):
        (tmp_path / "notes.yaml").write_text(f"mixed0: {{3: {word}}}\n")
        request = read(BASE + f"notes: notes.yaml\nlayers: [mixed0]\nrecipes: {{main: {{size: {size}}}}}\n")
        assert request.website.notes["mixed0"][3].name == word
        assert request.layers[0].recipes["main"].size == size
