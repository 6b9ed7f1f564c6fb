# OneTimeLogin. `make help` lists the targets; what each needs it says itself.

GO        ?= go
FUZZTIME  ?= 10s
BENCHTIME ?= 3s
TOOLS     := $(CURDIR)/.cache/tools
PYTHON    := $(CURDIR)/.cache/python

# What is built, tested and linted is compiled with the same flags, and so once.
export CGO_ENABLED := 0
export GOFLAGS := $(filter-out -trimpath,$(shell $(GO) env GOFLAGS)) -trimpath

# Tests wait for processes and disks some of their time, so that one more package runs at once than there
# are cores. The longest ones begin. vet is a part of lint.
AT_ONCE   ?= $(shell expr 1 + $$(getconf _NPROCESSORS_ONLN))

# The collector runs less often: tests are over soon.
TEST       = e2e/with-postgres env GOGC=400 PATH="$(PYTHON)/bin:$$PATH" $(GO) test

.PHONY: help dev build test race fuzz crash looks bench timing prepare lint fmt openapi clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/otl, static, with Go alone
	$(GO) build -ldflags '-s -w' -o bin/otl ./cmd/otl

dev: build ## Run a seeded, local world on http://localhost:8787
	bin/otl dev

test: $(PYTHON) ## Install what the tests need and run all of them
	$(TEST) -p $(AT_ONCE) -vet=off -timeout 14m ./e2e ./cmd/... ./...

race: export CGO_ENABLED := 1
race: $(PYTHON) ## Run all tests below internal/ and cmd/ with the race detector
	$(TEST) -race -timeout 20m ./internal/... ./cmd/...

fuzz: ## Fuzz every parser of foreign bytes for FUZZTIME each (10s)
	@for dir in $$($(GO) list -f '{{.Dir}}' ./internal/... ./cmd/...); do \
	  for target in $$(grep -hos '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | cut -c6-); do \
	    echo "== $$dir $$target"; \
	    e2e/with-postgres $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$dir || exit 1; \
	  done; \
	done

crash: $(PYTHON) ## The long crash and race rigs: 200 kill -9 cycles, 1,000 rounds of 100 exchanges and of 1,000 codes at once
	OTL_E2E_EVENTS=100000 OTL_E2E_CYCLES=200 OTL_E2E_ROUNDS=1000 OTL_E2E_CONSUMERS=1000 e2e/with-postgres env PATH="$(PYTHON)/bin:$$PATH" $(GO) test -timeout 120m -count 1 -v -run 'TestCrash|TestRefreshRace|TestCodeRace|TestHT14|TestNoMail|TestWH04' ./e2e

looks: $(PYTHON) ## Take the seldom seen pages before axe, too
	OTL_E2E_LOOKS=all e2e/with-postgres env PATH="$(PYTHON)/bin:$$PATH" $(GO) test -timeout 30m -count 1 -run ForEverybody ./e2e

bench: ## Run the Go benchmarks for BENCHTIME each (3s)
	e2e/with-postgres $(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) ./internal/...

timing: SHELL := bash
timing: .SHELLFLAGS := -o pipefail -c
timing: ## Measure whether the time of an answer tells who has an address
	OTL_TIMING_SAMPLES=2000 $(GO) test -count 1 -run TestTiming -v -p 1 -timeout 60m ./internal/surface/native ./internal/surface/pages | grep -e median -e FAIL -e '_test.go'

prepare: $(PYTHON) $(TOOLS)/golangci-lint ## Get what test and lint need; with -j2 one waits for the network while the other compiles

lint: $(TOOLS)/golangci-lint ## Check format and style
	$(TOOLS)/golangci-lint run
	bash -n .ci/run e2e/with-postgres e2e/languages

fmt: $(TOOLS)/golangci-lint ## Format the code
	$(TOOLS)/golangci-lint fmt

openapi: build ## Write api/openapi.json anew
	bin/otl openapi > api/openapi.json

clean: ## Delete what was built
	rm -rf bin .cache

$(TOOLS)/golangci-lint: tools/go.mod
	GOBIN=$(TOOLS) $(GO) install -C tools github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(PYTHON): e2e/languages e2e/requirements.txt e2e/package-lock.json
	e2e/languages $(PYTHON)
