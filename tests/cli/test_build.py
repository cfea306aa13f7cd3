"""``atlas build``: exit codes, what is said, what is left on disk."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from atlas.ascent import render as rendering
from atlas.engine import run as running
from atlas.pages import write as writing
from atlas.pages.check import check_site
from atlas.resources import resource

REAL = rendering.render


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def broken(monkeypatch):
    """Channel 13 cannot be made."""

    def breaking(kernel, channels):
        if 13 in channels:
            raise RuntimeError("out of memory")
        return REAL(kernel, channels)

    monkeypatch.setattr(rendering, "render", breaking)


def test_from_a_network_to_a_site(shell, config, tmp_path):
    said = shell("build", "toy.yaml")
    assert (said.code, said.err) == (0, "")
    assert "\x1b" not in said.out
    assert "\r" not in said.out
    assert said.lines[-2:] == ["5 pictures rendered, 0 were cached", "site: site/toy/index.html"]
    assert re.search(r"5/5 pictures, (first main 3/3|both main 2/2), ", said.out)  # layers come in any order
    made = {"index.html", "toy/index.html", "toy/first/2.html", "toy/both/13.html", "toy/manifest.json"}
    assert made <= files(tmp_path / "site")
    assert check_site(tmp_path / "site") == []

    again = shell("build", "toy.yaml")
    assert (again.code, again.err) == (0, "")
    assert again.lines == ["nothing to render: all 5 pictures are cached", "site: site/toy/index.html (unchanged)"]


def test_a_photo_stands_beside_what_was_made_of_it(shell, config, tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    config.write_text(
        config.read_text().replace(
            "steps: 3}}", "steps: 3}, like: {base: caricature, size: 32, steps: 2, objective: {photo: photo.png}}}"
        )
    )
    assert shell("build", "toy.yaml").code == 0
    page = (tmp_path / "site/toy/first/index.html").read_text()
    assert 'alt="The photo that recipe like was given"' in page
    told = json.loads((tmp_path / "site/toy/first/layer.json").read_text())["whole"]["like"]
    with Image.open(tmp_path / "site/toy" / told["photo"]) as shown:
        assert shown.size == (32, 32)
        fitted = ImageOps.fit(Image.fromarray(photo), (32, 32), Image.Resampling.LANCZOS)
        apart = np.abs(np.asarray(shown.convert("RGB"), float) - np.asarray(fitted, float))
    assert apart.mean() < 40  # of noise in a lossy file
    assert list((tmp_path / "site/toy/first").glob("0*_photo*")) == []
    assert check_site(tmp_path / "site") == []


def test_quiet_prints_nothing(shell, config, tmp_path):
    said = shell("build", "toy.yaml", "--quiet")
    assert (said.code, said.out, said.err) == (0, "", "")
    assert (tmp_path / "site/toy/index.html").is_file()


def test_json_is_one_object_on_every_line_and_ends_with_done(shell, config):
    *events, done = (json.loads(line) for line in shell("build", "toy.yaml", "--json").lines)
    batches, studied = [[one for one in events if one["event"] == kind] for kind in ("batch", "studied")]
    found = sorted((event["kind"], event["layer"]) for event in studied)
    assert found == [("likeness", "both"), ("likeness", "first"), ("weights", "both")]
    made = [(event["layer"], one["channel"]) for event in batches for one in event["done"]]
    assert sorted(made) == [("both", 0), ("both", 13), ("first", 0), ("first", 1), ("first", 2)]
    assert all(len(one["key"]) == 64 for event in batches for one in event["done"])
    assert batches[-1]["pictures_done"] == batches[0]["pictures_total"] == 5
    assert done.items() >= {"event": "done", "channels": 5, "rendered": 5, "cached": 0, "failed": []}.items()
    assert (done["site"], done["shelf"]) == ("site/toy/index.html", None)
    [again] = (json.loads(line) for line in shell("build", "toy.yaml", "--json").lines)
    assert (again["event"], again["rendered"], again["cached"], again["pages_changed"]) == ("done", 0, 5, 0)


def test_a_channel_that_fails_is_listed_marked_and_makes_exit_code_1(shell, config, tmp_path, broken, monkeypatch):
    sentence = "failed: both 13 (main): RuntimeError: out of memory"
    said = shell("build", "toy.yaml")
    assert said.code == 1
    assert said.lines[-3:] == ["4 pictures rendered, 0 were cached", sentence, "site: site/toy/index.html"]
    assert "out of memory" in (tmp_path / "site/toy/both/13.html").read_text()
    assert check_site(tmp_path / "site") == []
    quiet = shell("build", "toy.yaml", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (1, "", f"atlas: {sentence}\n")

    monkeypatch.setattr(rendering, "render", REAL)
    cured = shell("build", "toy.yaml")
    assert cured.code == 0
    assert "1 pictures rendered, 4 were cached" in cured.out
    assert "out of memory" not in (tmp_path / "site/toy/both/13.html").read_text()


def test_a_failed_channel_in_json(shell, config, broken):
    said = shell("build", "toy.yaml", "--json")
    assert said.code == 1
    [failed] = json.loads(said.lines[-1])["failed"]
    assert (failed["channel"], failed["error"]) == (13, "RuntimeError: out of memory")


def test_limit_keeps_the_first_channels_of_each_layer(shell, config, tmp_path):
    assert shell("build", "toy.yaml", "--limit", 1).lines[-2] == "2 pictures rendered, 0 were cached"
    pages = {name for name in files(tmp_path / "site/toy") if re.fullmatch(r"(\w+/)?(index|[0-9]+).html", name)}
    assert pages - {"404.html"} == {"index.html", "first/index.html", "first/0.html", "both/index.html", "both/0.html"}


def test_folders_are_those_of_the_options(shell, config, tmp_path):
    shell("build", "toy.yaml", "--limit", 1, "--store", "kept", "--output", "out/mine")
    assert (tmp_path / "kept").is_dir()
    assert not (tmp_path / ".atlas").exists()
    assert not (tmp_path / "site").exists()
    assert {"index.html", "mine/index.html"} <= files(tmp_path / "out")


def test_random_weights_go_to_a_folder_of_their_own_and_the_pages_say_so(shell, config, tmp_path):
    own = shell("build", "toy.yaml", "--limit", 1)
    said = shell("build", "toy.yaml", "--limit", 1, "--weights", "random:7")
    assert own.code == said.code == 0
    assert said.lines[-1] == "site: site/toy-random/index.html"
    assert said.lines[-2] == "2 pictures rendered, 0 were cached"
    for page in (tmp_path / "site/toy-random").rglob("*.html"):
        text = page.read_text()
        assert "Random weights (seed 7): nothing here was learned." in text, page
        assert "microscope.openai.com" not in text, page
    manifest = json.loads((tmp_path / "site/toy-random/manifest.json").read_text())
    assert (manifest["weights"]["kind"], manifest["weights"]["seed"]) == ("random", 7)
    assert "Random weights" not in (tmp_path / "site/toy/first/0.html").read_text()
    assert {"toy/index.html", "toy-random/index.html"} <= files(tmp_path / "site")


def test_a_known_network_with_random_weights_runs_end_to_end(shell, tmp_path):
    text = (resource("configs") / "vgg19.yaml").read_text()
    text = text.replace("size: auto, steps: 128", "size: 32, steps: 2").replace("block?_conv?", "block1_conv?")
    (tmp_path / "vgg19.yaml").write_text(text + "compute: {backend: sequential}\n")
    said = shell("build", "vgg19.yaml", "--weights", "random", "--limit", 2)
    assert (said.code, said.err) == (0, "")
    assert said.lines[-2:] == ["4 pictures rendered, 0 were cached", "site: site/vgg19-random/index.html"]
    assert check_site(tmp_path / "site") == []


@pytest.mark.parametrize("name", ["vgg19", "inceptionv3"])
def test_without_a_network_the_download_is_one_sentence_and_nothing_is_written(shell, tmp_path, name):
    said = shell("build", resource("configs") / f"{name}.yaml")
    assert (said.code, said.out) == (2, "")
    sentence = said.err.splitlines()[-1]
    assert sentence.startswith(f"atlas: expected the ImageNet weights of {name} in {tmp_path}/keras/models")
    assert "fetch https://storage.googleapis.com/" in sentence
    assert "by hand and put it into" in sentence
    assert ("weights: embedded" in sentence) == (name == "inceptionv3")
    assert [line for line in said.err.splitlines()[:-1] if not line.startswith("Downloading data from")] == []
    assert files(tmp_path) == set()


def test_ctrl_c_while_rendering_says_what_is_kept(shell, config, monkeypatch):
    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "run", interrupted)
    sentence = "interrupted: 0 of 5 pictures are kept; build again to go on"
    said = shell("build", "toy.yaml")
    assert (said.code, said.out, said.err) == (130, "", f"atlas: {sentence}\n")
    said = shell("build", "toy.yaml", "--json")
    assert (said.code, json.loads(said.out)) == (130, {"event": "notice", "text": sentence})


def test_ctrl_c_while_pages_are_written_says_what_is_kept_and_at_any_other_time_is_one_word(shell, config, monkeypatch):
    def interrupted(*given, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "write_atlas", interrupted)
    said = shell("build", "toy.yaml", "--quiet")
    assert (said.code, said.out) == (130, "")
    assert said.err == "atlas: interrupted: 5 of 5 pictures are kept; build again to go on\n"
    said = shell("site", "toy.yaml", "--quiet")
    assert (said.code, said.out, said.err) == (130, "", "atlas: interrupted\n")


def test_a_folder_that_is_not_ours_is_one_sentence_before_anything_is_rendered(shell, config, tmp_path):
    (tmp_path / "site/toy").mkdir(parents=True)
    (tmp_path / "site/toy/thesis.txt").write_text("mine")
    said = shell("build", "toy.yaml")
    assert said.code == 2
    assert said.err.startswith("atlas: site/toy: expected a new or empty folder, or an atlas")
    assert len(said.err.splitlines()) == 1
    assert files(tmp_path / "site") == {"toy/thesis.txt"}
    assert not (tmp_path / ".atlas").exists()


def test_pictures_that_are_made_again_reach_the_site(shell, config, tmp_path):
    text = config.read_text()
    config.write_text(text + "record: []\n")
    assert shell("build", "toy.yaml", "--limit", 1).code == 0
    page = tmp_path / "site/toy/first/0.html"
    assert "Score at each step" not in page.read_text()
    config.write_text(text)
    said = shell("build", "toy.yaml", "--limit", 1)
    assert "0 were cached" in said.out
    assert "Score at each step" in page.read_text()


def test_every_problem_of_a_configuration_in_one_go(shell, config):
    config.write_text(config.read_text().replace("both", "bothe").replace("title: Toy", "titel: Toy"))
    said = shell("build", "toy.yaml")
    assert (said.code, said.out) == (2, "")
    first, second = said.err.splitlines()
    assert first.startswith("toy.yaml:2:1: ")
    assert "did you mean title?" in first
    assert second.startswith("toy.yaml:7:6: ")
    assert "did you mean both?" in second


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "quikstart",
            "atlas: quikstart: expected a YAML file or one of inceptionv3, inceptionv3-first-look, photos, quickstart",
        ),
        ("no.yaml", "atlas: no.yaml: expected a configuration file, received a path where there is none"),
        (
            ".",
            "atlas: .: expected a YAML file or one of inceptionv3, inceptionv3-first-look, photos, quickstart",
        ),
    ],
)
def test_a_configuration_that_is_not_there(shell, name, sentence):
    said = shell("build", name)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(sentence)
    assert len(said.err.splitlines()) == 1


def test_an_option_that_does_not_exist_is_refused(shell, config):
    said = shell("build", "toy.yaml", "--stpes", 3)
    assert said.code == 2
    assert "--stpes" in said.err


def test_images_that_cannot_be_shown_are_named_and_the_build_goes_on(shell, config, tmp_path):
    folder = tmp_path / "photos"
    (folder / "dogs").mkdir(parents=True)
    for number in range(3):
        Image.fromarray(np.full((30, 40, 3), 80 * number, np.uint8)).save(folder / "dogs" / f"{number}.png")
    (folder / "dogs" / "no.jpg").write_text("no image")
    config.write_text(config.read_text() + "probes: {images: photos, size: 32}\n")
    said = shell("build", "toy.yaml")
    assert (said.code, said.err) == (0, "")
    assert (
        "skipped: dogs/no.jpg: expected an image, received a file that is no JPEG, PNG, WebP, GIF, TIFF or BMP image"
        in said.lines
    )
    done = json.loads(shell("build", "toy.yaml", "--json").lines[-1])
    assert done["skipped"] == {"dogs/no.jpg": "a file that is no JPEG, PNG, WebP, GIF, TIFF or BMP image"}
    assert done["not_found_out"] == {}
    for number in range(30):
        (folder / f"{number}.png").write_bytes(b"")
    said = shell("build", "toy.yaml")
    skipped = [line for line in said.lines if line.startswith("skipped:")]
    assert (said.code, len(skipped)) == (0, 21)
    assert skipped[-1] == "skipped: 11 more images; --json names all of them"


def other(config, name, title):
    """The same configuration under another name and title, for the folder site/toy."""
    path = config.with_name(name)
    path.write_text(config.read_text().replace("title: Toy", f"title: {title}") + "output: site/toy\n")
    return name


def test_the_folder_of_another_atlas_is_not_written_over(shell, config, tmp_path):
    assert shell("build", "toy.yaml", "--limit", 1).code == 0
    before = files(tmp_path / "site"), (tmp_path / "site/toy/index.html").read_bytes()
    record = (tmp_path / ".atlas/v1/atlases/toy.json").read_bytes()
    name = other(config, "second.yaml", "Another")
    for command, limit in (("build", 1), ("build", 2), ("site", 1)):
        said = shell(command, name, "--limit", limit, "--quiet")
        assert (said.code, said.out) == (2, "")
        assert said.err == (
            "atlas: site/toy: expected a folder for 'Another', received that of 'Toy', which toy.yaml made; write "
            "another folder as output in second.yaml, or delete this one if it may go\n"
        )
    assert before == (files(tmp_path / "site"), (tmp_path / "site/toy/index.html").read_bytes())
    assert record == (tmp_path / ".atlas/v1/atlases/toy.json").read_bytes()
    assert len(list((tmp_path / ".atlas/v1/entries").rglob("*.safetensors"))) >= 2
    assert shell("build", name, "--limit", 1, "--output", "site/second").code == 0


def test_an_atlas_may_get_another_title_or_its_file_another_name(shell, config, tmp_path):
    assert shell("build", "toy.yaml", "--limit", 1).code == 0
    config.write_text(config.read_text().replace("title: Toy", "title: New"))
    assert shell("build", "toy.yaml", "--limit", 1).code == 0
    said = shell("build", other(config, "moved.yaml", "New"), "--limit", 1)
    assert (said.code, said.lines[-1]) == (0, "site: site/toy/index.html (unchanged)")
    text = (tmp_path / "moved.yaml").read_text()
    (tmp_path / "moved.yaml").write_text(text.replace("title: New", "title: Newer"))
    assert shell("build", "moved.yaml", "--limit", 1).code == 0
    assert "Newer" in (tmp_path / "site/toy/index.html").read_text()


def test_a_folder_of_an_earlier_version_is_taken(shell, config, tmp_path):
    assert shell("build", "toy.yaml", "--limit", 1).code == 0
    listed = tmp_path / "site/toy/_/files.json"
    known = json.loads(listed.read_bytes())
    assert known["of"] == ["toy.yaml", "Toy"]
    sizes = {name: size for name, (size, _, _) in known["files"].items()}
    listed.write_text(json.dumps({"format": 1, "inputs": known["inputs"], "files": sizes}))
    (tmp_path / "site/toy/_/files.copy.json").unlink()
    assert shell("build", other(config, "second.yaml", "Another"), "--limit", 1).code == 0


def test_what_was_changed_in_a_site_is_said_and_what_is_no_build_s_stays(shell, config, tmp_path):
    assert shell("build", "toy.yaml").code == 0
    page, mine = tmp_path / "site/toy/first/0.html", tmp_path / "site/toy/first/2.html"
    whole = page.read_bytes()
    page.write_bytes(bytes(len(whole)))
    mine.write_text("mine")
    said = shell("check", "site")
    assert said.code == 1
    assert "toy/first/0.html: is not as a build wrote it: damaged, or changed since; build again" in said.lines
    said = shell("site", "toy.yaml", "--limit", 1)
    assert said.code == 0
    assert "changed since a build wrote them, and written again: first/0.html" in said.lines
    assert "no longer wanted, but not what a build wrote, and so left alone: first/2.html" in said.lines
    assert mine.read_text() == "mine"
    mine.rename(tmp_path / "mine.html")
    done = json.loads(shell("build", "toy.yaml", "--json").lines[-1])
    assert (done["mended"], done["left_alone"], page.read_bytes()) == ([], [], whole)


def test_two_outputs_of_one_name_have_records_of_their_own(shell, config, tmp_path):
    assert shell("build", "toy.yaml", "--output", "a/site/toy", "--limit", 1).code == 0
    assert shell("build", "toy.yaml", "--output", "b/site/toy", "--limit", 2).code == 0
    records = {path: path.read_bytes() for path in (tmp_path / ".atlas/v1/atlases").iterdir()}
    assert len(records) == 2
    for place, limit in (("a", 1), ("b", 2)):
        said = shell("build", "toy.yaml", "--output", f"{place}/site/toy", "--limit", limit)
        assert (said.code, said.lines[-1]) == (0, f"site: {place}/site/toy/index.html (unchanged)")
    assert records == {path: path.read_bytes() for path in (tmp_path / ".atlas/v1/atlases").iterdir()}
    rows = [json.loads(line) for line in shell("store", "ls", "--json").lines]
    assert [row["entries"] for row in rows if row["atlas"].startswith("toy")] != [0, 0]
