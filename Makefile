# What one needs from day to day. Everything is also a plain go command.

FUZZTIME ?= 30s
BENCHTIME ?= 3s

.PHONY: help dev test test-long check docs bench fuzz ui

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

dev: ## run everything on this machine: http://localhost:4455
	go run ./cmd/limen dev

test: ## start what the tests need, then run every check and every test
	.ci/test

test-long: ## what takes hours: every seed of thefts, remedies and refreshes, and long fuzzing
	.ci/test-long

check: ## the quick half of test: format, vet, staticcheck, the plan of the house, generated pages
	.ci/check
	go test -short ./internal ./internal/app ./cmd/limen

docs: ## print openapi.json and the pages that follow from the source
	go test ./internal/app -run 'TestReference|TestEvents|TestOpenAPI|TestRoutes' -update

# BENCH="-people 1000,1000000" measures what a million people cost; it seeds for minutes.
# BENCH="-help" lists what else can be asked.
bench: ## measure, each figure beside its bare limit
	go run ./internal/bench/cmd $(BENCH)
	cd sdk/go && go test -run '^$$' -bench . -benchtime $(BENCHTIME) ./...

fuzz: ## fuzz every parser of foreign bytes for FUZZTIME each
	.ci/fuzz $(FUZZTIME)

ui: ## rebuild what the pages embed
	go generate ./internal/pages/...
