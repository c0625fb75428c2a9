# One screen of targets; `make help` lists them. Everything that needs more than a line lies in a script beside what it serves.
CONFIG  ?= release
BUILD   := swift build -c $(CONFIG) --static-swift-stdlib --product martlet
MARTLET := .build/$(CONFIG)/martlet

# Settings of a simulated run that were given to make.
SIM_ENV := $(if $(SEED),MARTLET_SIM_SEED=$(SEED)) $(if $(SEEDS),MARTLET_SIM_SEEDS=$(SEEDS)) $(if $(STEPS),MARTLET_SIM_STEPS=$(STEPS)) \
           $(if $(SOCKETIO),MARTLET_SIM_SOCKETIO=$(SOCKETIO))

.PHONY: help deps build run test test-thread test-address check bench bench-dialects bench-compressed fuzz sim hostile format lint clean hot-path

help:  ## this list
	@grep -hE '^[a-z-]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1|/' | column -t -s '|'

deps:  ## install what is missing (Debian and Ubuntu)
	@deploy/deps.sh

build: deps  ## one release binary with the Swift runtime linked in
	$(BUILD)

run: build  ## a gateway in development mode on 127.0.0.1:8080
	$(MARTLET) serve --dev

test: deps  ## every test
	@deploy/deps.sh test
	swift build --build-tests
	swift test

test-thread: deps  ## every test under the thread sanitizer
	swift test --sanitize=thread --scratch-path .build-thread

test-address: deps  ## every test under the address sanitizer
	ASAN_OPTIONS=suppressions=$(CURDIR)/Tests/Sanitizers/address.supp LSAN_OPTIONS=suppressions=$(CURDIR)/Tests/Sanitizers/leak.supp \
	  swift test --sanitize=address --scratch-path .build-address

hostile: deps  ## the hostile inputs alone, with the bound on what others notice of them; wants a quiet machine
	MARTLET_JUDGE_TIMES=1 swift test --filter HostileTests

check: deps lint  ## format, style, warnings as errors, unit tests
	swift build --build-tests -Xswiftc -warnings-as-errors --scratch-path .build-check
	swift test --skip-build --scratch-path .build-check --skip 'EndToEnd|Hostile|Simulation|Bench|FuzzReplay|CommandLine|^ClientTests|SocketIOHandlerClient'

sim:  ## the simulation; SEED=n STEPS=n replays one run, SEEDS=n runs so many from SEED on
	SWIFT_DETERMINISTIC_HASHING=1 MARTLET_SIM_VERBOSE=1 $(SIM_ENV) swift test --filter SimulationTests

bench: build  ## the benchmark pairs, and a table of ratios
	swift build -c release --static-swift-stdlib --product martlet-bench
	Benchmarks/run.sh

bench-dialects: build  ## every dialect: broadcasts of a handler, memory per idle connection
	swift build -c release --static-swift-stdlib --product martlet-bench
	swift build -c release --static-swift-stdlib --product martlet-bench-app
	Benchmarks/dialects.sh

bench-compressed: build  ## broadcasts and idle connections with permessage-deflate and without
	swift build -c release --static-swift-stdlib --product martlet-bench
	Benchmarks/compressed.sh

fuzz: deps  ## every fuzz target for FUZZ_SECONDS (60) each
	Tests/Fuzz/run.sh

hot-path: build  ## no retain, release or exclusivity check on the way of a message
	deploy/hot-path.sh $(MARTLET)

format:  ## rewrite all Swift sources in the house format
	swift format -i -r Sources Tests Benchmarks Package.swift

lint:  ## complain where `make format` would change something
	swift format lint --strict -r Sources Tests Benchmarks Package.swift

clean:  ## remove what was built
	rm -rf .build .build-*
