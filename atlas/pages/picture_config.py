"""Recipes as YAML, and the configuration that makes just one picture of an atlas."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from atlas.pages.tree import Atlas, Layer

_OPEN = {"among", "channel", "layer"}  # of slots and terms: null, which nothing says as well
_CHANNEL = "§"  # stands for the channel's number in the text of a layer and a recipe


class _Dumper(yaml.SafeDumper):
    """YAML with maps on lines of their own and lists of plain values on one."""


def _list(dumper: yaml.SafeDumper, items: Sequence[Any]) -> yaml.Node:
    plain = not any(isinstance(item, Mapping | list) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=plain)


_Dumper.add_representer(list, _list)


def recipe_text(recipe: Any) -> str:
    """A recipe in full, as YAML."""
    return _yaml(_plain(recipe))


class PictureConfigs:
    """The configurations of the pictures of one layer: written once for each recipe, since only the channel differs."""

    def __init__(self, atlas: Atlas, layer: Layer):
        self._texts = {name: _config(atlas, layer, name) for name in layer.recipes}

    def of(self, recipe: str, channel: int) -> str:
        """The configuration that makes the picture of a channel; empty where the record has not that recipe."""
        return self._texts.get(recipe, "").replace(_CHANNEL, str(channel))


def _config(atlas: Atlas, layer: Layer, recipe: str) -> str:
    config = {
        **atlas.network.asked,
        "layers": [{"name": layer.name, "channels": _CHANNEL}],
        "recipes": {recipe: _plain(layer.recipes[recipe])},
    }
    return _yaml(config).replace(f"'{_CHANNEL}'", _CHANNEL).replace(f'"{_CHANNEL}"', _CHANNEL)


def _plain(recipe: Any) -> Any:
    """The recipe with the name of each slot and term first, and without what they leave open: ``null`` and nothing say
    the same there."""
    if not isinstance(recipe, Mapping):
        return recipe
    return {name: _filled(value) for name, value in recipe.items()}


def _filled(value: Any) -> Any:
    if isinstance(value, Mapping):
        said = [name for name, part in value.items() if part is not None or name not in _OPEN]
        names = sorted(said, key=lambda name: name != "name")
        return {name: value[name] for name in names}
    return [_filled(part) for part in value] if isinstance(value, list) else value


def _yaml(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=72)
    return text.strip()
