# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tidemark's build: one Makefile, no recursion into directories. `make help` lists the targets.
# Everything generated goes to build/. V=1 shows the commands, SAN=1 builds build/san/tidemark
# with ASan and UBSan, WERROR=1 makes warnings errors (as CI does).

VERSION := 0.1.0
B	:= build

PREFIX	?= /usr/local
DESTDIR ?=

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

# ---- tools and flags -------------------------------------------------------------------------

CC	= gcc
CXX	= g++
CLANG	?= clang
# Ubuntu's /usr/sbin/bpftool is a wrapper that wants the running kernel's tools: take one that runs.
BPFTOOL ?= $(shell for b in "$$(command -v bpftool)" /usr/sbin/bpftool \
		/usr/lib/linux-tools/*/bpftool; do \
		"$$b" version >/dev/null 2>&1 && { echo "$$b"; break; }; done)

BPF_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))
JOBS	 ?= $(shell nproc)

CFLAGS	?= -O2 -g
WARN	:= -Wall -Wextra -Wshadow -Wmissing-prototypes -Wvla $(if $(WERROR),-Werror)
STD	:= -std=gnu11 -D_GNU_SOURCE -fno-omit-frame-pointer -DTIDE_VERSION='"$(VERSION)"' \
	   -DTIDE_DEMO_PROGRAM='"$(B)/targets/c/story"'
INC	:= -I. -Iuserspace
SANFL	:= -fsanitize=address,undefined -fno-sanitize-recover=all
LIBS	:= -Wl,--as-needed -lbpf -ldw -lelf -liberty -ljansson -lz -lpthread -lm

BPF_FLAGS := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) -Ivmlinux -I. -Ibpf \
	     -Wall -Wextra -Wno-unused-parameter $(if $(WERROR),-Werror)

# Short lines ("  CC userspace/ds/blockmap.c"), or the commands themselves with V=1.
ifeq ($(V),1)
Q   :=
say = @:
else
Q   := @
say = @printf '  %-8s %s\n'
endif

# ---- sources ---------------------------------------------------------------------------------

BPF_SRC	 := $(wildcard bpf/*.bpf.c)
SRC	 := $(filter-out userspace/cli/main.c,$(wildcard userspace/*/*.c userspace/*/*/*.c))
UNIT_SRC := $(wildcard tests/unit/*/*_test.c tests/unit/*/*/*_test.c)
BPFT_SRC := $(wildcard tests/bpf/*_test.c)
HELP_SRC := $(wildcard tests/harness/*.c)
BPFH_SRC := $(filter-out $(BPFT_SRC),$(wildcard tests/bpf/*.c))
FUZZ_SRC := $(wildcard tests/fuzz/*_fuzz.c)
E2E	 := $(sort $(wildcard tests/e2e/*.sh tests/e2e/*.py))
SOAK	 := $(sort $(wildcard tests/e2e/soak/*.sh tests/e2e/soak/*.py))

SKEL	 := $(B)/gen/tide.skel.h
BPF_OBJ	 := $(BPF_SRC:bpf/%.bpf.c=$(B)/bpf/%.bpf.o)
UNIT	 := $(UNIT_SRC:%.c=$(B)/san/%)
BPFT	 := $(BPFT_SRC:%.c=$(B)/obj/%)
FUZZ	 := $(FUZZ_SRC:%.c=$(B)/fuzz/%)
PROGRAM	 := $(if $(SAN),$(B)/san/tidemark,$(B)/tidemark)

# Programs to watch, by language; the C ones also with musl and linked statically.
TARGETS_C   := $(patsubst tests/targets/c/%.c,$(B)/targets/c/%,$(wildcard tests/targets/c/*.c))
TARGETS_CPP := $(patsubst tests/targets/cpp/%.cc,$(B)/targets/cpp/%,$(wildcard tests/targets/cpp/*.cc))
# Rust's only where rustc is: a compiler of that size is no condition for testing.
TARGETS_RS  := $(if $(shell command -v rustc),$(patsubst tests/targets/rust/%.rs,$(B)/targets/rust/%,\
	       $(wildcard tests/targets/rust/*.rs)))
TARGETS	    := $(TARGETS_C) $(TARGETS_CPP) $(TARGETS_RS) \
	       $(TARGETS_C:$(B)/targets/c/%=$(B)/targets/musl/%) \
	       $(TARGETS_C:$(B)/targets/c/%=$(B)/targets/static/%)

# ---- what people type ------------------------------------------------------------------------

.PHONY: all
all: $(PROGRAM) ## build the program, build/tidemark (the default)

.PHONY: demo _demo
demo: ## install what is missing, build, play the story of the high-water table and report it
	@.ci/install-deps build
	@$(SUBMAKE) _demo
_demo: $(B)/tidemark
	@echo; $(B)/tidemark demo

.PHONY: test _test
test: ## install what is missing, build, run all tests (root: they place real probes)
	@.ci/install-deps build test
	@$(SUBMAKE) _test
_test: export PATH := $(dir $(BPFTOOL)):$(PATH)
_test: $(B)/tidemark $(UNIT) $(BPFT) $(TARGETS)
	@tests/harness/run.sh $(UNIT) --root $(BPFT) $(E2E)

.PHONY: unit
unit: $(UNIT) ## only the unit tests, under ASan and UBSan; no root needed
	@tests/harness/run.sh $(UNIT)

.PHONY: soak _soak
soak: ## the long tests: minutes each, root
	@.ci/install-deps build test soak
	@$(SUBMAKE) _soak
_soak: $(B)/tidemark $(TARGETS)
	@TIDE_TIMEOUT=1800 tests/harness/run.sh --root $(SOAK)

.PHONY: vm _vm
vm: ## the tests on stock Debian kernels 6.1 and 6.12 in emulated machines (20 minutes)
	@.ci/install-deps build test vm
	@$(SUBMAKE) _vm
_vm: $(B)/tidemark $(BPFT) $(TARGETS)
	@tests/vm/run.sh

.PHONY: check _check
check: ## format, lint, layering, sizes, names, kernel types
	@.ci/install-deps build check
	@$(SUBMAKE) _check
_check: export CLANG := $(CLANG)
_check: export BPF_FLAGS := $(BPF_FLAGS)
_check: export C_FLAGS = $(STD) $(INC)
_check: $(B)/tidemark $(B)/check/vmlinux_check
	@tests/check/run

.PHONY: bench _bench
bench: ## the benchmarks; prints their figures
	@.ci/install-deps build bench
	@$(SUBMAKE) _bench
_bench: $(B)/tidemark $(B)/libtide.a
	@set -e; for b in $(sort $(wildcard tests/bench/*/run.sh)); do echo "== $$b"; $$b; done

