"""Which pictures by others are held against an atlas's own, and how their names tell what they are of."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from atlas.spec.frozen import Frozen, PathText

PLACES = ("layer", "op", "tensor", "channel")
PATTERNS = (  # of names that are known: Microscope's own, this program's, and those that scripts around Lucid give
    "{tensor}/channel-{channel}",
    "{layer}/channel-{channel}",
    "{layer}/{channel}",
    "{layer}_ch{channel}",
    "{layer}-{channel}",
    "{layer}_{channel}",
    "{op}_ch{channel}",
    "{op}-{channel}",
    "{op}_{channel}",
)


def _names(text: str) -> str:
    found = re.findall(r"\{(.*?)\}", text)
    left = re.search(r"[{}]", re.sub(r"\{\w+\}", "", text))
    if left or found.count("channel") != 1 or not set(found) <= set(PLACES) or len(found) > len(set(found)):
        raise ValueError(
            "expected a pattern with {channel} and, where there is more than one layer, one of {layer}, {op} and "
            "{tensor}, each once, such as Mixed_{op}_ch{channel}.png"
        )
    return text


class Compare(Frozen):
    """Pictures of the same channels by others, to be held against the atlas's own."""

    pictures: PathText = Field(
        description="A folder of pictures, each made for one channel by another program, or of another network."
    )
    names: Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_names)] | None = Field(
        None,
        description="How names tell what a picture is of, such as `Mixed_{op}_ch{channel}.png`: `{layer}` is a layer's "
        "name here, `{op}` and `{tensor}` are Microscope's names for it, `*` is any letters; names as Microscope, an "
        "atlas and common scripts give them when left out.",
    )
    by: Annotated[str, Field(min_length=1, max_length=60)] = Field(
        "others", description="Who made them, as pages say it, such as `Lucid`."
    )
    publish: bool = Field(True, description="Whether pages show their pictures; `false` leaves numbers and verdicts.")
