"""How a process computes: TensorFlow and Keras started late, quietly and alike everywhere, and a user's left as found.

The same picture has the same bytes under whatever environment and ``keras.json`` a user has. A process of atlas's own
(a worker, a command, a child that answers one question) pins both before it loads Keras. In a process of somebody
else's, settings of the calling thread are set aside for a while; a setting of the whole process is left alone, since
other threads see it, and refused where it would change pictures.
"""

import contextlib
import gc
import os
import platform
import random
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping

from atlas.errors import AtlasError

SWITCHES = re.compile(  # other names with TF_ are Terraform's, or change no numbers
    r"TF_(ENABLE|DISABLE|USE|SET|ONEDNN|MKL|XLA|JIT|FP16|CONV2D|MATMUL|CUDNN|DETERMINISTIC|FUNCTION)_\w+"
    r"|TF_AUTO_MIXED_PRECISION_\w+|TF2_BEHAVIOR|XLA_FLAGS|(ONEDNN|DNNL|CUBLAS|CUDNN)_\w+|NVIDIA_TF32_OVERRIDE"
)
HARMLESS = re.compile(r"TF_USE_LEGACY_KERAS|\w*(VERBOSE|LOG|DUMP|LIMIT)\w*")
AS_USUAL = {"TF2_BEHAVIOR": "1", "TF_ENABLE_ONEDNN_OPTS": "1"}  # values that are TensorFlow's own
LIBRARIES = "--xla_gpu_cuda_data_dir="  # the one flag of XLA that names a place and changes no number
# Convolutions by oneDNN, which give an image the same bytes in every batch. TensorFlow leaves them to Eigen, which does
# not, on processors without certain instructions.
ONEDNN: dict[str, str | None] = {"TF_ENABLE_ONEDNN_OPTS": "1"}
PINNED: dict[
    str, str | None
] = {  # while TensorFlow and Keras are imported; in no folder Keras finds no keras.json, and writes none
    **ONEDNN,
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": os.devnull,
    "TF_USE_LEGACY_KERAS": "0",
}
_pinned = False  # whether TensorFlow was started here, without switches


def start_tensorflow(threads: int, *, gpu: bool = False) -> None:
    """Import TensorFlow and Keras in a process of atlas's own; nothing where both are imported already.

    ``threads`` is how many threads TensorFlow's operations have: with one per worker the same bytes come out on every
    run. ``gpu`` lets it use the GPUs that it sees. Settings of the environment and of ``keras.json`` do not count.
    Keras does not see scikit-learn, which it would import for wrappers that nobody needs here: half a second or more.
    The million objects of all these modules are never garbage, so the collector no longer visits them.

    TensorFlow writes to the process's error stream while it looks for devices; that is kept quiet. Failures of later
    calls are raised all the same.
    """
    if "tensorflow" not in sys.modules:
        of_keras = dict.fromkeys(name for name in os.environ if name.startswith("KERAS_"))
        with _hidden("sklearn"):
            _import_tensorflow(threads, gpu, of_keras | PINNED)
        gc.freeze()


def start_as_guest(threads: int) -> None:
    """Import TensorFlow in a process of the user's own, on the cores; nothing where it is imported already.

    The environment is as before. Keras comes along, configured by the user. Raises: AtlasError where it cannot.
    """
    if "tensorflow" in sys.modules:
        return
    environment = dict(os.environ)
    try:
        _import_tensorflow(threads, False, ONEDNN)
    except Exception as error:  # TensorFlow imports Keras, which raises whatever a keras.json makes it raise
        raise _unloadable(error) from error
    finally:
        _set(dict.fromkeys(os.environ) | environment)


def switches(environment: Mapping[str, str]) -> list[str]:
    """The variables of an environment that make TensorFlow or its libraries compute other numbers than usual."""
    return [
        name
        for name, value in environment.items()
        if SWITCHES.fullmatch(name)
        and not HARMLESS.fullmatch(name)
        and value != AS_USUAL.get(name)
        and not (name == "XLA_FLAGS" and all(flag.startswith(LIBRARIES) for flag in value.split()))
    ]


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """TensorFlow and Keras as pictures are computed with, inside the block.

    What Keras keeps for the calling thread (a dtype policy, counters of layers' names, scopes) is set aside and comes
    back. Raises: AtlasError for a setting of the whole process that would change pictures, and inside of a graph, a
    gradient tape or a strategy.
    """
    try:
        import keras
    except Exception as error:  # of a backend that is not installed, say
        raise _unloadable(error) from error
    if keras.config.backend() != "tensorflow":
        raise AtlasError(
            f"expected Keras on TensorFlow, received it on {keras.config.backend()}; set KERAS_BACKEND=tensorflow "
            "before Keras is imported"
        )
    if said := next(_unfit(), None):
        raise AtlasError(said)
    with _keras_set_aside():
        yield


def check_convolutions() -> None:
    """Raise AtlasError where somebody else started TensorFlow without oneDNN: pictures would depend on their batch.

    Only on processors for which TensorFlow has oneDNN.
    """
    if not _pinned and platform.machine() in ("x86_64", "AMD64") and not has_onednn():
        raise AtlasError(
            "expected TensorFlow with oneDNN in a worker, received it started without, as is usual on this processor; "
            "set TF_ENABLE_ONEDNN_OPTS=1 before the worker imports TensorFlow, or start workers without it"
        )


def started_here() -> bool:
    """Whether TensorFlow was started by ``start_tensorflow`` in this process, or will be."""
    return _pinned or "tensorflow" not in sys.modules


def has_onednn() -> bool:
    """Whether TensorFlow computes with oneDNN in this process."""
    from tensorflow.python.util import _pywrap_util_port as built

    return bool(built.IsMklEnabled())


