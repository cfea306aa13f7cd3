from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from atlas.engine.batches import Batch, Setting
from atlas.networks.catalog import facts
from atlas.networks.weights import locate
from atlas.spec.facts import NetworkRef
from atlas.spec.plan import Job, identify, job_key
from atlas.spec.recipe import Recipe
from tests.engine.processes import STEPS, contents, run_here, write_config

RECIPE = Recipe(size=32, steps=4)


@pytest.fixture
def batch(toy_ref: NetworkRef, tmp_path: Path) -> Callable[..., Batch]:
    """A batch of channels of the toy network, into a store of the test's own."""

    def make(channels: Sequence[int], layer: str = "both", record: tuple[str, ...] = ("trace",)) -> Batch:
        known, weights = facts(toy_ref), locate(toy_ref)
        identity = identify(known.id, weights.digest, known.preprocessing, layer, RECIPE)
        jobs = tuple(Job(channel, job_key(identity, channel)) for channel in channels)
        return Batch(
            setting=Setting(toy_ref, known.id, weights.digest, str(tmp_path / "store"), 1, "cpu"),
            layer=layer,
            activation="relu",
            recipe_name="main",
            recipe=RECIPE,
            jobs=jobs,
            record=record,
            frame_every=2 if "frames" in record else 0,
        )

    return make


@pytest.fixture(scope="session")
def undisturbed(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The site of a build of STEPS that nothing happened to, in one process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_config(folder, toy, STEPS)
    with pytest.MonkeyPatch.context() as patch:
        assert run_here(patch, folder, "build", "toy.yaml", "--backend", "sequential", "--quiet") == 0
    return contents(folder / "site")
