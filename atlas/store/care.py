"""Looking after a store: what is in it, what is damaged, what nobody needs."""

from collections.abc import Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from atlas.errors import StoreError
from atlas.store.store import Kept, Store

DAY = 86_400.0  # seconds
AT_ONCE = 256


def shares(store: Store) -> list[dict[str, Any]]:
    """How many entries and bytes each atlas has, those that no atlas shows, and all of them: rows of plain data."""
    sizes = {one.key: one.size for one in store.entries()}
    rows, shown = [], set()
    for listed in store.atlases():
        name = listed.path.rpartition("/")[2].removesuffix(".json")
        keys = set(_keys(store.get_atlas(name) or {})) & sizes.keys()
        shown |= keys
        rows.append({"atlas": name, "entries": len(keys), "bytes": sum(sizes[key] for key in keys)})
    rest = sizes.keys() - shown
    rows.append({"atlas": "in no atlas", "entries": len(rest), "bytes": sum(sizes[key] for key in rest)})
    rows.append({"atlas": "in all", "entries": len(sizes), "bytes": sum(sizes.values())})
    return rows


def damaged(store: Store) -> Iterator[tuple[str, str]]:
    """Every entry's key, each read whole, with what is wrong with it in one sentence, or nothing."""
    keys = (one.key for one in store.entries())
    with ThreadPoolExecutor() as pool:
        while some := list(islice(keys, AT_ONCE)):
            yield from zip(some, pool.map(lambda key: _fault(store, key), some), strict=True)


def unneeded(store: Store, needed: Container[str], now: float) -> Iterator[Kept]:
    """The entries that are not ``needed`` and older than a day."""
    for one in store.entries():
        if one.key not in needed and now - one.written > DAY:
            yield one


def _fault(store: Store, key: str) -> str:
    try:
        store.get(key)
    except StoreError as error:
        return str(error)
    return ""


def _keys(record: dict[str, Any]) -> Iterator[str]:
    """The keys of all renderings of an atlas."""
    for layer in record.get("layers", ()):
        for one in (layer["whole"], *(shown["renderings"] for shown in layer["channels_shown"])):
            yield from (rendering["key"] for rendering in one.values() if rendering["key"])
