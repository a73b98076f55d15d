#!/usr/bin/env bash
# Builds the page (UI/) and runs its tests: those of the server, and those in a headless Chromium, which is installed from the
# distribution if it is missing and that is possible.
#
# The last line is "N passed, 0 failed", and is there only if all went well. Ends with 77 where there is no Chromium and none can
# be installed: then only the tests of the server were run, and are counted.
#
# Usage: ui-tests.sh                    everything
#        ui-tests.sh screenshots        makes the documentation's pictures again, and runs no test
#
# IMMUTA_UI_BUILD_PATH  where to build (default: UI/.build)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=Scripts/packages.sh
source Scripts/packages.sh

build_path="${IMMUTA_UI_BUILD_PATH:-UI/.build}"
options=(--package-path UI --scratch-path "$build_path")
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

has_chromium() {
  command -v chromium >/dev/null || command -v chromium-browser >/dev/null ||
    command -v google-chrome >/dev/null || command -v google-chrome-stable >/dev/null
}

has_chromium || install_package chromium || true
# The plan of another package's build may be where this is built: SwiftPM would take it.
swift build --quiet --build-tests --disable-build-manifest-caching "${options[@]}" -Xswiftc -warnings-as-errors
binaries="$(swift build "${options[@]}" --show-bin-path)"
browser=(python3 -B UI/Tests/Browser/test.py "$binaries/immuta-ui" "$binaries/test-logs")

if [ "${1:-}" = screenshots ]; then
  "${browser[@]}" --screenshots Sources/Immuta/Immuta.docc/Resources
  exit
fi

# count LOG PATTERN: how many tests a log says have passed; the pattern's first group is their number. None is a failure.
count() {
  local number
  number="$(sed -nE "s/$2/\\1/p" "$work/$1" | tail -n 1)"
  [ "${number:-0}" -gt 0 ] || {
    echo "no test was run" >&2
    exit 1
  }
  echo "$number"
}

swift test "${options[@]}" --skip-build --no-parallel --disable-xctest -Xswiftc -warnings-as-errors 2>&1 | tee "$work/server"
passed="$(count server '.*Test run with ([0-9]+) tests?.* passed.*')"

status=0
"${browser[@]}" | tee "$work/browser" || status=$?
case "$status" in
0)
  of_browser="$(count browser '^([0-9]+) checks passed, 0 failed$')"
  passed=$((passed + of_browser))
  ;;
77) ;;
*) exit "$status" ;;
esac
echo "$passed passed, 0 failed"
exit "$status"
