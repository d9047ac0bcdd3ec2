/*
 * Memory accesses that generated code cannot make by itself, and those of helpers: TLB fills, MMIO,
 * watched pages, page crossings. GPR-only (target-x86/exec.h).
 *
 * A page that must be watched when written (it holds translated code, or a dirty log wants to know)
 * gets an impossible write tag: an address with other index bits, which can never reach that entry.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "accel/tcg/code.h"
#include "accel/tcg/mmio.h"
#include "accel/tcg/tcg_cpu.h"
#include "core/machine.h"
#include "core/memory.h"

#pragma GCC optimize("no-tree-loop-distribute-patterns")

/* ---- walking ---- */

static X86_NORETURN void raise_walk_fault(TcgCpu *c, uint64_t linear, uint32_t fault, bool stack)
{
    if (fault & WALK_NONCANONICAL) {
        x86_raise_err(&c->x, stack ? EXC_SS : EXC_GP, 0);
    }
    c->x.st.cr2 = linear;
    x86_raise_err(&c->x, EXC_PF, fault & 0x1f);
}

const FlatRange *tcg_ram_range(TcgCpu *c, uint64_t phys)
{
    const FlatRange *r = flat_view_find(address_space_view(tcg_memory(c)), phys & ~0xfffull);

    if (!r || !r->ram || r->base + r->size - (phys & ~0xfffull) < 4096) {
        return NULL;
    }
    return r;
}

/* A write to this page needs no attention: dirty in every log that is on, no code. */
static bool write_is_free(const RamBlock *ram, uint64_t offset)
{
    uint64_t page = offset >> 12;

    for (int client = 0; client < DIRTY_CODE; client++) {
        const uint64_t *map = __atomic_load_n(&ram->dirty[client], __ATOMIC_ACQUIRE);
        if (map && !(__atomic_load_n(&map[page / 64], __ATOMIC_ACQUIRE) >> (page % 64) & 1)) {
            return false;
        }
    }
    const uint64_t *code = __atomic_load_n(&ram->dirty[DIRTY_CODE], __ATOMIC_ACQUIRE);
    return !code || !(__atomic_load_n(&code[page / 64], __ATOMIC_ACQUIRE) >> (page % 64) & 1);
}

typedef struct Translation {
    uint64_t phys;
    uint8_t *host; /* NULL: no plain memory */
    RamBlock *ram;
    uint64_t offset; /* in RAM */
    bool readonly;
} Translation;

/* Translates one address, fills the TLB where it can, raises faults. */
static void translate(TcgCpu *c, uint64_t linear, bool write, int kind, bool stack, Translation *t)
{
    WalkResult w;
    const FlatRange *r;

    x86_walk(&c->x, linear, write ? WALK_WRITE : WALK_READ, kind == TLB_USER, kind == TLB_KERNEL_AC,
             false, &w);
    if (w.fault) {
        raise_walk_fault(c, linear, w.fault, stack);
    }
    *t = (Translation){.phys = w.phys};
    r = tcg_ram_range(c, w.phys);
    if (!r) {
        return;
    }
    t->ram = r->ram;
    t->offset = r->ram_offset + (w.phys - r->base);
    t->host = r->ram->host + t->offset;
    t->readonly = r->readonly;

    uint64_t page = linear & ~0xfffull;
    TlbTable *table = tlb_table(c, kind);
    unsigned i = tlb_index(linear);
    TlbEntry *e = &table->e[i];
    if (!e->info) {
        table->journal[table->used++] = (uint16_t)i;
    }
    e->rtag = -page;
    e->wtag = w.writable && !r->readonly && write_is_free(r->ram, t->offset)
                  ? -page
                  : tlb_impossible_tag(i);
    if (__builtin_expect(c->debug.data, 0)) {
        unsigned watched = tcg_debug_data_page(c, linear);
        e->rtag = watched & DEBUG_READ ? tlb_impossible_tag(i) : e->rtag;
        e->wtag = watched & DEBUG_WRITE ? tlb_impossible_tag(i) : e->wtag;
    }
    e->host = (uint64_t)(uintptr_t)t->host & ~0xfffull;
    e->info = page | TLB_INFO_USED | (w.global ? TLB_INFO_GLOBAL : 0);
    table->has_nonglobal |= !w.global;
    if (w.page_bits > 12) {
        uint64_t lo = page & ~((1ull << w.page_bits) - 1), hi = page | ((1ull << w.page_bits) - 1);
        table->large_lo = lo < table->large_lo ? lo : table->large_lo;
        table->large_hi = hi > table->large_hi ? hi : table->large_hi;
    }
}

