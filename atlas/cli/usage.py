"""How the command line is misused: what typer says of it, in one sentence of the form that all others have."""

import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from atlas.errors import AtlasError

UsageError: type[Exception] = next(  # typer brings a click of its own, or takes the one that is installed
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError"
)

WORDS = {
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "a valid integer": "a whole number",
    "integer": "a whole number",
    "integer range": "a whole number",  # of an older click
}


class Commands(TyperGroup):
    """A group of commands. Ctrl-C ends each with a word; what cannot be understood is one sentence."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Parse the arguments, run the command and leave with its exit code. Raises AtlasError for misuse."""
        try:
            code = super().main(*args, **extra | {"prog_name": "atlas", "standalone_mode": False})
        except UsageError as error:
            raise AtlasError(_sentence(error)) from None
        except typer.Abort:  # at a question
            print("\n" * sys.stdout.isatty() + "atlas: interrupted", file=sys.stderr)
            code = 130
        sys.exit(code or 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("atlas: interrupted", file=sys.stderr)
            raise typer.Exit(130) from None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Without any argument the help is shown, and nothing was done."""
        if not args:
            typer.echo(ctx.get_help(), err=True)
            raise typer.Exit(2)
        return list(super().parse_args(ctx, args))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command of that name."""
        name = args[0]
        if name not in self.commands and not name.startswith("-"):
            said = f"expected a command of {ctx.command_path}, received {_shown(name)}"
            raise AtlasError(said + (_near(name, list(self.commands)) or _help(ctx)))
        return super().resolve_command(ctx, args)


def _sentence(error: Any) -> str:
    """What an error of typer's says, as one sentence."""
    ctx, param, kind = error.ctx, getattr(error, "param", None), type(error).__name__
    command = ctx.command_path if ctx else "atlas"
    if kind == "NoSuchOption":
        known = [flag for one in ctx.command.get_params(ctx) for flag in one.opts] if ctx else []
        said = f"expected an option of {command}, received {_shown(error.option_name)}"
        return said + (_near(error.option_name, known) or _help(ctx))
    if param is not None:
        option = param.param_type_name == "option"
        name = max(param.opts, key=len) if option else str(param.metavar or param.name)
        if kind == "MissingParameter":
            what = "this option" if option else "this argument"
            return f"{name}: expected {what} of {command}, received none{_help(ctx)}"
        return f"{name}: {_value(error)}{_help(ctx)}"
    if kind == "BadOptionUsage":
        wanted = (
            "expected no value, received one" if "does not take" in error.message else "expected a value, received none"
        )
        return f"{_shown(error.option_name)}: {wanted}{_help(ctx)}"
    if found := re.fullmatch(r"Got unexpected extra argument\S* \((.*)\)", error.message, re.DOTALL):
        return f"expected no more arguments of {command}, received {_shown(found[1])}{_help(ctx)}"
    return f"{_shown(error.format_message())}{_help(ctx)}"


def _value(error: Any) -> str:
    """What was expected of a value and what was received, from what pydantic or an older click says of it."""
    said = str(error.message).rstrip(".")
    if found := re.fullmatch(r"'?(?P<value>.*?)'? is not (in the|a valid) (?P<wanted>.*)", said, re.DOTALL):
        return f"expected {WORDS.get(found['wanted'], 'a ' + found['wanted'])}, received {_shown(found['value'])}"
    wanted = said.removeprefix("Input should be ").partition(", unable")[0]
    for word, plain in WORDS.items():
        wanted = wanted.replace(word, plain)
    cause = getattr(error.__cause__, "errors", None)
    received = f", received {_shown(str(cause()[0]['input']))}" if cause else ""
    return f"expected {wanted}{received}"


def _near(word: str, words: Sequence[str]) -> str:
    from atlas.errors import nearest

    return nearest(word, words) if len(word) > 2 else ""


def _help(ctx: Any) -> str:
    return f"; see {ctx.command_path if ctx else 'atlas'} --help"


def _shown(text: str) -> str:
    """Text of the user's for a terminal, on one line."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text[:200])
