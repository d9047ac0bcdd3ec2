/*
 * Intel 82093AA I/O APIC (data sheet, order 290566): 24 inputs, a redirection table, and messages
 * to the local APICs.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/intc/ioapic_impl.h"

#include "core/machine.h"
#include "hw/intc/apic.h"

enum {
    /* Direct registers */
    IOREGSEL = 0x00,
    IOWIN = 0x10,
    /* Indirect registers */
    IOAPICID = 0x00,
    IOAPICVER = 0x01,
    IOAPICARB = 0x02,
    IOREDTBL = 0x10,
    VERSION = 0x11,
    WINDOW_SIZE = 0x1000,
};

/* Entry E as a message signalled interrupt (SDM 3A 11.11). */
static uint64_t msi_addr(uint64_t e)
{
    return 0xfee00000u | REDIR_DEST(e) << 12 | (e & REDIR_LOGICAL ? 1u << 2 : 0);
}

static uint32_t msi_data(uint64_t e)
{
    return (e & REDIR_VECTOR) | REDIR_DELIVERY(e) << 8 | 1u << 14 |
           (e & REDIR_LEVEL ? 1u << 15 : 0);
}

static void tell_bus(IoApic *s, int n)
{
    uint64_t e = s->redir[n];

    if (s->bus) {
        bool masked = (e & REDIR_MASKED) || REDIR_DELIVERY(e) == APIC_EXTINT;
        s->bus->changed(s->bus_opaque, n, msi_addr(e), msi_data(e), masked);
    }
}

static bool send(IoApic *s, const ApicMessage *msg, uint64_t e)
{
    return s->bus ? s->bus->send(s->bus_opaque, msi_addr(e), msi_data(e))
                  : apic_deliver(s->dev.machine, msg);
}

static void deliver(IoApic *s, int n)
{
    uint64_t e = s->redir[n];
    ApicMessage msg = {
        .dest = REDIR_DEST(e) == 0xff && !(e & REDIR_LOGICAL) ? APIC_DEST_ALL : REDIR_DEST(e),
        .logical = e & REDIR_LOGICAL,
        .level = e & REDIR_LEVEL,
        .delivery = REDIR_DELIVERY(e),
        .vector = e & REDIR_VECTOR,
    };

    if (msg.delivery == APIC_EXTINT) {
        /* An 8259 behind pin 0: its INTR is wired to LINT0 of every local APIC as well, where the
         * same interrupt is acknowledged. */
        return;
    }
    if (send(s, &msg, e) && msg.level && msg.delivery <= APIC_LOWEST) {
        s->redir[n] |= REDIR_REMOTE_IRR;
    }
}

/* A level-triggered input that is up is sent unless masked or on its way already. */
static void service_level(IoApic *s, int n)
{
    uint64_t e = s->redir[n];

    if ((s->level & (1u << n)) && (e & REDIR_LEVEL) && !(e & (REDIR_MASKED | REDIR_REMOTE_IRR))) {
        deliver(s, n);
    }
}

static void input_changed(void *opaque, int n, int level)
{
    IoApic *s = opaque;
    uint32_t bit = 1u << n;
    bool rises = level && !(s->level & bit);

    s->level = level ? s->level | bit : s->level & ~bit;
    if (s->redir[n] & REDIR_LEVEL) {
        service_level(s, n);
    } else if (rises && !(s->redir[n] & REDIR_MASKED)) {
        deliver(s, n); /* edges at a masked pin are neither delivered nor held (3.2.4, bit 16) */
    }
}

void ioapic_eoi(Device *dev, uint8_t vector)
{
    IoApic *s = (IoApic *)dev;

    for (int n = 0; n < IOAPIC_INPUTS; n++) {
        if ((s->redir[n] & REDIR_VECTOR) == vector && (s->redir[n] & REDIR_REMOTE_IRR)) {
            s->redir[n] &= ~REDIR_REMOTE_IRR;
            service_level(s, n);
        }
    }
}

static uint32_t indirect_read(const IoApic *s)
{
    unsigned n = (s->select - IOREDTBL) / 2u;

    switch (s->select) {
    case IOAPICID:
    case IOAPICARB:
        return (uint32_t)s->id << 24;
    case IOAPICVER:
        return (IOAPIC_INPUTS - 1) << 16 | VERSION;
    }
    if (s->select >= IOREDTBL && n < IOAPIC_INPUTS) {
        return (uint32_t)(s->redir[n] >> (s->select & 1 ? 32 : 0));
    }
    return 0;
}

