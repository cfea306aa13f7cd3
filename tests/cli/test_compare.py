"""``atlas compare``, and builds that hold pictures by others against their own."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

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


@pytest.fixture
def theirs(shell, config, tmp_path) -> Path:
    """Pictures by others: of both layers some of the atlas's own, one that is no image, and one of another size."""
    assert shell("build", config).code == 0
    folder = tmp_path / "theirs"
    folder.mkdir()
    for layer, channel, name in [("first", 1, "first_ch1"), ("both", 4, "both_ch4"), ("both", 5, "both_ch6")]:
        with PIL.Image.open(tmp_path / "site" / "toy" / layer / f"{channel}.webp") as image:
            image.convert("RGB").resize((64, 64)).save(folder / f"{name}.png")
    (folder / "both_ch7.png").write_text("no picture")
    (folder / "remarks.png").write_bytes((folder / "both_ch4.png").read_bytes())
    return folder


def test_it_answers_with_verdicts_and_numbers_and_shows_both(shell, config, theirs):
    said = shell("compare", config, "--pictures", theirs, "--by", "Lucid", "--json")
    assert said.code == 0, said.err
    done = json.loads(said.lines[-1])
    found = done["compared"]
    assert found["by"] == "Lucid"
    first, both = found["layers"]
    assert (first["layer"], both["layer"]) == ("first", "both")
    assert both["skipped"] == {"both_ch7.png": "a file that is no JPEG, PNG or WebP image"}
    assert [one["channel"] for one in both["channels"]] == [4, 6]
    four, six = both["channels"]
    assert set(four) == {"channel", "verdict", "rank", "others", "alike", "theirs", "ours"}
    assert four["others"] == 23
    assert four["alike"] > six["alike"]
    assert four["theirs"] == pytest.approx(four["ours"], rel=0.2)
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
    assert "skipped: both_ch7.png: expected an image, received a file that is no JPEG, PNG or WebP image" in said.lines


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
        (("--pictures", "theirs", "--names", "c{channel}.png"), "names: expected {layer}, {op} or {tensor}"),
        (("--pictures", "theirs", "--names", "{layer}/{channel}.gif"), "expected pictures of channels of first, both"),
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
    assert "compare: expected at least 8 channels in the atlas" in said.err
