#!/usr/bin/env bash
# Compares two builds of the gateway: channels fan-out in bursts of 1, 16 and 64, and echo, in turns in one run.
#
#   Benchmarks/compare.sh OLDBINARY NEWBINARY
#   ROUNDS=9 SECONDS_PER_ROUND=1.5 SUBSCRIBERS=1000 Benchmarks/compare.sh …     the defaults
#   BENCH_TINY=1                                                               only to see that it works
#
# Each round measures both, the one that was second first in the next, and gives one ratio: what slows down the machine
# for seconds meets both sides. A ratio of the same binary with itself shows the noise.
set -euo pipefail
if (($# != 2)); then
  echo "usage: Benchmarks/compare.sh OLDBINARY NEWBINARY" >&2
  exit 2
fi
old=$(realpath -e "$1") new=$(realpath -e "$2")
cd "$(dirname "$0")/.."

if [[ ${BENCH_TINY:-} == 1 ]]; then
  rounds=${ROUNDS:-2} seconds=${SECONDS_PER_ROUND:-0.2} warmup=0.1 subscribers=${SUBSCRIBERS:-50}
else
  rounds=${ROUNDS:-9} seconds=${SECONDS_PER_ROUND:-1.5} warmup=0.5 subscribers=${SUBSCRIBERS:-1000}
fi
bench=${BENCH:-.build/release/martlet-bench}
# shellcheck source=Benchmarks/common.sh
source Benchmarks/common.sh

make_secrets
declare -A binary=([old]=$old [new]=$new) pid port token
for side in old new; do
  start "$work/$side.log" "${binary[$side]}" serve --dev --port 0 --admin-port 0 --reactors 1
  pid[$side]=$started_pid
  port[$side]=$(wait_for_port "$work/$side.log" "$started_pid")
  token[$side]=$("${binary[$side]}" token --dev --dialect channels --user bench)
done

# measure SIDE WORKLOAD: one round.
measure() {
  local side=$1 workload=$2 common=(--seconds "$seconds" --warmup "$warmup" --pid "${pid[$1]}")
  if [[ $workload == echo ]]; then
    record "$work/$side.echo" echo "ws://127.0.0.1:${port[$side]}/echo" --connections "$subscribers" "${common[@]}"
  else
    record "$work/$side.$workload" fanout "ws://127.0.0.1:${port[$side]}/channels" --token "${token[$side]}" \
      --subscribers "$subscribers" --burst "$workload" --payload 64 --closed "${common[@]}"
  fi
}

workloads=(1 16 64 echo)
for ((round = 0; round < rounds; round++)); do
  for workload in "${workloads[@]}"; do
    if ((round % 2)); then sides=(new old); else sides=(old new); fi
    for side in "${sides[@]}"; do measure "$side" "$workload"; done
  done
done

echo "server CPU in µs per delivery (echo: per message), median (least–most) of $rounds rounds of $seconds s in turns;"
echo "$subscribers subscribers; the ratio is taken round by round"
echo
echo "| | old | new | new to old |"
echo "|---|---|---|---|"
for workload in "${workloads[@]}"; do
  name="burst of $workload"
  if [[ $workload == echo ]]; then name=echo; fi
  # shellcheck disable=SC2046
  echo "| $name | $(cell %.3f $(summary "$work/old.$workload" serverMicroseconds)) |" \
    "$(cell %.3f $(summary "$work/new.$workload" serverMicroseconds)) |" \
    "$(cell %.3f $(ratios "$work/new.$workload" "$work/old.$workload" serverMicroseconds)) |"
done
if ((failures > 0)); then
  echo "$failures measurements had losses" >&2
  exit 1
fi
