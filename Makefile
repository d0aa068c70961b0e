# make check   build, vet, lint, floors, and the tests that need nothing but Go
# make test    everything: sets up what the tests need (apt as root), then runs all
# make bench   the measurements of doc/performance.md
# make bench-advisories   those of doc/performance-advisories.md (VESALIUS_ADVISORIES=DIR:FILE... of feeds)
# make verifier   the verifier of updates that "vesalius fix --verifier" puts into images
# make fuzz    a short run of every fuzz target (FUZZTIME=30s each)
# make remedies   what fixes do to the replicas: doc/remedies.md
# make accuracy, make signatures-check   the measurements of doc/accuracy*.md

GO       ?= go
FUZZTIME ?= 20s
export CGO_ENABLED = 0

.PHONY: build verifier check lint test setup bench bench-advisories fuzz accuracy remedies signatures-check docs

build:
	$(GO) build -trimpath -ldflags '-s -w' -o vesalius ./cmd/vesalius

# The verifier of updates for each architecture of a device: verifier/, for "vesalius fix --verifier verifier".
verifier:
	@for arch in arm arm64 mips mipsle mips64 mips64le riscv64 386 amd64; do \
		GOOS=linux GOARCH=$$arch GOMIPS=softfloat GOARM=5 $(GO) build -trimpath -ldflags '-s -w' -o verifier/vesalius-verify-linux-$$arch ./cmd/vesalius-verify || exit 1; \
	done

check: lint
	$(GO) build ./...
	$(GO) vet ./...
	GOOS=linux GOARCH=arm64 $(GO) build ./...
	GOOS=windows GOARCH=amd64 $(GO) build ./...
	GOOS=darwin GOARCH=arm64 $(GO) build ./...
	$(GO) test ./...

lint:
	@if command -v golangci-lint >/dev/null; then golangci-lint run ./...; \
	elif [ -x "$$($(GO) env GOPATH)/bin/golangci-lint" ]; then "$$($(GO) env GOPATH)/bin/golangci-lint" run ./...; \
	else echo "lint: golangci-lint is not installed: skipped (make setup installs it)"; fi

setup:
	.ci/setup

test: setup
	$(GO) vet ./...
	$(GO) test ./...
	CGO_ENABLED=1 $(GO) test -race ./internal/...
	CGO_ENABLED=1 $(GO) test -race ./cmd/... -run 'TestScripts/(scan-directory|scan-remembers|fix-mends|judge-by)' # all of them run without

bench:
	.ci/bench >doc/performance.md.new && mv doc/performance.md.new doc/performance.md

bench-advisories:
	.ci/bench-advisories >doc/performance-advisories.md.new && mv doc/performance-advisories.md.new doc/performance-advisories.md

fuzz:
	.ci/fuzz $(FUZZTIME)

accuracy:
	$(GO) test ./examples -run TestReplicas -count=1 -accuracy $(CURDIR)/doc/accuracy.md
	$(GO) test ./internal/advisory/unit -run TestTruth -count=1 -accuracy $(CURDIR)/doc/accuracy-units.md
	$(GO) test ./internal/advisory/accuracy -run PageCurrent -count=1 -accuracy $(CURDIR)/doc/accuracy-advisories.md

remedies:
	$(GO) test ./examples -run TestRemedies -count=1 -remedies $(CURDIR)/doc/remedies.md

signatures-check:
	$(GO) run ./internal/component/check

docs:
	$(GO) test ./internal/fact ./internal/image/format ./internal/setting/daemon ./internal/component/signature ./internal/advisory/support ./internal/advisory/feed ./internal/judge/rulebook ./internal/judge/questionnaire ./internal/remedy/fix ./internal/dossier -run Current -update
	$(GO) test ./internal/report -update
