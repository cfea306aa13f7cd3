"""Why a channel's picture looks as it does: all that can be found out of one channel, at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np

from atlas.api.ask import ask_layer, loaded, whole
from atlas.api.guest import guest
from atlas.api.images import Exemplars, exemplars, one_part
from atlas.api.pictures import Maximized, maximize
from atlas.ascent.render import Rendering
from atlas.errors import NetworkError
from atlas.networks.class_names import class_names
from atlas.networks.load import Network
from atlas.probes import near
from atlas.probes.classes import named, raised
from atlas.probes.findings import company
from atlas.probes.look import Looked, respond
from atlas.probes.wiring import between, wiring

SAID = 5  # channels, classes and images of each kind


@dataclass(frozen=True)
class Label:
    """A label of the images: how many there are, and how far the picture is from the average of them."""

    name: str
    images: int
    cosine: float
    euclid: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """All that was found out of a channel. ``network`` is an id, or the path of a file.

    ``score_below`` and ``peak_below`` are the shares of images whose mean and whose largest activation stay below the
    picture's. ``labels`` come nearest first, by 1 minus the cosine of mean activations. ``together`` are channels of
    the layer with their correlation over the images. ``excited`` and ``inhibited`` are channels of the layer that feeds
    this one, with their shares of what it reads there; ``called`` are the classes that the network sees in the picture,
    with probabilities; ``raises`` and ``lowers`` are those whose logits the channel moves, per unit of mean activation.
    What does not apply is empty.
    """

    network: str
    layer: str
    channel: int
    picture: Maximized
    images: Exemplars
    score: float
    peak: float
    score_below: float
    peak_below: float
    labels: tuple[Label, ...]
    together: tuple[tuple[int, float], ...]
    fed_by: str = ""
    excited: tuple[tuple[int, float], ...] = ()
    inhibited: tuple[tuple[int, float], ...] = ()
    note: str = ""
    called: tuple[tuple[str, float], ...] = ()
    raises: tuple[tuple[str, float], ...] = ()
    lowers: tuple[tuple[str, float], ...] = field(default=())


@guest
def explain(
    network: str | Path,
    layer: str,
    channel: SupportsIndex,
    images: str | Path,
    *,
    weights: str | None = None,
    preprocessing: Any = None,
    classes: bool | None = None,
    recipe: str = "default",
    limit: int | None = None,
    seed: int = 0,
    names: str | None = None,
    **changes: Any,
) -> Explanation:
    """Find out why a channel's picture looks as it does: what real images excite it, which labels it is near to, which
    channels go with it and feed it, and what the network calls it.

    Parameters as of ``maximize`` and ``exemplars``; ``names`` is a file of class names; every
    further argument changes the recipe.

    Raises: ConfigError with every problem in the arguments; AtlasError when there are no images that can be shown.
    """
    channel = whole(channel, "channel")
    given = {"weights": weights, "preprocessing": preprocessing, "classes": classes}
    asked = ask_layer(network, layer, channel, {"base": recipe, **changes}, **given, class_names=names)
    request, facts = asked.request, asked.layer.facts
    net = loaded(request)
    found = exemplars(network, layer, images, channel, k=SAID, limit=limit, seed=seed, **given)
    picture = maximize(network, layer, channel, recipe=recipe, **given, **changes)
    own = respond(net.cut(facts.name), [picture.picture])
    parts = one_part(found.numbers, found.looked)
    with_it = company(parts, range(facts.channels))[0]
    called, raises, lowers = _classes(net, facts.name, channel, picture, class_names(request.ref, request.class_names))
    below, excited, inhibited, note = _weights(net, facts.name, channel)
    return Explanation(
        network=request.ref.network,
        layer=facts.name,
        channel=channel,
        picture=picture,
        images=found,
        score=float(own.mean[0, channel]),
        peak=float(own.largest[0, channel]),
        score_below=float((found.looked.mean[:, channel] < own.mean[0, channel]).mean()),
        peak_below=float((found.looked.largest[:, channel] < own.largest[0, channel]).mean()),
        labels=_labels(found, own),
        together=_pairs(with_it.channel[channel], with_it.value[channel]),
        fed_by=below,
        excited=excited,
        inhibited=inhibited,
        note=note,
        called=called,
        raises=raises,
        lowers=lowers,
    )


Pairs = tuple[tuple[int, float], ...]
Said = tuple[tuple[str, float], ...]


def _pairs(numbers: np.ndarray, values: np.ndarray) -> Pairs:
    rows = zip(numbers.tolist(), values.tolist(), strict=True)
    return tuple((number, value) for number, value in rows if number >= 0)[:SAID]


def _labels(found: Exemplars, own: Looked) -> tuple[Label, ...]:
    names, places = near.in_order([source.label for source in found.sources])
    parts = one_part(found.numbers, found.looked)
    apart = near.distances(own.mean.astype(np.float64), parts, places, len(names))
    rows = zip(names, apart.counts.tolist(), apart.cosine[0].tolist(), apart.euclid[0].tolist(), strict=True)
    return tuple(sorted((Label(*row) for row in rows if row[1]), key=lambda label: label.cosine))


def _weights(network: Network, layer: str, channel: int) -> tuple[str, Pairs, Pairs, str]:
    """The layer that feeds this one, and of it the channels that excite and inhibit the channel most."""
    names = [one.name for one in network.facts.layers if one.feature]
    below = between(network, names).get(layer, ())
    if not below:
        return "", (), (), ""
    found = wiring(network, below[0], layer, SAID)
    rows = [(numbers, found.share[channel][numbers]) for numbers in found.before[channel]]
    excited, inhibited = (_pairs(numbers, values) for numbers, values in rows)
    return below[0], excited, inhibited, found.note


def _classes(
    network: Network, layer: str, channel: int, picture: Rendering, names: Sequence[str] | None
) -> tuple[Said, Said, Said]:
    """What the network calls the picture, and which classes the channel raises and lowers."""
    called = named(network, [picture.picture], SAID)
    if called is None:
        return (), (), ()
    said = _said(called.classes[0], called.probabilities[0], names)
    if _is_head(network, layer):
        return said, (), ()
    try:
        moved = raised(network, layer, [picture.picture], [channel], SAID)
    except NetworkError:  # pictures are resized behind the layer
        return said, (), ()
    if moved is None:
        return said, (), ()
    up = [one for one in _said(moved.raised[0], moved.raised_by[0], names) if one[1] > 0]
    down = [one for one in _said(moved.lowered[0], moved.lowered_by[0], names) if one[1] < 0]
    return said, tuple(up), tuple(down)


def _is_head(network: Network, layer: str) -> bool:
    head = network.graph.logits()
    return head is not None and head[0] == layer


def _said(classes: np.ndarray, values: np.ndarray, names: Sequence[str] | None) -> Said:
    rows = zip(classes.tolist(), values.tolist(), strict=True)
    return tuple((names[number] if names else f"class {number}", value) for number, value in rows)
