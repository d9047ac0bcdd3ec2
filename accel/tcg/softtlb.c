/*
 * The software TLB: fills, slow accesses, flushes. GPR-only (target-x86/exec.h).
 *
 * Each address space (PCID) has a set; a set has a table for each kind of rights. Generated code
 * looks at one entry of the current table and falls into tcg_mem_slow() when it does not match. A
 * page that must be watched when written (it holds translated code, or a dirty log wants to know)
 * gets an impossible write tag: an address with other index bits, which can never reach that entry.
 *
 * Flushing a table undoes the entries named in its journal, so that it costs what was filled.
 *
 * Translations of code addresses (xtlb, jump cache) are tagged with the set's generation; a flush
 * or INVLPG that may concern code takes a new generation, and all of them are gone at once.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "accel/tcg/code.h"
#include "accel/tcg/mmio.h"
#include "accel/tcg/tcg_cpu.h"
#include "core/machine.h"
#include "core/memory.h"

#pragma GCC optimize("no-tree-loop-distribute-patterns")

static unsigned tlb_index(uint64_t linear)
{
    return (linear >> 12) & (TLB_ENTRIES - 1);
}

/* A tag that no address with index I can match. */
static uint64_t impossible_tag(unsigned i)
{
    return -((uint64_t)(i ^ 1) << 12);
}

static void entry_clear(TlbEntry *e, unsigned i)
{
    e->rtag = e->wtag = impossible_tag(i);
    e->info = 0;
}

/* ---- flushing ---- */

/* Generations have GEN_BITS bits: when they are used up, everything tagged with one is dropped. */
static void restart_gens(TcgCpu *c)
{
    for (int i = 0; i < JC_ENTRIES; i++) {
        c->jc[i].ctx = UINT64_MAX;
    }
    for (int i = 0; i < XTLB_ENTRIES; i++) {
        c->xtlb[i].gen = 0;
    }
    c->gen_counter = 0;
    for (int i = 0; i < TLB_SETS; i++) {
        c->sets[i]->gen = ++c->gen_counter;
    }
}

static void set_new_gen(TcgCpu *c, TlbSet *s)
{
    if (c->gen_counter + 1 == 1u << GEN_BITS) {
        restart_gens(c);
    }
    s->gen = ++c->gen_counter;
    for (int i = 0; i < 16; i++) {
        s->exec_seen[i] = 0;
    }
    if (s == c->set) {
        tcg_ctx_changed(c);
    }
}

static void set_flush(TcgCpu *c, TlbSet *s, bool keep_global)
{
    for (int k = 0; k < TLB_KINDS; k++) {
        unsigned kept = 0;
        for (unsigned j = 0; j < s->used[k]; j++) {
            unsigned i = s->journal[k][j];
            if (keep_global && (s->e[k][i].info & TLB_INFO_GLOBAL)) {
                s->journal[k][kept++] = (uint16_t)i;
            } else {
                entry_clear(&s->e[k][i], i);
            }
        }
        s->used[k] = (uint16_t)kept;
    }
    if (!keep_global) {
        s->large_lo = UINT64_MAX;
        s->large_hi = 0;
    }
    set_new_gen(c, s);
}

void x86_tlb_flush_all(X86Cpu *cpu)
{
    TcgCpu *c = tcg_cpu(cpu);

    for (int i = 0; i < TLB_SETS; i++) {
        if (c->sets[i]->valid) {
            set_flush(c, c->sets[i], false);
            c->sets[i]->valid = c->sets[i] == c->set;
        }
    }
}

void x86_tlb_flush_nonglobal(X86Cpu *cpu)
{
    TcgCpu *c = tcg_cpu(cpu);

    for (int i = 0; i < TLB_SETS; i++) {
        if (c->sets[i]->valid) {
            set_flush(c, c->sets[i], true);
        }
    }
}

