#!/usr/bin/env bash
# Installs the packages that the build needs, or with `test` those of the tests too, where they are missing. Debian and Ubuntu.
set -euo pipefail

needed=(zlib1g-dev libssl-dev libcrypt-dev libcurl4-openssl-dev)
# A WebSocket in Node: its own, or its own behind a flag, or the package that Debian has for older ones.
node_has_websocket() {
  node -e 'process.exit(typeof WebSocket === "function" ? 0 : 1)' 2>/dev/null ||
    node --experimental-websocket -e 'process.exit(typeof WebSocket === "function" ? 0 : 1)' 2>/dev/null
}
# A browser for the tests of the JavaScript client: Chromium by any of its names, or what the tests are told to use.
has_browser() {
  [ -n "${MARTLET_TEST_BROWSER:-}" ] ||
    command -v chromium || command -v chromium-browser || command -v google-chrome || command -v google-chrome-stable
}
if [ "${1:-}" = test ]; then
  needed+=(python3 python3-venv curl binutils util-linux)
  node_has_websocket || needed+=(nodejs node-ws)
  has_browser >/dev/null || needed+=(chromium)
  # The example of a proxy is run with it.
  command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || needed+=(nginx-light)
fi

missing=()
for package in "${needed[@]}"; do
  [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing+=("$package")
done

if ! command -v swift >/dev/null; then
  echo "deps: no Swift toolchain found; install Swift 6.2 or later from https://swift.org/install" >&2
  exit 1
fi
if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "deps: please install: ${missing[*]} (no apt-get here)" >&2
    exit 1
  fi
  sudo=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "deps: please install as root: apt-get install ${missing[*]}" >&2; exit 1; }
    sudo=sudo
  fi
  echo "deps: installing ${missing[*]}"
  $sudo apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
if [ "${1:-}" = test ]; then
  "$(dirname "$0")/test-python.sh" >/dev/null
  "$(dirname "$0")/test-socketio.sh" >/dev/null
fi
