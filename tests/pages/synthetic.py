"""An atlas that looks like a built one: drawn pictures, two recipes, channels dead, failed and missing."""

import io
import zlib
from typing import Any

import numpy as np
from PIL import Image

from atlas.spec.objectives import Channel
from atlas.spec.recipe import Recipe
from atlas.store.entry import Entry
from atlas.store.store import Store

BRANCHES = [("1x1", 0, 63), ("5x5", 64, 127), ("double 3x3", 128, 223), ("pool", 224, 287)]
OUTLINE: list[tuple[str, int, int | None, int, str]] = [  # name, channels, receptive field, stride, kind
    ("stem1", 32, 3, 2, "activation"),
    ("stem2", 32, 7, 2, "activation"),
    ("stem3", 64, 11, 2, "activation"),
    ("pool1", 64, 15, 4, "pool"),
    ("stem4", 80, 15, 4, "activation"),
    ("stem5", 192, 23, 4, "activation"),
    ("pool2", 192, 31, 8, "pool"),
    ("mixed0", 256, 63, 8, "concat"),
    ("mixed1", 288, 95, 8, "concat"),
    ("mixed2", 288, 127, 8, "concat"),
    ("mixed3", 768, 159, 16, "concat"),
    ("mixed4", 768, 351, 16, "concat"),
    ("mixed5", 768, 543, 16, "concat"),
    ("mixed6", 768, 735, 16, "concat"),
    ("mixed7", 768, 927, 16, "concat"),
    ("mixed8", 1280, 1055, 32, "concat"),
    ("mixed9", 2048, 1183, 32, "concat"),
    ("mixed10", 2048, 1311, 32, "concat"),
]


