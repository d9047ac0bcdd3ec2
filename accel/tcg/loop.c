/*
 * The execution loop: finds the next block, runs it, deals with what comes out. GPR-only.
 *
 * Outside enter() the state in X86State is complete but for vectors and x87, which stay in the
 * host's registers from tcg_loop()'s caller on. Anything that may raise runs under guard(), which
 * unwind() leaves. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "accel/tcg/loop.h"

#include "accel/tcg/mmio.h"
#include "accel/tcg/tcg_accel.h"
#include "target-x86/helpers.h"
#include "target-x86/helpers_impl.h"
#include "util/log.h"

/* ---- services ---- */

void tcg_unwind(TcgCpu *c, uint64_t reason)
{
    if (c->locked) {
        exec_call_c(tcg_locked_end, &c->x, 0, 0);
    }
    c->accel->thunks.unwind(c, reason);
}

void tcg_sync_state(TcgCpu *c, unsigned off, unsigned len)
{
    uint64_t mask = c->mode & MODE_CODE64   ? UINT64_MAX
                    : c->mode & MODE_CODE32 ? UINT32_MAX
                                            : 0xffff;

    c->x.st.rip = (c->page_ip + off) & mask;
    c->next_rip = (c->page_ip + off + len) & mask;
    c->x.st.rflags = flags_unpack(c->x.st.rflags, c->fl_saved);
}

uint64_t exec_next_rip(X86Cpu *cpu)
{
    return tcg_cpu(cpu)->next_rip;
}

/* The state that the exception finds: a task switch has brought other flags. */
static X86_NORETURN void raise_now(TcgCpu *c)
{
    c->fl_saved = flags_pack(c->x.st.rflags);
    tcg_unwind(c, EXIT_EXCEPTION);
}

void x86_raise(X86Cpu *cpu, int vector)
{
    TcgCpu *c = tcg_cpu(cpu);

    c->exc_vector = vector;
    c->has_error = false;
    c->exc_error = 0;
    c->exc_trap = false;
    raise_now(c);
}

void x86_raise_err(X86Cpu *cpu, int vector, uint32_t error_code)
{
    TcgCpu *c = tcg_cpu(cpu);

    c->exc_vector = vector;
    c->has_error = true;
    c->exc_error = error_code;
    c->exc_trap = false;
    raise_now(c);
}

void x86_raise_at(X86Cpu *cpu, int vector, uint64_t rip)
{
    TcgCpu *c = tcg_cpu(cpu);

    c->exc_vector = vector;
    c->has_error = false;
    c->exc_error = 0;
    c->exc_trap = true;
    c->exc_rip = rip;
    raise_now(c);
}

void x86_exit_loop(X86Cpu *cpu)
{
    tcg_cpu(cpu)->fl_saved = flags_pack(cpu->st.rflags);
    tcg_unwind(tcg_cpu(cpu), EXIT_RESTART);
}

void x86_halt(X86Cpu *cpu)
{
    cpu->st.halted = 1;
    tcg_cpu(cpu)->fl_saved = flags_pack(cpu->st.rflags); /* RSM brings others */
    tcg_unwind(tcg_cpu(cpu), EXIT_HALT);
}

void x86_triple_fault(X86Cpu *cpu)
{
    tcg_unwind(tcg_cpu(cpu), EXIT_TRIPLE);
}

bool x86_poll_pending(X86Cpu *cpu)
{
    return tcg_cpu(cpu)->poll;
}

uint64_t tcg_seg_linear(X86Cpu *cpu, unsigned seg, uint64_t offset, unsigned size, bool write)
{
    return x86_seg_linear(cpu, seg, offset, size, write);
}

/* Never inlined: what FN does must not move in front of the save or behind the restore. */
__attribute__((noinline, noclone)) uint64_t
exec_call_c(uint64_t (*fn)(X86Cpu *, uint64_t, uint64_t), X86Cpu *cpu, uint64_t a, uint64_t b)
{
    static const uint32_t mxcsr_default = 0x1f80;
    uint8_t *image = cpu->st.xsave;
    uint64_t ret;

    __asm__ volatile("fxsave64 (%0)\n\tfninit\n\tldmxcsr %1"
                     :
                     : "r"(image), "m"(mxcsr_default)
                     : "memory");
    ret = fn(cpu, a, b);
    __asm__ volatile("fxrstor64 (%0)" : : "r"(image) : "memory");
    x86_recheck_events(cpu);
    return ret;
}

