"""The record of an atlas: all that its pages are made from, beside the entries themselves."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from atlas.engine.calling import NAME as CLASSES
from atlas.engine.photos import NAME as PHOTOS
from atlas.engine.photos import Photos
from atlas.engine.run import Outcome
from atlas.networks.class_names import class_names
from atlas.spec.facts import LayerFacts, NetworkRef
from atlas.spec.plan import KERNEL, Group, Plan
from atlas.spec.request import Request
from atlas.spec.website import Website

SCHEMA = 4


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
        "name": request.name,
        "title": request.title,
        "kernel": KERNEL,
        "network": {
            "id": facts.id,
            "title": facts.title,
            "size": facts.size,
            "paper": facts.paper,
            "note": facts.note,
            "asked": _asked(request.ref),
        },
        "weights": weights,
        "site": _site(request.website),
        "recipes": list(request.layers[0].recipes) if request.layers else [],
        "class_names": _class_names(request, outcome),
        "outline": [_outline(layer) | {"in_atlas": layer.name in groups} for layer in facts.layers],
        "layers": [_layer(own, outcome, request.website) for own in groups.values()],
        **({"photos": _photos(photos, outcome)} if photos else {}),
        **({"compare": {"by": request.compare.by, "publish": request.compare.publish}} if request.compare else {}),
    }


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
    return {name: getattr(website, name) for name in ("base_url", "accent", "footer", "zip")}


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
