"""Verifies a built site as it lies on disk: files are as they were written, links lead somewhere, pictures are what
their pages say."""

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from atlas.errors import SiteError
from atlas.pages.addresses import HOME, OWN
from atlas.pages.listing import FILES, JOURNAL, damaged, read_listing
from atlas.pages.manifest import is_shelf, is_whole, read_summary
from atlas.pages.past import digest_of, size_of
from atlas.pages.theme import LOGO

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
DAMAGED = "is not as a build wrote it: damaged, or changed since; build again"
PICTURES = (".webp", ".png", ".jpg", ".jpeg")
VECTOR = (0, 0)  # the size of a picture of any size
FOREIGN = re.compile(r"(url\(|@import)\s*['\"]?\s*(https?:)?//", re.IGNORECASE)


@dataclass
class _Page:
    """What a page says: ids, links as (tag, address), pictures as attributes, and what is wrong with its marks.

    ``canonical`` is the address that it will have, empty where it does not say; ``takes_fragments`` says that its
    script reads any fragment.
    """

    canonical: str = ""
    takes_fragments: bool = False
    ids: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    pictures: list[dict[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = _Page()
        self.open: list[str] = []
        self.seen = False  # a tag

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen = True
        self.note(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            expected = f"</{self.open[-1]}>" if self.open else "none"
            self.page.problems.append(f"line {self.getpos()[0]}: expected {expected}, received </{tag}>")
        if tag in self.open:
            del self.open[len(self.open) - 1 - self.open[::-1].index(tag) :]

    def note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if len(values) < len(attrs):
            self.page.problems.append(f"line {self.getpos()[0]}: <{tag}> has an attribute twice")
        self.page.takes_fragments |= "data-fragment" in values
        if "id" in values:
            self.page.ids.append(values["id"])
        if tag == "img":
            self.page.pictures.append(values)
        if tag == "link" and values.get("rel") == "canonical":
            self.page.canonical = values.get("href", "")
            return
        self.page.links.extend((tag, values[name]) for name in ("href", "src") if name in values)
        self.page.links.extend((tag, one.split()[0]) for one in values.get("srcset", "").split(",") if one.strip())
        inline = [name for name in values if name == "style" or name.startswith("on")]
        if inline or tag == "style" or (tag == "script" and "src" not in values):
            self.page.problems.append(
                f"line {self.getpos()[0]}: <{tag}> has inline style or script: the policy forbids it"
            )


def check_site(folder: Path) -> list[str]:
    """Every problem of the site in ``folder``, one line each: ``file: what``. An empty list is a sound site.

    ``folder`` is an atlas, or the folder of a shelf and its atlases. Every file that a build wrote is read, and must
    have the bytes that it wrote. Checked are, for each page: marks that open and close, ids used once, links and
    fragments that exist inside the folder, pictures with alt, width and height as their files have them, no inline
    style or script, and nothing but plain links to other hosts. An atlas may link the shelf above it.

    Raises: SiteError when there is no page in ``folder``.
    """
    root = folder.resolve()
    pages = {path: _read(path) for path in sorted(root.rglob("*.html"))}
    if not pages:
        raise SiteError(f"{folder}: expected a built site, received a folder without a page; name an atlas's folder")
    sizes: dict[Path, tuple[int, int] | None] = {}
    places = sorted({root, *(path.parent for path in root.glob(f"*/{OWN}"))})
    problems = [problem for place in places for problem in _files(place, root)]
    if is_shelf(root / HOME) and not is_whole((root / HOME).read_bytes()):
        problems.append(f"{HOME}: {DAMAGED}")
    for path, page in pages.items():
        found = [*page.problems, *_ids(page), *_links(path, page, pages, root), *_pictures(path, page, sizes)]
        problems += [f"{path.relative_to(root)}: {what}" for what in found]
    for path in sorted(root.rglob("*.css")):
        if FOREIGN.search(path.read_text(errors="replace")):
            problems.append(f"{path.relative_to(root)}: refers to another host")
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and path not in pages]
    return problems + [f"{path.relative_to(root)}: {fault}" for path in files if (fault := _cut(path, sizes))]


def _cut(path: Path, sizes: dict[Path, tuple[int, int] | None]) -> str:
    """What is wrong with a file that a power cut or a broken copy left empty or short; nothing where it looks whole.

    ``sizes`` are those of pictures that were read before.
    """
    if path.stat().st_size == 0:
        return "is empty"
    try:
        if path.suffix in PICTURES and (sizes[path] if path in sizes else _size(path)) is None:
            return "is cut or damaged"
        if path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.suffix == ".zip":
            zipfile.ZipFile(path).close()
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile):
        return "is cut or damaged"
    return ""


def _files(atlas: Path, root: Path) -> Iterator[str]:
    """What is wrong with the files of an atlas, by the list of them; nothing of a folder that is no atlas."""
    listing, lost = read_listing(atlas), damaged(atlas)
    if listing is None and not lost and read_summary(atlas) is not None:
        lost = [FILES]
    found = dict.fromkeys(lost, "the list of files is damaged or gone; build again")
    if (atlas / JOURNAL).exists():
        found[JOURNAL] = "a build did not finish; build again"
    for name, known in listing.files.items() if listing else ():
        size = size_of(atlas / name)
        if size is None:
            found[name] = "a build wrote this file, and it is gone; build again"
        elif size != known.size or (known.digest and digest_of(atlas / name) != known.digest):
            found[name] = DAMAGED
    yield from (f"{(atlas / name).relative_to(root)}: {what}" for name, what in sorted(found.items()))


def _read(path: Path) -> _Page:
    reader = _Reader()
    try:
        text = path.read_text(encoding="utf-8")
        if not text.strip("\0 \n"):
            return _Page(problems=["is empty"])
        reader.feed(text)
        reader.close()
    except (OSError, UnicodeDecodeError) as error:
        reader.page.problems.append(f"cannot be read: {error}")
    if reader.open or not reader.seen:
        last = reader.open[-1] if reader.open else "html"
        reader.page.problems.append(f"expected </{last}>, received the end of the page")
    return reader.page


def _ids(page: _Page) -> Iterator[str]:
    for name in sorted({name for name in page.ids if page.ids.count(name) > 1}):
        yield f"id {name!r} is used more than once"


def _links(path: Path, page: _Page, pages: dict[Path, _Page], root: Path) -> Iterator[str]:
    for tag, address in dict.fromkeys(page.links):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            if tag != "a":
                yield f"<{tag}> refers to another host: {address}"
            elif parts.scheme not in ("https", "http"):
                yield f"link to {address}: expected http or https"
            continue
        target = _target(path, unquote(parts.path), page) if parts.path else path
        if not target.is_relative_to(root) and target != root.parent / HOME:
            yield f"link to {address} leaves the site"
        elif not target.is_file():
            yield f"link to {address}: there is no such file"
        elif parts.fragment and not _has(pages.get(target), unquote(parts.fragment)):
            yield f"link to {address}: there is no such place in that page"


def _has(page: _Page | None, fragment: str) -> bool:
    return page is not None and (page.takes_fragments or fragment in page.ids)


def _target(path: Path, address: str, page: _Page) -> Path:
    """The file that an address means: from the page, or from where the page will lie where it says so."""
    beside = urlsplit(page.canonical).path.rpartition("/")[0] + "/"
    if page.canonical and address.startswith(beside):
        address = address.removeprefix(beside)
    return (path.parent / address).resolve()


def _pictures(path: Path, page: _Page, sizes: dict[Path, tuple[int, int] | None]) -> Iterator[str]:
    for picture in page.pictures:
        address = picture.get("src", "")
        if not picture.get("alt"):
            yield f"picture {address} has no alt"
        said = (picture.get("width"), picture.get("height"))
        file = _target(path, unquote(urlsplit(address).path), page)
        if file not in sizes:
            sizes[file] = _size(file)
        real = sizes[file]
        if real is None:
            yield f"picture {address} cannot be read"
        elif real != VECTOR and file.stem != LOGO and said != (str(real[0]), str(real[1])):
            yield f"picture {address}: expected {real[0]} by {real[1]} px, received {said[0]} by {said[1]}"


def _size(path: Path) -> tuple[int, int] | None:
    if path.suffix == ".svg":
        return VECTOR if path.is_file() else None
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            image.load()  # all of it: a picture that is cut has a whole head
            return image.size
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError):
        return None
