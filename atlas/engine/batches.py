"""What one worker does at a time: a batch of pictures, or the comparison of all pictures of a layer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from atlas.spec.facts import NetworkRef
from atlas.spec.plan import Group, Job
from atlas.spec.recipe import Recipe

LARGEST = ((128, 16), (192, 8))  # (side in pixels, images): larger pictures go two at a time


@dataclass(frozen=True)
class Batch:
    """Some jobs of one layer and one recipe, with all that a worker anywhere needs to do them. Small and picklable.

    ``record`` names what is kept beside the pictures; a frame is kept every ``frame_every`` steps, 0 for none.
    ``device`` is auto, cpu or gpu.
    """

    ref: NetworkRef
    network: str
    weights_digest: str
    layer: str
    recipe_name: str
    recipe: Recipe
    jobs: tuple[Job, ...]
    store: str
    record: tuple[str, ...]
    frame_every: int
    threads: int
    device: str


@dataclass(frozen=True)
class Comparison:
    """All pictures of a layer, by their keys, to be compared with one another. Small and picklable.

    ``before`` is the layer before it that the atlas has, or None. ``jobs`` is the one job of it, of no channel.
    ``whole`` says whether the pictures are all that the layer will have.
    """

    ref: NetworkRef
    weights_digest: str
    layer: str
    recipe_name: str
    before: str | None
    pictures: tuple[str, ...]
    jobs: tuple[Job, ...]
    store: str
    threads: int
    device: str
    whole: bool


Work = Batch | Comparison


def batch_size(recipe: Recipe, asked: int | str) -> int:
    """How many channels ascend together: as asked, or by the size of the picture and how many are made of each."""
    if isinstance(asked, int):
        return asked
    images = next((images for side, images in LARGEST if int(recipe.size) <= side), 2)
    return max(1, images // recipe.repeats)


def cut(
    groups: Iterable[tuple[Group, tuple[Job, ...]]], asked: int | str, workers: int
) -> Iterator[tuple[Group, tuple[Job, ...]]]:
    """The jobs of each group in batches. A small group is cut finer so that every worker gets a part of the build.

    A picture does not depend on its batch, so nothing here can change one.
    """
    groups = list(groups)
    sizes = [batch_size(group.recipe, asked) for group, _ in groups]
    if asked == "auto":
        while max(sizes, default=0) > 2 and _count(groups, sizes) < 2 * workers:
            sizes = [max(2, size // 2) for size in sizes]
    for (group, jobs), size in zip(groups, sizes, strict=True):
        for first in range(0, len(jobs), size):
            yield group, jobs[first : first + size]


def _count(groups: list[tuple[Group, tuple[Job, ...]]], sizes: list[int]) -> int:
    return sum(-(-len(jobs) // size) for (_, jobs), size in zip(groups, sizes, strict=True))
