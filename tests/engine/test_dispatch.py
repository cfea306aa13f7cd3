"""Handing batches out to workers that die, fail, or are asked to stop."""

import concurrent.futures
import os
import random
import signal
import threading
from concurrent.futures.process import BrokenProcessPool

import pytest

from atlas.engine.batches import Batch
from atlas.engine.dispatch import Interrupts, dispatch
from atlas.engine.worker import Done, Report
from atlas.errors import AtlasError
from tests.engine.processes import wait_for
from tests.engine.test_queue import batch


class Threads:
    """A pool of threads whose workers do what ``act`` does with a batch's channels."""

    deaths = (BrokenProcessPool,)
    toll = 1

    def __init__(self, seats, act):
        self.seats, self.act = seats, act
        self.pool = concurrent.futures.ThreadPoolExecutor(seats)
        self.handed_out, self.at_once, self.most = [], set(), 0
        self.lock = threading.Lock()

    def submit(self, seat, batch: Batch):
        with self.lock:
            assert seat not in self.at_once
            self.at_once.add(seat)
            self.most = max(self.most, len(self.at_once))
        channels = [job.channel for job in batch.jobs]
        self.handed_out.append(channels)

        def work():
            try:
                self.act(channels)
            finally:
                with self.lock:
                    self.at_once.discard(seat)
            done = tuple(Done(job.key, job.channel, "activated") for job in batch.jobs)
            return Report(batch.layer, batch.recipe_name, done, len(done), len(done), 0.01)

        return self.pool.submit(work)

    def worker(self, seat):
        return seat


def reports(pool, batches, stopping=lambda: False):
    return list(dispatch(batches, pool, random.Random(0), stopping))


def states(found):
    return {done.channel: done.state for report in found for done in report.done}


BATCHES = [batch("a", *range(first, first + 8)) for first in range(0, 64, 8)]


def test_all_is_done_once_and_every_worker_works():
    pool = Threads(3, lambda channels: wait_for(lambda: pool.most == 3, 60))
    assert states(reports(pool, BATCHES)) == dict.fromkeys(range(64), "activated")
    assert len(pool.handed_out) == 8
    assert pool.most == 3


def test_a_channel_that_kills_every_worker_is_reported_and_the_rest_finishes():
    def act(channels):
        if 21 in channels:
            raise BrokenProcessPool

    found = reports(Threads(2, act), BATCHES)
    assert states(found) == dict.fromkeys(range(64), "activated") | {21: "failed"}
    [error] = {done.error for report in found for done in report.done if done.error}
    assert error == "every worker that tried it died (killed, or out of memory)"


def test_one_worker_alone_gets_round_a_channel_that_kills():
    def act(channels):
        if 5 in channels:
            raise BrokenProcessPool

    found = states(reports(Threads(1, act), [batch("a", *range(8))]))
    assert found == dict.fromkeys(range(8), "activated") | {5: "failed"}


def test_a_worker_that_dies_once_costs_its_batch_alone():
    died = []

    def act(channels):
        if 21 in channels and not died:
            died.append(channels)
            raise BrokenProcessPool

    pool = Threads(2, act)
    assert states(reports(pool, BATCHES)) == dict.fromkeys(range(64), "activated")
    assert len(pool.handed_out) == 9


def test_workers_that_never_get_anywhere_end_the_build_with_one_sentence():
    def act(channels):
        raise BrokenProcessPool

    with pytest.raises(AtlasError, match=r"expected workers that live, received the end of 9 .* before anything was"):
        reports(Threads(2, act), BATCHES)


def test_what_is_in_flight_is_finished_when_asked_to_stop():
    begun = []

    def act(channels):
        begun.append(channels)
        wait_for(lambda: len(begun) == 2, 60)

    found = reports(Threads(2, act), BATCHES, stopping=lambda: len(begun) >= 2)
    assert len(found) == len(begun) == 2


def test_what_would_fail_every_batch_alike_is_raised_through():
    def act(channels):
        raise AtlasError("the disk is full")

    with pytest.raises(AtlasError, match="the disk is full"):
        reports(Threads(2, act), BATCHES)


def test_the_first_ctrl_c_asks_and_the_second_stops():
    said = []
    before = signal.getsignal(signal.SIGINT)
    with Interrupts(lambda: said.append("finishing")).heard() as interrupts:
        assert not interrupts.asked
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.asked
        assert said == ["finishing"]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is before
