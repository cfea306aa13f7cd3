"""Recipes: everything that decides the pixels of a picture, and nothing else.

A recipe fills five slots, as Lucid named them: parameterization -> transforms -> network -> objective -> optimizer.
Every default stands here, once. Units: pictures have values in [0, 1]; lengths are pixels; angles are degrees.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

STARTS = ("noise", "noise-caffe", "grey", "black")
SIZES = (96, 128, 160, 192, 224)  # what `size: auto` chooses from, in pixels


class Frozen(BaseModel):
    """Base of every model: unknown keys are errors, values never change, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _path(text: str) -> str:
    if not text or "\0" in text or len(text.encode()) > 1000 or any(len(part) > 200 for part in text.split("/")):
        raise ValueError("expected a name or path of at most 200 characters between slashes, 1,000 in all")
    return str(Path(text).expanduser())


PathText = Annotated[str, AfterValidator(_path)]


class Pixel(Frozen):
    """The picture's values are the parameters, clipped to [0, 1] after every step."""

    name: Literal["pixel"] = "pixel"


class Fourier(Frozen):
    """The picture's spectrum holds the parameters, so that gradient steps spread over all scales (Olah et al. 2017).

    ``power`` is the fall of the spectrum, amplitude 1 / frequency ** power: higher gives smoother pictures.
    ``decorrelate`` steps along the colour directions of natural images. ``contrast`` fixes the deviation of the values
    before the sigmoid and takes the mean colour out, so that no picture ends pale or drowned in one tint; None leaves
    both free, as Lucid does.
    """

    name: Literal["fourier"] = "fourier"
    power: float = Field(1.25, ge=0, le=3)
    decorrelate: bool = True
    contrast: float | None = Field(1.3, gt=0, le=10)


class Channel(Frozen):
    """The mean of one channel over all positions.

    ``sign`` -1 looks for what silences the channel: then the value before the ReLU is lowered, since the ReLU hides
    everything below zero. ``leak`` weighs positions below zero in the gradient: 0 leaves them out, so that a channel
    takes hold in one corner; a little makes it fill the picture. Layers that do not end in a ReLU have neither.
    """

    name: Literal["channel"] = "channel"
    sign: Literal[1, -1] = 1
    leak: float = Field(0.1, ge=0, le=1)


class Pad(Frozen):
    """A border of ``pixels`` around the picture, filled as ``fill`` says."""

    name: Literal["pad"] = "pad"
    pixels: int = Field(12, ge=0, le=256)


class Crop(Frozen):
    """Takes ``pixels`` off every side."""

    name: Literal["crop"] = "crop"
    pixels: int = Field(6, ge=0, le=256)


class Shift(Frozen):
    """Moves the picture by up to ``pixels`` each way, another offset for every image and step."""

    name: Literal["shift"] = "shift"
    pixels: float = Field(8.0, ge=0, le=512)


class Scale(Frozen):
    """Magnifies by a factor drawn from ``between``, or one of ``among`` where that is given."""

    name: Literal["scale"] = "scale"
    between: tuple[float, float] = (0.95, 1.05)
    among: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _check(self) -> "Scale":
        if not 0.1 <= self.between[0] <= self.between[1] <= 10 or any(
            not 0.1 <= factor <= 10 for factor in self.among or ()
        ):
            raise ValueError("expected factors from 0.1 to 10, the lower first")
        return self


class Rotate(Frozen):
    """Turns by up to ``degrees`` each way, or by one of ``among`` where that is given."""

    name: Literal["rotate"] = "rotate"
    degrees: float = Field(5.0, ge=0, le=180)
    among: tuple[float, ...] | None = None


class Adam(Frozen):
    """Adam (Kingma & Ba 2015) with steps of ``rate``. A low ``beta1`` forgets old transforms sooner."""

    name: Literal["adam"] = "adam"
    rate: float = Field(0.05, gt=0, le=100)
    beta1: float = Field(0.5, ge=0, lt=1)
    beta2: float = Field(0.9, ge=0, lt=1)


class Ascent(Frozen):
    """Plain ascent along the gradient divided by its own standard deviation, with steps of ``rate``."""

    name: Literal["ascent"] = "ascent"
    rate: float = Field(0.05, gt=0, le=100)


Parameterization = Annotated[Pixel | Fourier, Field(discriminator="name")]
Transform = Annotated[Pad | Crop | Shift | Scale | Rotate, Field(discriminator="name")]
Optimizer = Annotated[Adam | Ascent, Field(discriminator="name")]


