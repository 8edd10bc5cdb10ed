# Every target sets itself up from a bare Python 3.11 or newer; the venv is made once and reused.
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: demo test search lint format screenshots docs browser shells bench soak dist requirements clean

demo: $(STAMP)
	@$(BIN)/jobdeck demo

# Without byte code every worker of every run would compile all tests anew: four seconds of CPU each.
test: $(STAMP)
	@env -u NO_COLOR -u TEXTUAL_THEME -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest

# Other examples of the property tests than the suite's; what fails is kept in .hypothesis and tried first next time.
search: $(STAMP)
	@$(BIN)/python -m pytest -m hypothesis --hypothesis-profile=search

lint: $(STAMP)
	@$(BIN)/ruff format --check src tests benchmarks screenshots docs
	@$(BIN)/ruff check src tests benchmarks screenshots docs
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@.ci/audit $(BIN)/python $(BIN)/pip-audit

format: $(STAMP)
	@$(BIN)/ruff format src tests benchmarks screenshots docs
	@$(BIN)/ruff check --fix src tests benchmarks screenshots docs

screenshots: $(STAMP)
	@env -u NO_COLOR -u TEXTUAL_THEME $(BIN)/python screenshots/make.py
	@$(BIN)/python -m screenshots.browser
	@$(BIN)/python screenshots/readme_keys.py

docs: $(STAMP)
	@$(BIN)/python docs/make.py

# The browser of the tests of `jobdeck serve`, which are skipped without one.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || \
		{ command -v apt-get >/dev/null && test "$$(id -u)" = 0 && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 || \
		echo "no Chromium here, and no way to install one"

# The shells and terminals of the tests that are in real ones; each is skipped by name where it is missing.
SHELLS := zsh fish tmux screen
shells:
	@for each in $(SHELLS); do command -v $$each >/dev/null || missing="$$missing $$each"; done; \
		test -z "$$missing" || { command -v apt-get >/dev/null && test "$$(id -u)" = 0 && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; } >/dev/null 2>&1 || \
		echo "not here, and no way to install it:$$missing"

bench: $(STAMP)
	@$(BIN)/python -m benchmarks $(if $(FULL),--full)

dist: $(STAMP)
	@rm -rf dist
	@$(BIN)/python -m hatchling build -d dist

# Ten minutes, which are ten simulated hours: make soak SECONDS=60 is one.
soak: $(STAMP)
	@$(BIN)/python -m benchmarks.soak $(if $(SECONDS),--seconds $(SECONDS))

# Pins every dependency by version and hash; no registry's host is written down.
requirements: $(STAMP)
	@$(BIN)/pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url pyproject.toml -o requirements/runtime.txt --upgrade
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url pyproject.toml --group dev -o requirements/dev.txt --upgrade

$(STAMP): requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "jobdeck needs Python 3.11 or newer on the PATH"; exit 2; }
	@echo "Preparing $(VENV) with $(PYTHON) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $(STAMP)

clean:
	@rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