.PHONY: fuzz _fuzz
fuzz: ## every fuzzer for FUZZ_SECONDS (20)
	@.ci/install-deps build fuzz
	@$(SUBMAKE) _fuzz
_fuzz: $(FUZZ)
	@tests/fuzz/run.sh $(FUZZ)

.PHONY: fmt
fmt: ## format all C files
	@tests/check/format --fix

.PHONY: install
install: $(B)/tidemark ## install to DESTDIR/PREFIX (/usr/local)
	install -D -m 755 $(B)/tidemark $(DESTDIR)$(PREFIX)/bin/tidemark
	install -D -m 644 README.md $(DESTDIR)$(PREFIX)/share/doc/tidemark/README.md
	install -D -m 644 userspace/cli/completion.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/tidemark

.PHONY: clean
clean: ## remove build/
	rm -rf $(B)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

# A fresh make, so that tools installed a moment ago are found; on all cores unless told otherwise.
SUBMAKE = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

# ---- kernel side: each family an object, linked to one, one skeleton -------------------------

$(B)/bpf/%.bpf.o: bpf/%.bpf.c Makefile
	$(say) CLANG-BPF $<
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -MMD -MP -c $< -o $@

$(B)/bpf/tidemark.bpfo: $(BPF_OBJ)
	$(say) BPF-LINK $@
	$(Q)$(need_bpftool) $(BPFTOOL) gen object $@ $^

$(SKEL): $(B)/bpf/tidemark.bpfo
	$(say) SKELETON $@
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name tide > $@

need_bpftool = $(if $(BPFTOOL),,$(error no bpftool that runs here; `.ci/install-deps build` installs it))

# ---- user side -------------------------------------------------------------------------------

# The skeleton exists before anything that may include it; the depfiles track the rest.
$(B)/obj/userspace/probe/%.o $(B)/san/userspace/probe/%.o: INC += -I$(B)/gen
$(B)/obj/tests/bpf/%.o: INC += -I$(B)/gen
$(B)/obj/tests/%.o $(B)/san/tests/%.o: INC += -Itests
$(B)/obj/tests/%.o $(B)/san/tests/%.o: WARN += -Werror=unused-function
$(patsubst %.c,$(B)/obj/%.o,$(filter userspace/probe/%,$(SRC)) $(BPFT_SRC) $(BPFH_SRC)): | $(SKEL)
$(patsubst %.c,$(B)/san/%.o,$(filter userspace/probe/%,$(SRC))): | $(SKEL)