static TlbSet *set_find(TcgCpu *c, uint16_t pcid)
{
    for (int i = 0; i < TLB_SETS; i++) {
        if (c->sets[i]->valid && c->sets[i]->pcid == pcid) {
            return c->sets[i];
        }
    }
    return NULL;
}

void x86_tlb_flush_pcid(X86Cpu *cpu, uint16_t pcid)
{
    TlbSet *s = set_find(tcg_cpu(cpu), pcid);

    if (s) {
        set_flush(tcg_cpu(cpu), s, true);
    }
}

static void set_flush_page(TcgCpu *c, TlbSet *s, uint64_t linear)
{
    uint64_t page = linear & ~0xfffull;
    unsigned i = tlb_index(linear), bit = (linear >> 12) & 1023;

    if (page >= s->large_lo && page <= s->large_hi) {
        set_flush(c, s, false); /* a large page's entries stand anywhere in it */
        return;
    }
    for (int k = 0; k < TLB_KINDS; k++) {
        if ((s->e[k][i].info & ~0xfffull) == page && (s->e[k][i].info & TLB_INFO_USED)) {
            s->e[k][i].rtag = s->e[k][i].wtag = impossible_tag(i);
        }
    }
    if (s->exec_seen[bit / 64] >> (bit % 64) & 1) {
        set_new_gen(c, s);
    }
}

void x86_tlb_flush_page(X86Cpu *cpu, uint64_t linear)
{
    TcgCpu *c = tcg_cpu(cpu);

    for (int i = 0; i < TLB_SETS; i++) {
        if (c->sets[i]->valid) {
            set_flush_page(c, c->sets[i], linear);
        }
    }
}

void x86_tlb_flush_pcid_page(X86Cpu *cpu, uint16_t pcid, uint64_t linear)
{
    TlbSet *s = set_find(tcg_cpu(cpu), pcid);

    if (s) {
        set_flush_page(tcg_cpu(cpu), s, linear);
    }
}

void x86_tlb_switch(X86Cpu *cpu, bool flush)
{
    TcgCpu *c = tcg_cpu(cpu);
    uint16_t pcid = cpu->st.cr4 & CR4_PCIDE ? cpu->st.cr3 & 0xfff : 0;
    TlbSet *s = set_find(c, pcid);

    if (!s) {
        s = c->sets[0];
        for (int i = 1; i < TLB_SETS && s->valid; i++) {
            if (!c->sets[i]->valid || c->sets[i]->last_use < s->last_use) {
                s = c->sets[i];
            }
        }
        set_flush(c, s, false);
        s->valid = true;
        s->pcid = pcid;
    } else if (flush) {
        set_flush(c, s, true);
    }
    s->last_use = ++c->use_counter;
    c->set = s;
    tcg_ctx_changed(c);
}

void tlb_protect(TcgCpu *c, const uint8_t *host)
{
    for (int n = 0; n < TLB_SETS; n++) {
        TlbSet *s = c->sets[n];
        for (int k = 0; s->valid && k < TLB_KINDS; k++) {
            for (unsigned j = 0; j < s->used[k]; j++) {
                unsigned i = s->journal[k][j];
                if (s->e[k][i].host == (uint64_t)(uintptr_t)host) {
                    s->e[k][i].wtag = impossible_tag(i);
                }
            }
        }
    }
}

void tlb_protect_all(TcgCpu *c)
{
    for (int n = 0; n < TLB_SETS; n++) {
        TlbSet *s = c->sets[n];
        for (int k = 0; s->valid && k < TLB_KINDS; k++) {
            for (unsigned j = 0; j < s->used[k]; j++) {
                unsigned i = s->journal[k][j];
                s->e[k][i].wtag = impossible_tag(i);
            }
        }
    }
}

/* ---- walking ---- */

