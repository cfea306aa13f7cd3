"""The command line misused: one sentence each; and ``atlas --version``."""

import subprocess
import sys

import pytest
import typer

import atlas
from atlas.cli import app
from atlas.errors import AtlasError


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("bild", "expected a command of atlas, received bild; did you mean build?"),
        ("zzz", "expected a command of atlas, received zzz; see atlas --help"),
        ("store lss", "expected a command of atlas store, received lss; did you mean ls?"),
        ("--vesrion", "expected an option of atlas, received --vesrion; did you mean --version?"),
        ("build a --wieghts b", "expected an option of atlas build, received --wieghts; did you mean --weights?"),
        ("store ls --jsno", "expected an option of atlas store ls, received --jsno; did you mean --json?"),
        ("build -z", "expected an option of atlas build, received -z; see atlas build --help"),
        ("build", "CONFIG: expected this argument of atlas build, received none; see atlas build --help"),
        ("show a b", "--output: expected this option of atlas show, received none; see atlas show --help"),
        ("build a b", "expected no more arguments of atlas build, received b; see atlas build --help"),
        ("build a --limit", "--limit: expected a value, received none; see atlas --help"),
        ("build a --json=yes", "--json: expected no value, received one; see atlas --help"),
        ("build a --limit x", "--limit: expected a whole number, received x; see atlas build --help"),
        ("build a --limit x\x1b\n", "--limit: expected a whole number, received x\\x1b\\n; see atlas build --help"),
    ],
)
def test_misuse_is_one_sentence(shell, arguments, sentence):
    said = shell(*arguments.split(" "))
    assert (said.code, said.out, said.err) == (2, "", f"atlas: {sentence}\n")


def test_a_number_out_of_its_range(shell):
    said = shell("build", "a", "--limit", 0)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("atlas: --limit: expected ")
    assert said.err.endswith("1, received 0; see atlas build --help\n")


@pytest.mark.parametrize("group", [(), ("store",)])
def test_a_group_alone_shows_its_help(shell, group):
    said = shell(*group)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"Usage: {' '.join(['atlas', *group])} ")
    assert shell(*group, "--help").out.strip() == said.err.strip()


def test_the_end_of_input_at_a_question_is_one_word(shell, monkeypatch):
    def ended(*_, **__):
        raise typer.Abort

    monkeypatch.setattr("atlas.cli.site._folder", ended)
    said = shell("check")
    assert (said.code, said.out, said.err) == (130, "", "atlas: interrupted\n")


def test_the_version_needs_no_tensorflow(shell):
    said = shell("--version")
    assert (said.code, said.out, said.err) == (0, f"atlas {atlas.__version__}\n", "")
    code = """
import sys
from atlas.cli import main
sys.argv = ["atlas", "--version"]
try:
    main()
finally:
    print({"tensorflow", "keras", "numpy", "pydantic", "yaml"} & set(sys.modules))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == f"atlas {atlas.__version__}\nset()\n"


def test_every_group_says_so_in_one_sentence():
    def groups(command):
        if hasattr(command, "commands"):
            yield command
            for one in command.commands.values():
                yield from groups(one)

    kinds = {type(group).__name__ for group in groups(typer.main.get_command(app))}
    assert kinds == {"Commands"}


class CutShortError(AtlasError):
    """While it is said, Ctrl-C is pressed."""

    def __str__(self) -> str:
        raise KeyboardInterrupt


@pytest.mark.parametrize("ends", [KeyboardInterrupt, CutShortError, None], ids=["as one", "as a sentence", "well"])
def test_another_ctrl_c_while_the_end_of_a_command_is_said_ends_with_130(ends, monkeypatch):
    """Python would die of the signal, with a traceback: wherever it comes, before Python itself shuts down."""

    def command():
        if ends:
            raise ends

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("atlas.cli.app", command)
    if not ends:
        monkeypatch.setattr("atexit.register", interrupted)
    with pytest.raises(SystemExit) as end:
        atlas.cli.main()
    assert end.value.code == 130
