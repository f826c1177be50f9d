# `make` lists what there is. A target's explanation stands behind its name.

GO      ?= go
SUDO    := $(if $(filter 0,$(shell id -u)),,sudo)
LINT    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOBIN   := $(or $(shell $(GO) env GOBIN),$(shell $(GO) env GOPATH)/bin)
# Where goroutines share memory that is ours to get wrong.
RACE    := ./auth ./server ./ledger ./engine ./store/... ./task/... ./rows ./app ./client ./dialect/...
PGBIN   := $(firstword $(wildcard /usr/lib/postgresql/*/bin/initdb) $(shell command -v initdb))

SHELL         := bash
.SHELLFLAGS   := -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help build demo test race lint fmt test-tools fuzz faults failover bench bench-tools

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | expand -t 14

build: ## bin/syncline, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/syncline ./cmd/syncline

demo: ## the main job on real rows, nothing to configure
	$(GO) run ./cmd/syncline demo

test: test-tools ## everything but the race detector; installs PostgreSQL, a JDK and Maven from the distribution when they are missing
	$(GO) vet ./...
	cd bench && $(GO) vet ./...
	CI=$(or $(CI),true) $(GO) test -timeout 20m ./...
	cd dialect/elastic/official && CI=$(or $(CI),true) $(GO) test ./...
	cd dialect/datatransfer/official && CI=$(or $(CI),true) $(GO) test ./...

race: test-tools ## under the race detector, without the long loops; RACE=./... for all packages
	CI=$(or $(CI),true) CGO_ENABLED=1 $(GO) test -race -short -p 1 -timeout 20m $(RACE)

lint: ## format and lint gate (golangci-lint, built on first use)
	@test -x $(GOBIN)/golangci-lint || $(GO) install $(LINT)
	$(GOBIN)/golangci-lint run ./...

fmt: ## format all Go files
	@test -x $(GOBIN)/golangci-lint || $(GO) install $(LINT)
	$(GOBIN)/golangci-lint fmt ./...

# A worker that is busy when the time is up makes `go test` fail with "context deadline
# exceeded" (golang/go#75804); an input that breaks something is always written down.
fuzz: ## every fuzz target for 10 s, two at a time; FUZZTIME=1m
	@grep -rHo '^func Fuzz[[:alnum:]]*' --include='*_test.go' . | sed -E 's|/[^/]*:func | |' | sort | xargs -P 2 -L 1 bash -c \
	  'out=$$($(GO) test -run "^$$" -fuzz "^$$1\$$" -fuzztime $(or $(FUZZTIME),10s) -parallel 1 "$$0" 2>&1) || \
	  { grep -q "context deadline exceeded" <<<"$$out" && ! grep -q "Failing input\|panic" <<<"$$out"; } || { echo "$$out"; exit 255; }; \
	  echo "$$1 $$(grep -o "execs: [0-9]*" <<<"$$out" | tail -1) $$(tail -1 <<<"$$out")"'

faults: test-tools ## processes are killed, stopped and cut off a thousand times and more; SCALE=10 ten times as often, SEED=n again as before
	CI=$(or $(CI),true) $(GO) test ./destination/... -run 'Token|Stopped|Killed|Cut|Lost|Takeover'
	CI=$(or $(CI),true) $(GO) test ./fault -run 'TestKills|TestStops|TestCuts|TestRestarts' -scale $(or $(SCALE),1) -seed $(or $(SEED),0) -v -timeout $(or $(FAULTS_TIMEOUT),40m) | grep -Ev '^=== |--- PASS: .*/sites'

failover: test-tools ## ten times the loss of the ledger's primary under Patroni and etcd, which the distribution brings; FAILOVERS=n
	@test -x "$$(command -v patroni)" -a -x "$$(command -v etcd)" || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends patroni etcd-server; }
	$(GO) test ./fault -run TestFailover -failovers $(or $(FAILOVERS),10) -v -timeout 20m

bench: bench-tools ## every benchmark beside its reference, about 25 minutes, on a quiet machine; SUITE=transfer RUN=TestTransfer/FromCSV ARGS="-rounds 1 -save"
	cd bench && CI=$(or $(CI),true) $(GO) test ./measure
ifneq ($(filter-out ledger,$(or $(SUITE),transfer)),)
	cd bench && CI=$(or $(CI),true) $(GO) test ./transfer -v -count=1 -timeout 60m -run '$(or $(RUN),.)' -large 10000000 $(ARGS)
endif
ifneq ($(filter-out transfer,$(or $(SUITE),$(notdir $(wildcard bench/ledger)))),)
	cd bench && CI=$(or $(CI),true) $(GO) test ./ledger -v -count=1 -timeout 60m -run '$(or $(RUN),.)' $(ARGS)
endif

bench-tools: test-tools ## what benchmarks compare with, from the distribution, if missing
ifeq ($(shell command -v sqlite3),)
	$(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends sqlite3
endif

test-tools: ## PostgreSQL, a JDK and Maven (for search servers), and a C compiler (for the race detector) from the distribution, if missing
ifeq ($(PGBIN),)
	$(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends postgresql
endif
ifeq ($(shell command -v gcc),)
	$(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends gcc libc6-dev
endif
ifeq ($(and $(shell command -v mvn),$(wildcard /usr/lib/jvm/*/bin/javac)),)
	$(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends openjdk-17-jdk-headless maven
endif
