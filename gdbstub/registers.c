/*
 * The table of registers, from which packets and the target description are made (GDB manual,
 * G.5.26, i386 features). SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "gdbstub/registers.h"

#include <string.h>

typedef enum RegKind {
    REG_STATE,    /* INDEX: offset of a uint64_t in X86State */
    REG_FLAGS,    /* RFLAGS */
    REG_SELECTOR, /* INDEX: SEG_* */
    REG_BASE,     /* INDEX: SEG_*: of a segment */
    REG_FPR,      /* INDEX: of ST(n) */
    REG_FPU,      /* INDEX: FPU_* */
    REG_XMM,
    REG_MXCSR,
    REG_SYSTEM, /* as REG_STATE; only bits of MAY may be changed */
} RegKind;

enum { FPU_CTRL, FPU_STAT, FPU_TAG, FPU_ISEG, FPU_IOFF, FPU_OSEG, FPU_OOFF, FPU_OP };

typedef struct Reg {
    const char *name, *type, *group;
    uint8_t size;
    RegKind kind;
    unsigned index;
    uint64_t may;
} Reg;

typedef struct Feature {
    const char *name, *types;
    const Reg *regs;
    unsigned count;
} Feature;

#define STATE(field) offsetof(X86State, field)
#define GPR(name, n)                                                                               \
    {                                                                                              \
#name, "int64", "general", 8, REG_STATE, STATE(gpr) + 8 * (n), 0                           \
    }
#define SELECTOR(name, n)                                                                          \
    {                                                                                              \
#name, "int32", "general", 4, REG_SELECTOR, n, 0                                           \
    }
#define FPR(n)                                                                                     \
    {                                                                                              \
        "st" #n, "i387_ext", "float", 10, REG_FPR, n, 0                                            \
    }
#define FPU(name, n)                                                                               \
    {                                                                                              \
#name, "int", "float", 4, REG_FPU, n, 0                                                    \
    }
#define XMM(n)                                                                                     \
    {                                                                                              \
        "xmm" #n, "vec128", "vector", 16, REG_XMM, n, 0                                            \
    }
#define SYSTEM(name, type, field, may)                                                             \
    {                                                                                              \
        name, type, "system", 8, REG_SYSTEM, STATE(field), may                                     \
    }

static const Reg core_regs[] = {
    GPR(rax, R_RAX),
    GPR(rbx, R_RBX),
    GPR(rcx, R_RCX),
    GPR(rdx, R_RDX),
    GPR(rsi, R_RSI),
    GPR(rdi, R_RDI),
    {"rbp", "data_ptr", "general", 8, REG_STATE, STATE(gpr) + 8 * R_RBP, 0},
    {"rsp", "data_ptr", "general", 8, REG_STATE, STATE(gpr) + 8 * R_RSP, 0},
    GPR(r8, 8),
    GPR(r9, 9),
    GPR(r10, 10),
    GPR(r11, 11),
    GPR(r12, 12),
    GPR(r13, 13),
    GPR(r14, 14),
    GPR(r15, 15),
    {"rip", "code_ptr", "general", 8, REG_STATE, STATE(rip), 0},
    {"eflags", "i386_eflags", "general", 4, REG_FLAGS, 0, 0},
    SELECTOR(cs, SEG_CS),
    SELECTOR(ss, SEG_SS),
    SELECTOR(ds, SEG_DS),
    SELECTOR(es, SEG_ES),
    SELECTOR(fs, SEG_FS),
    SELECTOR(gs, SEG_GS),
    FPR(0),
    FPR(1),
    FPR(2),
    FPR(3),
    FPR(4),
    FPR(5),
    FPR(6),
    FPR(7),
    FPU(fctrl, FPU_CTRL),
    FPU(fstat, FPU_STAT),
    FPU(ftag, FPU_TAG),
    FPU(fiseg, FPU_ISEG),
    FPU(fioff, FPU_IOFF),
    FPU(foseg, FPU_OSEG),
    FPU(fooff, FPU_OOFF),
    FPU(fop, FPU_OP),
};

