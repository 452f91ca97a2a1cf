# `make demo` shows it all; `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
UV = $$(command -v uv || echo $(VENV)/bin/uv)
STAMP := $(VENV)/.installed
# Two at once, because much of the time is waiting for servers to start.
PYTEST = $(RUN) -m pytest -n 2 --dist loadscope --no-loadscope-reorder --durations 15
LOCKS := requirements.lock requirements-dev.lock
# A dozen processes import the same 2,000 modules; compiling them anew takes each 6 s.
unexport PYTHONDONTWRITEBYTECODE
PAGES := node_modules/.installed
# Of `python -m ml bench`; those of the platform and of real images have lines of their own.
BENCHMARKS := synth text classifier detector variation fusion explain cleaning audit copies \
	scan select label-efficiency

.PHONY: help setup lock demo up down status test test-fast check bench faults screenshots

help:
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup: $(STAMP) $(PAGES) ## make .venv and node_modules from the lock files

$(STAMP): $(LOCKS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.11 …" >&2; exit 2; }
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@command -v uv >/dev/null || test -x $(VENV)/bin/uv \
		|| $(VENV)/bin/pip install --quiet --disable-pip-version-check uv
	@echo "installing what the lock files name"
	@$(UV) pip install --quiet --python $(RUN) --no-deps --require-hashes $(LOCKS:%=-r %)
	@touch $@

# Node comes with .venv; npm looks for it on the PATH.
$(PAGES): package.json package-lock.json $(STAMP)
	@echo "installing what the pages take from npm"
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" npm ci
	@touch $@

lock: $(STAMP) ## resolve requirements*.in anew
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --override overrides.txt requirements.in -o requirements.lock
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --override overrides.txt -c requirements.lock \
		requirements-dev.in -o requirements-dev.lock
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url requirements-label-studio.in -o requirements-label-studio.lock

demo: setup ## start everything, load a generated brand world, run two whole rounds
	@$(RUN) manage.py demo

up: setup ## start the platform in the background
	@$(RUN) manage.py up --detach

down: setup ## stop all that runs
	@$(RUN) manage.py down

status: setup ## what runs, and where
	@$(RUN) manage.py status

test: setup ## the whole suite, on real services
	@$(PYTEST)

test-fast: setup ## without the slow ones
	@$(PYTEST) -m "not slow"

check: setup ## style, types, import contracts, migrations, templates, translations, compose file
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(RUN) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(RUN) manage.py check_templates
	$(RUN) -W ignore::RuntimeWarning manage.py check_translations
	@.ci/check-compose

bench: setup ## all benchmarks in their quick form (FULL=1: whole); with DATA=DIR also real images
	@set -e; for name in $(BENCHMARKS); do \
		echo "$$name"; \
		$(RUN) -m ml bench $$name $(if $(FULL),,--quick) --json var/bench/$$name.json; \
	done
	@$(RUN) benchmarks/case_search.py
ifdef DATA
	@$(RUN) benchmarks/real_data.py prepare --data $(DATA) --out var/bench/real
	@$(RUN) manage.py up --detach
	@sh var/bench/real/ingest.sh
	@$(RUN) manage.py loop --rounds 2 --simulate --truth var/bench/real/truth --json var/bench/loop.json \
		--config '{"budget": {"brand": 200, "boxes": 40, "variation": 0}}'
	@$(RUN) benchmarks/real_data.py report --json var/bench/report.json
	@$(RUN) benchmarks/real_models.py --data $(DATA) --json var/bench/real_models.json \
		$(if $(FULL),--seeds 3,--quick)
else
	@echo "for real images as well: make bench DATA=DIR"
endif

screenshots: setup ## make the pictures of the guides anew (needs Chromium)
	@$(RUN) -m docs.draw_dials
	@$(RUN) -W ignore -m docs.make_screenshots

faults: setup ## kill every process at every step of a round, and print what became of it
	@$(RUN) -m tests.e2e.faults
	@$(RUN) -m pytest tests/webapp/test_supervisor_faults.py
