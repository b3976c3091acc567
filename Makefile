# Every command of the project. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The version of the program is that of the API.
VERSION = $(shell sed -n '0,/^  version: /s/^  version: //p' openapi.yaml)
COMMIT = $(shell git describe --always --dirty --abbrev=12 --exclude '*' 2> /dev/null)
DATE = $(shell git log -1 --format=%cI 2> /dev/null)
BUILDINFO := github.com/versioner-io/versioner/internal/buildinfo

GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
OASDIFF := github.com/oasdiff/oasdiff@v1.36.0
OAPI_CODEGEN := go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen
REDOCLY := .ci/node_modules/.bin/redocly
PYTHON_VENV := clients/python/.venv
TYPESCRIPT_TOOLS := clients/typescript/node_modules/.package-lock.json
BROWSER_TESTS := internal/web/browser
SCHEMATHESIS := test/schemathesis/.venv
LINT_VENV := .ci/.venv
# The version of the vulnerability database; `make vulnerabilities VULNDB=latest` uses the newest one.
VULNDB := v0.0.0-20261105234957-e22db6528018

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 21

.PHONY: run
run: ## Build and run a development server (Ctrl-C stops it, the data is kept)
	@echo 'Compiling the server: about a minute the first time, seconds afterwards ...'
	@$(MAKE) --no-print-directory build
	@echo 'Starting the server ...'
	@exec bin/versionerd dev

# The CPU profile with which the compiler optimizes the server (https://go.dev/doc/pgo); `make profile` records it.
PROFILE := cmd/versionerd/server.pgo

.PHONY: build
build: ## Build bin/versionerd
	CGO_ENABLED=0 go build -pgo=$(PROFILE) -trimpath -ldflags '-s -w -X $(BUILDINFO).version=$(VERSION) -X $(BUILDINFO).commit=$(COMMIT) -X $(BUILDINFO).date=$(DATE)' -o bin/versionerd ./cmd/versionerd

.PHONY: image
image: export VERSION := $(VERSION)
image: export COMMIT := $(COMMIT)
image: export DATE := $(DATE)
image: ## Build the image for linux/amd64 and linux/arm64 and push it to IMAGE, such as ghcr.io/versioner-io/versioner
	deploy/image/build $(IMAGE)

.PHONY: test-image
test-image: export VERSION := $(VERSION)
test-image: export COMMIT := $(COMMIT)
test-image: export DATE := $(DATE)
test-image: ## Build the image, run it on a PostgreSQL without a container engine, and stop it
	go run ./tools/testdatabase test/packaging/image

.PHONY: test-reproducible
test-reproducible: export VERSION := $(VERSION)
test-reproducible: export COMMIT := $(COMMIT)
test-reproducible: export DATE := $(DATE)
test-reproducible: ## Fail when builds in two folders differ (compiles everything again: minutes)
	test/packaging/reproducible

.PHONY: test-packaging
test-packaging: build ## Test the Dockerfile, compose.yaml, the Helm chart, the systemd unit and the configuration of releases
	cd test/packaging && go test -vet=off ./...

.PHONY: generate
generate: schema ## Generate gen/, clients/, db/schema.sql and the words of a status from openapi.yaml, db/migrations and db/queries
	go run ./tools/genstatus
	for part in models server spec; do $(OAPI_CODEGEN) -config gen/apigen/$$part.yaml openapi.yaml; done
	trap 'rm -f gen/apigen/security.gen.go.new' EXIT; go run ./tools/gensecurity > gen/apigen/security.gen.go.new; \
	mv gen/apigen/security.gen.go.new gen/apigen/security.gen.go
	$(OAPI_CODEGEN) -config clients/go/oapi-codegen.yaml openapi.yaml
	go run ./tools/samplegen | go run github.com/mikefarah/yq/v4 eval-all --output-format json --indent 0 \
		'select(fileIndex == 0) * select(fileIndex == 1)' openapi.yaml - > gen/apigen/openapi.json
	CGO_ENABLED=1 go run github.com/sqlc-dev/sqlc/cmd/sqlc generate
	$(MAKE) generate-python generate-typescript

