# Every target sets up what it needs, in a virtual environment of its own.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BACKEND ?= jax
BACKENDS ?= tensorflow jax torch
PYTEST_ARGS ?= -n 2

DEMO = .venv-$(BACKEND)
DEV = .venv
LOWEST = .venv-lowest
NEWEST = .venv-newest
MUTATION = .venv-mutation
# What is imported is compiled then, and kept, also where the environment says that Python
# writes no bytecode: a test that starts a process would compile a backend each time.
export PYTHONDONTWRITEBYTECODE =
INSTALL = bin/pip install --quiet --disable-pip-version-check --no-compile
PINNED = -c tests/constraints.txt
PYTEST = -m pytest --durations 20 --durations-min 2 $(PYTEST_ARGS)
# Most of the time of the tests on JAX is compilation of single operations. XLA's older
# emitters, without optimizations, do it faster, and on TensorFlow, too.
XLA_OLD = --xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false \
	--xla_cpu_parallel_codegen_split_count=1
XLA_QUICK = --xla_backend_optimization_level=0 $(XLA_OLD)
# Two test processes share two cores: one thread for each. What one process compiled the
# other finds in a cache, as the next run does.
TEST_ENV = MPLBACKEND=agg OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_CPP_MIN_LOG_LEVEL=3 \
	XLA_FLAGS="$(XLA_QUICK)" \
	JAX_DISABLE_MOST_OPTIMIZATIONS=1 JAX_COMPILATION_CACHE_DIR=$(CURDIR)/.cache/jax \
	JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1
BACKEND_TESTS = $(addprefix test-,tensorflow jax torch)

.PHONY: demo check test test-free test-examples $(BACKEND_TESTS) nightly lowest newest \
	onnx test-sdist test-wheel coverage lint types docs fuzz fuzz-files mutate check-site check-browser serve clean

# A model that trains for seconds compiles for as long: here some optimizations are worth it.
demo: $(DEMO)/ready
	KERAS_BACKEND=$(BACKEND) MPLBACKEND=agg TF_CPP_MIN_LOG_LEVEL=3 \
		XLA_FLAGS="--xla_backend_optimization_level=1 $(XLA_OLD)" \
		$(DEMO)/bin/python examples/quickstart.py

# All that must hold. `make -j 2 check` keeps two cores busy, with one process a job; the
# longest jobs start first.
check: PYTEST_ARGS =
check: lint types test-jax check-site test

test: $(addprefix test-,$(BACKENDS)) test-free test-examples
	@echo "All tests passed on: $(BACKENDS)"

# What is the same on every backend runs once, on PyTorch, which compiles nothing.
test-free: $(DEV)/ready
	@echo "== Tests of what needs no backend"
	KERAS_BACKEND=torch $(TEST_ENV) $(DEV)/bin/python $(PYTEST) \
		-m "backend_free and not nightly"

$(BACKEND_TESTS): test-%: $(DEV)/ready
	@echo "== Tests on $*"
	KERAS_BACKEND=$* $(TEST_ENV) $(DEV)/bin/python $(PYTEST) \
		-m "not backend_free and not nightly"

# Every example runs once: as a test, and its page of the documentation shows that run.
test-examples: $(DEV)/ready
	@echo "== Tests of the examples"
	KERAS_BACKEND=torch $(TEST_ENV) $(DEV)/bin/python $(PYTEST) tests/examples

test-torch: PYTEST_ARGS += --ignore tests/examples

# What takes long and seldom fails: every example on every backend, all families of
# generators in every product, and the compilers of the backends.
nightly: $(DEV)/ready
	@for backend in $(BACKENDS); do \
		echo "== Nightly tests on $$backend"; \
		KERAS_BACKEND=$$backend $(TEST_ENV) $(DEV)/bin/python $(PYTEST) -m nightly \
			|| failed="$$failed $$backend"; \
	done; \
	echo "== Algebras, with ten times as many draws"; \
	KERAS_BACKEND=torch NIGHTLY=1 $(TEST_ENV) $(DEV)/bin/python $(PYTEST) tests/algebra \
		|| failed="$$failed algebra"; \
	if [ -n "$$failed" ]; then echo "Nightly tests FAILED on:$$failed"; exit 1; fi

# Values that may be wrong, for every argument of all that is public: `make fuzz CASES=300`.
CASES ?= 10000
SEED ?= 0
fuzz: $(DEV)/ready
	@for backend in $(BACKENDS); do \
		KERAS_BACKEND=$$backend $(TEST_ENV) $(DEV)/bin/python -m tests.fuzz.fuzz \
			--cases $(CASES) --seed $(SEED) || failed="$$failed $$backend"; \
	done; \
	if [ -n "$$failed" ]; then echo "Violations on:$$failed"; exit 1; fi

# Edited and hostile files of models, which must be harmless.
FILES ?= 2000
fuzz-files: $(DEV)/ready
	KERAS_BACKEND=torch $(TEST_ENV) $(DEV)/bin/python -m tests.fuzz.files \
		--files $(FILES) --seed $(SEED)

# Faults that are put into the package, and how many of them its tests notice:
# `make mutate AREAS=generators SAMPLE=30`.
AREAS ?= generators layers algebra discovery physics steerable models convert training
SAMPLE ?= 20
mutate: $(MUTATION)/ready
	KERAS_BACKEND=torch $(TEST_ENV) nice $(MUTATION)/bin/python -m tests.mutation.mutate \
		--areas $(AREAS) --sample $(SAMPLE) --seed $(SEED)

