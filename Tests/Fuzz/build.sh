#!/usr/bin/env bash
# Compiles the parsers, the targets and libFuzzer into one binary: Tests/Fuzz/build.sh [OUTPUT]. FUZZ_SANITIZE chooses
# the sanitizers; without `address` it runs about twice as fast.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-.build-fuzz}
sanitize=${FUZZ_SANITIZE:-fuzzer,address}
mkdir -p "$out"

flags=(-O -swift-version 6 -parse-as-library -sanitize="$sanitize" -I "$out" -module-cache-path "$out/cache"
  -enable-experimental-feature Lifetimes -enable-upcoming-feature MemberImportVisibility -suppress-warnings)
for map in Sources/*/module.modulemap; do flags+=(-I "$(dirname "$map")"); done

objects=()
compile() { # MODULE DIRECTORY
  local sources
  mapfile -t sources < <(find "$2" -name '*.swift' | sort)
  objects+=("$out/$1.o")
  local newest="$out/$1.o"
  for source in "${sources[@]}" "${objects[@]}"; do
    if [ "$source" -nt "$newest" ] || [ ! -e "$newest" ]; then
      echo "compiling $1"
      swiftc "${flags[@]}" -whole-module-optimization -module-name "$1" -emit-module \
        -emit-module-path "$out/$1.swiftmodule" -c "${sources[@]}" -o "$newest"
      return
    fi
  done
}

for module in Buffers Wire Compression Auth Topics Dialects EventLoop Backends Gateway; do
  compile "$module" "Sources/$module"
done
compile TestSeeds Tests/Seeds
compile FuzzTargets Tests/Fuzz/Targets
compile FuzzEntry Tests/Fuzz/Entry

# gold repeats one harmless warning for every entry of the address sanitizer's export list.
if ! swiftc -sanitize="$sanitize" "${objects[@]}" -lcrypto -lcrypt -lcurl -lz -o "$out/martlet-fuzz" 2>"$out/link.log"; then
  grep -v 'Cannot export local symbol' "$out/link.log" >&2
  exit 1
fi
echo "$out/martlet-fuzz"
