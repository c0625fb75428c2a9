#!/usr/bin/env bash
# Measures every dialect and prints two Markdown tables: broadcasts of a handler, and memory per idle connection.
#
#   ROUNDS=5 SECONDS_PER_ROUND=1.5 CONNECTIONS=5000 SUBSCRIBERS=1000 Benchmarks/dialects.sh     the defaults
#   BENCH_TINY=1 Benchmarks/dialects.sh                only to see that it works
#   GATEWAY=PATH APP=PATH BENCH=PATH                   other programs
#   BUDGET=330                                         seconds after which no new round begins
#   PARTS="fanout idle"                                one of them alone
#
# Every client is a real one: upgrade or poll, token where the dialect shows it, welcome checked, subscribed or joined.
# The rounds go through all rows in turn, so that a disturbance meets all of them.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ ${BENCH_TINY:-} == 1 ]]; then
  rounds=${ROUNDS:-1} seconds=${SECONDS_PER_ROUND:-0.2} warmup=0.1
  subscribers=${SUBSCRIBERS:-50} connections=${CONNECTIONS:-100}
else
  rounds=${ROUNDS:-5} seconds=${SECONDS_PER_ROUND:-1.5} warmup=0.5
  subscribers=${SUBSCRIBERS:-1000} connections=${CONNECTIONS:-5000}
fi
gateway=${GATEWAY:-.build/release/martlet}
app=${APP:-.build/release/martlet-bench-app}
bench=${BENCH:-.build/release/martlet-bench}
budget=${BUDGET:-330}
parts=" ${PARTS:-fanout idle} "
# shellcheck source=Benchmarks/common.sh
source Benchmarks/common.sh

make_secrets
for dialect in channels handlers sessions walkers; do
  "$app" tokens "$dialect" "$connections" >"$work/tokens.$dialect"
done
head -1 "$work/tokens.channels" >"$work/token.channels"

# MARK: Broadcasts

emitters=(broadcast events socketio)

measure_fanout() {
  local round burst dialect port pid
  start "$work/app.log" "$app" serve reactorCount=1
  pid=$started_pid
  port=$(wait_for_port "$work/app.log" "$pid")
  for ((round = 0; round < rounds && (round == 0 || SECONDS < budget / 2); round++)); do
    for burst in 1 16; do
      for dialect in "${emitters[@]}"; do
        local token=()
        if [[ $dialect == broadcast ]]; then token=(--token-list "$work/token.channels"); fi
        record "$work/fanout.$dialect.$burst" fanout "ws://127.0.0.1:$port" --dialect "$dialect" "${token[@]}" \
          --subscribers "$subscribers" --burst "$burst" --payload 64 --closed --seconds "$seconds" --warmup "$warmup" \
          --pid "$pid"
      done
    done
  done
  fanout_rounds=$round
  stop "$pid"
}

print_fanout() {
  local dialect burst
  declare -A names=([broadcast]="channels, \`broadcast\`" [events]="events, \`emit\`" [socketio]="Socket.IO, \`emit\`")
  echo "Broadcasts from a handler: server CPU in µs per delivery, $subscribers subscribers, 64-byte payload, one event loop;"
  echo "median (least–most) of $fanout_rounds rounds of $seconds s in turns. The ratio to channels is taken round by round."
  echo
  echo "| to | bytes delivered | burst of 1 | to channels | burst of 16 | to channels |"
  echo "|---|---|---|---|---|---|"
  for dialect in "${emitters[@]}"; do
    printf '| %s | %s' "${names[$dialect]}" "$(field "$work/fanout.$dialect.1" deliveredBytes | tail -1)"
    for burst in 1 16; do
      # shellcheck disable=SC2046
      printf ' | %s | %s' "$(cell %.3f $(summary "$work/fanout.$dialect.$burst" serverMicroseconds))" \
        "$(cell %.2f $(ratios "$work/fanout.$dialect.$burst" "$work/fanout.broadcast.$burst" serverMicroseconds))"
    done
    echo " |"
  done
}

# MARK: Memory

# name | path | flags of `martlet-bench idle`
idle_rows=(
  "channels, one user, one channel|/channels|--dialect channels --token-list $work/token.channels"
  "channels, distinct users, one channel|/channels|--dialect channels --token-list $work/tokens.channels"
  "handlers, distinct users|/handlers|--dialect handlers --token-list $work/tokens.handlers"
  "sessions, distinct users, one topic|/sessions|--dialect sessions --token-list $work/tokens.sessions"
  "walkers, distinct users, own channels|/websocket|--dialect walkers --token-list $work/tokens.walkers"
  "walkers, distinct users, one channel|/websocket?channel_id=bench|--dialect walkers --token-list $work/tokens.walkers"
  "events, one session|/events|--dialect events --sessions 1"
  "events, distinct sessions|/events|--dialect events"
  "Socket.IO over WebSocket, distinct sessions|/|--dialect socketio"
  "Socket.IO over polls, one waiting, distinct sessions|/|--dialect polling"
)

measure_idle() {
  local round index name path flags pid port
  for ((round = 0; round < rounds && (round == 0 || SECONDS < budget); round++)); do
    for index in "${!idle_rows[@]}"; do
      IFS='|' read -r name path flags <<<"${idle_rows[$index]}"
      # A server of its own: memory that an earlier row had freed would hide what this one takes.
      start "$work/idle.log" "$gateway" serve --dev --port 0 --admin-port 0 --reactors 1
      pid=$started_pid
      port=$(wait_for_port "$work/idle.log" "$pid")
      # shellcheck disable=SC2086
      record "$work/idle.$index" idle "ws://127.0.0.1:$port$path" $flags --connections "$connections" --pid "$pid"
      stop "$pid"
      # A round that the time does not suffice for ends early; its rows have one value more than the others.
      if ((round > 0 && SECONDS > budget)); then break; fi
    done
  done
  idle_rounds=$round
}

print_idle() {
  local index name
  echo "Memory: bytes of the server per idle connection, $connections connections to a fresh server with one event loop;"
  echo "median (least–most) of at most $idle_rounds rounds. The sessions of events are asked for in the run and count."
  echo
  echo "| who | anonymous bytes | resident bytes |"
  echo "|---|---|---|"
  for index in "${!idle_rows[@]}"; do
    name=${idle_rows[$index]%%|*}
    # shellcheck disable=SC2046
    echo "| $name | $(cell %.0f $(summary "$work/idle.$index" openedAnonymousBytes)) |" \
      "$(cell %.0f $(summary "$work/idle.$index" openedRssBytes)) |"
  done
}

if [[ $parts == *" fanout "* ]]; then
  measure_fanout
  print_fanout
  echo
fi
if [[ $parts == *" idle "* ]]; then
  measure_idle
  print_idle
fi
if ((failures > 0)); then
  echo "$failures measurements had losses" >&2
  exit 1
fi
