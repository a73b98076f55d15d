#!/usr/bin/env bash
# Guards the engine's cost with counts instead of times, which say the same on a busy machine: system calls, allocations
# and instructions per record. What starting and opening cost is left out: each is counted for a number of records and
# for twice as many, and the difference counts.
#
# usage: Scripts/counts.sh PROGRAM      CountedWork, built for release
#
# It is built by IMMUTA_COUNTED_WORK=1 swift build -c release --product CountedWork.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=Scripts/packages.sh
source Scripts/packages.sh

program="${1:?usage: Scripts/counts.sh PROGRAM}"
work="$(mktemp -d)"
# The logs are in memory, where it can be had: what lies under other directories may be a file system that each record is
# written to by a call.
logs="$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)"
trap 'rm -rf "$work" "$logs"' EXIT
# Hash tables that are laid out anew in each run would make the counts differ.
export SWIFT_DETERMINISTIC_HASHING=1

# The most that is accepted, per record of 100 B: about a quarter more than what was measured when it was written down, of
# instructions a tenth.
#
# An append makes no system call but those by which the writer asks whether a follower waits: up to four in each tick of the
# kernel's clock, so there are more of them for each record where the machine is busy or a record takes long.
#
# With a codec, what is stored is made in memory that is used again, and a record that is read has memory of its own: one
# allocation. All others are made inside swift-crypto, which boxes what it is given and returns memory with owners: 9 to
# encrypt a chunk (a context, the ciphertext and its owner, the tag and its owner, both once more in one piece, and two
# boxes for what goes in), 5 to decrypt one. Instructions are those of the compression and the cipher, which are not ours:
# they are not counted.
#
# A history is one account's: its records lie some 20 kB apart in segments of 256 KiB, so each takes a read, and the key is looked
# up in each segment. The closure that finds a record's key makes an array of it.
#                  system calls   allocations   instructions   records
thresholds="
append                    0.012         0.002            795     16384
transaction               0.012         0.002            590     16384
stream                    0.002         0.002            570     16384
record                    2.500         1.250           2430     16384
history                   1.700         1.950           3700     16384
append-deflate            0.050         0.020              -      2048
stream-deflate            0.020         1.020              -      2048
append-aes                0.050        11.250              -      2048
stream-aes                0.020         7.500              -      2048
"

fail() {
  printf 'counts.sh: %s\n' "$*" >&2
  exit 1
}

# prepare KIND RECORDS: makes $logs/log what that work begins with.
prepare() {
  rm -rf "$logs/log"
  case "$1" in
    stream* | record | consume | batches)
      "$program" "$(sed -E 's/^(stream|record|consume|batches)/transaction/' <<<"$1")" "$logs/log" $((2 * $2)) ;;
    history) "$program" keyed "$logs/log" $((2 * $2)) ;;
  esac
}

count_calls() {
  strace -f -c -U calls,name -o "$work/calls" "$program" "$1" "$logs/log" "$2"
  awk '$2 == "total" { print $1 }' "$work/calls"
}

count_allocations() {
  valgrind --tool=memcheck --undef-value-errors=no --leak-check=no "$work/stripped" "$1" "$logs/log" "$2" \
    >"$work/out" 2>&1 || fail "valgrind: $(tail -n 3 "$work/out")"
  sed -nE 's/.*total heap usage: ([0-9,]+) allocs.*/\1/p' "$work/out" | tr -d ,
}

count_instructions() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$work/stripped" "$1" "$logs/log" "$2" \
    >"$work/out" 2>&1 || fail "valgrind: $(tail -n 3 "$work/out")"
  sed -nE 's/.*Collected : ([0-9]+).*/\1/p' "$work/out"
}

# per_record COUNTER KIND RECORDS: what the counter counts for each record more.
per_record() {
  local once twice records="$3"
  prepare "$2" "$records"
  once="$("$1" "$2" "$records")"
  prepare "$2" "$records"
  twice="$("$1" "$2" $((2 * records)))"
  [ -n "$once" ] && [ -n "$twice" ] || fail "$1 counted nothing for $2"
  awk -v once="$once" -v twice="$twice" -v records="$records" 'BEGIN { printf "%.4f", (twice - once) / records }'
}

# check COUNTER KIND MOST RECORDS: a cell of the table.
check() {
  local value mark=" "
  if [ "$3" = - ]; then
    printf ' %25s' -
    return
  fi
  value="$(per_record "$1" "$2" "$4")"
  if awk -v value="$value" -v most="$3" 'BEGIN { exit !(value > most) }'; then
    mark="!"
    touch "$work/exceeded"
  fi
  printf ' %12s of %8s%s' "$value" "$3" "$mark"
}

# Whether a tool is there and works here: not every machine lets one process watch another.
has() {
  command -v "$1" >/dev/null || install_package "$1" >/dev/null 2>&1 || true
  if command -v "$1" >/dev/null && "$@" >/dev/null 2>&1; then return 0; fi
  echo "SKIPPED: $1 does not work on this machine; $skipped not counted"
  return 1
}

[ -x "$program" ] || fail "$program is not there"
# Some versions of valgrind cannot read Swift's debug information.
strip -g -o "$work/stripped" "$program"
skipped="system calls are"
has strace -f -c -o /dev/null true && strace=yes || strace=""
skipped="allocations and instructions are"
has valgrind --tool=none true && valgrind=yes || valgrind=""

printf '%-15s %25s %25s %25s\n' 'per record' 'system calls' 'allocations' 'instructions'
while read -r kind calls allocations instructions records; do
  [ -n "$kind" ] || continue
  printf '%-15s' "$kind"
  if [ -n "$strace" ]; then check count_calls "$kind" "$calls" "$records"; else printf ' %25s' -; fi
  if [ -n "$valgrind" ]; then
    check count_allocations "$kind" "$allocations" "$records"
    check count_instructions "$kind" "$instructions" "$records"
  else
    printf ' %25s %25s' - -
  fi
  printf '\n'
done <<<"$thresholds"
if [ -e "$work/exceeded" ]; then fail "a count is over its threshold: see the ones marked with !"; fi
