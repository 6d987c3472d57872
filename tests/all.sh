#!/usr/bin/env bash
# Installs what is missing for the tests, then runs every check and test. Ends with the sum of all.
set -u
cd "$(dirname "$0")/.." || exit 1
passed=0
failed=0
log=$(mktemp)
simulated=$(mktemp)
counted=$(mktemp)
trap 'rm -f "$log" "$simulated" "$counted"' EXIT
# All is built once: what would quicken the next build takes a quarter of the first one.
export CARGO_INCREMENTAL=${CARGO_INCREMENTAL-0}

main() {
  install_missing
  check "rustfmt" cargo fmt --check
  check "clippy" cargo clippy --locked --all-targets -- --deny warnings
  # Only checked, so the fuzzer's own library, in C++, is not built; by the same profile, so most else is there.
  check "fuzz targets" env CUSTOM_LIBFUZZER_PATH=fuzz/none cargo clippy --locked --manifest-path fuzz/Cargo.toml \
    --config Cargo.toml --target-dir "$(target_folder)" -- --deny warnings
  check "rustdoc" env RUSTDOCFLAGS="--deny warnings" cargo doc --locked --no-deps --document-private-items
  check "build of the Rust tests" cargo test --locked --no-run
  # While others wait for something, as they do for a good part: neither measures time.
  nice -n 19 cargo test --locked --test simulation >"$simulated" 2>&1 &
  local simulating=$!
  nice -n 19 benches/check.sh >"$counted" 2>&1 &
  local counting=$!
  count "Rust tests" cargo_sums cargo test --locked --no-fail-fast -- --skip seeds::
  check "buf lint" "$bin/buf" lint proto
  check "buf format" "$bin/buf" format --diff --exit-code proto
  check "buf breaking" "$bin/buf" breaking proto --against proto/released.binpb
  check "types of the client" npm run --silent --prefix "$browser" check
  SIGNALPOST_BIN=$(target_folder)/debug/signalpost
  export SIGNALPOST_BIN
  count "client units" node_sums npm run --silent --prefix "$browser" unit
  count "calls of 50" node_sums npm run --silent --prefix "$browser" calls
  count "gRPC by buf curl" node_sums npm run --silent --prefix "$browser" grpc
  count "tokens of other libraries" node_sums npm run --silent --prefix "$browser" tokens
  check "blocks of docs/security.md" tests/security.sh
  count "examples" node_sums npm run --silent --prefix "$browser" examples
  count "pages in Chromium" node_sums npm run --silent --prefix "$browser" browser
  count "simulation" cargo_sums ended "$simulating" "$simulated"
  check "instruction budget" ended "$counting" "$counted"
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}

browser=tests/browser
bin=$browser/node_modules/.bin

# Wherever CARGO_TARGET_DIR or cargo's settings have it.
target_folder() {
  cargo metadata --locked --no-deps --format-version 1 |
    node --print 'JSON.parse(fs.readFileSync(0)).target_directory'
}

install_missing() {
  local packages=()
  command -v chromium >/dev/null || packages+=(chromium)
  command -v valgrind >/dev/null || packages+=(valgrind)
  command -v turnserver >/dev/null || packages+=(coturn)
  command -v redis-server >/dev/null || packages+=(redis-server)
  # Where it is often no part of the PATH.
  [ -x /usr/sbin/nginx ] || packages+=(nginx)
  [ -x /usr/sbin/haproxy ] || packages+=(haproxy)
  command -v caddy >/dev/null || packages+=(caddy)
  compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || packages+=(libfaketime)
  # Debian has the parts of `venv` in a package of their own.
  python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
  [ ${#packages[@]} -eq 0 ] || apt_install "${packages[@]}"
  # A lock file is older than what it installed, unless it changed since.
  local folder
  for folder in "$browser" examples; do
    if [ ! "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ]; then
      check "npm packages of $folder" npm ci --prefix "$folder" --no-audit --no-fund
    fi
  done
  for folder in "$browser/tokens" examples; do
    if [ ! "$folder/.venv/installed" -nt "$folder/requirements.txt" ]; then
      check "Python packages of $folder" install_python_packages "$folder"
    fi
  done
}

install_python_packages() {
  python3 -m venv --clear "$1/.venv" &&
    "$1/.venv/bin/pip" install --quiet --require-hashes --requirement "$1/requirements.txt" &&
    touch "$1/.venv/installed"
}

apt_install() {
  local root=()
  [ "$(id -u)" -eq 0 ] || root=(sudo)
  "${root[@]}" apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -qq -y --no-install-recommends "$@"
}

# check NAME COMMAND…: one point.
check() {
  local name=$1
  shift
  if run "$name" "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# count NAME SUMS COMMAND…: as many points as SUMS reads in the output; none read, or a failure that no test
# accounts for, is a failure too.
count() {
  local name=$1 sums=$2 ok=0 good bad
  shift 2
  run "$name" "$@" || ok=1
  read -r good bad < <("$sums")
  [ "$good" -gt 0 ] || bad=$((bad + 1))
  [ "$ok" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
  passed=$((passed + good))
  failed=$((failed + bad))
}

# ended PID OUTPUT: what becomes of what was started before.
ended() {
  local status=0
  wait "$1" || status=$?
  cat "$2"
  return "$status"
}

run() {
  local name=$1 began=$SECONDS status
  shift
  "$@" >"$log" 2>&1
  status=$?
  if [ "$status" -eq 0 ]; then
    echo "ok    $name ($((SECONDS - began)) s)"
  else
    cat "$log"
    echo "FAIL  $name ($((SECONDS - began)) s)"
  fi
  grep -E '^# SKIP|skipped: ' "$log" | sed 's/^/      /'
  return "$status"
}

cargo_sums() {
  awk '/^test result:/ { good += $4; bad += $6 } END { print good + 0, bad + 0 }' "$log"
}

node_sums() {
  awk '/^(#|ℹ) pass / { good += $3 } /^(#|ℹ) (fail|cancelled) / { bad += $3 } END { print good + 0, bad + 0 }' "$log"
}

main "$@"
