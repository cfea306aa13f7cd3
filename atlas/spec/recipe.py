"""Recipes: everything that decides the pixels of a picture, and nothing else.

A recipe fills five slots, as Lucid named them: parameterization -> transforms -> network -> objective -> optimizer.
Every default stands here or in ``slots`` and ``objectives``, once.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from atlas.activations import SEEDS
from atlas.spec.frozen import Frozen, PathText
from atlas.spec.objectives import Caricature, Channel, Class, Diversity, Neuron, Objective
from atlas.spec.slots import (
    Adam,
    Crop,
    Fourier,
    Maco,
    Octaves,
    Optimizer,
    Pad,
    Parameterization,
    Pixel,
    RandomCrop,
    Roll,
    Rotate,
    Scale,
    Settle,
    Shift,
    Transform,
)

LAST_SEEDS = 2  # how many seeds its last resort has
STARTS = ("noise", "noise-caffe", "grey-noise", "grey", "black")
SIZES = (128, 160)  # what `size: auto` chooses from, in pixels: those that readers like best, see docs/recipes.md


def _shape(value: Any) -> str:
    return "several" if isinstance(value, list | tuple) else "one"


OneOrSeveral = Annotated[
    Annotated[Objective, Tag("one")]
    | Annotated[tuple[Objective, ...], Field(min_length=1, max_length=32), Tag("several")],
    Discriminator(_shape),
]


class Recipe(Frozen):
    """How a picture is made.

    ``objective`` is one term or a list of terms, which is their sum. ``size`` is the picture's side in pixels, a
    multiple of 4 (else the last values of a batch would fall out of step with the processor's vectors and round
    differently), or ``auto``: chosen from the layer's receptive field, see ``automatic_size``. ``steps`` is the number
    of updates; ``keep`` says whose picture stays, the ``last`` step's or that of the ``best`` score. ``through`` is the
    share of a gradient that goes on backwards through the network's activation functions where they are shut, so that
    what is silent still has a way to wake up. ``repeats`` is how many pictures are made of one channel, each from a
    seed of its own.

    ``start`` is what the ascent begins from: ``noise``; ``noise-caffe`` (noise with VGG's means taken off, which the
    first clip turns into almost pure black and white); ``grey-noise`` (grey with a trace of noise); ``grey``;
    ``black``; or the path of a photo, of which the picture is then an accentuation. ``fill`` is what lies beyond the
    picture's edge when a transform looks there: the picture ``reflect``ed, its other side (``wrap``), or ``grey``.
    ``input`` ``own`` feeds the network through its own preprocessing; ``signed`` feeds it the picture scaled to [-1,
    1], whatever the network was trained on, as the tutorial does. ``rounding`` is how values become 8 bits.
    ``arithmetic`` is how the network is computed: ``auto`` is ``bfloat16`` or ``fast``, decided once for each atlas
    (docs/running.md); ``fast`` leaves out what the picture does not need and fuses what it
    can; ``bfloat16`` is ``fast`` with the network's values in 16 bits, but neither the picture nor what is measured of
    it; ``plain`` takes each layer as it stands, which reproduces the pixels of another program; ``mixed`` is ``fast``
    as TensorFlow itself puts it into 16 bits; ``xla`` is ``fast`` compiled by XLA.
    """

    base: str = "default"
    parameterization: Parameterization = Fourier(saturation=0.7, contrast=1.3)
    transforms: tuple[Transform, ...] = (Roll(share=0.6), Shift(), Scale(between=(0.75, 1.15)), Rotate(degrees=8.0))
    objective: OneOrSeveral = Channel()
    optimizer: Optimizer = Adam(schedule="linear")
    size: Literal["auto"] | Annotated[int, Field(ge=16, le=2048, multiple_of=4)] = "auto"
    steps: int = Field(306, ge=1, le=100_000)
    settle: Settle | None = None
    octaves: Octaves | None = None
    keep: Literal["last", "best"] = "last"
    through: float = Field(0.05, ge=0, le=1)
    repeats: int = Field(1, ge=1, le=16)
    seed: int = Field(0, ge=0, lt=2**63)
    start: PathText = "noise"
    fill: Literal["reflect", "wrap", "grey"] = "wrap"
    input: Literal["own", "signed"] = "own"
    rounding: Literal["nearest", "down"] = "nearest"
    arithmetic: Literal["auto", "fast", "bfloat16", "plain", "mixed", "xla"] = "auto"

    @property
    def terms(self) -> tuple[Objective, ...]:
        """The terms of the objective; their weighted sum is raised."""
        return self.objective if isinstance(self.objective, tuple) else (self.objective,)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers other than the job's own that the objective names."""
        return tuple(term.layer for term in self.terms if not isinstance(term, Class) and term.layer is not None)

    @property
    def photos(self) -> tuple[str, ...]:
        """The paths of the photos that the objective looks at, each once."""
        named = [term.photo for term in self.terms if isinstance(term, Caricature) and term.photo is not None]
        return tuple(dict.fromkeys(named))

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of all photos that decide its pictures: the objective's and the start, each once."""
        return tuple(dict.fromkeys([*self.photos, *([] if self.start in STARTS else [self.start])]))

    @property
    def photo(self) -> str | None:
        """The path of the photo that pictures are made of: the objective's first, or the start; None without one."""
        return next(iter(self.files), None)

    @property
    def looks_at_classes(self) -> bool:
        """Whether the objective needs the network's classifier."""
        return any(isinstance(term, Class) for term in self.terms)

    @property
    def whole(self) -> bool:
        """Whether the objective looks at no channel of the job's own: then a layer has one picture, not one each."""
        return not any(isinstance(term, Channel | Neuron) and term.channel is None for term in self.terms)

    @property
    def activates(self) -> bool:
        """Whether all that is raised is the job's own channel or a neuron of it: then a picture can be called dead."""
        term = self.terms[0]
        own = isinstance(term, Channel | Neuron) and term.channel is None and term.layer is None
        return len(self.terms) == 1 and own and term.weight > 0

    @property
    def attempts(self) -> int:
        """How often a channel is tried at most: once, with SEEDS others, and by the last resort where there is one."""
        return 1 + SEEDS + LAST_SEEDS * (self.last_resort is not None)

    @property
    def last_resort(self) -> "Recipe | None":
        """The recipe for a channel that no seed raises: a plain ascent of the pre-activation on the pixels themselves.

        Neither contrast nor colour is held, nothing moves, and the step with the best score stays. None where it is not
        asked whether a channel is raised, and for recipes that lend no gradient to what is shut (``through`` 0), which
        show what other programs make.
        """
        if not self.activates or not self.through:
            return None
        changes = {
            "parameterization": Pixel(),
            "transforms": (),
            "objective": self.terms[0].model_copy(update={"leak": 1.0}),
            "optimizer": Adam(rate=0.05, beta1=0.9, beta2=0.999),
            "steps": 300,
            "settle": None,
            "octaves": None,
            "keep": "best",
            "through": 0.0,
        }
        return self.model_copy(update=changes)

    def with_photos(self, renamed: Callable[[str], str]) -> "Recipe":
        """The recipe with the path of each photo, that of its start and those of its terms, as ``renamed`` gives it."""
        terms = tuple(
            term.model_copy(update={"photo": renamed(term.photo)})
            if isinstance(term, Caricature) and term.photo is not None
            else term
            for term in self.terms
        )
        objective = terms if isinstance(self.objective, tuple) else terms[0]
        start = self.start if self.start in STARTS else renamed(self.start)
        return self.model_copy(update={"start": start, "objective": objective})

    def computed(self, arithmetic: str) -> "Recipe":
        """The recipe where ``auto`` means ``arithmetic``; one that names another stays."""
        return self.model_copy(update={"arithmetic": arithmetic}) if self.arithmetic == "auto" else self

    @property
    def pixels(self) -> dict[str, Any]:
        """The recipe as plain data, without the name it was derived from: what the key is made of.

        What keys of before did not know is left out where it means what was done before.
        """
        found = self.computed("fast").model_dump(mode="json", exclude={"base"})
        if found["parameterization"].get("saturation") == 1:
            del found["parameterization"]["saturation"]
        for one in found["transforms"]:
            if one.get("count") == 1:
                del one["count"]
        return found

    @property
    def seen(self) -> int:
        """Side in pixels of what the network sees of a picture whose size is a number, after padding and cropping."""
        return canvas(self.transforms, int(self.size))

    @property
    def looks(self) -> int:
        """How often each of its steps looks at the picture."""
        return looks(self.transforms)

    @property
    def counts_pixels(self) -> bool:
        """Whether it is kept how much each pixel counted in the ascent, as Fel 2023 does."""
        return isinstance(self.parameterization, Maco)

    @property
    def shown(self) -> dict[str, Any]:
        """The recipe in full as plain data for people: a photo is named without its folder."""
        return self.with_photos(lambda photo: Path(photo).name).model_dump(mode="json")

    @model_validator(mode="after")
    def _check(self) -> "Recipe":
        slot, photo = self.parameterization, self.start not in STARTS
        if any(isinstance(one, Roll) for one in self.transforms[1:]):
            raise ValueError("expected roll before the other transforms, and once")
        if not isinstance(slot, Pixel) and self.start == "noise-caffe":
            raise ValueError("expected start: noise-caffe with parameterization pixel only")
        if isinstance(slot, Fourier) and slot.contrast is not None and self.start == "black":
            raise ValueError("expected start: black with contrast: null or parameterization pixel only")
        if isinstance(slot, Maco) and self.start != "noise" and not photo:
            raise ValueError("expected start: noise or a photo with parameterization maco, whose contrast is fixed")
        if self.octaves and not isinstance(slot, Pixel):
            raise ValueError("expected octaves with parameterization pixel only")
        if self.octaves and self.steps < self.octaves.count:
            raise ValueError(f"expected at least one step for each of {self.octaves.count} octaves")
        terms = {type(term) for term in self.terms}
        if Diversity in terms and (self.repeats < 2 or terms == {Diversity}):
            raise ValueError("expected objective diversity beside another term and with repeats of 2 or more")
        return self


