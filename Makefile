# dltk's common jobs. `make demo` and `make test` set up what they need by themselves.

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint format bench devices docs wheel digits

PY ?= python3
VENV := .venv
PYTHON := $(VENV)/bin/python
UV := $(shell command -v uv 2>/dev/null)
SETUP := setup.cfg pyproject.toml

ifeq ($(UV),)
MAKE_VENV = $(PY) -m venv $(VENV) && $(PYTHON) -m pip install -q --upgrade pip
INSTALL = $(PYTHON) -m pip install -q -e
WHEEL = $(PYTHON) -m pip wheel -q --no-deps --wheel-dir
else
MAKE_VENV = $(UV) venv -q --allow-existing $(VENV)
INSTALL = $(UV) pip install -q --python $(PYTHON) -e
WHEEL = $(UV) build -q --python $(PYTHON) --wheel --out-dir
endif

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

$(PYTHON):
	$(MAKE_VENV)

$(VENV)/.dltk-demo: $(SETUP) | $(PYTHON)
	$(INSTALL) '.[train,tflite,onnx,demo,report]'
	@touch $@

$(VENV)/.dltk-dev: $(SETUP) | $(PYTHON)
	$(INSTALL) '.[train,tflite,onnx,control,heic,tables,audio,micro,sign,demo,report,dev]'
	@touch $@ $(VENV)/.dltk-demo

demo: $(VENV)/.dltk-demo ## the main job, from data to a proven bundle
	$(PYTHON) tests/benchmarks/demo.py

test: $(VENV)/.dltk-dev ## the tests that end within 15 minutes on 2 cores
	$(PYTHON) -m pytest -n 2 -m "not slow"

test-all: $(VENV)/.dltk-dev ## every test; whoever has none left takes some of the other's, since some run for minutes
	$(PYTHON) -m pytest -n 2 --dist worksteal

lint: $(VENV)/.dltk-dev ## ruff, mypy, import contracts
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy -p dltk
	$(VENV)/bin/mypy recipes
	$(VENV)/bin/lint-imports

format: $(VENV)/.dltk-dev ## put the code into its form
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(VENV)/.dltk-dev ## the figures in the documentation, measured again
	$(PYTHON) tests/benchmarks/bench.py

devices: $(VENV)/.dltk-dev ## the oldest runtimes, emulated processors, the browser
	$(PYTHON) tests/benchmarks/devices.py

docs: $(VENV)/.dltk-dev ## the generated pages of docs/
	$(PYTHON) docs/generate.py

DIST ?= dist

# Of a copy: what setuptools builds in a checkout keeps modules that are gone since.
wheel: | $(PYTHON) ## dltk in one file for a device: dist/dltk_edge-*.whl
	@copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT && cp -R $(SETUP) README.md LICENSE toolkit recipes "$$copy" && \
	rm -rf "$$copy"/toolkit/*.egg-info "$(DIST)"/dltk_edge-*.whl && $(WHEEL) "$(DIST)" "$$copy" && ls "$(DIST)"/dltk_edge-*.whl

DIGITS = --set data.size=16 --set model.filters=8,16,32 --set fit.epochs=30 --set fit.batch_size=32 \
	--set fit.learning_rate=0.05 --set augment.flip=false --set augment.translate=0.06

digits: $(VENV)/.dltk-dev ## the small bundle in exported/digits, made again
	rm -rf runs/digits runs/digits-compressed
	$(VENV)/bin/dltk finetune cnn --data digits --run runs/digits $(DIGITS)
	$(VENV)/bin/dltk compress runs/digits
	$(VENV)/bin/dltk export runs/digits-compressed --out exported/digits
