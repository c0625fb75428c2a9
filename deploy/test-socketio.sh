#!/usr/bin/env bash
# Fetches official Socket.IO clients for JavaScript where they are missing. With a version: that one, and prints its path. Without:
# all. Safe to run twice at once. They are never part of this project: bundles of Python packages that ship them, kept in .build.
set -euo pipefail
bundle=nicegui/static/socket.io.min.js
# version, the package that has it, hash of the bundle
clients='4.8.1 nicegui==3.18.0 b0e735814f8dcfecd6cdb8a7ce95a297a7e1e5f2727a29e6f5901801d52fa0c5
4.7.2 nicegui==1.4.0 83df4abc7eec941f1d29ae254e80bac0bb82d398fbe2e8ee4ea2a7efc8e704f1
4.6.1 nicegui==1.2.0 d89b054ae27d0aa4ff93a13657a87de9518f21c615d771917aa2b494389e1f58'

root=$(cd "$(dirname "$0")/.." && pwd)
home=$root/.build/test-socketio
python=$("$root/deploy/test-python.sh")
mkdir -p "$home"
exec 9>"$root/.build/test-socketio.lock"
flock 9

found=
while read -r version package hash; do
  [ -z "${1:-}" ] || [ "$1" = "$version" ] || continue
  # CommonJS, whatever a package.json further up says.
  found=$home/$version.cjs
  is_whole() { echo "$hash  $found" | sha256sum --check --status 2>/dev/null; }
  is_whole && continue
  wheels=$home/wheels
  rm -rf "$wheels"
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --ignore-requires-python \
    --dest "$wheels" "$package"
  "$python" -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' \
    "$wheels"/*.whl "$bundle" > "$found"
  rm -rf "$wheels"
  is_whole || { echo "test-socketio: $bundle of $package is not Socket.IO $version" >&2; exit 1; }
done <<< "$clients"
[ -n "$found" ] || { echo "test-socketio: no version ${1:-}" >&2; exit 1; }
[ -z "${1:-}" ] || echo "$found"
