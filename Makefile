# The whole build, in one make.  Sources are found by folder: a new .c or .S file needs no entry here.
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   make B=DIR       builds in DIR instead of build/
#   make V=1         shows the commands
#   make SANITIZE=1  AddressSanitizer and UBSan (with its own B; see asan below)

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

B ?= build

.PHONY: all
all: programs

# ---- configuration ----

# Targets that need no configuration.
PLAIN_GOALS := clean distclean help

ifneq ($(filter-out $(PLAIN_GOALS),$(or $(MAKECMDGOALS),all)),)
include build/config.mk
endif

build/config.mk: configure
	@scripts/install-packages $(if $(filter demo,$(MAKECMDGOALS)),demo,build) || \
	    echo 'Trying to build without them.' >&2
	@./configure $(CONFIGURE_ARGS)

build/config.h: build/config.mk ;

# ---- what there is ----

LIB_FOLDERS := util core block net ui tcg hw target-x86 migration accel monitor gdbstub system tools
find_sources = $(sort $(patsubst ./%,%,$(shell find $(wildcard $(1)) -name '*.c' -o -name '*.S')))

MAINS    := $(wildcard system/main.c tools/emu-*.c)
LIB_SRC  := $(filter-out $(MAINS),$(call find_sources,$(LIB_FOLDERS)))
LIB_OBJ  := $(LIB_SRC:%=$(B)/obj/%.o)
TOOLS    := $(patsubst tools/%.c,$(B)/%,$(wildcard tools/emu-*.c))
PROGRAMS := $(if $(wildcard system/main.c),$(B)/emu-system-x86_64) $(TOOLS)

# tests/KIND/test-X.c becomes $(B)/tests/KIND/test-X, tests/cpu/cpu-oracle.c becomes
# $(B)/tests/cpu-oracle; what else lies there is shared by the tests.
TEST_SRC   := $(call find_sources,tests/unit tests/device tests/block tests/cpu tests/fuzz)
TEST_MAINS := $(filter $(foreach k,unit device block cpu,tests/$(k)/test-%.c),$(TEST_SRC))
FUZZ_MAINS := $(filter tests/fuzz/fuzz-%.c,$(TEST_SRC))
ORACLE     := $(wildcard tests/cpu/cpu-oracle.c)
TEST_LIB   := $(filter-out $(TEST_MAINS) $(FUZZ_MAINS) $(ORACLE),$(TEST_SRC))
TESTS      := $(TEST_MAINS:%.c=$(B)/%) $(if $(ORACLE),$(B)/tests/cpu-oracle)
FUZZERS    := $(FUZZ_MAINS:%.c=$(B)/%)

HEADERS := $(sort $(shell find $(wildcard $(LIB_FOLDERS)) -name '*.h'))

# ---- flags ----

WARN := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wsign-compare
# _GNU_SOURCE is empty so that a file which defines it too does not clash.  Guest memory is read
# through pointers of many types, hence no strict aliasing.
ALL_CFLAGS := -std=gnu11 $(WARN) -I. -include build/config.h -D_GNU_SOURCE= -fno-strict-aliasing \
    -fno-common -pthread $(LIB_CFLAGS)
LIBS := $(LIB_LIBS) -pthread -lm
ALL_LDFLAGS := -Wl,--as-needed -Wl,-O1 $(LDFLAGS)

ifdef SANITIZE
SAN_FLAGS := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
ALL_LDFLAGS += -fsanitize=address,undefined
endif

# Code that runs with the guest's vector registers live (docs/architecture.md, "The translator").
-include gpr-files.mk
GPR_OBJ := $(GPR_FILES:%=$(B)/obj/%.o)
GPR_FLAGS := -mgeneral-regs-only -fno-stack-protector

# ---- rules ----

ifndef V
quiet = @printf '  %-6s %s\n' $(1) $(2);
endif

.PHONY: FORCE programs objects tests
programs: $(PROGRAMS)
objects: $(LIB_OBJ)
tests: $(TESTS) $(FUZZERS)

# The compiler and its flags, and the list of sources: files that change only when those do.
STAMPED_FLAGS := $(CC) $(ALL_CFLAGS) $(CFLAGS) $(SAN_FLAGS) / $(ALL_LDFLAGS) $(LIBS)
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(STAMPED_FLAGS)' | cmp -s - $@ || echo '$(STAMPED_FLAGS)' >$@
$(B)/sources: FORCE
	@mkdir -p $(@D)
	@echo '$(LIB_SRC) / $(TEST_LIB)' | cmp -s - $@ || echo '$(LIB_SRC) / $(TEST_LIB)' >$@

