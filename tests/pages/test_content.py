"""What the pages say: states, weights, links, and that no string can become markup."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from atlas.pages.check import check_site
from atlas.pages.write import write_atlas
from atlas.store.store import Store
from tests.pages.synthetic import OUTLINE, picture

Make = Callable[..., dict[str, Any]]
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;{{ 7*7 }}</pre></svg>"


def said(path: Path) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", path.read_text())).split())


@pytest.mark.parametrize(
    ("channel", "state", "words"),
    [
        (1, "activated", "The picture excites the channel: positive somewhere, and its mean activation is above"),
        (5, "dead", "No start activated the channel, whatever its seed"),
        (6, "failed", "This picture could not be made: the score became NaN at step 12; try a smaller rate"),
        (7, "not yet", "The build stopped before this picture was made."),
    ],
)
def test_a_channel_page_says_what_came_of_it(site: Path, channel: int, state: str, words: str) -> None:
    page = site / "toy" / "mixed0" / f"{channel}.html"
    assert f"{state} {words}" in said(page)
    assert (f'src="{channel}.webp"' in page.read_text()) == (channel in (1, 5))
    assert (f'src="../_/thumbs/mixed0/{channel}.webp"' in (page.parent / "index.html").read_text()) == (
        channel in (1, 5)
    )


def test_a_channel_page_says_how_its_picture_was_made(site: Path) -> None:
    text = said(site / "toy" / "mixed2" / "1.html")
    assert "Branch 1x1 0–63" in text
    assert "Each neuron sees 127 px of 299" in text
    assert "Try" not in text
    assert "at the start 0.012 on plain grey 0 on this picture" in text
    assert "Score the channel’s mean activation" in text
    assert "parameterization: name: fourier power: 1.25 decorrelate: true" in text
    assert "objective: name: channel weight: -1" in text
    assert 'aria-label="Score at each step, from 1 to 64' in (site / "toy" / "mixed2" / "1.html").read_text()
    assert '<svg class="plot"' not in (site / "toy" / "mixed2" / "3.html").read_text()  # no trace was recorded


def test_the_ends_of_a_layer_have_one_neighbour(site: Path) -> None:
    first, last = ((site / "toy" / "mixed0" / f"{n}.html").read_text() for n in (0, 15))
    assert 'rel="prev"' not in first
    assert '<link rel="next" href="1.html">' in first
    assert '<link rel="prev" href="14.html">' in last
    assert 'rel="next"' not in last


def test_the_layer_page_marks_what_went_wrong(site: Path) -> None:
    text = said(site / "toy" / "mixed0" / "index.html")
    assert "Exceptions 1 dead, 1 failed, 1 not yet rendered" in text
    assert "5 dead 6 failed 7 not yet 8" in text


def test_the_home_page_draws_the_network_from_input_to_output(site: Path) -> None:
    page = (site / "toy" / "index.html").read_text()
    svg = ElementTree.fromstring(page[page.index('<svg class="network') : page.index("</svg>\n</div>") + 6])
    titles = [title.text or "" for title in svg.iter("title")]
    assert [title.split(":")[0] for title in titles] == [row[0] for row in OUTLINE]
    assert titles[0] == "stem1: 32 channels, 150 × 150 neurons each, not in this atlas"
    links = {link.get("href"): link for link in svg.iter("a")}
    assert list(links) == ["mixed0/index.html", "mixed2/index.html"]
    assert len(list(links["mixed2/index.html"].iter("rect"))) == 1 + 4  # the room of it, and a slab for each branch
    text = said(site / "toy" / "index.html")
    assert "26 channels in 2 layers of InceptionV3" in text
    assert "ImageNet, input to mixed4, 8 bit" in text


@pytest.mark.parametrize("layers", [39, 70])
def test_a_network_of_any_depth_is_drawn(make_atlas: Make, store: Store, tmp_path: Path, layers: int) -> None:
    """With many layers, as DenseNet201 has, none has a thumbnail, and a channel's page draws its neighbours."""
    record = make_atlas(store, layers={"mixed0": 1}, recipes=("main",), distinct=1, side=8)
    [given] = record["layers"]
    row = next(row for row in record["outline"] if row["name"] == "mixed0")
    record["outline"] = [{**row, "name": f"layer{number}"} for number in range(layers)]
    record["layers"] = [{**given, "name": f"layer{number}", "found": {}} for number in range(layers)]
    write_atlas(record, store, tmp_path / "out")
    assert (tmp_path / "out/_/drawing.webp").is_file() == (layers <= 40)
    home, channel = (
        (tmp_path / "out" / name).read_text().count("</title>") - 1 for name in ("index.html", "layer30/0.html")
    )
    assert (home, channel) == (layers, min(layers, 60))
    assert check_site(tmp_path / "out") == []


