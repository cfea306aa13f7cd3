"""What all real images tell of a layer, once it was shown all of their parts: one entry of the store for each layer."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.canonical import digest
from atlas.engine.batches import Setting, Study
from atlas.engine.encode import pixels, stored
from atlas.engine.mains import Mains, keys_of
from atlas.engine.probing import IMAGES, Probing
from atlas.probes import near
from atlas.probes.findings import Parts, company, find
from atlas.probes.look import Looked, respond
from atlas.probes.sheets import TILE, rows, sheets
from atlas.spec.facts import LayerFacts
from atlas.spec.plan import Job
from atlas.store.entry import Entry
from atlas.store.store import Store

if TYPE_CHECKING:
    from atlas.networks.load import Network

NAME = "images"  # the kind of study
VERSION = 1  # of what is computed here: it is part of every key
FEWEST = 2  # images that there is something to say of
TOLD = 20  # images that could not be shown, by name


@dataclass(frozen=True)
class Finding(Study):
    """What all images tell of a layer. ``looks`` are the entries of its parts, ``images`` those of the images
    themselves, none where they are not published. ``pictures`` are the main pictures of the layer's ``channels``.
    ``before`` is the layer before it that the atlas has, with its own looks and channels.
    """

    probing: Probing
    facts: LayerFacts
    looks: tuple[str, ...]
    images: tuple[str, ...]
    channels: tuple[int, ...]
    pictures: tuple[str, ...]
    before: tuple[str, tuple[str, ...], tuple[int, ...]] | None

    @property
    def shown(self) -> tuple[str, ...]:
        """The layers that must have been shown the images."""
        return (self.layer,) if self.before is None else (self.before[0], self.layer)

    def entries(self, network: "Network", store: Store, wanted: Sequence[Job]) -> Iterator[Entry]:
        """The one entry: arrays of ``findings.Findings``, of the pictures, of labels, and the sheets of the pages.

        One thread throughout, for the same bytes on every run.
        """
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            record, arrays = self._found(network, store)
        yield Entry(wanted[0].key, record, b"", arrays)

    def _found(self, network: "Network", store: Store) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        parts = self._parts(store, self.looks)
        numbers = [number for some, _ in parts() for number in some.tolist()]
        count = len(numbers)
        if count < FEWEST:
            raise ValueError(f"expected at least {FEWEST} images that can be shown, received {count}")
        labels = [""] * len(self.probing.sources)
        for number in numbers:
            labels[number] = self.probing.sources[number].label
        names, places = near.in_order(labels)
        found = find(parts, count, self.channels, self.probing.options.exemplars)
        arrays = {**vars(found), **self._pictures(network, store, parts, places)}
        [arrays["with"], arrays["with_value"]] = vars(company(parts, self.channels)[0]).values()
        if self.before:
            _, looks, channels = self.before
            across = company(parts, self.channels, self._parts(store, looks), channels)
            for name, one in zip(("before", "after"), across, strict=True):
                arrays[name], arrays[f"{name}_value"] = one.channel, one.value
        grid = next(one.grid for _, one in parts())
        if self.images:
            drawn = list(sheets(found, self._image(store), grid, self.facts.receptive_field))
            arrays["sheets"] = stored(b"".join(drawn))
            arrays["sheet_ends"] = np.cumsum([len(one) for one in drawn])
        arrays["channels"], arrays["keys"] = np.array(self.channels, np.int32), keys_of(self.pictures)
        arrays["told"] = self._told(arrays, names)
        tiles = {"side": TILE, "rows": rows(self.facts.receptive_field, self.probing.size)}
        skipped = self.probing.skipped(store, self.layer)
        about = {"images": count, "grid": list(grid), "tiles": tiles, "layout": self.probing.options.layout}
        record = {NAME: VERSION, "layer": self.layer, **about}
        told = skipped[:TOLD] if self.probing.options.publish_images else []
        return {**record, "skipped": len(skipped), "skipped_names": told}, arrays

    def _parts(self, store: Store, looks: tuple[str, ...]) -> Parts:
        def parts() -> Iterator[tuple[np.ndarray, Looked]]:
            for part, entry in zip(self.probing.parts, store.get_all(looks), strict=True):
                arrays = dict(entry.artefacts)
                numbers = arrays.pop("numbers")
                if len(numbers):
                    yield np.array(part, np.int32)[numbers], Looked(tuple(entry.record["grid"]), **arrays)

        return parts

    def _pictures(self, network: "Network", store: Store, parts: Parts, labels: np.ndarray) -> dict[str, np.ndarray]:
        """What the layer makes of its own pictures, and how that lies to the images, whose ``labels`` are numbers."""
        shown = (pixels(entry.picture) for entry in store.get_all(self.pictures))
        own = respond(network.cut(self.layer), shown)
        chosen, rows = np.array(self.channels), np.arange(len(self.channels))
        score, peak = own.mean[rows, chosen], own.largest[rows, chosen]
        drawn = near.sample(labels, self.probing.options.seed)
        below = np.zeros((2, len(chosen)))
        vectors = np.zeros((len(drawn), own.mean.shape[1]), np.float32)
        total, seen = 0, np.zeros(len(drawn), bool)
        for numbers, one in parts():
            below += (one.mean[:, chosen] < score).sum(0), (one.largest[:, chosen] < peak).sum(0)
            total += len(numbers)
            _, mine, theirs = np.intersect1d(drawn, numbers, return_indices=True)
            vectors[mine], seen[mine] = one.mean[theirs], True
        apart = near.distances(own.mean.astype(np.float64), parts, labels, int(labels.max(initial=-1)) + 1)
        laid = near.layout(
            np.concatenate([own.mean, vectors[seen]]), self.probing.options.layout, self.probing.options.seed
        )
        return {
            "score": score,
            "peak": peak,
            "score_below": (below[0] / total).astype(np.float32),
            "peak_below": (below[1] / total).astype(np.float32),
            "label_images": apart.counts,
            "euclid": apart.euclid,
            "cosine": apart.cosine,
            "map": laid,
            "map_images": drawn[seen].astype(np.int32),
        }

    def _image(self, store: Store) -> Any:
        """A function that gives an image as it was shown to the network, by its number."""
        parts = enumerate(self.probing.parts)
        places = {number: (part, index) for part, numbers in parts for index, number in enumerate(numbers)}
        entries: dict[int, Entry] = {}

        def image(number: int) -> np.ndarray:
            part, index = places[number]
            if part not in entries:
                entries.clear()
                entries[part] = store.get(self.images[part])
            return pixels(entries[part].artefacts[str(index)].tobytes())

        return image

    def _told(self, arrays: Mapping[str, np.ndarray], labels: list[str]) -> np.ndarray:
        """Names and labels of what is shown, and all ``labels``, as JSON in bytes."""
        shown = np.unique(np.concatenate([arrays[name].ravel() for name in ("top", "spread", "map_images")]))
        sources, published = self.probing.sources, self.probing.options.publish_images
        told = {
            "images": {int(one): [sources[one].name if published else "", sources[one].label] for one in shown},
            "labels": labels,
        }
        return stored(json.dumps(told, sort_keys=True).encode())


def findings(layers: Sequence[Mains], setting: Setting, probing: Probing) -> list[Finding]:
    """What there is to find out of every layer of which all main pictures were tried."""
    found: list[Finding] = []
    before: tuple[str, tuple[str, ...], tuple[int, ...]] | None = None
    images = probing.looks(IMAGES) if probing.options.publish_images else ()
    for one in layers:
        looks = probing.looks(one.layer)
        if one.pictures:
            about = {
                NAME: VERSION,
                "before": before,
                "images": probing.told,
                "looks": looks,
                "options": probing.options.model_dump(exclude={"images", "limit", "photos"}),
                "pictures": one.identity,
                "sight": one.facts.receptive_field,
            }
            found.append(
                Finding(
                    setting,
                    layer=one.layer,
                    recipe_name=NAME,
                    jobs=(Job(None, digest(about)),),
                    probing=probing,
                    facts=one.facts,
                    looks=looks,
                    images=images,
                    channels=one.channels,
                    pictures=one.keys,
                    before=before,
                )
            )
        before = one.layer, looks, one.asked
    return found
