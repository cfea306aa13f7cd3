"""Where OpenAI Microscope showed the same channel: addresses by rule, and what is known of the likeness.

The service may be offline: pages link to it and say so, and never load anything from it.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote

PAGES = "https://microscope.openai.com/models"
PICTURES = "https://openaipublic.blob.core.windows.net/microscopeprod/2020-07-25/2020-07-25"
STEPS = 4096  # of every picture there
GROUP = 32  # channels that were rendered together there, and share part of an address

_VGG19 = re.compile(r"block([1-5])_conv([1-4])")
_MIXED = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
_STEM = ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3")
_ORDER_TESTED = 6  # mixedN up to here: same order of channels by test


@dataclass(frozen=True)
class Microscope:
    """A layer as Microscope names it: ``network`` and TensorFlow ``tensor``. ``caveat`` says how far it is the same."""

    network: str
    tensor: str
    caveat: str


def microscope(network: str, layer: str, weights: str) -> Microscope | None:
    """The layer's counterpart in Microscope, or None when there is none or the weights are none that it could show.

    ``network`` is an id (``vgg19``, ``inceptionv3``), ``layer`` a layer's name, ``weights`` the kind of the weights.
    """
    if network == "vgg19" and weights == "imagenet":
        return _vgg19(layer)
    if network == "inceptionv3" and weights in ("imagenet", "embedded"):
        return _inceptionv3(layer)
    return None


def _vgg19(layer: str) -> Microscope | None:
    match = _VGG19.fullmatch(layer)
    if match is None or (int(match[1]) < 3 and int(match[2]) > 2):
        return None
    name = f"conv{match[1]}_{match[2]}"
    return Microscope("vgg19_caffe", f"{name}/{name}:0", "Same weights there, so the same channel.")


def _inceptionv3(layer: str) -> Microscope | None:
    kind, number = layer[:-2] if layer[-2:].isdigit() else layer[:-1], re.sub(r"\D", "", layer)
    if not number or layer != f"{kind}{int(number)}":
        return None
    index = int(number)
    if kind == "mixed" and index < len(_MIXED):
        tensor, tested = f"Mixed_{_MIXED[index]}/concat", index <= _ORDER_TESTED
    elif kind == "stem" and 1 <= index <= len(_STEM):
        tensor, tested = f"Conv2d_{_STEM[index - 1]}/Relu", True
    else:
        return None
    caveat = (
        "Same channel order there, but not known to be the same weights: expect the same motif, not the same picture."
        if tested
        else "The channel order was tested up to mixed6 only: this may be another channel there."
    )
    return Microscope("inceptionv3_slim", f"InceptionV3/InceptionV3/{tensor}:0", caveat)


def page(place: Microscope, channel: int) -> str:
    """Microscope's page of a channel."""
    return f"{PAGES}/{place.network}/{re.sub('[/:]', '_', place.tensor)}/{channel}"


def picture(place: Microscope, channel: int, *, objective: str = "channel", repeat: int = 0) -> str:
    """Microscope's picture of a channel: ``objective`` is ``channel`` or ``neuron``, ``repeat`` is 0 or 1.

    The tensor's name is percent-encoded twice, for it is part of a query that is itself one segment of the path.
    """
    start = GROUP * (channel // GROUP)
    query = (
        f"alpha=False&negative=False&objective={objective}&op={quote(place.tensor, safe='')}"
        f"&repeat={repeat}&start={start}&steps={STEPS}&stop={start + GROUP}"
    )
    return f"{PICTURES}/{place.network}/lucid.feature_vis/_feature_vis/{quote(query, safe='')}/channel-{channel}.png"
