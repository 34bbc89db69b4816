# Every target that needs the development environment makes it first. `make` alone lists the targets.
# Another interpreter: `make distclean env PYTHON=python3.12`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# How a lock is installed: nothing is resolved, so that a release which came out since changes nothing, and nothing is built.
PIP := -m pip --disable-pip-version-check
LOCKED := $(PIP) install --quiet --no-deps --only-binary=:all: --require-hashes -r

.DEFAULT_GOAL := help
.PHONY: help env install-locked docs docs-page docs-output demo test lint types imports pytest mcu mcu-tools mcu-packages wasm scripts page-packages fuzz stress format lock wheel \
    wheel-check oldest-check newest-check frozen-check arm-check arm-packages clean distclean

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
	$(BIN)/python $(LOCKED) requirements.lock
	$(BIN)/python $(PIP) install --quiet --no-deps --no-build-isolation -e .
	@$(BIN)/python $(PIP) check >&2
	@touch $@

# For the tests: make install-locked INTO=a-python LOCK=a-lock
install-locked:
	@"$(INTO)" $(LOCKED) "$(LOCK)"
	@"$(INTO)" $(PIP) check

demo: env ## the whole way: train, export, verify, bench, predict, report (in build/demo)
	$(BIN)/edgedigits demo --out build/demo

test: lint types imports pytest ## all checks: format, lint, types, import rules, tests

lint: env ## ruff: format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: env ## mypy, strict
	$(BIN)/mypy

imports: env ## import-linter: who may import whom
	$(BIN)/lint-imports

# A worker on each core, and no threads beside it that wait for one; what one process has compiled serves the hundreds
# that the tests start.
TESTS_ENV := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 PYTHONDONTWRITEBYTECODE=

# Following Python line by line takes a third longer: continuous integration does it, with COVERAGE=--cov.
COVERAGE ?=
pytest: env ## the tests (make test COVERAGE=--cov: with coverage of the two packages, at least 95 %)
	$(TESTS_ENV) $(BIN)/pytest $(COVERAGE) -n logical --dist worksteal -m "not mcu and not stress"

# Those of the table in export/edgedigits_export/boards/board.py: a board whose tools are not here is left out.
MCU_COMPILERS := arm-none-eabi-gcc riscv64-unknown-elf-gcc avr-gcc
MCU_PACKAGES := gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm \
    gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc gcc-avr binutils-avr avr-libc libsimavr-dev \
    arduino-core-avr

mcu: mcu-tools env ## build the C code for Cortex-M0 and M3, RISC-V and AVR and run it there, in emulators
	$(BIN)/pytest -m mcu -v tests/export/boards tests/export/test_footprint.py

mcu-tools:
	@for tool in $(MCU_COMPILERS); do command -v $$tool >/dev/null && exit 0; done; \
	    echo "make mcu: none of $(MCU_COMPILERS) here; on Debian: apt-get install $(MCU_PACKAGES)" >&2; exit 1

mcu-packages: ## name Debian's packages for `make mcu`
	@echo $(MCU_PACKAGES)

# What the page and the module run. It imports nothing, and nothing in it depends on where it is built: the same compiler
# writes the same bytes, and is named beside them. All of it is small (-Oz, seen as a whole at the end), but the network, which
# is called thousands of times, is quick: a quarter of its time for a fiftieth of the size. Vectors stand in the sources.
PAGE := export/edgedigits_export/page
WASM := $(PAGE)
WASM_PACKAGES := clang lld binaryen
WASM_CC := clang
WASM_FEATURES := --enable-simd --enable-bulk-memory --enable-sign-ext --enable-nontrapping-float-to-int
# Small before quick: a page is downloaded, and browsers strengthen loops by themselves.
WASM_FLAGS := --target=wasm32 -std=c99 -Oz -msimd128 -mbulk-memory -msign-ext -mnontrapping-fptoint -ffreestanding -fvisibility=hidden \
    -fno-vectorize -fno-slp-vectorize -fno-unroll-loops -Wall -Wextra -Wconversion -Werror \
    $(addprefix -mllvm ,-disable-lsr -enable-pre=0 -enable-load-pre=0 -enable-newgvn)
WASM_EXPORTS := allocate mark release network_scratch_bytes network_run prepare_arena_bytes prepare_rgba unpack \
    numbers_arena_bytes numbers_find numbers_line_bytes numbers_line