.PHONY: schema
schema: ## Generate db/schema.sql, a snapshot of the migrated schema (needs pg_dump)
	trap 'rm -f db/schema.sql.new' EXIT; go run ./tools/schemadump > db/schema.sql.new; \
	mv db/schema.sql.new db/schema.sql

.PHONY: generate-python
generate-python: $(PYTHON_VENV) ## Generate the Python client from openapi.yaml
	$(PYTHON_VENV)/bin/python clients/python/tools/generate.py

.PHONY: generate-typescript
generate-typescript: $(TYPESCRIPT_TOOLS) ## Generate the TypeScript client from openapi.yaml
	cd clients/typescript && npm run --silent generate

WEB_TOOLS := web/node_modules/.package-lock.json

.PHONY: web
web: $(WEB_TOOLS) ## Build the dashboard into internal/web/dist
	cd web && npm run --silent build

.PHONY: web-dev
web-dev: $(WEB_TOOLS) ## Serve the dashboard from its sources, in front of the server at VERSIONER_API_URL, as the user of VERSIONER_TOKEN if set
	cd web && npm run dev

GENERATED := gen clients internal/web/dist db/schema.sql openapi.yaml docs/state-machine.md internal/ingest/status_words.gen.go

.PHONY: verify
verify: generate web ## Fail when generated files differ from the committed ones
	git diff --exit-code -- $(GENERATED)
	test -z "$$(git status --porcelain -- $(GENERATED))"
	go mod tidy -diff
	@! git grep -n '"resolved"' -- '*package-lock.json' || { echo 'lock files name packages, versions and checksums, and no registry'; exit 1; }

# Tests of whole servers: most of their time is that of PostgreSQL and of other processes, and the race detector doubles it.
WHOLE_SERVERS := ./cmd/... ./internal/doctest ./internal/httpapi ./internal/seed ./internal/spectest/...
GO_TEST := go test -short -vet=off -ldflags=-w -timeout 15m

.PHONY: test
test: ## Run the tests, of the packages below the HTTP API with the race detector if there is a C compiler (PostgreSQL is found on the machine, or downloaded)
	go run ./tools/testdatabase sh -euc '\
		$(GO_TEST) $(WHOLE_SERVERS); \
		$(GO_TEST) $$(command -v cc > /dev/null && echo -race) $$(go list ./... | grep -vxF "$$(go list $(WHOLE_SERVERS))")'

.PHONY: test-race
test-race: ## Run all tests with the race detector
	go run ./tools/testdatabase go test -short -vet=off -race -timeout 30m ./...

.PHONY: test-python
test-python: $(PYTHON_VENV) ## Check and test the Python client and its samples; one of the tests installs it and calls a server
	cd clients/python && .venv/bin/ruff format --check . && .venv/bin/ruff check . && .venv/bin/mypy && .venv/bin/pytest
	VERSIONER_TEST_PYTHON=$(CURDIR)/$(PYTHON_VENV)/bin/python go test -count 1 -run TestPythonSamples ./internal/spectest/examples

.PHONY: test-typescript
test-typescript: $(TYPESCRIPT_TOOLS) ## Check and test the TypeScript client and its samples; one of the tests installs it and calls a server, also from Chromium
	cd clients/typescript && npm test --silent
	cd clients/typescript && npm run --silent build
	VERSIONER_TEST_TYPESCRIPT=$(CURDIR)/clients/typescript go test -count 1 -run TestTypeScriptSamples ./internal/spectest/examples

.PHONY: test-pages
test-pages: build $(BROWSER_TESTS)/node_modules ## Test the pages in Chromium (SCREENSHOTS=DIR saves screenshots)
	SCREENSHOTS='$(abspath $(SCREENSHOTS))' npm test --prefix $(BROWSER_TESTS) --silent

