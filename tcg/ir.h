/*
 * The translator's intermediate representation: one straight-line block of guest code.
 *
 * Operands are virtual registers: the guest's sixteen general registers, and a few temporaries that
 * live between the operations of one guest instruction. There are two sorts of operation. Ordinary
 * ones (moves, address arithmetic, helper calls, block ends) can be lowered to any host. A
 * *capsule* is one decoded guest instruction kept whole: its opcode bytes with virtual-register
 * operands, its memory address separated out, and masks that say what it does to the status flags.
 * A host that is of the guest's kind re-encodes it one to one, so that flags, SIMD and floating
 * point survive as they are.
 *
 * Example: `add %rax, 8(%rbx)` at page offset 123h is
 *     CAPSULE opcode 01h, reg=RAX, rm=mem{RBX+8}, 8 bytes read+write, flags written OSZAPC
 * and the back end emits: address to a scratch register, TLB check, `add %rax, (host pointer)`.
 *
 * Flags are not operands: each operation has masks of status flags read and written, in their
 * RFLAGS positions, and tcg/flags.c computes which are live after it. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#ifndef TCG_IR_H
#define TCG_IR_H

#include <stdbool.h>
#include <stdint.h>

/* Virtual registers: 0..15 are the guest's GPRs in encoding order. */
enum {
    VREG_TMP0 = 16,
    VREG_TMP1,
    VREG_TMP2,
    VREG_TMP3,
    VREG_COUNT,
    VREG_NONE = 0xff,
};

enum {
    IR_FL_C = 0x001,
    IR_FL_P = 0x004,
    IR_FL_A = 0x010,
    IR_FL_Z = 0x040,
    IR_FL_S = 0x080,
    IR_FL_O = 0x800,
    IR_FL_ALL = 0x8d5
};

/*
 * One row per operation: name, and what the back end may assume.
 *   clobbers: lowering may destroy the host's flags
 *   ends:     last operation of a block
 */
#define IR_OPS(X)                                                                                  \
    X(INSN, "insn", 0, 0)       /* a guest instruction starts: insn_off, insn_len */               \
    X(CAPSULE, "capsule", 1, 0) /* see IrCapsule; clobbers only with a memory operand */           \
    X(MOV, "mov", 0, 0)         /* dst = src, size bytes (4 zero-extends, 1 and 2 merge) */        \
    X(MOVI, "movi", 0, 0)       /* dst = imm, likewise */                                          \
    X(ADDI, "addi", 0, 0)       /* dst = src + imm, size 2, 4, 8; no flags */                      \
    X(EA, "ea", 0, 0)           /* dst = address of mem, size bytes, segment base not added */     \
    X(LINEAR, "linear", 1, 0)   /* dst = linear address of mem (segment base added, no check) */   \
    X(IP, "ip", 0, 0)           /* dst = guest IP of this page's start + imm, size bytes */        \
    X(LD, "ld", 1, 0)           /* dst = size bytes at mem, zero-extended (1 and 2: merged) */     \
    X(ST, "st", 1, 0)           /* size bytes at mem = src */                                      \
    X(BITOFF, "bitoff", 1, 0)   /* dst = (signed src, size bytes) / (8*size) * size */             \
    X(ANDI, "andi", 1, 0)       /* dst = src & imm */                                              \
    X(HELPER, "helper", 1, 0)   /* dst = helper imm(src, src2, mem's linear address) */            \
    X(HELPER_END, "helperend", 1, 1) /* the same; control goes where the helper left st.rip */     \
    X(JMP, "jmp", 1, 1)              /* to page offset imm */                                      \
    X(JCC, "jcc", 1, 1)              /* if cc to page offset imm, else to imm2 */                  \
    X(JCXZ, "jcxz", 1, 1)            /* LOOP, JCXZ: cc: LOOP_*; src size = address size */         \
    X(JIND, "jind", 1, 1)            /* to the guest IP in src */

typedef enum IrOpcode {
#define X(op, name, clobbers, ends) IR_##op,
    IR_OPS(X)
#undef X
        IR_OP_COUNT,
} IrOpcode;

/* Kinds of JCXZ */
enum { IR_LOOP_NZ_NE, IR_LOOP_NZ_E, IR_LOOP_NZ, IR_LOOP_CXZ };

