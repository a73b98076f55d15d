#!/usr/bin/env bash
# Everything a change must pass, in one command. The last line is "N passed, 0 failed", and is there only if all went well.
#
# IMMUTA_BUILD_PATH  where to build (default: .build; the sanitizer's build goes to the same name with -tsan behind it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=Scripts/packages.sh
source Scripts/packages.sh

build_path="${IMMUTA_BUILD_PATH:-.build}"
# Everything is tested that can be turned on. The tool and the examples are built without, as most people build them.
traits=()
has_all_traits=false
has_cluster=false
work="$(mktemp -d)"
cluster="$work/cluster"
# The process that runs tests beside others.
beside=""
passed=0
current="setting up"

finish() {
  local status=$?
  if [ -n "$beside" ]; then
    kill "$beside" 2>/dev/null || true
    wait "$beside" || true
    tail -n 100 "$work/beside.log"
    # It was ended here, so what ran last has no fault.
    echo "Test run with others was ended" >>"$work/beside.log"
  fi
  stop_cluster
  if [ "$status" -ne 0 ]; then tell_failures; fi
  rm -rf "$work"
  if [ "$status" -ne 0 ]; then printf '\nFAILED: %s\n' "$current" >&2; fi
}
trap finish EXIT

# Says once more which tests failed, and which one ran when a process of tests died: in a long output the last lines are what is
# looked at first.
tell_failures() {
  local log
  for log in "$work"/*.log; do
    [ -e "$log" ] || continue
    grep -aE '✘|^error:|Fatal error' "$log" | tail -n 30 || true
    if grep -aq 'Test .* started\.$' "$log" && ! grep -aq 'Test run with' "$log"; then
      printf '%s ended early, in: %s\n' "$(basename "$log")" "$(grep -a 'Test .* started\.$' "$log" | tail -n 1)"
    fi
  done
}

# Whatever happened in between: its servers are this script's.
stop_cluster() {
  if [ -e "$cluster/cluster.json" ]; then
    Scripts/cluster stop "$cluster" || true
    rm -rf "$cluster"
  fi
}

say() { printf '\n==> %s\n' "$*"; }

fail() {
  printf 'test.sh: %s\n' "$*" >&2
  exit 1
}

# step TITLE FUNCTION: announces the function, runs it, and tells how long it took. Not as part of a condition: there bash
# would go on behind a command that failed.
step() {
  local start="$SECONDS"
  current="$1"
  say "$current"
  "$2"
  printf '    %s: %d s\n' "$current" "$((SECONDS - start))"
}

# What is needed: Swift (with `swift format`, which comes with it), git for Swift's packages, the C libraries of the package
# traits, perl (which comes with git), Python and a NATS server for the log on a cluster, and the tools of every POSIX system.
# Swift comes from swift.org, the NATS server from PyPI; the rest can be installed from a distribution's packages.
check_tools() {
  command -v swift >/dev/null || fail "Swift 6.3 or newer is needed: see https://www.swift.org/install"
  swift --version 2>/dev/null | head -n 1
  if ! command -v git >/dev/null; then
    install_package git
  fi
  # An example is a web server, which it asks.
  command -v curl >/dev/null || install_package curl
  # Some tests are about wrong clocks, and skip themselves without it.
  command -v faketime >/dev/null || install_package faketime || true
  local turned_on="Service"
  if install_libraries_of_traits; then
    turned_on="$turned_on,Zstd,LZ4"
  else
    echo "SKIPPED: without the headers of libzstd and liblz4, Zstandard and LZ4 are not tested"
  fi
  if ! install_cluster_client; then
    echo "SKIPPED: without the headers of libnats, the log on a cluster is neither built nor tested"
  else
    turned_on="$turned_on,JetStream"
    if install_cluster_server; then
      has_cluster=true
    else
      echo "SKIPPED: without a NATS server of 2.12 or newer, the log on a cluster is built and hardly tested"
    fi
  fi
  traits=(--traits "$turned_on")
  if [ "$turned_on" = Service,Zstd,LZ4,JetStream ]; then has_all_traits=true; fi
  # Only root can mount them.
  if [ "$(id -u)" -ne 0 ]; then
    echo "SKIPPED: only root can mount file systems; full ones are not tested"
  elif ! install_file_systems; then
    echo "SKIPPED: without btrfs-progs and xfsprogs, full btrfs and XFS are not tested"
  fi
}

lint() {
  swift format lint --strict --recursive Sources Tests Examples Benchmarks UI/Sources UI/Tests UI/Package.swift Package.swift
  Scripts/layers.pl
  Scripts/layers-test.sh
  Scripts/samples.pl
}

# SwiftPM silences the warnings of other packages, so the flag concerns our own targets only. It has none for C: those
# files are compiled once more.
build() {
  swift build --quiet --build-tests "${traits[@]}" --scratch-path "$build_path" -Xswiftc -warnings-as-errors
  local file
  for file in Sources/*/*.c Benchmarks/Sources/*/*.c; do
    clang -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -I "$(dirname "$file")/include" "$file"
  done
}

# run_tests NAME ARGUMENT…: runs tests, and adds to `passed` the number of those it says it ran. One after the other: many of
# them keep the machine busy or wait for other processes, and what waits for a processor looks like what hangs.
run_tests() {
  just_run_tests "$@" 2>&1 | tee "$work/$1.log"
  count_passed "$1"
}

# In a process of its own, which becomes the tests.
just_run_tests() {
  shift
  exec swift test "${traits[@]}" --no-parallel --disable-xctest -Xswiftc -warnings-as-errors "$@"
}

count_passed() {
  local count
  count="$(sed -nE 's/.*Test run with ([0-9]+) tests?.* passed.*/\1/p' "$work/$1.log" | awk '{ sum += $1 } END { print sum + 0 }')"
  [ "$count" -gt 0 ] || fail "no test was run"
  passed=$((passed + count))
}

