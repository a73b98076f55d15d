# Options with which the compiler and its tools find the modules that were built last. To be sourced, in the package's folder.
#
# Sets `products`, where they are, and `module_options`. IMMUTA_BUILD_PATH says where it was built (default: .build).

build_path="${IMMUTA_BUILD_PATH:-.build}"
products="$build_path/debug"
target="$(swift -print-target-info | sed -nE 's/^ *"triple": "(.*)",?$/\1/p' | head -n 1)"
module_options=(-target "$target" -I "$products/Modules")
if [ "$(uname)" = Darwin ]; then module_options+=(-sdk "$(xcrun --show-sdk-path)"); fi
# The C modules that ours were built on.
for map in "$products"/*.build/module.modulemap Sources/*/module.modulemap \
  "$build_path"/checkouts/*/Sources/*/include/module.modulemap; do
  if [ -e "$map" ]; then module_options+=(-Xcc "-fmodule-map-file=$(cd "$(dirname "$map")" && pwd)/module.modulemap"); fi
done
