/*
 * Intel 8259A programmable interrupt controller, two of them cascaded as in a PC, and the
 * edge/level control registers that EISA added (Intel 8259A data sheet, order 231468; PIIX4 data
 * sheet 4.2).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/intc/i8259_impl.h"

#include "core/machine.h"

/* Place of the highest-priority set bit in rotated order, 0 the highest; 8 when MASK is empty. */
static int priority_of(const Pic *p, uint8_t mask)
{
    int n = 0;

    if (!mask) {
        return 8;
    }
    while (!(mask & (1u << ((p->lowest + 1 + n) & 7)))) {
        n++;
    }
    return n;
}

/* The input that would be acknowledged now, or -1. */
static int pending(const Pic *p)
{
    int request = priority_of(p, p->irr & ~p->imr);
    uint8_t in_service = p->isr;

    if (request == 8) {
        return -1;
    }
    if (p->special_mask) {
        in_service &= ~p->imr;
    }
    if (!p->slave && (p->icw4 & ICW4_SFNM)) {
        in_service &= ~(1u << CASCADE); /* the slave may interrupt itself */
    }
    return request < priority_of(p, in_service) ? (request + p->lowest + 1) & 7 : -1;
}

static void pic_set_input(Pic *p, int n, int level)
{
    uint8_t bit = 1u << n;

    if (p->elcr & bit) {
        p->irr = level ? p->irr | bit : p->irr & ~bit;
    } else if (level && !(p->level & bit)) {
        p->irr |= bit;
    } else if (!level) {
        p->irr &= ~bit; /* the request must stay up until it is acknowledged */
    }
    p->level = level ? p->level | bit : p->level & ~bit;
}

static void update(I8259 *s)
{
    int slave = pending(&s->pic[1]) >= 0;
    uint8_t intr;

    /* A new request of the slave while its line is up must be seen as an edge by the master, as the
     * chip drops INT during the acknowledge cycle. */
    pic_set_input(&s->pic[0], CASCADE, slave);
    intr = pending(&s->pic[0]) >= 0;
    if (intr != s->intr) {
        s->intr = intr;
        irq_set(&s->output, intr);
    }
}

static void input_changed(void *opaque, int n, int level)
{
    I8259 *s = opaque;

    pic_set_input(&s->pic[n >> 3], n & 7, level);
    update(s);
}

static void take(Pic *p, int n)
{
    uint8_t bit = 1u << n;

    if (!(p->elcr & bit)) {
        p->irr &= ~bit;
    }
    if (p->icw4 & ICW4_AEOI) {
        if (p->rotate_aeoi) {
            p->lowest = (uint8_t)n;
        }
    } else {
        p->isr |= bit;
    }
}

int i8259_ack(Device *dev)
{
    I8259 *s = (I8259 *)dev;
    int n = pending(&s->pic[0]);
    int vector;

    if (n == CASCADE) {
        int n2 = pending(&s->pic[1]);
        if (n2 >= 0) {
            take(&s->pic[1], n2);
        } else {
            n2 = SPURIOUS;
        }
        take(&s->pic[0], CASCADE);
        pic_set_input(&s->pic[0], CASCADE, 0);
        vector = (s->pic[1].icw2 & 0xf8) | n2;
    } else if (n >= 0) {
        take(&s->pic[0], n);
        vector = (s->pic[0].icw2 & 0xf8) | n;
    } else {
        vector = (s->pic[0].icw2 & 0xf8) | SPURIOUS;
    }
    /* INT falls with the acknowledge and rises anew for what is left. */
    if (s->intr) {
        s->intr = 0;
        irq_set(&s->output, 0);
    }
    update(s);
    return vector;
}

static void end_of_interrupt(Pic *p, int n, bool rotate)
{
    p->isr &= ~(1u << n);
    if (rotate) {
        p->lowest = (uint8_t)n;
    }
}