static const Reg sse_regs[] = {
    XMM(0),
    XMM(1),
    XMM(2),
    XMM(3),
    XMM(4),
    XMM(5),
    XMM(6),
    XMM(7),
    XMM(8),
    XMM(9),
    XMM(10),
    XMM(11),
    XMM(12),
    XMM(13),
    XMM(14),
    XMM(15),
    {"mxcsr", "i386_mxcsr", "vector", 4, REG_MXCSR, 0, 0},
};

static const Reg segment_regs[] = {
    {"fs_base", "int64", "general", 8, REG_BASE, SEG_FS, 0},
    {"gs_base", "int64", "general", 8, REG_BASE, SEG_GS, 0},
};

/* What changes the layout of paging structures or the operating mode stays. */
static const Reg system_regs[] = {
    SYSTEM("k_gs_base", "int64", kernel_gs_base, UINT64_MAX),
    SYSTEM("cr0", "cr0", cr0, CR0_MP | CR0_EM | CR0_TS | CR0_WP),
    SYSTEM("cr2", "int64", cr2, UINT64_MAX),
    SYSTEM("cr3", "int64", cr3, UINT64_MAX),
    SYSTEM("cr4", "cr4", cr4, ~(uint64_t)(CR4_PAE | CR4_LA57 | CR4_PCIDE)),
    SYSTEM("efer", "efer", efer, EFER_SCE | EFER_NXE),
};

#define FIELD(name, bit)  "<field name=\"" name "\" start=\"" #bit "\" end=\"" #bit "\"/>"
#define FLAGS(name, size) "<flags id=\"" name "\" size=\"" #size "\">"

static const char core_types[] = FLAGS("i386_eflags", 4) FIELD("CF", 0) FIELD("", 1) FIELD("PF", 2)
    FIELD("AF", 4) FIELD("ZF", 6) FIELD("SF", 7) FIELD("TF", 8) FIELD("IF", 9) FIELD("DF", 10)
        FIELD("OF", 11) FIELD("NT", 14) FIELD("RF", 16) FIELD("VM", 17) FIELD("AC", 18)
            FIELD("VIF", 19) FIELD("VIP", 20) FIELD("ID", 21) "</flags>";

static const char sse_types[] =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
    "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
    "<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
    "<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
    "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" "
    "type=\"uint128\"/></union>" FLAGS("i386_mxcsr", 4) FIELD("IE", 0) FIELD("DE", 1) FIELD("ZE", 2)
        FIELD("OE", 3) FIELD("UE", 4) FIELD("PE", 5) FIELD("DAZ", 6) FIELD("IM", 7) FIELD("DM", 8)
            FIELD("ZM", 9) FIELD("OM", 10) FIELD("UM", 11) FIELD("PM", 12)
                FIELD("FZ", 15) "</flags>";

static const char system_types[] = FLAGS("cr0", 8) FIELD("PE", 0) FIELD("MP", 1) FIELD("EM", 2)
    FIELD("TS", 3) FIELD("ET", 4) FIELD("NE", 5) FIELD("WP", 16) FIELD("AM", 18) FIELD("NW", 29)
        FIELD("CD", 30) FIELD("PG", 31) "</flags>" FLAGS("cr4", 8) FIELD("VME", 0) FIELD("PVI", 1)
            FIELD("TSD", 2) FIELD("DE", 3) FIELD("PSE", 4) FIELD("PAE", 5) FIELD("MCE", 6)
                FIELD("PGE", 7) FIELD("PCE", 8) FIELD("OSFXSR", 9) FIELD("OSXMMEXCPT", 10)
                    FIELD("UMIP", 11) FIELD("LA57", 12) FIELD("VMXE", 13) FIELD("FSGSBASE", 16)
                        FIELD("PCIDE", 17) FIELD("OSXSAVE", 18) FIELD("SMEP", 20) FIELD("SMAP", 21)
                            FIELD("PKE", 22) "</flags>" FLAGS("efer", 8) FIELD("SCE", 0)
                                FIELD("LME", 8) FIELD("LMA", 10) FIELD("NXE", 11) FIELD("SVME", 12)
                                    FIELD("FFXSR", 14) "</flags>";

