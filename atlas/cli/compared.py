"""What came of comparing with pictures by others: as data, and in sentences."""

from collections.abc import Iterator
from typing import Any

from atlas.cli.prepare import Prepared

TOLD = 12  # channels that are told of one by one, those that agree least


def compared(prepared: Prepared) -> dict[str, Any]:
    """Verdicts and numbers of every layer that was compared, and which pictures were left out and why."""
    from atlas.engine.versus import NAME
    from atlas.probes.versus import VERDICTS

    layers = []
    found = prepared.outcome.found.get(NAME, {})
    for layer in (one.facts.name for one in prepared.request.layers):
        done = found.get(layer)
        if done is None or not done.checksum:
            continue
        entry = prepared.store.get(done.key)
        arrays, skipped = entry.artefacts, entry.record["skipped"]
        channels: list[dict[str, Any]] = []
        if "channels" in arrays:
            names = ("channels", "theirs", "ours", "rank", "alike", "verdict")
            for channel, theirs, ours, rank, alike, verdict in zip(
                *(arrays[name].tolist() for name in names), strict=True
            ):
                channels.append(
                    {
                        "channel": channel,
                        "verdict": VERDICTS[verdict],
                        "rank": rank,
                        "others": entry.record["others"],
                        "alike": round(alike, 4),
                        "theirs": round(theirs, 5),
                        "ours": round(ours, 5),
                    }
                )
        layers.append(
            {
                "layer": layer,
                "verdict": entry.record.get("verdict"),
                **{word: sum(one["verdict"] == word for one in channels) for word in VERDICTS},
                "ours_at_least_theirs": sum(one["ours"] >= one["theirs"] for one in channels),
                "skipped": skipped,
                "channels": channels,
            }
        )
    return {"by": prepared.request.compare.by, "layers": layers, "more": list(prepared.build.theirs.more)}


def sentences(found: dict[str, Any]) -> Iterator[str]:
    """The same for people: a line for each layer, and one for each of the channels that agree least."""
    every = [(layer["layer"], one) for layer in found["layers"] for one in layer["channels"]]
    for layer in found["layers"]:
        count = len(layer["channels"])
        if count:
            counts = ", ".join(f"{layer[word]} {word}" for word in ("same", "unclear", "different") if layer[word])
            yield (
                f"{layer['layer']} beside {found['by']}: {layer['verdict']} ({counts} of {count}); "
                f"our score is at least theirs for {layer['ours_at_least_theirs']}"
            )
        yield from (f"skipped: {name}: expected an image, received {why}" for name, why in layer["skipped"].items())
    apart = sorted(every, key=lambda pair: -pair[1]["rank"] / max(1, pair[1]["others"]))
    for layer, one in [pair for pair in apart if len(every) <= TOLD or pair[1]["verdict"] != "same"][:TOLD]:
        yield (
            f"  {layer} {one['channel']}: {one['verdict']}, rank {one['rank']} among {one['others']:,} others, "
            f"alike {one['alike']:.2f}, score {one['theirs']:.3g} theirs, {one['ours']:.3g} ours"
        )
    if found["more"]:
        yield f"left out: {len(found['more'])} more pictures of the same channels, such as {found['more'][0]}"
