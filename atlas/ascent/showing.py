"""Pictures of a few channels for who looks at them now: made in several processes where that is sooner."""

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from atlas.ascent.show import Shown
from atlas.errors import NetworkError
from atlas.processes import spread
from atlas.processor import cores
from atlas.runtime import start_tensorflow, started_here
from atlas.spec.facts import LayerFacts, NetworkRef
from atlas.spec.machine import pace
from atlas.spec.plan import Group
from atlas.spec.recipe import Recipe

if TYPE_CHECKING:
    from atlas.ascent.render import Rendering

T = TypeVar("T")
WORTH_IT = 10.0  # seconds of work for which a process is started, which takes five


@dataclass(frozen=True)
class Showing:
    """What is to be shown: a layer of a network under a recipe, a frame kept every so many steps, 0 for none.

    ``network`` is the network's id, which tells files apart by their content. ``threads`` is how many TensorFlow has;
    with one the pictures have the same bytes as a build's in the same arithmetic.
    """

    ref: NetworkRef
    network: str
    layer: str
    recipe: Recipe
    frame_every: int
    threads: int = 1

    def render(self, channels: Sequence[int]) -> "list[Rendering]":
        """The renderings of some channels, made by this process.

        Raises: NetworkError when the file of the network is another by now; AtlasError when a picture cannot be made.
        """
        start_tensorflow(self.threads)
        from atlas.ascent.render import renderings
        from atlas.networks.load import load

        network = load(self.ref)
        if network.facts.id != self.network:
            raise NetworkError(f"{self.ref.network}: expected a file that stays as it is while it is read; try again")
        return renderings(network, self.layer, channels, self.recipe, self.frame_every)

    def make(self, channels: Sequence[int]) -> list[Shown]:
        """What is shown of some channels, which TensorFlow is not needed to read. Raises as ``render``."""
        return [Shown(one.channel, one.pictures, one.frames, one.state) for one in self.render(channels)]


def seconds(layer: LayerFacts, recipe: Recipe, pictures: int) -> float:
    """How long some pictures take in one process, about."""
    return Group(layer, "", recipe, "", ()).seconds(pace(recipe.arithmetic)) * pictures


def processes(pictures: int, work: float) -> int:
    """How many processes are worth their start for so many seconds of ``work``: each has a core and enough to do.

    One where this is itself one of several processes or threads, or where TensorFlow is set up by somebody else.
    """
    alone = multiprocessing.parent_process() is None and threading.current_thread() is threading.main_thread()
    if not alone or not started_here():
        return 1
    return max(1, min(cores(), pictures, int(work / WORTH_IT)))


def share(make: Callable[[Sequence[int]], list[T]], channels: Sequence[int], count: int) -> list[T]:
    """What ``make`` gives for each channel, in their order, a part of them made in each of so many processes.

    Raises what ``make`` raises, and AtlasError when a process is killed.
    """
    if count == 1:
        return make(channels)
    parts = [(place, tuple(channels[place::count])) for place in range(count)]
    made = dict(spread(partial(_part, make), parts, count))
    return [made[place % count][place // count] for place in range(len(channels))]


def _part(make: Callable[[Sequence[int]], list[T]], part: tuple[int, Sequence[int]]) -> tuple[int, list[T]]:
    return part[0], make(part[1])