def picture(seed: int, side: int = 128) -> bytes:
    """A lossless WebP of coloured, warped waves: its thumbnail is as large a file as real ones'."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side * 6.283
    for _ in range(3):
        a, b, c, d = rng.uniform(-2.5, 2.5, 4)
        x, y = x + 0.5 * np.sin(a * y + b), y + 0.5 * np.sin(c * x + d)
    frequency, angle = rng.uniform(1, 7), rng.uniform(0, 3.14)
    wave = np.sin(frequency * (x * np.cos(angle) + y * np.sin(angle)))
    wave = wave + np.sin(rng.uniform(1, 5) * np.hypot(x - 3, y - 3)) * rng.uniform(0, 1.2)
    hue = np.stack([np.sin(rng.uniform(0.2, 1.6) * (x + y * k) + rng.uniform(0, 6)) for k in (-1, 0.3, 1)], -1)
    grain = rng.normal(0, 0.2, (side // 2 + 1, side // 2 + 1, 3)).repeat(2, axis=0).repeat(2, axis=1)[:side, :side]
    image = 0.5 + 0.24 * wave[..., None] + 0.2 * hue + grain
    stream = io.BytesIO()
    Image.fromarray((image.clip(0, 1) * 255).astype(np.uint8)).save(stream, "WEBP", lossless=True, method=0)
    return stream.getvalue()


def recipe(sign: int) -> dict[str, Any]:
    """The recipe ``default`` with an objective of that sign, in full as real ones are."""
    return Recipe(objective=Channel(weight=sign), size=128, steps=64).shown


def entry(key: str, layer: str, channel: int, sign: int, state: str, pixels: bytes, side: int) -> Entry:
    seed = int(key[:8], 16)
    rng = np.random.default_rng(seed)
    end = 0.0 if state == "dead" else float(rng.uniform(1, 9))
    steps = np.arange(64)
    trace = end * (1 - np.exp(-steps / 14)) + rng.normal(0, 0.06 * abs(end), 64)
    record = {
        "network": "inceptionv3",
        "layer": layer,
        "channel": channel,
        "recipe": recipe(sign),
        "size": [side, side],
        "state": state,
        "attempt": 2 if state == "dead" else 0,
        "attempts": 4,
        "seed": seed,
        "steps": 64,
        "score": {"start": 0.012, "grey": 0.0, "end": round(end, 4)},
        "max": {"start": 0.2, "end": round(3 * end, 4)},
        "kernel": 1,
        "versions": {"tensorflow": "2.21.0"},
    }
    return Entry(key, record, pixels, {"trace": np.stack([trace] * 4, 1).astype(np.float32)} if channel != 3 else {})


def branches(layer: str) -> list[dict[str, Any]]:
    """Those of mixed2; the last one has the channels of mixed0 once more, as that of mixed3 has those of mixed2."""
    return [
        {"name": name, "first": first, "last": last, "copies": "mixed0" if name == "pool" else ""}
        for name, first, last in (BRANCHES if layer == "mixed2" else [])
    ]


def compare(store: Store, layer: str, keys: list[str], channels: int, before: int) -> dict[str, str] | None:
    """What comparing some pictures might have come to: neighbours are alike."""
    count = len(keys)
    if count < 2:
        return None
    rng = np.random.default_rng(count)

    def vectors(width: int) -> np.ndarray:
        drift = np.cumsum(rng.normal(size=(count, width)), axis=0)
        return np.asarray(drift / np.linalg.norm(drift, axis=1, keepdims=True).clip(1e-9))

    columns = max(1, round((1.5 * count) ** 0.5))
    cells = np.stack(np.divmod(np.arange(count), columns)[::-1], axis=1)
    artefacts: dict[str, np.ndarray] = {
        "pictures": np.array([list(bytes.fromhex(key)) for key in keys], np.uint8),
        "own": vectors(channels).astype(np.float16),
        "before": vectors(before).astype(np.float16) if before else np.zeros((count, 0), np.float16),
        "axes": vectors(64).astype(np.float16),
        "cells": cells.astype(np.int16),
        "colours": rng.normal(0, 0.1, (count, 3)).astype(np.float16),
    }
    made = Entry(f"{zlib.crc32(layer.encode()):08x}" + "cd" * 28, {"likeness": 1, "layer": layer}, b"", artefacts)
    store.put(made)
    return {"key": made.key, "checksum": made.checksum}


def wire(store: Store, below: tuple[str, int], above: tuple[str, int]) -> dict[str, str]:
    """What reading the weights from one layer to the next might have come to: names, and how many channels they have.

    Channel 1 of the lower layer excites and channel 6 inhibits many. Channel 2 of the upper layer has none that
    inhibits it, channel 3 none at all, and channel 8 one weight from each.
    """
    (name, given), (upper, count) = below, above
    rng = np.random.default_rng(count)
    strength = rng.normal(0, 0.4, (count, given))
    strength[:, 1] += 1.5
    strength[:, 6:7] -= 1.5
    strength[2] = np.abs(strength[2])
    strength[3] = 0
    window = (13, 13) if upper in ("mixed4", "mixed5", "mixed6", "mixed7") else (3, 5)
    share = strength / np.maximum(np.abs(strength).sum(axis=1, keepdims=True), 1e-9)
    artefacts = {}
    for side, sums in (("before", share), ("after", share.T)):
        rows = np.arange(len(sums))[:, None, None]
        order = np.stack([np.argsort(-sign * sums, axis=1, kind="stable")[:, :5] for sign in (1, -1)], axis=1)
        there = np.array([1, -1])[:, None] * sums[rows, order] > 0
        kernels = rng.normal(0, 0.1, (*order.shape, *window))
        kernels += (sums[rows, order] / kernels[0, 0, 0].size)[..., None, None] - kernels.mean((3, 4), keepdims=True)
        if side == "before":
            kernels[8, :, :, [0, 2]] = kernels[8, :, :, :, [0, 1, 3, 4]] = 0
        artefacts[f"{side}_0"] = np.where(there, order, -1).astype(np.int16)
        artefacts[f"{side}_share_0"] = np.where(there, sums[rows, order], 0).astype(np.float32)
        artefacts[f"{side}_slices_0"] = np.where(there[..., None, None], kernels, 0).astype(np.float16)
    note = "Activations between the two layers count as the identity."
    record = {"wiring": 2, "layer": upper, "before": [name], "notes": [note], "scales": [0.5]}
    made = Entry(f"{zlib.crc32(upper.encode()):08x}" + "ef" * 28, record, b"", artefacts)
    store.put(made)
    return {"key": made.key, "checksum": made.checksum}


def call(store: Store, layer: str, keys: list[str], classes: int) -> dict[str, str]:
    """What a network of so many classes might call some pictures, and what channels raise: of the first one nothing, of
    the second one everything."""
    count, rng = len(keys), np.random.default_rng(zlib.crc32(layer.encode()))
    logits = -np.sort(-rng.normal(0, 4, (count, classes)))[:, :5]
    slopes = np.sort(rng.normal(0, 1, (count, classes)))
    slopes[:1] -= slopes.max()
    slopes[1:2] -= slopes.min() - 1
    order = np.argsort(rng.normal(size=(count, classes))).astype(np.int32)
    artefacts: dict[str, np.ndarray] = {
        "pictures": np.array([list(bytes.fromhex(key)) for key in keys], np.uint8),
        "classes": order[:, :5],
        "logits": logits.astype(np.float32),
        "probabilities": (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32),
    }
    if layer != "predictions":
        artefacts |= {"raised": order[:, ::-1][:, :5], "raised_by": slopes[:, ::-1][:, :5].astype(np.float32)}
        artefacts |= {"lowered": order[:, :5], "lowered_by": slopes[:, :5].astype(np.float32)}
    record = {"classes": 1, "layer": layer, "sigmoid": False}
    made = Entry(f"{zlib.crc32(layer.encode()):08x}" + "09" * 28, record, b"", artefacts)
    store.put(made)
    return {"key": made.key, "checksum": made.checksum}


def hold(store: Store, layer: str, shown: list[int], channels: int) -> dict[str, str]:
    """What pictures by others of some channels might have come to: the first three the same, the next unclear, the
    others different; one could not be opened."""
    count = len(shown)
    verdict = np.array([0, 0, 0, 1, *[2] * count][:count], np.int8)
    artefacts: dict[str, np.ndarray] = {
        "channels": np.array(shown, np.int32),
        "theirs": np.linspace(3, 1, count).astype(np.float32),
        "ours": np.linspace(2, 4, count).astype(np.float32),
        "rank": np.array([0, 3, 1, 10, *range(30, 30 + count)][:count], np.int32),
        "our_rank": np.arange(count, dtype=np.int32),
        "alike": np.linspace(0.9, -0.2, count).astype(np.float32),
        "verdict": verdict,
        **{f"theirs-{row}": np.frombuffer(picture(500 + row), np.uint8) for row in range(count)},
    }
    said = "same" if count < 5 else "unclear"
    record = {"versus": 1, "layer": layer, "skipped": {"a<b>.png": "a file"}, "verdict": said, "others": channels - 1}
    record |= {"first": 0.03, "beyond": 0.06, "verdicts": ["same", "unclear", "different"]}
    made = Entry(f"{zlib.crc32(layer.encode()):08x}" + "0e" * 28, record, b"", artefacts)
    store.put(made)
    return {"key": made.key, "checksum": made.checksum}


def photograph(store: Store, names: tuple[str, ...], last: str, size: int = 96) -> dict[str, Any]:
    """Maps of all layers up to ``last`` on drawn photos, and what the record says. Channel 1 is active nowhere."""
    rows = OUTLINE[: [row[0] for row in OUTLINE].index(last) + 1]
    shown = []
    for number, name in enumerate(names):
        rng = np.random.default_rng(number)
        arrays: dict[str, np.ndarray] = {}
        for layer, channels, _, stride, _ in rows:
            side = min(56, size // stride)
            waves = np.cumsum(rng.normal(size=(channels, side, side)), axis=2)
            maps = np.maximum(255 * waves / np.abs(waves).max((1, 2), keepdims=True), 0).astype(np.uint8)
            maps[1] = 0
            largest = rng.uniform(0.5, 9, channels).astype(np.float32)
            largest[1] = 0
            arrays |= {f"{layer}/maps": maps, f"{layer}/largest": largest, f"{layer}/mean": largest / 8}
        grids = {layer: [size // stride, size // stride] for layer, _, _, stride, _ in rows}
        key = f"{number:08x}" + "0f" * 28
        store.put(Entry(key, {"photos": 1, "grids": grids}, picture(900 + number, size), arrays))
        checksum = (store.record(key) or {})["checksum"]
        label = name.split("/")[0] if "/" in name else ""
        shown.append({"name": name, "label": label, "key": key, "checksum": checksum})
    return {"layers": [row[0] for row in rows], "size": size, "shown": shown}


def make(
    store: Store,
    name: str = "toy",
    layers: dict[str, int] | None = None,
    *,
    recipes: tuple[str, ...] = ("main", "negative"),
    weights: str = "embedded",
    distinct: int = 1000,
    side: int = 128,
    notes: dict[str, dict[str, Any]] | None = None,
    class_names: tuple[str, ...] = (),
    photos: tuple[str, ...] = (),
    by: str = "",
    **site: Any,
) -> dict[str, Any]:
    """Fill the store with an atlas that shows the first channels of ``layers`` (name to number) and give its record.

    Of every layer channel 5 is dead, 6 failed and 7 missing. At most ``distinct`` pictures are drawn: the rest repeat.
    With ``class_names`` the network has a layer ``predictions`` of so many classes.
    ``photos`` are the names of photos with feature maps, ``by`` is who made pictures of the same channels.
    """
    layers = layers or {"mixed0": 16, "mixed2": 10}
    names = list(layers)
    drawn: dict[int, bytes] = {}
    outline = [*OUTLINE, *([("predictions", len(class_names), None, 1, "classes")] if class_names else [])]
    facts = {row[0]: row for row in outline}
    described = []
    for depth, (layer, shown) in enumerate(layers.items()):
        _, channels, field, stride, kind = facts[layer]
        listed: list[dict[str, Any]] = []
        mains: list[str] = []
        for channel in range(shown):
            renderings: dict[str, dict[str, Any]] = {}
            for order, which in enumerate(recipes):
                state = {5: "dead", 6: "failed", 7: "missing"}.get(channel, "activated") if order == 0 else "activated"
                renderings[which] = {"key": None, "state": state}
                if state == "failed":
                    renderings[which]["error"] = "the score became NaN at step 12; try a smaller rate"
                if state in ("activated", "dead"):
                    key = f"{depth * 1_000_000 + channel * 10 + order:08x}" + "ab" * 28
                    number = (depth * 7919 + channel * 2 + order) % distinct
                    if number not in drawn:
                        drawn[number] = picture(number, side)
                    sign = 1 if order == 0 else -1
                    store.put(entry(key, layer, channel, sign, state, drawn[number], side))
                    renderings[which] |= {"key": key, "checksum": (store.record(key) or {})["checksum"]}
            listed.append({"channel": channel, "renderings": renderings})
            mains += [key for key in [renderings[recipes[0]]["key"]] if key]
        before = facts[names[depth - 1]][1] if depth else 0
        found = {"likeness": compared} if (compared := compare(store, layer, mains, channels, before)) else {}
        if depth and kind != "classes":
            found["weights"] = wire(store, (names[depth - 1], before), (layer, channels))
        pictured = [one["channel"] for one in listed if one["renderings"][recipes[0]]["key"]]
        found |= {"versus": hold(store, layer, pictured, channels)} if by else {}
        found |= {"classes": call(store, layer, mains, len(class_names))} if class_names else {}
        described.append(
            {
                "name": layer,
                "channels": channels,
                "receptive_field": field,
                "stride": stride,
                "kind": kind,
                "relu": kind != "classes",
                "branches": branches(layer),
                "notes": (notes or {}).get(layer, {}),
                "found": found,
                "recipes": {which: recipe(1 if order == 0 else -1) for order, which in enumerate(recipes)},
                "whole": {},
                "channels_shown": listed,
            }
        )
    record = {
        "schema": 4,
        "name": name,
        "title": "InceptionV3, first look",
        "network": {
            "id": "inceptionv3",
            "title": "InceptionV3",
            "size": 299,
            "paper": "Szegedy et al. 2015, Rethinking the Inception Architecture for Computer Vision, https://arxiv.org/abs/1512.00567",
            "note": "",
            "asked": {"network": "inceptionv3", "weights": weights if weights != "random" else "random:7"},
        },
        "site": {"base_url": None, "accent": None, "footer": None, "zip": False, **site},
        "weights": {
            "kind": weights,
            "digest": "0" * 64,
            "description": "ImageNet, input to mixed4, 8 bit" if weights != "random" else "random, seed 7",
            "licence": "MIT, Apache-2.0" if weights != "random" else "",
            "seed": 7,
        },
        "kernel": 1,
        "recipes": list(recipes),
        "class_names": list(class_names) or None,
        "outline": [
            {
                "name": row[0],
                "channels": row[1],
                "receptive_field": row[2],
                "stride": row[3],
                "kind": row[4],
                "feature": row[4] != "pool",
                "relu": row[4] != "classes",
                "branches": branches(row[0]),
                "in_atlas": row[0] in layers,
            }
            for row in outline
        ],
        "layers": described,
        **({"photos": photograph(store, photos, list(layers)[-1])} if photos else {}),
        **({"compare": {"by": by, "publish": True}} if by else {}),
    }
    store.put_atlas(name, record)
    return record
