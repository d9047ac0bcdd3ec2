/*
 * See x86_mock.h.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/unit/x86_mock.h"

#include <string.h>

Mock mock;

void mock_put(uint64_t phys, uint64_t value, unsigned size)
{
    g_assert_cmpuint(phys, <=, MOCK_MEMORY - 8);
    memcpy(mock.memory + phys, &value, size);
}

uint64_t mock_get(uint64_t phys, unsigned size)
{
    uint64_t value = 0;
    g_assert_cmpuint(phys, <=, MOCK_MEMORY - 8);
    memcpy(&value, mock.memory + phys, size);
    return value;
}

void mock_free(void)
{
    cpu_model_free((CpuModel *)mock.cpu.model);
    mock.cpu.model = NULL;
}

void mock_reset(const char *model)
{
    CpuFeatures all;
    GError *err = NULL;

    mock_free();
    memset(&mock, 0, sizeof(mock));
    memset(&all, 0xff, sizeof(all));
    mock.cpu.model = cpu_model_parse(model, &all, "tcg", NULL, &err);
    g_assert_no_error(err);
    x86_cpu_reset(&mock.cpu, true);
    mock.next_rip = 0x100002;
}

/* ---- provided by accel/tcg ---- */

void x86_raise(X86Cpu *cpu, int vector)
{
    mock.vector = vector;
    mock.has_error = false;
    mock.error = 0;
    mock.raised_rip = cpu->st.rip;
    longjmp(mock.landing, 1);
}

void x86_raise_err(X86Cpu *cpu, int vector, uint32_t error_code)
{
    mock.vector = vector;
    mock.has_error = true;
    mock.error = error_code;
    mock.raised_rip = cpu->st.rip;
    longjmp(mock.landing, 1);
}

void x86_raise_at(X86Cpu *cpu, int vector, uint64_t rip)
{
    (void)cpu;
    mock.vector = vector;
    mock.has_error = false;
    mock.raised_rip = rip;
    longjmp(mock.landing, 1);
}

void x86_exit_loop(X86Cpu *cpu)
{
    (void)cpu;
    longjmp(mock.landing, 1);
}

void x86_triple_fault(X86Cpu *cpu)
{
    (void)cpu;
    mock.vector = -1;
    longjmp(mock.landing, 1);
}

void x86_halt(X86Cpu *cpu)
{
    (void)cpu;
    mock.vector = -2;
    longjmp(mock.landing, 1);
}

static uint64_t translate(X86Cpu *cpu, uint64_t linear, WalkAccess how, MmuAccess access)
{
    WalkResult r;
    bool user = access == MMU_USER || (access == MMU_CURRENT && x86_cpl(&cpu->st) == 3);
    bool ac = access == MMU_CURRENT && (cpu->st.rflags & FLAG_AC);

    x86_walk(cpu, linear, how, user, ac, false, &r);
    if (r.fault) {
        cpu->st.cr2 = linear;
        x86_raise_err(cpu, EXC_PF, r.fault & ~WALK_FAULT);
    }
    return r.phys;
}

uint64_t x86_ld(X86Cpu *cpu, uint64_t linear, unsigned size, MmuAccess access)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= mock_get(translate(cpu, linear + i, WALK_READ, access), 1) << (8 * i);
    }
    return value;
}

void x86_st(X86Cpu *cpu, uint64_t linear, uint64_t value, unsigned size, MmuAccess access)
{
    x86_probe_write(cpu, linear, size, access);
    for (unsigned i = 0; i < size; i++) {
        mock_put(translate(cpu, linear + i, WALK_WRITE, access), value >> (8 * i), 1);
    }
}

void x86_probe_write(X86Cpu *cpu, uint64_t linear, unsigned size, MmuAccess access)
{
    translate(cpu, linear, WALK_WRITE, access);
    translate(cpu, linear + size - 1, WALK_WRITE, access);
}

uint64_t x86_ld_phys(X86Cpu *cpu, uint64_t addr, unsigned size)
{
    (void)cpu;
    return mock_get(addr, size);
}

void x86_st_phys(X86Cpu *cpu, uint64_t addr, uint64_t value, unsigned size)
{
    (void)cpu;
    mock_put(addr, value, size);
}

