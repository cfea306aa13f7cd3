"""The recipes by name, each with its source, and how changes are laid over one."""

from collections.abc import Mapping
from typing import Any

from atlas.spec.objectives import Caricature, Channel, Layer
from atlas.spec.recipe import Recipe
from atlas.spec.slots import (
    Adam,
    Ascent,
    Crop,
    Fourier,
    Maco,
    Noise,
    Octaves,
    Pad,
    Pixel,
    RandomCrop,
    Rotate,
    Scale,
    Settle,
    Shift,
)

# What `default` had until it rolled: narrow moves that few steps can average over.
FORMER: dict[str, Any] = {
    "parameterization": Fourier(),
    "transforms": (Shift(), Scale(), Rotate()),
    "optimizer": Adam(),
    "settle": Settle(),
    "fill": "reflect",
}

RECIPES: dict[str, Recipe] = {
    "default": Recipe(),
    "fine": Recipe(base="fine", steps=612),  # at 128 px as much work as Lucid's
    "preview": Recipe(base="preview", size=96, steps=24, **FORMER),
    # Lucid's own: pad 12, jitter 8, scale 0.9..1.1, rotate -10..10 with five extra zeros, jitter 4; Adam 0.05, 512
    # updates and one more. tensorflow/lucid, optvis/{param,transform,render}.py.
    "lucid": Recipe(
        base="lucid",
        through=0.0,
        parameterization=Fourier(power=1.0, contrast=None),
        transforms=(
            Pad(pixels=12),
            Shift(pixels=4.0),
            Scale(among=tuple(round(1 + (i - 5) / 50, 2) for i in range(11))),
            Rotate(among=(*(float(i) for i in range(-10, 11)), 0.0, 0.0, 0.0, 0.0, 0.0)),
            Shift(pixels=2.0),
            Crop(pixels=6),
        ),
        objective=Channel(leak=0.0),
        optimizer=Adam(rate=0.05, beta1=0.9, beta2=0.999),
        size=128,
        steps=513,
        settle=None,
        fill="grey",
    ),
    # Uniform noise, gradient / std, steps of 0.1 on [-1, 1]; the array is the network's input itself; truncated to 8
    # bits. In plain arithmetic: ten such steps turn a difference in the last digit into another picture.
    "tutorial": Recipe(
        base="tutorial",
        through=0.0,
        parameterization=Pixel(),
        transforms=(),
        objective=Channel(leak=0.0),
        optimizer=Ascent(rate=0.1),
        size=300,
        steps=10,
        fill="reflect",
        input="signed",
        rounding="down",
        arithmetic="plain",
    ),
    # The gradient at unit length times 10 on [-1, 1], which is 5 on [0, 1]; border of 2; 30 steps.
    "unregularised": Recipe(
        base="unregularised",
        through=0.0,
        parameterization=Pixel(),
        transforms=(),
        objective=Channel(leak=0.0, border=2),
        optimizer=Ascent(rate=5.0, over="length"),
        size=128,
        steps=30,
        fill="reflect",
        keep="best",
        start="grey-noise",
    ),
    # Magnitude fixed, phase optimised, crops, noise, a rate of 1.0 as published; six crops a step instead of 32. With
    # one, the published ones (a half of the side to a twentieth) left clouds: hence large crops and a rate that falls.
    "maco": Recipe(
        base="maco",
        through=0.0,
        parameterization=Maco(),
        transforms=(RandomCrop(count=6), Noise()),
        optimizer=Adam(rate=1.0, schedule="cosine"),
        size=160,
        steps=96,
        fill="reflect",
    ),
    # Four octaves of 1.4, ten steps each of 1.5 / 255 along the gradient over its mean absolute value, jitter.
    "deepdream": Recipe(
        base="deepdream",
        through=0.0,
        parameterization=Pixel(),
        transforms=(Shift(pixels=32.0),),
        objective=Layer(),
        optimizer=Ascent(rate=0.006, over="mean"),
        size=512,
        steps=40,
        fill="reflect",
        octaves=Octaves(),
        start="grey-noise",
    ),
    # Colour and contrast free and a spectrum of 1 / f, as Lucid's recipes/caricature.py: the photo's own keep them from
    # running away. The cosine to the first power, where Lucid has none; three eighths of its steps.
    "caricature": Recipe(
        base="caricature",
        **{**FORMER, "parameterization": Fourier(power=1.0, contrast=None)},
        objective=Caricature(),
        size=224,
        steps=192,
    ),
}


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's data with changes on top: slots of the same name are merged, others replaced, lists replaced."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and value.get("name", old.get("name")) == old.get("name"):
            value = merge(old, value)
        result[key] = value
    return result
