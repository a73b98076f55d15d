#!/usr/bin/env bash
# Runs the checksums' C code for arm64 under an emulator, on two kinds of processors.
#
# The last line is "N passed, 0 failed", of as many processors. Ends with 77 where the machine has no emulator and none can be
# installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=Scripts/packages.sh
source Scripts/packages.sh

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

install_arm64_emulator || {
  echo "SKIPPED: without qemu-user and the C library of arm64, the checksums of arm64 processors are not tested"
  exit 77
}

clang --target=aarch64-linux-gnu -O2 -std=gnu11 -Wall -Wextra -Werror -static \
  -I Sources/CImmutaCRC32C/include Sources/CImmutaCRC32C/*.c Tests/OtherProcessors/checksums.c -o "$work/checksums"

# try PROCESSOR IMPLEMENTATION…
passed=0
try() {
  local processor="$1"
  shift
  echo "$processor:"
  timeout 120 qemu-aarch64 -cpu "$processor" "$work/checksums" "$@"
  passed=$((passed + 1))
}

# All that the emulator offers have both instructions, so that each implementation is tried on each of them.
try max armv8-pmull armv8 table
try cortex-a57 armv8-pmull armv8 table
echo "$passed passed, 0 failed"
