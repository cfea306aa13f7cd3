"""Where OpenAI Microscope showed the same channel: addresses by rule, and what is known of the likeness.

The service may be offline: pages link to it and say so, and never load anything from it.
"""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

NAME = "OpenAI Microscope"
PAGES = "https://microscope.openai.com/models"
PICTURES = "https://openaipublic.blob.core.windows.net/microscopeprod/2020-07-25/2020-07-25"
STEPS = 4096  # of every picture there
GROUP = 32  # channels that were rendered together there, and share part of an address

Same = Literal["weights", "order", "untested", "other"]

BADGES: dict[Same, str] = {
    "weights": "same weights",
    "order": "same order, by test",
    "untested": "order not tested",
    "other": "other weights: do not compare",
}
CAVEATS: dict[Same, str] = {
    "weights": "Same weights there, so the same channel.",
    "order": (
        "Same channel order there, but not known to be the same weights: expect the same motif, not the same picture."
    ),
    "untested": "The channel order was tested up to mixed6 only: this may be another channel there.",
    "other": "Other weights there, so another channel: it has only the layer and the number in common with this one.",
}

_OTHER = ("random", "own", "file")  # kinds of weights that Microscope cannot have shown
_VGG19 = re.compile(r"block([1-5])_conv([1-4])")
_MIXED = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
_STEM = ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3")
_ORDER_TESTED = 6  # mixedN up to here: same order of channels by test
_UNCERTAIN = {"resnet50v2": "resnetv2_50_slim"}


@dataclass(frozen=True)
class Microscope:
    """A layer as Microscope names it: ``network`` and TensorFlow ``tensor``.

    ``op`` is what names of files call the layer, the longest first. ``same`` says how far its channels are those of
    the layer here: the same ``weights``; the same ``order``, by test; an order that is ``untested``; or ``other``
    weights, which have nothing to compare.
    """

    network: str
    tensor: str
    op: tuple[str, ...]
    same: Same

    @property
    def folder(self) -> str:
        """The tensor in an address or a path: without ``/`` and ``:``."""
        return re.sub("[/:]", "_", self.tensor)

    @property
    def badge(self) -> str:
        """How far it is the same, in a few words."""
        return BADGES[self.same]

    @property
    def caveat(self) -> str:
        """How far it is the same, in a sentence."""
        return CAVEATS[self.same]


@dataclass(frozen=True)
class Uncertain:
    """A network that Microscope shows, which layer as which of ours is not certain: its page there, and a sentence."""

    address: str
    caveat: str


def microscope(network: str, layer: str, weights: str) -> Microscope | None:
    """The layer's counterpart in Microscope, or None when there is none.

    ``network`` is an id (``vgg19``, ``inceptionv3``), ``layer`` a layer's name, ``weights`` the kind of the weights.
    """
    if network == "vgg19" and weights in ("imagenet", *_OTHER):
        return _vgg19(layer, weights in _OTHER)
    if network == "inceptionv3" and weights in ("imagenet", "embedded", *_OTHER):
        return _inceptionv3(layer, weights in _OTHER)
    return None


def uncertain(network: str) -> Uncertain | None:
    """The page of a network whose layers cannot be told there for certain, or None for every other network."""
    if network not in _UNCERTAIN:
        return None
    said = "Which of its layers is which of those here is not certain, so no channel links to one there."
    return Uncertain(f"{PAGES}/{_UNCERTAIN[network]}", said)


def _vgg19(layer: str, other: bool) -> Microscope | None:
    match = _VGG19.fullmatch(layer)
    if match is None or (int(match[1]) < 3 and int(match[2]) > 2):
        return None
    short = f"{match[1]}_{match[2]}"
    name = f"conv{short}"
    return Microscope("vgg19_caffe", f"{name}/{name}:0", (name, short), "other" if other else "weights")


def _inceptionv3(layer: str, other: bool) -> Microscope | None:
    kind, number = layer[:-2] if layer[-2:].isdigit() else layer[:-1], re.sub(r"\D", "", layer)
    if not number or layer != f"{kind}{int(number)}":
        return None
    index = int(number)
    if kind == "mixed" and index < len(_MIXED):
        short, prefix, end, tested = _MIXED[index], "Mixed", "concat", index <= _ORDER_TESTED
    elif kind == "stem" and 1 <= index <= len(_STEM):
        short, prefix, end, tested = _STEM[index - 1], "Conv2d", "Relu", True
    else:
        return None
    name = f"{prefix}_{short}"
    same: Same = "other" if other else "order" if tested else "untested"
    return Microscope("inceptionv3_slim", f"InceptionV3/InceptionV3/{name}/{end}:0", (name, short), same)


def page(place: Microscope, channel: int) -> str:
    """Microscope's page of a channel."""
    return f"{PAGES}/{place.network}/{place.folder}/{channel}"


def picture(
    place: Microscope, channel: int, *, objective: str = "channel", repeat: int = 0, base: str = PICTURES
) -> str:
    """Microscope's picture of a channel: ``objective`` is ``channel`` or ``neuron``, ``repeat`` is 0 or 1, ``base`` is
    where the folders of its networks lie.

    The tensor's name is percent-encoded twice, for it is part of a query that is itself one segment of the path.
    """
    start = GROUP * (channel // GROUP)
    query = (
        f"alpha=False&negative=False&objective={objective}&op={quote(place.tensor, safe='')}"
        f"&repeat={repeat}&start={start}&steps={STEPS}&stop={start + GROUP}"
    )
    return f"{base}/{place.network}/lucid.feature_vis/_feature_vis/{quote(query, safe='')}/channel-{channel}.png"
