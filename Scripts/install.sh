#!/usr/bin/env bash
# Installs the tool with its manual pages and the completions of shells, and removes all of it again.
#
# usage: Scripts/install.sh install TOOL PREFIX
#        Scripts/install.sh uninstall PREFIX
#
# DESTDIR  what is put in front of PREFIX, for those who make packages
#
# What was installed is listed in PREFIX/share/immuta/installed-files: that, and nothing else, is removed.
set -euo pipefail
scripts="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}

# put FILE PATH MODE: installs a file, and lists it. Beside it at first, so that a tool that runs is not written over.
put() {
  local target="$root/$2"
  mkdir -p "$(dirname "$target")"
  cp "$1" "$target.new"
  chmod "$3" "$target.new"
  mv -f "$target.new" "$target"
  printf '%s\n' "$2" >>"$made/installed-files"
}

install_all() {
  local tool="$1" version page shell
  [ -x "$tool" ] || fail "there is no program $tool: build it first"
  # What an older version installed and this one does not.
  if [ -e "$root/$list" ]; then uninstall_all; fi
  version="$("$tool" --version)"
  mkdir "$made/man"
  "$tool" --experimental-dump-help | "$scripts/manuals.pl" "$version" "$made/man"
  for shell in bash zsh fish; do "$tool" --generate-completion-script "$shell" >"$made/$shell"; done
  put "$tool" bin/immuta 755
  put "$made/bash" share/bash-completion/completions/immuta 644
  put "$made/zsh" share/zsh/site-functions/_immuta 644
  put "$made/fish" share/fish/vendor_completions.d/immuta.fish 644
  for page in "$made"/man/*.1; do put "$page" "share/man/man1/$(basename "$page")" 644; done
  printf '%s\n' "$list" >>"$made/installed-files"
  mkdir -p "$(dirname "$root/$list")"
  cp "$made/installed-files" "$root/$list"
  chmod 644 "$root/$list"
  printf 'installed immuta %s into %s\n' "$version" "$root"
}

uninstall_all() {
  [ -e "$root/$list" ] || fail "there is no $root/$list: nothing was installed there by this script"
  local path directory
  cp "$root/$list" "$made/old-files"
  while IFS= read -r path; do
    case "/$path/" in
      //* | */../*) fail "$root/$list is damaged: it names $path" ;;
    esac
  done <"$made/old-files"
  while IFS= read -r path; do
    rm -f "$root/$path"
    # Directories go that are empty now; those of others are not.
    directory="$(dirname "$path")"
    while [ "$directory" != . ] && rmdir "$root/$directory" 2>/dev/null; do directory="$(dirname "$directory")"; done
  done <"$made/old-files"
}

list=share/immuta/installed-files
made="$(mktemp -d)"
trap 'rm -rf "$made"' EXIT
case "${1:-} $#" in
  "install 3")
    root="${DESTDIR:-}${3%/}"
    install_all "$2"
    ;;
  "uninstall 2")
    root="${DESTDIR:-}${2%/}"
    uninstall_all
    ;;
  *) fail "usage: install.sh install TOOL PREFIX, or install.sh uninstall PREFIX" ;;
esac