static void indirect_write(IoApic *s, uint32_t value)
{
    unsigned n = (s->select - IOREDTBL) / 2u;

    if (s->select == IOAPICID) {
        s->id = (value >> 24) & 0xf;
    } else if (s->select >= IOREDTBL && n < IOAPIC_INPUTS) {
        uint64_t old = s->redir[n];
        uint64_t e =
            s->select & 1 ? (uint32_t)old | (uint64_t)value << 32 : (old & ~0xffffffffull) | value;

        e = (e & REDIR_VALID & ~REDIR_RO) | (old & REDIR_RO);
        if (!(e & REDIR_LEVEL)) {
            /* Software without EOI register makes an input edge triggered for a moment to clear
             * a stuck Remote IRR. */
            e &= ~REDIR_REMOTE_IRR;
        }
        s->redir[n] = e;
        tell_bus(s, (int)n);
        service_level(s, (int)n);
    }
}

static uint64_t window_read(void *opaque, hwaddr addr, unsigned size)
{
    IoApic *s = opaque;

    (void)size;
    switch (addr & 0xff) {
    case IOREGSEL:
        return s->select;
    case IOWIN:
        return indirect_read(s);
    default:
        return 0;
    }
}

static void window_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    IoApic *s = opaque;

    (void)size;
    switch (addr & 0xff) {
    case IOREGSEL:
        s->select = (uint8_t)value;
        break;
    case IOWIN:
        indirect_write(s, (uint32_t)value);
        break;
    }
}

static const MemOps window_ops = {window_read, window_write, 4, 4, false};

void ioapic_set_bus(Device *dev, const IoapicBus *bus, void *opaque)
{
    IoApic *s = (IoApic *)dev;

    s->bus = bus;
    s->bus_opaque = opaque;
}

IrqLine *ioapic_inputs(Device *dev)
{
    return ((IoApic *)dev)->inputs;
}

void ioapic_print_info(Device *dev, GString *out)
{
    static const char *const delivery[8] = {"fixed", "lowest", "smi",      "reserved",
                                            "nmi",   "init",   "reserved", "extint"};
    IoApic *s = (IoApic *)dev;

    g_string_append_printf(out, "ioapic: ver=0x%x id=0x%02x sel=0x%02x\n", VERSION, s->id,
                           s->select);
    for (int n = 0; n < IOAPIC_INPUTS; n++) {
        uint64_t e = s->redir[n];
        g_string_append_printf(
            out, "  pin %-2d 0x%016" G_GINT64_MODIFIER "x dest=%x vec=%-3u %-8s %-5s %-7s%s%s%s\n",
            n, e, REDIR_DEST(e), (unsigned)(e & REDIR_VECTOR), delivery[REDIR_DELIVERY(e)],
            e & REDIR_LEVEL ? "level" : "edge", e & REDIR_LOGICAL ? "logical" : "physic",
            e & REDIR_MASKED ? " masked" : "", e & REDIR_REMOTE_IRR ? " remote-irr" : "",
            s->level & (1u << n) ? " asserted" : "");
    }
}

static void reset(Device *dev)
{
    IoApic *s = (IoApic *)dev;

    s->select = 0;
    s->id = 0;
    for (int n = 0; n < IOAPIC_INPUTS; n++) {
        s->redir[n] = REDIR_MASKED;
        tell_bus(s, n);
    }
}

static bool realize(Device *dev, GError **err)
{
    IoApic *s = (IoApic *)dev;

    (void)err;
    irq_lines_init(s->inputs, IOAPIC_INPUTS, input_changed, s);
    s->window = mem_region_io("ioapic", &window_ops, s, WINDOW_SIZE);
    mem_region_add(dev->machine->memory_root, IOAPIC_DEFAULT_BASE, s->window, 0);
    reset(dev);
    return true;
}

static void unrealize(Device *dev)
{
    mem_region_free(((IoApic *)dev)->window);
}

const StateField ioapic_state_fields[] = {
    STATE_FIELD_UINT(IoApic, select),
    STATE_FIELD_UINT_MAX(IoApic, id, 15),
    STATE_FIELD_UINT_MAX(IoApic, level, (1u << IOAPIC_INPUTS) - 1),
    STATE_FIELD_UINT_ARRAY(IoApic, redir),
    STATE_FIELD_END,
};

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    IoApic *s = opaque;

    (void)version;
    (void)err;
    for (int n = 0; n < IOAPIC_INPUTS; n++) {
        s->redir[n] &= REDIR_VALID;
        tell_bus(s, n);
    }
    return true;
}

static const StateTable state = {.name = "ioapic",
                                 .version = 1,
                                 .min_version = 1,
                                 .fields = ioapic_state_fields,
                                 .post_load = post_load};

const DeviceClass ioapic_class = {
    .name = "ioapic",
    .description = "82093AA I/O APIC",
    .bus_type = "System",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(IoApic),
    .state = &state,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
