/*
 * Two Intel 8237A DMA controllers (data sheet, order 231466) and the page registers beside them, as
 * the PIIX3 has them (its data sheet, 2.5.1): memory-to-memory transfers are not there.
 *
 * Channels count as soon as somebody moves data. The address of a channel is its 16 bits and the
 * page register above; it wraps inside of its 64 KiB (128 KiB for words).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/dma/i8237.h"

#include "core/machine.h"

enum {
    PER_CHIP = 4,
    CASCADE = 4, /* the channel of the second chip that the first one hangs on */

    /* Registers, by address line; 0 to 7 are addresses and counts. */
    REG_STATUS = 8, /* COMMAND when written */
    REG_REQUEST = 9,
    REG_MASK = 10,
    REG_MODE = 11,
    REG_CLEAR_FLIP_FLOP = 12,
    REG_MASTER_CLEAR = 13, /* TEMPORARY when read */
    REG_CLEAR_MASK = 14,
    REG_ALL_MASK = 15,

    COMMAND_DISABLE = 1 << 2,
    MODE_TRANSFER = 3 << 2, /* 0 verify, 1 to memory, 2 from memory, 3 none of them */
    MODE_TO_MEMORY = 1 << 2,
    MODE_FROM_MEMORY = 2 << 2,
    MODE_AUTO_INIT = 1 << 4,
    MODE_DOWN = 1 << 5,
    MODE_CASCADE = 3 << 6,

    PAGES = 16,
};

typedef struct DmaChannel {
    uint16_t base_address, base_count, address, count;
    uint8_t mode;
    /* Not state: set up by the device that uses it. */
    bool requested;
    void (*fn)(void *opaque);
    void *opaque;
} DmaChannel;

typedef struct DmaChip {
    DmaChannel ch[PER_CHIP];
    uint8_t command, mask, terminal, software;
    uint8_t flip_flop; /* the high byte is next */
} DmaChip;

typedef struct I8237 {
    IsaDevice isa;
    DmaChip chip[2];
    uint8_t page[PAGES];
    MemRegion *io[2], *page_io;
} I8237;

/* Where the page register of a channel is among ports 80h to 8Fh. */
static const uint8_t page_of[I8237_CHANNELS] = {7, 3, 1, 2, 15, 11, 9, 10};

/* ---- transfers ---- */

static bool can_run(const I8237 *s, int channel)
{
    const DmaChip *chip = &s->chip[channel / PER_CHIP];
    const DmaChip *upper = &s->chip[1];
    int n = channel % PER_CHIP;

    if ((chip->mask & 1 << n) || (chip->command & COMMAND_DISABLE) ||
        (chip->ch[n].mode & MODE_CASCADE) == MODE_CASCADE) {
        return false;
    }
    /* Channels 0 to 3 need the channel that joins the chips. */
    return channel >= PER_CHIP || !((upper->mask & 1) || (upper->command & COMMAND_DISABLE));
}

static void serve(I8237 *s)
{
    for (int i = 0; i < I8237_CHANNELS; i++) {
        DmaChannel *ch = &s->chip[i / PER_CHIP].ch[i % PER_CHIP];

        if (ch->requested && ch->fn && can_run(s, i)) {
            ch->fn(ch->opaque);
        }
    }
}

static uint64_t address_of(const I8237 *s, int channel)
{
    const DmaChannel *ch = &s->chip[channel / PER_CHIP].ch[channel % PER_CHIP];
    uint8_t page = s->page[page_of[channel]];

    return channel < PER_CHIP ? (uint64_t)page << 16 | ch->address
                              : (uint64_t)(page & 0xfe) << 16 | (uint64_t)ch->address << 1;
}

static void reached_end(DmaChip *chip, int n)
{
    DmaChannel *ch = &chip->ch[n];

    chip->terminal |= (uint8_t)(1 << n);
    chip->software &= (uint8_t) ~(1 << n);
    if (ch->mode & MODE_AUTO_INIT) {
        ch->address = ch->base_address;
        ch->count = ch->base_count;
    } else {
        chip->mask |= (uint8_t)(1 << n);
    }
}

/* Moves one run of UNITS without a wrap of the address. */
static void move_run(I8237 *s, int channel, uint8_t *buf, uint32_t units, bool to_memory)
{
    DmaChannel *ch = &s->chip[channel / PER_CHIP].ch[channel % PER_CHIP];
    uint32_t width = channel < PER_CHIP ? 1 : 2;
    AddressSpace *as = &s->isa.dev.machine->memory;

    if (ch->mode & MODE_DOWN) {
        for (uint32_t i = 0; i < units; i++, buf += width) {
            if (to_memory) {
                address_space_write(as, address_of(s, channel), buf, width);
            } else {
                address_space_read(as, address_of(s, channel), buf, width);
            }
            ch->address--;
        }
        return;
    }
    if (to_memory) {
        address_space_write(as, address_of(s, channel), buf, units * width);
    } else {
        address_space_read(as, address_of(s, channel), buf, units * width);
    }
    ch->address = (uint16_t)(ch->address + units);
}

