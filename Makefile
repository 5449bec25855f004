# Each target sets up what it needs in .venv, and is quick the second time.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development

.DEFAULT_GOAL := help
.PHONY: help demo test chaos lint format lock clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## Run a whole promotion on an embedded system, from nothing
	@$(BIN)/promote demo

# More processes than small machines have cores, since most tests wait for servers and timers.
# Bytecode is written also where the environment says not to: many short processes start from it,
# and each workflow run loads the workflows' modules anew.
test: $(DEVELOPMENT) ## Run all tests
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

chaos: $(DEVELOPMENT) ## Run the chaos tests in their long form
	@PROMOTE_CHAOS=long $(BIN)/python -m pytest tests/chaos

lint: $(DEVELOPMENT) ## Check format, lint rules, types and the import rule
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(DEVELOPMENT) ## Format the code and fix what can be fixed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: $(DEVELOPMENT) ## Resolve the dependencies of pyproject.toml anew into requirements/
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --upgrade \
		pyproject.toml --group build -o requirements/runtime.txt
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --upgrade \
		pyproject.toml --group dev -o requirements/development.txt

clean: ## Remove the environment and all local state
	@rm -rf $(VENV) .promote

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; say which with: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "installing the locked dependencies into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEVELOPMENT): requirements/development.txt pyproject.toml | $(RUNTIME)
	@echo "installing the locked development tools into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/development.txt
	@touch $@
