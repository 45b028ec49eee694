# Everything that a contributor or CI runs. Each command makes the environment that it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENVIRONMENT := tests/packaging/environment.py
LOCK := requirements.lock $(ENVIRONMENT)
DEVELOPMENT := run redis keyring httpx docs dev
# Four workers, on two cores too: most tests wait for servers, locks and processes.
PYTEST_ARGS ?= -n 4
# 3.10 and later, as declared.
PYTHONS := $(shell sed -n 's/.*Python :: \(3\.[0-9]*\).*/\1/p' pyproject.toml)

.PHONY: demo dev needs check test long test-all latest oldest lock coverage lint audit bench interop \
	engines reliability docs browse pictures dist clean
.NOTPARALLEL:

# What the package needs at run time; what development needs beside that; what the long runs need.
RUN := $(VENV)/.run
DEV := $(VENV)/.dev
LONG := $(VENV)/.long

$(RUN): $(LOCK)
	@$(PYTHON) $(ENVIRONMENT) $(VENV) run
	@touch $@

$(DEV): $(LOCK) pyproject.toml
	@$(PYTHON) $(ENVIRONMENT) $(VENV) $(DEVELOPMENT)
	@touch $(RUN) $@

$(LONG): $(DEV)
	@$(PYTHON) $(ENVIRONMENT) $(VENV) $(DEVELOPMENT) fuzzing mutation
	@touch $@

demo: $(RUN)
	@PYTHONDONTWRITEBYTECODE= PYTHONPATH="$(CURDIR)" $(BIN)/python examples/demo.py

dev: $(DEV)

# Programs and peers that the tests want. What cannot be had here fails its tests, not all of them.
needs: $(DEV)
	-@$(BIN)/python -m tests.needs

# Lint, and the fast tests of what has changed: under a minute.
check: $(DEV)
	@$(BIN)/python -m tests.check

test: $(DEV) needs
	$(BIN)/python -m pytest -m "not long" $(PYTEST_ARGS)

# What wants a cluster, the libraries of others, or minutes, and is not in `make test`.
long: $(DEV) needs
	$(BIN)/python -m pytest -m long $(PYTEST_ARGS)

# Everything, hours of it: before a release.
test-all: lint audit test long browse dist latest oldest interop coverage bench reliability

# The tests with the newest version of everything, in an environment made anew.
latest:
	$(PYTHON) $(ENVIRONMENT) build/latest $(DEVELOPMENT) --newest
	-build/latest/bin/python -m tests.needs
	TESTS_VERSIONS=newest build/latest/bin/python -m pytest $(PYTEST_ARGS)

# The tests with the lowest versions that are declared.
oldest:
	$(PYTHON) $(ENVIRONMENT) build/oldest $(DEVELOPMENT) --oldest
	-build/oldest/bin/python -m tests.needs
	TESTS_VERSIONS=oldest build/oldest/bin/python -m pytest $(PYTEST_ARGS)

# Writes requirements.lock anew, from what pyproject.toml declares. Needs uv.
lock: $(DEV)
	$(BIN)/python -m tests.packaging.lock

# Judges what the tests run, and leaves it to `make test` whether they pass: measured, a few are
# too slow for their own limits. Programs that they start write here too, some as another user.
coverage: export COVERAGE_FILE := $(CURDIR)/build/coverage/data
coverage: $(DEV)
	rm -rf build/coverage
	mkdir -p -m 1777 build/coverage
	$(BIN)/coverage run -m pytest $(PYTEST_ARGS) \
		--ignore=tests/packaging/test_distribution.py --ignore=tests/benchmarks
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage json --quiet -o build/coverage/report.json
	$(BIN)/python -m tests.covered build/coverage/report.json

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	for version in $(PYTHONS); do $(BIN)/mypy --python-version $$version || exit 1; done
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

# Known vulnerabilities of what is installed in .venv.
audit: $(DEV)
	$(BIN)/python -m tests.packaging.audit

bench: $(DEV)
	$(BIN)/python -m benchmarks

# Other JOSE libraries, in an environment of their own.
build/interop/.installed: tests/interop/requirements.txt tests/interop/package-lock.json | $(DEV)
	$(BIN)/python -m tests.interop.install
	@touch $@

interop: $(DEV) build/interop/.installed
	$(BIN)/python -m tests.interop

# The Redis store on the servers that are given: make engines ENGINES="/opt/keydb/keydb-server …"
engines: $(DEV)
	$(BIN)/python -m tests.engines $(ENGINES)

reliability: $(LONG)
	$(BIN)/python -m tests.reliability --full

docs: $(DEV)
	$(BIN)/python -m docs.generate
	$(BIN)/python -m docs.man
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Every page of the site in a real browser, without a network.
browse: docs
	$(BIN)/python -m tests.docs.in_a_browser site

pictures: $(DEV)
	$(BIN)/python -m docs.pictures
	$(BIN)/python -m docs.layers
	$(BIN)/python -m docs.start
	$(BIN)/python -m docs.states
	$(BIN)/python -m docs.key_hierarchy

# The files of a release.
dist: $(DEV)
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/python -m twine check --strict dist/*

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist site