static void write_ocw2(Pic *p, uint8_t value)
{
    int n = priority_of(p, p->isr);
    bool rotate = value & 0x80;

    switch (value >> 5) {
    case 0: /* rotate in automatic EOI: clear, set */
    case 4:
        p->rotate_aeoi = rotate;
        break;
    case 1: /* non-specific EOI */
    case 5:
        if (n < 8) {
            end_of_interrupt(p, (n + p->lowest + 1) & 7, rotate);
        }
        break;
    case 3: /* specific EOI */
    case 7:
        end_of_interrupt(p, value & 7, rotate);
        break;
    case 6: /* set priority */
        p->lowest = value & 7;
        break;
    }
}

/* ICW1 (data sheet, "Initialization Command Words"). */
static void write_icw1(Pic *p, uint8_t value)
{
    p->icw1 = value;
    p->irr &= p->elcr & p->level; /* the edge sense circuit is reset */
    p->imr = 0;
    p->isr = 0;
    p->lowest = 7;
    p->special_mask = 0;
    p->read_isr = 0;
    p->poll = 0;
    p->rotate_aeoi = 0;
    if (!(value & ICW1_IC4)) {
        p->icw4 = 0;
    }
    p->init_step = INIT_ICW2;
}

static void write_ocw3(Pic *p, uint8_t value)
{
    p->poll = !!(value & OCW3_POLL);
    if (value & OCW3_RR) {
        p->read_isr = value & OCW3_RIS;
    }
    if (value & OCW3_ESMM) {
        p->special_mask = !!(value & OCW3_SMM);
    }
}

static void write_data(Pic *p, uint8_t value)
{
    switch (p->init_step) {
    case INIT_DONE:
        p->imr = value;
        break;
    case INIT_ICW2:
        p->icw2 = value;
        p->init_step = !(p->icw1 & ICW1_SNGL) ? INIT_ICW3
                       : (p->icw1 & ICW1_IC4) ? INIT_ICW4
                                              : INIT_DONE;
        break;
    case INIT_ICW3:
        p->icw3 = value;
        p->init_step = (p->icw1 & ICW1_IC4) ? INIT_ICW4 : INIT_DONE;
        break;
    case INIT_ICW4:
        p->icw4 = value;
        p->init_step = INIT_DONE;
        break;
    }
}

static void pic_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    Pic *p = opaque;

    (void)size;
    if (addr & 1) {
        write_data(p, (uint8_t)value);
    } else if (value & ICW1_INIT) {
        write_icw1(p, (uint8_t)value);
    } else if (value & OCW3_SELECT) {
        write_ocw3(p, (uint8_t)value);
    } else {
        write_ocw2(p, (uint8_t)value);
    }
    update(p->pair);
}

/* The poll command: the next read acknowledges (data sheet, "Poll Command"). */
static uint8_t poll_read(Pic *p)
{
    int n = pending(p);

    p->poll = 0;
    if (n < 0) {
        return 0;
    }
    take(p, n);
    update(p->pair);
    return 0x80 | (uint8_t)n;
}

static uint64_t pic_read(void *opaque, hwaddr addr, unsigned size)
{
    Pic *p = opaque;

    (void)size;
    if (p->poll) {
        return poll_read(p);
    }
    if (addr & 1) {
        return p->imr;
    }
    return p->read_isr ? p->isr : p->irr;
}

static uint64_t elcr_read(void *opaque, hwaddr addr, unsigned size)
{
    I8259 *s = opaque;

    (void)size;
    return s->pic[addr & 1].elcr;
}

static void elcr_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    I8259 *s = opaque;
    Pic *p = &s->pic[addr & 1];

    (void)size;
    p->elcr = value & (p->slave ? ELCR_SLAVE : ELCR_MASTER);
    p->irr = (p->irr & ~p->elcr) | (p->level & p->elcr);
    update(s);
}

static const MemOps pic_ops = {pic_read, pic_write, 1, 1, false};
static const MemOps elcr_ops = {elcr_read, elcr_write, 1, 1, false};

IrqLine *i8259_inputs(Device *dev)
{
    return ((I8259 *)dev)->inputs;
}

void i8259_set_output(Device *dev, const IrqLine *intr)
{
    I8259 *s = (I8259 *)dev;

    s->output = *intr;
    irq_set(&s->output, s->intr);
}

