# Sourced by scripts/test.sh and .ci/run, in the root of the sources: the interpreter, and what Debian 12 lacks.
#
#   need [package ...]   install these Debian packages and Python, where they are missing (as root)
#
# Sets `python`, an interpreter of version 3.11 or later: PYTHON where that is set. Gives a user without a home that can
# be written, which pip wants, one for as long as the script runs.

say() { printf '%s: %s\n' "$(basename "$0")" "$*"; }
fail() { say "$*" >&2; exit 2; }

python="${PYTHON:-python3}"

if [ ! -w "${HOME:-/nonexistent}" ]; then
  HOME="$(mktemp -d)"
  export HOME
  trap 'rm -rf "$HOME"' EXIT
fi

need() {
  local packages=("$@")
  if [ -z "${PYTHON:-}" ] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    packages+=(python3 python3-venv)
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
}
