"""A build under settings, and in a folder, that would lead others astray: the same bytes, and nothing left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from atlas.ascent import render
from tests.engine.processes import contents, write_config

ASTRAY = {
    "CUDA_VISIBLE_DEVICES": "0",
    "KERAS_BACKEND": "jax",
    "KERAS_MAX_EPOCHS": "many",
    "OMP_NUM_THREADS": "2",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_USE_LEGACY_KERAS": "1",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
    "TF2_BEHAVIOR": "0",
    "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
}
KERAS_JSON = {"floatx": "float16", "epsilon": 0.1, "backend": "torch", "image_data_format": "channels_first"}
MODULES = (
    "secrets",
    "random",
    "keras",
    "numpy",
    "json",
    "typing",
    "tensorflow",
    "sitecustomize",
    "atlas_plugin",
    "yaml",
)


@pytest.fixture
def astray(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder full of modules that tell when they run, and an environment."""
    folder, home, temporary = (tmp_path / name for name in ("folder", "keras", "tmp"))
    for made in (folder, home, temporary):
        made.mkdir(exist_ok=True)
    for name in MODULES:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / ('ran-' + name))!r}, 'w')\n")
    (home / "keras.json").write_text(json.dumps(KERAS_JSON))
    own = {"KERAS_HOME": str(home), "TMPDIR": str(temporary), "PYTHONPATH": str(Path(__file__).parents[2])}
    own["XDG_CACHE_HOME"] = str(tmp_path / "nothing kept")  # so that another process is asked about the network
    return folder, {**{name: value for name, value in os.environ.items() if name[:3] != "TF_"}, **own, **ASTRAY}


def test_a_build_among_settings_and_modules_of_others(shell, toy, tmp_path, astray):
    folder, environment = astray
    write_config(folder, toy, more="")
    command = [sys.executable, "-m", "atlas", "build", "toy.yaml", "--workers", "1"]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert "\x1b" not in run.stdout
    assert list((tmp_path / "nothing kept").rglob("*.json"))
    assert not list(tmp_path.glob("ran-*"))
    assert list((tmp_path / "tmp").rglob("*")) == []  # TensorFlow's __autograph_generated_file, most of all
    write_config(tmp_path, toy, more="")
    assert shell("build", "toy.yaml", "--backend", "sequential", "--quiet").code == 0
    assert contents(folder / "site") == contents(tmp_path / "site")


def test_a_build_of_which_everything_fails_leaves_the_site_that_is_there(shell, config, tmp_path, monkeypatch):
    assert shell("build", "toy.yaml", "--quiet").code == 0
    before = contents(tmp_path / "site")

    def broken(*_: object) -> None:
        raise ValueError("no memory")

    monkeypatch.setattr(render, "render", broken)
    changed = config.read_text().replace("steps: 3", "steps: 4")
    config.write_text(changed)
    said = shell("build", "toy.yaml")
    assert said.code == 1
    assert said.lines[-1] == "every picture failed: site/toy is left as it was"
    assert "site: " not in said.out
    assert contents(tmp_path / "site") == before
    assert "failed" not in (tmp_path / "site/toy/index.html").read_text()
    config.write_text(changed.replace("steps: 4", "steps: 3"))
    assert shell("build", "toy.yaml").lines[-1].endswith("(unchanged)")


def test_a_first_build_of_which_everything_fails_writes_no_site(shell, config, tmp_path, monkeypatch):
    monkeypatch.setattr(render, "render", lambda *_: 1 / 0)
    assert shell("build", "toy.yaml").code == 1
    assert not (tmp_path / "site").exists()