void tcg_mmio_read(TcgCpu *c, uint64_t phys, uint8_t *buf, unsigned len)
{
    MmioRequest r = {.addr = phys, .buf = buf, .len = len};

    exec_call_c(tcg_mmio_access, &c->x, (uint64_t)(uintptr_t)&r, 0);
}

void tcg_mmio_write(TcgCpu *c, uint64_t phys, const uint8_t *buf, unsigned len)
{
    MmioRequest r = {.addr = phys, .buf = (uint8_t *)(uintptr_t)buf, .len = len, .write = true};

    exec_call_c(tcg_mmio_access, &c->x, (uint64_t)(uintptr_t)&r, 0);
}

static inline void watch_port(X86Cpu *cpu, uint16_t port, unsigned size)
{
    if (__builtin_expect(tcg_cpu(cpu)->debug.data, 0)) {
        tcg_debug_port(tcg_cpu(cpu), port, size);
    }
}

uint64_t x86_port_in(X86Cpu *cpu, uint16_t port, unsigned size)
{
    watch_port(cpu, port, size);
    return exec_call_c(tcg_port_in, cpu, port | (uint64_t)size << 16, 0);
}

void x86_port_out(X86Cpu *cpu, uint16_t port, uint32_t value, unsigned size)
{
    watch_port(cpu, port, size);
    exec_call_c(tcg_port_out, cpu, port | (uint64_t)size << 16, value);
}

uint64_t x86_rdtsc(X86Cpu *cpu)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return ((uint64_t)hi << 32 | lo) + cpu->st.tsc_offset;
}

void x86_set_tsc(X86Cpu *cpu, uint64_t value)
{
    cpu->st.tsc_offset += value - x86_rdtsc(cpu);
}

/* ---- modes ---- */

void tcg_ctx_changed(TcgCpu *c)
{
    /* an IP means different code under another CS base */
    ExecSpace *s = exec_space(c);

    c->ctx = c->mode | (uint64_t)s->gen << MODE_BITS |
             (c->mode & MODE_CODE64 ? 0 : c->x.st.seg[SEG_CS].base << 32);
    c->exec_ip = s->ip;
    c->tlb = tlb_table(c, c->kind)->e;
}

/* TYPES: they are checked in protected mode only (SDM 3A 5.1). */
static int64_t last_valid(const X86Segment *s, bool write, bool types)
{
    bool code = s->attr & SEG_ATTR_CODE;

    if ((s->attr & SEG_ATTR_UNUSABLE) || (!code && (s->attr & SEG_ATTR_DC))) {
        return -1; /* the slow path looks closer */
    }
    if (types && (write ? code || !(s->attr & SEG_ATTR_RW) : code && !(s->attr & SEG_ATTR_RW))) {
        return -1;
    }
    return s->limit;
}

void x86_mode_changed(X86Cpu *cpu)
{
    TcgCpu *c = tcg_cpu(cpu);

    c->mode = x86_mode_bits(&cpu->st);
    c->kind = c->mode & MODE_USER                                       ? TLB_USER
              : !(cpu->st.cr4 & CR4_SMAP) || (cpu->st.rflags & FLAG_AC) ? TLB_KERNEL_AC
                                                                        : TLB_KERNEL;
    if (!(c->mode & MODE_CODE64)) {
        for (int i = 0; i < SEG_COUNT; i++) {
            c->seg_rlimit[i] = last_valid(&cpu->st.seg[i], false, c->mode & MODE_PE);
            c->seg_wlimit[i] = last_valid(&cpu->st.seg[i], true, c->mode & MODE_PE);
        }
    }
    tcg_ctx_changed(c);
}

/* Only for what can be taken: a poll that finds nothing to do leaves the block before it has got
 * anywhere, and a call on the way back into it would raise the word again, for ever. */
