"""The plan: which pictures to make, each under the key of what decides its pixels."""

import functools
import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from atlas.canonical import digest
from atlas.images.loader import photo_name
from atlas.spec.facts import LayerFacts, NetworkFacts, NetworkRef, Preprocessing
from atlas.spec.objectives import Caricature, Channel, Neuron
from atlas.spec.pace import RELATIVE, Pace
from atlas.spec.recipe import Recipe
from atlas.spec.request import Request

KERNEL = 5  # the kernel's version: raised whenever the same job gives other pixels; tests pin the pixels of this one
OWN_WAYS = {"gelu": 1, "groups": 1, "layer_norms": 1}  # the versions of what atlas computes its own way, where it does
ACTIVATIONS = 1  # the version of how activation functions other than ReLU are ascended through, where there are some

# Bytes of a worker that has loaded TensorFlow and a network, and what each computation of a traced layer adds.
WORKER, OF_NODE = 0.85e9, 0.8e6


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to make: a channel, or a whole layer where it is None, under its key."""

    channel: int | None
    key: str


@dataclass(frozen=True)
class Group:
    """The jobs of one layer and one recipe: one traced graph in each process that works on them.

    ``identity`` is the digest of everything but the channel; ``recipe.size`` is a number here. ``photos`` are the paths
    of the recipe's photos, each with what named its pixels when all this was planned. ``smallest_batch`` is how many
    images go through all that the recipe looks at together, at least.
    """

    layer: LayerFacts
    recipe_name: str
    recipe: Recipe
    identity: str
    jobs: tuple[Job, ...]
    photos: tuple[tuple[str, str], ...] = ()
    smallest_batch: int = 2

    def step(self, pace: Pace) -> float:
        """The time for one step of one of its pictures: all its looks, at the size of each, and the picture itself."""
        looked = pace.network(self.layer.work, self.recipe.seen, self.smallest_batch) * self.recipe.looks
        return looked + pace.picture * float(self.recipe.size) ** 2

    def seconds(self, pace: Pace) -> float:
        """How long one core takes for one of its jobs, in the pace's unit of time. A photo that is looked at goes
        forward beside each picture."""
        return (1 + len(self.recipe.photos) / 2) * self.step(pace) * self.recipe.steps * self.recipe.repeats

    def memory(self, images: int) -> float:
        """About how many bytes a worker takes at most that makes so many images at once."""
        work = self.layer.work
        kept = work.fed + work.moved + 2 * (work.curved + work.normed)
        return WORKER + OF_NODE * work.nodes + 4 * kept * float(self.recipe.seen) ** 2 * images

    @property
    def flop(self) -> float:
        """Floating point operations of a convolution over neighbours that take as long as one of its jobs: a
        multiply-add is two, and so is its gradient."""
        return 4 * self.seconds(RELATIVE)


@dataclass(frozen=True)
class Plan:
    """Everything to make, layer by layer from input to output, and recipe by recipe."""

    ref: NetworkRef
    groups: tuple[Group, ...]

    def jobs(self) -> Iterator[tuple[Group, Job]]:
        """Every job with its group."""
        for group in self.groups:
            for job in group.jobs:
                yield group, job

    def part(self, number: int, count: int) -> "Plan":
        """Part ``number`` of ``count``, from 1: cut by the keys alone, so that parts never meet and are about alike."""
        groups = [
            replace(group, jobs=tuple(job for job in group.jobs if int(job.key[:12], 16) % count == number - 1))
            for group in self.groups
        ]
        return replace(self, groups=tuple(group for group in groups if group.jobs))

    def __len__(self) -> int:
        return sum(len(group.jobs) for group in self.groups)


def make_plan(request: Request, weights_digest: str) -> Plan:
    """The jobs of a request. ``weights_digest`` names the weights' values, not where they lie."""
    groups = []
    network = _named(request)
    named = functools.cache(photo_name)  # each photo is read once for all layers
    for layer in request.layers:
        for name, recipe in layer.recipes.items():
            given = (network, weights_digest, request.facts.preprocessing, layer.facts.name, recipe)
            bent, ways = is_bent(request.facts, layer.facts, recipe), own_ways(request.facts, layer.facts, recipe)
            identity = identify(*given, bent, request.facts.grey, named, ways)
            channels = (None,) if recipe.whole else layer.channels
            jobs = tuple(Job(channel, job_key(identity, channel)) for channel in channels)
            photos = tuple((path, named(Path(path))) for path in recipe.files)
            looked_at = _looked_at(request.facts, layer.facts, recipe)
            smallest = 1 if recipe.arithmetic == "plain" else max(one.smallest_batch for one in looked_at)
            groups.append(Group(layer.facts, name, recipe, identity, jobs, photos, smallest))
    return Plan(request.ref, tuple(groups))


