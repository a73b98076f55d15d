#!/usr/bin/env bash
# Checks which packages are fetched for a package that uses the product Immuta and turns no trait on: what only ImmutaService
# needs must not be among them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A script that tests only some targets leaves the tool out, and what only the tool needs.
unset IMMUTA_TEST_TARGETS
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# fetched TRAITS: the packages, in one line, sorted.
fetched() {
  mkdir -p "$work/Sources/User"
  printf 'import Immuta\n' >"$work/Sources/User/main.swift"
  cat >"$work/Package.swift" <<EOF
// swift-tools-version: 6.2
import PackageDescription
let package = Package(
  name: "user",
  dependencies: [.package(name: "immuta", path: "$PWD", traits: [$1])],
  targets: [.executableTarget(name: "User", dependencies: [.product(name: "Immuta", package: "immuta")])])
EOF
  rm -f "$work/Package.resolved"
  swift package --package-path "$work" resolve >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
  }
  sed -nE 's/.*"identity" : "(.*)",/\1/p' "$work/Package.resolved" | sort | tr '\n' ' '
}

# expect WHAT EXPECTED FOUND
expect() {
  if [ "$2" != "$3" ]; then
    printf 'dependencies.sh: %s, these are fetched: %s\nand not these: %s\n' "$1" "$3" "$2" >&2
    exit 1
  fi
}

alone="swift-argument-parser swift-asn1 swift-crypto swift-log "
expect "without a trait" "$alone" "$(fetched "")"
# Otherwise this would say nothing about the trait.
expect "with the trait Service" \
  "swift-argument-parser swift-asn1 swift-async-algorithms swift-collections swift-crypto swift-distributed-tracing swift-log \
swift-metrics swift-service-lifecycle " "$(fetched '"Service"')"
