"""Where batches run: in this process, in worker processes of this machine, or on a Dask cluster.

A pool works on as many batches at once as it has ``seats``. A future that raises one of ``deaths`` means that ``toll``
workers died under its batch; one that was cancelled, that the pool itself is lost.
"""

import concurrent.futures
import logging
import multiprocessing
import os
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from atlas.engine.batches import Study, Work
from atlas.engine.queue import KILLS
from atlas.engine.study import study
from atlas.engine.worker import Report, settle, work
from atlas.errors import AtlasError
from atlas.runtime import deaf

Future = concurrent.futures.Future[Report]
WAIT = 30  # seconds for a scheduler to answer
LOST = "expected workers that answer, lost all of them at once: is the scheduler still up? Build again to go on"
QUIET = {  # of a Dask cluster on this machine: its workers compute, and are not watched meanwhile
    "distributed.admin.tick.interval": "1s",
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 1 << 32,  # bytes; Dask gives memory back at once
    "distributed.worker.profile.enabled": False,
}


def carry_out(batch: Work) -> Report:
    """What workers do."""
    return study(batch) if isinstance(batch, Study) else work(batch)


class Pool(Protocol):
    """Workers. ``seats`` may change while they work, as a cluster grows and shrinks."""

    deaths: tuple[type[BaseException], ...]
    toll: int

    @property
    def seats(self) -> int:
        """How many batches it works on at once."""

    def submit(self, seat: int, batch: Work) -> Future:
        """Begin with a batch on a seat that is free."""

    def worker(self, seat: int) -> int | None:
        """Which worker sits there, always the same one; None where that is not known."""

    def close(self, *, kill: bool) -> None:
        """End the workers: once they are done, or at once."""


class Here:
    """This process: a batch is done when ``submit`` returns."""

    deaths: tuple[type[BaseException], ...] = ()
    toll = 1
    seats = 1

    def submit(self, seat: int, batch: Work) -> Future:
        """Do it."""
        future: Future = concurrent.futures.Future()
        try:
            future.set_result(carry_out(batch))
        except Exception as error:
            future.set_exception(error)
        return future

    def worker(self, seat: int) -> int | None:
        """The one there is."""
        return 0

    def close(self, *, kill: bool) -> None:
        """Nothing to end."""


class Processes:
    """Worker processes of this machine, each in a pool of its own: when one dies, the others do not notice."""

    deaths: tuple[type[BaseException], ...] = (BrokenProcessPool,)
    toll = 1

    def __init__(self, count: int):
        self.seats = count
        self._pools: dict[int, concurrent.futures.ProcessPoolExecutor] = {}

    def submit(self, seat: int, batch: Work) -> Future:
        """Begin; a worker that has died is replaced."""
        try:
            return self._pool(seat).submit(carry_out, batch)
        except BrokenProcessPool:
            self._pools.pop(seat).shutdown()
            return self._pool(seat).submit(carry_out, batch)

    def worker(self, seat: int) -> int | None:
        """Each seat has its worker."""
        return seat

    def close(self, *, kill: bool) -> None:
        """End all workers, and wait until they are gone; a Ctrl-C meanwhile kills them."""
        try:
            self._end(kill)
        except KeyboardInterrupt:
            self._end(kill=True)
            raise

    def _end(self, kill: bool) -> None:
        if kill:
            for process in multiprocessing.active_children():
                process.kill()
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)
        self._pools.clear()

    def _pool(self, seat: int) -> concurrent.futures.ProcessPoolExecutor:
        if seat not in self._pools:
            spawn = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
            self._pools[seat] = concurrent.futures.ProcessPoolExecutor(1, spawn, settle, (os.getpid(),))
        return self._pools[seat]


class Dask:
    """A Dask cluster: one by its scheduler's address, or one on this machine for this run."""

    toll = KILLS  # Dask itself tries a batch on as many workers, and one more

    def __init__(self, scheduler: str | None, count: int):
        try:
            import dask
            import distributed
        except ImportError as error:
            raise AtlasError(
                "backend dask: expected the package distributed, received none; install atlas-microscope[dask]"
            ) from error
        # What goes wrong is raised, and what is mended needs no words.
        for name in ("distributed", "distributed.client", "tornado.application"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.deaths: tuple[type[BaseException], ...] = (distributed.KilledWorker,)
        self._cluster: Any = None
        if scheduler is None:
            # Its workers inherit that they are deaf, and finish what is in flight after a Ctrl-C.
            with deaf(), dask.config.set(QUIET):
                self._cluster = distributed.LocalCluster(
                    n_workers=count, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
                )
        try:
            self._client = distributed.Client(self._cluster or scheduler, timeout=WAIT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise AtlasError(
                f"backend dask: expected a scheduler at {scheduler}, received: {error}; start one, or name its address"
            ) from error
        self._pool = self._client.get_executor(pure=False)

    @property
    def seats(self) -> int:
        """Two for each worker, so that none waits for this process. Raises AtlasError when the scheduler is gone."""
        try:
            return 2 * max(1, len(self._client.nthreads()))
        except OSError as error:
            raise AtlasError(LOST) from error

    def submit(self, seat: int, batch: Work) -> Future:
        """Hand a batch to the scheduler."""
        future: Future = self._pool.submit(carry_out, batch)
        return future

    def worker(self, seat: int) -> int | None:
        """The scheduler decides."""
        return None

    def close(self, *, kill: bool) -> None:
        """Leave the cluster; one that was started for this run ends."""
        self._pool.shutdown(wait=not kill)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