/* The host address of the byte at LINEAR for plain access, or NULL after filling T. */
static inline uint8_t *lookup(TcgCpu *c, uint64_t linear, bool write, int kind, bool stack,
                              Translation *t)
{
    TlbEntry *e = &tlb_table(c, kind)->e[tlb_index(linear)];
    uint64_t off = linear + (write ? e->wtag : e->rtag);

    t->host = NULL;
    t->readonly = false;

    if (off < 4096) {
        return (uint8_t *)(uintptr_t)(e->host + off);
    }
    translate(c, linear, write, kind, stack, t);
    if (!t->host || (write && t->readonly)) {
        return NULL;
    }
    if (write && !write_is_free(t->ram, t->offset)) {
        return NULL;
    }
    return t->host;
}

/* An access that is about to be made, whole. It is looked at before anything of it happens. */
static inline void watch(TcgCpu *c, uint64_t linear, unsigned size, unsigned kinds)
{
    if (__builtin_expect(c->debug.data, 0)) {
        tcg_debug_access(c, linear, size, kinds);
    }
}

/* ---- slow accesses ---- */

static void small_copy(uint8_t *dst, const uint8_t *src, uint64_t n)
{
    __asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n)::"memory");
}

/* A write that has attention: marks the logs, drops translated code. True when the block that runs
 * was hit. */
static bool note_write(TcgCpu *c, RamBlock *ram, uint64_t offset, uint64_t len)
{
    if (!ram_dirty_mark(ram, offset, len)) {
        return false;
    }
    return tcg_code_written(c, ram->ram_base + offset, len);
}

/* One side of a bounced access: LEN bytes at LINEAR, all in one page. */
static void gather_part(TcgCpu *c, uint64_t linear, uint8_t *buf, unsigned len, bool write,
                        int kind, bool stack, bool fill)
{
    Translation t;
    uint8_t *host = lookup(c, linear, write, kind, stack, &t);

    if (!host && write && t.host && !t.readonly) {
        host = t.host;
    }
    if (!fill) {
        return;
    }
    if (host) {
        small_copy(buf, host, len);
    } else if (t.host) {
        small_copy(buf, t.host, len); /* ROM */
    } else {
        tcg_mmio_read(c, t.phys, buf, len);
    }
}

static void scatter_part(TcgCpu *c, uint64_t linear, const uint8_t *buf, unsigned len, int kind)
{
    Translation t;
    uint8_t *host = lookup(c, linear, true, kind, false, &t);

    if (host) {
        small_copy(host, buf, len);
    } else if (t.host && t.readonly) {
        return;
    } else if (t.host) {
        small_copy(t.host, buf, len);
        if (note_write(c, t.ram, t.offset, len)) {
            c->commit.smc_exit = true;
        }
    } else {
        tcg_mmio_write(c, t.phys, buf, len);
    }
}

static uint64_t check_segment(TcgCpu *c, uint64_t offset, uint64_t desc)
{
    unsigned seg = (desc >> SLOW_SEG_SHIFT) & 7, size = (desc >> SLOW_SIZE_SHIFT) & 0x3ff;

    return tcg_seg_linear(&c->x, seg, offset, size, desc & SLOW_WRITE);
}

