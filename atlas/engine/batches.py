"""What one worker does at a time: a batch of pictures, or a study, such as the comparison of a layer's pictures."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from atlas.spec.facts import NetworkRef
from atlas.spec.plan import Group, Job
from atlas.spec.recipe import Recipe
from atlas.store.entry import Entry
from atlas.store.store import Store

if TYPE_CHECKING:
    from atlas.networks.load import Network

T = TypeVar("T")
SIZES = ((128, 16), (192, 8))  # (side in pixels, images); of larger pictures the fewest that can go together
ROOM = 1.6e9  # bytes that a worker on cores takes, about
SIZES_ON_GPU = ((128, 64), (192, 32), (256, 16))  # an H100 makes three times as many a second by 64 as by 16


@dataclass(frozen=True)
class Setting:
    """With what work is done, the same for all of a build: a network by its id ``network``, which tells files apart by
    their content, and whose weights' values ``weights_digest`` names; a store's address, the ``threads`` that a worker
    has, and a ``device``, which is auto, cpu or gpu."""

    ref: NetworkRef
    network: str
    weights_digest: str
    store: str
    threads: int
    device: str


@dataclass(frozen=True)
class Batch:
    """Some jobs of one layer and one recipe, with all that a worker anywhere needs to do them. Small and picklable.

    ``activation`` is the layer's activation function. ``record`` names what is kept beside the pictures; a frame is
    kept every ``frame_every`` steps, 0 for none. ``photos`` are the recipe's, each with what named its pixels when it
    was planned.
    """

    setting: Setting
    layer: str
    activation: str
    recipe_name: str
    recipe: Recipe
    jobs: tuple[Job, ...]
    record: tuple[str, ...]
    frame_every: int
    photos: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Study:
    """Something to be found out. Picklable: all that a worker anywhere needs.

    ``layer`` is what it is about: a layer, a photo by its name, or the images themselves. ``recipe_name`` is the kind
    of study, in the place of a recipe's name in logs and reports. ``jobs`` are the entries that it makes, of no
    channel.
    """

    setting: Setting
    layer: str
    recipe_name: str
    jobs: tuple[Job, ...]

    def entries(self, network: "Network", store: Store, wanted: Sequence[Job]) -> Iterator[Entry]:
        """The entries of the ``wanted`` jobs. Runs in a worker."""
        raise NotImplementedError


Work = Batch | Study


def batch_size(group: Group, asked: int | str, gpu: bool) -> int:
    """How many channels ascend together: as asked, or by the size of the picture and how many are made of each.

    That is a power of two, and never less than a batch is filled up to: what fills it costs as much as a picture. On
    cores it is so few that a worker takes no more than ROOM, where that is possible.
    """
    if isinstance(asked, int):
        return asked
    recipe, sizes = group.recipe, SIZES_ON_GPU if gpu else SIZES
    images = next((images for side, images in sizes if int(recipe.size) <= side), 0)
    count, least = 1 << (images // recipe.repeats).bit_length() >> 1, _least(group)
    while count > least and not gpu and group.memory(count * recipe.repeats) > ROOM:
        count //= 2
    return max(count, least)


def _least(group: Group) -> int:
    """How many of a group's channels fill a batch of their own."""
    return group.smallest_batch // math.gcd(group.smallest_batch, group.recipe.repeats)


def cut(
    groups: Iterable[tuple[Group, Sequence[T]]], asked: int | str, workers: int, gpu: bool = False
) -> Iterator[tuple[Group, Sequence[T]]]:
    """The jobs of each group in batches. In a small build they are smaller, so that every worker gets a part of it: no
    batch costs more than half of a worker's share.

    A picture that is made on cores does not depend on its batch, so nothing here can change one. ``gpu`` says that
    workers have GPUs, which are quick only with more at once.
    """
    groups = list(groups)
    most = sum(group.flop * len(jobs) for group, jobs in groups) / (2 * workers)
    for group, jobs in groups:
        size = batch_size(group, asked, gpu)
        if asked == "auto":
            while size > max(2, _least(group)) and size * group.flop > most:
                size //= 2
        first = 0
        for length in _lengths(len(jobs), size, size if gpu else _least(group)):
            yield group, jobs[first : first + length]
            first += length


def _lengths(count: int, size: int, least: int) -> Iterator[int]:
    """How long the batches of so many jobs are: of ``size``, and what is left over so that few places are filled up."""
    yield from [size] * (count // size)
    left = count % size
    while left:
        whole = 1 << left.bit_length() - 1  # the largest power of two in it
        part = left if 2 * whole - left < least else whole
        yield part
        left -= part


def places(group: Group, count: int) -> int:
    """How many jobs a batch of so many has room for, those included that fill it up: all cost alike."""
    place = 1
    while place < count or place % _least(group):
        place *= 2
    return place
