#!/usr/bin/env bash
# Runs the benchmarks, and writes Benchmarks/RESULTS.md and Benchmarks/Charts; or those of the codecs, and writes
# Benchmarks/CODECS.md with the tables and the chart of the documentation; or the bank on Immuta and on SQLite, and writes the
# table of the article on event sourcing.
#
# usage: Scripts/bench.sh [ARGUMENT…]             of Benchmarks' program `report`: --quick, --only TEXT, --growth RECORDS, …
#        Scripts/bench.sh codecs [ARGUMENT…]      of its program `codecs`: --quick, --directory DIRECTORY
#        Scripts/bench.sh bank [ARGUMENT…]        of its program `bank`: --quick, --directory DIRECTORY
#        Scripts/bench.sh retention [MEGABYTES]   the chart of a log that keeps a part of what is appended (2000 MB)
#        Scripts/bench.sh cluster [RECORDS]       a log on three nodes on this machine (40000 records): writes CLUSTER.md
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../Benchmarks"
# shellcheck source=Scripts/packages.sh
source ../Scripts/packages.sh

program=report
case "${1:-}" in
  codecs | bank | retention | cluster)
    program="$1"
    shift
    ;;
esac

case "$program" in
  # The alternative that is measured beside Immuta.
  report | bank) has_header sqlite3.h || install_package libsqlite3-dev ;;
  # The codecs behind the package traits, and the program that one of them is compared with.
  codecs)
    install_libraries_of_traits
    command -v zstd >/dev/null || install_package zstd
    ;;
  cluster)
    cd ..
    install_cluster_client
    install_cluster_server
    ;;
esac

# A program of the main package: it needs the C client's module, which no product has.
measure_cluster() {
  local records="$1" work urls table
  IMMUTA_CLUSTER_RATES=1 swift build --quiet -c release --traits JetStream --product ClusterRates >&2
  work="$(mktemp -d "$PWD/.build/cluster-XXXXXX")"
  # shellcheck disable=SC2064
  trap "Scripts/cluster stop '$work/cluster' || true; rm -rf '$work'" EXIT
  urls="$(Scripts/cluster start "$work/cluster" --direct | tail -n 1)"
  table="$(.build/release/ClusterRates "$urls" "$work/log" "$records")"
  cat >Benchmarks/CLUSTER.md <<EOF
# A log on a cluster

Records a second: the same records to a log in this process, to one on a cluster, and by the C client alone to a stream like it;
in turn, in one run, the medians of five rounds. The C client sends no ids and no expected numbers, and asks nothing again: what
it loses or stores twice, it does not notice. All three nodes and the client share this machine and its processors.

- processors: $(nproc) × $(sed -nE 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
- kernel: $(uname -sr)
- server: NATS $("$(Scripts/cluster server)" --version | sed 's/.*: v//'), which flushes every two minutes
- date: $(date -u +%F)
- command: \`Scripts/bench.sh cluster $records\`

$table
EOF
  cat Benchmarks/CLUSTER.md
}

echo "building (minutes, the first time)" >&2
if [[ $program == cluster ]]; then
  measure_cluster "${1:-40000}"
  exit
fi
swift build --quiet -c release --product "$program" >&2
if [[ $program == retention ]]; then
  (cd .. && IMMUTA_COUNTED_WORK=1 swift build --quiet -c release --product CountedWork >&2)
  directory="$(mktemp -d .build/retention-XXXXXX)"
  trap 'rm -rf "$directory"' EXIT
  ../.build/release/CountedWork retention "$directory" "${1:-2000}" | ".build/release/$program" Charts
  exit
fi
exec ".build/release/$program" "$@"
