#!/usr/bin/env bash
# Fuzzes every target, or those named, for FUZZ_SECONDS each (60): Tests/Fuzz/run.sh [TARGET ...]. What libFuzzer finds
# interesting grows in .build-fuzz/corpus; the seeds in git stay as they are. An input that fails is kept and the command
# that replays it is printed.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${FUZZ_SECONDS:-60}
out=.build-fuzz
Tests/Fuzz/build.sh "$out"
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then mapfile -t targets < <(cd Tests/Fuzz/Corpus && ls); fi

# Swift's own backtrace would wait for a debugger. Short stacks and a small quarantine make allocations bearable.
export SWIFT_BACKTRACE=enable=no
export ASAN_OPTIONS=${ASAN_OPTIONS:-malloc_context_size=0:detect_stack_use_after_return=0:quarantine_size_mb=8}
failed=0
for target in "${targets[@]}"; do
  mkdir -p "$out/corpus/$target" "$out/findings"
  directories=("$out/corpus/$target" "Tests/Fuzz/Corpus/$target")
  if [ -d "Tests/Fuzz/Regressions/$target" ]; then directories+=("Tests/Fuzz/Regressions/$target"); fi
  log="$out/$target.log"
  status=0
  FUZZ_TARGET=$target "$out/martlet-fuzz" -max_total_time="$seconds" -max_len=512 -timeout=10 -print_final_stats=1 \
    -artifact_prefix="$out/findings/$target-" "${directories[@]}" >"$log" 2>&1 || status=$?
  printf '%-20s %s\n' "$target" "$(grep -a -E '^#[0-9]+.*(DONE|cov:)' "$log" | tail -1)"
  if [ "$status" -ne 0 ]; then
    failed=1
    grep -a -E 'Fatal error|ERROR:' "$log" | head -3 || true
    finding=$(grep -a -o "Test unit written to .*" "$log" | tail -1 | cut -d' ' -f5)
    echo "  replay: FUZZ_TARGET=$target FUZZ_THOROUGH_EVERY=1 $out/martlet-fuzz ${finding:-(see $log)}"
    echo "  then keep it as Tests/Fuzz/Regressions/$target/WHAT-IT-SHOWS"
  fi
done
exit "$failed"
