#!/usr/bin/env bash
# Measures what permessage-deflate costs: broadcasts to subscribers that offer it against subscribers that do not, and
# the memory of idle connections of both kinds. Prints two Markdown tables.
#
#   ROUNDS=5 SECONDS_PER_ROUND=2 SUBSCRIBERS=1000 CONNECTIONS=10000 Benchmarks/compressed.sh     the defaults
#   BENCH_TINY=1 Benchmarks/compressed.sh              only to see that it works
#   GATEWAY=PATH BENCH=PATH                            other programs
#
# The message is an order of 1 KB: what applications send, neither noise nor one letter. Both kinds of subscribers are
# measured in each round, the one that was second first in the next.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ ${BENCH_TINY:-} == 1 ]]; then
  rounds=${ROUNDS:-2} seconds=${SECONDS_PER_ROUND:-0.2} warmup=0.1
  subscribers=${SUBSCRIBERS:-50} connections=${CONNECTIONS:-100}
else
  rounds=${ROUNDS:-5} seconds=${SECONDS_PER_ROUND:-2} warmup=0.5
  subscribers=${SUBSCRIBERS:-1000} connections=${CONNECTIONS:-10000}
fi
gateway=${GATEWAY:-.build/release/martlet}
bench=${BENCH:-.build/release/martlet-bench}
# shellcheck source=Benchmarks/common.sh
source Benchmarks/common.sh

# {payload} is the part by which the load generator knows each message again.
order() {
  local line lines=()
  for line in 0417,2,1290,"Seed cake" 0932,1,18450,"Copper kettle" 1188,12,45,"Paper bag" 2040,3,799,"Loose tea" \
    3371,1,5900,"Tea cosy" 4106,6,320,"Rye biscuit" 5523,2,2499,"Clay mug" 6650,1,8900,"Oak tray"; do
    IFS=, read -r article count price name <<<"$line"
    lines+=("{\"article\":\"A-$article\",\"count\":$count,\"price\":{\"cents\":$price,\"currency\":\"EUR\"},\"name\":\"$name\"}")
  done
  local joined
  joined=$(IFS=,; echo "${lines[*]}")
  echo "{\"number\":90417,\"state\":\"packed\",\"customer\":{\"id\":77120,\"city\":\"Leeds\",\"language\":\"en\"}," \
    "\"lines\":[$joined],\"note\":\"{payload}\"}"
}

declare -A headers=([plain]="X-Bench: plain" [compressed]="Sec-WebSocket-Extensions: permessage-deflate")
publish="{\"action\":\"publish\",\"channel\":\"{channel}\",\"payload\":$(order)}"

make_secrets
token=$("$gateway" token --dev --dialect channels --user bench)
start "$work/gateway.log" "$gateway" serve --dev --port 0 --admin-port 0 --reactors 1
pid=$started_pid
port=$(wait_for_port "$work/gateway.log" "$pid")
for ((round = 0; round < rounds; round++)); do
  if ((round % 2)); then kinds=(compressed plain); else kinds=(plain compressed); fi
  for burst in 1 16; do
    for kind in "${kinds[@]}"; do
      record "$work/fanout.$kind.$burst" fanout "ws://127.0.0.1:$port/channels" --token "$token" \
        --header "${headers[$kind]}" --publish "$publish" --subscribers "$subscribers" --burst "$burst" --payload 64 \
        --closed --seconds "$seconds" --warmup "$warmup" --pid "$pid"
    done
  done
done
stop "$pid"

echo "Broadcasts: server CPU in µs per delivery, $subscribers subscribers, one event loop; median (least–most) of $rounds"
echo "rounds of $seconds s in turns. The ratio is taken round by round."
echo
echo "| | plain | bytes | compressed | bytes | compressed to plain |"
echo "|---|---|---|---|---|---|"
for burst in 1 16; do
  # shellcheck disable=SC2046
  echo "| burst of $burst | $(cell %.3f $(summary "$work/fanout.plain.$burst" serverMicroseconds)) |" \
    "$(field "$work/fanout.plain.$burst" deliveredBytes | tail -1) |" \
    "$(cell %.3f $(summary "$work/fanout.compressed.$burst" serverMicroseconds)) |" \
    "$(field "$work/fanout.compressed.$burst" deliveredBytes | tail -1) |" \
    "$(cell %.2f $(ratios "$work/fanout.compressed.$burst" "$work/fanout.plain.$burst" serverMicroseconds)) |"
done

echo
echo "Memory: bytes of a fresh server per idle connection, $connections connections, one user, one channel."
echo
echo "| | anonymous bytes | resident bytes |"
echo "|---|---|---|"
for kind in plain compressed; do
  start "$work/idle.$kind.log" "$gateway" serve --dev --port 0 --admin-port 0 --reactors 1
  pid=$started_pid
  port=$(wait_for_port "$work/idle.$kind.log" "$pid")
  record "$work/idle.$kind" idle "ws://127.0.0.1:$port/channels" --dialect channels --token "$token" \
    --header "${headers[$kind]}" --connections "$connections" --pid "$pid"
  stop "$pid"
  echo "| $kind | $(field "$work/idle.$kind" openedAnonymousBytes) | $(field "$work/idle.$kind" openedRssBytes) |"
done
if ((failures > 0)); then
  echo "$failures measurements had losses" >&2
  exit 1
fi
