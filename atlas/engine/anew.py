"""What an atlas had pictures of and is to render again, and why: a recipe, the weights or atlas itself has changed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from atlas.engine.run import Outcome
from atlas.spec.plan import KERNEL, Group, Plan
from atlas.spec.recipe import Recipe

OWN_WAYS_CALLED = {"gelu": "GELU", "groups": "convolutions in groups", "layer_norms": "layer norms"}


@dataclass(frozen=True)
class Anew:
    """Pictures to render again: how many, and why, a clause for each reason."""

    pictures: int
    reasons: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The same for people."""
        what = "1 picture of this atlas is" if self.pictures == 1 else f"{self.pictures:,} pictures of this atlas are"
        return f"{what} made anew: {'; '.join(self.reasons)}"


def made_anew(before: Mapping[str, Any] | None, weights: str, plan: Plan, outcome: Outcome) -> Anew | None:
    """What of a plan is missing though an atlas's record ``before`` has it, None where nothing is.

    ``weights`` is the digest of those to be used. A picture counts where the record has one of the same channel under a
    recipe of the same name. What was only deleted from the store is not made anew: its key is the same.
    """
    pictures, reasons = 0, {}
    layers = {layer["name"]: layer for layer in (before or {}).get("layers", ())}
    for group in plan.groups:
        layer, recipe = layers.get(group.layer.name, {}), group.recipe_name
        had = {shown["channel"]: shown["renderings"].get(recipe) for shown in layer.get("channels_shown", ())}
        had[None] = layer.get("whole", {}).get(recipe)
        keys = [((had.get(job.channel) or {}).get("key"), job.key) for job in outcome.missing(group)]
        gone = sum(bool(before_key) and before_key != key for before_key, key in keys)
        if before and gone:
            pictures += gone
            for reason in _reasons(before, weights, group, layer["recipes"].get(recipe, {})):
                reasons[reason] = True
    return Anew(pictures, tuple(reasons)) if pictures else None


def _reasons(before: Mapping[str, Any], weights: str, group: Group, was: Mapping[str, Any]) -> list[str]:
    now, was = group.recipe.computed("fast").shown, _in_full(was)
    changed = [key for key in now if key != "base" and was.get(key) != now[key]]
    found = []
    if changed:
        found.append(f"recipe {group.recipe_name} differs in {_listed(changed)}")
    if before["weights"]["digest"] != weights:
        found.append("the weights are different")
    if before["kernel"] != KERNEL:
        found.append("this version of atlas renders differently")
    if not found and group.layer.own_ways and group.recipe.arithmetic != "plain":
        ways = [OWN_WAYS_CALLED[way] for way in group.layer.own_ways]
        found.append(f"this version of atlas computes {_listed(ways)} its own way")
    return found or ["what decides their pixels has changed"]


def _in_full(was: Mapping[str, Any]) -> Mapping[str, Any]:
    """A recipe of a record with what recipes did not have then, at what it means now; as it is where it is none now."""
    try:
        return Recipe.model_validate_json(json.dumps(was)).computed("fast").shown
    except ValueError:
        return was


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
