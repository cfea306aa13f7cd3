"""Real images through the network: parts of the images first, all layers at once, and then what all of them tell of
each layer. Both are kept in the store, under keys of the files' contents: images that stay are looked at once."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from atlas.canonical import digest
from atlas.engine.batches import Study
from atlas.engine.compare import keys_of, made, mains, pixels
from atlas.engine.worker import Done
from atlas.engine.worker import network as loaded
from atlas.probes import near
from atlas.probes.findings import Parts, company, find
from atlas.probes.images import Source
from atlas.probes.look import Looked, Probe, pictures, respond
from atlas.probes.sheets import TILE, rows, sheets
from atlas.spec.config import Compute
from atlas.spec.facts import LayerFacts, NetworkRef
from atlas.spec.plan import Job, Plan
from atlas.spec.probing import Probes
from atlas.store.entry import Entry
from atlas.store.store import Store

if TYPE_CHECKING:
    from atlas.networks.load import Network

LOOK, NAME = "looks", "images"  # kinds of study: of a part of the images, and of a layer
VERSION = 1  # of what is computed here: it is part of every key
PART = 128  # images of a part, at most
SPLITS = 32  # times that parts are halved, at most: images of one content stay together
FEWEST = 2  # images that there is something to say of
TOLD = 20  # images that could not be shown, by name
IMAGES = ""  # in the place of a layer: the images themselves
QUALITY = 82  # of the images as they are kept for the pages, WebP


@dataclass(frozen=True)
class Probing:
    """The images of a build, and how they are looked at: ``size`` px a side, by the network that ``identity`` names.

    ``sources`` are in the order of their contents, as ``probes.images`` finds them.
    """

    identity: str
    sources: tuple[Source, ...]
    options: Probes
    size: int

    @cached_property
    def parts(self) -> list[tuple[int, ...]]:
        """The images' numbers in parts, by their contents: one part changes when an image comes or goes, or becomes two
        or one."""
        waiting: list[tuple[tuple[int, ...], str]] = [(tuple(range(len(self.sources))), "")]  # with how digests begin
        found = []
        while waiting:
            part, start = waiting.pop()
            if len(part) <= PART or len(start) == SPLITS:
                found.append(part)
                continue
            for bit in "10":
                own = tuple(number for number in part if self._bits[number].startswith(start + bit))
                waiting += [(own, start + bit)] if own else []
        return found

    @cached_property
    def _bits(self) -> list[str]:
        return [f"{int(source.digest[: SPLITS // 4] or '0', 16):0{SPLITS}b}" for source in self.sources]

    def looks(self, layer: str) -> tuple[str, ...]:
        """The keys of what a layer makes of each part; of the images themselves for IMAGES."""
        about = {
            LOOK: VERSION,
            "crop": self.options.crop,
            "layer": layer,
            "network": self.identity if layer else "",
            "size": self.size,
            **({"exemplars": self.options.exemplars} if layer else {}),
        }
        return tuple(
            digest({**about, "images": [self.sources[number].digest for number in part]}) for part in self.parts
        )

    def skipped(self, store: Store, layer: str) -> list[list[str]]:
        """Names of the images that could not be shown to a layer, and why; of the parts that it was tried with."""
        found = [
            [self.sources[part[int(index)]].name, why]
            for part, record in zip(self.parts, store.records(self.looks(layer)), strict=True)
            for index, why in (record or {}).get("skipped", {}).items()
        ]
        return sorted(found)


@dataclass(frozen=True)
class Look(Study):
    """Some images to be looked at: each of the jobs is of one of ``layers``, IMAGES for the images themselves."""

    layers: Mapping[str, str]
    sources: tuple[Source, ...]
    options: Probes
    size: int

    def entries(self, network: "Network", store: Store, wanted: Sequence[Job]) -> Iterator[Entry]:
        """What each wanted layer makes of the images, see ``probes.look``, and the images as they were shown to it."""
        keys = {self.layers[job.key]: job.key for job in wanted}
        skipped: dict[str, str] = {}
        kept: dict[str, np.ndarray] = {}

        def read() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for numbers, shown in pictures(self.sources, self.size, self.options.crop, note):
                if IMAGES in keys:
                    kept.update(zip(map(str, numbers.tolist()), map(as_webp, shown), strict=True))
                yield numbers, shown

        def note(source: Source, why: str) -> None:
            skipped[str(self.sources.index(source))] = why

        layers = tuple(layer for layer in keys if layer != IMAGES)
        probe = _probe(self.ref, self.weights_digest, layers, self.size, self.options.exemplars) if layers else None
        numbers, found = probe.look(read()) if probe else (np.array([one for some, _ in read() for one in some]), {})
        record = {LOOK: VERSION, "skipped": skipped}
        for layer in layers:
            looked: dict[str, Any] = dict(vars(found[layer])) if found else {"grid": None}
            about = {**record, "layer": layer, "grid": looked.pop("grid")}
            yield Entry(keys[layer], about, b"", {"numbers": numbers, **looked})
        if IMAGES in keys:
            yield Entry(keys[IMAGES], record, b"", kept)


@lru_cache(maxsize=1)
def _probe(ref: NetworkRef, weights_digest: str, layers: tuple[str, ...], size: int, exemplars: int) -> Probe:
    """The probe that a worker keeps from part to part: its graph is traced once."""
    return Probe(loaded(ref, weights_digest).cut(layers[0], also=layers[1:]), size, exemplars)


def as_webp(shown: np.ndarray) -> np.ndarray:
    """An image ``(h, w, 3) uint8`` as it is kept for the pages: a WebP file, ``(bytes,) uint8``."""
    buffer = io.BytesIO()
    Image.fromarray(shown).save(buffer, "WEBP", quality=QUALITY, method=0)
    return np.frombuffer(buffer.getvalue(), np.uint8)


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
    before: tuple[tuple[str, ...], tuple[int, ...]] | None

    def entries(self, network: "Network", store: Store, wanted: Sequence[Job]) -> Iterator[Entry]:
        """The one entry: arrays of ``findings.Findings``, of the pictures, of labels, and the sheets of the pages."""
        parts = self._parts(store, self.looks)
        count = sum(len(numbers) for numbers, _ in parts())
        if count < FEWEST:
            raise ValueError(f"expected at least {FEWEST} images that can be shown, received {count}")
        found = find(parts, count, self.channels, self.probing.options.exemplars)
        arrays = {**vars(found), **self._pictures(network, store, parts)}
        [arrays["with"], arrays["with_value"]] = vars(company(parts, self.channels)[0]).values()
        if self.before:
            looks, channels = self.before
            across = company(parts, self.channels, self._parts(store, looks), channels)
            for name, one in zip(("before", "after"), across, strict=True):
                arrays[name], arrays[f"{name}_value"] = one.channel, one.value
        grid = next(one.grid for _, one in parts())
        if self.images:
            drawn = list(sheets(found, self._image(store), grid, self.facts.receptive_field))
            arrays["sheets"] = np.frombuffer(b"".join(drawn), np.uint8)
            arrays["sheet_ends"] = np.cumsum([len(one) for one in drawn])
        arrays["channels"], arrays["keys"] = np.array(self.channels, np.int32), keys_of(self.pictures)
        arrays["told"] = self._told(arrays)
        tiles = {"side": TILE, "rows": rows(self.facts.receptive_field, self.probing.size)}
        skipped = self.probing.skipped(store, self.layer)
        about = {"images": count, "grid": list(grid), "tiles": tiles, "layout": self.probing.options.layout}
        record = {NAME: VERSION, "layer": self.layer, **about}
        told = skipped[:TOLD] if self.probing.options.publish_images else []
        yield Entry(wanted[0].key, {**record, "skipped": len(skipped), "skipped_names": told}, b"", arrays)

    def _parts(self, store: Store, looks: tuple[str, ...]) -> Parts:
        def parts() -> Iterator[tuple[np.ndarray, Looked]]:
            for part, entry in zip(self.probing.parts, store.get_all(looks), strict=True):
                arrays = dict(entry.artefacts)
                numbers = arrays.pop("numbers")
                if len(numbers):
                    yield np.array(part, np.int32)[numbers], Looked(tuple(entry.record["grid"]), **arrays)

        return parts

    def _pictures(self, network: "Network", store: Store, parts: Parts) -> dict[str, np.ndarray]:
        """What the layer makes of its own pictures, and how that lies to the images."""
        shown = (pixels(entry.picture) for entry in store.get_all(self.pictures))
        own = respond(network.cut(self.layer), shown)
        chosen, rows = np.array(self.channels), np.arange(len(self.channels))
        score, peak = own.mean[rows, chosen], own.largest[rows, chosen]
        names, labels = near.in_order([source.label for source in self.probing.sources])
        drawn = near.sample(labels, self.probing.options.seed)
        below = np.zeros((2, len(chosen)))
        vectors = np.zeros((len(drawn), own.mean.shape[1]), np.float32)
        total, seen = 0, np.zeros(len(drawn), bool)
        for numbers, one in parts():
            below += (one.mean[:, chosen] < score).sum(0), (one.largest[:, chosen] < peak).sum(0)
            total += len(numbers)
            _, mine, theirs = np.intersect1d(drawn, numbers, return_indices=True)
            vectors[mine], seen[mine] = one.mean[theirs], True
        apart = near.distances(own.mean.astype(np.float64), parts, labels, len(names))
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

    def _told(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """Names and labels of what is shown, as JSON in bytes."""
        shown = np.unique(np.concatenate([arrays[name].ravel() for name in ("top", "spread", "map_images")]))
        sources, published = self.probing.sources, self.probing.options.publish_images
        names, _ = near.in_order([source.label for source in sources])
        told = {
            "images": {int(one): [sources[one].name if published else "", sources[one].label] for one in shown},
            "labels": names,
        }
        return np.frombuffer(json.dumps(told, sort_keys=True).encode(), np.uint8)


def findings(
    plan: Plan, done: Mapping[str, Done], store: Store, compute: Compute, weights_digest: str, probing: Probing
) -> list[Finding]:
    """What there is to find out of every layer of which all main pictures were tried."""
    found: list[Finding] = []
    before: tuple[tuple[str, ...], tuple[int, ...]] | None = None
    images = probing.looks(IMAGES) if probing.options.publish_images else ()
    for name, group in mains(plan).items():
        looks, there = probing.looks(name), made(group, done)
        if there and all(job.key in done for job in group.jobs):
            key = digest(
                {
                    NAME: VERSION,
                    "before": before,
                    "images": [[one.digest, one.label, one.name] for one in probing.sources],
                    "looks": looks,
                    "options": probing.options.model_dump(exclude={"images", "limit", "photos"}),
                    "pictures": [[one.key, one.checksum] for one in there],
                    "sight": group.layer.receptive_field,
                }
            )
            found.append(
                Finding(
                    ref=plan.ref,
                    weights_digest=weights_digest,
                    layer=name,
                    recipe_name=NAME,
                    jobs=(Job(None, key),),
                    store=store.address,
                    threads=compute.threads_per_worker,
                    device=compute.device,
                    probing=probing,
                    facts=group.layer,
                    looks=looks,
                    images=images,
                    channels=tuple(one.channel or 0 for one in there),
                    pictures=tuple(one.key for one in there),
                    before=before,
                )
            )
        before = looks, tuple(job.channel or 0 for job in group.jobs)
    return found


def looks(wanted: Sequence[Finding], store: Store) -> list[Look]:
    """The parts of the images that have to be looked at before all of that can be found out, by which layers."""
    if not wanted:
        return []
    one, probing = wanted[0], wanted[0].probing
    layers = [finding.layer for finding in wanted] + ([IMAGES] if one.images else [])
    keys = {layer: probing.looks(layer) for layer in layers}
    flat = [key for layer in layers for key in keys[layer]]
    missing = {key for key, record in zip(flat, store.records(flat), strict=True) if record is None}
    return [
        Look(
            ref=one.ref,
            weights_digest=one.weights_digest,
            layer=NAME,
            recipe_name=LOOK,
            jobs=tuple(Job(None, key) for key in own),
            store=one.store,
            threads=one.threads,
            device=one.device,
            layers=own,
            sources=tuple(probing.sources[number] for number in part),
            options=probing.options,
            size=probing.size,
        )
        for place, part in enumerate(probing.parts)
        if (own := {keys[layer][place]: layer for layer in layers if keys[layer][place] in missing})
    ]