uint32_t i8237_transfer(Device *dma, int channel, void *buf, uint32_t len, bool to_memory, bool *tc)
{
    I8237 *s = (I8237 *)dma;
    DmaChip *chip = &s->chip[channel / PER_CHIP];
    DmaChannel *ch = &chip->ch[channel % PER_CHIP];
    uint32_t width = channel < PER_CHIP ? 1 : 2;
    uint32_t left = len / width, done = 0;
    uint8_t transfer = ch->mode & MODE_TRANSFER;

    *tc = false;
    while (left && !*tc && can_run(s, channel)) {
        uint32_t run = MIN(left, (uint32_t)ch->count + 1);

        if (!(ch->mode & MODE_DOWN)) {
            run = MIN(run, 0x10000u - ch->address);
        }
        if (transfer == (to_memory ? MODE_TO_MEMORY : MODE_FROM_MEMORY)) {
            move_run(s, channel, (uint8_t *)buf + (size_t)done * width, run, to_memory);
        } else { /* verify, or against the device's direction: nothing moves but the counters */
            ch->address = (uint16_t)(ch->mode & MODE_DOWN ? ch->address - run : ch->address + run);
        }
        *tc = run == (uint32_t)ch->count + 1;
        ch->count = (uint16_t)(ch->count - run);
        done += run;
        left -= run;
        if (*tc) {
            reached_end(chip, channel % PER_CHIP);
        }
    }
    return done * width;
}

/* ---- for devices ---- */

Device *i8237_of(IsaDevice *dev)
{
    for (GSList *l = dev->dev.parent->devices; l; l = l->next) {
        Device *other = l->data;

        if (other->cls == &i8237_class) {
            return other;
        }
    }
    return NULL;
}

bool i8237_connect(Device *dma, int channel, void (*fn)(void *opaque), void *opaque)
{
    I8237 *s = (I8237 *)dma;
    DmaChannel *ch = &s->chip[channel / PER_CHIP].ch[channel % PER_CHIP];

    g_assert(channel != CASCADE);
    if (fn && ch->fn) {
        return false;
    }
    ch->fn = fn;
    ch->opaque = opaque;
    ch->requested = false;
    return true;
}

void i8237_restore_request(Device *dma, int channel, bool level)
{
    ((I8237 *)dma)->chip[channel / PER_CHIP].ch[channel % PER_CHIP].requested = level;
}

void i8237_request(Device *dma, int channel, bool level)
{
    I8237 *s = (I8237 *)dma;
    const DmaChannel *ch = &s->chip[channel / PER_CHIP].ch[channel % PER_CHIP];

    i8237_restore_request(dma, channel, level);
    if (level && ch->fn && can_run(s, channel)) {
        ch->fn(ch->opaque);
    }
}

/* ---- registers ---- */

static uint8_t read_status(DmaChip *chip)
{
    uint8_t value = chip->terminal | (uint8_t)(chip->software << 4);

    for (int i = 0; i < PER_CHIP; i++) {
        value |= (uint8_t)(chip->ch[i].requested << (4 + i));
    }
    chip->terminal = 0;
    return value;
}

static uint8_t read_word(DmaChip *chip, uint16_t word)
{
    chip->flip_flop ^= 1;
    return chip->flip_flop ? (uint8_t)word : (uint8_t)(word >> 8);
}

static uint64_t chip_read(DmaChip *chip, unsigned reg)
{
    const DmaChannel *ch = &chip->ch[reg / 2 % PER_CHIP];

    if (reg < REG_STATUS) {
        return read_word(chip, reg & 1 ? ch->count : ch->address);
    }
    switch (reg) {
    case REG_STATUS:
        return read_status(chip);
    case REG_MASTER_CLEAR:
        return 0; /* the temporary register serves memory-to-memory transfers */
    case REG_ALL_MASK:
        return chip->mask | 0xf0;
    default:
        return 0xff;
    }
}

static void write_word(DmaChip *chip, uint16_t *base, uint16_t *current, uint8_t value)
{
    *base = chip->flip_flop ? (uint16_t)((*base & 0x00ff) | value << 8)
                            : (uint16_t)((*base & 0xff00) | value);
    *current = *base;
    chip->flip_flop ^= 1;
}

static void master_clear(DmaChip *chip)
{
    chip->command = chip->terminal = chip->software = chip->flip_flop = 0;
    chip->mask = 0x0f;
}

static uint8_t set_bit(uint8_t bits, uint8_t value)
{
    uint8_t bit = (uint8_t)(1 << (value & 3));

    return value & 4 ? bits | bit : bits & (uint8_t)~bit;
}

