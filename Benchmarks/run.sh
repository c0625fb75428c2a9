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
work=$(mktemp -d)
started=()
failures=0

finish() {
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# wait_for_port FILE PID: the port of the first address in FILE that is not the admin listener's.
wait_for_port() {
  local port
  for _ in $(seq 100); do
    port=$(grep -vi admin "$1" | grep -oE '([0-9]+\.[0-9]+\.[0-9]+\.[0-9]+|localhost|\[[0-9a-f:]+\]):[0-9]+' |
      head -1 | grep -oE '[0-9]+$') || true
    if [[ -n $port ]]; then echo "$port"; return; fi
    kill -0 "$2" 2>/dev/null || break
    sleep 0.1
  done
  echo "no start-up line with a port:" >&2
  cat "$1" >&2
  return 1
}

# Everything that is known about the gateway's command line. Sets gateway_pid, gateway_url, gateway_echo_url and gateway_token.
start_gateway() {
  if [[ ${BENCH_DRY:-} == 1 ]]; then
    "$baseline" --port 0 >"$work/gateway.log" 2>&1 &
    gateway_pid=$!
  else
    # One secret for the server and for `martlet token`, valid for this run only.
    NEXUS_JWT_SECRET=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
    export NEXUS_JWT_SECRET
    "$gateway" serve --dev --port 0 --admin-port 0 --reactors 1 >"$work/gateway.log" 2>&1 &
    gateway_pid=$!
  fi
  started+=("$gateway_pid")
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
  "$baseline" --port 0 >"$work/baseline.log" &
  baseline_pid=$!
  started+=("$baseline_pid")
  local port
  port=$(wait_for_port "$work/baseline.log" "$baseline_pid")
  baseline_url=ws://127.0.0.1:$port
}

# measure FILE ARGUMENTS...: one round; its JSON line is added to FILE. A round with losses stays in the table and is said.
measure() {
  local file=$1 status=0
  shift
  "$bench" "$@" --seconds "$seconds" --warmup "$warmup" --json >>"$file" || status=$?
  if ((status == 1)); then
    echo "LOSSES: $*: $(tail -1 "$file" | cut -d, -f1-20)" >&2
    failures=$((failures + 1))
  elif ((status != 0)); then
    echo "failed with status $status: $bench $*" >&2
    exit 1
  fi
}

# field FILE NAME: the value at the top of each of the file's objects, one a line.
field() { sed 's/"rounds":.*//' "$1" | grep -oE "\"$2\":[0-9.]+" | cut -d: -f2; }

# summary FILE NAME: median, least and most.
summary() {
  field "$1" "$2" | sort -g | awk '
    { v[NR] = $1 }
    END { if (NR == 0) { print "0 0 0"; exit }
          m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
          print m, v[1], v[NR] }'
}

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
