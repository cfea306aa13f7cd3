"""What was asked for is what comes, or one sentence: numbers of any kind, names of layers, results that name both."""

import numpy as np
import pytest

import atlas
from atlas.api.ask import ask_layer
from atlas.api.explain import explain
from atlas.errors import AtlasError

GIVEN = {"weights": "random:1", "preprocessing": "tf"}
QUICK = {"size": 32, "steps": 1, **GIVEN}
NO_NUMBERS = [3.7, 3.0, True, np.True_, -1, np.float32(3), float("nan"), b"3", object(), 1j, np.array(3.0)]
NO_CHANNELS = [
    *([3.0], [True], np.array([3.0]), np.arange(24) == 3, [[3]], np.array([[3]]), ["3"], [None], {3: 4}, []),
    *("3.7", "True", "", "a", "5-3", "-1", "3;4", "9" * 5000),
]


@pytest.fixture(scope="module")
def three(toy):
    return atlas.maximize(toy, "both", 3, **QUICK)


@pytest.mark.parametrize("kind", [int, np.int64, np.uint8, np.array, "tensor"])
def test_a_whole_number_of_any_kind_is_one(toy, kind):
    import tensorflow as tf

    asked = ask_layer(toy, "both", tf.constant(3) if kind == "tensor" else kind(3), {}, **GIVEN)
    assert (asked.channels, asked.alone, type(asked.channels[0])) == ((3,), True, int)


@pytest.mark.parametrize(
    ("channels", "numbers"),
    [
        ([4, 3, 3], (4, 3, 3)),
        (np.array([3, 4]), (3, 4)),
        (range(3, 5), (3, 4)),
        ((np.int8(one) for one in (3, 3)), (3, 3)),
        ({3}, (3,)),
        ("3", (3,)),
        ("4,2-3", (2, 3, 4)),
    ],
)
def test_several_come_in_their_order_and_runs_as_in_a_file(toy, channels, numbers):
    asked = ask_layer(toy, "both", channels, {}, **GIVEN)
    assert (asked.channels, asked.alone) == (numbers, False)


def test_a_number_of_numpy_s_gives_the_same_picture(toy, three):
    made = atlas.maximize(toy, "both", np.array([4, 3]), **QUICK)
    assert [(type(one.channel), one.channel) for one in made] == [(int, 4), (int, 3)]
    np.testing.assert_array_equal(made[1].picture, three.picture)


@pytest.mark.parametrize("channels", [*NO_NUMBERS, *NO_CHANNELS], ids=lambda one: repr(one)[:20])
def test_what_is_no_channel_is_one_sentence(toy, folder, channels):
    calls = [
        lambda: atlas.maximize(toy, "both", channels, **QUICK),
        lambda: atlas.exemplars(toy, "both", folder, channels, **GIVEN),
        lambda: explain(toy, "both", channels, folder, **GIVEN),
    ]
    for call in calls:
        with pytest.raises(AtlasError, match=r"^channels?: expected .*, received ") as caught:
            call()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    "layer", [None, "", 3, ["both"], ("both", "left"), "b*", "[b]oth", "*", "Both", "bothe", b"both"]
)
def test_what_is_no_layer_is_one_sentence(toy, folder, layer):
    calls = [
        lambda: atlas.maximize(toy, layer, 3, **QUICK),
        lambda: atlas.exemplars(toy, layer, folder, 3, **GIVEN),
        lambda: explain(toy, layer, 3, folder, **GIVEN),
        lambda: atlas.feature_maps(toy, np.zeros((32, 32, 3), np.uint8), [layer], **GIVEN),
    ]
    for call in calls:
        with pytest.raises(AtlasError, match=r"expected .* layers?.*, received ") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_other_numbers_are_whole_too(toy, folder):
    made = atlas.maximize(
        toy, "both", 3, size=np.int64(32), steps=np.array(1), seed=np.uint8(7), frame_every=np.int8(1), **GIVEN
    )
    assert made.frames.shape == (2, 32, 32, 3)
    vector = np.eye(24, dtype=np.float32)[3]
    along = atlas.maximize(toy, "both", objective={"name": "direction", "vector": vector}, **QUICK)
    assert along.score["end"] > along.score["start"]
    found = atlas.exemplars(
        toy, "both", folder, np.int64(3), k=np.int64(2), limit=np.int64(5), seed=np.int64(1), size=np.int64(32), **GIVEN
    )
    assert len(found.top(np.int64(3))) == 2
    assert len(found.sources) == 5
    for wrong in (
        {"steps": 1.5},
        {"steps": True},
        {"frame_every": 1.5},
        {"frame_every": None},
        {"frame_every": -1},
        {"steps": object()},
    ):
        with pytest.raises(AtlasError, match=f"({next(iter(wrong))}: expected|expected plain values.*object)"):
            atlas.maximize(toy, "both", 3, **{**QUICK, **wrong})
    for channel in (4, True, 3.0):
        with pytest.raises(AtlasError, match="channel: expected"):
            found.top(channel)
    with pytest.raises(AtlasError, match="size: expected a whole number"):
        atlas.feature_maps(toy, np.zeros((32, 32, 3), np.uint8), "both", size=32.0, **GIVEN)


def test_results_name_what_they_are_of(toy, folder, three):
    assert (three.network, three.layer, three.channel) == (str(toy), "both", 3)
    again = atlas.maximize(toy, "both", 3, **QUICK)
    assert (three == again, three == three, three in [again, three]) == (False, True, True)
    assert len({three, again}) == 2
    found = explain(toy, "both", 3, folder, **QUICK)
    assert (found.network, found.layer, found.images.network, found.images.layer) == (str(toy), "both") * 2
    for one in (three, found.images):
        assert str(toy) in repr(one)
        assert "both" in repr(one)
        assert "\n" not in repr(one)
        assert len(repr(one)) < 120 + len(str(toy))
    assert list(atlas.feature_maps(toy, np.zeros((32, 32, 3), np.uint8), "both", **GIVEN)) == ["both"]


@pytest.mark.parametrize("channels", ["3.7", "[3.0]", "true", "[true]", "-1", "3.0", ".nan", "3;4"])
def test_the_same_in_a_file(toy, shell, tmp_path, channels):
    (tmp_path / "c.yaml").write_text(
        f"network: {toy}\nweights: random\npreprocessing: tf\nlayers: [{{name: both, channels: {channels}}}]\n"
    )
    said = shell("plan", "c.yaml")
    assert said.code == 2
    assert "c.yaml:4:23: layers[0].channels: expected" in said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("layer", "channel"), [("b*", "3"), ("", "3"), ("both", "3.0"), ("both", "True"), ("both", "-1")]
)
def test_the_same_on_the_command_line(toy, shell, layer, channel):
    given = ("--weights", "random:1", "--preprocessing", "tf", "-o", "a.png")
    said = shell("show", toy, *given, "--", layer, channel)
    assert said.code == 2
    assert "expected" in said.err
    assert len(said.err.splitlines()) == 1
