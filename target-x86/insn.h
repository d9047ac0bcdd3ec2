/*
 * The table of x86 encodings, and the decoder.
 *
 * One row per encoding says what the instruction is: operands, memory access, effect on each status
 * flag, CPUID feature, and how it is translated. The decoder, the translator, the disassembly-free
 * tests and the random instruction generator all read this table; an opcode is known nowhere else.
 * Reference: Intel SDM volume 2, appendix A.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_X86_INSN_H
#define TARGET_X86_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which prefixes select the row. */
enum {
    PFX_ANY, /* 66 is the operand size, F2/F3 have no meaning (or REP) */
    PFX_NP,  /* none of 66, F2, F3 */
    PFX_66,
    PFX_F3, /* 66 may be there as operand size */
    PFX_F2,
};

enum { MOD_ANY, MOD_MEM, MOD_REG };

/* Operand kinds of modrm.reg and modrm.rm. */
typedef enum OperandKind {
    K_NONE,
    K_B,     /* byte GPR / memory */
    K_W,     /* 16 bits */
    K_D,     /* 32 bits */
    K_Q,     /* 64 bits */
    K_V,     /* 16, 32 or 64 by operand size */
    K_Y,     /* 32, or 64 with REX.W */
    K_VEC,   /* XMM register; memory of the row's mem size */
    K_MMX,   /* MMX register; likewise */
    K_MEM,   /* memory only, of the row's mem size */
    K_OPREG, /* GPR in the opcode's low three bits */
} OperandKind;

typedef enum ImmKind {
    IMM_NONE,
    IMM_B,
    IMM_W,
    IMM_Z,
    IMM_V,
    IMM_WB,
    IMM_FAR,
    IMM_J8,
    IMM_JZ,
    IMM_MOFFS
} ImmKind;

/* What executes it. T_CAPSULE keeps the instruction whole; every other has a function in
 * translate_*.c. */
/* clang-format off */
#define INSN_KINDS(X)                                                                              \
    X(CAPSULE) X(PUSH_R) X(POP_R) X(PUSH_I) X(PUSH_M) X(POP_M) X(INCDEC_R) X(XCHG_R) X(MOV_RI)     \
    X(MOFFS) X(LEA) X(JCC) X(JMP) X(CALL) X(RET) X(CALL_M) X(JMP_M) X(FAR_IMM) X(FAR_M) X(RETF)    \
    X(IRET) X(INT) X(INT3) X(INT1) X(INTO) X(LOOP) X(JCXZ) X(STRING) X(INS_OUTS) X(IN) X(OUT)      \
    X(HLT) X(CLI) X(STI) X(CLD) X(STD) X(PUSHF) X(POPF) X(PUSHA) X(POPA) X(ENTER) X(LEAVE)         \
    X(PUSH_S) X(POP_S) X(MOV_FROM_S) X(MOV_TO_S) X(LDS) X(XLAT) X(BT_MEM) X(NOP) X(PAUSE)          \
    X(MOV_FROM_CR) X(MOV_TO_CR) X(MOV_FROM_DR) X(MOV_TO_DR) X(SYSCALL) X(SYSRET) X(SYSENTER)       \
    X(SYSEXIT) X(GRP6) X(GRP7_MEM) X(GRP7_REG) X(CLTS) X(INVD) X(RDTSC) X(RDMSR) X(WRMSR)          \
    X(RDPMC) X(CPUID) X(RSM) X(BSWAP) X(LAR) X(LSL) X(BCD) X(AAM) X(AAD) X(SALC) X(BOUND) X(ARPL)  \
    X(INVPCID) X(X87_STATE) X(FXSAVE) X(RDFSGS) X(RDRAND) X(UD) X(FSTSW) X(LDMXCSR) X(MASKMOV)
/* clang-format on */

typedef enum InsnKind {
#define X(k) T_##k,
    INSN_KINDS(X)
#undef X
} InsnKind;

/* CPUID features that rows are gated on. */
typedef enum InsnFeature {
    FEAT_NONE,
    FEAT_CMOV,
    FEAT_FPU,
    FEAT_MMX,
    FEAT_SSE,
    FEAT_SSE2,
    FEAT_SSE3,
    FEAT_SSSE3,
    FEAT_SSE41,
    FEAT_SSE42,
    FEAT_AES,
    FEAT_PCLMUL,
    FEAT_SHA,
    FEAT_POPCNT,
    FEAT_LZCNT,
    FEAT_BMI1,
    FEAT_BMI2,
    FEAT_MOVBE,
    FEAT_CX8,
    FEAT_CX16,
    FEAT_RDRAND,
    FEAT_RDSEED,
    FEAT_FSGSBASE,
    FEAT_CLFLUSHOPT,
    FEAT_CLWB,
    FEAT_ADX,
    FEAT_LONG,
    FEAT_3DNOWPREFETCH,
    FEAT_SSE4A,
    FEAT_GFNI,
    FEAT_INVPCID,
    FEAT_SYSCALL,
    FEAT_RDTSCP,
    FEAT_COUNT,
} InsnFeature;

