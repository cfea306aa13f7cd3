"""How numbers and states are said on the pages."""

import math
import re
from collections.abc import Mapping
from typing import Any

from atlas import __version__
from atlas.activations import SEEDS, raised_by
from atlas.pages.tree import Atlas, Layer, Network, Rendering

_ADDRESS = re.compile(r"https://[^\s\"'<>]+$")

STATE_WORDS = {
    "activated": "activated",
    "raised": "raised",
    "made": "made",
    "dead": "dead",
    "unraised": "not raised",
    "failed": "failed",
    "missing": "not yet",
}
SAID_OF = {
    "positive": "the mean positive part of the pre-activation",
    "before": "the mean pre-activation",
    "log": "the mean logarithm of its own output",
    "value": "its mean",
}
LAST_RESORT = (
    "No start of the recipe did so, whatever its seed. The picture comes from a plain ascent on the pixels themselves, "
    "which nothing smooths: expect more noise than in its neighbours."
)
ACTIVATION_WORDS = {
    **{"relu": "ReLU", "leaky_relu": "leaky ReLU", "prelu": "PReLU", "elu": "ELU", "selu": "SELU", "celu": "CELU"},
    **{"gelu": "GELU", "silu": "SiLU", "hard_silu": "hard SiLU", "positional_softmax": "softmax over positions"},
}
KIND_WORDS = {
    "conv": "convolution",
    "pool": "pooling",
    "concat": "concatenation",
    "add": "sum",
    "activation": "activation",
    "classes": "classes",
    "vector": "vector, a single position",
    "map": "map",
}


def count(number: int, noun: str, several: str = "") -> str:
    """A number with its noun: ``1 channel``, ``2,048 channels``; ``several`` where that is no ``s`` more."""
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def score(value: float | None) -> str:
    """A score to three digits, with a true minus sign; a dash when there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0 or abs(value) < 0.0005:
        return "0"
    spelt = f"{value:.3g}" if abs(value) < 1 else f"{value:#.3g}" if abs(value) < 99.95 else f"{value:,.0f}"
    return spelt.replace("-", "−")


def likeness(value: float) -> str:
    """How alike two pictures are, to two digits."""
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def chance(probability: float) -> str:
    """A probability in per cent, to a tenth, but for what would be said as none or all and is not."""
    if 0 < probability < 0.0005:
        return "less than 0.1 %"
    return "more than 99.9 %" if 0.9995 <= probability < 1 else f"{100 * probability:.1f} %"


def slope(value: float) -> str:
    """A slope to three digits with its sign."""
    return f"{value:+.3g}".replace("-", "−")


def percent(share: float) -> str:
    """A share of 0 to 1 in per cent: whole ones, but for what would be said as none or all and is not."""
    if 0 < share < 0.005:
        return "less than 1 %"
    return "more than 99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"


def signed_share(value: float) -> str:
    """A share from -1 to 1 in percent, with a true minus sign: to a tenth, from 10 % to a whole."""
    spelt = f"{100 * value:+.0f} %" if abs(value) >= 0.0995 else f"{100 * value:+.1f} %"
    return spelt.replace("-", "−")


def caution(note: str) -> str:
    """What was taken as linear between two layers, and what comes of that; empty where nothing was."""
    return f"{note.removesuffix('.')}: behind chains of ReLUs or pools, signed products say little." if note else ""


def sight(receptive_field: int | None, network: Network) -> str:
    """How much one neuron sees of the input that the network was trained on."""
    if receptive_field is None:
        return "all of its input"
    if receptive_field < network.size:
        return f"{receptive_field} px of {network.size}"
    return f"{receptive_field} px, all of its {network.size} px input"


def activation(name: str) -> str:
    """An activation function as people write it; empty for none."""
    return ACTIVATION_WORDS.get(name, name.replace("_", " "))


def dead(layer: Layer) -> str:
    """What a layer's channels are called that nothing raised."""
    return STATE_WORDS["dead" if layer.activation else "unraised"]


def state_word(rendering: Rendering, layer: Layer, recipe: Any) -> str:
    """What came of a rendering in a word: ``made`` where it is not asked whether the channel is raised.

    Older records call those activated too.
    """
    asked = layer.activation and raises_channel(recipe)
    return "made" if rendering.state == "activated" and not asked else STATE_WORDS[rendering.state]


