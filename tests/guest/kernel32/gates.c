/*
 * Call gates and far returns between rings (SDM 3A 5.8; SDM 2, CALL and RET).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/guest/kernel32/kernel.h"

/* What the code behind a gate found on its stack. */
uint32_t gate_stack[8], gate_cs, gate_esp;
uint32_t return_ss, after_esp, after_cs;
static uint8_t user_stack[4096];
extern const uint8_t behind_call[];
extern void gate_entry(void), gate_entry16(void), gate_conforming(void), ring3_call(void),
    ring3_call16(void), ring3_plain(void), ring3_int3(void);

/* Ring 3 calls the gate with two parameters, and leaves by INT3. */
asm(".pushsection .text\n"
    ".globl gate_entry, gate_entry16, gate_conforming, ring3_call, ring3_call16, ring3_plain\n"
    ".globl ring3_int3\n"
    "gate_entry:\n"
    "    mov %esp, gate_esp; mov %cs, %eax; mov %eax, gate_cs\n"
    "    mov %esp, %esi; mov $gate_stack, %edi; mov $6, %ecx\n"
    "    mov %ds, %edx; mov $0x10, %eax; mov %eax, %ds; mov %eax, %es; cld; rep movsl\n"
    "    mov %edx, %ds; mov %edx, %es; lret $8\n"
    "gate_entry16:\n"
    "    mov %esp, gate_esp; mov %cs, %eax; mov %eax, gate_cs\n"
    "    mov %esp, %esi; mov $gate_stack, %edi; mov $3, %ecx\n"
    "    mov %ds, %edx; mov $0x10, %eax; mov %eax, %ds; mov %eax, %es; cld; rep movsl\n"
    "    mov %edx, %ds; mov %edx, %es; data16 lret $4\n"
    "gate_conforming: mov %cs, %eax; mov %eax, gate_cs; lret\n"
    "ring3_call:\n"
    "    push $0x22222222; push $0x11111111; lcall $0x5b, $0xdead\n"
    ".globl behind_call\n"
    "behind_call: mov %esp, after_esp; mov %cs, %eax; mov %eax, after_cs; int3\n"
    "ring3_call16:\n"
    "    pushw $0x2222; pushw $0x1111; lcall $0x5b, $0xdead; int3\n"
    "ring3_plain: lcall $0x5b, $0\n"
    "ring3_int3: int3\n"
    ".popsection\n");

static void (*ring3_code)(void);

static void enter_ring3(void)
{
    uint32_t frame[] = {(uint32_t)ring3_code, SEL_USER_CODE | 3, 2,
                        (uint32_t)(user_stack + sizeof(user_stack)), SEL_USER_DATA | 3};

    asm volatile("mov %0, %%ds; mov %0, %%es" : : "r"(SEL_USER_DATA | 3));
    iret_to(frame, 5);
}

static Fault ring3(void (*code)(void))
{
    set_gate(3, 3);
    ring3_code = code;
    return catch_fault(enter_ring3);
}

static void make_gate(uint16_t selector, const void *entry, unsigned params, unsigned attr)
{
    uint32_t at = (uint32_t)entry;

    gdt[SEL_GATE / 8] = (at & 0xffff) | (uint32_t)selector << 16 | (uint64_t)params << 32 |
                        (uint64_t)attr << 40 | (uint64_t)(at >> 16) << 48;
}

static void check_32_bits(void)
{
    uint32_t top = (uint32_t)(user_stack + sizeof(user_stack));

    make_gate(SEL_CODE, gate_entry, 2, 0xec);
    Fault f = ring3(ring3_call);
    check(f.frame.vector == 3 && (gate_cs & 3) == 0 && gate_esp == main_tss.esp0 - 24,
          "a call gate leads from ring 3 to ring 0, on the stack of the TSS");
    check(gate_stack[0] == (uint32_t)behind_call &&
              (uint16_t)gate_stack[1] == (SEL_USER_CODE | 3) && gate_stack[2] == 0x11111111 &&
              gate_stack[3] == 0x22222222 && gate_stack[4] == top - 8 &&
              (uint16_t)gate_stack[5] == (SEL_USER_DATA | 3),
          "with the parameters copied between the frames");
    check(after_cs == (SEL_USER_CODE | 3) && after_esp == top, "RET n drops them from both stacks");
}

