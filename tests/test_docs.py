"""Documents that cannot rot: what they show is what the program does."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from atlas.spec.config import Compute, Config
from atlas.spec.load import check_request
from atlas.spec.recipe import Recipe
from atlas.spec.recipes import RECIPES
from tests.scripts import script
from tests.spec.conftest import CATALOG
from tests.test_house import MAY_IMPORT

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_page_of_commands_is_the_program_s():
    module = script("command_docs")
    assert module.PAGE.read_text() == module.page(), "run python scripts/command_docs.py"


def test_the_tables_of_the_page_of_configurations_are_the_program_s():
    module = script("config_docs")
    text = module.PAGE.read_text()
    assert text == module.page(text), "run python scripts/config_docs.py"
    held = {name for name in Config.model_json_schema()["$defs"] if name != "JsonValue"}
    assert set(re.findall("^<!-- keys of (.+) -->$", text, re.MULTILINE)) == {"Config", "Note", *held}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) == set(module.SECTIONS.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_documents_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-").replace("'", "") for heading in headings}, target


def test_documents_have_the_colours_and_type_of_an_atlas():
    def values(path):
        return set(re.findall(r"--(?:paper|ink|soft|hair|line|well|accent|serif): [^;]+;", (ROOT / path).read_text()))

    assert values("docs/style.css") == values("templates/static/style/1-ground.css")


def test_every_key_is_documented():
    configuration = (ROOT / "docs" / "configuration.md").read_text()
    for key in [*Config.model_fields, *Compute.model_fields]:
        assert f"`{key}`" in configuration, key
    recipes = (ROOT / "docs" / "recipes.md").read_text()
    for key in [*Recipe.model_fields, *RECIPES]:
        assert f"`{key}`" in recipes, key
    for slot in RECIPES.values():
        for part in (slot.parameterization, *slot.terms, slot.optimizer, *slot.transforms):
            for key in type(part).model_fields:
                assert re.search(rf"\b{key}\b", recipes), key


def test_every_part_of_a_channel_s_page_and_every_word_of_the_glossary_is_read():
    text = (ROOT / "docs" / "reading.md").read_text()
    parts = [(ROOT / "templates" / f"{name}.html").read_text() for name in ("channel", "images", "classes")]
    headings = re.findall(r"<h2[^>]*>([A-Z][a-z ]+)</h2>", "".join(parts))
    assert len(headings) > 8
    assert set(headings) <= set(re.findall("^## (.+)$", text, re.MULTILINE))
    words = re.findall(r"<dt id=[^>]+>([^<]+)", (ROOT / "templates" / "glossary.html").read_text())
    assert len(words) > 10
    assert [word for word in words if not re.search(rf"\b{word}(es)?\b", text, re.IGNORECASE)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_configuration_shown_is_sound(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("lucid").mkdir()  # pictures by others, that one page speaks of
    shown = re.findall(r"```yaml\n(.+?)```", page.read_text(), re.DOTALL)
    for text in shown:
        data = yaml.safe_load(text)
        if not str(data.get("network", "")).endswith(".keras"):
            assert check_request(data, CATALOG).layers
    assert shown or page.name not in ("README.md", "configuration.md", "channels.md")


def test_the_documents_make_a_site_that_asks_no_other_host(tmp_path):
    """Built with warnings as errors: dead links and anchors, and documents that the navigation leaves out."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "built")]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for document in (ROOT / "docs").glob("*.md"):
        page = (tmp_path / "built" / f"{document.stem}.html").read_text()
        asked = re.findall(r"<(?:script|img|iframe)[^>]+src=\"([^\"]+)|<link[^>]+href=\"([^\"]+)", page)
        assert [one for one in map("".join, asked) if re.match(r"(https?:)?//", one)] == []
    assert "fonts.g" not in page


def test_the_rooms_are_those_of_the_house():
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = re.findall(r"^\| `atlas/(\w+)` \|[^|]+\| ([^|]+) \|$", text, re.MULTILINE)
    told = {name: set(said.split(", ")) for name, said in rooms}
    assert told == {name: allowed for name, allowed in MAY_IMPORT.items() if name not in ("ground", "front")}


@pytest.mark.parametrize("name", ["architecture", "extending"])
def test_files_and_names_that_documents_speak_of_are_there(name):
    codes = re.findall(r"`([^`\n]+)`", (ROOT / "docs" / f"{name}.md").read_text())
    paths = [code for code in codes if re.fullmatch(r"[\w/]+/[\w.]*\.(py|html|json)", code)]
    assert len(paths) > 10
    assert [path for path in paths if not any((ROOT / top / path).exists() for top in ("", "atlas"))] == []
    words = {word for path in [*ROOT.glob("atlas/**/*.py"), *ROOT.glob("tests/**/*.py")] for word in _words(path)}
    names = [code for code in codes if re.fullmatch(r"[A-Za-z_][\w.]*", code) and not (ROOT / "docs" / code).exists()]
    named = [one for one in names if not re.search(r"\.(py|html|md|keras)$|^\.", one)]
    assert [one for one in named if not set(one.split(".")) <= words] == []


def _words(path):
    return re.findall(r"\w+", path.read_text())