def test_a_channel_that_is_another_s_copy_leads_there(make_atlas: Make, store: Store, tmp_path: Path) -> None:
    record = make_atlas(store, layers={"mixed0": 4, "mixed2": 228}, recipes=("main",), distinct=2, side=8)
    copying = record["layers"][1]
    copying |= {"channels_shown": copying["channels_shown"][220:], "found": {}}
    write_atlas(record, store, tmp_path / "out")
    page = tmp_path / "out" / "mixed2" / "226.html"
    assert '<a href="../mixed0/2.html">mixed0 2</a>' in page.read_text()
    assert "The same channel as mixed0 2 , whose values this layer takes over." in said(page)
    assert "The same channel as" not in said(tmp_path / "out" / "mixed2" / "223.html")
    assert check_site(tmp_path / "out") == []


def test_notes_stand_on_pages_and_in_what_search_reads(make_atlas: Make, store: Store, tmp_path: Path) -> None:
    notes = {"mixed0": {"3": {"name": "zigzags", "text": "as mixed2 4"}, "4": {"text": "only a remark"}}}
    write_atlas(make_atlas(store, distinct=2, side=8, notes=notes), store, tmp_path / "out")
    assert "zigzags as mixed2 4" in said(tmp_path / "out" / "mixed0" / "3.html")
    assert "<title>mixed0 3, zigzags · " in (tmp_path / "out" / "mixed0" / "3.html").read_text()
    assert "only a remark" in said(tmp_path / "out" / "mixed0" / "4.html")
    assert '"3":["zigzags","as mixed2 4"]' in (tmp_path / "out" / "_" / "search.js").read_text()


def test_frames_maps_opacity_and_repeats_stand_beside_the_picture(
    make_atlas: Make, store: Store, tmp_path: Path
) -> None:
    record = make_atlas(store, layers={"mixed0": 2}, recipes=("main",), distinct=2, side=16)
    rendering = record["layers"][0]["channels_shown"][1]["renderings"]["main"]
    entry = store.get(rendering["key"])
    sheet = np.frombuffer(picture(1, 32), np.uint8)
    maps = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    more = {"frames": sheet, "maps": maps, "repeat-1": np.frombuffer(picture(5, 16), np.uint8)}
    more["opacity"] = np.repeat(np.arange(0, 256, 16, dtype=np.uint8)[:, None], 16, axis=1)  # from nothing downwards
    record["layers"][0]["recipes"]["main"]["repeats"] = 2
    described = {**entry.record, "frames": {"every": 4, "steps": list(range(0, 60, 4)), "columns": 8}}
    made = type(entry)(entry.key, described, entry.picture, {**entry.artefacts, **more})
    store.put(made)
    other = store.get(record["layers"][0]["channels_shown"][0]["renderings"]["main"]["key"])
    store.put(type(other)(other.key, other.record, other.picture, {**other.artefacts, "repeat-1": more["repeat-1"]}))
    write_atlas(record, store, tmp_path / "out")
    page = (tmp_path / "out" / "mixed0" / "1.html").read_text()
    steps = " ".join(str(step) for step in [*range(0, 60, 4), 64])
    assert f'data-steps="{steps}" data-columns="8" data-src="1._frames.webp"' in page
    assert (tmp_path / "out/mixed0/1._frames.webp").read_bytes() == sheet.tobytes()
    assert "before the ascent, and on the picture, from 0 (dark) to 17.0" in said(tmp_path / "out/mixed0/1.html")
    assert 'src="1._1.webp"' in page
    assert 'src="1._opacity.webp"' in page
    plain, clear = (Image.open(tmp_path / f"out/mixed0/1.{name}webp") for name in ("", "_opacity."))
    shown = np.asarray(clear.convert("RGBA"), int)
    np.testing.assert_allclose(shown[4:-4, :, 3], more["opacity"][4:-4], atol=3)
    light = [np.asarray(one.convert("L"), int)[8:] for one in (plain, clear.convert("RGB"))]
    assert np.abs(light[0] - light[1]).mean() < 8  # the picture is of random colours
    described = json.loads((tmp_path / "out/mixed0/1.json").read_text())["renderings"]["main"]
    assert described["opacity"] == "mixed0/1._opacity.webp"
    assert "_opacity" not in (tmp_path / "out" / "mixed0" / "0.html").read_text()
    assert check_site(tmp_path / "out") == []


