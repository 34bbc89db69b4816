# Every target that needs the development environment makes it first. `make` alone lists the targets.
# Another interpreter: `make distclean env PYTHON=python3.12`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help env demo test lint types imports pytest mcu mcu-tools fuzz stress format lock wheel wheel-check oldest-check clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

env: $(INSTALLED) ## make .venv from requirements.lock and install edgedigits into it, editable

# The stamp goes first and comes back last: without it an environment is half-made, and is made anew.
$(INSTALLED): requirements.lock pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { \
	    echo "make env: no '$(PYTHON)' here; name a Python 3.10 to 3.13: make env PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 13) else \
	    "make env: expected Python 3.10 to 3.13, found %d.%d; name another: make env PYTHON=python3.12" % v)'
	@test -f $@ || rm -rf $(VENV)
	@rm -f $@
	@test -d $(VENV) || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: env ## the whole way: train, export, verify, bench, predict, report (in build/demo)
	$(BIN)/edgedigits demo --out build/demo

test: lint types imports pytest ## all checks: format, lint, types, import rules, tests with coverage

lint: env ## ruff: format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: env ## mypy, strict
	$(BIN)/mypy

imports: env ## import-linter: who may import whom
	$(BIN)/lint-imports

pytest: env ## the tests, with coverage of the two packages
	$(BIN)/pytest --cov -m "not mcu and not stress"

MCU_TOOLS := arm-none-eabi-gcc qemu-system-arm
MCU_PACKAGES := gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm

mcu: mcu-tools env ## build the C code for a Cortex-M3 and a Cortex-M0 and run it there, in QEMU
	$(BIN)/pytest -m mcu -v tests/export/test_firmware.py

mcu-tools:
	@for tool in $(MCU_TOOLS); do command -v $$tool >/dev/null || { \
	    echo "make mcu: no $$tool here; on Debian: apt-get install $(MCU_PACKAGES)" >&2; exit 1; }; done

SECONDS ?= 60
SEED ?= 0
fuzz: env ## damaged files through every reader (make fuzz SECONDS=60 SEED=1: seconds for each reader)
	$(BIN)/python tests/fuzz/fuzz.py --seconds $(SECONDS) --seed $(SEED)

stress: env ## the tests that take minutes: fifty kills, a minute of threads, ten million predictions
	$(BIN)/pytest -m stress

format: env ## let ruff format the code and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: env ## write requirements.lock for pyproject.toml (newest versions: make lock LOCK_FLAGS=--upgrade)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --extra dev --generate-hashes \
	    --no-annotate --custom-compile-command "make lock" $(LOCK_FLAGS) --output-file requirements.lock pyproject.toml
	@! grep -n '://' requirements.lock || { echo "make lock: requirements.lock must name no host" >&2; exit 1; }

wheel: env ## build the wheel into dist/
	@rm -f dist/*.whl
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w dist .
	@ls dist/*.whl

# The base dependencies are held to the locked versions, without their hashes: a wheel built here has none in the lock.
wheel-check: wheel ## install the wheel alone in a clean environment and predict digits there
	@set -eu; clean=$$(mktemp -d); trap 'rm -rf "$$clean"' EXIT; trap 'exit 130' INT TERM; \
	sed -n 's/^\([A-Za-z0-9].*[^ ]\) *\\$$/\1/p' requirements.lock > "$$clean/constraints.txt"; \
	$(BIN)/python -m venv "$$clean/venv"; \
	"$$clean/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
	    -c "$$clean/constraints.txt" dist/*.whl; \
	"$$clean/venv/bin/python" -I tests/check_wheel.py tests/golden/pictures

# Model files of today have to load in the oldest onnxruntime that pyproject.toml allows.
oldest-check: wheel ## the same with the oldest base dependencies that there are for this Python
	@set -eu; clean=$$(mktemp -d); trap 'rm -rf "$$clean"' EXIT; trap 'exit 130' INT TERM; \
	$(BIN)/python -m venv "$$clean/venv"; \
	$(BIN)/uv pip install --quiet --resolution lowest-direct --python "$$clean/venv/bin/python" -r pyproject.toml; \
	$(BIN)/uv pip install --quiet --no-deps --python "$$clean/venv/bin/python" dist/*.whl; \
	"$$clean/venv/bin/python" -c 'import onnxruntime as o; print("oldest-check: onnxruntime", o.__version__)'; \
	for model in models/*.onnx models/*.ort; do \
	    "$$clean/venv/bin/edgedigits" predict --model $$model tests/golden/pictures/0-paint.png | grep -q ': 0 ' || { \
	        echo "oldest-check: $$model does not read a 0 there" >&2; exit 1; }; \
	    echo "oldest-check: $$model opens and reads a 0"; \
	done; \
	"$$clean/venv/bin/python" -I tests/check_wheel.py tests/golden/pictures

clean: ## remove what was built, and the caches
	rm -rf build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the environment as well
	rm -rf $(VENV)