enum {
    INSN_LOCK = 1 << 0,       /* LOCK allowed with a memory destination */
    INSN_D64 = 1 << 1,        /* operand size defaults to 64 in 64-bit mode */
    INSN_I64 = 1 << 2,        /* invalid in 64-bit mode */
    INSN_O64 = 1 << 3,        /* only in 64-bit mode */
    INSN_PRIV = 1 << 4,       /* CPL 0 only: #GP */
    INSN_X87 = 1 << 5,        /* x87 or MMX: #NM with CR0.EM or TS */
    INSN_MMX = 1 << 6,        /* MMX: #UD with CR0.EM, #NM with TS */
    INSN_SSE = 1 << 7,        /* #UD with CR0.EM or !CR4.OSFXSR, #NM with TS */
    INSN_FAULT = 1 << 8,      /* may fault natively: #DE, #MF, #XM, alignment */
    INSN_MAYFL = 1 << 9,      /* flags may stay unchanged (count 0) */
    INSN_REG_R = 1 << 10,     /* modrm.reg (register operand) is only read */
    INSN_REG_W = 1 << 11,     /* ... only written; neither: both */
    INSN_WAIT = 1 << 12,      /* FWAIT: #NM with TS and MP */
    INSN_PE = 1 << 13,        /* protected mode only (not real, not V86): #UD */
    INSN_UNALIGNED = 1 << 14, /* a 16-byte operand need not be aligned */
};

typedef struct InsnRow {
    uint8_t map; /* 0 one byte, 1 0F, 2 0F38, 3 0F3A, 4 VEX 0F38, 5 VEX 0F3A */
    uint8_t opcode;
    uint8_t pfx, mod;
    int8_t ext;       /* modrm.reg as opcode extension, -1: none */
    uint8_t rm_fixed; /* 0: any, else modrm.rm must be rm_fixed - 1 (register form) */
    const char *name;
    uint8_t kind;      /* T_* */
    uint8_t reg, rm;   /* K_* */
    uint8_t imm;       /* IMM_* */
    uint8_t acc;       /* IR_ACC_* of rm (memory or register) */
    uint16_t mem_size; /* 0: by the operand kind */
    uint16_t fl_read, fl_write, fl_undef;
    uint16_t flags; /* INSN_* */
    uint8_t vvvv;   /* IR_ACC_* of VEX.vvvv, a GPR; 0: must be unused */
    uint8_t feature;
} InsnRow;

extern const InsnRow insn_table[];
extern const size_t insn_table_count;

/* A decoded instruction. */
typedef struct Insn {
    const InsnRow *row; /* NULL: undefined opcode */
    uint8_t len;
    uint8_t opsize; /* 2, 4, 8 */
    uint8_t asize;  /* 2, 4, 8 */
    uint8_t rex;    /* 0 or 40h..4Fh */
    bool lock, has66;
    uint8_t rep; /* 0, F2h, F3h */
    uint8_t seg; /* of the memory operand: override or default */
    bool seg_override;
    bool has_modrm;
    uint8_t modrm;
    uint8_t mod, reg, rm; /* REG and RM with REX bits */
    uint8_t opcode;
    uint8_t base, index, scale; /* GPR numbers or 0xff */
    bool rip_relative;
    bool is_mem, vex;
    uint8_t vvvv; /* VEX second operand */
    int64_t disp, imm, imm2;
    uint8_t imm_size;
} Insn;

typedef enum DecodeResult {
    DECODE_OK,
    DECODE_UD,   /* len is set as far as it was read */
    DECODE_GP,   /* longer than 15 bytes */
    DECODE_MORE, /* ran out of the AVAIL bytes */
} DecodeResult;

/* Sets up the index; once, before any decoding. */
void insn_init(void);
/*
 * Decodes one instruction from CODE, of which AVAIL bytes can be read, in a code segment of
 * CODE_SIZE 2, 4 or 8. FEATURES has a bit per InsnFeature. Thread-safe.
 */
DecodeResult insn_decode(const uint8_t *code, size_t avail, unsigned code_size, uint64_t features,
                         Insn *out);
/* Bytes of the row's memory operand at OPSIZE. */
unsigned insn_mem_size(const Insn *in);
unsigned insn_kind_size(uint8_t kind, unsigned opsize, bool rex_w, uint16_t mem_size);

#endif
