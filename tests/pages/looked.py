"""What real images might have told of the layers of a drawn atlas: made by the real code, of numbers that are drawn."""

import json
import zlib
from typing import Any

import numpy as np

from atlas.probes import near
from atlas.probes.findings import company, find
from atlas.probes.look import Looked
from atlas.probes.sheets import TILE, rows, sheets
from atlas.store.entry import Entry
from atlas.store.store import Store

IMAGES, SIDE, GRID = 12, 64, (7, 7)
LABELS = ["cats", "dogs", ""]


def looked(channels: int, exemplars: int, seed: int) -> Looked:
    """What a layer made of the images; channel 3 is silent."""
    rng = np.random.default_rng(seed)
    maps = np.maximum(rng.normal(0, 1, (IMAGES, *GRID, channels)), 0).astype(np.float32)
    maps[..., 3] = 0
    flat = maps.reshape(IMAGES, -1, channels)
    place = np.stack(np.unravel_index(flat.argmax(axis=1), GRID), axis=-1).astype(np.uint16)
    best = np.argsort(-flat.max(axis=1), axis=0, kind="stable")[:exemplars].astype(np.int32)
    small = np.stack([[maps[image, :, :, channel] for channel, image in enumerate(row)] for row in best])
    levels = (255 * small / small.max(axis=(2, 3), keepdims=True).clip(1e-9)).astype(np.uint8)
    return Looked(GRID, flat.max(axis=1), place, flat.mean(axis=1), (flat > 0).mean(axis=1), best, levels)


def with_images(store: Store, record: dict[str, Any], *, published: bool = True, exemplars: int = 4) -> dict[str, Any]:
    """The record of an atlas with what the images tell of each of its layers, which is put into the store."""
    before = None
    for layer in record["layers"]:
        name, depth = layer["name"], layer["channels"]
        seed = zlib.crc32(name.encode())
        one = looked(depth, exemplars, seed)

        def parts(one: Looked = one) -> Any:
            yield np.arange(IMAGES, dtype=np.int32), one

        made = [row["channel"] for row in layer["channels_shown"] if row["renderings"]["main"]["key"]]
        found = find(parts, IMAGES, made, exemplars)
        own = np.random.default_rng(seed + 1).uniform(0, 1, (len(made), depth))
        names, labels = near.in_order([LABELS[number % 3] for number in range(IMAGES)])
        apart = near.distances(own, parts, labels, len(names))
        score, peak = own[np.arange(len(made)), made], own[np.arange(len(made)), made] * 3
        arrays = {
            **vars(found),
            "score": score.astype(np.float32),
            "peak": peak.astype(np.float32),
            "score_below": (one.mean[:, made] < score).mean(axis=0).astype(np.float32),
            "peak_below": (one.largest[:, made] < peak).mean(axis=0).astype(np.float32),
            "label_images": apart.counts,
            "euclid": apart.euclid,
            "cosine": apart.cosine,
            "map": near.layout(np.concatenate([own, one.mean]), "pca", 0),
            "map_images": np.arange(IMAGES, dtype=np.int32),
            "channels": np.array(made, np.int32),
        }
        [mates] = company(parts, made)
        arrays["with"], arrays["with_value"] = mates.channel, mates.value
        shown = [row["channel"] for row in layer["channels_shown"]]
        if before:
            for kind, mates in zip(("before", "after"), company(parts, made, *before), strict=True):
                arrays[kind], arrays[f"{kind}_value"] = mates.channel, mates.value
        sight = layer["receptive_field"]
        if published:
            photos = np.random.default_rng(7).integers(0, 256, (IMAGES, SIDE, SIDE, 3), np.uint8)
            drawn = list(sheets(found, lambda number, photos=photos: photos[number], GRID, sight))
            arrays["sheets"] = np.frombuffer(b"".join(drawn), np.uint8)
            arrays["sheet_ends"] = np.cumsum([len(sheet) for sheet in drawn])
        images = {number: [f"{number}.jpg" if published else "", LABELS[number % 3]] for number in range(IMAGES)}
        told = {"images": images, "labels": names}
        arrays["told"] = np.frombuffer(json.dumps(told, sort_keys=True).encode(), np.uint8)
        about = {"images": IMAGES, "grid": list(GRID), "layout": "pca"}
        about["tiles"] = {"side": TILE, "rows": rows(sight, SIDE)}
        entry = Entry(f"{seed:08x}" + "ef" * 28, {"images": 1, "layer": name, **about}, b"", arrays)
        store.put(entry)
        layer["found"]["images"] = {"key": entry.key, "checksum": entry.checksum}
        before = parts, shown
    return record
