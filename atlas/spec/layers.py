"""Which layers and channels a configuration chooses, in the network's own order, each once."""

import fnmatch
from collections.abc import Mapping

from atlas.spec import marks
from atlas.spec.config import Config, parse_channels
from atlas.spec.facts import LayerFacts, NetworkFacts, NetworkRef
from atlas.spec.objectives import Channel, Class, Direction, Neuron
from atlas.spec.problems import Problems, no_layer
from atlas.spec.recipe import Recipe, automatic_size, canvas, octave_sizes
from atlas.spec.request import Catalog, LayerRequest


def choose_layers(
    config: Config,
    ref: NetworkRef,
    facts: NetworkFacts,
    recipes: Mapping[str, Recipe],
    limit: int | None,
    catalog: Catalog,
    problems: Problems,
) -> tuple[LayerRequest, ...]:
    """The layers of a configuration with their channels and recipes; what is wrong is noted in ``problems``.

    A pattern means layers that are listed, a name any layer. Without ``layers`` it is every feature layer that the
    weights reach. ``limit`` keeps the first channels of each.
    """
    reached = {layer.name: catalog.available(ref, layer.name) for layer in facts.layers}
    chosen: dict[str, set[int]] = {}
    if config.layers is None:
        chosen = {layer.name: set(range(layer.channels)) for layer in facts.feature_layers if not reached[layer.name]}
    for index, choice in enumerate(config.layers or ()):
        where: marks.Where = ("layers", index)
        name, channels = (choice, None) if isinstance(choice, str) else (choice.name, choice.channels)
        named = _named(name, facts)
        if not named:
            problems.note((*where, "name"), no_layer(name, facts))
            continue
        matches = [layer for layer in named if not reached[layer.name]]  # a pattern means those that weights reach
        if not matches:
            problems.note((*where, "name"), str(reached[named[0].name]))
        for layer in matches:
            chosen.setdefault(layer.name, set()).update(_channels(layer, channels, where, problems))
    if not chosen and not problems:
        problems.note(("layers",), f"expected layers to look at, received none: {facts.called} has no feature layer")
    requests = tuple(
        LayerRequest(
            facts=layer,
            channels=tuple(sorted(chosen[layer.name])[:limit]),
            recipes={name: _sized(recipe, layer, facts) for name, recipe in recipes.items()},
        )
        for layer in facts.layers
        if layer.name in chosen
    )
    for name, recipe in recipes.items():
        _check_objective(name, recipe, facts, catalog, ref, problems)
        for request in requests:
            _check_place(name, recipe, request.facts, facts, problems)
    for name in recipes:
        smallest = min((_smallest_seen(request.recipes[name]) for request in requests), default=facts.smallest)
        if smallest < facts.smallest:
            said = (
                f"expected the network to see at least {facts.smallest} pixels for {facts.called}, received {smallest}"
            )
            problems.note(("recipes", name, "size"), said)
    return requests


def _named(name: str, facts: NetworkFacts) -> list[LayerFacts]:
    """The layers that a name in a configuration means: the one called so, or those listed that fit a pattern."""
    called = facts.layer(name)
    return [called] if called else [one for one in facts.layers if one.listed and fnmatch.fnmatchcase(one.name, name)]


def _channels(layer: LayerFacts, channels: str | int | None, where: marks.Where, problems: Problems) -> set[int]:
    if channels is None:
        return set(range(layer.channels))
    wanted: set[int] = set()
    for run in parse_channels(channels) if isinstance(channels, str) else (range(channels, channels + 1),):
        if run[-1] < layer.channels:
            wanted.update(run)
        else:
            said = f"expected channels 0 to {layer.channels - 1} of {layer.name}, received {run[-1]}"
            problems.note((*where, "channels"), said)
    return wanted


def _check_objective(
    name: str, recipe: Recipe, facts: NetworkFacts, catalog: Catalog, ref: NetworkRef, problems: Problems
) -> None:
    """Note terms that look at a layer which is not there, or at classes of a network that has none."""
    where: marks.Where = ("recipes", name, "objective")
    for layer in recipe.layers:
        known = facts.layer(layer)
        if known is None:
            problems.note(where, no_layer(layer, facts))
        elif reason := catalog.available(ref, layer):
            problems.note(where, reason)
    classes = next((layer.channels for layer in facts.layers if layer.kind == "classes"), 0)
    for term in recipe.terms:
        if isinstance(term, Class) and term.index >= classes:
            wanted = f"a class from 0 to {classes - 1}" if classes else "a network with its classifier (classes: true)"
            problems.note(where, f"expected {wanted}, received class {term.index}")


def _check_place(name: str, recipe: Recipe, layer: LayerFacts, facts: NetworkFacts, problems: Problems) -> None:
    """Note terms that name channels which the layer they look at does not have."""
    for term in recipe.terms:
        looked = layer if isinstance(term, Class) or term.layer is None else facts.layer(term.layer)
        if looked is None:
            continue
        said = None
        if isinstance(term, Channel | Neuron) and (term.channel or 0) >= looked.channels:
            said = f"expected a channel from 0 to {looked.channels - 1} of {looked.name}, received {term.channel}"
        elif isinstance(term, Direction):
            try:
                term.along(looked.channels)
            except ValueError as error:
                said = f"{error}, for {looked.name}"
        if said:
            problems.note(("recipes", name, "objective"), said)


def _smallest_seen(recipe: Recipe) -> int:
    """Side in pixels of the smallest picture that the network sees: that of the first octave."""
    return canvas(recipe.transforms, octave_sizes(recipe)[0])


def _sized(recipe: Recipe, layer: LayerFacts, facts: NetworkFacts) -> Recipe:
    if recipe.size != "auto":
        return recipe
    return recipe.model_copy(update={"size": automatic_size(layer.receptive_field, facts.smallest)})
