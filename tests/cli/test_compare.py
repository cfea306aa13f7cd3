"""``atlas compare``, and builds that hold pictures by others against their own."""

import io
import json
import shutil
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from atlas.engine.fetch import fetch
from tests.engine.processes import run_here

CONFIG = """
title: Toy
network: {toy}
preprocessing: tf
layers:
  - {{name: first, channels: "0-2"}}
  - {{name: both, channels: "0-9"}}
recipes: {{main: {{size: 32, steps: 3}}}}
compute: {{backend: sequential}}
"""


@pytest.fixture
def config(toy: Path, tmp_path: Path) -> Path:
    path = tmp_path / "toy.yaml"
    path.write_text(CONFIG.format(toy=toy))
    return path


@pytest.fixture(scope="module")
def built(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build of the configuration, and in ``theirs`` pictures by others: of both layers some of the
    atlas's own, one that is no image, and one of another size."""
    root = tmp_path_factory.mktemp("built")
    (root / "toy.yaml").write_text(CONFIG.format(toy=toy))
    with pytest.MonkeyPatch.context() as patch:
        assert run_here(patch, root, "build", "toy.yaml", "--quiet") == 0
    folder = root / "theirs"
    folder.mkdir()
    for layer, channel, name in [("first", 1, "first_ch1"), ("both", 4, "both_ch4"), ("both", 5, "both_ch6")]:
        with PIL.Image.open(root / "site" / "toy" / layer / f"{channel}.webp") as image:
            image.convert("RGB").resize((64, 64)).save(folder / f"{name}.png")
    (folder / "both_ch7.png").write_text("no picture")
    (folder / "remarks.png").write_bytes((folder / "both_ch4.png").read_bytes())
    return root


@pytest.fixture
def theirs(built: Path, config: Path, tmp_path: Path) -> Path:
    """The pictures by others, in a copy of the folder that was built."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    return tmp_path / "theirs"


def test_it_answers_with_verdicts_and_numbers_and_shows_both(shell, config, theirs):
    said = shell("compare", config, "--pictures", theirs, "--by", "Lucid", "--json")
    assert said.code == 0, said.err
    done = json.loads(said.lines[-1])
    found = done["compared"]
    assert found["by"] == "Lucid"
    first, both = found["layers"]
    assert (first["layer"], both["layer"]) == ("first", "both")
    assert both["skipped"] == {"both_ch7.png": "a file that is no JPEG, PNG, WebP, GIF, TIFF or BMP image"}
    assert [one["channel"] for one in both["channels"]] == [4, 6]
    four, six = both["channels"]
    assert set(four) == {"channel", "verdict", "rank", "our_rank", "others", "alike", "theirs", "ours"}
    assert found["unknown"] == ["remarks.png"]
    assert four["others"] == 23
    assert four["alike"] > six["alike"]
    assert four["theirs"] == pytest.approx(four["ours"], rel=0.2)
    assert first["known"] is None
    assert first["same"] + first["unclear"] + first["different"] == 1
    page = Path("site/toy/both/versus.html").read_text()
    assert "both</span> beside Lucid" in page
    assert Path("site/toy/both/4._theirs.webp").exists()
    assert not Path("site/toy/both/0._theirs.webp").exists()
    assert json.loads(Path("site/toy/both/4.json").read_text())["versus"]["by"] == "Lucid"
    assert json.loads(Path("site/toy/both/3.json").read_text())["versus"] is None


def test_for_people_a_line_for_each_layer_and_channel(shell, config, theirs):
    said = shell("compare", config, "--pictures", theirs, "--by", "Lucid")
    assert any(line.startswith("both beside Lucid: ") and "of 2); our score is at least" in line for line in said.lines)
    assert sum(line.startswith(("  both ", "  first ")) for line in said.lines) == 3
    assert "left out, of other names: 1, the first remarks.png" in said.lines
    assert (
        "skipped: both_ch7.png: expected an image, received a file that is no JPEG, PNG, WebP, GIF, TIFF or BMP image"
        in said.lines
    )


def test_a_comparison_is_made_once_and_a_build_without_it_takes_it_from_the_pages(shell, config, theirs):
    shell("compare", config, "--pictures", theirs)
    again = shell("compare", config, "--pictures", theirs, "--json")
    assert not [line for line in again.lines if json.loads(line)["event"] == "studied"]
    assert json.loads(again.lines[-1])["pages_changed"] == 0
    assert "others" in Path("site/toy/both/index.html").read_text()
    assert shell("build", config).code == 0
    assert not Path("site/toy/both/versus.html").exists()
    assert not Path("site/toy/both/4._theirs.webp").exists()


def test_the_file_can_keep_it(shell, config, theirs):
    with config.open("a") as file:
        file.write(f"compare: {{pictures: {theirs.name}, by: Lucid, publish: false}}\n")
    said = shell("build", config, "--json")
    assert json.loads(said.lines[-1])["compared"]["by"] == "Lucid"
    page = Path("site/toy/both/4.html").read_text()
    assert "Beside Lucid" in page
    assert not list(Path("site/toy").rglob("*_theirs.webp"))
    assert json.loads(Path("site/toy/both/4.json").read_text())["versus"]["picture"] is None
    assert shell("check", "site/toy").code == 0
    assert shell("compare", config).code == 0


def test_another_picture_is_compared_anew(shell, config, theirs):
    shell("compare", config, "--pictures", theirs)
    PIL.Image.fromarray(np.full((40, 40, 3), 200, np.uint8)).save(theirs / "both_ch4.png")
    said = shell("compare", config, "--pictures", theirs, "--json")
    assert [one["layer"] for line in said.lines if (one := json.loads(line))["event"] == "studied"] == ["both"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "expected --pictures FOLDER, or a compare key that names one, received neither; name a folder"),
        (("--pictures", "no"), "--pictures: expected a folder of pictures, received 'no', where there is none"),
        (("--by", "x"), "compare: expected the key pictures, received none"),
        (("--pictures", "theirs", "--names", "ch.png"), "--names: expected a pattern with {channel}"),
        (("--pictures", "theirs", "--names", "{channel}_{what}"), "--names: expected a pattern with {channel}"),
        (("--pictures", "theirs", "--names", "{layer}_{channel}{.png"), "--names: expected a pattern with {channel}"),
        (("--pictures", "theirs", "--names", "c{channel}.png"), "names: expected {layer}, {op} or {tensor}"),
        (
            ("--pictures", "theirs", "--names", "{layer}/{channel}.gif"),
            "expected pictures of this atlas's channels of first, both",
        ),
        (("--fetch",), "--fetch: expected --pictures FOLDER beside it, where they are kept, received none"),
    ],
)
def test_what_is_wrong_is_one_sentence(shell, config, theirs, arguments, sentence):
    said = shell("compare", config, *arguments)
    assert said.code == 2
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1


def test_too_few_channels_to_measure_by(shell, config, theirs):
    config.write_text(config.read_text().replace('"0-9"', '"0-3"').replace('"0-2"', '"0-1"'))
    (theirs / "both_ch2.png").write_bytes((theirs / "both_ch4.png").read_bytes())
    said = shell("compare", config, "--pictures", theirs)
    assert said.code == 2
    assert "toy.yaml: expected at least 8 channels in the atlas" in said.err
    with config.open("a") as file:
        file.write(f"compare: {{pictures: {theirs.name}}}\n")
    said = shell("build", config)
    assert said.code == 0
    assert any(line.startswith("not compared with others: expected at least 8 channels") for line in said.lines)
    said = shell("build", config, "--limit", 1)
    assert said.code == 0
    assert any("not compared with others: " in line and "expected pictures of this" in line for line in said.lines)


def test_the_option_takes_the_place_of_the_whole_key(shell, config, theirs):
    with config.open("a") as file:
        file.write("compare: {pictures: nowhere, names: 'L_{layer}_{channel}.png', by: Lucid}\n")
    said = shell("compare", config, "--pictures", theirs, "--json")
    assert said.code == 0, said.err
    assert json.loads(said.lines[-1])["compared"]["by"] == "others"


def test_a_picture_that_may_not_be_read_is_left_out_and_the_rest_goes_on(shell, config, theirs, monkeypatch):
    from atlas.engine import versus
    from atlas.images import folders

    digest, opened = folders._digest, versus.open_image
    monkeypatch.setattr(folders, "_digest", lambda path: "" if path.endswith("both_ch4.png") else digest(path))

    def refused(path, *rest):
        if path.endswith("both_ch4.png"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *rest)

    monkeypatch.setattr(versus, "open_image", refused)
    said = shell("compare", config, "--pictures", theirs, "--json")
    both = json.loads(said.lines[-1])["compared"]["layers"][1]
    assert both["skipped"]["both_ch4.png"] == "a file that may not be read (Permission denied)"
    assert [one["channel"] for one in both["channels"]] == [6]


def test_a_layer_without_any_picture_does_not_keep_others_from_being_compared(shell, config, theirs, monkeypatch):
    from atlas.engine import mains

    made = mains.mains

    def without_first(plan, done):
        return [replace(one, pictures=()) if one.layer == "first" else one for one in made(plan, done)]

    monkeypatch.setattr("atlas.engine.run.mains", without_first)
    said = shell("compare", config, "--pictures", theirs, "--json")
    assert [one["layer"] for one in json.loads(said.lines[-1])["compared"]["layers"]] == ["both"]


INCEPTION = """
network: inceptionv3
weights: {weights}
layers: [{{name: stem1, channels: "0-8"}}]
recipes: {{main: {{size: 76, steps: 2}}}}
compute: {{backend: sequential}}
"""


@pytest.fixture
def service(monkeypatch):
    """A service that has the picture of every channel but 3, and notes what it was asked for."""
    asked = []
    shown = io.BytesIO()
    PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(shown, "PNG")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            there = not self.path.endswith("channel-3.png")
            self.send_response(200 if there else 404)
            self.end_headers()
            self.wfile.write(shown.getvalue() if there else b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setitem(fetch.__kwdefaults__, "base", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setitem(fetch.__kwdefaults__, "pause", 0.0)
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_pictures_are_fetched_once_and_compared(shell, service, tmp_path):
    (tmp_path / "stem.yaml").write_text(INCEPTION.format(weights="embedded"))
    said = shell("compare", "stem.yaml", "--pictures", "kept", "--fetch", "--json")
    assert said.code == 0, said.err
    events = [json.loads(line) for line in said.lines]
    notices = [one["text"] for one in events if one["event"] == "notice"]
    folder = "InceptionV3_InceptionV3_Conv2d_1a_3x3_Relu_0"
    assert notices[-2:] == ["8 pictures fetched, 0 were there", f"not there: 1, the first {folder}/channel-3.png"]
    found = events[-1]["compared"]
    assert found["by"] == "OpenAI Microscope"
    assert found["layers"][0]["known"] == "same order, by test"
    assert "Same channel order there" in (tmp_path / "site/stem/stem1/versus.html").read_text()
    assert [one["channel"] for one in found["layers"][0]["channels"]] == [0, 1, 2, 4, 5, 6, 7, 8]
    assert len(service) == 9
    assert shell("compare", "stem.yaml", "--pictures", "kept", "--fetch").code == 0
    assert len(service) == 10  # but for the one that was not there
    assert "Beside OpenAI Microscope" in (tmp_path / "site/stem/stem1/4.html").read_text()


def test_nothing_is_fetched_for_other_weights(shell, service, tmp_path):
    (tmp_path / "stem.yaml").write_text(INCEPTION.format(weights="random"))
    said = shell("compare", "stem.yaml", "--pictures", "kept", "--fetch")
    assert said.code == 2
    assert "--fetch: expected layers that OpenAI Microscope shows of this network with these weights" in said.err
    assert service == []


def test_a_service_that_is_gone_is_one_sentence(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setitem(fetch.__kwdefaults__, "base", "http://127.0.0.1:9")
    monkeypatch.setattr("atlas.engine.fetch.TRIES", 1)
    (tmp_path / "stem.yaml").write_text(INCEPTION.format(weights="embedded"))
    said = shell("compare", "stem.yaml", "--pictures", "kept", "--fetch")
    assert said.code == 2
    [line] = said.err.splitlines()
    assert "take pictures that others have kept, with --pictures and without --fetch" in line


def test_a_layer_of_which_nothing_can_be_opened_says_so_on_its_page(shell, config, theirs):
    for name in ("both_ch4.png", "both_ch6.png"):
        (theirs / name).write_text("no picture")
    said = shell("compare", config, "--pictures", theirs, "--json")
    assert said.code == 0, said.err
    assert json.loads(said.lines[-1])["compared"]["layers"][1]["channels"] == []
    assert "None of the pictures could be opened" in Path("site/toy/both/versus.html").read_text()
    assert shell("check", "site/toy").code == 0