HostSlowResult tcg_mem_slow(void *cpu, uint64_t addr, uint64_t desc)
{
    TcgCpu *c = cpu;
    bool write = desc & SLOW_WRITE;
    unsigned size = (desc >> SLOW_SIZE_SHIFT) & 0x3ff;
    unsigned len = (desc >> SLOW_LEN_SHIFT) & 15;
    bool stack = ((desc >> SLOW_SEG_SHIFT) & 7) == SEG_SS;
    Translation t;

    tcg_sync_state(c, desc & SLOW_OFF_MASK, len);
    if (desc & SLOW_SEGCHECK) {
        addr = check_segment(c, addr, desc);
    }
    if ((desc & SLOW_ALIGNED) && (addr & (size - 1))) {
        x86_raise_err(&c->x, EXC_GP, 0);
    }
    watch(c, addr, size, (write ? DEBUG_WRITE : 0) | (desc & SLOW_READ || !write ? DEBUG_READ : 0));
    if ((addr & 0xfff) + size <= 4096) {
        uint8_t *host = lookup(c, addr, write, c->kind, stack, &t);
        if (host) {
            return (HostSlowResult){(uint64_t)(uintptr_t)host, 0};
        }
        if (!write && t.host) {
            return (HostSlowResult){(uint64_t)(uintptr_t)t.host, 0};
        }
        if (write && t.host && !t.readonly &&
            !tcg_code_hit(c->accel, t.ram->ram_base + t.offset, size)) {
            /* logged, but no code in these bytes: marked before the store; a page that stays
             * watched for its code comes here each time */
            ram_dirty_mark(t.ram, t.offset, size);
            return (HostSlowResult){(uint64_t)(uintptr_t)t.host, 0};
        }
    } else {
        /* both sides must be accessible before anything happens */
        unsigned first = 4096 - (addr & 0xfff);
        uint64_t second = x86_is_code64(&c->x.st) ? addr + first : (uint32_t)(addr + first);
        uint8_t *h1 = lookup(c, addr, write, c->kind, stack, &t);
        uint8_t *h2 = lookup(c, second, write, c->kind, stack, &t);
        if (h1 && h2 && h1 + first == h2) {
            return (HostSlowResult){(uint64_t)(uintptr_t)h1, 0};
        }
    }

    if ((desc & SLOW_LOCKED) && !c->locked && c->x.cpu.machine->cpu_count > 1) {
        exec_call_c(tcg_locked_begin, &c->x, 0, 0);
    }
    /* keep the address's alignment, for instructions that check it */
    uint8_t *buf = c->bounce + (addr & 63);
    unsigned first = 4096 - (addr & 0xfff) < size ? 4096 - (unsigned)(addr & 0xfff) : size;
    bool fill = (desc & SLOW_READ) || !write;
    uint64_t second = x86_is_code64(&c->x.st) ? addr + first : (uint32_t)(addr + first);
    gather_part(c, addr, buf, first, write, c->kind, stack, fill);
    if (first < size) {
        gather_part(c, second, buf + first, size - first, write, c->kind, stack, fill);
    }
    c->commit.linear = addr;
    c->commit.size = size;
    c->commit.last = desc & SLOW_LAST;
    c->commit.smc_exit = false;
    c->commit.next_rip = c->next_rip;
    return (HostSlowResult){(uint64_t)(uintptr_t)buf, 1};
}

void tcg_mem_commit(void *cpu, uint64_t rflags, uint64_t flags_host)
{
    TcgCpu *c = cpu;
    uint64_t addr = c->commit.linear;
    unsigned size = c->commit.size;
    uint8_t *buf = c->bounce + (addr & 63);
    unsigned first = 4096 - (addr & 0xfff) < size ? 4096 - (unsigned)(addr & 0xfff) : size;

    scatter_part(c, addr, buf, first, c->kind);
    if (first < size) {
        uint64_t second = x86_is_code64(&c->x.st) ? addr + first : (uint32_t)(addr + first);
        scatter_part(c, second, buf + first, size - first, c->kind);
    }
    if (c->locked) {
        exec_call_c(tcg_locked_end, &c->x, 0, 0);
    }
    if (c->commit.last && (c->commit.smc_exit || c->poll)) {
        if (flags_host) {
            c->fl_saved = flags_pack(rflags);
        }
        c->x.st.rip = c->commit.next_rip;
        tcg_unwind(c, EXIT_RESTART);
    }
}

/* ---- for helpers ---- */

static int kind_of(const TcgCpu *c, MmuAccess access)
{
    if (access == MMU_CURRENT) {
        return c->kind;
    }
    return access == MMU_USER ? TLB_USER : TLB_KERNEL;
}

uint64_t x86_ld(X86Cpu *cpu, uint64_t linear, unsigned size, MmuAccess access)
{
    TcgCpu *c = tcg_cpu(cpu);
    int kind = kind_of(c, access);
    Translation t;
    uint8_t buf[8];
    uint64_t v = 0;

    watch(c, linear, size, DEBUG_READ);
    if ((linear & 0xfff) + size <= 4096) {
        uint8_t *host = lookup(c, linear, false, kind, false, &t);
        host = host ? host : t.host;
        if (host) {
            switch (size) {
            case 1:
                return *host;
            case 2:
                return *(const uint16_t *)(const void *)host;
            case 4:
                return *(const uint32_t *)(const void *)host;
            default:
                return *(const uint64_t *)(const void *)host;
            }
        }
        tcg_mmio_read(c, t.phys, buf, size);
    } else {
        unsigned first = 4096 - (linear & 0xfff);
        gather_part(c, linear, buf, first, false, kind, false, true);
        gather_part(c, linear + first, buf + first, size - first, false, kind, false, true);
    }
    for (unsigned i = 0; i < size; i++) {
        v |= (uint64_t)buf[i] << (8 * i);
    }
    return v;
}

