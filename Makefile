# `make demo` and `make test` do all set-up themselves, in .venv; they need Python 3.11 or later.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCK   := constraints/locked.txt
LOWEST := constraints/lowest.txt
PIP    := -m pip --disable-pip-version-check --quiet
NOTEBOOKS := $(wildcard notebooks/*.py)

export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow test-lowest test-wheel lint format notebooks lock wheel clean check-python

help:
	@echo "make demo         set up, verify the example models, write their pages to out/"
	@echo "make test         set up, run the tests (test-slow: the long ones)"
	@echo "make test-lowest  run the tests on the lower bounds of all dependencies"
	@echo "make test-wheel   build the wheel and run the tests against it, away from the checkout"
	@echo "make lint         ruff, mypy, import rule (format: let ruff rewrite)"
	@echo "make notebooks    execute the notebooks into out/notebooks/"
	@echo "make lock         renew $(LOCK)"
	@echo "make clean        remove everything that make made"

demo: $(VENV)/.stamp
	$(BIN)/physcm demo --out out

test: $(VENV)/.stamp-dev
	$(BIN)/pytest -n auto -m "not slow"

# pytest's exit status 5 says that no test is marked slow.
test-slow: $(VENV)/.stamp-dev
	$(BIN)/pytest -n auto -m slow || [ $$? -eq 5 ]

# Old releases on new companions may warn of deprecations; here that is no error.
test-lowest: .venv-lowest/.stamp-dev
	.venv-lowest/bin/pytest -n auto -m "not slow" \
		-W default::DeprecationWarning -W default::PendingDeprecationWarning

test-wheel: wheel
	.ci/test-wheel $(BIN)/python dist/physcm-*.whl

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.stamp-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

notebooks: $(NOTEBOOKS:notebooks/%.py=out/notebooks/%.ipynb)

out/notebooks/%.ipynb: notebooks/%.py $(VENV)/.stamp-dev
	@mkdir -p $(@D)
	$(BIN)/jupytext --quiet --to ipynb --output $@ $<
	$(BIN)/jupyter-execute --inplace --kernel_name=python3 $@

wheel: $(VENV)/.stamp-dev
	rm -rf build dist
	$(BIN)/python -m build --outdir dist .

lock: check-python
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python $(PIP) install -e ".[dev]"
	{ echo '# Every run-time and development dependency, pinned; the same on Python 3.11, 3.12 and 3.13. Written by `make lock`.'; \
	  build/lock/bin/python -m pip freeze --exclude physcm | sed 's/+cpu$$//'; } > build/lock/locked.txt
	mv build/lock/locked.txt $(LOCK)
	rm -rf build/lock

clean:
	rm -rf .venv .venv-lowest out build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find physcm tests benchmarks notebooks -name __pycache__ -type d -prune -exec rm -rf {} +

# Set-up happens once, and again when pyproject.toml or a constraints file changes.
$(VENV)/.stamp: pyproject.toml $(LOCK)
	@$(MAKE) --no-print-directory check-python
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) install -c $(LOCK) -e .
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp
	$(BIN)/python $(PIP) install -c $(LOCK) -e ".[dev]"
	@touch $@

.venv-lowest/.stamp-dev: pyproject.toml $(LOWEST)
	@$(MAKE) --no-print-directory check-python
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python $(PIP) install -c $(LOWEST) -e ".[dev]"
	@touch $@

check-python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'physcm needs Python 3.11 or later, and `$(PYTHON)` is not that.'; \
		echo 'Name another one, for example: make $(MAKECMDGOALS) PYTHON=python3.12'; exit 1; } >&2
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo '`$(PYTHON)` cannot make virtual environments: its modules venv and ensurepip are missing.'; \
		echo 'Install them (on Debian and Ubuntu the package python3-venv) or name another Python with PYTHON=...'; exit 1; } >&2
