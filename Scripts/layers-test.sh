#!/usr/bin/env bash
# Sees that layers.pl finds what it is to find: breaks each rule once, in a copy of the engine's source.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
engine=Sources/Immuta
passed=0

fail() {
  printf 'layers-test.sh: %s\n' "$*" >&2
  exit 1
}

copy() {
  rm -rf "${work:?}/package"
  mkdir -p "$work/package/Sources" "$work/package/Scripts"
  cp CONTRIBUTING.md "$work/package/"
  cp Scripts/layers.pl Scripts/layers-exceptions.txt "$work/package/Scripts/"
  cp -R "$engine" "$work/package/$engine"
}

check() { "$work/package/Scripts/layers.pl" >"$work/output" 2>&1; }

# refuse TEXT: the copy, as it is now, is refused with this text.
refuse() {
  if check; then fail "nothing is said where it should be: $1"; fi
  grep -qF -- "$1" "$work/output" || fail "it does not say “$1”, but: $(cat "$work/output")"
  passed=$((passed + 1))
}

# break_in FILE CODE TEXT: a file with this code is refused.
break_in() {
  copy
  mkdir -p "$(dirname "$work/package/$engine/$1")"
  printf '%s\n' "$2" >"$work/package/$engine/$1"
  refuse "$3"
}

copy
check || fail "the engine as it is: $(cat "$work/output")"

break_in Format/Wrong.swift 'func wrong(_ writer: LogWriter) {}' 'Format must not know Namespace, and names LogWriter'
break_in Files/Wrong.swift 'func wrong() throws { try io(0) }' 'Files must not know Segment, and names io'
# Other types have one of that name inside of them.
break_in Consuming/Wrong.swift 'struct Wrong { var it: Consumer? }' 'Consuming must not know API, and names Consumer'
break_in Basics/Wrong.swift 'let wrong = "\(Storage.self)"' 'Basics must not know API, and names Storage'
break_in Format/Inner/Wrong.swift 'struct Wrong {}' 'belongs to no room'
break_in Wrong.swift 'struct Wrong {}' 'belongs to no room'
break_in Unknown/Wrong.swift 'struct Wrong {}' 'Unknown is not in the table'
break_in Basics/Wrong.swift "$(yes 'let _ = 1' | head -n 351)" '351 lines, and 350 are allowed'

copy
for number in 1 2 3 4; do
  printf 'struct Wrong%d { var next: [Wrong%d] = [] }\n' "$number" $((number % 4 + 1)) >"$work/package/$engine/Basics/Wrong$number.swift"
done
refuse 'a knot of 4 files'

copy
echo 'Format/Header.swift LogWriter' >>"$work/package/Scripts/layers-exceptions.txt"
refuse 'is needed no more'

copy
sed -i.old 's/^\(| `Basics\/` |.*|\) [^|]* |$/\1 Files |/' "$work/package/CONTRIBUTING.md"
refuse 'Basics may know Files, which is above it'

printf 'layers-test.sh: %d broken rules were found\n' "$passed"
