"""Handing batches out, and what happens when a worker dies or a person asks to stop."""

import asyncio
import concurrent.futures
import contextlib
import random
import signal
from collections.abc import Callable, Iterator, Sequence

from atlas.engine.batches import Work
from atlas.engine.pools import LOST, Future, Pool
from atlas.engine.queue import KILLS, Attempt, Queue
from atlas.engine.worker import Done, Report
from atlas.errors import AtlasError

LOOK = 0.5  # seconds between two looks at whether to stop


class Interrupts:
    """Ctrl-C and SIGTERM while batches run: the first asks to stop, the second stops at once (KeyboardInterrupt)."""

    def __init__(self, say: Callable[[], None]):
        self.asked = False
        self._say = say

    @contextlib.contextmanager
    def heard(self) -> Iterator["Interrupts"]:
        """Listen inside the block. Signals reach the main thread only: elsewhere nothing is listened to."""
        kept = {}
        with contextlib.suppress(ValueError):  # not the main thread
            kept = {one: signal.signal(one, self._hear) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for one, handler in kept.items():
                signal.signal(one, handler)

    def _hear(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self._say()


def dispatch(
    batches: Sequence[Work], pool: Pool, order: random.Random, stopping: Callable[[], bool]
) -> Iterator[Report]:
    """The reports of all batches, in the order in which they end; when ``stopping``, of those that had begun.

    A batch under which a worker died is tried again alone in a new one, see ``queue``; what is left of it at last, one
    channel, is reported as failed. Raises AtlasError when workers die and nothing was ever finished, and what ``work``
    raises.
    """
    queue = Queue(batches, order)
    running: dict[Future, tuple[int, Attempt]] = {}
    finished, deaths = 0, 0
    while True:
        taken = {seat for seat, _ in running.values()}
        for seat in range(pool.seats):
            if seat not in taken and queue and not stopping():
                attempt = queue.take(pool.worker(seat))
                running[pool.submit(seat, attempt.batch)] = seat, attempt
        if not running:
            return
        ended, _ = concurrent.futures.wait(running, LOOK, concurrent.futures.FIRST_COMPLETED)
        for future in ended:
            _, attempt = running.pop(future)
            try:
                report = future.result()
            except (concurrent.futures.CancelledError, asyncio.CancelledError) as error:
                raise AtlasError(LOST) from error
            except pool.deaths as error:
                deaths += pool.toll
                if not finished and deaths >= KILLS * (pool.seats + 1):  # more than one batch costs before it is halved
                    raise AtlasError(
                        f"expected workers that live, received the end of {deaths} (killed, out of memory, or not able "
                        "to load TensorFlow) before anything was finished; build again with fewer workers or a "
                        "smaller batch"
                    ) from error
                again = attempt.after(pool.toll)
                queue.again(again)
                if again:
                    continue
                report = _given_up(attempt.batch)
            else:
                finished += 1
            yield report


def _given_up(batch: Work) -> Report:
    said = "every worker that tried it died (killed, or out of memory)"
    done = tuple(Done(job.key, job.channel, "failed", error=said) for job in batch.jobs)
    return Report(batch.layer, batch.recipe_name, done, len(done), 0, 0.0)
