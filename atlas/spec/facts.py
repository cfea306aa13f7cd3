"""What is known of a network without running it: plain frozen data, made by ``atlas.networks.catalog``."""

import os
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Preprocessing:
    """How a picture in [0, 1] becomes a network's input: ``picture[..., order] * scale + offset``, per channel.

    ``order`` is ``rgb`` or ``bgr``; ``scale`` and ``offset`` are in the network's own channel order. It is applied
    inside the graph, exactly once.
    """

    order: str = "rgb"
    scale: tuple[float, float, float] = (255.0, 255.0, 255.0)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Branch:
    """A run of channels of a concatenated layer that one branch makes: ``first`` and ``last`` are both inside.

    ``copies`` names the layer whose channels these are, one by one in order, max-pooled or as they are; it is empty
    where the branch makes channels of its own.
    """

    name: str
    first: int
    last: int
    copies: str = ""


@dataclass(frozen=True)
class Work:
    """What an ascent computes from a network's input to a layer, for each pixel of the input: estimates of time rest on
    it. The last convolution is asked for one channel alone, and counts for what it is fed.

    Multiply-adds: ``wide`` of convolutions over neighbours, ``point`` of those that look at one position, and of dense
    layers, ``apart`` of convolutions in groups. Values: ``fed`` those that convolutions take and make, ``pooled`` those
    that pools look at, ``curved`` by activation functions with an exponential, ``normed`` by layer norms and their
    like, ``moved`` by everything else. ``nodes`` is how many computations there are, whatever the input.
    """

    wide: float = 0.0
    point: float = 0.0
    apart: float = 0.0
    fed: float = 0.0
    pooled: float = 0.0
    curved: float = 0.0
    normed: float = 0.0
    moved: float = 0.0
    nodes: float = 0.0


WORK = tuple(Work.__dataclass_fields__)
MULTIPLY_ADDS = ("wide", "point", "apart")


@dataclass(frozen=True)
class LayerFacts:
    """One layer that can be looked at.

    ``name`` is the name used in configurations, keys and addresses (``block4_conv1``, ``mixed4``, ``stem1``,
    ``outer.inner``): that in a user's own file, and for networks known by name that of a fresh process. ``channels`` is
    its depth. ``receptive_field`` is in input pixels, None when a neuron sees the whole picture; ``stride`` is the
    distance of two neighbouring neurons in input pixels. ``kind`` is ``conv``, ``pool``, ``concat``, ``add``,
    ``activation``, ``classes`` (a classifier: a channel for each class), ``vector`` (one position, no map) or ``map``
    (any other). ``listed`` says whether patterns and lists mean the layer; others can be looked at by their names.
    ``feature`` says whether the layer belongs to "every feature layer" (pools and classes do not). ``activation`` names
    the activation function that every value of the layer comes out of, empty where there is none; ``behind`` those,
    other than ReLU, that lie between it and the input and can be shut. ``own_ways`` are what atlas computes its own
    way, in this layer or between it and the input: keys of ``spec.plan.OWN_WAYS``. ``work`` is what is computed from
    the input to this layer; ``smallest_batch`` is how many images go through the network at least, so that each gets
    the same bytes in every batch.
    """

    name: str
    channels: int
    receptive_field: int | None
    stride: int
    kind: str
    feature: bool
    activation: str
    work: Work
    branches: tuple[Branch, ...] = ()
    behind: tuple[str, ...] = ()
    own_ways: tuple[str, ...] = ()
    smallest_batch: int = 2
    listed: bool = True


@dataclass(frozen=True)
class NetworkFacts:
    """A network: ``id`` as written in configurations, a ``title`` for people, its layers from input to output.

    ``size`` is the side in pixels of the pictures it was trained on; ``smallest`` the smallest side it accepts;
    ``paper`` a citation with its address, empty for a user's own network. ``note`` is a sentence that the pages show
    when the network was changed to fit. ``resizes`` says whether pictures are resized to ``size`` inside the graph.
    ``file`` is the name of a user's own file, empty for a network known by name. ``whole`` says whether the network
    takes whole numbers, which pictures are rounded to inside the graph.
    ``grey`` says whether its input has one channel, so that it sees no colours.
    """

    id: str
    title: str
    layers: tuple[LayerFacts, ...]
    preprocessing: Preprocessing
    size: int
    smallest: int = 32
    paper: str = ""
    note: str = ""
    resizes: bool = False
    file: str = ""
    whole: bool = False
    grey: bool = False
    _index: dict[str, LayerFacts] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._index.update((layer.name, layer) for layer in self.layers)

    @property
    def called(self) -> str:
        """What messages call it: its id, or the name of a user's own file."""
        return self.file or self.id

    def layer(self, name: str) -> LayerFacts | None:
        """The layer of that name, or None."""
        return self._index.get(name)

    def unfit(self, size: int) -> str | None:
        """Why real images cannot be shown to it at a side of ``size`` px, None when they can."""
        if self.resizes and size != self.size:
            return f"expected {self.size} pixels, which {self.called} resizes all to, received {size}"
        if size < self.smallest:
            return f"expected at least {self.smallest} pixels, which {self.called} needs, received {size}"
        return None

    @property
    def feature_layers(self) -> tuple[LayerFacts, ...]:
        """The layers that "every feature layer" means, from input to output."""
        return tuple(layer for layer in self.layers if layer.feature)

    @property
    def classifier(self) -> LayerFacts | None:
        """The layer whose channels are the network's classes; None for a network without its classifier."""
        return next((layer for layer in self.layers if layer.kind == "classes"), None)


def is_path(network: str) -> bool:
    """Whether a network is named by a file, of whatever kind, and not by an id, which has neither dots nor slashes."""
    return "." in network or "/" in network or os.sep in network


@dataclass(frozen=True)
class NetworkRef:
    """Which network with which weights: all that ``networks`` needs to find, describe and load it. Picklable.

    ``network`` is an id (``vgg19``) or the absolute path of a ``.keras`` file; ``weights`` is ``imagenet``,
    ``embedded``, ``random``, ``own`` (those inside the ``.keras`` file) or an absolute path; ``seed`` decides random
    weights; ``preprocessing`` overrides the family's own, and is required for a ``.keras`` file. ``classes`` means a
    network of keras.applications with its classifier, which fixes its size. A file is always as it was saved: of it
    ``classes`` means that an output tells classes though no softmax says so, or names the layer of that output.
    """

    network: str
    weights: str
    seed: int = 0
    preprocessing: Preprocessing | None = None
    classes: bool | str = False
