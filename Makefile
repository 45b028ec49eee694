# Everything that a contributor or CI runs. Each command makes .venv by itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Two workers: most tests wait for servers, locks and processes.
PYTEST_ARGS ?= -n 2

.PHONY: demo test lint bench reliability docs pictures clean

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

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m benchmarks

reliability: $(VENV)/.reliability
	$(BIN)/python -m tests.reliability --full

docs: $(STAMP)
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

pictures: $(STAMP)
	$(BIN)/python -m docs.pictures

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist site
