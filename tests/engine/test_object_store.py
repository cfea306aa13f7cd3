"""Builds into a real S3 server, and into the memory of one process."""

import threading

from atlas.store.store import Store
from tests.engine.processes import PICTURES, STEPS, contents, run_here, start, wait_for, write_config

EACH = 6  # channels of both layers


def test_a_worker_process_and_an_object_store_make_the_same_site(s3, toy, tmp_path, monkeypatch):
    """Also when the store does not answer for some seconds while it works."""
    limit = ("--limit", str(EACH))
    write_config(tmp_path / "undisturbed", toy, STEPS)
    here = ("build", "toy.yaml", *limit, "--backend", "sequential", "--quiet")
    assert run_here(monkeypatch, tmp_path / "undisturbed", *here) == 0
    write_config(tmp_path, toy, STEPS)
    build = start(tmp_path, "build", "toy.yaml", *limit, "--store", s3.address, "--workers", "1")
    try:
        assert wait_for(lambda: len(list(Store(s3.address).entries())) >= 2, 120)
        s3.server.pause()
        threading.Timer(10, s3.server.go_on).start()
        out, said = build.communicate(timeout=180)
    finally:
        s3.server.go_on()
        build.kill()
    assert (build.returncode, said) == (0, "")
    assert f"{2 * EACH} pictures rendered, 0 were cached" in out
    assert contents(tmp_path / "site") == contents(tmp_path / "undisturbed/site")
    assert not (tmp_path / ".atlas").exists()


def test_memory_is_for_one_process(toy, tmp_path, monkeypatch, capfd):
    write_config(tmp_path, toy)
    assert run_here(monkeypatch, tmp_path, "build", "toy.yaml", "--store", "memory://x", "--quiet") == 2
    [sentence] = capfd.readouterr().err.strip().splitlines()
    assert sentence.startswith("atlas: store memory://x: expected a folder or an object store, received the memory of")
    arguments = ["build", "toy.yaml", "--store", "memory://x", "--quiet", "--backend", "sequential"]
    assert run_here(monkeypatch, tmp_path, *arguments) == 0
    assert len(list(Store("memory://x").entries())) == PICTURES + 3  # two comparisons, and weights