compile = $(CC) $(CFLAGS) $(ALL_CFLAGS) $(if $(filter $(GPR_OBJ),$@),$(GPR_FLAGS),$(SAN_FLAGS)) \
    -MMD -MP -c -o $@ $<

$(B)/obj/%.c.o: %.c $(B)/flags | build/config.h
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(compile)

$(B)/obj/%.S.o: %.S $(B)/flags | build/config.h
	@mkdir -p $(@D)
	$(call quiet,AS,$<)$(compile)

$(B)/libemu.a: $(LIB_OBJ) $(B)/sources
	$(call quiet,AR,$@)rm -f $@ && $(AR) rcsT $@ $(LIB_OBJ)

$(B)/libtest.a: $(TEST_LIB:%=$(B)/obj/%.o) $(B)/sources
	$(call quiet,AR,$@)rm -f $@ && $(AR) rcsT $@ $(filter %.o,$^)

AR := ar
link = $(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)

$(B)/emu-system-x86_64: $(B)/obj/system/main.c.o $(B)/libemu.a
	$(call quiet,LINK,$@)$(link)

$(TOOLS): $(B)/%: $(B)/obj/tools/%.c.o $(B)/libemu.a
	$(call quiet,LINK,$@)$(link)

$(B)/tests/cpu-oracle: $(B)/obj/tests/cpu/cpu-oracle.c.o $(B)/libtest.a $(B)/libemu.a
	@mkdir -p $(@D)
	$(call quiet,LINK,$@)$(link)

$(filter-out $(B)/tests/cpu-oracle,$(TESTS)) $(FUZZERS): \
    $(B)/tests/%: $(B)/obj/tests/%.c.o $(B)/libtest.a $(B)/libemu.a
	@mkdir -p $(@D)
	$(call quiet,LINK,$@)$(link)