check_api() {
  if ! "$has_all_traits"; then
    echo "SKIPPED: the public API is written down with all package traits turned on"
    return
  fi
  IMMUTA_BUILD_PATH="$build_path" Scripts/api.sh
}

# On another kind of processor than this machine's, with instructions of its own.
test_on_arm64() {
  local log="$work/arm64.log" status=0
  Scripts/arm64.sh | tee "$log" || status=$?
  if [ "$status" -eq 77 ]; then return; fi
  [ "$status" -eq 0 ] || fail "the checksums' code for arm64 is wrong"
  passed=$((passed + $(sed -nE 's/^([0-9]+) passed, 0 failed$/\1/p' "$log")))
}

check_dependencies() {
  Scripts/dependencies.sh
}

check_refused() {
  IMMUTA_BUILD_PATH="$build_path" Scripts/refused.sh
}

# Those that run beside the others: the tests of the tool, which mostly wait for its processes, and some that only compute, so that
# both take about as long.
readonly beside_others='^(ImmutaCLITests\.|TortureTests\.(FailingCallTests|FailingConsumerTests|KeysLossTests)/)'

# It was built three steps ago. `swift test` would build all of it again.
test_suite() {
  local options=(--scratch-path "$build_path" --skip-build --ignore-lock)
  just_run_tests beside "${options[@]}" --filter "$beside_others" >"$work/beside.log" 2>&1 &
  beside=$!
  run_tests suite "${options[@]}" --skip "$beside_others"
  local status=0
  wait "$beside" || status=$?
  beside=""
  cat "$work/beside.log"
  [ "$status" -eq 0 ] || fail "tests beside the others failed"
  count_passed beside
}

# What needs a cluster; the other steps leave it out. The script that makes clusters is tested first.
test_on_cluster() {
  if ! "$has_cluster"; then
    echo "SKIPPED: there is no cluster to test with"
    return
  fi
  local log="$work/cluster-script.log"
  python3 -B Scripts/jetstream/test.py | tee "$log"
  passed=$((passed + $(sed -nE 's/^([0-9]+) passed, 0 failed$/\1/p' "$log")))
  local urls
  urls="$(Scripts/cluster start "$cluster" | tail -n 1)"
  IMMUTA_CLUSTER_URLS="$urls" IMMUTA_CLUSTER_DIR="$cluster" \
    run_tests cluster --scratch-path "$build_path" --skip-build \
    --filter '^ImmutaJetStreamTests\.' --filter '^ImmutaCLITests\.[A-Za-z]*Cluster'
  stop_cluster
}