def test_the_configuration_of_one_picture_makes_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever builds what a channel's page says gets the very same picture: the same job, under the same key."""
    from atlas.engine.record import atlas_record
    from atlas.engine.run import Outcome
    from atlas.pages.picture_config import PictureConfigs, recipe_text
    from atlas.pages.read import read_atlas
    from atlas.spec.load import load_request
    from atlas.spec.plan import make_plan
    from tests.spec.conftest import CATALOG

    given = tmp_path / "given.yaml"
    given.write_text(
        "network: inceptionv3\nweights: embedded\nlayers: [{name: mixed2, channels: '3,40'}]\nrecipes:\n"
        "  main: {steps: 16, settle: null, transforms: [{name: shift, pixels: 4}]}\n"
        "  dream: {base: deepdream}\n  negative: {objective: {weight: -1}, parameterization: {contrast: 0.2}}\n"
        "  tutorial: {base: tutorial}\n  old: {base: lucid, seed: 7}\n  flat: {parameterization: {contrast: null}}\n"
        "  like: {base: caricature, objective: {photo: photo.png}}\n"
    )
    Image.new("RGB", (9, 9)).save(tmp_path / "photo.png")
    request = load_request(given, {}, CATALOG)
    plan = make_plan(request, "sha256:0")
    weights = {"kind": "embedded", "digest": "sha256:0", "description": "", "licence": "", "seed": 0}
    record = atlas_record(request, weights, plan, Outcome())
    assert str(tmp_path) not in json.dumps(record)
    atlas = read_atlas(record)
    assert "photo: photo.png" in recipe_text(atlas.layers[0].recipes["like"])
    configs = PictureConfigs(atlas, atlas.layers[0])
    for group, job in plan.jobs():
        one = tmp_path / "one.yaml"
        one.write_text(configs.of(group.recipe_name, job.channel))
        if group.recipe.whole:
            continue
        again = make_plan(load_request(one, {}, CATALOG), "sha256:0")
        assert [found.key for _, found in again.jobs()] == [job.key]


def test_random_weights_are_said_on_every_page(site: Path) -> None:
    pages = sorted((site / "random").rglob("*.html"))
    assert len(pages) == 15
    for page in pages:
        assert "Random weights (seed 7): nothing here was learned." in said(page)
    assert "Random weights" not in said(site / "toy" / "index.html")


@pytest.mark.parametrize(
    ("name", "badge", "caveat"),
    [
        ("toy/mixed2", "same order, by test", "Same channel order there, but not known to be the same weights"),
        ("random/mixed0", "other weights: do not compare", "Other weights there, so another channel"),
    ],
)
def test_the_link_to_microscope_says_how_far_it_is_the_same_and_that_it_may_be_offline(
    site: Path, name: str, badge: str, caveat: str
) -> None:
    page = site / name / "1.html"
    assert 'href="https://microscope.openai.com/models/inceptionv3_slim/' in page.read_text()
    assert f"JSON OpenAI Microscope {badge} Microscope is an outside service, possibly offline. {caveat}" in said(page)
    assert "OpenAI Microscope" not in said(site / "random/predictions/1.html") + said(site / name / "../_/about.html")


def test_of_a_network_whose_layers_are_not_certain_there_only_the_about_page_links_to_microscope(
    make_atlas: Make, store: Store, tmp_path: Path
) -> None:
    record = make_atlas(store, layers={"mixed0": 2}, recipes=("main",), weights="imagenet", distinct=1, side=8)
    record["network"] |= {"id": "resnet50v2"}
    write_atlas(record, store, tmp_path / "out")
    [page] = [page for page in (tmp_path / "out").rglob("*.html") if "microscope.openai.com" in page.read_text()]
    assert page == tmp_path / "out/_/about.html"
    assert 'href="https://microscope.openai.com/models/resnetv2_50_slim"' in page.read_text()
    assert (
        "OpenAI Microscope, an outside service and possibly offline, shows this architecture . Which of its layers is "
        "which of those here is not certain, so no channel links to one there." in said(page)
    )
    assert check_site(tmp_path / "out") == []


def test_no_string_becomes_markup(make_atlas: Make, store: Store, tmp_path: Path) -> None:
    record = make_atlas(store, distinct=2, side=8)
    record["title"] = EVIL
    record["network"] |= {"title": EVIL, "paper": f'{EVIL}, https://example.org/"onclick=x', "note": EVIL}
    record["weights"] |= {"description": EVIL, "licence": EVIL}
    record["site"]["footer"] = EVIL
    record["outline"][0]["name"] = EVIL
    for layer in record["layers"]:
        layer["kind"] = EVIL
        layer["branches"] = [{"name": EVIL, "first": 0, "last": 3, "copies": EVIL}]
        layer["notes"] = {"1": {"name": EVIL, "text": EVIL}}
        layer["recipes"]["main"] = {"objective": {"name": EVIL, "sign": 1}, EVIL: EVIL}
        layer["channels_shown"][6]["renderings"]["main"]["error"] = EVIL
    write_atlas(record, store, tmp_path / "out")
    assert check_site(tmp_path / "out") == []
    for page in (tmp_path / "out").rglob("*.html"):
        text = page.read_text()
        assert "<script>" not in text
        assert "<img src=x" not in text
        assert EVIL in unescape(text)
    for script in (tmp_path / "out" / "_").rglob("*.js"):
        assert "\u2028" not in script.read_text()