static const Feature features[] = {
    {"org.gnu.gdb.i386.core", core_types, core_regs, G_N_ELEMENTS(core_regs)},
    {"org.gnu.gdb.i386.sse", sse_types, sse_regs, G_N_ELEMENTS(sse_regs)},
    {"org.gnu.gdb.i386.segments", "", segment_regs, G_N_ELEMENTS(segment_regs)},
    {"org.emu.i386.system", system_types, system_regs, G_N_ELEMENTS(system_regs)},
};

static const Reg *find(unsigned n)
{
    for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
        if (n < features[i].count) {
            return &features[i].regs[n];
        }
        n -= features[i].count;
    }
    return NULL;
}

unsigned gdb_register_count(void)
{
    unsigned count = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
        count += features[i].count;
    }
    return count;
}

size_t gdb_register_size(unsigned n)
{
    return find(n)->size;
}

/* ---- x87, from the FXSAVE image (SDM 1 table 10-2) ---- */

enum {
    FX_FCW = 0,
    FX_FSW = 2,
    FX_FTW = 4,
    FX_FOP = 6,
    FX_FIP = 8,
    FX_FCS = 12,
    FX_FDP = 16,
    FX_FDS = 20,
    FX_MXCSR = 24,
    FX_ST = 32,
    FX_XMM = 160,
    XSTATE_BV = 512
};

static const struct {
    uint8_t offset, size;
} fpu_fields[] = {
    [FPU_CTRL] = {FX_FCW, 2}, [FPU_STAT] = {FX_FSW, 2}, [FPU_TAG] = {FX_FTW, 1},
    [FPU_ISEG] = {FX_FCS, 2}, [FPU_IOFF] = {FX_FIP, 4}, [FPU_OSEG] = {FX_FDS, 2},
    [FPU_OOFF] = {FX_FDP, 4}, [FPU_OP] = {FX_FOP, 2},
};

static uint64_t image(const X86State *st, unsigned offset, unsigned size)
{
    uint64_t v = 0;

    memcpy(&v, st->xsave + offset, size);
    return v;
}

/* The tag of one register, which the image has only as empty or not (SDM 1 8.1.7). */
static unsigned tag_of(const X86State *st, unsigned reg)
{
    unsigned top = (unsigned)image(st, FX_FSW, 2) >> 11 & 7;
    unsigned at = FX_ST + 16 * ((reg - top) & 7);
    uint64_t mantissa = image(st, at, 8), exponent = image(st, at + 8, 2) & 0x7fff;

    if (!(st->xsave[FX_FTW] >> reg & 1)) {
        return 3;
    }
    if (!exponent && !mantissa) {
        return 1;
    }
    return exponent == 0 || exponent == 0x7fff || !(mantissa >> 63) ? 2 : 0;
}

static uint64_t read_fpu(const X86State *st, unsigned index)
{
    uint64_t tags = 0;

    if (index != FPU_TAG) {
        return image(st, fpu_fields[index].offset, fpu_fields[index].size);
    }
    for (unsigned i = 0; i < 8; i++) {
        tags |= (uint64_t)tag_of(st, i) << (2 * i);
    }
    return tags;
}

static void write_fpu(X86State *st, unsigned index, uint64_t v)
{
    if (index == FPU_TAG) {
        uint64_t tags = v;
        v = 0;
        for (unsigned i = 0; i < 8; i++) {
            v |= (uint64_t)((tags >> (2 * i) & 3) != 3) << i;
        }
    }
    memcpy(st->xsave + fpu_fields[index].offset, &v, fpu_fields[index].size);
    st->xsave[XSTATE_BV] |= 1;
}

/* ---- reading and writing ---- */

