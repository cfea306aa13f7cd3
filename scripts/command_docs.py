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
"""


def page() -> str:
    """The whole page."""
    group: Any = typer.main.get_command(app)
    parts = [HEAD]
    for name, command in group.commands.items():
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        options = [one for one in command.params if one.param_type_name == "option" and one.name != "help"]
        usage = " ".join(["atlas", name, *(one.metavar if one.required else f"[{one.metavar}]" for one in arguments)])
        parts.append(f"## atlas {name}\n\n{command.help}\n\n```\n{usage}\n```\n")
        rows = [(f"`{one.metavar}`", one.help) for one in arguments]
        rows += [(", ".join(f"`{flag}`" for flag in one.opts), one.help) for one in options]
        if rows:
            parts.append("\n".join(["| | |", "|---|---|", *(f"| {first} | {said} |" for first, said in rows)]) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
