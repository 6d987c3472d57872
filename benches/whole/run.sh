#!/usr/bin/env bash
# benches/whole/run.sh [ROUNDS [SECONDS]]: measures the release binary against the Node.js baseline, 9 rounds of 2
# seconds each unless told, and writes docs/benchmarks.md and docs/benchmarks.svg. It takes Node.js 20.19 or later and
# about a minute and a half a round. Many short rounds: the same one twice differs by more than a longer one mends.
# SIGNALPOST_ARGS: further flags for the server, such as those that lift limits.
set -eu
cd "$(dirname "$0")/../.."
baseline=benches/whole/baseline
cargo build --release --locked
# The lock file is older than what it installed, unless it changed since.
if [ ! "$baseline/node_modules/.package-lock.json" -nt "$baseline/package-lock.json" ]; then
  npm ci --prefix "$baseline" --no-audit --no-fund
fi
exec node benches/whole/run.mjs "$@"
