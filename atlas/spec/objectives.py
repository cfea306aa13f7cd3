"""Objectives: what is raised. One term, or a sum of several, each with its weight."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from atlas.spec.frozen import Frozen, PathText

LayerName = Annotated[str, Field(min_length=1, max_length=200)]
NO_PHOTO = (
    "expected the path of a photo to make the caricature of, `objective: {photo: PATH}` or `atlas show --photo PATH`, "
    "received none"
)


class Term(Frozen):
    """What every term has: ``weight`` is how much it counts in a sum; below zero it is lowered: the negative."""

    weight: float = Field(1.0, ge=-1e6, le=1e6)

    @model_validator(mode="after")
    def _check(self) -> "Term":
        if self.weight == 0:
            raise ValueError("expected a weight other than 0")
        return self


class Placed(Term):
    """A term that looks at one ``layer``: the job's own when left out."""

    layer: LayerName | None = None


class Channel(Placed):
    """The mean of one channel over all positions, but for ``border`` of them on every side.

    ``channel`` is the job's own when left out. ``leak`` weighs positions below zero in the gradient of a layer that
    ends in a ReLU: 0 leaves them out, so that a channel takes hold in one corner; a little makes it fill the picture; 1
    raises the mean before the ReLU. With a weight below zero the value before the ReLU is lowered, since the ReLU hides
    what lies below.
    """

    name: Literal["channel"] = "channel"
    channel: int | None = Field(None, ge=0)
    leak: float = Field(0.1, ge=0, le=1)
    border: int = Field(0, ge=0, le=64)


class Neuron(Placed):
    """One position of one channel: ``at`` the ``centre``, or ``[y, x]`` counted from 0 at the top left.

    ``channel`` and ``leak`` as in ``channel``.
    """

    name: Literal["neuron"] = "neuron"
    channel: int | None = Field(None, ge=0)
    at: Literal["centre"] | tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = "centre"
    leak: float = Field(0.1, ge=0, le=1)


class Layer(Placed):
    """The mean square of a whole layer, over its channels and positions but for ``border``: DeepDream."""

    name: Literal["layer"] = "layer"
    border: int = Field(0, ge=0, le=64)


class Direction(Placed):
    """The mean over positions, but for ``border``, of the layer's activations along a direction over its channels.

    ``vector`` has one number for each channel of the layer, or names some channels with their numbers, ``[[17, 1], [4,
    -0.5]]``; it is taken at unit length.
    """

    name: Literal["direction"] = "direction"
    vector: tuple[tuple[Annotated[int, Field(ge=0)], float], ...] | tuple[float, ...] = Field(min_length=1)
    border: int = Field(0, ge=0, le=64)

    @model_validator(mode="after")
    def _check_vector(self) -> "Direction":
        if not any(one[1] if isinstance(one, tuple) else one for one in self.vector):
            raise ValueError("expected numbers of which one at least is not 0")
        return self

    def along(self, channels: int) -> list[float]:
        """The direction at unit length, one number for each of a layer's ``channels``.

        Raises ValueError with what was expected and received when it does not fit them.
        """
        values = [0.0] * channels
        pairs = [one if isinstance(one, tuple) else (index, one) for index, one in enumerate(self.vector)]
        for channel, value in pairs:
            if channel >= channels:
                raise ValueError(f"expected numbers for channels 0 to {channels - 1}, received one for {channel}")
            values[channel] += value
        if not isinstance(self.vector[0], tuple) and len(pairs) < channels:
            raise ValueError(f"expected {channels} numbers, one for each channel, received {len(pairs)}")
        length = sum(value * value for value in values) ** 0.5
        return [value / length for value in values]


class Class(Term):
    """A class of the network's classifier: its logit, before the softmax. ``index`` counts from 0."""

    name: Literal["class"] = "class"
    index: int = Field(ge=0)


class Diversity(Placed):
    """How unlike the pictures of one job are: minus the mean cosine of the correlations of the layer's channels.

    Only with ``repeats`` of 2 or more; beside another term, whose weight it is held against.
    """

    name: Literal["diversity"] = "diversity"


class Caricature(Placed):
    """How far a layer's activations go along those of a ``photo``, which goes through the same transforms.

    It is 1 for the photo itself. ``power`` is that of the cosine between the two: with 0 whatever is strong in the
    photo is raised, and whatever comes along with it; higher ones keep to the photo and exaggerate less. ``leak`` as in
    ``channel``. Only the recipe ``caricature``, from which others begin, has no photo.
    """

    name: Literal["caricature"] = "caricature"
    photo: PathText | None = None
    power: float = Field(1.0, ge=0, le=10)
    leak: float = Field(0.1, ge=0, le=1)


Objective = Annotated[
    Channel | Neuron | Layer | Direction | Class | Diversity | Caricature, Field(discriminator="name")
]
