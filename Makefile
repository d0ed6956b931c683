# Each target sets itself up in .venv. Another Python: make PYTHON=python3.12 test. More arguments: make demo ARGS="--port 8000".

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
# A file of tests stays in one process, and so do those that ask the server: they share fixtures that take seconds. There
# are more processes than cores, since those of the page and of the server wait more than they work.
PROCESSES := $(shell $(PYTHON) -c 'import os; print(min(4, os.cpu_count() + 1))')
PARALLEL := --numprocesses $(PROCESSES) --dist loadfile

.PHONY: help demo wheel test test-all lint docs bench lock audit clean

help:
	@echo 'make demo      serve the page on http://127.0.0.1:7860'
	@echo 'make wheel     the package with its model, in dist/'
	@echo 'make test      the quick tests'
	@echo 'make test-all  every test but the benchmarks'
	@echo 'make lint      style and formatting'
	@echo 'make docs      build the documentation into site/'
	@echo 'make bench     the benchmarks'
	@echo 'make lock      write requirements*.lock anew, after a change of requirements*.txt'
	@echo 'make audit     known faults of what is installed, where $$OSV_URL names a database'
	@echo 'make clean     remove .venv, caches and builds; data/ and runs/ stay'

demo: .venv/.installed-use
	$(BIN)/python -m demo $(ARGS)

wheel: .venv/.made
	@rm -rf dist
	$(BIN)/python -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir dist .
	@ls dist/*.whl

test: .venv/.installed-dev
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow" $(ARGS)

test-all: .venv/.installed-dev
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

docs: .venv/.installed-docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --clean
	@echo 'site/index.html; with its search: python3 -m http.server --directory site'

bench: .venv/.installed-dev
	$(BIN)/python -m pytest -s tests/benchmarks $(ARGS)

lock: .venv/.installed-dev
	$(BIN)/python .ci/lock $(BIN)/uv

# Nothing is asked over the network unless someone says where: $OSV_URL is the address of a copy of the OSV database.
audit:
	@if [ -z "$$OSV_URL" ]; then echo 'make audit: SKIPPED: no database of known faults; name one: OSV_URL=…'; \
	elif ! command -v pip-audit >/dev/null; then echo 'make audit: SKIPPED: pip-audit is not installed'; \
	else pip-audit --disable-pip --require-hashes -s osv --osv-url "$$OSV_URL" -r requirements-dev.lock; fi

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis build dist site *.egg-info
	find . -path ./.git -prune -o -path ./data -prune -o -path ./runs -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || { \
	  echo "Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is $$(command -v $(PYTHON) >/dev/null && $(PYTHON) --version 2>&1 || echo not there). Name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

# pip says a line for each of its hundred packages; the large ones are enough to see that it moves. Its warnings stay in
# .venv/pip.errors, and its errors are shown. Then the checkout itself is installed, so that `import captioner` works in any
# folder. The stamp is touched only if pip succeeds, since the status of a pipe is that of its last command.
PIP := $(BIN)/python -m pip --disable-pip-version-check
define install
	@echo "Installing $< into .venv ($(1)) …"
	@rm -f $@
	@{ $(PIP) install --require-hashes -r $< 2>.venv/pip.errors && $(PIP) install --quiet --no-deps --editable . 2>>.venv/pip.errors && touch $@; } \
	  | grep --line-buffered -oE '(Downloading|Using cached) [^ ]+ \([0-9.]+ [MG]B\)|Installing collected packages'; \
	  test -f $@ || { grep -v '^WARNING' .venv/pip.errors >&2; false; }
endef

.venv/.installed-use: requirements.lock pyproject.toml | .venv/.made
	$(call install,0.7 GB to download and 2.4 GB on disk)

.venv/.installed-dev: requirements-dev.lock pyproject.toml | .venv/.made
	$(call install,1.2 GB to download and 3.8 GB on disk)

# mkdocstrings reads the sources without importing them, so the site needs no TensorFlow.
.venv/.installed-docs: requirements-docs.lock | .venv/.made
	@echo "Installing $< into .venv …"
	@$(PIP) install --quiet --require-hashes -r $< 2>.venv/pip.errors && touch $@ || { grep -v '^WARNING' .venv/pip.errors >&2; false; }
