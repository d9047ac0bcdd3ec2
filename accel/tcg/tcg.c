/*
 * The translator as an accelerator: its class, its vCPUs, their threads' entry.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "accel/tcg/tcg.h"

#include <asm/prctl.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include "accel/tcg/loop.h"
#include "accel/tcg/tcg_accel.h"
#include "core/lock.h"
#include "core/machine.h"
#include "core/safepoint.h"
#include "hw/intc/apic.h"
#include "target-x86/cpuid.h"
#include "target-x86/insn.h"
#include "target-x86/msr.h"
#include "util/keyval.h"
#include "util/log.h"

#define OFF(field) ((int32_t)offsetof(TcgCpu, field))

static void layout_init(HostLayout *l)
{
    *l = (HostLayout){
        .gpr = OFF(x.st.gpr),
        .tmp = OFF(tmp),
        .fl_saved = OFF(fl_saved),
        .page_ip = OFF(page_ip),
        .poll = OFF(poll),
        .tlb = OFF(tlb),
        .ctx = OFF(ctx),
        .jump_cache = OFF(jc),
        .seg_rlimit = OFF(seg_rlimit),
        .seg_wlimit = OFF(seg_wlimit),
        .helper_ret = OFF(helper_ret),
        .self = OFF(self),
        .loop_rsp = OFF(loop_rsp),
        .exit_arg = OFF(exit_arg),
        .thunk_slow = OFF(thunk_slow),
        .thunk_commit = OFF(thunk_commit),
        .thunk_helper = OFF(thunk_helper),
        .thunk_helper_end = OFF(thunk_helper_end),
        .thunk_link = OFF(thunk_link),
        .thunk_dispatch = OFF(thunk_dispatch),
        .thunk_find = OFF(thunk_find),
        .exec_ip = OFF(exec_ip),
        .tlb_index_mask = TLB_ENTRIES - 1,
        .jump_cache_mask = JC_ENTRIES - 1,
        .block_entry = offsetof(Block, entry),
    };
    for (int i = 0; i < 6; i++) {
        l->seg_base[i] = OFF(x.st.seg[i].base);
    }
}

/* ---- the accelerator ---- */

static void code_hook(void *opaque, uint64_t ram_addr, uint64_t len)
{
    code_invalidate(opaque, ram_addr, len);
}

static void flush_work(Cpu *cpu, void *data)
{
    (void)data;
    x86_tlb_flush_all((X86Cpu *)cpu);
}

static void memory_changed(void *opaque)
{
    (void)opaque;
    safepoint_run_on_all(NULL, flush_work, NULL);
}

static void protect_all_work(Cpu *cpu, void *data)
{
    (void)data;
    tlb_protect_all((TcgCpu *)cpu);
}

static void log_changed(void *opaque, RamBlock *block)
{
    (void)opaque, (void)block;
    safepoint_run_on_all(NULL, protect_all_work, NULL);
}

static void log_cleared(void *opaque, RamBlock *block, uint64_t offset, uint64_t len)
{
    (void)offset, (void)len;
    log_changed(opaque, block);
}

static const DirtyAccelOps dirty_ops = {.cleared = log_cleared, .client_changed = log_changed};

/* Every block that can be executed gets its map of pages that hold translated code. */
static void range_added(void *opaque, const FlatRange *range)
{
    (void)opaque;
    if (range->ram && !range->ram->dirty[DIRTY_CODE]) {
        dirty_log_enable(range->ram, DIRTY_CODE);
    }
}

static const MemListener listener = {.range_add = range_added, .commit = memory_changed};

static bool tcg_init(Accel *accel, Machine *machine, GError **err)
{
    TcgAccel *a = (TcgAccel *)accel;

    accel->machine = machine;
    if (!__builtin_cpu_supports("sse4.2")) {
        emu_set_error(err, "the translator needs a host CPU with SSE4.2");
        return false;
    }
    insn_init();
    layout_init(&a->layout);
    if (!code_init(a, err)) {
        return false;
    }
    tcg_signals_init(a);
    ram_set_code_hook(code_hook, a);
    dirty_log_set_accel(&dirty_ops, a);
    return true;
}

static void tcg_fini(Accel *accel)
{
    g_clear_pointer(&((TcgAccel *)accel)->points, g_free);
    code_fini((TcgAccel *)accel);
}