# numbers.wasm is digits.wasm and what looks for numbers, to which some rooms of the preparation lend more.
WASM_NUMBERS := $(sort $(wildcard $(PAGE)/c/numbers*.c))
WASM_DIGITS := $(filter-out $(WASM_NUMBERS) %/unpack.c,$(sort $(wildcard $(PAGE)/c/*.c)))
# The stack comes first in the memory: what runs over its end is stopped, and overwrites nothing.
WASM_LINK := --no-entry --stack-first -z stack-size=65536 --strip-all --gc-sections
# Nothing is at addresses below 1,024, where the stack would have to end.
WASM_OPT := $(WASM_FEATURES) --low-memory-unused --flatten --rereloop -Oz -Oz --optimize-added-constants-propagate -Oz --converge

wasm: ## build digits.wasm, numbers.wasm and unpack.wasm of export/edgedigits_export/page from page/c (make wasm WASM=folder; `make page-packages` names what it needs)
	@command -v $(WASM_CC) >/dev/null && command -v wasm-ld >/dev/null && command -v wasm-opt >/dev/null || { \
	    echo "make wasm: expected clang, wasm-ld and wasm-opt here; on Debian: apt-get install $(WASM_PACKAGES)" >&2; exit 1; }
	@set -eu; objects=$$(mktemp -d); trap 'rm -rf "$$objects"' EXIT; \
	build() { \
	    name=$$1; flags=$$2; shift 2; rm -f "$$objects"/*.o; \
	    for source in "$$@"; do $(WASM_CC) $(WASM_FLAGS) $$flags -c -o "$$objects/$$(basename $$source .c).o" $$source; done; \
	    wasm-ld $(WASM_LINK) $(WASM_EXPORTS:%=--export-if-defined=%) -o "$$objects/linked.wasm" "$$objects"/*.o; \
	    wasm-opt $(WASM_OPT) "$$objects/linked.wasm" -o "$(WASM)/$$name.wasm"; \
	}; \
	build unpack "" $(PAGE)/c/unpack.c; \
	build digits "" $(WASM_DIGITS); \
	build numbers -DWITH_NUMBERS $(WASM_DIGITS) $(WASM_NUMBERS)
	@{ $(WASM_CC) --version | sed -n '1{s| *(.*||;p}'; wasm-opt --version; } > "$(WASM)/wasm.compiler"
	@ls -l "$(WASM)"/*.wasm

page-packages: ## name Debian's packages for `make wasm` and `make scripts`
	@echo $(WASM_PACKAGES) $(SCRIPTS_PACKAGES)

SCRIPTS := $(PAGE)
SCRIPTS_PACKAGES := esbuild
# Of a page of digits, and of one of numbers: parts of the module in one block, and the page's own in another one within it.
scripts: ## make the scripts and styles of export/edgedigits_export/page small anew (make scripts SCRIPTS=folder)
	@command -v esbuild >/dev/null || { echo "make scripts: expected esbuild here; on Debian: apt-get install $(SCRIPTS_PACKAGES)" >&2; exit 1; }
	@set -eu; cd $(PAGE); \
	script() { \
	    { echo '"use strict";{'; cat $$2 | sed 's/^export //; s/"@FACTS@"/said.facts/; s/"@NUMBERS@"/said.numbers/'; echo '{'; cat script.js $$3; echo '}}'; } \
	        | esbuild --minify > "$(abspath $(SCRIPTS))/$$1.min.js"; }; \
	script page digits.mjs digit_page.js; \
	script numbers "digits.mjs numbers_path.mjs numbers_signs.mjs numbers_form.mjs numbers.mjs" numbers_page.js; \
	for file in start.js style.css numbers.css; do esbuild --minify $$file > "$(abspath $(SCRIPTS))/$${file%.*}.min.$${file##*.}"; done; \
	echo "esbuild $$(esbuild --version)" > "$(abspath $(SCRIPTS))/scripts.compiler"

SECONDS ?= 60
SEED ?= 0
fuzz: env ## damaged files through every reader (make fuzz SECONDS=60 SEED=1: seconds for each reader)
	$(BIN)/python tests/fuzz/fuzz.py --seconds $(SECONDS) --seed $(SEED)

stress: env ## the tests that take minutes: two hundred kills, ten million predictions, all cases of a kind
	$(BIN)/pytest -m stress

# The page of the network that is used where none is named, for readers who have nothing installed: as export writes it.
docs-page: env ## make docs/digits.html anew: the page of the default network, after any change of a page
	@set -eu; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(BIN)/edgedigits export models/hands/digits.keras --format page --out "$$folder"; \
	install -m 644 "$$folder/digits.html" docs/digits.html

# Material says in every build that MkDocs 2 is none of its own: pyproject.toml asks for less than 2.
docs: env ## build the documentation's site into build/site, strict, to be read offline (build/site/index.html)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-output: env ## write the outputs in README and docs/ anew that commands no longer have as shown (make docs-output PAGES=docs/diff.md)
	$(BIN)/python tests/pages/blocks.py $(PAGES)

format: env ## let ruff format the code and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

COMPILE := uv pip compile --quiet --universal --generate-hashes --no-annotate --no-strip-extras --custom-compile-command "make lock"
lock: env ## write requirements.lock for pyproject.toml (newest versions: make lock LOCK_FLAGS=--upgrade)
	$(BIN)/$(COMPILE) $(LOCK_FLAGS) --python-version 3.10 --extra dev --output-file requirements.lock pyproject.toml
	@for python in 3.10 3.11 3.12 3.13 3.14; do \
	    $(BIN)/$(COMPILE) $(LOCK_FLAGS) --no-config --python-version $$python --resolution lowest-direct --no-build \
	        --output-file tests/install/oldest-$$python.lock pyproject.toml || exit 1; done
	@! grep -n '://' requirements.lock tests/install/oldest-*.lock || { echo "make lock: a lock must name no host" >&2; exit 1; }
	$(BIN)/python $(LOCKED) requirements.lock
	$(BIN)/python tests/install/locks.py record
	$(BIN)/python tests/install/locks.py diff > .github/diff.lock

wheel: env ## build the wheel into dist/
	@rm -f dist/*.whl
	$(BIN)/python $(PIP) wheel --quiet --no-deps --no-build-isolation -w dist .
	@ls dist/*.whl

# A fresh environment in a folder that goes with the shell, with the pip that this Python brings.
FRESH := set -eu; clean=$$(mktemp -d); trap 'rm -rf "$$clean"' EXIT; trap 'exit 130' INT TERM; \
    $(BIN)/python -m venv "$$clean/venv"; python="$$clean/venv/bin/python"

wheel-check: wheel ## install the wheel alone in a clean environment and predict digits there
	@$(FRESH); \
	$(BIN)/python tests/install/locks.py base > "$$clean/base.lock"; \
	"$$python" $(LOCKED) "$$clean/base.lock"; \
	"$$python" $(PIP) install --quiet --no-deps --no-index dist/*.whl; \
	"$$python" $(PIP) check; \
	"$$python" -I tests/install/check_wheel.py tests/golden/pictures

# Model files of today have to load in the oldest onnxruntime that pyproject.toml allows.
oldest-check: wheel ## the same with the oldest base dependencies that there are for this Python
	@$(FRESH); \
	"$$python" $(LOCKED) "$$($(BIN)/python tests/install/locks.py oldest)"; \
	"$$python" $(PIP) install --quiet --no-deps --no-index dist/*.whl; \
	"$$python" $(PIP) check; \
	"$$python" -c 'import onnxruntime as o; print("oldest-check: onnxruntime", o.__version__)'; \
	for model in models/*.onnx models/*.ort; do \
	    "$$clean/venv/bin/edgedigits" predict --model $$model tests/golden/pictures/0-paint.png | grep -q ': 0 ' || { \
	        echo "oldest-check: $$model does not read a 0 there" >&2; exit 1; }; \
	    echo "oldest-check: $$model opens and reads a 0"; \
	done; \
	"$$python" -I tests/install/check_wheel.py tests/golden/pictures

# No part of `make test`, and of no lock: PyInstaller is what somebody else brings.
frozen-check: wheel ## programs that PyInstaller makes of the wheel find their network and read digits
	@$(FRESH); \
	$(BIN)/python tests/install/locks.py base > "$$clean/base.lock"; \
	"$$python" $(LOCKED) "$$clean/base.lock"; \
	"$$python" $(PIP) install --quiet --no-deps --no-index dist/*.whl; \
	"$$python" $(PIP) install --quiet pyinstaller; \
	"$$python" -I tests/install/frozen_check.py tests/golden/pictures/1-photo.jpg

ARM_PACKAGES := qemu-user-static debootstrap debian-archive-keyring dpkg
arm-check: wheel ## the wheel on an emulated Raspberry Pi 4: every shipped file on the test images, a quarter of an hour (`make arm-packages` names what it needs)
	$(BIN)/python tests/install/arm_check.py dist/*.whl

arm-packages: ## name Debian's packages for `make arm-check`
	@echo $(ARM_PACKAGES)

# What a user who installs today gets. No part of `make test`: a release of today is no fault of the change under test.
newest-check: wheel ## the wheel with [train] and the newest releases there are: train, export, verify, bench
	@$(FRESH); \
	"$$python" $(PIP) install --quiet --upgrade pip; \
	"$$python" $(PIP) install --quiet "$$(ls dist/*.whl)[train]"; \
	"$$python" $(PIP) check; \
	"$$python" $(PIP) list | grep -iE '^(tensorflow|keras|numpy|onnx|onnxruntime|ai-edge-litert|pillow) '; \
	cd "$$clean"; PATH="$$clean/venv/bin:$$PATH"; \
	edgedigits train --budget fast; \
	edgedigits export --format all; \
	edgedigits verify my-models/*.onnx my-models/*.ort my-models/*.tflite; \
	edgedigits bench my-models/*.onnx my-models/*.ort my-models/*.tflite

clean: ## remove what was built, and the caches
	rm -rf build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the environment as well
	rm -rf $(VENV)
