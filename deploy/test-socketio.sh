#!/usr/bin/env bash
# Fetches the official Socket.IO client for JavaScript where it is missing, and prints its path. Safe to run twice at once.
set -euo pipefail
# The Python package that ships the client's bundle, the bundle in it, and the bundle's hash: the tests are about this client, 4.8.1.
package=nicegui==3.18.0
bundle=nicegui/static/socket.io.min.js
hash=b0e735814f8dcfecd6cdb8a7ce95a297a7e1e5f2727a29e6f5901801d52fa0c5

root=$(cd "$(dirname "$0")/.." && pwd)
home=$root/.build/test-socketio
# CommonJS, whatever a package.json further up says.
client=$home/socket.io.min.cjs
python=$("$root/deploy/test-python.sh")
exec 9>"$root/.build/test-socketio.lock"
flock 9
is_whole() { echo "$hash  $client" | sha256sum --check --status 2>/dev/null; }
if ! is_whole; then
  rm -rf "$home"
  mkdir -p "$home"
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --ignore-requires-python \
    --dest "$home" "$package"
  "$python" -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' \
    "$home"/*.whl "$bundle" > "$client"
  rm "$home"/*.whl
  is_whole || { echo "test-socketio: $bundle of $package is not the client that was expected" >&2; exit 1; }
fi
echo "$client"
