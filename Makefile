# `make` lists what there is. Everything can also be called by hand: each target is a command or two.

.DEFAULT_GOAL := help
.PHONY: help demo test api bench bench-codecs torture canaries format lint docs docs-serve install uninstall clean

# Where `make install` puts the tool, and which package traits it is built with: make install PREFIX=~/.local TRAITS=Zstd,LZ4
PREFIX ?= /usr/local
TRAITS ?=

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## See it work: a writer, followers, a rollback, and this machine's rates
	swift run -c release immuta demo

test: ## Everything a change must pass; installs what the package traits need
	Scripts/test.sh

api: ## Write the public API down in Scripts/api.txt, after a change that is meant
	swift build --quiet --traits Zstd,LZ4,JetStream,Service
	Scripts/api.sh --accept

bench: ## Measure it beside the floors and the alternatives (ARGUMENTS=--quick: does it run?); see Benchmarks/README.md
	Scripts/bench.sh $(ARGUMENTS)

bench-codecs: ## Measure the codecs' sizes and rates; writes the documentation's tables and chart
	Scripts/bench.sh codecs $(ARGUMENTS)

torture: ## Random programs, crashes and damage, until something fails (ROUNDS=n for an end)
	Scripts/torture.sh $(ROUNDS)

canaries: ## See the torture tests catch an engine that is broken on purpose
	Scripts/canaries.sh

format: ## Format all Swift code in place
	swift format --in-place --recursive Sources Tests Examples Benchmarks UI/Sources UI/Tests UI/Package.swift Package.swift

lint: ## Check the format, the style rules, the layers of the engine, and that samples in articles are compiled code
	swift format lint --strict --recursive Sources Tests Examples Benchmarks UI/Sources UI/Tests UI/Package.swift Package.swift
	Scripts/layers.pl
	Scripts/layers-test.sh
	Scripts/samples.pl

docs: ## Build the documentation of all libraries as one site in .build/documentation; a broken link is an error
	Scripts/docs.sh

docs-serve: ## Show that site on this machine only (PORT=8000)
	Scripts/docs.sh serve $(PORT)

install: ## Install the tool, its manual pages and shell completions (PREFIX=/usr/local TRAITS=Zstd,LZ4,JetStream)
	swift build --quiet -c release --product immuta $(if $(TRAITS),--traits $(TRAITS))
	Scripts/install.sh install .build/release/immuta "$(PREFIX)"

uninstall: ## Remove what was installed (PREFIX=/usr/local)
	Scripts/install.sh uninstall "$(PREFIX)"

clean: ## Remove everything that was built
	rm -rf .build .build-tsan .build-torture .build-canaries Examples/.build Examples/AccessLog/.build Benchmarks/.build UI/.build
