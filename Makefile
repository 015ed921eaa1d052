# Everything runs from .venv, which is built from the lock files; nothing outside this folder is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_WORKERS ?= 2
# The rooms one at a time, on SQLite; what needs PostgreSQL, a browser, Node or whole processes, and the corpora, is in
# `make test`.
# What takes long, or many parts together, is left to `make test`.
WITHOUT := $(addprefix collect/test_,many_sources collecting page_sources sent_once manners copies illustrating parsing \
    pictures feed_properties feed page_facts pushed) \
  $(addprefix compose/test_,composing edits) config/test_any_text members/test_exchange \
  $(addprefix net/test_,client body_budget) \
  $(addprefix render/test_,look any_message hostile_articles tracing fitting documents) \
  $(addprefix schedule/test_,work freshness collections streams running cohorts trimming gatekeeping editing languages \
    reachability) \
  $(addprefix store/test_,articles_at_scale targeting domain_limits)
UNITS := $(addprefix tests/,collect compose config members net render schedule store) \
  $(patsubst %,--ignore tests/%.py,$(WITHOUT)) \
  $(addprefix --ignore ,$(wildcard tests/collect/test_corpus_*.py))
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test check units lint soak bench looks words lock clean

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.ready ## Set up, then do the whole main job on sample data and show where to look
	@$(BIN)/newsletter demo

test: $(VENV)/.ready-dev lint ## Set up, then lint, types, import contract and every test
	@$(BIN)/python -m tests.support.prepare
	@$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist worksteal

check: $(VENV)/.ready-dev lint units ## Lint, types, import contract and unit tests, in under a minute

lint: $(VENV)/.ready-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --config pyproject.toml

units: $(VENV)/.ready-dev
	@$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist worksteal --without-postgresql $(UNITS)

soak: $(VENV)/.ready-dev ## The long runs at full size that `make test` samples, and the mutants
	@$(BIN)/python -m tests.support.prepare
	@$(BIN)/python -m pytest -m "soak or fault"

bench: $(VENV)/.ready-dev ## Measure; prints JSON
	@$(BIN)/python -m benchmarks.delivery --json
	@$(BIN)/python -m benchmarks.collect --json
	@$(BIN)/python -m benchmarks.render --json
	@$(BIN)/python -m benchmarks.preview --json
	@$(BIN)/python -m benchmarks.preference_page --json
	@$(BIN)/python -m benchmarks.target --json
	@$(BIN)/python -m benchmarks.preferences --json

looks: $(VENV)/.ready-dev ## Take the pictures of docs/images and the references of the tests anew; look at them before you commit
	@$(BIN)/python -m tests.support.prepare
	@$(BIN)/python -m tests.judges.shots

words: $(VENV)/.ready ## Bring the catalogues of the shipped words up to date with templates and code
	@$(BIN)/pybabel -q extract -F babel.cfg -c L10N: --add-location=file --no-wrap --sort-by-file -o $(VENV)/newsletter.pot .
	@$(BIN)/pybabel -q update -D newsletter -i $(VENV)/newsletter.pot -d templates/locale --no-wrap --no-fuzzy-matching \
	  --ignore-obsolete --ignore-pot-creation-date
	@echo "See templates/locale; tests/render/test_words.py names what is left to translate."

lock: ## Write the lock files anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -q \
	  pyproject.toml --extra speed --group build -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -q \
	  pyproject.toml --extra speed --group build --group dev -c requirements.lock -o requirements-dev.lock
	for name in node postgresql; do \
	  uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -q \
	    --group pyproject.toml:$$name -c requirements-dev.lock -o tests/locks/$$name.lock; done

clean: ## Remove what make made
	rm -rf $(VENV) demo tests/judges/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "newsletter needs Python 3.11 or newer (make PYTHON=python3.12 …)")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what requirements.lock names …"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.lock
	@echo "Installing what requirements-dev.lock names …"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
