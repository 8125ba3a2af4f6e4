# What a person types. The work is done by scripts/ and by CMake's presets; this file says in which
# order. `make help` lists the targets and the variables.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 30
TIDY_SECONDS ?= 120
CHECKPOINT ?= models/tiny
ARGS ?=

# CUDA code is built where a GPU is seen, or when asked for with CUDA=1; CUDA=0 says no.
CUDA ?= $(shell scripts/has_gpu && echo 1 || echo 0)
NVCC := $(or $(CUDACXX),$(shell command -v nvcc 2>/dev/null),$(wildcard /usr/local/cuda/bin/nvcc))
ifeq ($(CUDA)$(origin CUDA),1file)
# A GPU without a toolkit is common; the CPU program still serves.
PRESET := $(if $(NVCC),cuda,dev)
NO_NVCC := $(if $(NVCC),,1)
else
PRESET := $(if $(filter 1,$(CUDA)),cuda,dev)
endif

export ASAN_OPTIONS ?= detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1
export UBSAN_OPTIONS ?= print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS ?= halt_on_error=1:second_deadlock_stack=1:history_size=4:suppressions=$(CURDIR)/tools/tsan_suppressions.txt
export CUDACXX := $(NVCC)

# ctest refuses to pass when there was nothing to run.
CTEST = ctest --output-on-failure --no-tests=error --parallel 2

.PHONY: help setup build serve test test-clients eval bench format format-check tidy asan tsan cuda fuzz mutate clean

help:  ## this list
	@printf 'fathom: a server for DeepSeek-V3.2\n\n'
	@awk -F ':.*## *' '/^[a-z-]+:.*##/ { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nVariables: ARGS="more flags" CHECKPOINT=folder JOBS=n CUDA=1|0 FUZZ_SECONDS=n ALL=1 (tidy) SHORT=1 (eval) ONLY=name (mutate)\n'

setup:  ## installs what building needs and is missing
	@scripts/setup build

build:  ## leaves the program at build/fathom
	@$(if $(NO_NVCC),echo 'a GPU is seen but no nvcc: building the CPU program (put nvcc on the PATH, or CUDA=0 to silence this)')
	@scripts/setup build
	@scripts/compile $(PRESET) $(JOBS) fathom
	@ln -sfn $(PRESET)/src/apps/fathom build/fathom
	@test -x build/fathom

serve: build  ## builds, then serves CHECKPOINT; ARGS="--port 8001 ..." adds flags
	@exec build/fathom serve $(CHECKPOINT) $(ARGS)

test:  ## all tests, then the exactness tests again without AVX-512
	@scripts/setup build test
	@scripts/compile dev $(JOBS) fathom tests
	@ln -sfn dev/src/apps/fathom build/fathom
	@echo '==> tests'
	@$(CTEST) --test-dir build/dev
	@echo '==> the exactness tests with FATHOM_ISA=avx2'
	@FATHOM_ISA=avx2 $(CTEST) --test-dir build/dev --label-regex exact

test-clients: build  ## openai, lm_eval, AISBench, langchain...; ARGS="-k tools" chooses
	@scripts/setup build clients
	@scripts/clients $(ARGS)

eval: build  ## what CHECKPOINT can do, as a table (docs/eval.md); SHORT=1: in minutes; ARGS=--bars
	@scripts/setup build clients
	@scripts/compile $(PRESET) $(JOBS) acceptance_bench
	@ln -sfn $(PRESET)/src/model/acceptance_bench build/acceptance_bench
	@scripts/eval $(CHECKPOINT) $(if $(SHORT),--short) $(ARGS)

bench:  ## all benchmarks; ARGS="--benchmark_filter=..." chooses
	@scripts/setup build bench
	@scripts/compile dev $(JOBS) fathom benches
	@scripts/bench build/dev $(ARGS)

format:  ## clang-format, in place
	@scripts/setup build checks
	@scripts/sources | xargs -0 -r clang-format -i

format-check:  ## fails when `make format` would change something
	@scripts/setup build checks
	@echo '==> format'
	@scripts/sources | xargs -0 -r clang-format --dry-run -Werror

tidy:  ## the house rules, and clang-tidy on what changed (ALL=1: on everything)
	@scripts/setup build checks
	@echo '==> house rules'
	@tools/tidy
	@tools/tidy --self-test
	@scripts/compile dev $(JOBS) configure
	@echo '==> clang-tidy'
	@scripts/clang_tidy --jobs $(JOBS) --seconds $(TIDY_SECONDS) $(if $(ALL),--all)

asan:  ## all tests under the address and undefined-behaviour sanitizers
	@scripts/setup build test
	@scripts/compile asan $(JOBS) fathom tests
	@echo '==> tests under asan'
	@$(CTEST) --test-dir build/asan

tsan:  ## the tests of the layers with threads, under the thread sanitizer
	@scripts/setup build test
	@scripts/compile tsan $(JOBS) fathom tests_threads
	@echo '==> tests under tsan'
	@scripts/without_aslr $(CTEST) --test-dir build/tsan --label-regex threads

cuda:  ## the program and the tests with the CUDA kernels, at build/fathom
	@scripts/setup build
	@scripts/compile cuda $(JOBS) fathom tests
	@ln -sfn cuda/src/apps/fathom build/fathom

fuzz:  ## every fuzz target for FUZZ_SECONDS
	@scripts/setup build fuzz
	@scripts/compile fuzz $(JOBS) fuzzers
	@scripts/fuzz build/fuzz $(FUZZ_SECONDS)

mutate:  ## breaks the code on purpose and sees the tests fail; ONLY=name for one
	@scripts/setup build test
	@tools/mutate --jobs $(JOBS) $(if $(ONLY),--only $(ONLY))

clean:  ## removes build/
	@rm -rf build
