# Python 3.11 to 3.13, Node 20 or newer and make are all this needs; `make demo` and `make test` set up the rest.

# A shell other than the default makes old versions of make honour the PATH below.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?=
ARGS ?=
SOLC := toolchain/solc-v0.8.37
CONTRACTS = $(shell find contracts -name '*.sol' -not -path '*/.*' 2>/dev/null)

PAGE ?=
PAGE_BUILT := build/page/index.html
PAGE_SOURCES := $(shell find web -name node_modules -prune -o -type f -print 2>/dev/null)

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)
export SOLCX_BINARY_PATH := $(CURDIR)/toolchain
export APE_DATA_FOLDER ?= $(CURDIR)/.ape
# Ape takes a project in the temporary folder for a scratch copy, unpacks the dependencies among its contracts, and then
# misses contracts because it looks at 500 files: a checkout in /tmp needs a temporary folder elsewhere.
export TMPDIR := $(shell mkdir -p '$(CURDIR)/.tmp' && echo '$(CURDIR)/.tmp')
export UV_LINK_MODE ?= copy
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
# Without compiled bytecode each start of ape takes a second longer.
unexport PYTHONDONTWRITEBYTECODE

# A stamp does not know what was removed or broken after it: then it goes too, and what it stands for is made anew.
$(shell test ! -e .venv/.ok || { .venv/bin/python -c '' && .venv/bin/python3 -m backstop.doctor.stamps; } 2>/dev/null || \
  rm -f .venv/.ok)
$(shell test -x .venv/bin/backstop || rm -f .venv/.backstop)
$(shell export PATH='$(PATH)'; { command -v anvil && command -v forge && test -f node_modules/solc/package.json; } \
  >/dev/null || rm -f node_modules/.ok)

# Anvil keeps old states in its user's home and leaves them there when it is stopped: hundreds of megabytes in time.
IN_A_HOME := home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && HOME=$$home

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s  %s\n", $$1, $$2}' Makefile
	@echo '  ARGS="…" is handed to demo and test; PYTHON=… chooses the interpreter.'

.PHONY: setup
setup: .venv/.ok .venv/.backstop node_modules/.ok ## install the Python and npm packages into the checkout

.PHONY: compile
compile: setup .build/.ok ## compile the contracts

.PHONY: demo
demo: compile $(if $(PAGE),$(PAGE_BUILT)) ## run the demonstration on a local Anvil; PAGE=1 leaves it up, with its page
	@$(IN_A_HOME) ape run demo $(if $(PAGE),--page) $(ARGS)

.PHONY: page
page: compile $(PAGE_BUILT) ## build the ADL page and serve it; ARGS="--rpc URL --deployment FILE", or the demonstration's crash
	@$(IN_A_HOME) python -m scripts.page $(ARGS)

.PHONY: build-page
build-page: $(PAGE_BUILT)

.PHONY: bench
bench: compile $(PAGE_BUILT) ## measure gas, sizes, reading and latency, into build/bench.json
	@$(IN_A_HOME) ape run bench

.PHONY: soak
soak: compile ## two keepers, a crowd, jumps and faults for half an hour of chain time, from SEED=1
	@$(IN_A_HOME) ape run soak --seed $(or $(SEED),1) $(ARGS)

# Three parts at once, each with an Anvil of its own, because each waits for its Anvil half of the time; the third is all
# that the others are not. What they print is shown when all have ended.
FIRST := tests/contracts tests/deploy tests/scenarios tests/trader
SECOND := tests/adl tests/docs tests/faults tests/fund tests/index tests/invariants tests/policies tests/soak tests/stress \
  tests/symbolic tests/telemetry tests/transactions tests/watch

.PHONY: test
test: compile $(PAGE_BUILT) ## run the tests, or those named in ARGS
ifdef ARGS
	@$(IN_A_HOME) python -m pytest -q $(ARGS)
else
	@home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && export HOME=$$home; \
	python -m pytest -q -p no:cacheprovider $(FIRST) > .tmp/tests-1.log 2>&1 & first=$$!; \
	python -m pytest -q -p no:cacheprovider $(SECOND) > .tmp/tests-2.log 2>&1 & second=$$!; \
	result=0; python -m pytest -q tests $(patsubst %,--ignore=%,$(FIRST) $(SECOND) tests/bots) || result=1; \
	wait $$first || result=1; wait $$second || result=1; \
	cat .tmp/tests-1.log .tmp/tests-2.log; \
	exit $$result
