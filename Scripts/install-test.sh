#!/usr/bin/env bash
# Installs a built tool into a directory of its own, tries what was installed, and removes it. Ends with "installation: ok".
#
# usage: Scripts/install-test.sh TOOL
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tool="${1:?usage: Scripts/install-test.sh TOOL}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
prefix="$work/a prefix"

fail() {
  printf 'install-test.sh: %s\n' "$*" >&2
  exit 1
}

# expect_word WORD TEXT WHAT: fails where none of the lines of TEXT is WORD.
expect_word() {
  grep -qxF -- "$1" <<<"$2" || fail "$3: “$1” is not among: $2"
}

mkdir -p "$prefix/share/man/man1"
echo "another's page" >"$prefix/share/man/man1/immuta-of-others.1"
Scripts/install.sh install "$tool" "$prefix" >/dev/null
# Once more, as over an older version.
Scripts/install.sh install "$tool" "$prefix" >/dev/null
immuta="$prefix/bin/immuta"

# It works where it is.
mkdir "$work/place"
cd "$work/place"
echo one | "$immuta" append orders
echo one | "$immuta" append invoices --dir "other logs"
[ "$("$immuta" cat orders)" = one ] || fail "the installed tool does not work"

# A page for each command, which the formatter takes without a warning.
for command in "" -append -cat -logstore-cat -consumers-seek -codec-train; do
  page="$prefix/share/man/man1/immuta$command.1"
  [ -s "$page" ] || fail "there is no $page"
done
grep -q "immuta $("$immuta" --version)" "$prefix/share/man/man1/immuta.1" || fail "the page does not say the version"
if command -v groff >/dev/null; then
  for page in "$prefix"/share/man/man1/immuta*.1; do
    case "$page" in *of-others*) continue ;; esac
    warnings="$(groff -man -Tutf8 -Kutf8 -ww -z "$page" 2>&1)" || fail "$page: $warnings"
    [ -z "$warnings" ] || fail "$page: $warnings"
  done
else
  echo "SKIPPED: without groff, the manual pages are not formatted"
fi

# What the shells ask the tool for.
completed() { SAP_SHELL=bash "$immuta" ---completion "$1" -- "positional@0" "$2" 0 "${@:3}"; }
expect_word orders "$(completed cat 2 immuta cat "")" "namespaces"
expect_word invoices "$(completed cat 4 immuta cat --dir "'other logs'" "")" "namespaces of another directory"

# bash, as if Tab was pressed: words up to the last one.
completed_in_bash() {
  PATH="$prefix/bin:$PATH" bash --norc -c '
    source "$1"
    shift
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMP_LINE="$*"
    COMP_POINT=${#COMP_LINE}
    COMP_TYPE=9
    COMP_KEY=9
    _immuta "$1" "${!#}" "${@: -2:1}"
    printf "%s\n" "${COMPREPLY[@]}"
  ' bash "$prefix/share/bash-completion/completions/immuta" "$@"
}
touch app.log
expect_word orders "$(completed_in_bash immuta cat ord)" "bash completes a namespace"
expect_word append "$(completed_in_bash immuta app)" "bash completes a command"
expect_word app.log "$(completed_in_bash immuta append orders ap)" "bash completes a file"

for shell in zsh fish; do
  case "$shell" in
    zsh) script="$prefix/share/zsh/site-functions/_immuta" check=(zsh -n) ;;
    fish) script="$prefix/share/fish/vendor_completions.d/immuta.fish" check=(fish --no-execute) ;;
  esac
  grep -q -- "---completion" "$script" || fail "$script does not ask the tool for namespaces"
  if command -v "$shell" >/dev/null; then "${check[@]}" "$script"; else echo "SKIPPED: there is no $shell here"; fi
done

cd - >/dev/null
Scripts/install.sh uninstall "$prefix" >/dev/null
left="$(cd "$prefix" && find . -type f)"
[ "$left" = ./share/man/man1/immuta-of-others.1 ] || fail "not only what is another's is left: $left"
[ ! -e "$prefix/bin" ] || fail "an empty directory is left"
if Scripts/install.sh uninstall "$prefix" 2>/dev/null; then fail "what is not there was removed"; fi
echo "installation: ok"
