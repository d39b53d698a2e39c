# The two commands a fresh machine needs are `make demo` and `make test`: Go, a
# C compiler and make, nothing else.

GO      ?= go
RELEASE ?=
LDFLAGS  = $(if $(RELEASE),-X main.release=$(RELEASE))
RACE    ?=
LINT     = $(GO) tool -modfile=.tools/go.mod golangci-lint

.PHONY: build demo test lint bench bench-ingest bench-store bench-jobs bench-energy bench-buildings bench-api test-retrofit bench-stress fuzz clean

FUZZTIME ?= 60s

build:
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/fleetwatt ./cmd/fleetwatt

demo: build
	./bin/fleetwatt demo

# RACE=-race runs the tests under the race detector, as CI does: see .ci/race.
test:
	$(GO) vet ./...
ifeq ($(RACE),)
	$(GO) test -vet=off -timeout 25m ./...
else
	.ci/race
endif

lint:
	$(GO) vet ./...
	$(LINT) run ./...

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

# The intake against its peers, in one run; see cmd/bench-ingest.
bench-ingest: build
	.ci/bench-servers
	$(GO) run ./cmd/bench-ingest -fleetwatt bin/fleetwatt $(BENCH)

# The embedded store with 100 million readings; minutes.
READINGS ?= 100000000
bench-store:
	GOMEMLIMIT=512MiB FLEETWATT_DUCKDB_FIGURES=$(READINGS) $(GO) test -run '^TestFigures$$' -v -timeout 2h ./ingest/duckdb

# The jobs of batteries over an embedded store: a night and an hour.
BATTERIES ?= 100000
bench-jobs:
	FLEETWATT_JOBS_FIGURES=$(BATTERIES) $(GO) test -run '^TestJobsFigures$$' -v -timeout 2h ./cmd/internal/app

# Baseline models beside eemeter, which it installs from PyPI.
bench-energy:
	$(GO) run ./cmd/bench-energy $(BENCH)

# A night of buildings; retrofits whose saving is known, all 200 of them.
bench-buildings:
	FLEETWATT_BUILDINGS=500 $(GO) test -run '^$$' -bench Night -benchtime 1x -timeout 1h ./fleet/building/figures
test-retrofit:
	FLEETWATT_RETROFIT=200 $(GO) test -run '^TestRetrofit$$' -v -timeout 30m ./fleet/energy/assess

# The API with 100,000 batteries, 200 clients and an intake under load.
bench-api: build
	$(GO) run ./cmd/bench-api -fleetwatt bin/fleetwatt $(BENCH)

# 10,000 simulated devices with a connection each, live for a minute.
bench-stress:
	ulimit -n $$(ulimit -Hn); FLEETWATT_STRESS=60 $(GO) test -run '^TestStress$$' -v -timeout 30m ./cmd/fleetwatt

# Each fuzz target for a minute.
fuzz:
	@for f in $$(grep -lr --include=*_test.go 'func Fuzz' .); do \
		for t in $$(grep -ho 'func Fuzz[A-Za-z]*' $$f | cut -c6-); do \
			echo "$$(dirname $$f) $$t"; \
			$(GO) test -run '^$$' -fuzz "^$$t$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$(dirname $$f) || exit 1; \
		done; \
	done

clean:
	rm -rf bin
