"""The rules of the house, read from the sources: imports run one way, TensorFlow comes late, all is documented."""

import ast
import fnmatch
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import atlas
from atlas.cli import app

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "atlas"
MODULES = sorted(PACKAGE.rglob("*.py"))

GROUND = {
    "activations",
    "errors",
    "canonical",
    "content",
    "files",
    "memory",
    "microscope",
    "processes",
    "processor",
    "resources",
    "runtime",
}
MAY_IMPORT = {
    "ground": set(),
    "images": {"ground"},
    "spec": {"ground", "images"},
    "networks": {"ground", "spec"},
    "ascent": {"ground", "images", "spec", "networks"},
    "store": {"ground"},
    "probes": {"ground", "images", "spec", "networks", "ascent"},
    "api": {"ground", "images", "spec", "networks", "ascent", "probes"},
    "front": {"api"},  # the package itself, whose functions are those of api
    "engine": {"ground", "images", "spec", "networks", "ascent", "probes", "store"},
    "pages": {"ground", "store"},
    "cli": {"ground", "images", "spec", "networks", "ascent", "probes", "store", "engine", "pages", "api"},
}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in MODULES}


def part_of(module: str) -> str:
    """The part of the house that a module belongs to: ``atlas.spec.plan`` to spec, ``atlas`` itself to the ground."""
    first = module.split(".")[1] if "." in module else ""
    if first in GROUND or not first:
        return "ground"
    return "cli" if first == "__main__" else first


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that a source imports, at its top, in functions and for types only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            within = [f"{module}.{alias.name}" for alias in node.names]
            yield from (name if name in NAMES else module for name in within)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_run_one_way(path):
    own = "front" if name_of(path) == "atlas" else part_of(name_of(path))
    for module in imported(ast.parse(path.read_text())):
        if module.split(".")[0] == "atlas":
            assert module in NAMES, module
            assert part_of(module) in MAY_IMPORT[own] | {own}, f"{name_of(path)} imports {module}"


def test_every_part_has_its_place():
    assert {part_of(name) for name in NAMES} == set(MAY_IMPORT) - {"front"}


def test_the_test_of_imports_sees_every_kind_of_import():
    source = """
import atlas.errors
from atlas import cli
from atlas.spec import plan as p
from atlas.store.entry import Entry
if TYPE_CHECKING:
    from atlas.engine.run import run
def f():
    import atlas.pages.write
"""
    assert set(imported(ast.parse(source))) == {
        "atlas.errors",
        "atlas.cli",
        "atlas.spec.plan",
        "atlas.store.entry",
        "atlas.engine.run",
        "atlas.pages.write",
    }


def test_tensorflow_comes_late():
    late = {"atlas.ascent", "atlas.networks", "atlas.api"}  # and of networks only these at once:
    soon = {"atlas.networks", "atlas.networks.catalog", "atlas.networks.weights"}
    modules = sorted(
        name for name in NAMES - {"atlas.__main__"} if name in soon or not any(name.startswith(part) for part in late)
    )
    assert len(modules) > 30
    code = f"""
import importlib, sys
for name in {modules}:
    importlib.import_module(name)
    assert not {{"tensorflow", "keras"}} & set(sys.modules), name
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.clock
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_come_at_once(option):
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        run = subprocess.run([sys.executable, "-m", "atlas", option], capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - began)
    for command in ("build", "plan", "layers", "show", "serve", "check", "schema") if option == "--help" else ():
        assert f"  {command} " in run.stdout
    assert min(seconds) < 0.5


def test_the_plan_of_a_known_network_needs_no_tensorflow(tmp_path):
    code = """
import sys
from atlas.cli import main
sys.argv = ["atlas", "plan", "quickstart"]
try:
    main()
finally:
    print("tensorflow" in sys.modules, "keras" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "36 pictures, 0 cached, 36 to render" in run.stdout
    assert run.stdout.splitlines()[-1] == "False False"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_are_short_and_only_the_command_line_prints_and_exits(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    printing = part_of(name_of(path)) == "cli" or name_of(path) == "atlas.networks.apart"  # for another process
    for node in ast.walk(ast.parse(text)):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}: assert"
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), f"line {node.lineno}: bare except"
        if isinstance(node, ast.Call) and not printing:
            called = ast.unparse(node.func)
            assert called not in ("print", "exit", "quit", "sys.exit", "SystemExit", "typer.echo"), (
                f"line {node.lineno}"
            )


def documents() -> str:
    return "\n".join(path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))])


COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name):
    text = documents()
    assert f"atlas {name}" in text
    for parameter in COMMANDS[name].params:
        for option in parameter.opts:
            if option.startswith("--"):
                assert re.search(rf"{option}\b", text), option
        assert getattr(parameter, "help", "") or parameter.param_type_name == "argument", parameter.name


def test_documented_options_exist():
    text = documents()
    for name, arguments in re.findall(r"\batlas ([a-z]+)((?: +[^\n`|]*)?)", text):
        if name in COMMANDS:
            known = {option for parameter in COMMANDS[name].params for option in parameter.opts} | {"--help"}
            used = set(re.findall(r"(?<!\S)--[a-z][a-z-]*", arguments.split("&&")[0]))
            assert used <= known, f"atlas {name}{arguments}"


def sources() -> list[Path]:
    """Every file of the checkout that git would keep."""
    patterns = [line.strip().rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line.strip()]

    def ignored(name: str) -> bool:
        return any(fnmatch.fnmatch(name, pattern) for pattern in [*patterns, ".git"])

    kept = []
    for folder, folders, names in os.walk(ROOT):
        shelf = Path(folder) == ROOT / "site"  # where atlases are built
        folders[:] = [name for name in folders if not shelf and not ignored(name)]
        names = {"README.md", ".gitignore"}.intersection(names) if shelf else names
        kept += [Path(folder) / name for name in names if not ignored(name)]
    return kept


def test_no_file_is_large_but_the_weights():
    large = [path.relative_to(ROOT).as_posix() for path in sources() if path.stat().st_size > 1_000_000]
    assert sorted(large) == [
        "atlas/networks/embedded/inceptionv3_mixed4.safetensors",
        "atlas/networks/embedded/vgg16.safetensors",
    ]


def test_the_checkout_stands_alone():
    outside = "../" + "shared"
    for path in sources():
        assert outside.encode() not in path.read_bytes(), path


def test_the_version_has_three_numbers():
    assert re.fullmatch(r"\d+\.\d+\.\d+", atlas.__version__)
