#!/usr/bin/env bash
# Runs the benchmarks, and writes Benchmarks/RESULTS.md and Benchmarks/Charts; or those of the codecs, and writes
# Benchmarks/CODECS.md with the tables and the chart of the documentation; or the bank on Immuta and on SQLite, and writes the
# table of the article on event sourcing.
#
# usage: Scripts/bench.sh [ARGUMENT…]             of Benchmarks' program `report`: --quick, --only TEXT, --growth RECORDS, …
#        Scripts/bench.sh codecs [ARGUMENT…]      of its program `codecs`: --quick, --directory DIRECTORY
#        Scripts/bench.sh bank [ARGUMENT…]        of its program `bank`: --quick, --directory DIRECTORY
#        Scripts/bench.sh retention [MEGABYTES]   the chart of a log that keeps a part of what is appended (2000 MB)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../Benchmarks"
# shellcheck source=Scripts/packages.sh
source ../Scripts/packages.sh

program=report
case "${1:-}" in
  codecs | bank | retention)
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
esac

echo "building (minutes, the first time)" >&2
swift build --quiet -c release --product "$program" >&2
if [[ $program == retention ]]; then
  (cd .. && IMMUTA_COUNTED_WORK=1 swift build --quiet -c release --product CountedWork >&2)
  directory="$(mktemp -d .build/retention-XXXXXX)"
  trap 'rm -rf "$directory"' EXIT
  ../.build/release/CountedWork retention "$directory" "${1:-2000}" | ".build/release/$program" Charts
  exit
fi
exec ".build/release/$program" "$@"
