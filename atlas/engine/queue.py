"""What is still to be done, and in which order: by layer, so that few graphs are traced; again where workers died."""

import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from atlas.engine.batches import Work

KILLS = 3  # workers that a batch may cost before it is halved


@dataclass(frozen=True)
class Attempt:
    """A batch, and how many workers died of it."""

    batch: Work
    kills: int = 0

    def after(self, deaths: int) -> list["Attempt"]:
        """What to try after so many workers died of it: the same again; its halves once they are KILLS; nothing where
        it is one channel.

        A half is halved again as soon as a worker dies of it.
        """
        kills, jobs = self.kills + deaths, self.batch.jobs
        if kills < KILLS:
            return [replace(self, kills=kills)]
        if len(jobs) == 1:
            return []
        middle = len(jobs) // 2
        return [Attempt(replace(self.batch, jobs=part), KILLS - 1) for part in (jobs[:middle], jobs[middle:])]


class Queue:
    """Batches in the order in which they are handed out: another one for every build.

    Two builds of one atlas on one store thus meet late, and find what the other has made. ``take`` hands a worker the
    batches of one layer and recipe as long as there are some, since a worker traces a graph for each.
    """

    def __init__(self, batches: Iterable[Work], order: random.Random):
        groups: dict[tuple[str, str], list[Attempt]] = {}
        for batch in batches:
            groups.setdefault((batch.layer, batch.recipe_name), []).append(Attempt(batch))
        names = list(groups)
        order.shuffle(names)
        for attempts in groups.values():
            order.shuffle(attempts)
        self._groups = {name: deque(groups[name]) for name in names}
        self._untouched = deque(names)
        self._own: dict[int, tuple[str, str]] = {}
        self._again: deque[Attempt] = deque()

    def __bool__(self) -> bool:
        return bool(self._again or self._groups)

    def take(self, worker: int | None) -> Attempt:
        """The next attempt for a worker by number; for None, for any worker: then all work on one group at a time."""
        if self._again:
            return self._again.popleft()
        name = self._group(worker)
        attempts = self._groups[name]
        attempt = attempts.popleft()
        if not attempts:
            del self._groups[name]
        return attempt

    def again(self, attempts: Iterable[Attempt]) -> None:
        """Put back what a worker died of; it is handed out first."""
        self._again.extend(attempts)

    def _group(self, worker: int | None) -> tuple[str, str]:
        """The worker's own group, else one that nobody works on, else that with the most left."""
        if worker is None:
            return next(iter(self._groups))
        if self._own.get(worker) not in self._groups:
            while self._untouched and self._untouched[0] not in self._groups:
                self._untouched.popleft()
            if self._untouched:
                self._own[worker] = self._untouched.popleft()
            else:
                self._own[worker] = max(self._groups, key=lambda name: len(self._groups[name]))
        return self._own[worker]
