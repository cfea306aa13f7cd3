"""``atlas layers`` and ``atlas show``."""

import json
import subprocess
import sys
from types import SimpleNamespace

import joblib
import keras
import numpy as np
import pytest
from PIL import Image, ImageSequence

from atlas import runtime
from atlas.ascent import showing
from atlas.ascent.show import animation
from atlas.spec.recipe import STARTS
from atlas.spec.recipes import RECIPES

QUICK = ("--preprocessing", "tf", "--steps", 4, "--size", 32)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), int)


def test_the_layers_of_a_known_network(shell):
    said = shell("layers", "vgg19")
    assert (said.code, said.err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in said.lines[1:-2]}
    assert rows["block4_conv1"] == ["conv", "512", "68", "px"]
    assert rows["block5_pool"][:2] == ["pool", "512"]
    assert said.lines[-1] == "VGG19: 5,504 channels in 16 feature layers"
    assert next(iter(rows)) == "block1_conv1"


def test_the_layers_in_json(shell):
    said = json.loads(shell("layers", "vgg19", "--json").out)
    assert (said["network"], said["title"]) == ("vgg19", "VGG19")
    assert sum(layer["channels"] for layer in said["layers"] if layer["feature"]) == 5504
    [pool] = [layer for layer in said["layers"] if layer["layer"] == "block1_pool"]
    assert pool == {
        "layer": "block1_pool",
        "kind": "pool",
        "channels": 64,
        "receptive_field": 6,
        "stride": 2,
        "feature": False,
    }


def test_the_layers_of_an_own_network(shell, toy):
    said = shell("layers", toy)
    assert said.code == 0
    assert said.lines[-1] == "toy: 56 channels in 4 feature layers"


def test_an_unknown_network_names_the_nearest(shell):
    said = shell("layers", "vgg91")
    assert (said.code, said.out) == (2, "")
    assert "did you mean vgg19" in said.err


def test_one_picture(shell, toy, tmp_path):
    said = shell("show", toy, "both", 5, "-o", "a.png", *QUICK)
    assert (said.code, said.out, said.err) == (0, "a.png\n", "")
    with Image.open(tmp_path / "a.png") as picture:
        assert (picture.format, picture.size, picture.mode) == ("PNG", (32, 32), "RGB")
    shell("show", toy, "both", 5, "-o", "b.png", *QUICK)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a.png", "b.png"]


def test_a_grid_holds_the_single_pictures(shell, toy, tmp_path):
    assert shell("show", toy, "both", "3-5,20", "-o", "grid.png", *QUICK).code == 0
    sheet = pixels("grid.png")
    assert sheet.shape == (2 * 32 + 2, 2 * 32 + 2, 3)
    shell("show", toy, "both", 20, "-o", "one.png", *QUICK)
    np.testing.assert_array_equal(sheet[34:, 34:], pixels("one.png"))


def test_several_pictures_are_made_in_several_processes_where_that_is_sooner(shell, toy, tmp_path):
    """This one needs no TensorFlow then; the pictures are those of one process."""
    code = (
        "import sys\n"
        "from atlas.cli import main\n"
        "from atlas.ascent import showing\n"
        "showing.processes = lambda pictures, work: 2\n"
        "try: main()\n"
        "finally: print('tensorflow' in sys.modules)\n"
    )
    given = ["show", str(toy), "both", "3-5,20,7", *map(str, QUICK)]
    command = [sys.executable, "-c", code, *given, "-o", "several.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["several.png", "False"]
    assert shell(*given, "-o", "one.png").code == 0
    assert (tmp_path / "several.png").read_bytes() == (tmp_path / "one.png").read_bytes()


def test_more_threads_are_remarked_in_the_file(toy, tmp_path):
    """In a process of its own: TensorFlow has as many threads as it was started with."""
    given = ["show", toy, "both", "5", *map(str, QUICK), "--threads", "2", "-o", "a.png"]
    command = [sys.executable, "-m", "atlas", *given]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    said = "made with 2 threads, which round otherwise than a build"
    assert done.stderr.splitlines()[-1] == f"atlas: a.png: {said}"
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.info["Comment"] == said
    animation([SimpleNamespace(frames=np.zeros((2, 8, 8, 3), np.uint8))], tmp_path / "a.gif", said)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.info["comment"].decode() == said


def test_a_process_is_started_for_ten_seconds_of_work(monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 4)
    monkeypatch.setattr(runtime, "_pinned", True)  # as where nobody else has imported TensorFlow
    assert [showing.processes(pictures, 10.1 * pictures) for pictures in (1, 2, 3, 9)] == [1, 2, 3, 4]
    assert [showing.processes(pictures, 2.6 * pictures) for pictures in (1, 4, 8, 64)] == [1, 1, 2, 4]


def test_what_takes_long_is_said_before(shell, toy, monkeypatch):
    monkeypatch.setattr(showing, "WORTH_IT", 1e-9)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 1)
    said = shell("show", toy, "both", "3-4", "-o", "a.png", *QUICK)
    assert (said.code, said.err) == (0, "atlas: making 2 pictures of 4 steps\n")