static void chip_write(DmaChip *chip, unsigned reg, uint8_t value)
{
    DmaChannel *ch = &chip->ch[reg / 2 % PER_CHIP];

    switch (reg) {
    case REG_STATUS:
        chip->command = value;
        break;
    case REG_REQUEST:
        chip->software = set_bit(chip->software, value);
        break;
    case REG_MASK:
        chip->mask = set_bit(chip->mask, value);
        break;
    case REG_MODE:
        chip->ch[value & 3].mode = value & 0xfc;
        break;
    case REG_CLEAR_FLIP_FLOP:
        chip->flip_flop = 0;
        break;
    case REG_MASTER_CLEAR:
        master_clear(chip);
        break;
    case REG_CLEAR_MASK:
        chip->mask = 0;
        break;
    case REG_ALL_MASK:
        chip->mask = value & 0x0f;
        break;
    default:
        write_word(chip, reg & 1 ? &ch->base_count : &ch->base_address,
                   reg & 1 ? &ch->count : &ch->address, value);
        break;
    }
}

static uint64_t low_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)size;
    return chip_read(&((I8237 *)opaque)->chip[0], addr & 15);
}

static void low_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    I8237 *s = opaque;

    (void)size;
    chip_write(&s->chip[0], addr & 15, (uint8_t)value);
    serve(s);
}

/* The second chip has its registers at every second port. */
static uint64_t high_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)size;
    return chip_read(&((I8237 *)opaque)->chip[1], addr >> 1 & 15);
}

static void high_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    I8237 *s = opaque;

    (void)size;
    chip_write(&s->chip[1], addr >> 1 & 15, (uint8_t)value);
    serve(s);
}

static uint64_t page_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)size;
    return ((I8237 *)opaque)->page[addr & 15];
}

static void page_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    (void)size;
    ((I8237 *)opaque)->page[addr & 15] = (uint8_t)value;
}

static const MemOps low_ops = {low_read, low_write, 1, 1, false};
static const MemOps high_ops = {high_read, high_write, 1, 1, false};
/* Port 80h is where Linux spends its time when a port must rest: without the machine lock. */
static const MemOps page_ops = {page_read, page_write, 1, 1, true};

/* ---- life ---- */

static void reset(Device *dev)
{
    I8237 *s = (I8237 *)dev;

    for (int i = 0; i < 2; i++) {
        master_clear(&s->chip[i]);
        for (int n = 0; n < PER_CHIP; n++) {
            DmaChannel *ch = &s->chip[i].ch[n];
            ch->base_address = ch->base_count = ch->address = ch->count = 0;
            ch->mode = 0;
        }
    }
    for (int i = 0; i < PAGES; i++) {
        s->page[i] = 0;
    }
}

static bool realize(Device *dev, GError **err)
{
    I8237 *s = (I8237 *)dev;

    (void)err;
    s->io[0] = isa_register_io(&s->isa, "dma", &low_ops, s, 0x00, 16);
    s->io[1] = isa_register_io(&s->isa, "dma2", &high_ops, s, 0xc0, 32);
    s->page_io = isa_register_io(&s->isa, "dma-pages", &page_ops, s, 0x80, 16);
    reset(dev);
    return true;
}

static void unrealize(Device *dev)
{
    I8237 *s = (I8237 *)dev;

    mem_region_free(s->io[0]);
    mem_region_free(s->io[1]);
    mem_region_free(s->page_io);
}

static const StateField channel_fields[] = {
    STATE_FIELD_UINT(DmaChannel, base_address), STATE_FIELD_UINT(DmaChannel, base_count),
    STATE_FIELD_UINT(DmaChannel, address),      STATE_FIELD_UINT(DmaChannel, count),
    STATE_FIELD_UINT(DmaChannel, mode),         STATE_FIELD_END,
};

static const StateTable channel_state = {
    .name = "i8237-channel", .version = 1, .min_version = 1, .fields = channel_fields};

static const StateField chip_fields[] = {
    STATE_FIELD_STRUCT_ARRAY(DmaChip, ch, &channel_state),
    STATE_FIELD_UINT(DmaChip, command),
    STATE_FIELD_UINT_MAX(DmaChip, mask, 0x0f),
    STATE_FIELD_UINT_MAX(DmaChip, terminal, 0x0f),
    STATE_FIELD_UINT_MAX(DmaChip, software, 0x0f),
    STATE_FIELD_UINT_MAX(DmaChip, flip_flop, 1),
    STATE_FIELD_END,
};

static const StateTable chip_state = {
    .name = "i8237-chip", .version = 1, .min_version = 1, .fields = chip_fields};

static const StateField fields[] = {
    STATE_FIELD_STRUCT_ARRAY(I8237, chip, &chip_state),
    STATE_FIELD_BYTES(I8237, page),
    STATE_FIELD_END,
};

static const StateTable state = {.name = "i8237", .version = 1, .min_version = 1, .fields = fields};

const DeviceClass i8237_class = {
    .name = "i8237",
    .description = "DMA controllers, two 8237A",
    .bus_type = "ISA",
    .category = DEVICE_CATEGORY_BRIDGE,
    .size = sizeof(I8237),
    .state = &state,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
