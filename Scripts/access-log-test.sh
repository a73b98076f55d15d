#!/usr/bin/env bash
# Runs the web server of Examples/AccessLog, which was built, and checks what a browser relies on: each request is recorded, a
# connection that was lost goes on where it was, also after a restart, and SIGTERM ends the server in order.
#
# Usage: access-log-test.sh BINARY
set -euo pipefail
binary="$1"
work="$(mktemp -d)"
server=""
follower=""

finish() {
  local status=$?
  for process in $follower $server; do kill -KILL "$process" 2>/dev/null || true; done
  if [ "$status" -ne 0 ]; then tail -n 20 "$work"/*.log >&2; fi
  rm -rf "$work"
}
trap finish EXIT
cd "$work"

fail() {
  printf 'access-log-test.sh: %s\n' "$*" >&2
  exit 1
}

# until_it WHAT COMMAND…: tries for a minute.
until_it() {
  local what="$1"
  shift
  for _ in {1..600}; do
    if "$@"; then return; fi
    [ -z "$server" ] || kill -0 "$server" || fail "the server has ended"
    sleep 0.1
  done
  fail "$what took more than a minute"
}

start() {
  : >server.log
  "$binary" 0 >server.log 2>&1 &
  server=$!
  until_it "the start" grep -q "the access log is at" server.log
  url="$(sed -nE 's|.*the access log is at (http://127\.0\.0\.1:[0-9]+)/.*|\1|p' server.log)"
}

# stop SIGNAL: it must end soon, in order, also while somebody follows.
stop() {
  local ended=$server
  kill "-$1" "$server"
  server=""
  for _ in {1..300}; do
    if ! kill -0 "$ended" 2>/dev/null; then
      wait "$ended" || fail "after $1 it ended with $?"
      return
    fi
    sleep 0.1
  done
  server=$ended
  fail "after $1 it has not ended in half a minute"
}

# status OPTION…: makes a request, and prints its status.
status() { curl -s -o answer.log -w '%{http_code}' --max-time 20 "$@"; }

# expect WHAT EXPECTED FOUND
expect() { [ "$2" = "$3" ] || fail "$1: expected $2, found $3"; }

# follow FILE OPTION…: keeps what comes as events, until `leave`.
follow() {
  local file="$1"
  shift
  : >"$file"
  curl -sN --max-time 120 "$@" "$url/events" >"$file" &
  follower=$!
}

leave() {
  kill "$follower" 2>/dev/null || true
  wait "$follower" 2>/dev/null || true
  follower=""
}

ids() { sed -n 's/^id: //p' "$1"; }

last_id() { ids "$1" | tail -n 1; }

# has FILE NUMBER: whether the whole event with the number has come. An empty line ends it.
has() { sed -n "/^id: $2\$/,/^\$/p" "$1" | grep -q '^$'; }

start
expect "the page" 200 "$(status "$url/")"
expect "no such page" 404 "$(status "$url/nothing")"
# What clients send must stay in its place: in one line of the record's JSON.
agent=$'"quoted" \\ <script>alert(1)</script> \\n id: 7 \t end'
expect "a hostile request" 404 "$(status -A "$agent" "$url/%0A%0Aid:%207")"

# The first connection: it begins with what there is. The request for the events is recorded, too.
follow first.log
until_it "the fourth record" has first.log 3
expect "nothing but events" 0 "$(grep -cvE '^(id: [0-9]+|data: \{.*\}|)$' first.log || true)"
grep -qF '\"quoted\" \\ <script>alert(1)</script> \\n id: 7 \t end' first.log || fail "the hostile request is not as it was sent"
leave

# What is missed meanwhile comes with the next connection, and nothing twice.
for path in a b c; do expect "/$path" 404 "$(status "$url/$path")"; done
follow second.log -H "Last-Event-ID: $(last_id first.log)"
until_it "what was missed" has second.log 7
# One server ends, and another one begins. The follower does not hold it up, and its answer is ended, not cut off.
stop TERM
wait "$follower" || fail "the events were cut off: curl ended with $?"
follower=""
start
expect "/d" 404 "$(status "$url/d")"
follow third.log -H "Last-Event-ID: $(last_id second.log)"
until_it "what was missed between two servers" has third.log 9
expect "each record, once, in order" "$(seq 0 9)" "$(ids first.log; ids second.log; ids third.log)"

# No such records: a browser that gets an error does not come again and again.
for id in 11 -1 abc 9223372036854775807 99999999999999999999; do
  expect "Last-Event-ID: $id" 400 "$(status -H "Last-Event-ID: $id" "$url/events")"
done
stop INT
leave
echo "access log: each request was recorded, each event came once"
