#!/usr/bin/env bash
# Compares the libraries' public API with the one that is written down in Scripts/api.txt, so that it changes only on purpose.
#
# Usage: Scripts/api.sh [--accept]
#
# Looks at the modules that were built last, with all package traits: build first. With --accept it writes what it
# finds to Scripts/api.txt; say in CHANGELOG.md what changed for callers.
#
# IMMUTA_BUILD_PATH  where it was built (default: .build)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=Scripts/modules.sh
source Scripts/modules.sh

written="Scripts/api.txt"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

for module in Immuta ImmutaCodable ImmutaFoundation ImmutaJetStream ImmutaLogStore ImmutaService ImmutaTransforms Solid; do
  if [ ! -e "$products/Modules/$module.swiftmodule" ]; then
    echo "api.sh: $module was not built: build with \`swift build --traits Zstd,LZ4,JetStream,Service\` first" >&2
    exit 1
  fi
  swift-symbolgraph-extract -module-name "$module" "${module_options[@]}" -minimum-access-level public \
    -skip-synthesized-members -output-dir "$work" 2>"$work/errors" || {
    cat "$work/errors" >&2
    exit 1
  }
done
perl Scripts/api.pl "$work"/*.symbols.json >"$work/api.txt"

if [ "${1:-}" = --accept ]; then
  cp "$work/api.txt" "$written"
  echo "$written has $(wc -l <"$written") lines"
elif ! diff -U 0 "$written" "$work/api.txt" >"$work/diff"; then
  grep -vE '^(---|\+\+\+|@@)' "$work/diff" >&2
  cat >&2 <<'EOF'
api.sh: the public API is not the one in Scripts/api.txt (-: written down, +: found). If it is meant to change, `make api` writes
it down, and CHANGELOG.md says what changed for callers.
EOF
  exit 1
fi
