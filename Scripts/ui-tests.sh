#!/usr/bin/env bash
# Builds the page (UI/) and runs its tests: those of the server, and those in a headless Chromium, which is installed from the
# distribution if it is missing and that is possible.
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

has_chromium() {
  command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null
}

has_chromium || install_package chromium || true
swift build --quiet --build-tests "${options[@]}" -Xswiftc -warnings-as-errors
binaries="$(swift build "${options[@]}" --show-bin-path)"
browser=(python3 -B UI/Tests/Browser/test.py "$binaries/immuta-ui" "$binaries/test-logs")

if [ "${1:-}" = screenshots ]; then
  "${browser[@]}" --screenshots Sources/Immuta/Immuta.docc/Resources
  exit
fi
swift test "${options[@]}" --skip-build --no-parallel --disable-xctest -Xswiftc -warnings-as-errors
"${browser[@]}"
