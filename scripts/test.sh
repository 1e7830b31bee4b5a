#!/usr/bin/env bash
# Everything that must hold before a change is merged, in one run: `make test`.
#
# Installs what is missing (apt packages; Python packages under build/, Node packages beside their suite), builds once
# with one profile, and stops at the first step that fails. Needs only cargo. The last line counts tests.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TERM_COLOR=never PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
export TIDEGATE_BIN=${CARGO_TARGET_DIR:-$PWD/target}/debug/tidegate
readonly venv=build/venv
readonly logs=build/test-logs
rm -rf "$logs"
mkdir -p "$logs"

heading() { printf '\n==== %s ====\n' "$*"; }

# Runs a test command, and keeps what it prints for the count at the end.
counted() {
  local name=$1
  shift
  "$@" 2>&1 | tee "$logs/$name.log"
}

finish() {
  local status=$?
  heading "Result"
  python3 scripts/count_tests.py "$logs" || true
  [ -n "${TIDEGATE_FIXTURES:-}" ] ||
    echo "TIDEGATE_FIXTURES is not set: the tests of recorded exchanges had nothing to test"
  [ "$status" -eq 0 ] || echo "make test: a step failed with status $status" >&2
  exit "$status"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_system_packages() {
  local wanted=()
  command -v cc >/dev/null || wanted+=(build-essential)
  command -v python3 >/dev/null || wanted+=(python3)
  python3 -c 'import venv, ensurepip' 2>/dev/null || wanted+=(python3-venv)
  command -v curl >/dev/null || wanted+=(curl)
  command -v node >/dev/null || wanted+=(nodejs)
  command -v npm >/dev/null || wanted+=(npm)
  [ "${#wanted[@]}" -gt 0 ] || return 0
  echo "installing ${wanted[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" </dev/null
}

# Both are skipped when the lists have not changed since they were last installed.
install_python_packages() {
  local list=tests/clients/python/requirements.txt
  cmp -s "$list" "$venv/installed.txt" && return 0
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --requirement "$list"
  cp "$list" "$venv/installed.txt"
}

install_node_packages() {
  local folder=tests/clients/node
  cmp -s "$folder/package-lock.json" "$folder/node_modules/.installed.json" && return 0
  npm ci --prefix "$folder" --loglevel=error </dev/null
  cp "$folder/package-lock.json" "$folder/node_modules/.installed.json"
}

trap finish EXIT

heading "Tools and packages"
install_system_packages
install_python_packages
install_node_packages
cargo --version
"$venv/bin/python" --version
echo "Node $(node --version)"

heading "Format"
cargo fmt --all --check

heading "Lints"
cargo clippy --workspace --all-targets --locked --quiet -- -D warnings

heading "Licences"
python3 scripts/check_licences.py

heading "Build"
# All targets at once, so that the binary and the tests share every dependency with the same features.
cargo build --workspace --all-targets --locked --quiet

heading "Rust tests"
counted rust cargo test --workspace --locked

heading "Python clients against the binary"
counted python "$venv/bin/python" -m pytest tests/clients/python

heading "Node clients against the binary"
# The reporter is named because the default differs between versions of Node.
node_suite() {
  (cd tests/clients/node && PYTHONPATH=.. "../../../$venv/bin/python" -m stack -- \
    node --test --test-reporter=spec openai.test.js dialects.test.js vercel-ai.test.js apisix-mcp.test.js)
}
counted node node_suite
