#!/usr/bin/env bash
# Programs that the compiler must refuse, with an error and not with a crash: those in Tests/Refused. The first line of each
# says what the error must say. Looks at the modules that were built last: build first.
#
# IMMUTA_BUILD_PATH  where it was built (default: .build)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=Scripts/modules.sh
source Scripts/modules.sh

failed=0
for program in Tests/Refused/*.swift; do
  expected="$(sed -n '1s,^// refused: ,,p' "$program")"
  if output="$(swiftc -emit-sil -o /dev/null -parse-as-library -swift-version 6 "${module_options[@]}" "$program" 2>&1)"; then
    echo "refused.sh: $program compiles" >&2
    failed=1
  elif [ -z "$expected" ] || ! grep -qF "error: $expected" <<<"$output" || grep -q 'Stack dump' <<<"$output"; then
    printf 'refused.sh: %s is not refused with “%s”:\n%s\n' "$program" "$expected" "$(head -n 20 <<<"$output")" >&2
    failed=1
  fi
done
exit "$failed"
