#!/usr/bin/env bash
# Every check and every test, on a machine that has nothing but Debian 12 and a package index:
#
#   bash scripts/test.sh [arguments of pytest]
#   bash scripts/test.sh --quick [arguments of pytest]
#
# Installs what Debian lacks (as root), makes the environment .venv-test in the sources, and stops at the first
# failure. --quick is for people who are writing code: it installs again only when pyproject.toml has changed, and
# leaves out every test that needs TensorFlow, is marked slow, or looks at the clock.
# PYTHON names another interpreter, 3.11 or later.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/machine.sh

quick=""
if [ "${1:-}" = --quick ]; then
  quick=--quick
  shift
fi

if [ -x /usr/bin/chromium ]; then need; else need chromium fonts-liberation; fi

if [ ! -x .venv-test/bin/pip ]; then
  say "making .venv-test"
  "$python" -m venv --clear .venv-test
fi
export PATH="$PWD/.venv-test/bin:$PATH"
if [ -z "$quick" ] || [ ! -e .venv-test/installed ] || [ pyproject.toml -nt .venv-test/installed ]; then
  say "installing atlas and what its tests need (some minutes the first time)"
  python -m pip install -qq --disable-pip-version-check --root-user-action=ignore -e '.[test]'
  touch .venv-test/installed
fi

say "ruff check"
ruff check
say "ruff format --check"
ruff format --check
say "mypy"
mypy
say "pytest"
tests() { python -m pytest --durations 12 "$@" || [ "$?" -eq 5 ]; } # 5: none of the chosen tests is here
beside=(-m "not clock" --numprocesses auto --dist loadfile)
if [ -n "$quick" ] || [ "$#" -gt 0 ]; then
  tests "${beside[@]}" $quick "$@"
else
  # In two runs: TensorFlow never gives back what it compiled, so that one process for all of them grows to 3 GB.
  kernels=(tests/ascent tests/networks tests/probes)
  tests "${beside[@]}" "${kernels[@]}"
  tests "${beside[@]}" "${kernels[@]/#/--ignore=}"
fi
if [ -z "$quick" ]; then
  tests -m clock "$@"
fi
say "all passed"
