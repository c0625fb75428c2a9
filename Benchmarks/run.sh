#!/usr/bin/env bash
# Runs the gateway and the bare C server in turns under the same load and prints one table.
#
#   ROUNDS=5 SECONDS_PER_ROUND=3 Benchmarks/run.sh     the defaults
#   BENCH_TINY=1 Benchmarks/run.sh                     a few seconds in all, only to see that it works
#   GATEWAY=PATH BENCH=PATH SUBSCRIBERS=N              other programs, another size
#   BENCH_DRY=1                                        the baseline on both sides: the noise of the machine
#
# Server CPU per delivery is the figure to look at; throughput and latency share the machine with the load generator.
# Each round measures both servers, one after the other, so that a disturbance meets both. Nothing is pinned to a core.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ ${BENCH_TINY:-} == 1 ]]; then
  rounds=${ROUNDS:-1} seconds=${SECONDS_PER_ROUND:-0.2} warmup=0.1 clients=${SUBSCRIBERS:-50}
else
  rounds=${ROUNDS:-5} seconds=${SECONDS_PER_ROUND:-3} warmup=1 clients=${SUBSCRIBERS:-1000}
fi
gateway=${GATEWAY:-.build/release/martlet}
bench=${BENCH:-.build/release/martlet-bench}
baseline=.build/baseline/bare_fanout
# shellcheck source=Benchmarks/common.sh
source Benchmarks/common.sh

# Everything that is known about the gateway's command line. Sets gateway_pid, gateway_url, gateway_echo_url and gateway_token.
start_gateway() {
  if [[ ${BENCH_DRY:-} == 1 ]]; then
    start "$work/gateway.log" "$baseline" --port 0
  else
    make_secrets
    start "$work/gateway.log" "$gateway" serve --dev --port 0 --admin-port 0 --reactors 1
  fi
  gateway_pid=$started_pid
  local port
  port=$(wait_for_port "$work/gateway.log" "$gateway_pid")
  gateway_echo_url=ws://127.0.0.1:$port/echo
  if [[ ${BENCH_DRY:-} == 1 ]]; then
    gateway_url=ws://127.0.0.1:$port gateway_flags=(--dialect raw)
  else
    gateway_url=ws://127.0.0.1:$port/channels
    gateway_flags=(--dialect channels --token "$("$gateway" token --dev --dialect channels --user bench)")
  fi
}

start_baseline() {
  start "$work/baseline.log" "$baseline" --port 0
  baseline_pid=$started_pid
  local port
  port=$(wait_for_port "$work/baseline.log" "$baseline_pid")
  baseline_url=ws://127.0.0.1:$port
}

# measure FILE ARGUMENTS...: one round.
measure() { record "$@" --seconds "$seconds" --warmup "$warmup"; }

row() {
  local name=$1 ours=$2 bare=$3
  echo "$name|$(summary "$ours" serverMicroseconds)|$(summary "$bare" serverMicroseconds)|$(summary "$ours" perSecond)" \
    "$(summary "$bare" perSecond)|$(summary "$ours" p50Microseconds) $(summary "$ours" p99Microseconds)" \
    "$(summary "$bare" p50Microseconds) $(summary "$bare" p99Microseconds)" | awk -F'|' '{
      split($2, g, " "); split($3, b, " "); split($4, t, " "); split($5, l, " ")
      printf "%-10s %8.3f (%.3f-%.3f) %8.3f (%.3f-%.3f) %6.2f %10d %10d %9d %9d %9d %9d\n",
        $1, g[1], g[2], g[3], b[1], b[2], b[3], (b[1] > 0 ? g[1] / b[1] : 0), t[1], t[4], l[1], l[4], l[7], l[10] }'
}

make -s -C Benchmarks/Baseline
start_gateway
start_baseline

for burst in 1 16 64; do
  for ((round = 0; round < rounds; round++)); do
    measure "$work/gateway.$burst" fanout "$gateway_url" "${gateway_flags[@]}" --subscribers "$clients" --burst "$burst" \
      --payload 64 --closed --pid "$gateway_pid"
    # The baseline passes payloads on as they are: it is given one as long as what the gateway delivered.
    length=$(field "$work/gateway.$burst" deliveredBytes | tail -1)
    measure "$work/baseline.$burst" fanout "$baseline_url" --dialect raw --subscribers "$clients" --burst "$burst" \
      --payload "$length" --closed --pid "$baseline_pid"
  done
done
for ((round = 0; round < rounds; round++)); do
  measure "$work/gateway.echo" echo "$gateway_echo_url" --connections "$clients" --pid "$gateway_pid"
  measure "$work/baseline.echo" echo "$baseline_url/echo" --connections "$clients" --pid "$baseline_pid"
done

echo "server CPU in µs per delivery (echo: per message), median and (least-most) of $rounds rounds of $seconds s;" \
  "$clients subscribers, $(field "$work/gateway.1" deliveredBytes | tail -1) bytes delivered"
printf '%-10s %-24s %-24s %6s %10s %10s %9s %9s %9s %9s\n' "" "gateway" "bare C loop" "ratio" \
  "gateway/s" "bare/s" "gw p50 µs" "gw p99" "bare p50" "bare p99"
for burst in 1 16 64; do row "burst $burst" "$work/gateway.$burst" "$work/baseline.$burst"; done
row "echo" "$work/gateway.echo" "$work/baseline.echo"
if ((failures > 0)); then
  echo "$failures rounds had losses" >&2
  exit 1
fi