bool x86_cas_phys(X86Cpu *cpu, uint64_t addr, uint64_t old, uint64_t value, unsigned size)
{
    void (*interfere)(void) = mock.before_cas;
    (void)cpu;
    mock.cas++;
    if (interfere) {
        mock.before_cas = NULL;
        interfere();
    }
    if (mock.cas_fails || mock_get(addr, size) != old) {
        return false;
    }
    mock_put(addr, value, size);
    return true;
}

uint64_t x86_port_in(X86Cpu *cpu, uint16_t port, unsigned size)
{
    (void)cpu, (void)port, (void)size;
    return 0;
}

void x86_port_out(X86Cpu *cpu, uint16_t port, uint32_t value, unsigned size)
{
    (void)cpu, (void)port, (void)size, (void)value;
}

uint64_t x86_rdtsc(X86Cpu *cpu)
{
    return mock.tsc + cpu->st.tsc_offset;
}

void x86_set_tsc(X86Cpu *cpu, uint64_t value)
{
    cpu->st.tsc_offset = value - mock.tsc;
}

uint64_t exec_next_rip(X86Cpu *cpu)
{
    (void)cpu;
    return mock.next_rip;
}

uint64_t exec_call_c(uint64_t (*fn)(X86Cpu *cpu, uint64_t a, uint64_t b), X86Cpu *cpu, uint64_t a,
                     uint64_t b)
{
    return fn(cpu, a, b);
}

void x86_tlb_flush_all(X86Cpu *cpu)
{
    (void)cpu;
    mock.flush_all++;
}

void x86_tlb_flush_page(X86Cpu *cpu, uint64_t linear)
{
    (void)cpu, (void)linear;
    mock.flush_page++;
}

void x86_tlb_switch(X86Cpu *cpu, bool flush)
{
    (void)cpu;
    mock.switches++;
    mock.switch_flushed = flush;
}

void x86_tlb_flush_pcid(X86Cpu *cpu, uint16_t pcid)
{
    (void)cpu, (void)pcid;
    mock.flush_pcid++;
}

void x86_tlb_flush_pcid_page(X86Cpu *cpu, uint16_t pcid, uint64_t linear)
{
    (void)cpu, (void)pcid, (void)linear;
    mock.flush_pcid_page++;
}

void x86_tlb_flush_nonglobal(X86Cpu *cpu)
{
    (void)cpu;
    mock.flush_nonglobal++;
}

void x86_debug_changed(X86Cpu *cpu)
{
    (void)cpu;
}

void x86_mode_changed(X86Cpu *cpu)
{
    (void)cpu;
    mock.mode_changes++;
}

void x86_recheck_events(X86Cpu *cpu)
{
    (void)cpu;
    mock.rechecks++;
}

/* ---- set-ups ---- */

uint64_t mock_descriptor(uint32_t base, uint32_t limit, uint32_t attr)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(attr & 0xf0ff) << 40 |
           (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)(base >> 24) << 56;
}

static void load(int seg, uint16_t selector)
{
    X86Segment *s = &mock.cpu.st.seg[seg];
    uint64_t d = mock_get(MOCK_GDT + (selector & ~7u), 8);
    uint32_t limit = (d & 0xffff) | (d >> 32 & 0xf0000);

    s->selector = selector;
    s->base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000);
    s->limit = d >> 55 & 1 ? limit << 12 | 0xfff : limit;
    s->attr = (d >> 40 & 0xf0ff) | 1;
}

