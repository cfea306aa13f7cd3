"""What fills the slots of a recipe: parameterizations, transforms, optimizers and what goes with them.

Units: pictures have values in [0, 1]; lengths are pixels; angles are degrees.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from atlas.spec.frozen import Frozen


class Pixel(Frozen):
    """The picture's values are the parameters, clipped to their range after every step."""

    name: Literal["pixel"] = "pixel"


class Fourier(Frozen):
    """The picture's spectrum holds the parameters, so that gradient steps spread over all scales (Olah et al. 2017).

    ``power`` is the fall of the spectrum, amplitude 1 / frequency ** power: higher gives smoother pictures.
    ``decorrelate`` steps along the colour directions of natural images, of which ``saturation`` weighs those besides
    light: below 1 colours are softer. ``contrast`` fixes the deviation of the values before the sigmoid and takes the
    mean colour out, so that no picture ends pale or drowned in one tint; None leaves both free, as Lucid does.
    """

    name: Literal["fourier"] = "fourier"
    power: float = Field(1.25, ge=0, le=3)
    decorrelate: bool = True
    saturation: float = Field(1.0, gt=0, le=2)
    contrast: float | None = Field(1.6, gt=0, le=10)


class Maco(Frozen):
    """The magnitude of the spectrum is fixed to that of natural images, its phase holds the parameters (Fel 2023).

    No photo is needed for the magnitude: it falls as 1 / frequency ** ``power``, with ``axes`` times the energy along
    the axes that it has along the diagonals. ``decorrelate`` as in ``fourier``; ``contrast`` is the deviation of the
    values before the sigmoid.
    """

    name: Literal["maco"] = "maco"
    power: float = Field(1.5, ge=0, le=3)
    axes: float = Field(1.5, ge=1, le=10)
    decorrelate: bool = True
    contrast: float = Field(1.3, gt=0, le=10)


class Pad(Frozen):
    """A border of ``pixels`` around the picture, filled as ``fill`` says."""

    name: Literal["pad"] = "pad"
    pixels: int = Field(12, ge=0, le=256)


class Crop(Frozen):
    """Takes ``pixels`` off every side."""

    name: Literal["crop"] = "crop"
    pixels: int = Field(6, ge=0, le=256)


class Roll(Frozen):
    """Turns the picture as a torus by a whole number of pixels each way, another for every image and step.

    Offsets are drawn from a span of that ``share`` of the picture's side; with 1 every place is as likely. So nothing
    is at the edge for long: what a network hardly sees there it sees in the middle. It comes before other transforms.
    """

    name: Literal["roll"] = "roll"
    share: float = Field(0.5, ge=0, le=1)


class Shift(Frozen):
    """Moves the picture by up to ``pixels`` each way, another offset for every image and step."""

    name: Literal["shift"] = "shift"
    pixels: float = Field(6.0, ge=0, le=512)


class Scale(Frozen):
    """Magnifies by a factor drawn from ``between``, or one of ``among`` where that is given."""

    name: Literal["scale"] = "scale"
    between: tuple[float, float] = (0.97, 1.03)
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
    degrees: float = Field(3.0, ge=0, le=180)
    among: tuple[float, ...] | None = None


class RandomCrop(Frozen):
    """Square parts of the picture, magnified to ``pixels``: other places for every image and step.

    A part's side is a share of the picture's: ``first`` at the first step, ``last`` at the last, and on the way
    between. It lies anywhere within the picture. A step looks at ``count`` parts and follows the mean of their
    gradients, at that many times the cost.
    """

    name: Literal["random-crop"] = "random-crop"
    first: float = Field(1.0, gt=0.01, le=1)
    last: float = Field(0.6, gt=0.01, le=1)
    pixels: int = Field(128, ge=16, le=1024, multiple_of=4)
    count: int = Field(1, ge=1, le=64)


class Noise(Frozen):
    """Adds normal noise of that ``deviation`` to what the network sees, other noise for every image and step."""

    name: Literal["noise"] = "noise"
    deviation: float = Field(0.05, ge=0, le=1)


Schedule = Literal["constant", "linear", "cosine"]


class Adam(Frozen):
    """Adam (Kingma & Ba 2015) with steps of ``rate``. A low ``beta1`` forgets old transforms sooner.

    ``schedule`` lets the rate fall from full to nothing over the steps: ``linear``, or along a ``cosine``.
    """

    name: Literal["adam"] = "adam"
    rate: float = Field(0.05, gt=0, le=100)
    beta1: float = Field(0.3, ge=0, lt=1)
    beta2: float = Field(0.9, ge=0, lt=1)
    schedule: Schedule = "constant"


class Ascent(Frozen):
    """Plain ascent with steps of ``rate`` along the gradient over its own size.

    The rate is in the parameters' own units: of a ``pixel`` picture its range, [0, 1], or [-1, 1] with ``input:
    signed``.
    ``over`` is which size: its standard ``deviation``, its Euclidean ``length``, or the ``mean`` of its absolute
    values. ``schedule`` as in ``adam``.
    """

    name: Literal["ascent"] = "ascent"
    rate: float = Field(0.05, gt=0, le=100)
    over: Literal["deviation", "length", "mean"] = "deviation"
    schedule: Schedule = "constant"


class Octaves(Frozen):
    """The ascent begins on a small picture and goes on from its enlargement, ``count`` times (Mordvintsev 2015).

    Each size is ``scale`` times the one before, the last is the recipe's; each gets its part of the steps. What an
    octave changed is enlarged and added to the start at the next size, so that the start's own detail is kept.
    """

    count: int = Field(4, ge=2, le=10)
    scale: float = Field(1.4, gt=1, le=4)


class Settle(Frozen):
    """An image has settled when a ``window`` of steps raised its mean score by less than the share ``gain``.

    It stops there, for itself alone: the images it was batched with go on.
    """

    window: int = Field(32, ge=4, le=10_000)
    gain: float = Field(0.01, ge=0, le=1)


Parameterization = Annotated[Pixel | Fourier | Maco, Field(discriminator="name")]
Transform = Annotated[Roll | Pad | Crop | Shift | Scale | Rotate | RandomCrop | Noise, Field(discriminator="name")]
Optimizer = Annotated[Adam | Ascent, Field(discriminator="name")]
