#!/usr/bin/env bash
# Makes the virtual environment of the Python test clients where it is missing, and prints its interpreter. Safe to run twice at once.
set -euo pipefail
packages=(websockets==15.0.1 python-socketio==5.11.4 python-engineio==4.9.1 requests==2.32.3 websocket-client==1.8.0 aiohttp==3.10.10)

root=$(cd "$(dirname "$0")/.." && pwd)
home=$root/.build/test-python
mkdir -p "$root/.build"
exec 9>"$root/.build/test-python.lock"
flock 9
# The stamp is written last: a half-made environment is made again.
if [ "$(cat "$home/stamp" 2>/dev/null)" != "${packages[*]}" ]; then
  python3 -m venv --clear "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
  echo "${packages[*]}" > "$home/stamp"
fi
echo "$home/bin/python"
