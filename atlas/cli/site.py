"""``atlas serve``, ``atlas check`` and ``atlas schema``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from atlas.errors import AtlasError

Folder = Annotated[Path, typer.Argument(metavar="SITE", help="A site folder, or one atlas in it.")]


def serve(
    site: Folder = Path("site"),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on this machine; 0 for any.")] = 8000,
) -> None:
    """Show a site at an address on this machine, until Ctrl-C."""
    from atlas.pages.serve import serve as serve_folder

    server = serve_folder(_folder(site), port)
    typer.echo(f"http://127.0.0.1:{server.server_address[1]}/ shows {site}; Ctrl-C ends it")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        typer.echo("")
    finally:
        server.server_close()


def check(site: Folder = Path("site")) -> None:
    """Verify the links, alts and picture sizes of a built site, and that none of its files is empty or cut."""
    from atlas.pages.check import check_site

    problems = check_site(_folder(site))
    for problem in problems:
        typer.echo(problem)
    if problems:
        typer.echo(f"{len(problems):,} problems in {site}")
        raise typer.Exit(1)
    typer.echo(f"{site}: no problems")


def schema() -> None:
    """Print the JSON Schema of configurations, for editors."""
    from atlas.spec.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


def _folder(site: Path) -> Path:
    if not site.is_dir():
        raise AtlasError(f"{site}: expected a folder that a build has written, received a path where there is none")
    return site