void x86_recheck_events(X86Cpu *cpu)
{
    uint32_t events = atomic_load_explicit(&cpu->cpu.events, memory_order_relaxed);

    if (!(cpu->st.rflags & FLAG_IF)) {
        events &= ~(uint32_t)CPU_EVENT_INTR;
    }
    if (cpu->st.nmi_blocked) {
        events &= ~(uint32_t)CPU_EVENT_NMI;
    }
    if (cpu->st.smm) {
        events &= ~(uint32_t)CPU_EVENT_SMI;
    }
    if (events) {
        tcg_cpu(cpu)->poll = 1;
    }
}

/* ---- helpers, called from generated code ---- */

static inline void before_helper(TcgCpu *c, uint64_t desc)
{
    tcg_sync_state(c, desc & SLOW_OFF_MASK, (desc >> SLOW_LEN_SHIFT) & 15);
}

uint64_t tcg_call_helper(void *cpu, uint64_t a, uint64_t b, uint64_t desc)
{
    TcgCpu *c = cpu;
    uint64_t ret;

    before_helper(c, desc);
    ret = x86_helpers[desc >> 32](&c->x, a, b);
    c->fl_saved = flags_pack(c->x.st.rflags);
    return ret;
}

void tcg_call_helper_end(void *cpu, uint64_t a, uint64_t b, uint64_t desc)
{
    TcgCpu *c = cpu;

    before_helper(c, desc);
    uint64_t next = c->next_rip;
    x86_helpers[desc >> 32](&c->x, a, b);
    if (!x86_helper_jumps[desc >> 32]) {
        c->x.st.rip = next;
    }
    c->fl_saved = flags_pack(c->x.st.rflags);
}

/* ---- finding code ---- */

static uint64_t ip_mask(const TcgCpu *c)
{
    return c->mode & MODE_CODE64 ? UINT64_MAX : c->mode & MODE_CODE32 ? UINT32_MAX : 0xffff;
}

static inline uint64_t linear_ip(const TcgCpu *c, uint64_t ip)
{
    return c->mode & MODE_CODE64 ? ip : (uint32_t)(c->x.st.seg[SEG_CS].base + ip);
}

static inline JumpCacheEntry *jc_entry(TcgCpu *c, uint64_t ip)
{
    uint32_t h = (uint32_t)ip ^ (uint32_t)ip >> 7;

    return &c->jc[h & (JC_ENTRIES - 1)];
}

static uint64_t translate_thunk(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    FindRequest *f = (FindRequest *)(uintptr_t)a;

    (void)b;
    return (uint64_t)(uintptr_t)code_translate(tcg_cpu(cpu), f->ram_addr, f->mode, f->page2);
}

/* Code that is not all in RAM: c->found becomes a block of one instruction, to be run once. */
static void find_uncached(TcgCpu *c, uint64_t linear, uint32_t mode)
{
    UncachedCode code = {.phys = {tcg_code_phys(c, linear)}, .mode = mode};
    uint64_t mask = c->mode & MODE_CODE64 ? UINT64_MAX : UINT32_MAX;
    uint64_t b = exec_call_c(tcg_translate_uncached, &c->x, (uint64_t)(uintptr_t)&code, 0);

    if (!b) {
        code.straddles = true;
        code.phys[1] = tcg_code_phys(c, ((linear & ~0xfffull) + 4096) & mask);
        b = exec_call_c(tcg_translate_uncached, &c->x, (uint64_t)(uintptr_t)&code, 0);
    }
    c->found = (Block *)(uintptr_t)b;
}