def seen_by(request: Request, weights_digest: str) -> str:
    """Digest of everything that decides what a network makes of an image."""
    preprocessing = asdict(request.facts.preprocessing)
    ways = {way: OWN_WAYS[way] for layer in request.facts.layers for way in layer.own_ways}
    return digest({"network": _named(request), "preprocessing": preprocessing, "weights": weights_digest, **ways})


def _named(request: Request) -> str:
    """The network in keys: with its classifier it is another, and so it is with another output of classes."""
    classes = request.ref.classes
    if isinstance(classes, str):
        return f"{request.facts.id}+classes:{classes}" + "+whole" * request.facts.whole
    by_name = request.ref.network == request.facts.id  # a file is the same network, whatever is said of its outputs
    whole = "+whole" * request.facts.whole
    return request.facts.id + ("+classes" if classes and by_name else "") + whole


def is_bent(network: NetworkFacts, layer: LayerFacts, recipe: Recipe) -> bool:
    """Whether activation functions other than ReLU change the way of an ascent to a layer under a recipe.

    The way to the input is changed where a share of the gradient goes on through what is shut; the layer's own function
    where a channel, a neuron or a caricature is raised by its pre-activation.
    """
    looked_at = _looked_at(network, layer, recipe)
    raising = any(isinstance(term, Channel | Neuron | Caricature) for term in recipe.terms)
    own = raising and any(one.activation not in ("", "relu") for one in looked_at)
    return own or (recipe.through > 0 and any(one.behind for one in looked_at))


def own_ways(network: NetworkFacts, layer: LayerFacts, recipe: Recipe) -> frozenset[str]:
    """What atlas computes its own way between a layer and the input: the rounding differs from Keras's."""
    if recipe.arithmetic == "plain":
        return frozenset()
    return frozenset(way for one in _looked_at(network, layer, recipe) for way in one.own_ways)


def _looked_at(network: NetworkFacts, layer: LayerFacts, recipe: Recipe) -> list[LayerFacts]:
    """The layers that a recipe looks at for the pictures of one: its own, and those that the objective names."""
    classifier = [network.classifier] if recipe.looks_at_classes else []
    return [one for one in (layer, *map(network.layer, recipe.layers), *classifier) if one]


def identify(
    network: str,
    weights_digest: str,
    preprocessing: Preprocessing,
    layer: str,
    recipe: Recipe,
    bent: bool = False,
    grey: bool = False,
    named: Callable[[Path], str] = photo_name,
    ways: Collection[str] = (),
) -> str:
    """Digest of everything that decides the pictures of a layer under a recipe, but for the channel.

    Not in it: paths, titles, batches, devices, workers, the recipe's name. A photo counts by its content, as ``named``.
    Where activation functions other than ReLU have a say (``bent``), the version of what is done about them counts too.
    ``grey`` says whether the network sees no colours, and pictures have none; ``ways`` are what atlas computes its own
    way. Raises AtlasError for a photo that cannot be read.
    """
    pixels = recipe.with_photos(lambda photo: named(Path(photo))).pixels
    return digest(
        {
            "kernel": KERNEL,
            "layer": layer,
            "network": network,
            "preprocessing": asdict(preprocessing),
            "recipe": pixels,
            "weights": weights_digest,
            **({"activations": ACTIVATIONS} if bent else {}),
            **({"grey": True} if grey else {}),
            **{way: OWN_WAYS[way] for way in ways},
        }
    )


def job_key(identity: str, channel: int | None) -> str:
    """The key of one job: 64 hexadecimal digits; ``channel`` is None for that of a whole layer."""
    return digest({"channel": channel, "group": identity})


def seed_of(recipe: Recipe, layer: str, channel: int, attempt: int, repeat: int = 0) -> int:
    """The seed of a job's random draws: its own for every channel, and another for every attempt and every repeat."""
    text = f"{recipe.seed}/{layer}/{channel}/{attempt}" + (f"/{repeat}" if repeat else "")
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