endif

# What is left out of `make test`, with an environment of its own: silverback takes seconds to start.
.PHONY: bots
bots: compile .venv-bots/.ok ## install silverback, and run the keeper under it against a local Anvil
	@$(IN_A_HOME) python -m pytest -q tests/bots $(ARGS)

.PHONY: audit
audit: compile .venv-slither/.ok .venv-halmos/.ok ## the evidence for an auditor, ending with one table; ARGS="--only slither" runs one part
	@$(IN_A_HOME) python -m scripts.audit $(ARGS)

# Slither wants another eth-account than ape allows: a venv of its own, made when the audit asks for it.
.PHONY: slither
slither: setup .venv-slither/.ok

.PHONY: mutate
mutate: compile ## try small faults in contracts and their mirror, into tests/mutation; ARGS="--only contracts/ADLEngine.sol"
	@$(IN_A_HOME) python -m scripts.audit.mutation $(ARGS)

.PHONY: snapshots
snapshots: compile ## write bytecode sizes and gas into snapshots/
	@$(IN_A_HOME) python -m scripts.audit.snapshots

.PHONY: reference
reference: setup ## write docs/events.md, errors.md and storage.md from the contracts
	@python -m scripts.reference

.PHONY: lint
lint: setup web/node_modules/.ok ## ruff, forge fmt, solhint and prettier, changing nothing
	ruff check .
	ruff format --check .
	forge fmt --check contracts
	solhint --disc --noPoster --max-warnings 0 'contracts/**/*.sol'
	cd web && node_modules/.bin/prettier --check --log-level warn src index.html '*.ts'

.PHONY: types
types: setup web/node_modules/.ok ## mypy, strict, on backstop/ and scripts/; tsc on the page
	mypy
	cd web && node_modules/.bin/tsc

.PHONY: fmt
fmt: setup web/node_modules/.ok ## format Python and Solidity in place
	ruff check --fix-only --quiet .
	ruff format .
	forge fmt contracts
	cd web && node_modules/.bin/prettier --write --log-level warn src index.html '*.ts'

# Start from the present package-lock.json: npm keeps its entries for other platforms' Foundry packages, but where a
# registry lacks some of them it could not write those anew.
.PHONY: lock
lock: setup ## bring the lock files up to date with pyproject.toml and package.json
	env -u PIP_FIND_LINKS -u UV_FIND_LINKS uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	  --quiet -o requirements.lock
	env -u PIP_FIND_LINKS -u UV_FIND_LINKS uv pip compile pyproject.toml --universal --python-version 3.11 \
	  --constraint requirements.lock --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command 'make lock' --quiet -o requirements-keeper.lock
	env -u PIP_FIND_LINKS -u UV_FIND_LINKS uv pip compile pyproject.toml --extra bots --universal --python-version 3.11 \
	  --constraint requirements.lock --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command 'make lock' --quiet -o requirements-bots.lock
	env -u PIP_FIND_LINKS -u UV_FIND_LINKS uv pip compile requirements-slither.in --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	  --quiet -o requirements-slither.lock
	env -u PIP_FIND_LINKS -u UV_FIND_LINKS uv pip compile requirements-halmos.in --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	  --quiet -o requirements-halmos.lock
	npm install --package-lock-only
	cd web && npm install --package-lock-only

.PHONY: env
env: ## print the environment for a shell: eval "$(make -s env)"
	@printf 'export PATH="%s:$$PATH" SOLCX_BINARY_PATH="%s" APE_DATA_FOLDER="%s" TMPDIR="%s"\n' \
	  '$(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin' '$(SOLCX_BINARY_PATH)' '$(APE_DATA_FOLDER)' '$(TMPDIR)'
	@echo 'unset PYTHONDONTWRITEBYTECODE'

