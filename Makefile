# Two commands matter: `make demo` runs the product, `make test` tests it.
PYTHON ?= python3
PY := .venv/bin/python

.PHONY: demo serve test lint bench help compile
help:  ## what this Makefile can do
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: .venv/runtime  ## run Bellwether with sample data on http://127.0.0.1:8000 (PORT=… for another port)
	@exec $(PY) manage.py demo

test: .venv/dev  ## run every test
	@$(PY) -m pytest $(ARGS)

lint: .venv/dev  ## style, types, layers
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

bench: .venv/dev  ## what everything costs, beside its peers (twenty minutes; needs wrk)
	@$(PY) -m bench.reads
	@$(PY) -m bench.fanout --growth
	@$(PY) -m bench.trades --million
	@$(PY) -m bench.size
	@$(PY) -m bench.admin

serve: .venv/runtime  ## several processes of granian; needs DATABASE_URL, REDIS_URL and the rest of .env (WORKERS=4 PORT=8000)
	@exec $(PY) -m granian --interface asgi --host $(or $(HOST),127.0.0.1) --port $(or $(PORT),8000) --workers $(or $(WORKERS),2) --backpressure 20000 config.asgi:application

compile: .venv/dev  ## requirements*.txt from pyproject.toml
	@$(PY) -m uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -q -o requirements.txt
	@$(PY) -m uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -q -c requirements.txt -o requirements-dev.txt

.venv/runtime: requirements.txt
	@$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'Bellwether needs Python 3.11 or newer; this is %d.%d. Try: make PYTHON=python3.12 demo' % sys.version_info[:2])"
	@$(PYTHON) -c "import venv, ensurepip" 2>/dev/null || { echo "This Python has no venv module. On Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing into .venv …"
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/dev: requirements-dev.txt .venv/runtime
	@echo "Installing what tests and lint need …"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@