def explanation(rendering: Rendering, layer: Layer, recipe: Any, attempt: int = 0) -> str:
    """A few sentences that say what the state of a rendering means; ``attempt`` counts from 0."""
    if rendering.state == "failed":
        return f"This picture could not be made: {rendering.error or 'no reason was recorded'}"
    if rendering.state == "missing":
        return "The build stopped before this picture was made. The same build again goes on from there."
    if rendering.state == "dead":
        return "No start activated the channel, whatever its seed; this picture came nearest."
    if rendering.state == "unraised":
        return "No start raised the channel above what it is on plain grey; this picture came nearest."
    if state_word(rendering, layer, recipe) == "made":
        return "The picture was made. Whether a channel is raised is asked only of recipes that raise it alone."
    number = "its mean activation" if layer.activation == "relu" else SAID_OF[raised_by(layer.activation)]
    above = f"{number} is above what it is on the start and on plain grey"
    if rendering.state == "raised":
        said = f"The picture raises the channel: {above}."
    else:
        said = f"The picture excites the channel: positive somewhere, and {above}."
    return f"{said} {LAST_RESORT}" if attempt > SEEDS else said


def recipe_line(name: str, recipe: Any) -> str:
    """A recipe in a line: its name, what it is based on, and its steps."""
    if not isinstance(recipe, Mapping) or "base" not in recipe or "steps" not in recipe:
        return name
    return f"{name} ({recipe['base']}, {count(recipe['steps'], 'step')})"


def terms(recipe: Any) -> list[Mapping[str, Any]]:
    """The terms of a recipe's objective; none when the recipe does not say."""
    value = recipe.get("objective") if isinstance(recipe, Mapping) else None
    return [term for term in (value if isinstance(value, list) else [value]) if isinstance(term, Mapping)]


def raises_channel(recipe: Any) -> bool:
    """Whether all that a recipe raises is the channel, or a neuron of it, that the picture is named after."""
    found = terms(recipe)
    if len(found) != 1 or found[0].get("name") not in ("channel", "neuron"):
        return False
    own = found[0].get("channel") is None and found[0].get("layer") is None
    return own and found[0].get("weight", 1) > 0


def score_meaning(recipe: Any, kind: str = "", activation: str = "relu") -> str:
    """What the score of a recipe measures in a layer of a kind, behind an activation function: its plot's axis."""
    found = terms(recipe)
    if not found:
        return "what the recipe raises"
    if len(found) > 1:
        return "the weighted sum of " + ", ".join(_meaning(term).removeprefix("minus ") for term in found)
    if kind == "classes" and raises_channel(recipe):
        return "the class’s logit"
    if found[0].get("name") == "channel" and raises_channel(recipe) and activation != "relu":
        return SAID_OF[raised_by(activation)]
    return _meaning(found[0])


def _meaning(term: Mapping[str, Any]) -> str:
    name, lowered = str(term.get("name", "")), term.get("weight", 1) < 0
    layer = f" of {term['layer']}" if term.get("layer") is not None else ""
    channel = f"channel {term['channel']}" if term.get("channel") is not None else "the channel"
    position = "centre neuron" if term.get("at") == "centre" else f"neuron at {term.get('at')}"
    said = {
        "channel": f"{channel}’s mean{layer}" if lowered else f"{channel}’s mean activation{layer}",
        "neuron": f"{channel}’s {position}{layer}",
        "layer": f"the mean square of the layer’s activations{layer}",
        "direction": f"the mean along a direction over the channels{layer}",
        "class": f"the logit of class {term.get('index')}",
        "diversity": "how unlike the pictures are",
        "caricature": f"how far the activations{layer or ' of the layer'} go along the photo’s own, which are at 1",
    }.get(name, f"what the objective {name} raises")
    behind = ", before the activation function where there is one" if lowered and name in ("channel", "neuron") else ""
    return f"minus {said}{behind}" if lowered else said


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


def citation(atlas: Atlas, layer: Layer, channel: int) -> str:
    """How to cite a channel's page: BibTeX without a date, which the reader's visit has and the page has not."""
    address = f"{atlas.site.base_url}{layer.name}/{channel}.html" if atlas.site.base_url else ""
    lines = [
        f"  title = {{{atlas.title}: {layer.name}, channel {channel}}},",
        f"  note = {{{atlas.network.title}, {atlas.weights.description}; made with atlas-microscope {__version__}}},",
        *([f"  url = {{{address}}},"] if address else []),
    ]
    return "\n".join([f"@misc{{{atlas.name}-{layer.name}-{channel},", *lines, "}"])
