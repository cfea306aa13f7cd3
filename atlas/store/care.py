"""Looking after a store: what is in it, what is damaged, what nobody needs."""

from collections.abc import Callable, Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from atlas.errors import DamagedError, StoreError
from atlas.store.store import Kept, Store

DAY = 86_400.0  # seconds
AT_ONCE = 256


def shares(store: Store) -> list[dict[str, Any]]:
    """How many entries and bytes each atlas has, those that no atlas shows, and all of them: rows of plain data.

    An atlas whose record is damaged shows none, and has the ``fault`` in one sentence.
    """
    sizes = {one.key: one.size for one in store.entries()}
    rows: list[dict[str, Any]] = []
    shown: set[str] = set()
    for name in store.atlases():
        keys, fault = _shown(store, name)
        keys &= sizes.keys()
        shown |= keys
        row = {"atlas": name, "entries": len(keys), "bytes": sum(sizes[key] for key in keys)}
        rows.append(row | ({"fault": fault} if fault else {}))
    rest = sizes.keys() - shown
    rows.append({"atlas": "in no atlas", "entries": len(rest), "bytes": sum(sizes[key] for key in rest)})
    rows.append({"atlas": "in all", "entries": len(sizes), "bytes": sum(sizes.values())})
    return rows


@dataclass(frozen=True)
class Verified:
    """An entry, or the record of an atlas, that was read whole: what is wrong with it in one sentence, empty where
    nothing is.

    ``key`` is the entry's key or the atlas's name. ``damaged`` is False for one that could only not be read this time.
    """

    key: str
    fault: str = ""
    damaged: bool = False


def verified(store: Store) -> Iterator[Verified]:
    """Every entry of a store, each read whole."""
    keys = (one.key for one in store.entries())
    with ThreadPoolExecutor() as pool:
        while some := list(islice(keys, AT_ONCE)):
            yield from pool.map(lambda key: _verified(store.get, key), some)


def verified_atlases(store: Store) -> Iterator[Verified]:
    """The record of every atlas of a store, each read whole."""
    for name in store.atlases():
        yield _verified(store.get_atlas, name)


def unneeded(store: Store, needed: Container[str], now: float) -> Iterator[Kept]:
    """The entries that are not ``needed`` and older than a day."""
    for one in store.entries():
        if one.key not in needed and now - one.written > DAY:
            yield one


def _verified(read: Callable[[str], object], key: str) -> Verified:
    try:
        read(key)
    except StoreError as error:
        return Verified(key, str(error), isinstance(error, DamagedError))
    return Verified(key)


def _shown(store: Store, name: str) -> tuple[set[str], str]:
    """The keys that an atlas's record names, and what is wrong with it where that cannot be told."""
    try:
        return set(keys_of(store.get_atlas(name) or {})), ""
    except DamagedError as error:
        return set(), str(error)


def keys_of(record: dict[str, Any]) -> Iterator[str]:
    """The keys of all renderings of an atlas, of what was found out of its layers, and of its photos."""
    yield from (one["key"] for one in record.get("photos", {}).get("shown", ()))
    for layer in record.get("layers", ()):
        yield from (one["key"] for one in layer.get("found", {}).values())
        for one in (layer["whole"], *(shown["renderings"] for shown in layer["channels_shown"])):
            yield from (rendering["key"] for rendering in one.values() if rendering["key"])