void gdb_register_read(const X86Cpu *cpu, unsigned n, uint8_t *buf)
{
    const X86State *st = &cpu->st;
    const Reg *r = find(n);
    uint64_t v = 0;

    switch (r->kind) {
    case REG_STATE:
    case REG_SYSTEM:
        memcpy(&v, (const uint8_t *)st + r->index, 8);
        break;
    case REG_FLAGS:
        v = st->rflags;
        break;
    case REG_SELECTOR:
        v = st->seg[r->index].selector;
        break;
    case REG_BASE:
        v = st->seg[r->index].base;
        break;
    case REG_FPU:
        v = read_fpu(st, r->index);
        break;
    case REG_MXCSR:
        v = image(st, FX_MXCSR, 4);
        break;
    case REG_FPR:
        memcpy(buf, st->xsave + FX_ST + 16 * r->index, r->size);
        return;
    case REG_XMM:
        memcpy(buf, st->xsave + FX_XMM + 16 * r->index, r->size);
        return;
    }
    memcpy(buf, &v, r->size);
}

static bool write_selector(X86State *st, unsigned seg, uint64_t v)
{
    if (v == st->seg[seg].selector) {
        return true;
    }
    if (v > UINT16_MAX || ((st->cr0 & CR0_PE) && !(st->rflags & FLAG_VM))) {
        return false;
    }
    st->seg[seg].selector = (uint16_t)v;
    st->seg[seg].base = v << 4;
    return true;
}

static bool write_system(X86Cpu *cpu, const Reg *r, uint64_t v)
{
    uint64_t *field = (uint64_t *)(void *)((uint8_t *)&cpu->st + r->index), old = *field;

    if ((v ^ old) & ~r->may) {
        return false;
    }
    *field = v;
    if (!x86_cpu_check_state(cpu, NULL)) {
        *field = old;
        return false;
    }
    return true;
}

/* System flags that a debugger must not make up. */
#define FLAGS_FIXED (FLAG_VM | 2u | 1u << 3 | 1u << 5 | 1u << 15 | 0xffc00000u)

bool gdb_register_write(X86Cpu *cpu, unsigned n, const uint8_t *buf)
{
    X86State *st = &cpu->st;
    const Reg *r = find(n);
    uint64_t v = 0;

    memcpy(&v, buf, MIN(r->size, 8));
    switch (r->kind) {
    case REG_STATE:
        memcpy((uint8_t *)st + r->index, &v, 8);
        return true;
    case REG_SYSTEM:
        return write_system(cpu, r, v);
    case REG_FLAGS:
        if ((v ^ st->rflags) & FLAGS_FIXED) {
            return false;
        }
        st->rflags = v;
        return true;
    case REG_SELECTOR:
        return write_selector(st, r->index, v);
    case REG_BASE:
        if ((uint64_t)((int64_t)(v << 16) >> 16) != v) {
            return false; /* not canonical */
        }
        st->seg[r->index].base = v;
        return true;
    case REG_FPU:
        write_fpu(st, r->index, v);
        return true;
    case REG_MXCSR:
        if (v & ~0xffffull) {
            return false;
        }
        memcpy(st->xsave + FX_MXCSR, &v, 4);
        st->xsave[XSTATE_BV] |= 2;
        return true;
    case REG_FPR:
        memcpy(st->xsave + FX_ST + 16 * r->index, buf, r->size);
        st->xsave[XSTATE_BV] |= 1;
        return true;
    case REG_XMM:
        memcpy(st->xsave + FX_XMM + 16 * r->index, buf, r->size);
        st->xsave[XSTATE_BV] |= 2;
        return true;
    }
    return false;
}

/* ---- the description ---- */

const char *gdb_description(const char *name)
{
    static char *text;

    if (strcmp(name, "target.xml") != 0) {
        return NULL;
    }
    if (!text) {
        GString *s = g_string_new("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM "
                                  "\"gdb-target.dtd\"><target>"
                                  "<architecture>i386:x86-64</architecture>");
        for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
            const Feature *f = &features[i];
            g_string_append_printf(s, "<feature name=\"%s\">%s", f->name, f->types);
            for (unsigned j = 0; j < f->count; j++) {
                g_string_append_printf(
                    s, "<reg name=\"%s\" bitsize=\"%d\" type=\"%s\" group=\"%s\"/>",
                    f->regs[j].name, f->regs[j].size * 8, f->regs[j].type, f->regs[j].group);
            }
            g_string_append(s, "</feature>");
        }
        g_string_append(s, "</target>");
        text = g_string_free(s, FALSE);
    }
    return text;
}