# Every layer in ONNX Runtime, from each backend, and in OpenVINO, from PyTorch.
onnx: $(DEV)/onnx
	@for backend in $(BACKENDS); do \
		echo "== Layers in ONNX, from $$backend"; \
		KERAS_BACKEND=$$backend $(TEST_ENV) $(DEV)/bin/python $(PYTEST) \
			-m nightly tests/layers/test_formats.py || failed="$$failed $$backend"; \
	done; \
	if [ -n "$$failed" ]; then echo "ONNX FAILED from:$$failed"; exit 1; fi

# The oldest versions that pyproject.toml admits.
lowest: $(LOWEST)/ready
	@echo "== Tests with the oldest dependencies"
	KERAS_BACKEND=jax $(TEST_ENV) $(LOWEST)/bin/python $(PYTEST) -m "not nightly"

# The newest versions that there are, and what Keras will be.
newest: $(NEWEST)/ready
	@echo "== Tests with the newest dependencies"
	KERAS_BACKEND=jax $(TEST_ENV) $(NEWEST)/bin/python $(PYTEST) -m "not nightly"

# The source distribution holds what its own tests need.
test-sdist: $(DEV)/ready
	rm -rf build/sdist && mkdir -p build/sdist
	$(DEV)/bin/python -m build --quiet --sdist --outdir build/sdist
	tar -xzf build/sdist/*.tar.gz -C build/sdist --strip-components 1
	cd build/sdist && KERAS_BACKEND=torch $(TEST_ENV) $(CURDIR)/$(DEV)/bin/python \
		$(PYTEST) -m "backend_free and not nightly"

# What users install: the wheel, in an environment of its own for each backend, where the
# README runs, and where type checkers look at the package from outside.
PACKAGE = build/package
test-wheel: $(DEV)/package
	rm -rf $(PACKAGE) && mkdir -p $(PACKAGE)
	$(DEV)/bin/python -m build --quiet --outdir $(PACKAGE)
	$(DEV)/bin/twine check --strict $(PACKAGE)/*
	@for backend in $(BACKENDS); do \
		echo "== The wheel on $$backend"; \
		$(PYTHON) -m venv --clear $(PACKAGE)/$$backend \
		&& $(PACKAGE)/$$backend/$(INSTALL) $(PINNED) \
			"keras-lconv[$$backend] @ file://$$(echo $(CURDIR)/$(PACKAGE)/*.whl)" \
		&& cp tests/outside/typed.py $(PACKAGE) && (cd $(PACKAGE) && KERAS_BACKEND=$$backend TF_CPP_MIN_LOG_LEVEL=3 $$backend/bin/python \
			$(CURDIR)/tests/outside/first_use.py $(CURDIR)/README.md \
		&& $(abspath $(DEV))/bin/mypy --config-file= --strict \
			--python-executable $$backend/bin/python typed.py \
		&& $(abspath $(DEV))/bin/pyright --pythonpath $$backend/bin/python typed.py) \
		|| failed="$$failed $$backend"; \
	done; \
	if [ -n "$$failed" ]; then echo "The wheel FAILED on:$$failed"; exit 1; fi

# Lines and branches that the daily tests reach, over all backends together.
coverage: $(DEV)/package
	rm -f .coverage .coverage.*
	@for backend in $(BACKENDS); do \
		echo "== Coverage on $$backend"; \
		KERAS_BACKEND=$$backend $(TEST_ENV) $(DEV)/bin/coverage run -m pytest -q \
			--ignore tests/examples -m "not nightly" || exit 1; \
	done
	$(DEV)/bin/coverage combine --quiet
	$(DEV)/bin/coverage report --skip-covered

lint: $(DEV)/ready
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .

types: $(DEV)/ready
	$(DEV)/bin/mypy
	$(DEV)/bin/mypy tests/outside/typed.py

docs: test-examples
	KERAS_BACKEND=torch $(DEV)/bin/mkdocs build --strict

check-site: docs
	$(DEV)/bin/python docs/_tools/check_site.py site

check-browser: docs
	$(DEV)/bin/python docs/_tools/check_browser.py site

serve: $(DEV)/ready
	KERAS_BACKEND=torch $(DEV)/bin/mkdocs serve

clean:
	rm -rf .venv* build dist site outputs .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(DEMO)/ready: pyproject.toml tests/constraints.txt
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/$(INSTALL) $(PINNED) -e ".[$(BACKEND),examples]"
	touch $@

$(DEV)/ready: pyproject.toml tests/constraints.txt
	$(PYTHON) -m venv $(DEV)
	$(DEV)/$(INSTALL) $(PINNED) torch
	$(DEV)/$(INSTALL) $(PINNED) -e ".[tensorflow,jax,torch,dev]"
	touch $@

$(DEV)/onnx: $(DEV)/ready
	$(DEV)/$(INSTALL) $(PINNED) -e ".[onnx]"
	touch $@

$(DEV)/package: $(DEV)/ready
	$(DEV)/$(INSTALL) $(PINNED) -e ".[package]"
	touch $@

$(MUTATION)/ready: pyproject.toml tests/constraints.txt
	$(PYTHON) -m venv $(MUTATION)
	$(MUTATION)/$(INSTALL) $(PINNED) -e ".[torch,test,mutation]"
	touch $@

$(LOWEST)/ready: pyproject.toml tests/lowest.txt
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/$(INSTALL) -c tests/lowest.txt -e ".[jax,test]"
	touch $@

$(NEWEST)/ready: pyproject.toml
	$(PYTHON) -m venv $(NEWEST)
	$(NEWEST)/$(INSTALL) --upgrade -e ".[jax,test]"
	$(NEWEST)/bin/pip uninstall --quiet --yes keras
	$(NEWEST)/$(INSTALL) --upgrade keras-nightly
	touch $@
