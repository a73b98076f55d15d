#!/bin/bash
# The documentation of all libraries as one site, in .build/documentation: Scripts/docs.sh
# Shows it on this machine only: Scripts/docs.sh serve [PORT]
#
# A warning in any library, such as a link that leads nowhere, is an error. Links from one library to another lead to its pages.
set -euo pipefail
cd "$(dirname "$0")/.."

site=.build/documentation
libraries=(Immuta ImmutaCodable ImmutaFoundation ImmutaJetStream ImmutaLogStore ImmutaService ImmutaTransforms Solid)

build() {
  local targets=() archives=() library
  local parts=.build/plugins/Swift-DocC/outputs/intermediates
  # What an earlier build has left must not stand in for what this one could not make.
  rm -rf "$parts" "$site"
  for library in "${libraries[@]}"; do
    targets+=(--target "$library")
    archives+=("$parts/$library.doccarchive")
  done
  swift package --traits JetStream,Service generate-documentation --enable-experimental-combined-documentation \
    "${targets[@]}" --warnings-as-errors
  # The plugin's own combination calls the landing page by the package's name, and does not say if it fails.
  "$(command -v docc || xcrun --find docc)" merge "${archives[@]}" --output-path "$site" \
    --synthesized-landing-page-name "Immuta for Swift" --synthesized-landing-page-kind "An append-only log" \
    --synthesized-landing-page-topics-style list
  echo "the documentation is in $site; \`make docs-serve\` shows it"
}

case "${1-}" in
"") build ;;
serve)
  [ -d "$site" ] || build
  echo "http://127.0.0.1:${2-8000}/documentation/ (Ctrl-C ends it)"
  exec python3 -m http.server "${2-8000}" --bind 127.0.0.1 --directory "$site"
  ;;
*)
  echo "usage: Scripts/docs.sh [serve [PORT]]" >&2
  exit 64
  ;;
esac