/* Under guard: c->found becomes the block at st.rip in MODE. */
static void find_block(void *cpu, uint64_t mode)
{
    TcgCpu *c = cpu;
    X86State *st = &c->x.st;
    uint64_t linear = linear_ip(c, st->rip), page = linear & ~0xfffull;
    FindRequest f = {.mode = (uint32_t)mode, .page2 = NO_RAM_ADDR};
    uint64_t page_ram, page2;
    Block *b;

    if (!(c->mode & MODE_CODE64) && st->rip > st->seg[SEG_CS].limit) {
        x86_raise_err(&c->x, EXC_GP, 0);
    }
    if (!tcg_code_page(c, linear, &page_ram)) {
        find_uncached(c, linear, f.mode);
        return;
    }
    f.ram_addr = page_ram | (linear & 0xfff);
    b = code_find(c->accel, f.ram_addr, f.mode, NO_RAM_ADDR);
    if (!b && (linear & 0xfff) > 4096 - 15) {
        /* perhaps a straddling instruction is known here */
        b = (Block *)(uintptr_t)exec_call_c(translate_thunk, &c->x, (uint64_t)(uintptr_t)&f, 0);
        if (!b) {
            if (!tcg_code_page(c, page + 4096, &page2)) {
                find_uncached(c, linear, f.mode);
                return;
            }
            f.page2 = page2;
            b = code_find(c->accel, f.ram_addr, f.mode, page2);
        }
    }
    if (!b) {
        b = (Block *)(uintptr_t)exec_call_c(translate_thunk, &c->x, (uint64_t)(uintptr_t)&f, 0);
    }
    c->found = b;
}

/* ---- events ---- */

static void deliver_exception(void *cpu, uint64_t unused)
{
    TcgCpu *c = cpu;

    (void)unused;
    x86_deliver(&c->x, INT_EXCEPTION, c->exc_vector, c->has_error, c->exc_error,
                c->exc_trap ? c->exc_rip : c->x.st.rip);
}

static void deliver_interrupt(void *cpu, uint64_t vector)
{
    TcgCpu *c = cpu;

    x86_deliver(&c->x, INT_HW, (int)vector, false, 0, c->x.st.rip);
}

static void deliver_smi(void *cpu, uint64_t unused)
{
    TcgCpu *c = cpu;

    (void)unused;
    x86_enter_smm(&c->x);
}

static uint64_t ack_interrupt(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    return (uint64_t)(int64_t)cpu->cpu.intc_ops->ack(cpu->cpu.intc);
}

/* Delivers exceptions until one gets through; the reason the loop must end for, or EXIT_NEXT. */
static uint64_t take_exception(TcgCpu *c)
{
    uint64_t r;

    do {
        r = c->accel->thunks.guard(c, deliver_exception, 0);
    } while (r == EXIT_EXCEPTION);
    return r;
}

static uint64_t guarded(TcgCpu *c, void (*fn)(void *, uint64_t), uint64_t a)
{
    uint64_t r = c->accel->thunks.guard(c, fn, a);

    return r == EXIT_EXCEPTION ? take_exception(c) : r;
}

/* Takes what can be taken now, one at a time by priority. */
static uint64_t take_events(TcgCpu *c, uint32_t events)
{
    X86State *st = &c->x.st;

    if ((events & CPU_EVENT_SMI) && !st->smm) {
        atomic_fetch_and(&c->x.cpu.events, ~(uint32_t)CPU_EVENT_SMI);
        if (c->x.cpu.machine->smm_memory.root) {
            return guarded(c, deliver_smi, 0);
        }
        /* a machine without SMM: lost, like on a chipset that does not wire the pin */
    }
    if ((events & CPU_EVENT_NMI) && !st->nmi_blocked && !st->int_shadow) {
        atomic_fetch_and(&c->x.cpu.events, ~(uint32_t)CPU_EVENT_NMI);
        return guarded(c, deliver_interrupt, EXC_NMI);
    }
    if ((events & CPU_EVENT_INTR) && (st->rflags & FLAG_IF) && !st->int_shadow) {
        int64_t vector = (int64_t)exec_call_c(ack_interrupt, &c->x, 0, 0);
        if (vector >= 0) {
            return guarded(c, deliver_interrupt, (uint64_t)vector);
        }
    }
    return EXIT_NEXT;
}

/* ---- the loop ---- */

static uint64_t link_thunk(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    code_link(tcg_cpu(cpu)->accel, (Edge *)(uintptr_t)a, (Block *)(uintptr_t)b);
    return 0;
}

static uint64_t room_thunk(X86Cpu *cpu, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    code_make_room(tcg_cpu(cpu)->accel);
    return 0;
}