def test_an_animation_goes_from_the_start_to_the_picture(shell, toy):
    assert shell("show", toy, "both", 5, "-o", "a.gif", *QUICK).code == 0
    with Image.open("a.gif") as gif:
        frames = [np.asarray(frame.convert("RGB"), int) for frame in ImageSequence.Iterator(gif)]
        assert (gif.format, len(frames), gif.info["loop"]) == ("GIF", 4 + 1, 0)
    shell("show", toy, "both", 5, "-o", "a.png", *QUICK)
    assert np.abs(frames[4] - pixels("a.png")).mean() < 8  # a GIF has 256 colours
    assert np.abs(frames[0] - frames[4]).mean() > 16


def test_in_an_animation_of_several_the_first_to_settle_rests(tmp_path):
    made = [SimpleNamespace(frames=np.full((count, 8, 8, 3), 40 * count, np.uint8)) for count in (3, 6, 1)]
    animation(made, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as gif:
        frames = [np.asarray(frame.convert("RGB"), int) for frame in ImageSequence.Iterator(gif)]
    assert frames[-1][4, 4, 0] == 120
    assert frames[-1][4, 14, 0] == 240


def test_long_ascents_have_few_frames(shell, toy):
    shell("show", toy, "first", "0-1", "-o", "a.gif", *QUICK, "--steps", 100, "--size", 16)
    with Image.open("a.gif") as gif:
        assert 30 <= gif.n_frames <= 49
        assert gif.size == (2 * 16 + 2, 16)


def test_the_tutorial_from_the_shell(shell, toy):
    arguments = ("show", toy, "both", 5, *QUICK, "--recipe", "tutorial")
    made = {}
    for start in ("noise-caffe", "black"):
        assert shell(*arguments, "--start", start, "-o", f"{start}.png").code == 0
        made[start] = pixels(f"{start}.png").tobytes()
    assert shell(*arguments, "--seed", 1, "-o", "seed.png").code == 0
    made["seed"] = pixels("seed.png").tobytes()
    assert len(set(made.values())) == 3


def test_a_photo_can_be_the_start(shell, toy, tmp_path):
    photo = np.zeros((40, 40, 3), np.uint8)
    photo[:, 20:] = (250, 120, 10)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    assert (
        shell("show", toy, "both", 5, "-o", "a.gif", *QUICK, "--recipe", "tutorial", "--start", "photo.png").code == 0
    )
    first = pixels("a.gif")
    assert np.abs(first[:, :14]).mean() < 8
    assert np.abs(first[:, 18:] - (250, 120, 10)).mean() < 8


def test_a_caricature_of_a_photo(shell, toy, tmp_path):
    (tmp_path / "photos").mkdir()
    blocks = np.random.default_rng(0).integers(0, 256, (5, 5, 3), np.uint8)
    Image.fromarray(blocks).resize((40, 40)).save(tmp_path / "photos" / "photo.png")
    arguments = ("show", toy, "both", *QUICK, "--recipe", "caricature", "-o", "a.png")
    assert shell(*arguments, "--photo", "photos/photo.png").code == 0
    assert pixels("a.png").shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"recipe": "caricature"}, "atlas: recipes.shown: expected the path of a photo to make the caricature of, "),
        ({"recipe": "caricature", "photo": "no.jpg"}, "photo: expected the path of a photo, received 'no.jpg'"),
        ({"photo": "no.jpg"}, "atlas: --photo: expected it with recipe caricature, received it with default"),
        ({"output": "a.jpg"}, "atlas: --output: expected a name that ends in .png or .gif, received a.jpg"),
        ({"output": "no/a.png"}, "atlas: --output: expected a folder that is there, received no"),
        ({"channels": "24"}, "atlas: layers[0].channels: expected channels 0 to 23 of both, received 24"),
        ({"channels": "5-3"}, "the lower channel first in 5-3"),
        ({"channels": "x"}, "channels such as 0-63,100"),
        ({"layer": "bothe"}, "atlas: layers[0].name: expected a layer of toy.keras, received 'bothe'; did you"),
        (
            {"recipe": "lucd"},
            f"atlas: recipes.shown.base: expected one of {', '.join(RECIPES)}, received 'lucd'",
        ),
        ({"size": 33}, "a multiple of 4"),
        (
            {"start": "no.jpg"},
            f"atlas: recipes.shown.start: expected {', '.join(STARTS)} or the path",
        ),
        ({"weights": "no.h5"}, "expected a file of weights at "),
        ({"network": "no.keras"}, "atlas: network: expected a .keras file at "),
    ],
)
def test_a_mistake_is_one_sentence_and_makes_nothing(shell, toy, tmp_path, change, sentence):
    given = {"network": toy, "layer": "both", "channels": "5", "output": "a.png"} | change
    options = [f"--{name}={change[name]}" for name in ("recipe", "photo", "size", "start", "weights") if name in change]
    positional = [given[name] for name in ("network", "layer", "channels")]
    said = shell("show", *positional, "-o", given["output"], "--preprocessing", "tf", "--steps", 2, *options)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("atlas: ")
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1, said.err
    assert [path for path in tmp_path.rglob("*.*") if path.suffix in (".png", ".gif", ".jpg", ".tmp")] == []


