"""The command line: the only place that prints, parses arguments or sets an exit code.

Exit codes: 0 done; 1 done, but a channel failed or a check found something; 2 one clear sentence said what was wrong;
130 interrupted.
"""

import atexit
import signal
import sys
from typing import Annotated

import typer

from atlas import __version__
from atlas.cli import build, compare, explain, init, look, plan, site, store
from atlas.cli.usage import Commands
from atlas.errors import AtlasError
from atlas.runtime import safe_paths

app = typer.Typer(
    name="atlas",
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"atlas {__version__}")
        raise typer.Exit


@app.callback()
def atlas(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Build a browsable atlas of what every channel of an image network responds to."""


app.command("init")(init.init)
app.command("build")(build.build)
app.command("render")(build.render_only)
app.command("site")(build.site)
app.command("plan")(plan.plan)
app.command("status")(plan.status)
app.command("compare")(compare.compare)
app.command("layers")(look.layers)
app.command("show")(look.show)
app.command("explain")(explain.explain)
app.command("serve")(site.serve)
app.command("check")(site.check)
app.command("schema")(site.schema)
app.add_typer(store.app, name="store")


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        _run()
    except KeyboardInterrupt:  # another Ctrl-C, while the word on what ended the command was said
        sys.exit(130)


def _run() -> None:
    try:
        with safe_paths():
            app()
    except AtlasError as error:
        print(f"atlas: {error}" if "\n" not in str(error) else str(error), file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader of a pipe has gone, as `head` does
        sys.stderr.close()
        sys.exit(141)
    finally:  # the exit code is decided: a Ctrl-C while Python shuts down is ignored
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