static uint64_t features_of(const CpuModel *m)
{
    static const struct {
        InsnFeature feature;
        CpuidWord word;
        uint32_t bit;
    } map[] = {
        {FEAT_CMOV, CPUID_1_EDX, CPUID_1_EDX_CMOV},
        {FEAT_FPU, CPUID_1_EDX, CPUID_1_EDX_FPU},
        {FEAT_MMX, CPUID_1_EDX, CPUID_1_EDX_MMX},
        {FEAT_SSE, CPUID_1_EDX, CPUID_1_EDX_SSE},
        {FEAT_SSE2, CPUID_1_EDX, CPUID_1_EDX_SSE2},
        {FEAT_SSE3, CPUID_1_ECX, CPUID_1_ECX_SSE3},
        {FEAT_SSSE3, CPUID_1_ECX, CPUID_1_ECX_SSSE3},
        {FEAT_SSE41, CPUID_1_ECX, CPUID_1_ECX_SSE41},
        {FEAT_SSE42, CPUID_1_ECX, CPUID_1_ECX_SSE42},
        {FEAT_AES, CPUID_1_ECX, CPUID_1_ECX_AES},
        {FEAT_PCLMUL, CPUID_1_ECX, CPUID_1_ECX_PCLMULQDQ},
        {FEAT_POPCNT, CPUID_1_ECX, CPUID_1_ECX_POPCNT},
        {FEAT_MOVBE, CPUID_1_ECX, CPUID_1_ECX_MOVBE},
        {FEAT_CX16, CPUID_1_ECX, CPUID_1_ECX_CX16},
        {FEAT_RDRAND, CPUID_1_ECX, CPUID_1_ECX_RDRAND},
        {FEAT_CX8, CPUID_1_EDX, CPUID_1_EDX_CX8},
        {FEAT_SHA, CPUID_7_0_EBX, CPUID_7_0_EBX_SHA_NI},
        {FEAT_BMI1, CPUID_7_0_EBX, CPUID_7_0_EBX_BMI1},
        {FEAT_BMI2, CPUID_7_0_EBX, CPUID_7_0_EBX_BMI2},
        {FEAT_RDSEED, CPUID_7_0_EBX, CPUID_7_0_EBX_RDSEED},
        {FEAT_FSGSBASE, CPUID_7_0_EBX, CPUID_7_0_EBX_FSGSBASE},
        {FEAT_CLFLUSHOPT, CPUID_7_0_EBX, CPUID_7_0_EBX_CLFLUSHOPT},
        {FEAT_CLWB, CPUID_7_0_EBX, CPUID_7_0_EBX_CLWB},
        {FEAT_ADX, CPUID_7_0_EBX, CPUID_7_0_EBX_ADX},
        {FEAT_INVPCID, CPUID_7_0_EBX, CPUID_7_0_EBX_INVPCID},
        {FEAT_LZCNT, CPUID_8000_0001_ECX, CPUID_8000_0001_ECX_ABM},
        {FEAT_LONG, CPUID_8000_0001_EDX, CPUID_8000_0001_EDX_LM},
        {FEAT_SYSCALL, CPUID_8000_0001_EDX, CPUID_8000_0001_EDX_SYSCALL},
        {FEAT_RDTSCP, CPUID_8000_0001_EDX, CPUID_8000_0001_EDX_RDTSCP},
    };
    uint64_t f = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(map); i++) {
        if (cpu_model_has(m, map[i].word, map[i].bit)) {
            f |= 1ull << map[i].feature;
        }
    }
    return f;
}

static Cpu *tcg_cpu_new(Accel *accel, int index, uint32_t apic_id, const void *model, GError **err)
{
    TcgAccel *a = (TcgAccel *)accel;
    TcgCpu *c;

    if (posix_memalign((void **)&c, 4096, sizeof *c)) {
        emu_set_error(err, "no memory for CPU %d", index);
        return NULL;
    }
    memset(c, 0, sizeof *c);
    c->self = c;
    c->accel = a;
    c->x.model = model;
    c->x.phys_mask = c->x.model->phys_mask;
    c->x.cpu.machine = accel->machine;
    c->x.cpu.index = index;
    c->x.cpu.apic_id = apic_id;
    c->features = features_of(model);
    c->thunk_slow = a->thunks.slow;
    c->thunk_commit = a->thunks.commit;
    c->thunk_helper = a->thunks.helper;
    c->thunk_helper_end = a->thunks.helper_end;
    c->thunk_link = a->thunks.link;
    c->thunk_dispatch = a->thunks.dispatch;
    c->thunk_find = a->thunks.find;
    memset(c->jc, 0xff, sizeof c->jc);
    tlb_init(c);
    x86_cpu_reset(&c->x, true);
    x86_mode_changed(&c->x);
    return &c->x.cpu;
}

