"""What came of comparing with pictures by others: as data, and in sentences."""

from collections.abc import Iterator
from typing import Any

from atlas.cli.prepare import Prepared, called
from atlas.cli.progress import skipped
from atlas.microscope import NAME as MICROSCOPE

TOLD = 12  # channels that are told of one by one, those that agree least
NUMBERS = ("channels", "verdict", "rank", "our_rank", "alike", "theirs", "ours")


def refused(prepared: Prepared) -> str:
    """Why nothing of the atlas can ever be compared, before anything is rendered; empty where something can."""
    from atlas.engine.versus import too_few

    return str(prepared.build.theirs.none) or too_few(sum(len(layer.channels) for layer in prepared.request.layers))


def compared(prepared: Prepared) -> dict[str, Any]:
    """Verdicts and numbers of every layer that was compared, with what is ``known`` of Microscope's; pictures that were
    left out; and, where nothing was compared, ``why``."""
    from atlas.engine.mains import mains
    from atlas.engine.versus import NAME, why_not

    theirs, found = prepared.build.theirs, prepared.outcome.found.get(NAME, {})
    by = prepared.request.compare.by
    done = [(layer.facts.name, place, found.get(layer.facts.name)) for layer, place in called(prepared.request)]
    return {
        "by": by,
        "why": why_not(mains(prepared.whole, prepared.outcome.done), theirs),
        "layers": [
            {**_layer(layer, prepared.store.get(one.key)), "known": place.badge if place and by == MICROSCOPE else None}
            for layer, place, one in done
            if one and one.checksum
        ],
        "more": list(theirs.more),
        "unknown": list(theirs.unknown),
    }


def _layer(layer: str, entry: Any) -> dict[str, Any]:
    from atlas.pages.numbers import rounded

    record, channels = entry.record, []
    columns = [entry.artefacts[name].tolist() for name in NUMBERS] if "channels" in entry.artefacts else []
    for channel, verdict, rank, our_rank, alike, theirs, ours in zip(*columns, strict=True):
        row = {"channel": channel, "verdict": record["verdicts"][verdict], "rank": rank, "our_rank": our_rank}
        numbers = {"alike": alike, "theirs": theirs, "ours": ours}
        channels.append({**row, "others": record["others"], **{key: rounded(one) for key, one in numbers.items()}})
    return {
        "layer": layer,
        "verdict": record.get("verdict"),
        **{word: sum(one["verdict"] == word for one in channels) for word in record["verdicts"]},
        "ours_at_least_theirs": sum(one["ours"] >= one["theirs"] for one in channels),
        "skipped": record["skipped"],
        "channels": channels,
    }


def sentences(found: dict[str, Any]) -> Iterator[str]:
    """The same for people: a line for each layer, and one for each of the channels that agree least."""
    if not found["layers"] and found["why"]:
        yield f"not compared with {found['by']}: {found['why']}"
    for layer in found["layers"]:
        if count := len(layer["channels"]):
            counts = ", ".join(f"{layer[word]} {word}" for word in ("same", "unclear", "different") if layer[word])
            known = f" ({layer['known']})" if layer["known"] else ""
            yield (
                f"{layer['layer']} beside {found['by']}{known}: {layer['verdict']} ({counts} of {count}); "
                f"our score is at least theirs for {layer['ours_at_least_theirs']}"
            )
        yield from skipped(layer["skipped"])
    every = [(layer["layer"], one) for layer in found["layers"] for one in layer["channels"]]
    apart = sorted(every, key=lambda pair: -pair[1]["rank"] / max(1, pair[1]["others"]))
    for name, one in [pair for pair in apart if len(every) <= TOLD or pair[1]["verdict"] != "same"][:TOLD]:
        place = f"place {one['rank'] + 1} of {one['others'] + 1:,} (ours {one['our_rank'] + 1})"
        score = f"score theirs {one['theirs']:.3g}, ours {one['ours']:.3g}"
        yield f"  {name} {one['channel']}: {one['verdict']}, {place}, alike {one['alike']:.2f}, {score}"
    left = {"of channels that have another already": found["more"], "of other names": found["unknown"]}
    for said, names in left.items():
        if names:
            yield f"left out, {said}: {len(names):,}, the first {names[0]}"
