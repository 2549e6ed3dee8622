# One word each. `make demo` and `make test` set up everything they need in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := $(shell sed -n 's/^torch==\([^+]*\).*/\1/p' constraints.txt)

.PHONY: demo test test-all crosscheck lint bench golden schemas clean setup setup-test
.DEFAULT_GOAL := demo

$(VENV)/.base: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@# SDV needs torch: the CPU build, taken from the machine when it has one, else from PyTorch's public CPU index.
	$(BIN)/pip install --quiet --no-index --no-deps "torch==$(TORCH)" 2>/dev/null \
	  || $(BIN)/pip install --quiet --no-deps --index-url https://download.pytorch.org/whl/cpu "torch==$(TORCH)"
	$(BIN)/pip install --quiet -c constraints.txt -e .
	@if $(BIN)/pip list --format=freeze | grep -iE '^(nvidia-|triton==)'; then echo "A CUDA package came along; see constraints.txt"; exit 1; fi
	@touch $@

$(VENV)/.test: $(VENV)/.base
	$(BIN)/pip install --quiet -c constraints.txt -e '.[test]'
	@touch $@

setup: $(VENV)/.base

setup-test: $(VENV)/.test

demo: setup  ## set up, then run the main job on sample_data/
	$(BIN)/python sample_data/demo.py

lint: setup-test  ## style, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup-test lint  ## set up, then lint and every test that fits ten minutes
	$(BIN)/python -m pytest -n 2 -m "not full"

test-all: setup-test  ## the long tests: kills, big tables
	$(BIN)/python -m pytest -n 2 -m "full"

$(VENV)-crosscheck/.made: tests/crosscheck/requirements.txt
	$(PYTHON) -m venv $(VENV)-crosscheck
	$(VENV)-crosscheck/bin/pip install --quiet -r $<
	@touch $@

crosscheck: setup-test $(VENV)-crosscheck/.made  ## k, l and t against pycanon, which has an environment of its own
	TAMIS_PYCANON=$(VENV)-crosscheck/bin/python $(BIN)/python -m pytest tests/crosscheck -n 0

bench: setup-test  ## speed and memory as ratios to a plain polars copy
	$(BIN)/python bench/main_job.py

schemas: setup  ## regenerate schemas/ from the types
	$(BIN)/python -m tamis schemas --write schemas

golden: setup-test  ## rewrite the golden files after an intended change
	$(BIN)/python -m pytest tests/golden --update-golden

clean:  ## remove the environment and everything that was built
	rm -rf $(VENV) $(VENV)-crosscheck build dist demo_out .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