# Whether this machine can build and run a program under the thread sanitizer: its runtime is not part of every Swift
# installation, and not every kernel's memory layout suits it.
has_thread_sanitizer() {
  printf 'print(1)\n' >"$work/probe.swift"
  swiftc -sanitize=thread "$work/probe.swift" -o "$work/probe" >/dev/null 2>&1 && "$work/probe" >/dev/null 2>&1
}

# What the sanitizer looks at. Tests of the tool run it as another process, and most harnesses have one task, or other processes.
# What the package traits turn on has run without it before.
readonly with_threads='SolidTests ImmutaTests ImmutaTransformsTests ImmutaCodableTests ImmutaLogStoreTests'

# What of them tells it nothing. Each of these has run without it before.
without_threads=(
  # Pure functions: formats, plans, and what codecs make of bytes.
  'ImmutaTests\.(FormatTests|PartitionFormatTests|PartitionHeaderTests|RecordWalkTests|RecoveryPlanTests)/'
  'ImmutaTransformsTests\.(DeflateTests|EncryptionTests|MalformedInputTests)/'
  # Files that one thread writes, damages and reads.
  'ImmutaTests\.(AnotherLogsCompanionTests|FormatOneTests|GoFilesTests|SparseLogTests|UnclosedLogTests|WalkedEntriesTests)/'
  # Long loops of one task: large payloads byte by byte, a hundred thousand records, and how much memory they take.
  'ImmutaTests\.(LargeRecordTests|PayloadTests)/'
  'ChangedFilesTests/aLargeRecordIsReadInPiecesAndWhole' 'ReadOnlyTests/recordsOfALargeRangeStayWhenTheFileIsCut'
  'TransactionTests/(manyRecordsAreCommittedAtOnceAndTakenBackAtOnce|oneTransactionMayHoldAHundredThousandRecords)'
)

test_under_thread_sanitizer() {
  if ! has_thread_sanitizer; then
    echo "SKIPPED: the thread sanitizer does not work on this machine; races are not looked for"
    return
  fi
  export TSAN_OPTIONS="suppressions=$PWD/Scripts/tsan-suppressions.txt halt_on_error=1"
  local options=(--sanitize=thread --scratch-path "$build_path-tsan")
  local traits=() skipped=() name
  for name in "${without_threads[@]}"; do skipped+=(--skip "$name"); done
  export IMMUTA_TEST_TARGETS="$with_threads"
  run_tests sanitizer "${skipped[@]}" "${options[@]}"
  unset TSAN_OPTIONS IMMUTA_TEST_TARGETS
}

# What times would only say on a quiet machine.
count_work() {
  IMMUTA_COUNTED_WORK=1 swift build --quiet -c release --product CountedWork --scratch-path "$build_path" \
    -Xswiftc -warnings-as-errors
  Scripts/counts.sh "$build_path/release/CountedWork"
}

# As most people build it, who turn no trait on.
run_tool() {
  swift build --quiet -c release --product immuta --scratch-path "$build_path" -Xswiftc -warnings-as-errors
  "$build_path/release/immuta" demo --records 2000
  # All other tests run without the optimizer. This takes every processor, in many pieces.
  local limited=()
  if command -v timeout >/dev/null; then limited=(timeout 120); fi
  head -c 200000000 /dev/zero | tr '\0' 'a' | fold -w 1000 \
    | "$build_path/release/immuta" append pieces --dir "$work/pieces"
  ${limited[@]+"${limited[@]}"} "$build_path/release/immuta" verify pieces --dir "$work/pieces" \
    | grep "ok, 200,000 records"
  rm -rf "$work/pieces"
}