IDENTITY_PROVIDER := internal/testoidc/provider/node_modules/.package-lock.json

.PHONY: identity-provider
identity-provider: $(IDENTITY_PROVIDER) ## Install the identity provider of the tests

.PHONY: test-web
test-web: build $(WEB_TOOLS) $(IDENTITY_PROVIDER) ## Check the dashboard and test it in Chromium (SCREENSHOTS=DIR saves screenshots)
	cd web && npm run --silent check && SCREENSHOTS='$(abspath $(SCREENSHOTS))' npm test --silent

.PHONY: bench-dashboard
bench-dashboard: build $(WEB_TOOLS) ## Fail if paints of the dashboard take too many times those of smaller pages, in Chromium
	node web/bench/first-paint.js

EXAMPLES := 40

.PHONY: test-schemathesis
test-schemathesis: build $(SCHEMATHESIS) ## Test a server with Schemathesis: EXAMPLES requests for each operation (SEED=N repeats a run)
	test/schemathesis/run --max-examples=$(EXAMPLES) $(if $(SEED),--seed=$(SEED))

.PHONY: lock-python
lock-python: $(PYTHON_VENV) ## Lock the newest versions of the tools in Python
	cd clients/python && .venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes \
		--custom-compile-command 'make lock-python' --group dev pyproject.toml --output-file requirements-dev.txt
	cd .ci && $(CURDIR)/$(PYTHON_VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command 'make lock-python' requirements.in --output-file requirements.txt
	cd test/schemathesis && $(CURDIR)/$(PYTHON_VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command 'make lock-python' requirements.in --output-file requirements.txt

.PHONY: test-replicas
test-replicas: ## Kill and terminate servers behind nginx (deploy/nginx) under load, with one PostgreSQL and one Redis (RESTARTS times)
	VERSIONER_TEST_RESTARTS=$(or $(RESTARTS),8) go test -count 1 -vet=off -timeout 15m -v -run 'TestReplicas|TestProxy' ./cmd/versionerd

.PHONY: test-governance
test-governance: ## Change a rule on one server and start a deployment on another at once, 1000 times; 100 rounds of 50 starts at once, and of a kill after a decision (CHANGES, ROUNDS)
	VERSIONER_TEST_RULE_CHANGES=$(or $(CHANGES),1000) VERSIONER_TEST_START_ROUNDS=$(or $(ROUNDS),100) VERSIONER_TEST_DECISION_KILLS=$(or $(ROUNDS),100) \
		go test -count 1 -vet=off -timeout 30m -v -run 'TestRuleChangesBind|TestStartsAtOnce|TestKilledBetween' ./cmd/versionerd

.PHONY: test-cells
test-cells: ## Route accounts to two servers with a PostgreSQL each (deploy/cells), stop one of them, and move an account under load
	VERSIONER_TEST_OVERLOAD=3s go test -count 1 -vet=off -timeout 15m -v -run 'TestCells|TestMove' ./cmd/versionerd

.PHONY: test-long
test-long: ## Run the long tests: those that test skips, 50 kills, 20 rolling and 10 database restarts, overload, Schemathesis, fuzzing
	$(MAKE) test-race
	$(MAKE) test-previous
	go run ./tools/testdatabase go test -count 1 -timeout 30m ./internal/... ./cmd/...
	VERSIONER_TEST_KILLS=50 go test -count 1 -timeout 30m -v -run 'TestKill' ./cmd/versionerd
	VERSIONER_TEST_RESTARTS=20 go test -count 1 -timeout 30m -v -run "TestRolling" ./cmd/versionerd
	VERSIONER_TEST_RESTARTS=10 go test -count 1 -timeout 30m -v -run "TestDatabaseRestarts" ./cmd/versionerd
	$(MAKE) test-replicas RESTARTS=20
	$(MAKE) test-governance
	VERSIONER_TEST_OVERLOAD=60s go test -count 1 -timeout 30m -v -run 'TestOverload|TestGreedy|TestSlow' ./cmd/versionerd
	VERSIONER_TEST_ROUND_TRIPS=1000000 go test -count 1 -timeout 30m -v -run 'TestTokenRoundTrip' ./internal/apikeys
	VERSIONER_TEST_FETCH=1 go test -count 1 -v -run 'TestDownloadsBinaries' ./internal/embeddedpg
	$(MAKE) test-schemathesis
	$(MAKE) fuzz FUZZ_TIME=60s

# The commit before the newest migration.
PREVIOUS = $(shell git log -1 --diff-filter=A --format=%H -- 'db/migrations/*.sql')^

.PHONY: test-previous
test-previous: ## Test the program from before the newest migration on the new schema (PREVIOUS=REVISION tests another one)
	dir=$$(mktemp -d); trap 'git worktree remove --force "$$dir/src" || true; rm -rf "$$dir"' EXIT; \
	git worktree add --quiet --detach "$$dir/src" '$(PREVIOUS)'; \
	go run ./tools/testdatabase -schema-for "$$dir/src/db/migrations" \
		go -C "$$dir/src" test -short -vet=off -timeout 30m ./internal/httpapi/... ./internal/spectest

.PHONY: test-published-clients
test-published-clients: ## Test the pages on CI with the published client, CLI=/path/to/versioner, and with the Action if ACTION=/path/to/dist/index.js
	$(if $(CLI),,$(error CLI is the path of the published client, versioner))
	VERSIONER_TEST_PUBLISHED_CLI='$(abspath $(CLI))' VERSIONER_TEST_PUBLISHED_ACTION='$(abspath $(ACTION))' \
		go run ./tools/testdatabase go test -count 1 -vet=off -v -run 'TestPublishedClient' ./internal/doctest

FUZZ_TIME := 20s

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZ_TIME
	.ci/fuzz $(FUZZ_TIME)

BENCH_FLAGS :=

.PHONY: profile
profile: ## Record the CPU profile that build optimizes the server with (about a minute)
	go run ./test/bench -profile $(PROFILE).new -only server -connections 64 -duration 30s -runs 1
	mv $(PROFILE).new $(PROFILE)

.PHONY: bench
bench: build ## Benchmark ingestion, RLS overhead and notification fan-out (BASELINE=REVISION compares, BENCH_FLAGS=-quick is a smoke test)
	flags='$(BENCH_FLAGS)'; \
	if [ -n '$(BASELINE)' ]; then \
		dir=$$(mktemp -d); \
		trap 'git worktree remove --force "$$dir/src" || true; rm -rf "$$dir"' EXIT; \
		git worktree add --quiet --detach "$$dir/src" '$(BASELINE)'; \
		make -C "$$dir/src" build; \
		flags="$$flags -baseline $$dir/src/bin/versionerd"; \
	fi; \
	go run ./test/bench $$flags
	go test -run '^$$' -bench 'Record|RowLevelSecurity|DeploymentRules|DeploymentRequests' -benchtime 20000x ./internal/ingest
	go test -run '^$$' -bench 'Preflight|Evaluate|Compile' ./internal/governance ./internal/policy ./internal/calendar
	go test -run '^$$' -bench FirstAttempt -benchtime 6000x ./internal/notify

.PHONY: bench-growth
bench-growth: build ## Compare lists and ingestion at 10,000 with those at 10,000,000 deployments (an hour, 40 GB; BENCH_FLAGS='-sizes 10000,1000000' is quicker)
	go run ./test/bench growth $(BENCH_FLAGS)

.PHONY: lint
lint: words lint-go lint-migrations lint-spec ## Check the code (golangci-lint), the words (.ci/words), the migrations (squawk) and the specification (Redocly CLI, Spectral)

.PHONY: lint-go
lint-go: ## Check the Go code, or PACKAGES of it
	go run $(GOLANGCI_LINT) run $(PACKAGES)

.PHONY: lint-spec
lint-spec: $(REDOCLY) ## Check the specification
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(REDOCLY) lint --config .ci/redocly.yaml --max-problems 100 openapi.yaml
	.ci/score openapi.yaml
	.ci/node_modules/.bin/spectral lint --fail-severity warn --quiet --ruleset .ci/spectral.yaml openapi.yaml

.PHONY: lint-migrations
lint-migrations: $(LINT_VENV) ## Fail for a migration on which the previous release would not run (.squawk.toml)
	$(LINT_VENV)/bin/squawk db/migrations/*.sql

.PHONY: words
words: ## Fail for words that .ci/words bans
	.ci/words

.PHONY: vulnerabilities
vulnerabilities: ## Fail when the program reaches a known vulnerability that .ci/vulnerabilities.accepted does not list
	.ci/vulnerabilities $(VULNDB)

RELEASED := .ci/openapi.released.yaml

.PHONY: breaking
breaking: ## Fail when openapi.yaml has breaking changes that .ci/breaking.accepted does not list
	go run $(OASDIFF) breaking $(RELEASED) openapi.yaml --fail-on WARN --format singleline \
		--err-ignore .ci/breaking.accepted --warn-ignore .ci/breaking.accepted

.PHONY: audit
audit: ## Check the packages in the npm lock files for known vulnerabilities
	for lock in $$(git ls-files '*package-lock.json'); do npm audit --prefix "$$(dirname $$lock)"; done

.PHONY: format
format: ## Format the code
	go run $(GOLANGCI_LINT) fmt

.PHONY: vendor-pages
vendor-pages: ## Download Swagger UI and ReDoc in the versions that internal/web/vendor.sh pins
	internal/web/vendor.sh

.PHONY: clean
clean: ## Remove build outputs
	rm -rf bin dist dist-packages web/node_modules $(PYTHON_VENV) $(SCHEMATHESIS) $(LINT_VENV) .ci/node_modules $(BROWSER_TESTS)/node_modules internal/testoidc/provider/node_modules
	cd clients/typescript && rm -rf node_modules build dist

$(REDOCLY): .ci/package-lock.json
	npm ci --prefix .ci --ignore-scripts --no-audit --no-fund
	touch $@

$(TYPESCRIPT_TOOLS): clients/typescript/package-lock.json
	npm ci --prefix clients/typescript --ignore-scripts --no-audit --no-fund
	touch $@

$(WEB_TOOLS): web/package-lock.json
	npm ci --prefix web --ignore-scripts --no-audit --no-fund
	touch $@

$(IDENTITY_PROVIDER): internal/testoidc/provider/package-lock.json
	npm ci --prefix internal/testoidc/provider --ignore-scripts --no-audit --no-fund
	touch $@

$(BROWSER_TESTS)/node_modules: $(BROWSER_TESTS)/package-lock.json
	npm ci --prefix $(BROWSER_TESTS) --ignore-scripts --no-audit --no-fund
	touch $@

$(PYTHON_VENV): clients/python/requirements-dev.txt clients/python/pyproject.toml
	python3 -m venv --clear $@
	$@/bin/pip install --quiet --require-hashes --requirement $<
	$@/bin/pip install --quiet --no-deps --no-build-isolation --editable clients/python
	touch $@

$(LINT_VENV): .ci/requirements.txt
	python3 -m venv --clear $@
	$@/bin/pip install --quiet --require-hashes --requirement $<
	touch $@

$(SCHEMATHESIS): test/schemathesis/requirements.txt
	python3 -m venv --clear $@
	$@/bin/pip install --quiet --require-hashes --requirement $<
	touch $@
