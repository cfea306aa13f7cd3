"""How a process computes: which settings count, which are set aside for a while, which are refused."""

import ast
import hashlib
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import keras
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

import atlas
from atlas import runtime
from atlas.engine.devices import ready
from atlas.errors import AtlasError
from atlas.networks.architectures import build


@pytest.mark.parametrize(
    "name",
    [
        *("TF_ENABLE_ONEDNN_OPTS", "TF_SET_ONEDNN_FPMATH_MODE", "TF_ENABLE_ZENDNN_OPTS", "TF_USE_DEEP_CONV2D"),
        *(
            "TF_XLA_FLAGS",
            "XLA_FLAGS",
            "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_LEVEL",
            "TF_FUNCTION_JIT_COMPILE_DEFAULT",
        ),
        *("ONEDNN_MAX_CPU_ISA", "DNNL_DEFAULT_FPMATH_MODE", "NVIDIA_TF32_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG"),
        *("TF2_BEHAVIOR", "TF_ENABLE_WINOGRAD_NONFUSED", "TF_FP16_CONV_USE_FP32_COMPUTE", "TF_MATMUL_AUTOTUNE_ENABLE"),
    ],
)
def test_switches_that_change_numbers(name):
    assert runtime.switches({name: "0", "HOME": "/"}) == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("TF_ENABLE_ONEDNN_OPTS", "1"),
            ("TF2_BEHAVIOR", "1"),
            ("XLA_FLAGS", "--xla_gpu_cuda_data_dir=/usr/lib/cuda"),
        ),
        *(("TF_CPP_MIN_LOG_LEVEL", "0"), ("ONEDNN_VERBOSE", "1"), ("TF_USE_LEGACY_KERAS", "1"), ("TF_CONFIG", "{}")),
        *(("TF_NUM_INTRAOP_THREADS", "8"), ("TF_GPU_ALLOCATOR", "cuda_malloc_async"), ("OMP_NUM_THREADS", "8")),
        *(
            ("TF_VAR_region", "eu"),
            ("TF_CLI_CONFIG_FILE", "/etc/terraformrc"),
            ("TF_LOG", "debug"),
            ("TF_WORKSPACE", "a"),
        ),
    ],
)
def test_what_is_no_switch(name, value):
    assert runtime.switches({name: value}) == []


def sentence() -> str:
    with pytest.raises(AtlasError) as caught, runtime.settled():
        pass
    return str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("floatx", "float16"), ("floatx", "float64"), ("epsilon", 0.1)])
def test_numbers_of_another_kind_are_refused(name, value):
    kept = getattr(keras.config, name)()
    getattr(keras.config, f"set_{name}")(value)
    try:
        assert sentence().startswith(
            f"expected Keras with {name} {kept}, received {value}; call keras.config.set_{name}("
        )
    finally:
        getattr(keras.config, f"set_{name}")(kept)


def test_keras_on_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    assert sentence() == (
        "expected Keras on TensorFlow, received it on jax; set KERAS_BACKEND=tensorflow before Keras is imported"
    )


def test_keras_that_cannot_be_loaded_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)  # as of a backend that is not installed
    assert sentence().startswith("expected Keras on TensorFlow, received one that cannot be loaded: import of keras")


def test_channels_first_is_refused():
    keras.config.set_image_data_format("channels_first")
    try:
        assert "keras.config.set_image_data_format('channels_last')" in sentence()
    finally:
        keras.config.set_image_data_format("channels_last")


def test_eager_functions_are_refused():
    tf.config.run_functions_eagerly(True)
    try:
        assert "tf.config.run_functions_eagerly(False)" in sentence()
    finally:
        tf.config.run_functions_eagerly(False)


def test_graphs_and_tapes_and_strategies_are_refused():
    with tf.GradientTape():
        assert "tf.GradientTape" in sentence()
    with tf.Graph().as_default():
        assert "a graph" in sentence()
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        assert "expected no strategy of tf.distribute" in sentence()


def test_checks_of_every_operation_are_refused(monkeypatch):
    monkeypatch.setattr(type(context.context()), "op_callbacks", [print])
    assert "tf.debugging.disable_check_numerics()" in sentence()


def test_the_rules_of_numpy_are_refused(monkeypatch):
    monkeypatch.setattr(tf.Tensor, "ravel", None, raising=False)  # as enable_numpy_behavior does, for good
    assert "enable_numpy_behavior()" in sentence()


@pytest.mark.parametrize(
    "options", [{"layout_optimizer": False}, {"auto_mixed_precision": True}, {"min_graph_nodes": -1}, {"jit": True}]
)
def test_another_optimizer_of_graphs_is_refused(monkeypatch, options):
    found = {**tf.config.optimizer.get_experimental_options(), **options}
    jit = "autoclustering" if found.pop("jit", False) else ""
    monkeypatch.setattr(tf.config.optimizer, "get_experimental_options", lambda: found)
    monkeypatch.setattr(tf.config.optimizer, "get_jit", lambda: jit)
    assert f"received {'set_jit' if jit else next(iter(options))} changed" in sentence()


