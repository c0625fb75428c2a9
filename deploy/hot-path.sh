#!/usr/bin/env bash
# Shows that the way of a message has no retain, release or exclusivity check: reads the disassembly of the release binary.
# usage: hot-path.sh BINARY; exit status 1 when something is found, or when a function is missing.
set -euo pipefail
binary=${1:?usage: hot-path.sh BINARY}
exec python3 - "$binary" <<'PY'
import collections, re, subprocess, sys

# What must be clean: function as demangled, up to its parameters. Inlined parts are inside their callers.
FUNCTIONS = {
    "the fan-out loop": r"Shard\.\(queue in |Shard\.\(walkRun in |Shard\.deliver\(",
    "publish": r"Shard\.publishScratch|Shard\.audience|Shard\.\(publishChannels in |Shard\.receiveChannels",
    "the dialects' own messages": r"Shard\.receiveSessions|Shard\.\(publishSessions in |Shard\.receiveEvents|Shard\.\(answerEvents in |Shard\.receiveEngine",
    "the frame decoder": r"FrameDecoder\.next\(|FrameDecoder\.\(continueFrame in |Shard\.\(receiveFrames in ",
    "the flush": r"Shard\.flushDirty\(|Shard\.\(sendRest in ",
    "the outgoing log": r"^(generic specialization .*)?Buffers\.Outbox\.(append|enqueue|enqueueNode|reserve|consume|consumePartly)\(",
    "the JSON scan": r"static Wire\.JSONScanner\.scan\(",
}
FORBIDDEN = re.compile(r"swift_(retain|release|beginAccess|endAccess|allocObject|bridgeObject\w+)|^malloc$")

listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", sys.argv[1]], capture_output=True, text=True, check=True).stdout
calls, current = collections.defaultdict(collections.Counter), None
for line in listing.splitlines():
    if (head := re.match(r"^[0-9a-f]+ <(.+)>:$", line)):
        current = head.group(1)
        calls[current]
    elif current and (call := re.search(r"(?:call|jmp)\s+[0-9a-f]+ <([^>+@]+)", line)):
        calls[current][call.group(1)] += 1
names = [name for name in calls if name.startswith("$s")]
plain = subprocess.run(["swift", "demangle", "--compact"], input="\n".join(names), capture_output=True, text=True, check=True)
readable = {n: p.replace("< where A: ~Swift.Copyable>", "") for n, p in zip(names, plain.stdout.splitlines())}

failed = False
for what, pattern in FUNCTIONS.items():
    # Of the generic shard only the code for real sockets runs.
    found = [n for n in names if re.search(pattern, readable[n]) and (
        "Shard" not in readable[n] or "SocketNetwork" in readable[n])
        and "closure" not in readable[n]]
    if not found:
        print(f"{what}: no function matches {pattern}")
        failed = True
    for name in found:
        bad = {c: n for c, n in calls[name].items() if FORBIDDEN.search(c)}
        print(f"{what}: {readable[name][:100]}: {bad if bad else 'clean'}")
        failed |= bool(bad)
sys.exit(1 if failed else 0)
PY
