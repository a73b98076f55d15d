#!/usr/bin/env bash
# Does what the tutorials say, with their programs, which were built, and checks that they answer what the tutorials say.
#
# Usage: tutorials-test.sh FOLDER-OF-THE-BINARIES
set -euo pipefail
binaries="$(cd "$1" && pwd)"
work="$(mktemp -d)"
beside=""

finish() {
  [ -z "$beside" ] || kill -KILL "$beside" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
cd "$work"
PATH="$binaries:$PATH"

fail() {
  printf 'tutorials-test.sh: %s\n' "$*" >&2
  [ ! -e out ] || cat out >&2
  exit 1
}

# says WHAT PATTERN…: whether each pattern is in what the last program said.
says() {
  local what="$1" pattern
  shift
  for pattern; do grep -qE -- "$pattern" out || fail "$what: “$pattern” is missing"; done
}

# until_it_says WHAT PATTERN: the same of a program that still runs; for half a minute.
until_it_says() {
  for _ in {1..300}; do
    if grep -qE -- "$2" out; then return; fi
    sleep 0.1
  done
  fail "$1: “$2” did not come"
}

first_log() {
  notes buy milk >out && says "the first note" '^this is note 0$'
  notes call Ada >out && says "the second note" '^this is note 1$'
  notes >out && says "the notes" '^0 .* buy milk$' '^1 .* call Ada$'
  stdbuf -oL "$binaries/notes" follow >out &
  beside=$!
  until_it_says "following" '^1 .* call Ada$'
  notes water the plants >added
  until_it_says "following" '^2 .* water the plants$'
  kill "$beside"
  wait "$beside" || true
  beside=""
}

event_store() {
  stock >out && says "the shop" '^5 of 10 got an apple, 0 are left$' '^the log has 6 events$'
  stock >out && says "the shop, again" '^5 of 10 got an apple, 0 are left$' '^the log has 12 events$'
}

work_queue() {
  mail ada@example.com nowhere bob@example.com >out
  says "the letters" 'sent a letter to ada@' 'sent a letter to bob@' '^given up: letter 1, nowhere has no @$'
  # It is killed with letters in its hands; the next run sends what is left, each letter at least once.
  mail {1..6}@example.com >out &
  beside=$!
  for _ in {1..300}; do
    if [ "$(wc -c <mail/letters.consumers/send.log)" -gt 0 ]; then break; fi
    sleep 0.1
  done
  sleep 0.7
  kill -KILL "$beside"
  wait "$beside" 2>/dev/null || true
  beside=""
  mail >out
  local number
  says "the rest of the letters" 'sent a letter to 6@' '^given up: letter 1, '
  mail >out
  for number in {1..6}; do ! grep -q "to $number@" out || fail "letter $number was sent, and is sent again"; done
}

encrypting() {
  (umask 077 && head -c 32 /dev/urandom >diary.key)
  diary my secret >out && says "the diary" 'Z my secret$'
  ! grep -rq "secret" diary || fail "the diary is not encrypted"
  mv diary.key old.key
  (umask 077 && head -c 32 /dev/urandom >diary.key)
  diary another one >out && says "with a new key" 'Z my secret$' 'Z another one$'
  mv old.key away.key
  if diary >out 2>&1; then fail "without the old key, the first entry is read"; fi
  says "without the old key" 'key'
}

first_log
event_store
work_queue
encrypting
echo "tutorials: all of them do what they say"