# ROM images for the tests of guests.
STATE_ROMS := $(patsubst tests/guest/state/%.S,$(B)/tests/guest/state-%.bin,$(wildcard tests/guest/state/*.S))
BOOT_SECTORS := $(patsubst tests/guest/boot/%.S,$(B)/tests/guest/boot-%.bin,$(wildcard tests/guest/boot/*.S))
TEST_KERNELS := $(B)/tests/guest/kernel.bin $(B)/tests/guest/kernel32.bin
tests: $(STATE_ROMS) $(BOOT_SECTORS) $(TEST_KERNELS)
$(STATE_ROMS): $(B)/tests/guest/state-%.bin: tests/guest/state/%.S tests/guest/state/rom.inc.h
	@mkdir -p $(@D)
	$(call quiet,ROM,$@)$(CC) -c -I. -o $@.o $< && ld -Ttext=0 --oformat binary -o $@ $@.o
$(BOOT_SECTORS): $(B)/tests/guest/boot-%.bin: tests/guest/boot/%.S tests/guest/boot/boot.inc.h
	@mkdir -p $(@D)
	$(call quiet,ROM,$@)$(CC) -c -I. -o $@.o $< && ld -Ttext=0x7c00 -e 0x7c00 --oformat binary -o $@ $@.o

# The test kernels use no vector registers but where their tests do.
KERNEL_CFLAGS := -std=gnu11 -O1 -g $(WARN) -I. -ffreestanding -fno-pic -mgeneral-regs-only \
    -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none
KERNEL_CFLAGS_kernel := -mno-red-zone -mcmodel=small
KERNEL_CFLAGS_kernel32 := -m32
KERNEL_LDFLAGS_kernel32 := -m elf_i386
$(B)/guest-obj/tests/guest/%.o:
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(KERNEL_CFLAGS) $(KERNEL_CFLAGS_$(notdir $(<D))) -c -o $@ $<
define kernel_rules
KERNEL_OBJ_$(1) := $(patsubst %,$(B)/guest-obj/%.o,$(wildcard tests/guest/$(1)/*.c tests/guest/$(1)/*.S))
$$(KERNEL_OBJ_$(1)): $(B)/guest-obj/%.o: % $(wildcard tests/guest/$(1)/*.h)
$(B)/tests/guest/$(1).bin: $$(KERNEL_OBJ_$(1)) tests/guest/$(1)/kernel.ld
	@mkdir -p $$(@D)
	$$(call quiet,ROM,$$@)ld $(KERNEL_LDFLAGS_$(1)) -nostdlib -z noexecstack --no-warn-rwx-segments \
	    -T tests/guest/$(1)/kernel.ld -o $$@.elf $$(KERNEL_OBJ_$(1)) && objcopy -O binary $$@.elf $$@
endef
$(foreach k,kernel kernel32,$(eval $(call kernel_rules,$(k))))

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

# ---- install ----

.PHONY: install uninstall
MAN1 := $(wildcard docs/*.1)
install: programs
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(mandir)/man1
	install -m 755 $(PROGRAMS) $(DESTDIR)$(bindir)
	$(if $(MAN1),install -m 644 $(MAN1) $(DESTDIR)$(mandir)/man1)
uninstall:
	rm -f $(patsubst $(B)/%,$(DESTDIR)$(bindir)/%,$(PROGRAMS)) \
	    $(patsubst docs/%,$(DESTDIR)$(mandir)/man1/%,$(MAN1))

# ---- what the guests need ----

# Debian's packages are fetched once, into build/cache; disks and kernels are made from them.
DEMO := build/demo/debian.qcow2
.PHONY: guest-files test-packages
test-packages:
	@scripts/install-packages test
GUEST_FILES := $(DEMO) build/guest/kernel-amd64 build/guest/kernel-cloud-amd64 \
    build/guest/kernel-686 build/guest/initramfs-amd64 build/guest/initramfs-i386
guest-files: $(GUEST_FILES)

$(DEMO): scripts/make-debian-disk
	@scripts/install-packages demo
	scripts/make-debian-disk $@

build/guest/initramfs-%: scripts/make-initramfs scripts/initramfs-init scripts/fetch-deb
	@scripts/install-packages test
	scripts/make-initramfs $* $@

build/guest/kernel-%: scripts/fetch-kernel scripts/fetch-deb
	scripts/fetch-kernel $* $@

# A second disk, with what is timed in the guest.
BENCH_DISK := build/bench/bench.qcow2
WORKLOADS := tests/bench/workloads
$(BENCH_DISK): scripts/make-debian-disk $(wildcard $(WORKLOADS)/*)
	scripts/make-debian-disk --include=gcc,libc6-dev,xz-utils,openssl --files=$(WORKLOADS) \
	    --run='sh ./prepare.sh' $@

.PHONY: demo
demo: programs $(DEMO)
	@echo 'Log in as root, password "debian"; "poweroff" ends, Ctrl-A x kills the emulator.'
	$(B)/emu-system-x86_64 -m 1G -nographic -hda $(DEMO)

# ---- checks ----

RUN_TESTS := env BUILD=$(abspath $(B)) EMU=$${EMU:-$(abspath $(B))/emu-system-x86_64} \
    EMU_IMG=$${EMU_IMG:-$(abspath $(B))/emu-img} tests/run
scripts_in = $(wildcard $(foreach k,$(1),tests/$(k)/test-*.sh tests/$(k)/test-*.py))
tests_in = $(filter $(foreach k,$(1),$(B)/tests/$(k)/%),$(TESTS)) $(call scripts_in,$(1))

.PHONY: check check-quick check-code bench bench-net bench-packages asan asan-check fuzz fuzz-run format clean distclean help
check: test-packages programs tests guest-files
	@$(RUN_TESTS) $(call tests_in,checks unit device block cpu guest)
check-quick: programs tests
	@$(RUN_TESTS) --quick $(call tests_in,checks unit device block cpu) $(call scripts_in,quick)
# Only the rules for the code itself.
check-code: objects
	@$(RUN_TESTS) $(call tests_in,checks)

# make bench BENCH="--rounds 1 --only integer,xz"
bench: bench-packages programs guest-files $(BENCH_DISK)
	EMU=$${EMU:-$(abspath $(B))/emu-system-x86_64} tests/bench/bench.py $(BENCH)
# make bench-net BENCH_NET="--rounds 1"
bench-net: bench-packages programs guest-files
	EMU=$${EMU:-$(abspath $(B))/emu-system-x86_64} tests/bench/bench-net.py $(BENCH_NET)
bench-packages:
	@scripts/install-packages bench

asan:
	$(MAKE) B=build-asan SANITIZE=1 asan-check
asan-check: programs tests
	@$(RUN_TESTS) $(call tests_in,unit device block)

# FUZZ_SECONDS for each fuzzer.
FUZZ_SECONDS ?= 60
fuzz:
	$(MAKE) B=build-asan SANITIZE=1 fuzz-run
fuzz-run: $(FUZZERS)
	@for f in $(FUZZERS); do $$f --seconds $(FUZZ_SECONDS) || exit 1; done

format:
	clang-format -i $(HEADERS) $(filter %.c,$(LIB_SRC) $(MAINS)) \
	    $(shell find tests -name '*.[ch]' ! -name '*.inc.h')

clean:
	rm -rf build/obj build/guest-obj build/tests build/*.a build/emu-* build/flags build/sources build-asan
distclean: clean
	rm -rf build

help:
	@echo 'all install uninstall demo check check-quick check-code bench bench-net asan fuzz format clean distclean'
	@echo 'B=DIR builds in DIR; V=1 shows commands; CONFIGURE options: ./configure --help'
