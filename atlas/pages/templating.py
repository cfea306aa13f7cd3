"""Templates on their way to pages."""

import functools
from pathlib import Path
from types import CodeType
from typing import Any

from jinja2 import BytecodeCache, ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from jinja2.bccache import Bucket

from atlas.errors import SiteError
from atlas.pages import addresses, words
from atlas.pages.manifest import GENERATOR
from atlas.pages.theme import Theme
from atlas.pages.tree import Atlas

ORIGINAL = "original"  # a template of one's own extends original/channel.html


class _Compiled(BytecodeCache):
    """What this process compiled before: each layer has its own environment, with the same templates."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], CodeType] = {}  # by what names a template, and the digest of its text

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._known.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._known[bucket.key, bucket.checksum] = bucket.code


COMPILED = _Compiled()


def environment(templates: Path, own: Path | None = None) -> Environment:
    """The templates of a folder, with those of another in their place: undefined names are errors, and every value is
    escaped."""
    original = FileSystemLoader(templates)
    folders = [FileSystemLoader(own)] if own else []
    made = Environment(
        loader=ChoiceLoader([*folders, original, PrefixLoader({ORIGINAL: original})]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        bytecode_cache=COMPILED,
    )
    made.globals["generator"] = GENERATOR
    made.globals["photo_page"] = addresses.photo_page
    made.filters["count"] = words.count
    made.filters["score"] = words.score
    made.filters["twice"] = addresses.twice
    return made


class Pages:
    """Makes the pages of one atlas."""

    def __init__(self, atlas: Atlas, theme: Theme):
        self._atlas = atlas
        self._environment = environment(theme.templates, theme.own)
        self._environment.globals["layer_page"] = lambda layer: addresses.layer_page(atlas.folder(layer))
        self._environment.globals["channel_page"] = lambda layer, channel: addresses.channel_page(
            atlas.folder(layer), channel
        )
        self._mark = theme.mark
        self._shelf = addresses.SHELF if theme.shelf else None
        self._notice = words.notice(atlas)

    def page(self, template: str, address: str, **context: Any) -> bytes:
        """A page for an address. Raises SiteError when a template of the user's is not sound."""
        try:
            return self._environment.get_template(template).render(**{**self._given(address), **context}).encode()
        except Exception as error:  # whatever a template of the user's own raises
            raise self._unsound(template, error) from error

    def part(self, template: str, macro: str, address: str, *given: Any) -> Any:
        """A macro's text for a page, safe to be put there."""
        try:
            module = self._environment.get_template(template).make_module(self._given(address))
            return getattr(module, macro)(*given)
        except Exception as error:  # whatever a template of the user's own raises
            raise self._unsound(template, error) from error

    def _given(self, address: str) -> dict[str, Any]:
        """What every page is given: ``to`` turns an address from the atlas's folder into one from the page."""
        folder = address[: address.rfind("/") + 1]
        root = "../" * folder.count("/")
        to = functools.partial(_relative, folder, root)
        if address == addresses.NOT_FOUND and self._atlas.site.base_url:  # shown at addresses of any depth
            base = self._atlas.site.base_url
            root = base[base.index("/", len("https://")) :]
            to = functools.partial(_relative, folder, root)
        return {
            "atlas": self._atlas,
            "notice": self._notice,
            "address": address,
            "to": to,
            "root": root,
            "mark": self._mark,
            "shelf": self._shelf,
            "card": None,
        }

    def _unsound(self, template: str, error: Exception) -> SiteError:
        line = getattr(error, "lineno", None)
        where = f"{getattr(error, 'name', None) or template}{f':{line}' if line else ''}"
        return SiteError(
            f"template {where}: expected one that makes a page, received: {error}; mend it and build again"
        )


def _relative(folder: str, root: str, target: str) -> str:
    """An address from a page's folder; ``root`` leads from there to the atlas's. (Much faster than posixpath's.)"""
    return target[len(folder) :] if folder and target.startswith(folder) else root + target
