# Everything that a contributor or CI runs. Each command makes .venv by itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Two workers: most tests wait for servers, locks and processes.
PYTEST_ARGS ?= -n 2
# 3.10 and later, as declared.
PYTHONS := $(shell sed -n 's/.*Python :: \(3\.[0-9]*\).*/\1/p' pyproject.toml)

.PHONY: demo test coverage lint audit bench interop reliability docs pictures clean

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[redis,docs,dev]'
	@touch $@

# What the long runs need beside that.
$(VENV)/.reliability: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[reliability]'
	@touch $@

demo: $(STAMP)
	@$(BIN)/python examples/demo.py

test: $(STAMP)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# Judges what the tests run, and leaves it to `make test` whether they pass: measured, a few are
# too slow for their own limits. Programs that they start write here too, some as another user.
coverage: export COVERAGE_FILE := $(CURDIR)/build/coverage/data
coverage: $(STAMP)
	rm -rf build/coverage
	mkdir -p -m 1777 build/coverage
	$(BIN)/coverage run -m pytest $(PYTEST_ARGS) \
		--ignore=tests/packaging/test_distribution.py --ignore=tests/benchmarks
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage json --quiet -o build/coverage/report.json
	$(BIN)/python -m tests.covered build/coverage/report.json

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	for version in $(PYTHONS); do $(BIN)/mypy --python-version $$version || exit 1; done
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

# Known vulnerabilities of what is installed in .venv.
audit: $(STAMP)
	$(BIN)/python -m tests.packaging.audit

bench: $(STAMP)
	$(BIN)/python -m benchmarks

# Other JOSE libraries, in an environment of their own.
build/interop/.installed: tests/interop/requirements.txt tests/interop/package-lock.json | $(STAMP)
	$(BIN)/python -m tests.interop.install
	@touch $@

interop: $(STAMP) build/interop/.installed
	$(BIN)/python -m tests.interop

reliability: $(VENV)/.reliability
	$(BIN)/python -m tests.reliability --full

docs: $(STAMP)
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

pictures: $(STAMP)
	$(BIN)/python -m docs.pictures
	$(BIN)/python -m docs.layers

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist site