bool i8259_output(const Device *dev)
{
    return ((const I8259 *)dev)->intr;
}

void i8259_print_info(Device *dev, GString *out)
{
    I8259 *s = (I8259 *)dev;

    for (int i = 0; i < 2; i++) {
        const Pic *p = &s->pic[i];
        g_string_append_printf(out,
                               "pic%d: irr=%02x imr=%02x isr=%02x hprio=%d irq_base=%02x rr_sel=%d "
                               "elcr=%02x fnm=%d\n",
                               i, p->irr, p->imr, p->isr, (p->lowest + 1) & 7, p->icw2 & 0xf8,
                               p->read_isr, p->elcr, !!(p->icw4 & ICW4_SFNM));
    }
}

static void reset(Device *dev)
{
    I8259 *s = (I8259 *)dev;

    for (int i = 0; i < 2; i++) {
        Pic *p = &s->pic[i];
        uint8_t level = p->level; /* the pins are others' to drive */
        *p = (Pic){.pair = s, .slave = i, .level = level, .lowest = 7};
    }
    s->pic[0].level &= ~(1u << CASCADE);
    update(s);
}

static bool realize(Device *dev, GError **err)
{
    static const uint16_t ports[3] = {0x20, 0xa0, 0x4d0};
    I8259 *s = (I8259 *)dev;

    (void)err;
    for (int i = 0; i < 2; i++) {
        s->pic[i].pair = s;
        s->pic[i].slave = i;
        s->io[i] = mem_region_io(i ? "pic-slave" : "pic-master", &pic_ops, &s->pic[i], 2);
    }
    s->io[2] = mem_region_io("elcr", &elcr_ops, s, 2);
    for (int i = 0; i < 3; i++) {
        mem_region_add(dev->machine->io_root, ports[i], s->io[i], 0);
    }
    irq_lines_init(s->inputs, I8259_INPUTS, input_changed, s);
    reset(dev);
    return true;
}

static void unrealize(Device *dev)
{
    I8259 *s = (I8259 *)dev;

    for (int i = 0; i < 3; i++) {
        mem_region_free(s->io[i]);
    }
}

static const StateField pic_fields[] = {
    STATE_FIELD_UINT(Pic, level),
    STATE_FIELD_UINT(Pic, irr),
    STATE_FIELD_UINT(Pic, isr),
    STATE_FIELD_UINT(Pic, imr),
    STATE_FIELD_UINT(Pic, elcr),
    STATE_FIELD_UINT(Pic, icw1),
    STATE_FIELD_UINT(Pic, icw2),
    STATE_FIELD_UINT(Pic, icw3),
    STATE_FIELD_UINT(Pic, icw4),
    STATE_FIELD_UINT_MAX(Pic, init_step, INIT_ICW4),
    STATE_FIELD_UINT_MAX(Pic, lowest, 7),
    STATE_FIELD_UINT_MAX(Pic, rotate_aeoi, 1),
    STATE_FIELD_UINT_MAX(Pic, special_mask, 1),
    STATE_FIELD_UINT_MAX(Pic, read_isr, 1),
    STATE_FIELD_UINT_MAX(Pic, poll, 1),
    STATE_FIELD_END,
};

static const StateTable pic_state = {
    .name = "i8259-chip", .version = 1, .min_version = 1, .fields = pic_fields};

const StateField i8259_state_fields[] = {
    STATE_FIELD_STRUCT_ARRAY(I8259, pic, &pic_state),
    STATE_FIELD_UINT_MAX(I8259, intr, 1),
    STATE_FIELD_END,
};

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    I8259 *s = opaque;

    (void)version;
    (void)err;
    irq_set(&s->output, s->intr);
    update(s);
    return true;
}

static const StateTable state = {.name = "i8259",
                                 .version = 1,
                                 .min_version = 1,
                                 .fields = i8259_state_fields,
                                 .post_load = post_load};

const DeviceClass i8259_class = {
    .name = "isa-i8259",
    .description = "8259A interrupt controller pair",
    .bus_type = "System",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(I8259),
    .state = &state,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