def test_a_network_of_one_s_own_needs_its_preprocessing(shell, toy):
    said = shell("show", toy, "both", 5, "-o", "a.png")
    assert said.code == 2
    assert "expected preprocessing" in said.err


@pytest.mark.parametrize("command", ["layers", "plan"])
def test_tables_are_whole_in_a_pipe_and_on_a_narrow_terminal(shell, toy, tmp_path, monkeypatch, command):
    name = "a_layer_whose_name_is_longer_than_the_line_of_a_narrow_terminal_[red]and\x1bred"
    model = keras.models.load_model(toy)
    keras.models.clone_model(model, clone_function=lambda layer: renamed(layer, name)).save(tmp_path / "long.keras")
    (tmp_path / "long.yaml").write_text("network: long.keras\npreprocessing: tf\n")
    monkeypatch.setenv("COLUMNS", "30")
    said = shell(command, f"long.{'keras' if command == 'layers' else 'yaml'}")
    assert said.code == 0
    shown = name.replace("\x1b", "\\x1b")
    assert any(line.startswith(f"{shown}  ") for line in said.lines)
    assert "\x1b" not in said.out
    assert "…" not in said.out


def renamed(layer, name):
    return type(layer).from_config(layer.get_config() | ({"name": name} if layer.name == "left" else {}))


def test_a_layer_that_nothing_is_near_is_told_where_layers_are_listed(shell):
    said = shell("show", "mobilenetv2", "rabbit", 0, "-o", "a.png")
    assert said.err.endswith(
        "expected a layer of mobilenetv2, received 'rabbit'; atlas layers mobilenetv2 lists them\n"
    )