# `tidemark demo` carries its target inside (userspace/cli/demo_program.c).
$(foreach d,obj san fuzz,$(B)/$(d)/userspace/cli/demo_program.o): $(B)/targets/c/story

$(B)/obj/%.o: %.c Makefile
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(CFLAGS) $(WARN) $(INC) -MMD -MP -c $< -o $@

$(B)/san/%.o: %.c Makefile
	$(say) CC-SAN $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(CFLAGS) $(SANFL) $(WARN) $(INC) -MMD -MP -c $< -o $@

$(B)/libtide.a: $(SRC:%.c=$(B)/obj/%.o)
$(B)/san/libtide.a: $(SRC:%.c=$(B)/san/%.o)
%/libtide.a:
	$(say) AR $@
	@mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/tidemark: $(B)/obj/userspace/cli/main.o $(B)/libtide.a
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $^ $(LDFLAGS) $(LIBS) -o $@

$(B)/san/tidemark: $(B)/san/userspace/cli/main.o $(B)/san/libtide.a
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(SANFL) $^ $(LDFLAGS) $(LIBS) -o $@

# ---- tests -----------------------------------------------------------------------------------

.SECONDARY:

$(UNIT): %: %.o $(HELP_SRC:%.c=$(B)/san/%.o) $(B)/san/libtide.a
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(SANFL) $^ $(LDFLAGS) -lcmocka $(LIBS) -o $@

# -rdynamic: the functions of the test program are what it probes, by name.
$(BPFT): %: %.o $(patsubst %.c,$(B)/obj/%.o,$(BPFH_SRC) $(HELP_SRC)) $(B)/libtide.a
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) -rdynamic $^ $(LDFLAGS) -lcmocka $(LIBS) -o $@

$(B)/check/%: tests/check/%.c Makefile
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(CFLAGS) $(WARN) $(INC) $< $(LDFLAGS) -lbpf -lelf -o $@

# clang's, not gcc's: libFuzzer is clang's own.
FUZZFL := -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
$(B)/fuzz/%.o: %.c Makefile | $(SKEL)
	$(say) CC-FUZZ $<
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(STD) $(FUZZFL) -fsanitize=fuzzer-no-link $(INC) -Itests -I$(B)/gen \
		-MMD -MP -c $< -o $@

$(B)/fuzz/libtide.a: $(SRC:%.c=$(B)/fuzz/%.o)
$(FUZZ): %: %.o $(B)/fuzz/libtide.a
	$(say) LINK $@
	$(Q)$(CLANG) $(FUZZFL) -fsanitize=fuzzer $^ $(LDFLAGS) $(LIBS) -o $@

# ---- programs to watch: ordinary builds, as a distribution would make them -------------------

TARGET_FLAGS := -O2 -g -fno-omit-frame-pointer -pthread -Wall

$(B)/targets/c/%: tests/targets/c/%.c Makefile
	$(say) TARGET $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(TARGET_FLAGS) -MMD -MP -MF $@.d $< -o $@ -lm

$(B)/targets/musl/%: tests/targets/c/%.c Makefile
	$(say) TARGET $@
	@mkdir -p $(@D)
	$(Q)musl-gcc $(TARGET_FLAGS) -MMD -MP -MF $@.d $< -o $@

$(B)/targets/static/%: tests/targets/c/%.c Makefile
	$(say) TARGET $@
	@mkdir -p $(@D)
	$(Q)$(CC) -static $(TARGET_FLAGS) -MMD -MP -MF $@.d $< -o $@ -lm

$(B)/targets/cpp/%: tests/targets/cpp/%.cc Makefile
	$(say) TARGET $@
	@mkdir -p $(@D)
	$(Q)$(CXX) $(TARGET_FLAGS) -MMD -MP -MF $@.d $< -o $@

$(B)/targets/rust/%: tests/targets/rust/%.rs Makefile
	$(say) TARGET $@
	@mkdir -p $(@D)
	$(Q)env -u MAKEFLAGS -u MFLAGS rustc -O -g -C force-frame-pointers=yes $< -o $@

-include $(shell find $(B) -name '*.d' 2>/dev/null)