.PHONY: clean
clean: ## remove everything that make has made, but accounts in .ape
	rm -rf .venv .venv-bots .venv-slither .venv-halmos node_modules web/node_modules .build .tmp/* build contracts/.cache .ape/packages .ape/processes
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .silverback-sessions backstop.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: node-version
node-version:
	@node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null || { \
	  echo "Backstop needs Node 20 or newer (found: $$(node --version 2>/dev/null || echo none))" >&2; exit 1; }

.venv/.ok: requirements.lock | node-version
	@rm -f $@
	@python=; \
	for candidate in $(or $(PYTHON),python3 python3.12 python3.11 python3.13); do \
	  [ -z "$$python" ] || break; \
	  if "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then python=$$candidate; fi; \
	done; \
	[ -n "$$python" ] || { echo 'Backstop needs Python 3.11 to 3.13 ($(or $(PYTHON),python3) says: '"$$($(or $(PYTHON),python3) --version 2>&1 || true)"'); name one with PYTHON=…' >&2; exit 1; }; \
	echo "Python packages: $$($$python --version) in .venv"; \
	clear=; .venv/bin/python -m pip --version >/dev/null 2>&1 && .venv/bin/python3 -c '' 2>/dev/null || clear=--clear; \
	"$$python" -m venv $$clear .venv || { echo 'The venv module is missing; on Debian and Ubuntu install python3-venv.' >&2; exit 1; }
	@awk '/^[a-z]/ {own = /^uv==/} own' requirements.lock > .venv/uv.lock
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.lock
	@VIRTUAL_ENV='$(CURDIR)/.venv' uv pip install --quiet --no-deps --require-hashes -r requirements.lock || { \
	  echo 'uv could not install; trying pip, which knows the settings of pip.conf' >&2; \
	  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock; }
	@touch $@

.venv-slither/.ok: requirements-slither.lock .venv/.ok
	@rm -f $@
	@echo 'Slither in .venv-slither'
	@.venv/bin/python -m venv --clear .venv-slither
	@VIRTUAL_ENV='$(CURDIR)/.venv-slither' uv pip install --quiet --no-deps --require-hashes -r requirements-slither.lock || \
	  .venv-slither/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-slither.lock
	@touch $@

.venv-halmos/.ok: requirements-halmos.lock .venv/.ok
	@rm -f $@
	@echo 'Halmos in .venv-halmos'
	@.venv/bin/python -m venv --clear .venv-halmos
	@VIRTUAL_ENV='$(CURDIR)/.venv-halmos' uv pip install --quiet --no-deps --require-hashes -r requirements-halmos.lock || \
	  .venv-halmos/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-halmos.lock
	@touch $@

# The package itself, editable: it gives .venv/bin/backstop.
.venv/.backstop: .venv/.ok pyproject.toml
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Of its own, so that neither setup nor the tests carry silverback; no version differs from that in requirements.lock.
.venv-bots/.ok: requirements-bots.lock pyproject.toml .venv/.ok
	@rm -f $@
	@echo 'Python packages of the bots in .venv-bots'
	@.venv/bin/python -m venv --clear .venv-bots
	@VIRTUAL_ENV='$(CURDIR)/.venv-bots' uv pip install --quiet --no-deps --require-hashes -r requirements-bots.lock || { \
	  echo 'uv could not install; trying pip, which knows the settings of pip.conf' >&2; \
	  .venv-bots/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-bots.lock; }
	@.venv-bots/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/.ok: package.json package-lock.json .npmrc | node-version
	@rm -f $@
	@echo "npm packages: Node $$(node --version) in node_modules"
	@npm ci --no-audit --no-fund --loglevel=error
	@for tool in anvil forge; do \
	  command -v $$tool >/dev/null || { \
	    echo "npm has no $$tool for $$(uname -sm): put Foundry 1.7.1 on the PATH and run make again" >&2; exit 1; }; \
	done
	@touch $@

web/node_modules/.ok: web/package.json web/package-lock.json web/.npmrc | node-version
	@rm -f $@
	@echo 'npm packages of the page in web/node_modules'
	@cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGE_BUILT): web/node_modules/.ok $(PAGE_SOURCES)
	@cd web && node_modules/.bin/vite build --logLevel warn
	@touch $@

# Ape sees neither that compiler settings have changed nor that a contract imports a file that has: so everything, always.
.build/.ok: $(CONTRACTS) ape-config.yaml $(SOLC) .venv/.ok node_modules/.ok
	ape compile --force
	@touch $@
