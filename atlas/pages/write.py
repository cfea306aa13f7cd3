"""Writes an atlas's folder and the shelf above it, and does nothing, quickly, when nothing has changed."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from atlas import __version__
from atlas.errors import SiteError
from atlas.files import write_atomically
from atlas.pages.addresses import COVER, HOME, OWN, all_addresses, check_names
from atlas.pages.alone import alone
from atlas.pages.ledger import Ledger
from atlas.pages.listing import Origin
from atlas.pages.manifest import HEAD, Summary, is_shelf, is_whole, read_summary, sealed
from atlas.pages.past import holds_nothing, size_of
from atlas.pages.read import read_atlas
from atlas.pages.statics import static_names
from atlas.pages.theme import Theme
from atlas.resources import resource
from atlas.store.store import Store


@dataclass(frozen=True)
class Written:
    """What came of writing an atlas: its pages, files written because their bytes changed, old files removed.

    ``unchanged`` says that nothing had to be looked at again, for the folder was made from the same input. ``mended``
    are files that had been changed since a build wrote them, and were written again; ``strange`` are files at addresses
    of earlier builds which are not what those wrote, and were left alone. ``pictures`` and ``making`` are the seconds
    that all workers together spent on pictures and on pages.
    """

    pages: int
    changed: int
    removed: int
    unchanged: bool
    mended: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()
    pictures: float = 0.0
    making: float = 0.0


def write_atlas(
    record: Mapping[str, Any],
    store: Store,
    output: Path,
    theme: Theme = Theme(),  # noqa: B008 (it cannot change)
    workers: int | None = 1,
    progress: Callable[[int, int], None] | None = None,
    file: str | None = None,
    waiting: Callable[[], None] = lambda: None,
) -> Written:
    """Make the folder of an atlas from its record and the entries it names. Same input, same bytes.

    Only one process writes into a folder at a time: a second one waits for it.

    Parameters: ``record`` is what the engine left in the store; ``output`` is the folder, made when it is missing;
    ``workers`` is how many processes may write at once, None for one on each core; ``progress`` is called with pages
    made and pages in all; ``file`` is the name of the configuration's file; ``waiting`` is called when another
    process writes into the folder.

    Raises: SiteError when ``output`` is not empty and not ours, when another file made another atlas there, when a file
    that no build wrote lies where one is to be written, when the record is not one, or when a layer's name cannot be a
    folder; StoreError when an entry is absent or damaged; AtlasError when a file cannot be written.
    """
    with alone(output, waiting):
        return _write(record, store, output, theme, workers, progress, file)


def _write(
    record: Mapping[str, Any],
    store: Store,
    output: Path,
    theme: Theme,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
    file: str | None,
) -> Written:
    inputs = _digest([json.dumps(record, sort_keys=True).encode(), str(theme.shelf).encode(), *_sources(theme)])
    ledger = Ledger(output, _origin(record, file))
    if ledger.holds(inputs):
        return Written(ledger.pages(), 0, 0, True)
    atlas = read_atlas(record)
    check_names(atlas)
    from atlas.pages.build import build
    from atlas.pages.describe import page_count

    total, done = page_count(atlas), 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, total)

    writer = ledger.begin(all_addresses(atlas, static_names(theme)))
    times = build(atlas, store, theme, writer, workers, tick)
    ledger.finish(writer, inputs)
    mended, strange = tuple(sorted(writer.mended)), tuple(ledger.strange)
    return Written(total, writer.changed, ledger.removed, False, mended, strange, times.pictures, times.pages)


def check_output(record: Mapping[str, Any], output: Path, file: str | None = None) -> None:
    """See whether an atlas can be written, before hours go into its pictures. Raises SiteError as it would then."""
    check_names(read_atlas(record))
    Ledger(output, _origin(record, file))


def _origin(record: Mapping[str, Any], file: str | None) -> Origin | None:
    return Origin(file, str(record.get("title"))) if file else None


def write_shelf(folder: Path) -> str | None:
    """Write ``folder/index.html``, which lists the atlases that stand in it, where that surprises nobody.

    Returns None when the shelf stands, else the reason why it was left alone: the folder has other folders than atlases
    of ours, or an index.html that is not ours.
    """
    with alone(folder):
        summaries = _summaries(folder)
        if isinstance(summaries, str):
            return summaries
        if not summaries:
            return f"{folder} holds no atlas"
        shelf = folder / HOME
        inputs = _digest([repr(summaries).encode(), *_sources(Theme())])
        there = shelf.read_bytes() if shelf.exists() else b""
        if not (inputs.encode() in there[:HEAD] and is_whole(there)):
            from atlas.pages.templating import environment

            # The style is that of the first atlas: a shelf brings no files of its own into a folder that is not ours.
            template = environment(resource("templates")).get_template("shelf.html")
            page = template.render(atlases=summaries, inputs=inputs, own=OWN, cover=COVER)
            write_atomically(shelf, sealed(page))
        return None


def may_have_shelf(output: Path) -> bool:
    """Whether the folder above an atlas's is one that ``write_shelf`` writes a list of atlases into."""
    return not isinstance(_summaries(output.absolute().parent, output.name), str)


def _summaries(folder: Path, coming: str = "") -> list[Summary] | str:
    """The atlases that stand in a folder, or why it is no place for a shelf; ``coming`` is one still to be written."""
    shelf = folder / HOME
    zeros = holds_nothing(shelf) and size_of(shelf)  # as a power cut leaves it
    if shelf.is_symlink() or (shelf.exists() and not is_shelf(shelf) and not zeros):
        return f"{shelf} is not a shelf of ours"
    found: list[Summary] = []
    try:
        places = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except FileNotFoundError:
        return found
    except OSError as error:
        return f"{folder} cannot be read: {error.strerror}"
    for place in places:
        summary = read_summary(place)
        if summary is None and place.name != coming:
            return f"{place} is not an atlas of ours"
        found += [summary] if summary else []
    return found


def _sources(theme: Theme) -> list[bytes]:
    """All that decides the bytes of a page beside its record and entries: templates, this code, and the libraries."""
    folders = [(theme.templates, "*"), *([(theme.own, "*")] if theme.own else []), (Path(__file__).parent, "*.py")]
    files = [(folder, path) for folder, pattern in folders for path in sorted(folder.rglob(pattern)) if path.is_file()]
    files += [(theme.logo.parent, theme.logo)] if theme.logo else []
    try:
        code = [f"{path.relative_to(folder)}\n".encode() + path.read_bytes() for folder, path in files]
    except OSError as error:
        said = f"expected readable files, received: {error.strerror}; mend that and build again"
        raise SiteError(f"{error.filename}: {said}") from error
    libraries = [f"{name} {version(name)}" for name in ("jinja2", "numpy", "pillow", "pyyaml")]
    return [*code, *(said.encode() for said in [f"atlas {__version__}", *libraries])]


def _digest(parts: list[bytes]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