static void tcg_cpu_free(Cpu *cpu)
{
    TcgCpu *c = (TcgCpu *)cpu;

    tlb_fini(c);
    free(c);
}

/* Any thread: for the APIC timer's TSC-deadline mode. */
static uint64_t guest_tsc(Cpu *cpu)
{
    return x86_rdtsc((X86Cpu *)cpu);
}

/* The board makes the SMM view after the accelerator has got the others. */
static void listen_smm(Machine *m)
{
    machine_lock();
    if (m->smm_memory.root) {
        address_space_listen(&m->smm_memory, &listener);
    }
    machine_unlock();
}

static bool tcg_cpu_thread_init(Cpu *cpu, GError **err)
{
    if (cpu->index == 0) {
        if (apic_of_cpu(cpu)) {
            apic_set_tsc(cpu->machine, guest_tsc, x86_tsc_khz);
        }
        listen_smm(cpu->machine);
    }
    if (syscall(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)cpu) < 0) {
        emu_set_error(err, "GS base of a vCPU thread: %s", g_strerror(errno));
        return false;
    }
    return tcg_signals_thread_init(err);
}

/* INIT and SIPI; a CPU that is halted or waits for its SIPI stays so unless something wakes it. */
static bool wake_up(TcgCpu *c)
{
    X86State *st = &c->x.st;
    uint32_t events = atomic_load(&c->x.cpu.events);

    if (events & CPU_EVENT_INIT) {
        cpu_lower(&c->x.cpu, CPU_EVENT_INIT);
        x86_cpu_reset(&c->x, false);
        x86_debug_changed(&c->x);
        x86_tlb_flush_all(&c->x);
        x86_tlb_switch(&c->x, false);
        x86_mode_changed(&c->x);
    }
    if (events & CPU_EVENT_SIPI) {
        cpu_lower(&c->x.cpu, CPU_EVENT_SIPI);
        if (st->wait_sipi) {
            x86_cpu_sipi(&c->x, (uint8_t)atomic_load(&c->x.cpu.sipi_vector));
            x86_mode_changed(&c->x);
        }
    }
    if (st->wait_sipi) {
        return false;
    }
    if (st->halted) {
        bool nmi = (events & CPU_EVENT_NMI) && !st->nmi_blocked;
        bool smi = (events & CPU_EVENT_SMI) && !st->smm;
        if (!nmi && !smi && !((events & CPU_EVENT_INTR) && (st->rflags & FLAG_IF))) {
            return false;
        }
        if (smi && !c->x.cpu.machine->smm_memory.root) {
            cpu_lower(&c->x.cpu, CPU_EVENT_SMI);
            return wake_up(c);
        }
        /* RSM halts again: SMM entry has to find it halted (SDM 3C 31.10) */
        st->halted = smi;
    }
    return true;
}

static int run_guest(TcgCpu *c)
{
    static const uint32_t mxcsr_default = 0x1f80;
    uint8_t *image = c->x.st.xsave;
    int r;

    __asm__ volatile("fxrstor64 (%0)" ::"r"(image) : "memory");
    r = tcg_loop(c);
    __asm__ volatile("fxsave64 (%0)\n\tfninit\n\tldmxcsr %1" ::"r"(image), "m"(mxcsr_default)
                     : "memory");
    return r;
}

static AccelExit tcg_cpu_run(Cpu *cpu)
{
    TcgCpu *c = (TcgCpu *)cpu;

    for (;;) {
        atomic_store(&cpu->halted, false);
        safepoint_poll();
        if (atomic_load(&cpu->events) & CPU_EVENT_STOP) {
            return ACCEL_EXIT_EVENT;
        }
        cpu_lower(cpu, CPU_EVENT_KICK);
        if (c->broken) {
            return ACCEL_EXIT_ERROR;
        }
        bool halted = c->x.st.halted;
        if (!wake_up(c)) {
            atomic_store(&cpu->halted, true);
            return ACCEL_EXIT_HALTED;
        }
        c->debug.hold = c->debug.step && !halted;
        c->poll = 1;
        switch (run_guest(c)) {
        case TCG_LOOP_HALTED:
        case TCG_LOOP_EVENT:
            break;
        case TCG_LOOP_DEBUG:
            return ACCEL_EXIT_DEBUG;
        default:
            return ACCEL_EXIT_RESET;
        }
    }
}

