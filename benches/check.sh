#!/usr/bin/env bash
# Counts the instructions of the hot path, which repeat where times do not, and compares them with the budget.
#   benches/check.sh           fails where a scenario takes 3 % more than its budget
#   benches/check.sh rebase    writes the budget anew: in a commit of its own that says why
set -euo pipefail
# What measured nothing must not pass.
shopt -s inherit_errexit
cd "$(dirname "$0")/.."
budget=benches/instructions.budget
scenarios=(candidate candidates offer fan-out join)

main() {
  local bench name counted allowed worse=0
  bench=$(executable)
  [ "${1:-}" != rebase ] || : >"$budget"
  for name in "${scenarios[@]}"; do
    counted=$(per_time "$bench" "$name")
    if [ "${1:-}" = rebase ]; then
      echo "$name $counted" >>"$budget"
    fi
    allowed=$(awk -v name="$name" '$1 == name { print $2 }' "$budget")
    echo "$name: $counted instructions, budget $allowed"
    if [ $((counted * 100)) -gt $((allowed * 103)) ]; then
      echo "$name is over its budget"
      worse=1
    fi
  done
  return "$worse"
}

executable() {
  cargo build --locked --release --example instructions --message-format=json |
    sed -n '/"kind":\["example"\]/s/.*"executable":"\([^"]*\)".*/\1/p'
}

# What one more time costs: start and end are the same in both runs.
per_time() {
  local few many
  few=$(instructions "$1" "$2" 800)
  many=$(instructions "$1" "$2" 2400)
  if [ "${many:-0}" -le "${few:-0}" ]; then
    echo "$2: valgrind counted nothing" >&2
    return 1
  fi
  echo $(((many - few) / 1600))
}

instructions() {
  local log
  log=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1) || { echo "$log" >&2 && return 1; }
  awk '/Collected :/ { print $4 }' <<<"$log"
}

main "$@"
