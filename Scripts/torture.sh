#!/usr/bin/env bash
# Runs the torture tests in release mode, until something fails or Ctrl-C.
#
# usage: Scripts/torture.sh [ROUNDS]      rounds of each random test; default: passes of 200, again and again
#
# IMMUTA_TORTURE_BUILD_PATH  where to build (default: .build-torture)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build_path="${IMMUTA_TORTURE_BUILD_PATH:-.build-torture}"
rounds="${1:-forever}"
work="$(mktemp -d)"
passes=0
child=""

# Ends a process and all that came from it, the youngest first.
end_tree() {
  local below
  for below in $(ps -A -o pid= -o ppid= | awk -v parent="$1" '$2 == parent { print $1 }'); do end_tree "$below"; done
  kill -TERM "$1" 2>/dev/null || true
}

finish() {
  if [ -n "$child" ]; then end_tree "$child"; fi
  rm -rf "$work"
}
interrupted() {
  printf '\ninterrupted: %d passes completed, no failure\n' "$passes"
  exit 0
}
trap finish EXIT
trap interrupted INT TERM

case "$rounds" in
  forever) ;;
  '' | 0* | *[!0-9]*)
    echo "usage: Scripts/torture.sh [ROUNDS]" >&2
    exit 2
    ;;
esac

# A child in the background, so that a signal is answered at once.
run() {
  local status=0
  "$@" &
  child=$!
  wait "$child" || status=$?
  child=""
  return "$status"
}

swift_test() {
  IMMUTA_ROUNDS="$1" IMMUTA_ROUNDS_LOG="$work/rounds" exec swift test -c release --skip-build --no-parallel \
    --disable-xctest -Xswiftc -enable-testing --scratch-path "$build_path" --filter TortureTests >"$work/log" 2>&1
}

# The rounds that began and did not end: after a crash or a hang, one of them is to blame.
unfinished() {
  [ -e "$work/rounds" ] || return 0
  awk '{ key = $0; sub(/^[a-z]+ /, "", key) }
    $1 == "begin" { open[key]++ }
    $1 == "end" { open[key]-- }
    END { for (key in open) if (open[key] > 0) print key }' "$work/rounds"
}

replay() {
  printf '  IMMUTA_SEED=%s swift test -c release -Xswiftc -enable-testing --scratch-path %s --filter %s\n' \
    "$1" "$build_path" TortureTests
}

report() {
  local seeds seed name
  printf '\nFAILED in pass %d\n' "$((passes + 1))"
  grep -E 'failed after|recorded an issue|IMMUTA_SEED=|[Ff]atal error|signal code' "$work/log" ||
    tail -n 40 "$work/log"
  seeds="$(grep -oE 'IMMUTA_SEED=[0-9]+' "$work/log" | cut -d = -f 2 | sort -u || true)"
  # A failure that names its seed needs no guess.
  if [ -n "$seeds" ]; then
    printf '\nThe same again:\n'
    for seed in $seeds; do replay "$seed"; done
  else
    printf '\nRounds that had begun and not ended:\n'
    unfinished | while read -r seed name; do
      printf '%s, IMMUTA_SEED=%s\n' "$name" "$seed"
      replay "$seed"
    done
  fi
  exit 1
}

echo "building in $build_path"
run swift build --quiet -c release --build-tests -Xswiftc -enable-testing --scratch-path "$build_path"

while true; do
  : >"$work/rounds"
  if [ "$rounds" = forever ]; then run swift_test 200 || report; else run swift_test "$rounds" || report; fi
  grep -q 'Test run with [1-9].* passed' "$work/log" || report
  passes=$((passes + 1))
  printf 'pass %d: %s\n' "$passes" "$(grep -E 'Test run with' "$work/log" | tail -n 1)"
  if [ "$rounds" != forever ]; then break; fi
done
