"""Writes docs/commands.md from the commands themselves: ``python scripts/command_docs.py``. A test keeps it true."""

from pathlib import Path
from typing import Any

import typer

from atlas.cli import app

PAGE = Path(__file__).resolve().parent.parent / "docs" / "commands.md"
HEAD = """# Commands

Written by `python scripts/command_docs.py` from the program itself.

Exit codes: 0 done; 1 done, but a channel failed or a check found something; 2 one sentence said what was wrong;
130 interrupted, and what was finished is kept.

`atlas --version` prints the version; `--help` after any command says what is said here.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_sections("atlas", typer.main.get_command(app))])


def _sections(path: str, group: Any) -> list[str]:
    """A section for each command, those of groups in their place."""
    parts: list[str] = []
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            parts += _sections(f"{path} {name}", command)
            continue
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        options = [one for one in command.params if one.param_type_name == "option" and one.name != "help"]
        usage = " ".join([path, name, *(one.metavar if one.required else f"[{one.metavar}]" for one in arguments)])
        parts.append(f"## {path} {name}\n\n{command.help}\n\n```\n{usage}\n```\n")
        rows = [(f"`{one.metavar}`", one.help) for one in arguments]
        rows += [(", ".join(f"`{flag}`" for flag in one.opts), one.help) for one in options]
        if rows:
            parts.append("\n".join(["| | |", "|---|---|", *(f"| {first} | {said} |" for first, said in rows)]) + "\n")
    return parts


if __name__ == "__main__":
    PAGE.write_text(page())
