# The two commands a fresh machine needs are `make demo` and `make test`: Go, a
# C compiler and make, nothing else.

GO      ?= go
RELEASE ?=
LDFLAGS  = $(if $(RELEASE),-X main.release=$(RELEASE))
RACE    ?=
LINT     = $(GO) tool -modfile=.tools/go.mod golangci-lint

.PHONY: build demo test lint bench fuzz clean

build:
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/fleetwatt ./cmd/fleetwatt

demo: build
	./bin/fleetwatt demo

# RACE=-race runs the tests under the race detector, as CI does.
test:
	$(GO) vet ./...
	$(GO) test $(RACE) -timeout 14m ./...

lint:
	$(GO) vet ./...
	$(LINT) run ./...

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

# Each fuzz target for a minute.
fuzz:
	@for t in $$(grep -ho 'func Fuzz[A-Za-z]*' devices/wire/*_test.go | cut -c6-); do \
		$(GO) test -run '^$$' -fuzz "^$$t$$" -fuzztime 60s -fuzzminimizetime 20x ./devices/wire || exit 1; \
	done

clean:
	rm -rf bin
