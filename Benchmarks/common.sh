# What the benchmark scripts share: processes that end with the script, ports, medians. Sourced, not run.

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

# start FILE COMMAND...: runs a server in the background with its output in FILE; sets started_pid.
start() {
  local file=$1
  shift
  "$@" >"$file" 2>&1 &
  started_pid=$!
  started+=("$started_pid")
}

# stop PID: ends a server that `start` began.
stop() {
  local pid=$1 rest=() other
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  for other in "${started[@]}"; do [[ $other == "$pid" ]] || rest+=("$other"); done
  started=("${rest[@]}")
}

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

# One secret for each dialect, for the servers and the tokens of this run only.
make_secrets() {
  local name
  for name in HANDLERS_JWT_SECRET NEXUS_JWT_SECRET JWT_SECRET_KEY TOKEN_SECRET; do
    export "$name=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')"
  done
}

# record FILE ARGUMENTS...: one measurement; its JSON line is added to FILE. One with losses stays in the table and is said.
record() {
  local file=$1 status=0
  shift
  "$bench" "$@" --json >>"$file" || status=$?
  if ((status == 1)); then
    echo "LOSSES: $*: $(tail -1 "$file" | cut -d, -f1-20)" >&2
    failures=$((failures + 1))
  elif ((status != 0)); then
    echo "failed with status $status: $bench $*" >&2
    exit 1
  fi
}

# field FILE NAME: the value at the top of each of the file's objects, one a line.
field() { sed 's/"rounds":.*//' "$1" | grep -oE "\"$2\":-?[0-9.]+" | cut -d: -f2; }

# median: of the numbers on standard input, one a line: median, least and most.
median() {
  sort -g | awk '
    { v[NR] = $1 }
    END { if (NR == 0) { print "0 0 0"; exit }
          m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
          print m, v[1], v[NR] }'
}

# summary FILE NAME: median, least and most.
summary() { field "$1" "$2" | median; }

# ratios FILE OTHER NAME: what FILE has in terms of OTHER, round by round: median, least and most.
ratios() { paste <(field "$1" "$3") <(field "$2" "$3") | awk '$2 > 0 { print $1 / $2 }' | median; }

# cell FORMAT MEDIAN LEAST MOST: "median (least–most)".
cell() { printf "$1 ($1–$1)" "$2" "$3" "$4"; }
