"""The suite itself: what --quick leaves out, and the limits that every test has."""

import ast
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import WithoutTensorFlow

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", ["keras", "tensorflow"])
def test_quick_skips_whatever_imports_tensorflow(name):
    with pytest.raises(pytest.skip.Exception, match="needs TensorFlow"):
        WithoutTensorFlow().find_spec(name)
    assert WithoutTensorFlow().find_spec("numpy") is None


def test_every_test_has_a_limit(pytestconfig):
    limit = float(pytestconfig.getini("timeout"))
    assert 0 < limit < float(pytestconfig.getini("faulthandler_timeout"))
    assert pytestconfig.getini("faulthandler_exit_on_timeout") is True
    assert pytestconfig.pluginmanager.hasplugin("timeout")


def test_processes_of_tests_hear_ctrl_c_where_a_shell_ignores_it():
    """As behind ``bash scripts/test.sh &``: this file's own conftest is imported in a process that ignores signals."""
    code = f"""
import signal, sys
sys.path.insert(0, {str(ROOT)!r})
import tests.conftest
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])
"""

    def deaf() -> None:
        for number in (signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGALRM])

    subprocess.run([sys.executable, "-c", code], preexec_fn=deaf, check=True)


def test_only_tests_marked_clock_measure_time():
    """The others run beside each other, on machines of any speed."""
    measuring = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                marks = [ast.unparse(mark) for mark in node.decorator_list]
                asks = any(f"time.{name}()" in ast.unparse(node) for name in ("perf_counter", "monotonic"))
                if asks and "pytest.mark.clock" not in marks:
                    measuring.append(f"{path.name}: {node.name}")
    assert measuring == []
