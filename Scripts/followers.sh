#!/usr/bin/env bash
# What following idle logs costs a process: threads, wake-ups and processor time, for one log and for 200.
#
# usage: Scripts/followers.sh TOOL [SECONDS]      the tool, built for release
set -euo pipefail

tool="$(realpath "${1:?usage: Scripts/followers.sh TOOL [SECONDS]}")"
seconds="${2:-10}"
work="$(mktemp -d)"
child=""
trap 'if [ -n "$child" ]; then kill "$child" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
cd "$work"
ulimit -n 4096

# Of all threads of the process: ticks of 10 ms, and how often one gave up its processor to wait.
ticks() { awk '{ print $14 + $15 }' "/proc/$child/stat"; }
waits() { { cat /proc/"$child"/task/*/status 2>/dev/null || true; } | awk '/^voluntary_ctxt_switches/ { sum += $2 } END { print sum }'; }

printf '%12s %8s %12s %12s\n' 'idle logs' threads 'wake-ups/s' 'processor'
for count in 1 200; do
  echo x | "$tool" logstore append "store$count" --partitions "$count" --key k >/dev/null
  "$tool" logstore cat "store$count" --follow >/dev/null &
  child=$!
  # Until it has settled.
  sleep 3
  before=("$(ticks)" "$(waits)")
  sleep "$seconds"
  after=("$(ticks)" "$(waits)")
  threads=(/proc/"$child"/task/*)
  awk -v count="$count" -v threads="${#threads[@]}" -v ticks=$((after[0] - before[0])) \
    -v waits=$((after[1] - before[1])) -v seconds="$seconds" \
    'BEGIN { printf "%12d %8d %12.1f %11.1f%%\n", count, threads, waits / seconds, ticks / seconds }'
  kill "$child"
  wait "$child" 2>/dev/null || true
  child=""
done
