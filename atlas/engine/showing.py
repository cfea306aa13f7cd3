"""Pictures of a few channels for who looks at them now: made in several processes where that is sooner."""

from collections.abc import Sequence
from dataclasses import dataclass

from atlas.ascent.show import Shown
from atlas.processes import spread
from atlas.runtime import start_tensorflow
from atlas.spec.facts import NetworkRef
from atlas.spec.recipe import Recipe


@dataclass(frozen=True)
class Showing:
    """What is to be shown: a layer of a network under a recipe, a frame kept every so many steps, 0 for none.

    ``threads`` is how many TensorFlow has; with one the pictures have the same bytes as a build's in the same
    arithmetic.
    """

    ref: NetworkRef
    layer: str
    recipe: Recipe
    frame_every: int
    threads: int = 1

    def make(self, channels: Sequence[int]) -> list[Shown]:
        """What is shown of some channels, made by this process."""
        start_tensorflow(self.threads)
        from atlas.ascent.render import renderings
        from atlas.networks.load import load

        made = renderings(load(self.ref), self.layer, channels, self.recipe, self.frame_every)
        return [Shown(one.channel, one.pictures, one.frames, one.state) for one in made]

    def share(self, channels: Sequence[int], processes: int) -> list[Shown]:
        """What is shown of some channels, in their order, a part of them made in each of so many processes.

        Raises AtlasError when a picture cannot be made, or a process is killed.
        """
        if processes == 1:
            return self.make(channels)
        parts = [(place, tuple(channels[place::processes])) for place in range(processes)]
        made = dict(spread(self._part, parts, processes))
        return [made[place % processes][place // processes] for place in range(len(channels))]

    def _part(self, part: tuple[int, Sequence[int]]) -> tuple[int, list[Shown]]:
        return part[0], self.make(part[1])
