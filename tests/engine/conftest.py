from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from atlas.engine.batches import Batch
from atlas.networks.catalog import facts
from atlas.networks.weights import locate
from atlas.spec.facts import NetworkRef
from atlas.spec.plan import Job, identify, job_key
from atlas.spec.recipe import Recipe

RECIPE = Recipe(size=32, steps=4)


@pytest.fixture
def batch(toy_ref: NetworkRef, tmp_path: Path) -> Callable[..., Batch]:
    """A batch of channels of the toy network, into a store of the test's own."""

    def make(channels: Sequence[int], layer: str = "both", record: tuple[str, ...] = ("trace",)) -> Batch:
        known, weights = facts(toy_ref), locate(toy_ref)
        identity = identify(known.id, weights.digest, known.preprocessing, layer, RECIPE)
        jobs = tuple(Job(channel, job_key(identity, channel)) for channel in channels)
        return Batch(
            ref=toy_ref,
            network=known.id,
            weights_digest=weights.digest,
            layer=layer,
            recipe_name="main",
            recipe=RECIPE,
            jobs=jobs,
            store=str(tmp_path / "store"),
            record=record,
            frame_every=2 if "frames" in record else 0,
            threads=1,
            device="cpu",
        )

    return make