class Recipe(Frozen):
    """How a picture is made.

    ``size`` is its side in pixels, a multiple of 4 (else the last values of a batch would fall out of step with the
    processor's vectors and round differently), or ``auto``: chosen from the layer's receptive field, since a picture
    much larger than that only repeats itself. ``steps`` is the number of updates. ``start`` is what the ascent begins
    from: ``noise``, ``noise-caffe`` (noise with VGG's means taken off, which the first clip turns into almost pure
    black and white), ``grey``, ``black``, or the path of a photo. ``fill`` is what lies beyond the picture's edge when
    a transform looks there. ``input`` ``own`` feeds the network through its own preprocessing; ``signed`` feeds it the
    picture scaled to [-1, 1], whatever the network was trained on, as the tutorial does. ``rounding`` is how values
    become 8 bits.
    """

    base: str = "default"
    parameterization: Parameterization = Fourier()
    transforms: tuple[Transform, ...] = (Shift(), Scale(), Rotate())
    objective: Channel = Channel()
    optimizer: Optimizer = Adam()
    size: Literal["auto"] | Annotated[int, Field(ge=16, le=2048, multiple_of=4)] = "auto"
    steps: int = Field(64, ge=1, le=100_000)
    seed: int = Field(0, ge=0, lt=2**63)
    start: PathText = "noise"
    fill: Literal["reflect", "grey"] = "reflect"
    input: Literal["own", "signed"] = "own"
    rounding: Literal["nearest", "down"] = "nearest"

    @property
    def pixels(self) -> dict[str, Any]:
        """The recipe as plain data, without the name it was derived from: what the key is made of."""
        return self.model_dump(mode="json", exclude={"base"})

    @property
    def seen(self) -> int:
        """Side in pixels of what the network sees of a picture whose size is a number, after padding and cropping."""
        return canvas(self.transforms, int(self.size))

    @property
    def shown(self) -> dict[str, Any]:
        """The recipe as plain data for people: what is not set is left out, a photo is named without its folder."""
        start = self.start if self.start in STARTS else Path(self.start).name
        return self.model_dump(mode="json", exclude_none=True) | {"start": start}

    @model_validator(mode="after")
    def _check_start(self) -> "Recipe":
        if isinstance(self.parameterization, Fourier):
            if self.start == "noise-caffe":
                raise ValueError("expected start: noise-caffe with parameterization pixel only")
            if self.start == "black" and self.parameterization.contrast is not None:
                raise ValueError("expected start: black with contrast: null or parameterization pixel only")
        return self


RECIPES: dict[str, Recipe] = {
    "default": Recipe(),
    # Olah, Mordvintsev, Schubert 2017, Feature Visualization; tensorflow/lucid, optvis/{param,transform,render}.py:
    # pad 12, jitter 8, scale 0.9..1.1, rotate -10..10 with five extra zeros, jitter 4; Adam 0.05, 512 and one more.
    "lucid": Recipe(
        base="lucid",
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
        fill="grey",
    ),
    # Heimersheim 2019, tensorflow-feature-extraction-tutorial: uniform noise, gradient / std, steps of 0.1 on [-1, 1],
    # which is 0.05 on [0, 1]; the array is the network's input itself; truncated to 8 bits.
    "tutorial": Recipe(
        base="tutorial",
        parameterization=Pixel(),
        transforms=(),
        objective=Channel(leak=0.0),
        optimizer=Ascent(rate=0.05),
        size=300,
        steps=10,
        input="signed",
        rounding="down",
    ),
}


def canvas(transforms: Sequence[Transform], size: int) -> int:
    """Side in pixels of a picture of ``size`` after padding and cropping."""
    pads = sum(one.pixels for one in transforms if isinstance(one, Pad))
    crops = sum(one.pixels for one in transforms if isinstance(one, Crop))
    return size + 2 * (pads - crops)


def automatic_size(receptive_field: int | None, smallest: int) -> int:
    """The side in pixels that ``size: auto`` means for a layer: the first of SIZES a quarter above its receptive field.

    ``receptive_field`` None (a neuron sees everything) and larger ones give the largest; never below ``smallest``.
    """
    wanted = SIZES[-1] if receptive_field is None else receptive_field * 1.25
    return max(next((size for size in SIZES if size >= wanted), SIZES[-1]), smallest)
