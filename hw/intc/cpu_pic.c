/*
 * A CPU without a local APIC: INTR is a pin, and the interrupt acknowledge cycle goes to the 8259.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/intc/cpu_pic.h"

#include "core/lock.h"
#include "core/machine.h"
#include "util/keyval.h"

typedef struct CpuPic {
    Device dev;
    uint32_t cpu_index;
    Cpu *cpu;
    _Atomic uint8_t cr8; /* own thread writes; long mode has CR8 even without an APIC */
    _Atomic uint8_t level;
    IrqLine intr;
    int (*ack)(Device *pic);
    Device *pic;
} CpuPic;

static void set_intr(void *opaque, int n, int level)
{
    CpuPic *s = opaque;

    (void)n;
    atomic_store(&s->level, (uint8_t)level);
    if (level) {
        cpu_raise(s->cpu, CPU_EVENT_INTR);
    } else {
        cpu_lower(s->cpu, CPU_EVENT_INTR);
    }
}

static int ack(void *opaque)
{
    CpuPic *s = opaque;
    int vector = -1;

    machine_lock();
    if (s->ack && atomic_load(&s->level)) {
        vector = s->ack(s->pic);
    } else {
        cpu_lower(s->cpu, CPU_EVENT_INTR);
    }
    machine_unlock();
    return vector;
}

static uint8_t get_cr8(void *opaque)
{
    return ((CpuPic *)opaque)->cr8;
}

static void set_cr8(void *opaque, uint8_t value)
{
    ((CpuPic *)opaque)->cr8 = value & 15;
}

static uint64_t get_base(void *opaque)
{
    (void)opaque;
    return 0;
}

/* IA32_APIC_BASE does not exist without an APIC. */
static bool set_base(void *opaque, uint64_t value)
{
    (void)opaque;
    (void)value;
    return false;
}

static bool read_msr(void *opaque, uint32_t msr, uint64_t *value)
{
    (void)opaque;
    (void)msr;
    (void)value;
    return false;
}

static bool write_msr(void *opaque, uint32_t msr, uint64_t value)
{
    (void)opaque;
    (void)msr;
    (void)value;
    return false;
}

static const CpuIntcOps ops = {
    .ack = ack,
    .get_cr8 = get_cr8,
    .set_cr8 = set_cr8,
    .get_base = get_base,
    .set_base = set_base,
    .rdmsr = read_msr,
    .wrmsr = write_msr,
};

IrqLine *cpu_pic_intr(Device *dev)
{
    return &((CpuPic *)dev)->intr;
}

void cpu_pic_set_ack(Device *dev, int (*fn)(Device *pic), Device *pic)
{
    CpuPic *s = (CpuPic *)dev;

    s->ack = fn;
    s->pic = pic;
}

static void reset(Device *dev)
{
    ((CpuPic *)dev)->cr8 = 0;
}

static bool realize(Device *dev, GError **err)
{
    CpuPic *s = (CpuPic *)dev;

    if (s->cpu_index >= (uint32_t)dev->machine->cpu_count) {
        emu_set_error(err, "cpu-pic: cpu-index %u is not a CPU of this machine (0 to %d)",
                      s->cpu_index, dev->machine->cpu_count - 1);
        return false;
    }
    s->cpu = dev->machine->cpus[s->cpu_index];
    s->cpu->intc = s;
    s->cpu->intc_ops = &ops;
    irq_lines_init(&s->intr, 1, set_intr, s);
    return true;
}

static const Property props[] = {
    {.name = "cpu-index",
     .type = PROP_UINT,
     PROP_FIELD(CpuPic, cpu_index),
     .default_value = "0",
     .description = "number of the CPU it serves"},
    {.type = PROP_END},
};

static const StateField fields[] = {
    STATE_FIELD_UINT_MAX(CpuPic, cr8, 15),
    STATE_FIELD_UINT_MAX(CpuPic, level, 1),
    STATE_FIELD_END,
};

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    CpuPic *s = opaque;

    (void)version;
    (void)err;
    set_intr(s, 0, s->level);
    return true;
}

static const StateTable state = {
    .name = "cpu-pic", .version = 1, .min_version = 1, .fields = fields, .post_load = post_load};

const DeviceClass cpu_pic_class = {
    .name = "cpu-pic",
    .description = "INTR pin of a CPU without a local APIC",
    .bus_type = "System",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(CpuPic),
    .props = props,
    .state = &state,
    .realize = realize,
    .reset = reset,
};
