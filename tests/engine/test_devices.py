"""Workers and GPUs: each claims one, before TensorFlow is imported. The GPUs are names and empty files."""

import concurrent.futures
import multiprocessing
import os
import sys
import time
import uuid
from pathlib import Path

import pytest

from atlas.engine import devices
from atlas.errors import AtlasError


def claimed(device: str, others: int, folder: str, machine: str) -> tuple[str, str]:
    """What this process sees after its claim, once all others have claimed as well; ``machine`` has its GPUs."""
    devices.DEVICES = Path(machine)
    try:
        devices.claim(device)
        said = ""
    except AtlasError as error:
        said = str(error)
    assert "tensorflow" not in sys.modules
    Path(folder, str(os.getpid())).touch()
    while len(list(Path(folder).iterdir())) < others:
        time.sleep(0.01)
    return os.environ.get("CUDA_VISIBLE_DEVICES", ""), said


def claims(count: int, device: str, folder) -> list[tuple[str, str]]:
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(count, spawn) as pool:
        machine = str(devices.DEVICES)
        return list(pool.map(claimed, [device] * count, [count] * count, [str(folder)] * count, [machine] * count))


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path_factory):
    """The folder of a machine's devices: three GPUs, and what else CUDA puts there."""
    folder = tmp_path_factory.mktemp("dev")
    for name in ("nvidia0", "nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm", "nvidia-caps"):
        (folder / name).touch()
    monkeypatch.setattr(devices, "DEVICES", folder)
    return folder


@pytest.fixture
def names(monkeypatch):
    """Three GPUs that no other test knows."""
    found = [f"GPU-{uuid.uuid4()}" for _ in range(3)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(found))
    return found


@pytest.fixture
def unclaimed(monkeypatch):
    """This process as one that has claimed nothing; what it claims in the test is let go after it."""
    held = []
    monkeypatch.setattr(devices, "_claimed", held)
    yield held
    for file in held:
        file.close()


def test_as_many_workers_see_as_many_gpus(names, tmp_path):
    assert sorted(claims(3, "auto", tmp_path)) == sorted((name, "") for name in names)


def test_one_worker_too_many_is_told(names, tmp_path):
    found = claims(4, "gpu", tmp_path)
    [said] = [said for _, said in found if said]
    assert said.startswith("expected a free GPU for each worker, received 3 that are all taken")


def test_a_claim_ends_with_its_process(names, tmp_path):
    for turn in range(2):
        (tmp_path / str(turn)).mkdir()
        assert sorted(claims(3, "auto", tmp_path / str(turn))) == sorted((name, "") for name in names)


def test_a_worker_on_cores_sees_no_gpu(names, tmp_path):
    assert claims(1, "cpu", tmp_path) == [("-1", "")]


def test_without_gpus_auto_takes_the_cores_and_gpu_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert devices.gpus() == ()
    assert claims(1, "auto", tmp_path) == [("-1", "")]
    with pytest.raises(AtlasError, match="expected a GPU, found none"):
        devices.claim("gpu")


def test_a_process_keeps_its_gpu_and_does_not_go_back_to_cores(names, unclaimed):
    for device in ("auto", "gpu", "auto"):
        devices.claim(device)
        assert os.environ["CUDA_VISIBLE_DEVICES"] == names[0]
    assert len(unclaimed) == 1
    with pytest.raises(AtlasError, match=f"expected a worker on cores, received one that works on GPU {names[0]}"):
        devices.claim("cpu")


def test_jobs_of_slurm_that_count_their_own_gpus_do_not_meet(monkeypatch, unclaimed, tmp_path):
    name = f"GPU-{uuid.uuid4()}"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", name)
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    devices.claim("gpu")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    [(_, said)] = claims(1, "gpu", tmp_path / "a")
    assert said.startswith("expected a free GPU")
    monkeypatch.setenv("SLURM_JOB_ID", "2")
    assert claims(1, "gpu", tmp_path / "b") == [(name, "")]


@pytest.mark.parametrize(
    ("named", "found"),
    [
        (None, ("0", "1", "2")),  # as CUDA counts them, whatever their files are called
        ("all", ("0", "1", "2")),
        ("2, 0", ("2", "0")),
        ("1,1", ("1",)),
        ("1,3,0", ("1",)),  # CUDA stops at the first that does not exist
        ("GPU-5a5f9d1e,MIG-518e76bc", ("GPU-5a5f9d1e", "MIG-518e76bc")),
        ("", ()),
        ("-1", ()),
        ("0,-1,1", ("0",)),
    ],
)
def test_gpus_are_those_of_the_machine_that_the_environment_names(monkeypatch, named, found):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert devices.gpus() == found


@pytest.mark.parametrize("named", [None, "0", "0,1", "all", "GPU-5a5f9d1e", "", "NoDevFiles"])
def test_a_variable_promises_no_hardware(monkeypatch, machine, unclaimed, named):
    for path in machine.iterdir():
        path.unlink()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert devices.gpus() == ()
    devices.claim("auto")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == devices.NONE
    with pytest.raises(AtlasError, match="expected a GPU, found none"):
        devices.claim("gpu")


def test_windows_shows_its_gpu_under_another_name(monkeypatch, machine):
    for path in machine.iterdir():
        path.unlink()
    (machine / "dxg").touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices.gpus() == ("0",)