static void tcg_cpu_kick(Cpu *cpu)
{
    atomic_store(&((TcgCpu *)cpu)->poll, 1);
}

static void tcg_get_state(Cpu *cpu)
{
    X86State *st = &((X86Cpu *)cpu)->st;
    uint32_t events = atomic_load(&cpu->events);

    /* all else is complete whenever cpu_run() is not running */
    st->nmi_pending = !!(events & CPU_EVENT_NMI);
    st->smi_pending = !!(events & CPU_EVENT_SMI);
}

/* The state may come from outside. */
static bool state_ok(TcgCpu *c)
{
    const X86State *st = &c->x.st;
    GError *err = NULL;

    if (!x86_cpu_check_state(&c->x, &err)) {
        g_printerr("%s: cpu %d: %s\n", g_get_prgname(), c->x.cpu.index, err->message);
        g_error_free(err);
        return false;
    }
    if ((st->exc_pending == X86_EVENT_EXCEPTION || st->exc_pending == X86_EVENT_EXCEPTION_RAISED) &&
        st->exc_vector > 31) {
        g_printerr("%s: cpu %d: CPU state: pending exception %u: 0 to 31 exist\n", g_get_prgname(),
                   c->x.cpu.index, st->exc_vector);
        return false;
    }
    return true;
}

static void tcg_put_state(Cpu *cpu)
{
    TcgCpu *c = (TcgCpu *)cpu;

    c->broken = !state_ok(c);
    if (c->x.st.nmi_pending) {
        cpu_raise(cpu, CPU_EVENT_NMI);
    }
    if (c->x.st.smi_pending) {
        cpu_raise(cpu, CPU_EVENT_SMI);
    }
    c->x.delivering = 0;
    c->debug.again = false;
    c->debug.hits = 0;
    tcg_debug_changed(c);
    x86_tlb_flush_all(&c->x);
    x86_tlb_switch(&c->x, true);
    x86_mode_changed(&c->x);
}

/* The guest's TSC stands while the machine does; kvmclock counts from here anew. */
static void tcg_machine_runs(Accel *accel, bool runs)
{
    TcgAccel *a = (TcgAccel *)accel;
    Machine *m = accel->machine;
    uint64_t now = __rdtsc(), stood = a->stopped_tsc ? now - a->stopped_tsc : 0;

    a->stopped_tsc = now;
    for (int i = 0; runs && i < m->cpu_count; i++) {
        X86Cpu *x = (X86Cpu *)m->cpus[i];
        x->st.tsc_offset -= stood;
        if (i == 0) {
            x86_kvmclock_restart(x);
        }
        x86_kvmclock_update(x);
    }
}

static bool tcg_has_cap(Accel *accel, AccelCap cap)
{
    (void)accel;
    return cap == ACCEL_CAP_SMM || cap == ACCEL_CAP_DEBUG;
}

static const MemListener *tcg_memory_listener(Accel *accel)
{
    (void)accel;
    return &listener;
}

static void tcg_print_info(Accel *accel, GString *out)
{
    code_print_info((TcgAccel *)accel, out);
}

uint64_t tcg_x87_error(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    CpuX87Pins *pins = cpu->cpu.x87_pins;

    (void)a, (void)b;
    if (pins) {
        machine_lock();
        atomic_store(&pins->error, 1);
        pins->raised(pins->opaque);
        machine_unlock();
    }
    return 0;
}

static const Property tcg_props[] = {
    {
        .name = "tb-size",
        .type = PROP_SIZE,
        PROP_FIELD(TcgAccel, tb_size),
        .min = 4 << 20,
        .max = 2047u << 20,
        .default_value = "512M",
        .description = "size of the cache of translated code",
    },
    {.type = PROP_END},
};

const AccelClass tcg_accel_class = {
    .name = "tcg",
    .description = "translates guest code; works on every host",
    .props = tcg_props,
    .size = sizeof(TcgAccel),
    .init = tcg_init,
    .fini = tcg_fini,
    .cpu_new = tcg_cpu_new,
    .cpu_free = tcg_cpu_free,
    .cpu_thread_init = tcg_cpu_thread_init,
    .cpu_run = tcg_cpu_run,
    .cpu_kick = tcg_cpu_kick,
    .get_state = tcg_get_state,
    .put_state = tcg_put_state,
    .machine_runs = tcg_machine_runs,
    .has_cap = tcg_has_cap,
    .memory_listener = tcg_memory_listener,
    .print_info = tcg_print_info,
    .set_debug_points = tcg_set_debug_points,
    .set_single_step = tcg_set_single_step,
};
