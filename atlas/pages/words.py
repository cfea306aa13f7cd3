"""How numbers and states are said on the pages."""

import math
import re
from collections.abc import Mapping
from typing import Any

from atlas.pages.manifest import Atlas, Layer, Network, Rendering

_ADDRESS = re.compile(r"https://[^\s\"'<>]+$")

STATE_WORDS = {"activated": "activated", "dead": "dead", "failed": "failed", "missing": "not yet"}
KIND_WORDS = {
    "conv": "convolution",
    "pool": "pooling",
    "concat": "concatenation",
    "add": "sum",
    "activation": "activation",
}


def count(number: int, noun: str) -> str:
    """A number with its noun: ``1 channel``, ``2,048 channels``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def score(value: float | None) -> str:
    """A score to three digits, with a true minus sign; a dash when there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0 or abs(value) < 0.0005:
        return "0"
    spelt = f"{value:.3g}" if abs(value) < 1 else f"{value:#.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return spelt.replace("-", "−")


def sight(receptive_field: int | None, network: Network) -> str:
    """How much of the input one neuron sees."""
    if receptive_field is None:
        return "the whole picture"
    return f"{receptive_field} px" if receptive_field < network.size else f"{receptive_field} px, the whole picture"


def state_word(rendering: Rendering, layer: Layer, recipe: Any) -> str:
    """What came of a rendering in a word: ``made`` where it is not asked whether the channel is activated."""
    asked = layer.relu and objective(recipe) == ("channel", 1)
    return "made" if rendering.state == "activated" and not asked else STATE_WORDS[rendering.state]


def explanation(rendering: Rendering, layer: Layer, recipe: Any) -> str:
    """One or two sentences that say what the state of a rendering means."""
    if rendering.state == "failed":
        return f"This picture could not be made: {rendering.error or 'no reason was recorded'}"
    if rendering.state == "missing":
        return "The build stopped before this picture was made. The same build again goes on from there."
    if rendering.state == "dead":
        return "No start activated the channel, whatever its seed; this picture came nearest."
    if not layer.relu or objective(recipe) != ("channel", 1):
        return (
            "The picture was made. Whether a channel is dead is asked only of layers behind a ReLU, when it is raised."
        )
    return "The picture excites the channel: positive somewhere, and on the mean above both the start and plain grey."


def recipe_line(name: str, recipe: Any) -> str:
    """A recipe in a line: its name, what it is based on, and its steps."""
    if not isinstance(recipe, Mapping) or "base" not in recipe or "steps" not in recipe:
        return name
    return f"{name} ({recipe['base']}, {count(recipe['steps'], 'step')})"


def objective(recipe: Any) -> tuple[str, float]:
    """Name and sign of a recipe's objective; an empty name when the recipe does not say."""
    value = recipe.get("objective") if isinstance(recipe, Mapping) else None
    if not isinstance(value, Mapping):
        return "", 1
    sign = value.get("sign", 1)
    return str(value.get("name", "")), sign if isinstance(sign, int | float) else 1


def score_meaning(recipe: Any) -> str:
    """What the score of a recipe measures, for the axis of its plot."""
    name, sign = objective(recipe)
    if name == "channel":
        return (
            "the channel’s mean activation"
            if sign > 0
            else "minus the channel’s mean, before the ReLU where there is one"
        )
    return f"what the objective {name} raises" if name else "what the recipe raises"


def paper(citation: str) -> tuple[str, str]:
    """A citation cut into its words and the https address at its end, either of which may be empty."""
    match = _ADDRESS.search(citation)
    return (citation[: match.start()].rstrip(" ,"), match[0]) if match else (citation, "")


def notice(atlas: Atlas) -> str:
    """The sentence that every page of an atlas with random weights carries; else empty."""
    if atlas.weights.kind != "random":
        return ""
    return (
        f"Random weights (seed {atlas.weights.seed}): nothing here was learned. "
        "The pictures show what the architecture alone responds to."
    )