/* The block at st.rip, or NULL with *REASON why the loop must do something else first. */
static inline Block *next_block(TcgCpu *c, uint32_t mode, uint64_t *reason)
{
    X86State *st = &c->x.st;
    JumpCacheEntry *j = jc_entry(c, st->rip);
    Block *b;

    if (mode == c->mode && j->ip == st->rip && j->ctx == c->ctx && !j->block->dead) {
        c->page_ip = j->page_ip;
        return j->block;
    }
    *reason = guarded(c, find_block, mode);
    if (*reason != EXIT_NEXT || !c->found) {
        return NULL;
    }
    b = c->found;
    c->found = NULL;
    c->page_ip = st->rip - (linear_ip(c, st->rip) & 0xfff);
    if (mode == c->mode && b->ram_addr != NO_RAM_ADDR) {
        if ((mode & MODE_CODE64) && b->page2 == NO_RAM_ADDR) {
            exec_note(c, b->ram_addr >> 12, c->page_ip);
        }
        j->ip = st->rip;
        j->ctx = c->ctx;
        j->page_ip = c->page_ip;
        j->block = b;
    }
    return b;
}

/*
 * A state that was taken elsewhere, in the middle of a delivery. Soft events are not repeated here:
 * the instruction that caused them is where RIP is.
 */
static uint64_t deliver_pending(TcgCpu *c)
{
    X86State *st = &c->x.st;
    uint8_t kind = st->exc_pending;

    st->exc_pending = X86_EVENT_NONE;
    if (st->exc_is_soft) {
        return EXIT_NEXT;
    }
    if (kind == X86_EVENT_INTERRUPT) {
        return guarded(c, deliver_interrupt, st->exc_vector);
    }
    if (kind == X86_EVENT_EXCEPTION_RAISED && st->exc_vector == EXC_PF) {
        st->cr2 = st->exc_payload;
    } else if (kind == X86_EVENT_EXCEPTION_RAISED && st->exc_vector == EXC_DB) {
        st->dr[6] = (st->dr[6] & ~0xfull) | (st->exc_payload & 0xe00f);
    }
    c->exc_vector = st->exc_vector;
    c->has_error = st->exc_has_error;
    c->exc_error = st->exc_error;
    c->exc_trap = false;
    return take_exception(c);
}

/*
 * An x87 instruction has found an error pending, and CR0.NE is 0. True: IGNNE# lets it through.
 * Otherwise it is for the board to interrupt the CPU, which waits for that (SDM 1 D.2.1.3).
 */
static bool ignore_x87_error(TcgCpu *c)
{
    CpuX87Pins *pins = c->x.cpu.x87_pins;

    if (pins && atomic_load(&pins->ignore)) {
        return true;
    }
    exec_call_c(tcg_x87_error, &c->x, 0, 0);
    c->x.st.halted = 1;
    return false;
}

