# Everything a fresh machine needs to run or test the project is installed by these targets.
# Needed beforehand: Python 3.11 or later with venv, and make. For `make test` also Linux and either
# Debian's apt-get with root or sudo, or what scripts/install_servers.sh would install, by hand:
# PostgreSQL 15 or later, PgBouncer, fuse3, strace, SQLsmith, hledger, ledger, and Java 17 or later.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LEDGER := $(BIN)/prakerja-ledger

.PHONY: demo test setup servers lint types arrows docs bench load soak fuzz mutation catalogue clean

## demo: set up, import the documented history into a ledger, print the audit and one trace
demo: $(VENV)/.installed-cli
	@rm -f build/demo.db build/demo.db-wal build/demo.db-shm && mkdir -p build
	$(LEDGER) import examples/data/documented.jsonl --ledger sqlite:///build/demo.db
	@echo
	$(LEDGER) audit sqlite:///build/demo.db --as-of 2020-07-02
	@echo
	$(LEDGER) trace sqlite:///build/demo.db A-READER --as-of 2020-07-02

## test: set up and pass every check and test
test: $(VENV)/.installed-test servers lint types arrows
	$(BIN)/python scripts/catalogue.py check
	$(BIN)/python -m pytest -n 2 --dist loadgroup -q --cov --cov-report=term-missing:skip-covered
	$(BIN)/python -m coverage report --include='prakerja_ledger/domain/*,prakerja_ledger/reading/*' --fail-under=98

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check prakerja_ledger examples

# A type checker sees of a package what its wheel brings: pyright reads one unpacked, as an editable
# install shows it nothing. It fails below 100 %.
types: $(VENV)/.installed-test
	$(BIN)/mypy
	@rm -rf build/lib build/typed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target build/typed .
	PATH=$(CURDIR)/$(BIN):$$PATH PYTHONPATH=build/typed PYRIGHT_PYTHON_IGNORE_WARNINGS=1 \
		pyright --verifytypes prakerja_ledger --ignoreexternal

arrows: $(VENV)/.installed-test
	$(BIN)/lint-imports

## docs: build the documentation into docs/_build
docs: $(VENV)/.installed-test
	$(BIN)/python docs/generate.py --check
	$(BIN)/python -m sphinx -W -q -b html docs docs/_build

## bench: measure beside what a user would pick instead, and rewrite docs/performance.md and its plots; one
## part alone, the others kept: make bench ONLY=answers (Java 17 or later is needed beforehand)
bench: $(VENV)/.installed-bench servers
	$(BIN)/python -m benchmarks.run $(addprefix --only ,$(ONLY)) --output docs/performance.md

## load: put the example service under load on SQLite, on PostgreSQL, and on one that restarts in the
## middle, a minute each; account for every fact, and rewrite that section of docs/performance.md
load: $(VENV)/.installed-bench servers
	$(BIN)/python -m benchmarks.run --only serving --output docs/performance.md

## soak: random histories against the independent reading of the contract, for an hour; a projection
## under anything that may happen to it, for half an hour; then runs under faults, which rewrite
## docs/faults.md (half an hour); and sealed ledgers tampered with, which rewrite docs/tampering.md
soak: $(VENV)/.installed-test servers
	$(BIN)/python -m tests.soak 20000
	PRAKERJA_EXAMPLES=1500 $(BIN)/python -m pytest -n 2 --dist loadgroup -q tests/test_projection_machine.py
	mkdir -p build
	$(BIN)/python -m tests.faults --store sqlite --runs 1007 --output build/faults-sqlite.md
	$(BIN)/python -m tests.faults --store postgresql --runs 320 --output build/faults-postgresql.md
	$(BIN)/python -m tests.faults.stock --output build/faults-stock.md
	$(BIN)/python -m tests.faults.page --sqlite build/faults-sqlite.md \
		--postgresql build/faults-postgresql.md --stock build/faults-stock.md --output docs/faults.md
	$(BIN)/python -m tests.tampering --edits 10000 --output docs/tampering.md

## fuzz: every parser of what strangers hand in, five minutes each, two at a time (MINUTES chooses others);
## and a minute of SQLsmith as each role of a PostgreSQL ledger (PRAKERJA_FUZZ_SEED: other statements);
## rewrites docs/fuzzing.md
MINUTES ?= 5
fuzz: $(VENV)/.installed-test servers
	$(BIN)/python -m tests.fuzz.page --minutes $(MINUTES) --output docs/fuzzing.md

## mutation: change the statement rules one by one and see which tests notice (an hour)
mutation: $(VENV)/.installed-mutation
	$(BIN)/python scripts/mutation.py

## catalogue: collect messages and compile the Indonesian catalogue
catalogue: $(VENV)/.installed-test
	$(BIN)/python scripts/catalogue.py extract
	$(BIN)/python scripts/catalogue.py compile

setup: $(VENV)/.installed-test

# Asked each time and not once by a stamp: packages go without a word to the checkout.
servers:
	scripts/install_servers.sh

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-%: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

clean:
	rm -rf $(VENV) build docs/_build .coverage .pytest_cache .mypy_cache .ruff_cache