/* A guest memory operand. */
typedef struct IrMem {
    uint8_t base, index; /* vregs or VREG_NONE */
    uint8_t scale;       /* 0..3: index << scale */
    uint8_t asize;       /* address size in bytes: 2, 4, 8 */
    uint8_t seg;         /* segment register number, in the order of struct X86State */
    bool seg_base;       /* add that segment's base */
    bool seg_check;      /* and check its limit and type */
    bool ip_relative;    /* add the guest IP of this page's start; disp is from there */
    int64_t disp;
} IrMem;

enum { IR_ACC_R = 1, IR_ACC_W = 2, IR_ACC_RW = 3 };

/* Register operand roles of a capsule. */
typedef enum IrRole {
    IR_ROLE_NONE,
    IR_ROLE_EXT,   /* modrm.reg is part of the opcode: number as it is */
    IR_ROLE_GPR8,  /* byte register; number 16..19 mean AH CH DH BH */
    IR_ROLE_GPR,   /* general register, a vreg */
    IR_ROLE_FIXED, /* vector, MMX, x87: number as it is */
    IR_ROLE_MEM,   /* rm only: memory, the IrOp's mem */
} IrRole;

enum { IR_PFX_66 = 1, IR_PFX_F2 = 2, IR_PFX_F3 = 4, IR_PFX_LOCK = 8, IR_PFX_W = 16 };

typedef struct IrCapsule {
    uint8_t prefixes; /* IR_PFX_* */
    uint8_t map;      /* 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A */
    uint8_t opcode;
    bool modrm;
    uint8_t reg_role, reg; /* modrm.reg */
    uint8_t rm_role, rm;   /* modrm.rm; with !modrm and GPR: register in the opcode's low bits */
    uint8_t reg_acc,
        rm_acc;       /* IR_ACC_* of the register operands (unpinned ones are loaded/stored) */
    uint8_t imm_size; /* 0, 1, 2, 4 */
    bool vex;         /* VEX encoding, L = 0 */
    uint8_t vvvv, vvvv_acc; /* its second register operand, a vreg; VREG_NONE: unused */
    bool may_fault;         /* natively: #DE, #MF, #XM, alignment */
} IrCapsule;

typedef struct IrOp {
    uint8_t op;
    uint8_t size; /* operand size in bytes */
    uint8_t dst, src, src2;
    uint8_t cc;        /* x86 condition code 0..15 */
    uint8_t mem_acc;   /* IR_ACC_* of a CAPSULE's, LD's or ST's memory operand; 0: none */
    bool mem_last;     /* nothing of the instruction is left to do after this access */
    bool mem_locked;   /* the access is one for other CPUs, wherever it lies */
    bool mem_aligned;  /* a misaligned address is a fault, before any page fault */
    bool has_mem;      /* HELPER: pass mem's linear address */
    uint16_t mem_size; /* bytes accessed, 1..512 */
    uint16_t fl_read;  /* status flags it reads */
    uint16_t fl_write; /* those it certainly overwrites */
    uint16_t fl_touch; /* those it may overwrite (a shift by CL); includes fl_write */
    uint16_t fl_live;  /* filled by flags.c: live after the operation */
    uint16_t insn_off; /* page offset of the guest instruction */
    uint8_t insn_len;
    IrMem mem;
    IrCapsule cap;
    int64_t imm, imm2;
} IrOp;

enum { IR_MAX_OPS = 512 };

/*
 * A block being translated. Page offsets count from the start of the guest page that holds the
 * first byte.
 */
typedef struct IrBlock {
    IrOp ops[IR_MAX_OPS];
    int count;
    uint16_t start_off; /* page offset of the first instruction */
    uint16_t end_off;   /* behind the last byte read (may pass 4096 for a straddling instruction) */
    uint8_t code_size;  /* 2, 4, 8: width of the instruction pointer */
    bool direct_far;    /* an IP is a linear address: jumps to other pages may be linked */
    uint16_t fl_live_in;                 /* filled by flags.c */
    uint16_t peek_start[2], peek_end[2]; /* page offsets of code read to learn succ_live */
    uint16_t succ_live[2]; /* status flags the successors need: taken (or only), fall-through */
} IrBlock;

/* Fills fl_live of every operation and fl_live_in: a backward pass. */
void ir_flags_liveness(IrBlock *block);
const char *ir_op_name(IrOpcode op);
bool ir_op_ends(IrOpcode op);
struct _GString;
void ir_print(const IrBlock *block, struct _GString *out); /* -d op */

#endif