static X86_NORETURN void raise_walk_fault(TcgCpu *c, uint64_t linear, uint32_t fault, bool stack)
{
    if (fault & WALK_NONCANONICAL) {
        x86_raise_err(&c->x, stack ? EXC_SS : EXC_GP, 0);
    }
    c->x.st.cr2 = linear;
    x86_raise_err(&c->x, EXC_PF, fault & 0x1f);
}

/* The range of plain memory that holds the whole page at PHYS, or NULL. */
static const FlatRange *ram_range(TcgCpu *c, uint64_t phys)
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

static TlbEntry *entry_for(TcgCpu *c, int kind, uint64_t linear)
{
    unsigned i = tlb_index(linear);
    TlbEntry *e = &c->set->e[kind][i];

    if (!e->info) {
        c->set->journal[kind][c->set->used[kind]++] = (uint16_t)i;
    }
    return e;
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
    r = ram_range(c, w.phys);
    if (!r) {
        return;
    }
    t->ram = r->ram;
    t->offset = r->ram_offset + (w.phys - r->base);
    t->host = r->ram->host + t->offset;
    t->readonly = r->readonly;

    uint64_t page = linear & ~0xfffull;
    TlbEntry *e = entry_for(c, kind, linear);
    unsigned i = tlb_index(linear);
    e->rtag = -page;
    e->wtag =
        w.writable && !r->readonly && write_is_free(r->ram, t->offset) ? -page : impossible_tag(i);
    e->host = (uint64_t)(uintptr_t)t->host & ~0xfffull;
    e->info = page | TLB_INFO_USED | (w.global ? TLB_INFO_GLOBAL : 0);
    if (w.page_bits > 12) {
        uint64_t lo = page & ~((1ull << w.page_bits) - 1), hi = page | ((1ull << w.page_bits) - 1);
        c->set->large_lo = lo < c->set->large_lo ? lo : c->set->large_lo;
        c->set->large_hi = hi > c->set->large_hi ? hi : c->set->large_hi;
    }
}

/* The host address of the byte at LINEAR for plain access, or NULL after filling T. */
static inline uint8_t *lookup(TcgCpu *c, uint64_t linear, bool write, int kind, bool stack,
                              Translation *t)
{
    TlbEntry *e = &c->set->e[kind][tlb_index(linear)];
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

bool tcg_code_page(TcgCpu *c, uint64_t linear, uint64_t *ram_addr)
{
    uint64_t page = linear & ~0xfffull;
    int kind = c->mode & MODE_USER ? TLB_USER : TLB_KERNEL;
    XtlbEntry *x = &c->xtlb[((page >> 12) ^ (page >> 21)) & (XTLB_ENTRIES - 1)];
    unsigned bit = (page >> 12) & 1023;
    WalkResult w;
    const FlatRange *r;

    if (x->gen == c->set->gen && x->page == (page | (unsigned)kind)) {
        *ram_addr = x->ram_addr;
        return true;
    }
    x86_walk(&c->x, page, WALK_EXEC, kind == TLB_USER, false, false, &w);
    if (w.fault) {
        if (w.fault & WALK_NONCANONICAL) {
            x86_raise_err(&c->x, EXC_GP, 0);
        }
        c->x.st.cr2 = linear;
        x86_raise_err(&c->x, EXC_PF, w.fault & 0x1f);
    }
    r = ram_range(c, w.phys);
    if (!r) {
        return false;
    }
    *ram_addr = r->ram->ram_base + r->ram_offset + (w.phys - r->base);
    x->page = page | (unsigned)kind;
    x->gen = c->set->gen;
    x->ram_addr = *ram_addr;
    c->set->exec_seen[bit / 64] |= 1ull << (bit % 64);
    return true;
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

    return host || write ? host : t.host;
}

uint64_t x86_ld_phys(X86Cpu *cpu, uint64_t addr, unsigned size)
{
    TcgCpu *c = tcg_cpu(cpu);
    const FlatRange *r = ram_range(c, addr);
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
    const FlatRange *r = ram_range(c, addr);
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