int tcg_loop(TcgCpu *c)
{
    X86State *st = &c->x.st;
    Edge *edge = NULL;
    bool ignore_x87 = false;
    uint64_t reason = EXIT_NEXT, evictions = c->accel->evictions;

    if (st->exc_pending && deliver_pending(c) == EXIT_TRIPLE) {
        return TCG_LOOP_TRIPLE;
    }
    for (;;) {
        if (atomic_load_explicit(&c->poll, memory_order_relaxed)) {
            atomic_store(&c->poll, 0);
            uint32_t events = atomic_load(&c->x.cpu.events);
            if (events & ~(uint32_t)(CPU_EVENT_INTR | CPU_EVENT_NMI | CPU_EVENT_SMI)) {
                return TCG_LOOP_EVENT;
            }
            if (events && !c->debug.hold) {
                uint64_t ip = st->rip;
                reason = take_events(c, events);
                if (reason == EXIT_TRIPLE) {
                    return TCG_LOOP_TRIPLE;
                }
                edge = NULL;
                if (st->rip != ip && tcg_debug_stepped(c)) {
                    return TCG_LOOP_DEBUG;
                }
            }
        }
        if (atomic_load_explicit(&c->accel->room_wanted, memory_order_relaxed)) {
            exec_call_c(room_thunk, &c->x, 0, 0);
        }
        bool tf = st->rflags & FLAG_TF, one = tf || st->int_shadow;
        if (__builtin_expect(c->debug.active, 0)) {
            int todo = tcg_debug_before(c, linear_ip(c, st->rip), one);
            if (todo == TCG_DEBUG_STOP) {
                return TCG_LOOP_DEBUG;
            }
            if (todo == TCG_DEBUG_RAISE) {
                edge = NULL;
                if (take_exception(c) == EXIT_TRIPLE) {
                    return TCG_LOOP_TRIPLE;
                }
                if (tcg_debug_stepped(c)) {
                    return TCG_LOOP_DEBUG;
                }
                continue;
            }
            one = todo == TCG_DEBUG_ONE;
        }
        one |= ignore_x87;
        uint64_t ip = st->rip;
        uint32_t mode = c->mode | (one ? MODE_ONE : 0);
        Block *b = next_block(c, mode, &reason);
        if (!b) {
            if (reason == EXIT_TRIPLE) {
                return TCG_LOOP_TRIPLE;
            }
            edge = NULL;
            if (st->rip != ip && tcg_debug_stepped(c)) {
                return TCG_LOOP_DEBUG;
            }
            continue;
        }
        if (evictions != c->accel->evictions) {
            evictions = c->accel->evictions; /* the edge is gone with its block */
            edge = NULL;
        }
        if (edge && !one && b->page2 == NO_RAM_ADDR && !log_enabled(LOG_NOCHAIN)) {
            exec_call_c(link_thunk, &c->x, (uint64_t)(uintptr_t)edge, (uint64_t)(uintptr_t)b);
        }
        edge = NULL;
        if (one) {
            st->int_shadow = 0;
            c->poll = 1;
        }
        if (log_enabled(LOG_EXEC | LOG_CPU)) {
            exec_call_c(tcg_log_exec, &c->x, (uint64_t)(uintptr_t)b, reason);
        }
        c->running = b;
        c->debug.recording = one;
        c->fl_saved = flags_pack(st->rflags);
        atomic_store_explicit(&c->in_code, true, memory_order_relaxed);
        uint16_t fcw = ignore_x87 ? x86_x87_mask() : 0;
        reason = c->accel->thunks.enter(c, atomic_load_explicit(&b->entry, memory_order_relaxed));
        if (ignore_x87) {
            x86_x87_unmask(fcw);
            ignore_x87 = false;
        }
        atomic_store_explicit(&c->in_code, false, memory_order_relaxed);
        st->rflags = flags_unpack(st->rflags, c->fl_saved);
        switch (reason) {
        case EXIT_LINK:
            edge = (Edge *)(uintptr_t)c->exit_arg;
            st->rip = (c->page_ip + (uint64_t)(int64_t)edge->target) & ip_mask(c);
            if (one) {
                edge = NULL;
            }
            break;
        case EXIT_DISPATCH:
            st->rip = c->exit_arg;
            break;
        case EXIT_EXCEPTION:
            c->debug.hits = 0; /* the instruction has not happened */
            c->x.cpu.debug_stop = DEBUG_NONE;
            if (take_exception(c) == EXIT_TRIPLE) {
                return TCG_LOOP_TRIPLE;
            }
            if (tcg_debug_stepped(c)) {
                return TCG_LOOP_DEBUG;
            }
            continue;
        case EXIT_HALT:
            if (tcg_debug_stepped(c)) {
                return TCG_LOOP_DEBUG;
            }
            return TCG_LOOP_HALTED;
        case EXIT_TRIPLE:
            return TCG_LOOP_TRIPLE;
        case EXIT_X87_ERROR:
            ignore_x87 = ignore_x87_error(c);
            if (!ignore_x87) {
                return TCG_LOOP_HALTED;
            }
            continue;
        default:
            break;
        }
        if (one) {
            int todo = tcg_debug_after(c, reason != EXIT_RESTART || st->rip != ip, tf);
            if (todo == TCG_DEBUG_RAISE && take_exception(c) == EXIT_TRIPLE) {
                return TCG_LOOP_TRIPLE;
            }
            if (c->x.cpu.debug_stop) {
                return TCG_LOOP_DEBUG;
            }
        }
    }
}
