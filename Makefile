# Troupe. `make` alone lists the targets: the text after ## is what it prints.

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
NATS_SERVER := github.com/nats-io/nats-server/v2@v2.15.2

SEEDS    ?= 500
MINUTES  ?=
FUZZTIME ?= $(if $(MINUTES),$(MINUTES)m,20s)
BENCH    ?= .
RESULTS  ?= bin/peers-results

.DEFAULT_GOAL := help
.PHONY: help build run demo test check rest race lint sim planted torture torture-briefly growth bench bench-failover bench-open bench-idle bench-peers fuzz fuzz-briefly fmt tools clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

build: ## build bin/troupe and bin/troupe-sim
	@mkdir -p bin
	go build -o bin/ ./cmd/troupe ./cmd/troupe-sim

run: build ## the demo, then the brokers stay up until Ctrl-C with a list of things to try
	@bin/troupe demo --keep

demo: build ## three brokers, a real web-server log in and out, kill -9 on the way; exits 0 when nothing was lost or doubled
	@bin/troupe demo

test: ## unit tests, text stories, the README's commands and a short simulation
	go test -timeout 8m ./...

check: test rest ## everything a change must pass: test, race, gofmt, vet, staticcheck, tidy, a little fuzzing and torture

# What check does beyond test; .ci/run calls the two one after the other.
rest: lint race fuzz-briefly torture-briefly

# -short: the race detector is about ten times slower, and every interleaving it looks for occurs in the short forms.
race:
	go test -race -short -timeout 15m ./...

lint: tools
	@unformatted=$$(gofmt -l actors cmd gateway membership partitions simulation wal); \
	  if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	bin/staticcheck ./...
	go mod tidy -diff
	go test -run '^Fuzz' ./...

sim: build ## run SEEDS=500 seeds of the simulator, and a fifth of them over real files
	bin/troupe-sim --seeds $(SEEDS)
	bin/troupe-sim --seeds $$(( ($(SEEDS) + 4) / 5 )) --disk real

planted: ## plant bugs, one after the other, and demand that the simulator finds each by the promise it breaks
	TROUPE_PLANTED=all go test -count=1 -timeout 30m -run '^TestPlantedBugsAreFound$$' -v ./simulation

torture: build ## real brokers under SIGKILL, SIGSTOP, cut links, damaged files: MINUTES=1, judged by the simulator's checker
	bin/troupe-sim --real $(or $(MINUTES),1)

torture-briefly:
	@$(MAKE) --no-print-directory torture MINUTES=1

growth: build ## real brokers grow from 3 to 5 and shrink to 3 under load: nothing lost or doubled, replicas and leaders even
	bin/troupe-sim --growth

bench: ## run the Go benchmarks with allocations; BENCH=regexp chooses
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

bench-failover: build ## how long writes wait when a leader is killed (20 times) and when it stops in order
	bin/troupe bench failover

bench-open: build ## how long a broker takes to start on 10 GB in 100 partitions, after a stop and after kill -9; IN=dir
	bin/troupe bench open $(if $(IN),--in $(IN))

bench-idle: build ## memory and processor time of a broker with 1,000 partitions of 1 MB that nobody uses; IN=dir
	bin/troupe bench idle $(if $(IN),--in $(IN))

bench-peers: build ## the same load on NATS JetStream and Apache Kafka, if they can run here; RESULTS=dir keeps raw figures
	@test -x bin/nats-server || GOBIN=$(CURDIR)/bin go install $(NATS_SERVER) || echo "nats-server cannot be installed; going on without"
	cd cmd/peers && go vet -mod=mod . && go test -mod=mod . && go build -mod=mod -o $(CURDIR)/bin/peers .
	bin/peers --out $(RESULTS)

fuzz-briefly:
	@$(MAKE) --no-print-directory fuzz FUZZTIME=2s

fuzz: ## run every fuzz test for FUZZTIME=20s, or MINUTES=10
	@grep -rlE --include='*_test.go' '^func Fuzz' . | while read -r file; do \
	  for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file"); do \
	    echo "$$(dirname "$$file") $$name"; \
	    go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s "$$(dirname "$$file")" || exit 1; \
	  done; \
	done

fmt: ## format the code
	gofmt -w actors cmd gateway membership partitions simulation wal

# The linter is installed by its exact version into bin/, so that two machines never disagree and go.mod does not carry it.
tools:
	@mkdir -p bin
	@GOBIN=$(CURDIR)/bin go install $(STATICCHECK)

clean: ## remove what was built
	rm -rf bin