void x86_st(X86Cpu *cpu, uint64_t linear, uint64_t value, unsigned size, MmuAccess access)
{
    TcgCpu *c = tcg_cpu(cpu);
    int kind = kind_of(c, access);
    Translation t;
    uint8_t buf[8];

    watch(c, linear, size, DEBUG_WRITE);
    if ((linear & 0xfff) + size <= 4096) {
        uint8_t *host = lookup(c, linear, true, kind, false, &t);
        if (host) {
            switch (size) {
            case 1:
                *host = (uint8_t)value;
                break;
            case 2:
                *(uint16_t *)(void *)host = (uint16_t)value;
                break;
            case 4:
                *(uint32_t *)(void *)host = (uint32_t)value;
                break;
            default:
                *(uint64_t *)(void *)host = value;
                break;
            }
            return;
        }
    } else {
        lookup(c, linear, true, kind, false, &t);
        lookup(c, linear + 4096 - (linear & 0xfff), true, kind, false, &t);
    }
    for (unsigned i = 0; i < size; i++) {
        buf[i] = (uint8_t)(value >> (8 * i));
    }
    unsigned first = 4096 - (linear & 0xfff) < size ? 4096 - (unsigned)(linear & 0xfff) : size;
    scatter_part(c, linear, buf, first, kind);
    if (first < size) {
        scatter_part(c, linear + first, buf + first, size - first, kind);
    }
}

void x86_probe_write(X86Cpu *cpu, uint64_t linear, unsigned size, MmuAccess access)
{
    TcgCpu *c = tcg_cpu(cpu);
    int kind = kind_of(c, access);
    Translation t;

    lookup(c, linear, true, kind, false, &t);
    if ((linear & 0xfff) + size > 4096) {
        lookup(c, linear + 4096 - (linear & 0xfff), true, kind, false, &t);
    }
}

uint8_t *x86_host_ptr(X86Cpu *cpu, uint64_t linear, bool write)
{
    TcgCpu *c = tcg_cpu(cpu);
    Translation t;
    uint8_t *host = lookup(c, linear, write, c->kind, false, &t);

    if (__builtin_expect(c->debug.data, 0) &&
        (tcg_debug_data_page(c, linear) & (write ? DEBUG_WRITE : DEBUG_READ))) {
        return NULL;
    }
    return host || write ? host : t.host;
}

uint64_t x86_ld_phys(X86Cpu *cpu, uint64_t addr, unsigned size)
{
    TcgCpu *c = tcg_cpu(cpu);
    const FlatRange *r = tcg_ram_range(c, addr);
    uint8_t buf[8];
    uint64_t v = 0;

    if (r && (addr & 0xfff) + size <= 4096) {
        const void *host = r->ram->host + r->ram_offset + (addr - r->base);
        if (size == 8) {
            return __atomic_load_n((const uint64_t *)host, __ATOMIC_RELAXED);
        }
        if (size == 4) {
            return __atomic_load_n((const uint32_t *)host, __ATOMIC_RELAXED);
        }
    }
    tcg_mmio_read(c, addr, buf, size);
    for (unsigned i = 0; i < size; i++) {
        v |= (uint64_t)buf[i] << (8 * i);
    }
    return v;
}

void x86_st_phys(X86Cpu *cpu, uint64_t addr, uint64_t value, unsigned size)
{
    uint8_t buf[8];

    for (unsigned i = 0; i < size; i++) {
        buf[i] = (uint8_t)(value >> (8 * i));
    }
    tcg_mmio_write(tcg_cpu(cpu), addr, buf, size);
}

bool x86_cas_phys(X86Cpu *cpu, uint64_t addr, uint64_t old, uint64_t value, unsigned size)
{
    TcgCpu *c = tcg_cpu(cpu);
    const FlatRange *r = tcg_ram_range(c, addr);
    uint32_t old32 = (uint32_t)old;
    bool done;

    if (!r || r->readonly) {
        return false;
    }
    uint64_t offset = r->ram_offset + (addr - r->base);
    void *host = r->ram->host + offset;
    done = size == 8 ? __atomic_compare_exchange_n((uint64_t *)host, &old, value, false,
                                                   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
                     : __atomic_compare_exchange_n((uint32_t *)host, &old32, (uint32_t)value, false,
                                                   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    if (done && !write_is_free(r->ram, offset)) {
        note_write(c, r->ram, offset, size);
    }
    return done;
}
