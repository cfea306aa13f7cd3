#!/usr/bin/env bash
# Every check and every test, on a machine that has nothing but Debian 12 and a package index:
#
#   bash scripts/test.sh [arguments of pytest]
#
# Installs what Debian lacks (as root), makes the environment .venv-test beside the sources, and stops at the first
# thing that fails. PYTHON names another interpreter, 3.11 or later.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'test.sh: %s\n' "$*"; }
fail() { say "$*" >&2; exit 2; }

python="${PYTHON:-python3}"
packages=()
if [ -z "${PYTHON:-}" ] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  packages+=(python3 python3-venv)
fi
if [ ! -x /usr/bin/chromium ]; then
  packages+=(chromium fonts-liberation)
fi
if [ "${#packages[@]}" -gt 0 ]; then
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    fail "expected ${packages[*]}, found none; install them (on Debian: apt-get install ${packages[*]}) and run again"
  fi
  say "installing ${packages[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  fail "expected Python 3.11 or later, received $python; name one with PYTHON=..."

if [ ! -x .venv-test/bin/pip ]; then
  say "making .venv-test"
  "$python" -m venv --clear .venv-test
fi
export PATH="$PWD/.venv-test/bin:$PATH"
say "installing atlas and what its tests need (some minutes at the first time)"
python -m pip install -qq --disable-pip-version-check --root-user-action=ignore -e '.[test]'

say "ruff check"
ruff check
say "ruff format --check"
ruff format --check
say "mypy"
mypy
say "pytest"
tests() { python -m pytest "$@" || [ "$?" -eq 5 ]; } # 5: of those chosen there is none
tests -m "not clock" --numprocesses auto --dist loadfile "$@"
tests -m clock "$@"
say "all passed"