@pytest.mark.parametrize(
    ("activation", "state", "sentence"),
    [
        ("relu", "activated", "positive somewhere, and its mean activation is above"),
        ("silu", "activated", "positive somewhere, and the mean positive part of the pre-activation is above"),
        ("tanh", "activated", "positive somewhere, and the mean pre-activation is above"),
        ("softmax", "activated", "positive somewhere, and the mean logarithm of its own output is above"),
        ("silu", "dead", "No start activated the channel"),
        ("", "raised", "The picture raises the channel: its mean is above"),
        ("", "unraised", "No start raised the channel above"),
        ("", "activated", "The picture was made."),  # an older record
        ("relu", "made", "The picture was made."),
    ],
)
def test_a_page_says_what_came_of_a_channel(
    make_atlas: Make, store: Store, tmp_path: Path, activation: str, state: str, sentence: str
) -> None:
    record = make_atlas(store, layers={"mixed0": 2}, recipes=("main",), distinct=2, side=8)
    layer = record["layers"][0]
    layer["activation"], layer["relu"] = activation, activation == "relu"
    for channel in layer["channels_shown"]:
        channel["renderings"]["main"]["state"] = state
    write_atlas(record, store, tmp_path / "out")
    text = said(tmp_path / "out" / "mixed0" / "0.html")
    assert sentence in text
    assert activation or "activated" not in text.split("What excites")[0]
    assert check_site(tmp_path / "out") == []


@pytest.mark.parametrize("attempt", [0, 3, 4, 5])
def test_a_page_says_in_words_that_a_picture_is_a_last_resort(
    make_atlas: Make, store: Store, tmp_path: Path, attempt: int
) -> None:
    record = make_atlas(store, layers={"mixed0": 2}, recipes=("main",), distinct=2, side=8)
    [key] = {channel["renderings"]["main"]["key"] for channel in record["layers"][0]["channels_shown"][:1]}
    before = store.get(key)
    store.put(replace(before, record={**before.record, "attempt": attempt, "attempts": 6}))
    write_atlas(record, store, tmp_path / "out")
    text = said(tmp_path / "out" / "mixed0" / "0.html")
    assert ("The picture comes from a plain ascent on the pixels" in text) == (attempt > 3)
    assert (f"Try {attempt + 1} of at most 6" in text) == (attempt > 0)


def test_an_atlas_without_any_picture_still_stands(make_atlas: Make, store: Store, tmp_path: Path) -> None:
    record = make_atlas(store, layers={"mixed0": 8}, recipes=("main",), distinct=1, side=8)
    for channel in record["layers"][0]["channels_shown"]:
        channel["renderings"]["main"] = {"key": None, "state": "missing"}
    write_atlas(record, store, tmp_path / "out")
    assert check_site(tmp_path / "out") == []
    assert "No picture yet." in said(tmp_path / "out" / "index.html")
    assert not (tmp_path / "out" / "_" / "cover.webp").exists()


def test_pages_never_bring_in_tensorflow(site: Path) -> None:
    import subprocess
    import sys

    import atlas.pages

    names = sorted(path.stem for path in Path(atlas.pages.__file__).parent.glob("*.py"))
    assert len(names) > 15
    imports = "\n".join(f"import atlas.pages.{name}" for name in names)
    code = f"{imports}\nimport sys\nprint(sorted({{'tensorflow', 'keras'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_what_every_objective_raises_has_words() -> None:
    """None falls back on its bare name."""
    from atlas.pages.words import score_meaning
    from atlas.spec.objectives import Objective

    for kind in get_args(get_args(Objective)[0]):
        name = kind.model_fields["name"].default
        assert "what the objective" not in score_meaning({"objective": {"name": name}})
    caricature = score_meaning({"objective": {"name": "caricature", "layer": "mixed3"}})
    assert caricature == "how far the activations of mixed3 go along the photo’s own, which are at 1"
    assert score_meaning({"objective": {"name": "channel"}}, "activation", "silu") == (
        "the mean positive part of the pre-activation"
    )
    assert score_meaning({"objective": {"name": "channel"}}, "classes") == "the class’s logit"
    assert score_meaning({"objective": {"name": "channel", "weight": -1}}, "classes").startswith("minus the channel")