def canvas(transforms: Sequence[Transform], size: int) -> int:
    """Side in pixels of a picture of ``size`` after padding, cropping and random crops."""
    for one in transforms:
        if isinstance(one, Pad):
            size += 2 * one.pixels
        elif isinstance(one, Crop):
            size -= 2 * one.pixels
        elif isinstance(one, RandomCrop):
            size = one.pixels
    return size


def looks(transforms: Sequence[Transform]) -> int:
    """How often a step looks at the picture: once, or at each of several random crops."""
    return math.prod(one.count for one in transforms if isinstance(one, RandomCrop))


def octave_sizes(recipe: Recipe) -> tuple[int, ...]:
    """The sides in pixels of a recipe's octaves, small to large, each a multiple of 4; of one without only its own."""
    size, octaves = int(recipe.size), recipe.octaves
    if octaves is None:
        return (size,)
    sides = [round(size / octaves.scale**power / 4) * 4 for power in range(octaves.count - 1, 0, -1)]
    return (*sides, size)


def automatic_size(receptive_field: int | None, smallest: int) -> int:
    """The side in pixels that ``size: auto`` means for a layer: the first of SIZES a quarter above its receptive field.

    ``receptive_field`` None (a neuron sees everything) and larger ones give the largest; never below ``smallest``.
    """
    fits = (size for size in SIZES if receptive_field is not None and size >= 1.25 * receptive_field)
    return max(next(fits, SIZES[-1]), smallest)