def test_what_tensorflow_was_started_under_is_refused_unless_it_was_started_here(monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    monkeypatch.setattr(runtime, "_pinned", False)
    assert "received it started under ONEDNN_MAX_CPU_ISA; call atlas before TensorFlow is imported" in sentence()
    with runtime.without_switches():
        assert os.environ["ONEDNN_MAX_CPU_ISA"] == "SSE41"
    monkeypatch.setattr(runtime, "_pinned", True)
    with runtime.settled(), runtime.without_switches():
        assert "ONEDNN_MAX_CPU_ISA" not in os.environ
    assert os.environ["ONEDNN_MAX_CPU_ISA"] == "SSE41"


def test_what_keras_keeps_for_a_thread_is_set_aside_and_comes_back():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        name = keras.layers.Conv2D(1, 1).name
        with runtime.settled():
            assert keras.layers.Conv2D(1, 1).name == "conv2d"
            model, _ = build("vgg16")
            assert {layer.compute_dtype for layer in model.layers} == {"float32"}
        number = int(name.rpartition("_")[2]) if name != "conv2d" else 0
        assert keras.layers.Conv2D(1, 1).name == f"conv2d_{number + 1}"
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_dtype_policy("float32")


def test_options_that_an_arithmetic_toggles_are_as_before():
    before = tf.config.optimizer.get_experimental_options()
    with runtime.settled():
        tf.config.optimizer.set_experimental_options({"remapping": True})
        tf.config.optimizer.set_experimental_options({"remapping": False})
    assert tf.config.optimizer.get_experimental_options() == before


def test_random_does_not_move_while_layers_are_made():
    before = random.getstate()
    build("vgg16")
    assert random.getstate() == before


def test_nothing_of_keras_is_patched_while_a_network_is_built():
    from keras.src.utils import file_utils

    def own() -> tuple[object, ...]:
        return keras.Model.load_weights, keras.src.models.Functional.load_weights, file_utils.get_file

    before, seen, done = own(), [], threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.append(own() == before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        build("vgg16")
    finally:
        done.set()
        watcher.join()
    assert len(seen) > 10
    assert all(seen)


def test_no_function_is_rewritten_by_autograph():
    """It writes sources into the folder for temporary files, and leaves them there when a process is killed."""
    for path in Path(atlas.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "tf.function":
                assert "autograph=False" in ast.unparse(node), f"{path}:{node.lineno}"


def test_no_module_of_the_current_folder_runs_in_a_process_begun_in_safety(tmp_path):
    for name in ("secrets", "random"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w')\n")
    before = os.environ.get("PYTHONSAFEPATH")
    with runtime.safe_paths():
        subprocess.run([sys.executable, "-c", "import secrets"], cwd=tmp_path, check=True)
    assert not (tmp_path / "ran").exists()
    assert os.environ.get("PYTHONSAFEPATH") == before


HERE = """
import hashlib, os, random, sys
import numpy
before = random.getstate(), numpy.random.get_state()[1].tolist(), dict(os.environ)
import atlas
from atlas.errors import AtlasError
try:
    made = atlas.maximize(sys.argv[1], "both", 3, weights="random:1", preprocessing="tf", size=32, steps=4)
    print(hashlib.sha256(made.picture.tobytes()).hexdigest())
except AtlasError as error:
    print(error)
print((random.getstate(), numpy.random.get_state()[1].tolist(), dict(os.environ)) == before)
"""


def test_a_process_of_the_users_own_is_left_as_it_was(toy, tmp_path):
    """From its first use on, under switches that would change the picture."""
    given = {
        "CUDA_VISIBLE_DEVICES": "0",
        "OMP_NUM_THREADS": "8",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "TF_USE_DEEP_CONV2D": "1",
    }
    given |= {"TF_ENABLE_ONEDNN_OPTS": "0"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")} | given
    run = subprocess.run(
        [sys.executable, "-c", HERE, toy], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    made = atlas.maximize(toy, "both", 3, weights="random:1", preprocessing="tf", size=32, steps=4)
    assert run.stdout.split() == [hashlib.sha256(made.picture.tobytes()).hexdigest(), "True"], run.stderr


STARTED = """
import gc
from atlas.runtime import {start}
before = gc.get_stats()[2]["collections"]
{start}(1)
from tensorflow.python.util import _pywrap_util_port
print(_pywrap_util_port.IsMklEnabled())
print(gc.get_stats()[2]["collections"] - before, gc.isenabled(), gc.get_freeze_count() > 0)
"""


@pytest.mark.parametrize(
    ("pinned", "on", "machine"), [(True, False, "x86_64"), (False, True, "x86_64"), (False, False, "arm64")]
)
def test_a_worker_that_has_onednn_or_could_not_have_it_is_taken(monkeypatch, pinned, on, machine):
    started(monkeypatch, pinned, on, machine)
    runtime.check_convolutions()


def test_a_worker_of_somebody_else_s_without_onednn_is_one_sentence(monkeypatch):
    started(monkeypatch, pinned=False, on=False, machine="x86_64")
    with (
        pytest.raises(AtlasError, match="expected TensorFlow with oneDNN in a worker, received it started without"),
        ready("cpu", 1),
    ):
        pass


def started(monkeypatch, pinned, on, machine):
    from tensorflow.python.util import _pywrap_util_port as built

    monkeypatch.setattr(runtime, "_pinned", pinned)
    monkeypatch.setattr(built, "IsMklEnabled", lambda: on)
    monkeypatch.setattr("platform.machine", lambda: machine)


@pytest.mark.parametrize(("start", "frozen"), [("start_tensorflow", True), ("start_as_guest", False)])
def test_convolutions_are_onednn_s_on_every_processor_and_no_garbage_is_looked_for_meanwhile(start, frozen):
    """TensorFlow asks the processor whether they are; Eigen's round otherwise with the size of the batch. The collector
    would go through all modules time and again; in a process of the user's own nothing is taken from it for good."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    run = subprocess.run(
        [sys.executable, "-c", STARTED.format(start=start)], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["True", "0", "True", str(frozen)]