# With its manual pages and completions, and away again.
install_tool() {
  Scripts/install-test.sh "$build_path/release/immuta"
}

# Each canary must still find its place in the engine; a few of them are let loose each time, all of them by `make canaries`.
# They are built where the tests were, as the examples are: so these steps come last.
check_canaries() {
  IMMUTA_CANARY_BUILD_PATH="$(cd "$build_path" && pwd)" IMMUTA_CANARY_TESTS=TortureTests \
    Scripts/canaries.sh --quick checksum stable made
}

check_canary_patterns() {
  Scripts/canaries.sh --check
}

# Runs until it is asked to end. To be called in a shell of its own.
run_service() {
  local server
  : >service.log
  "$1" >service.log 2>&1 &
  server=$!
  # shellcheck disable=SC2064
  trap "kill $server 2>/dev/null || true; tail -n 20 service.log" EXIT
  for _ in {1..600}; do
    if grep -q immuta_delivery_seconds service.log; then break; fi
    kill -0 "$server"
    sleep 0.1
  done
  kill -TERM "$server"
  wait "$server"
  trap - EXIT
  grep "every order is on stable storage" service.log
}

run_examples() {
  local binaries reader
  # Where the tests were built, which has built all that the examples depend on. SwiftPM keeps the plan of the last build there,
  # and would take it although it is another package's.
  swift build --quiet --disable-build-manifest-caching --package-path Examples --scratch-path "$build_path" \
    -Xswiftc -warnings-as-errors
  binaries="$(swift build --package-path Examples --scratch-path "$build_path" --show-bin-path)"
  mkdir "$work/run"
  (
    cd "$work/run"
    # Twice, as people do: the second run finds what the first one left.
    for run in first second; do
      for example in quickstart one-at-a-time transactions event-store compressing encrypting third-party-transform commit-log \
        event-sourcing exactly-once accounts web-logs work-queue message-queue; do
        echo "$example, $run run"
        if [ "$example" = exactly-once ]; then "$binaries/$example" die; fi
        "$binaries/$example"
      done
    done
    timeout 120 "$binaries/follow-other-process" read &
    reader=$!
    "$binaries/follow-other-process" write
    wait "$reader"
    run_service "$binaries/service"
  )
  Scripts/tutorials-test.sh "$binaries"
  # A package of its own, as it fetches a web server.
  swift build --quiet --disable-build-manifest-caching --package-path Examples/AccessLog --scratch-path "$build_path" \
    -Xswiftc -warnings-as-errors
  binaries="$(swift build --package-path Examples/AccessLog --scratch-path "$build_path" --show-bin-path)"
  Scripts/access-log-test.sh "$binaries/access-log"
}

# A package of its own, which is built where the examples were: most of what it depends on is there.
test_page() {
  local log="$work/page.log" status=0
  IMMUTA_UI_BUILD_PATH="$(cd "$build_path" && pwd)" Scripts/ui-tests.sh 2>&1 | tee "$log" || status=$?
  # 77: all but the tests in a browser.
  [ "$status" -eq 0 ] || [ "$status" -eq 77 ] || fail "the page's tests failed"
  passed=$((passed + $(sed -nE 's/^([0-9]+) passed, 0 failed$/\1/p' "$log")))
}

step "Tools" check_tools
step "Format and style" lint
step "Canaries match the engine" check_canary_patterns
step "Build, warnings are errors" build
step "The public API is as it is written down" check_api
step "What a package fetches that uses Immuta alone" check_dependencies
step "What the compiler must refuse" check_refused
step "Checksums on arm64" test_on_arm64
step "Tests" test_suite
step "Tests on a cluster" test_on_cluster
step "Tests under the thread sanitizer" test_under_thread_sanitizer
step "Release build of the tool, and its demo" run_tool
step "Installation into a directory" install_tool
step "System calls, allocations and instructions per record" count_work
step "Examples" run_examples
step "The page" test_page
step "Some canaries" check_canaries

say "all done in $SECONDS s"
printf '%d passed, 0 failed\n' "$passed"