static void check_16_bits(void)
{
    uint32_t top = (uint32_t)(user_stack + sizeof(user_stack));

    /* A 16-bit gate keeps 16 bits of everything: its code must lie low, and what it returns to. */
    const uint8_t *code = (const uint8_t *)gate_entry16;
    for (unsigned i = 0; i < 128; i++) {
        ((uint8_t *)LOW_CODE)[i] = code[i];
        ((uint8_t *)LOW_CODE)[i + 128] = ((const uint8_t *)ring3_call16)[i];
    }
    make_gate(SEL_CODE, (void *)LOW_CODE, 2, 0xe4);
    Fault f = ring3((void (*)(void))(LOW_CODE + 128));
    check(gate_esp == main_tss.esp0 - 12 && gate_stack[1] == 0x22221111 &&
              (uint16_t)gate_stack[0] > LOW_CODE + 128 &&
              gate_stack[2] == ((SEL_USER_DATA | 3) << 16 | ((top - 4) & 0xffff)),
          "a 16-bit gate makes 16-bit frames");
    check(f.frame.vector == 3 && f.frame.esp == (top & 0xffff), "and RET pops them");
}

static void check_conforming(void)
{
    make_gate(SEL_CONFORMING, gate_conforming, 0, 0xec);
    Fault f = ring3(ring3_plain);
    check_beyond_qemu(f.frame.vector == 3 && gate_cs == (SEL_CONFORMING | 3),
                      "a gate to a conforming segment stays in ring 3");
}

static void check_faults(void)
{
    make_gate(SEL_CODE, gate_entry, 0, 0x8c);
    Fault f = ring3(ring3_plain);
    check(f.frame.vector == 13 && f.frame.error == SEL_GATE && f.frame.eip == (uint32_t)ring3_plain,
          "a gate of DPL 0 is #GP(gate) from ring 3");
    make_gate(SEL_CODE, gate_entry, 0, 0x6c);
    f = ring3(ring3_plain);
    check(f.frame.vector == 11 && f.frame.error == SEL_GATE, "an absent one is #NP(gate)");
    make_gate(SEL_DATA, gate_entry, 0, 0xec);
    f = ring3(ring3_plain);
    check(f.frame.vector == 13 && f.frame.error == SEL_DATA, "one to data is #GP(code)");
    make_gate(0, gate_entry, 0, 0xec);
    f = ring3(ring3_plain);
    check(f.frame.vector == 13 && f.frame.error == 0, "one to a null selector is #GP(0)");
}

static void return_outwards(void)
{
    asm volatile("pushl %0; pushl %1; pushl %2; pushl %3; lret"
                 :
                 : "r"(return_ss), "r"(user_stack + sizeof(user_stack)), "i"(SEL_USER_CODE | 3),
                   "i"(ring3_int3)
                 : "memory");
}
static void return_inwards(void)
{
    asm volatile("pushl $0x08; push $0f; lret; 0:");
}

static void check_returns(void)
{
    static const struct {
        uint16_t ss;
        uint8_t vector;
        const char *name;
    } cases[] = {
        {0, 13, "RET to ring 3 with a null stack is #GP(0)"},
        {SEL_DATA | 3, 13, "with a stack of ring 0, #GP(SS)"},
        {SEL_USER_DATA, 13, "with an RPL of 0, #GP(SS)"},
        {SEL_USER_CODE | 3, 13, "with code for a stack, #GP(SS)"},
        {SEL_ABSENT | 3, 12, "with an absent one, #SS(SS)"},
    };

    gdt[SEL_ABSENT / 8] = descriptor(0, 0xfffff, 0xc072);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        return_ss = cases[i].ss;
        Fault f = catch_fault(return_outwards);
        (cases[i].vector == 12 ? check_beyond_qemu : check)(
            f.frame.vector == cases[i].vector && f.frame.error == (cases[i].ss & ~3u) &&
                f.frame.cs == SEL_CODE,
            cases[i].name);
    }
    gdt[SEL_ABSENT / 8] = descriptor(0, 0xfffff, 0xc012);
    return_ss = SEL_USER_DATA | 3;
    Fault f = catch_fault(return_outwards);
    check(f.frame.vector == 3 && f.frame.cs == (SEL_USER_CODE | 3) && f.frame.ds == 0,
          "RET to ring 3 clears what ring 3 may not see");
    f = catch_fault(return_inwards);
    check(!f.happened, "RET in one ring returns");
}

void test_gates(void)
{
    check_32_bits();
    check_16_bits();
    check_conforming();
    check_faults();
    check_returns();
}