static void tables(void)
{
    static const struct {
        uint16_t selector;
        uint32_t base, limit, attr;
    } gdt[] = {
        {0x08, 0, 0xfffff, 0xa09a}, {0x10, 0, 0xfffff, 0xc092},       {0x18, 0, 0xfffff, 0xc0f2},
        {0x20, 0, 0xfffff, 0xa0fa}, {0x28, 0, 0xfffff, 0xc09a},       {0x30, 0, 0xfffff, 0xc0fa},
        {0x38, 0, 0xfffff, 0xc09e}, {0x40, MOCK_TSS, 0x2067, 0x0089}, {0x50, 0, 0xffff, 0x009a},
        {0x58, 0, 0xffff, 0x0092},  {0x60, MOCK_LDT, 0xff, 0x0082},   {0x68, 0, 0xfffff, 0xc012},
        {0x70, 0, 0xfffff, 0xc090}, {0x88, 0, 0xfffff, 0xc0ba},       {0x90, 0, 0xfffff, 0xc0b2},
    };
    X86State *st = &mock.cpu.st;

    for (size_t i = 0; i < G_N_ELEMENTS(gdt); i++) {
        mock_put(MOCK_GDT + gdt[i].selector,
                 mock_descriptor(gdt[i].base, gdt[i].limit, gdt[i].attr), 8);
    }
    st->gdt = (X86TableReg){.base = MOCK_GDT, .limit = 0x97};
    st->idt = (X86TableReg){.base = MOCK_IDT, .limit = 0xfff};
    st->tr = (X86Segment){.base = MOCK_TSS, .limit = 0x2067, .attr = 0x8b, .selector = 0x40};
    st->ldt = (X86Segment){.attr = SEG_ATTR_UNUSABLE};
    mock_put(MOCK_TSS + 0x66, 0x68, 2);
}

static void common(unsigned cpl)
{
    X86State *st = &mock.cpu.st;
    for (int i = 0; i < SEG_COUNT; i++) {
        if (i != SEG_CS) {
            load(i, cpl ? 0x18 | cpl : 0x10);
        }
    }
    st->gpr[R_RSP] = cpl ? MOCK_STACK3 : MOCK_STACK0 - 0x100;
    st->rip = 0x100000;
    mock.next_rip = 0x100002;
}

void mock_real_mode(void)
{
    X86State *st = &mock.cpu.st;
    mock_reset("max");
    st->seg[SEG_CS] =
        (X86Segment){.base = 0x8000, .limit = 0xffff, .attr = 0x9b, .selector = 0x800};
    st->seg[SEG_SS] =
        (X86Segment){.base = 0x9000, .limit = 0xffff, .attr = 0x93, .selector = 0x900};
    st->idt = (X86TableReg){.base = 0, .limit = 0x3ff};
    st->gpr[R_RSP] = 0x1000;
    st->rip = 0x100;
    mock.next_rip = 0x102;
}

void mock_protected_mode(unsigned cpl)
{
    X86State *st = &mock.cpu.st;
    mock_reset("max");
    tables();
    st->cr0 |= CR0_PE;
    load(SEG_CS, cpl ? 0x30 | cpl : 0x28);
    common(cpl);
    mock_put(MOCK_TSS + 4, MOCK_STACK0, 4);
    mock_put(MOCK_TSS + 8, 0x10, 4);
}

void mock_v86_mode(unsigned iopl)
{
    static const uint16_t selectors[] = {0x111, 0x800, 0x900, 0x222, 0x333, 0x444};
    X86State *st = &mock.cpu.st;
    mock_protected_mode(0);
    st->rflags |= FLAG_VM | (uint64_t)iopl << 12;
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        st->seg[i] = (X86Segment){.base = (uint64_t)selectors[i] << 4,
                                  .limit = 0xffff,
                                  .attr = 0xf3,
                                  .selector = selectors[i]};
    }
    st->gpr[R_RSP] = 0x1000;
    st->rip = 0x100;
    mock.next_rip = 0x102;
}

void mock_long_mode(unsigned cpl)
{
    X86State *st = &mock.cpu.st;
    mock_reset("max");
    tables();
    /* The lowest 4 MiB at linear 0 and at the last 2 GiB; page directory 102000h in 2 MiB pages. */
    mock_put(0x100000, 0x101007, 8);
    mock_put(0x100000 + 511 * 8, 0x101007, 8);
    mock_put(0x101000, 0x102007, 8);
    mock_put(0x101000 + 510 * 8, 0x102007, 8);
    mock_put(0x102000, 0x000087, 8);
    mock_put(0x102008, 0x200087, 8);
    st->cr3 = 0x100000;
    st->cr4 = CR4_PAE;
    st->efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
    st->cr0 |= CR0_PE | CR0_PG | CR0_WP;
    load(SEG_CS, cpl ? 0x20 | cpl : 0x08);
    common(cpl);
    mock_put(MOCK_TSS + 4, MOCK_STACK0, 8);
    mock_put(MOCK_TSS + 0x24, MOCK_IST1, 8);
}
