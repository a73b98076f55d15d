#!/usr/bin/env bash
# Runs the benchmarks, and writes Benchmarks/RESULTS.md and Benchmarks/Charts.
#
# usage: Scripts/bench.sh [ARGUMENT…]      of Benchmarks' program `report`: --quick, --only TEXT, --growth RECORDS, …
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../Benchmarks"

# The alternative that is measured beside Immuta needs SQLite.
if ! printf '#include <sqlite3.h>\n' | clang -fsyntax-only -x c - 2>/dev/null; then
  if ! command -v apt-get >/dev/null; then
    echo "bench.sh: SQLite's header is needed: install it with this system's package manager" >&2
    exit 1
  fi
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
  echo "installing libsqlite3-dev" >&2
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends libsqlite3-dev >&2
fi

echo "building (minutes, the first time)" >&2
swift build --quiet -c release --product report >&2
exec .build/release/report "$@"
