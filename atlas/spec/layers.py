"""Which layers and channels a configuration chooses, in the network's own order, each once."""

import fnmatch
from collections.abc import Mapping

from atlas.spec import marks
from atlas.spec.config import Config, parse_channels
from atlas.spec.facts import LayerFacts, NetworkFacts, NetworkRef
from atlas.spec.problems import Problems, nearest
from atlas.spec.recipe import Recipe, automatic_size
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

    Without ``layers`` it is every feature layer that the weights reach. ``limit`` keeps the first channels of each.
    """
    chosen: dict[str, set[int]] = {}
    asked_at: dict[str, marks.Where] = {}
    if config.layers is None:
        reached = [layer for layer in facts.feature_layers if catalog.available(ref, layer.name) is None]
        chosen = {layer.name: set(range(layer.channels)) for layer in reached}
    for index, choice in enumerate(config.layers or ()):
        where: marks.Where = ("layers", index)
        name, channels = (choice, None) if isinstance(choice, str) else (choice.name, choice.channels)
        matches = [layer for layer in facts.layers if fnmatch.fnmatchcase(layer.name, name)]
        if not matches:
            near = nearest(name, (layer.name for layer in facts.layers))
            problems.note((*where, "name"), f"expected a layer of {facts.id}, received {name!r}{near}")
        for layer in matches:
            asked_at.setdefault(layer.name, (*where, "name"))
            chosen.setdefault(layer.name, set()).update(_channels(layer, channels, where, problems))
    for name, place in asked_at.items():
        refused = catalog.available(ref, name)
        if refused:
            problems.note(place, refused)
    for name, recipe in recipes.items():
        if isinstance(recipe.size, int) and recipe.size < facts.smallest:
            said = f"expected at least {facts.smallest} pixels for {facts.id}, received {recipe.size}"
            problems.note(("recipes", name, "size"), said)
    return tuple(
        LayerRequest(
            facts=layer,
            channels=tuple(sorted(chosen[layer.name])[:limit]),
            recipes={name: _sized(recipe, layer, facts) for name, recipe in recipes.items()},
        )
        for layer in facts.layers
        if layer.name in chosen
    )


def _channels(layer: LayerFacts, channels: str | int | None, where: marks.Where, problems: Problems) -> set[int]:
    if channels is None:
        return set(range(layer.channels))
    wanted: set[int] = set()
    for run in parse_channels(str(channels)):
        if run[-1] < layer.channels:
            wanted.update(run)
        else:
            said = f"expected channels 0 to {layer.channels - 1} of {layer.name}, received {run[-1]}"
            problems.note((*where, "channels"), said)
    return wanted


def _sized(recipe: Recipe, layer: LayerFacts, facts: NetworkFacts) -> Recipe:
    if recipe.size != "auto":
        return recipe
    return recipe.model_copy(update={"size": automatic_size(layer.receptive_field, facts.smallest)})
