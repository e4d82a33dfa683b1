# Every target sets up what it needs, in a virtual environment of its own.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BACKEND ?= jax
BACKENDS ?= tensorflow jax torch
PYTEST_ARGS ?= -n 2

DEMO = .venv-$(BACKEND)
DEV = .venv
PYTEST = $(DEV)/bin/python -m pytest $(PYTEST_ARGS)
INSTALL = bin/pip install --quiet --disable-pip-version-check -c tests/constraints.txt
# Two test processes share two cores: one thread for each. Most of the time of the tests on
# JAX is compilation. They leave out optimizations, and what one process compiled the other
# finds in a cache, as the next run does.
TEST_ENV = OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_CPP_MIN_LOG_LEVEL=3 \
	JAX_DISABLE_MOST_OPTIMIZATIONS=1 JAX_COMPILATION_CACHE_DIR=$(CURDIR)/.cache/jax \
	JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1

.PHONY: demo test lint types docs check-site check-browser serve clean

demo: $(DEMO)/ready
	KERAS_BACKEND=$(BACKEND) MPLBACKEND=agg TF_CPP_MIN_LOG_LEVEL=3 \
		$(DEMO)/bin/python examples/quickstart.py

# tests/algebra is NumPy only. It runs once, whatever the backends.
test: $(DEV)/ready
	@failed=""; \
	echo "== Tests of what needs no backend"; \
	KERAS_BACKEND=$(firstword $(BACKENDS)) $(TEST_ENV) $(PYTEST) tests/algebra \
		|| failed="$$failed algebra"; \
	for backend in $(BACKENDS); do \
		echo "== Tests on $$backend"; \
		KERAS_BACKEND=$$backend MPLBACKEND=agg $(TEST_ENV) $(PYTEST) --ignore=tests/algebra \
			|| failed="$$failed $$backend"; \
	done; \
	if [ -n "$$failed" ]; then echo "Tests FAILED on:$$failed"; exit 1; fi; \
	echo "All tests passed on: $(BACKENDS)"

lint: $(DEV)/ready
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .

types: $(DEV)/ready
	$(DEV)/bin/mypy

docs: $(DEV)/ready
	KERAS_BACKEND=jax $(DEV)/bin/mkdocs build --strict

check-site: docs
	$(DEV)/bin/python docs/_tools/check_site.py site

check-browser: docs
	$(DEV)/bin/python docs/_tools/check_browser.py site

serve: $(DEV)/ready
	KERAS_BACKEND=jax $(DEV)/bin/mkdocs serve

clean:
	rm -rf .venv* build dist site outputs .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(DEMO)/ready: pyproject.toml tests/constraints.txt
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/$(INSTALL) -e ".[$(BACKEND),examples]"
	touch $@

$(DEV)/ready: pyproject.toml tests/constraints.txt
	$(PYTHON) -m venv $(DEV)
	$(DEV)/$(INSTALL) torch
	$(DEV)/$(INSTALL) -e ".[tensorflow,jax,torch,dev]"
	touch $@