@contextlib.contextmanager
def without_switches() -> Iterator[None]:
    """Variables that change TensorFlow's numbers are out of the environment inside the block: some are read late."""
    kept = {name: os.environ.pop(name) for name in switches(os.environ)} if _pinned else {}
    try:
        yield
    finally:
        os.environ.update(kept)


@contextlib.contextmanager
def unmoved() -> Iterator[None]:
    """Python's ``random`` stands after the block where it stood before: Keras draws from it whenever it makes layers,
    even where nothing asks for their weights."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


@contextlib.contextmanager
def safe_paths() -> Iterator[None]:
    """Python processes that are started inside the block run no modules that lie in the current folder."""
    kept = {"PYTHONSAFEPATH": os.environ.get("PYTHONSAFEPATH")}
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        _set(kept)


@contextlib.contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Whoever imports this module inside the block finds none, unless it is imported already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Inside the block nobody looks for garbage: imports make hardly any, and the search is a fifth of their time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _import_tensorflow(threads: int, gpu: bool, meanwhile: Mapping[str, str | None]) -> None:
    """Import it with these numbers of threads; ``meanwhile`` are variables of the environment while that lasts."""
    global _pinned
    _pinned = True
    for name in switches(os.environ):
        del os.environ[name]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    before = {name: os.environ.get(name) for name in meanwhile}
    _set(meanwhile)
    try:
        with _quiet(), unmoved(), _uncollected():
            import tensorflow as tf  # which imports Keras

            if not gpu:
                tf.config.set_visible_devices([], "GPU")
            for one in tf.config.get_visible_devices("GPU"):
                tf.config.experimental.set_memory_growth(one, True)  # no more of its memory than is needed
                tf.config.experimental.enable_op_determinism()  # or sums come in another order on every run
            tf.constant(0)  # looks for devices, which is when it writes
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    """Give variables of the environment their values, and take out those of None."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        elif os.environ.get(name) != value:
            os.environ[name] = value


def _unloadable(error: Exception) -> AtlasError:
    said = " ".join(str(error).split())[:300]
    return AtlasError(
        f"expected Keras on TensorFlow, received one that cannot be loaded: {said}; see KERAS_BACKEND and keras.json"
    )


@contextlib.contextmanager
def _keras_set_aside() -> Iterator[None]:
    """What Keras keeps for this thread is new inside the block, and as it was after it."""
    from keras.src.backend.common import global_state
    from tensorflow.python.eager import context

    own, options = vars(global_state.GLOBAL_STATE_TRACKER), context.context()
    kept, toggled = dict(own), dict(options._optimizer_experimental_options)
    own.clear()
    try:
        yield
    finally:
        own.clear()
        own.update(kept)
        if options._optimizer_experimental_options != toggled:  # arithmetics that switch one leave it at its default
            options._optimizer_experimental_options = toggled
            options.function_call_options = None


def _unfit() -> Iterator[str]:
    """What of the process's settings would change pictures: a sentence each."""
    import keras
    import tensorflow as tf
    from tensorflow.python.eager import context, record  # there is no public way to ask for tapes and checks

    settings = {
        "floatx": (keras.config.floatx(), "float32"),
        "image_data_format": (keras.config.image_data_format(), "channels_last"),
        "epsilon": (keras.config.epsilon(), 1e-7),
    }
    for name, (found, wanted) in settings.items():
        if found != wanted:
            yield (
                f"expected Keras with {name} {wanted}, received {found}; call keras.config.set_{name}({wanted!r}), or "
                "take it out of keras.json"
            )
    if not tf.executing_eagerly() or record.could_possibly_record():
        yield (
            "expected TensorFlow with eager execution, received a graph or a gradient tape; call atlas outside of "
            "tf.function, tf.Graph and tf.GradientTape"
        )
    if tf.config.functions_run_eagerly():
        yield (
            "expected TensorFlow to compile its functions, received run_functions_eagerly(True); call "
            "tf.config.run_functions_eagerly(False)"
        )
    if hasattr(tf.Tensor, "ravel"):
        yield (
            "expected TensorFlow's own rules of types, received those of numpy, by enable_numpy_behavior(); call atlas "
            "in another process"
        )
    if tf.distribute.has_strategy():
        yield "expected no strategy of tf.distribute, received one; call atlas outside of its scope"
    if context.context().op_callbacks:
        yield (
            "expected TensorFlow without checks of every operation, received it with some; call "
            "tf.debugging.disable_check_numerics()"
        )
    options = tf.config.optimizer.get_experimental_options()
    changed = sorted(name for name, value in options.items() if _counts(name, value))
    if changed or tf.config.optimizer.get_jit():
        yield (
            f"expected TensorFlow's optimizer as it is by default, received {', '.join(changed) or 'set_jit'} changed; "
            "call atlas before it is, or in another process"
        )
    if not _pinned and (names := switches(os.environ)):
        yield (
            f"expected TensorFlow as it computes by default, received it started under {', '.join(sorted(names))}; "
            "call atlas before TensorFlow is imported, or start Python without"
        )


def _counts(option: str, value: bool) -> bool:
    """Whether an option of TensorFlow's optimizer is not as it is by default."""
    off = option.startswith(("auto_mixed", "disable_", "debug", "pin_to_host", "scoped_", "min_graph"))
    return bool(value) if off else not value


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send what native code writes to the error stream nowhere, for a while."""
    try:
        kept = os.dup(2)
    except OSError:  # a process without an error stream
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


@contextlib.contextmanager
def deaf() -> Iterator[None]:
    """Deaf to Ctrl-C inside the block, as are the processes begun there."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, kept)
