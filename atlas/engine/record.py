"""The record of an atlas: all that its pages are made from, beside the entries themselves."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from atlas.canonical import digest
from atlas.engine.calling import NAME as CLASSES
from atlas.engine.photos import NAME as PHOTOS
from atlas.engine.photos import Photos
from atlas.engine.run import Outcome
from atlas.errors import DamagedError
from atlas.networks.class_names import class_names
from atlas.spec.facts import LayerFacts, NetworkRef
from atlas.spec.plan import KERNEL, Group, Plan
from atlas.spec.request import Request
from atlas.spec.website import Website
from atlas.store.store import Store

SCHEMA = 4
PLACE = "place"  # the key, beside those of a record, that says which output it is of


def atlas_record(
    request: Request, weights: dict[str, Any], plan: Plan, outcome: Outcome, photos: Photos | None = None
) -> dict[str, Any]:
    """The record of a build as plain data: the request's echo, catalog facts, key and state of every rendering.

    ``weights`` holds kind, digest, description, licence and seed. No clock, host or path is in it: the same request
    with the same results gives the same record, and another result another one, by its entry's checksum.
    """
    facts = request.facts
    groups: dict[str, list[Group]] = {}
    for group in plan.groups:
        groups.setdefault(group.layer.name, []).append(group)
    return {
        "schema": SCHEMA,
        **named(request),
        "kernel": KERNEL,
        "weights": weights,
        "site": _site(request.website),
        "recipes": list(request.layers[0].recipes) if request.layers else [],
        "class_names": _class_names(request, outcome),
        "outline": [
            _outline(layer) | {"in_atlas": layer.name in groups}
            for layer in facts.layers
            if layer.listed or layer.name in groups
        ],
        "layers": [_layer(own, outcome, request.website) for own in groups.values()],
        **({"photos": _photos(photos, outcome)} if photos else {}),
        **({"compare": {"by": request.compare.by, "publish": request.compare.publish}} if request.compare else {}),
    }


def named(request: Request) -> dict[str, Any]:
    """What of a record says which atlas it is of."""
    facts = request.facts
    network = {
        "id": facts.id,
        "title": facts.title,
        "size": facts.size,
        "paper": facts.paper,
        "note": facts.note,
        "asked": _asked(request.ref),
    }
    return {"name": request.name, "title": request.title, "network": network}


def kept_record(store: Store, record: dict[str, Any], output: Path) -> dict[str, Any] | None:
    """The record that ``keep_record`` would replace: of the last build of this atlas, None where there is none.

    Of ``record`` only what ``named`` gives is read.
    """
    return _own(store, record, output)[1]


def keep_record(store: Store, record: dict[str, Any], output: Path) -> None:
    """Put the record of an atlas into the store, where the one of the same output lies: one that is there is replaced.

    It is called by the atlas's name, as long as that is free or this output's own; by the name and the first digits of
    the digest of the output's place where an output of the same name elsewhere has it. A record of before, which says
    nothing of its place, is taken for this output's when network and title are the same.
    """
    own, kept = _own(store, record, output)
    placed = record | {PLACE: _place(store, output)}
    if kept != placed:
        store.put_atlas(own, placed)


def _own(store: Store, record: dict[str, Any], output: Path) -> tuple[str, dict[str, Any] | None]:
    """What the record of an atlas is called in the store, and the one that is there."""
    place = _place(store, output)
    name, longer = record["name"], f"{record['name']}-{place[:8]}"
    kept = _kept(store, longer)
    if kept is None:
        plain = _kept(store, name)
        if plain is None or plain.get(PLACE) == place or (PLACE not in plain and _same(plain, record)):
            return name, plain
    return longer, kept


def _kept(store: Store, name: str) -> dict[str, Any] | None:
    try:
        return store.get_atlas(name)
    except DamagedError:  # written anew
        return None


def _place(store: Store, output: Path) -> str:
    """A digest of where an output lies: seen from a store that is a folder, so that both may be moved together."""
    place = os.path.realpath(output)
    return digest(place if "://" in store.address else os.path.relpath(place, os.path.realpath(store.address)))


def _same(kept: dict[str, Any], record: dict[str, Any]) -> bool:
    """Whether a record of before is of the same atlas."""
    return all(kept.get(key) == record[key] for key in ("network", "title"))


def _class_names(request: Request, outcome: Outcome) -> list[str] | None:
    """What the classes are called, where the pages tell of any and it is known."""
    if not any(one.checksum for one in outcome.found.get(CLASSES, {}).values()):
        return None
    names = class_names(request.ref, request.class_names)
    return list(names) if names else None


def _outline(layer: LayerFacts) -> dict[str, Any]:
    return {
        "name": layer.name,
        "channels": layer.channels,
        "receptive_field": layer.receptive_field,
        "stride": layer.stride,
        "kind": layer.kind,
        "feature": layer.feature,
        "activation": layer.activation,
        "relu": layer.activation == "relu",
        "branches": [asdict(branch) for branch in layer.branches],
    }


def _asked(ref: NetworkRef) -> dict[str, Any]:
    """The keys of a configuration that ask for this network, files without their folders."""
    weights = f"random:{ref.seed}" if ref.weights == "random" else Path(ref.weights).name
    asked: dict[str, Any] = {"network": Path(ref.network).name}
    if weights not in ("imagenet", "own"):
        asked["weights"] = weights
    if ref.preprocessing:
        asked["preprocessing"] = {name: _plain(value) for name, value in asdict(ref.preprocessing).items()}
    if ref.classes:
        asked["classes"] = True
    return asked


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _site(website: Website) -> dict[str, Any]:
    return {name: getattr(website, name) for name in ("base_url", "accent", "footer", "pictures", "zip")}


def _photos(photos: Photos, outcome: Outcome) -> dict[str, Any]:
    found = outcome.found.get(PHOTOS, {})
    return {
        "layers": list(photos.layers),
        "size": photos.size,
        "shown": [
            {"name": source.name, "label": source.label, "key": one.key, "checksum": one.checksum}
            for source in photos.sources
            if (one := found.get(source.name)) and one.checksum
        ],
    }


def _layer(groups: list[Group], outcome: Outcome, website: Website) -> dict[str, Any]:
    layer = groups[0].layer
    shown: dict[int, dict[str, Any]] = {}
    whole: dict[str, Any] = {}
    for group in groups:
        for job in group.jobs:
            done = outcome.done.get(job.key)
            rendering: dict[str, Any] = {"key": None, "state": done.state if done else "missing"}
            if done and done.error:
                rendering["error"] = done.error
            elif done:
                rendering |= {"key": job.key, "checksum": done.checksum}
            renderings = whole if job.channel is None else shown.setdefault(job.channel, {})
            renderings[group.recipe_name] = rendering
    return _outline(layer) | {
        "recipes": {group.recipe_name: group.recipe.shown for group in groups},
        "whole": whole,
        "notes": {
            str(channel): note.model_dump(exclude_none=True)
            for channel, note in sorted(website.notes.get(layer.name, {}).items())
            if channel in shown
        },
        "found": {
            kind: {"key": one.key, "checksum": one.checksum}
            for kind, found in sorted(outcome.found.items())
            if (one := found.get(layer.name)) and one.checksum
        },
        "channels_shown": [{"channel": channel, "renderings": shown[channel]} for channel in sorted(shown)],
    }
