/*
 * The Intel 82540EM gigabit Ethernet controller: registers, interrupts, the PCI device. "The
 * manual" is Intel's 8254x Software Developer's Manual.
 *
 * Most registers only hold what is written to them; a table says which bits, and what else happens.
 *
 * Interrupts are moderated in two steps (the manual, 3.2.7 and 13.4): RDTR, RADV, TIDV and TADV
 * delay a cause's way into ICR; ITR spaces the pin's rising edges. As a delayed cause is of no use
 * before ITR lets it out, its timer is not set earlier. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/net/e1000.h"

#include <string.h>

#include "hw/net/e1000_int.h"
#include "util/keyval.h"

enum {
    BAR_MEM_SIZE = 128 << 10,
    BAR_IO_SIZE = 64,
    DELAY_UNIT_NS = 1024, /* of RDTR and the like */
    ITR_UNIT_NS = 256,
};

/* ---- interrupts ---- */

static int64_t itr_ns(E1000 *s)
{
    return (int64_t)(*e1000_reg(s, ITR) & 0xffff) * ITR_UNIT_NS;
}

static void set_pin(E1000 *s, bool level)
{
    if (s->irq != level) {
        s->irq = level;
        pci_set_irq(&s->pci, level);
    }
}

void e1000_update_irq(E1000 *s)
{
    int64_t now, allowed;

    if (!(*e1000_reg(s, ICR) & *e1000_reg(s, IMS))) {
        set_pin(s, false);
        return;
    }
    if (s->irq) {
        return;
    }
    now = clock_now(CLOCK_VM);
    allowed = s->irq_at + itr_ns(s);
    if (itr_ns(s) && now < allowed && now >= s->irq_at) {
        if (!timer_armed(s->itr_timer)) {
            timer_arm(s->itr_timer, allowed);
        }
        return;
    }
    s->irq_at = now;
    set_pin(s, true);
}

void e1000_cause(E1000 *s, uint32_t causes)
{
    *e1000_reg(s, ICR) |= causes;
    e1000_update_irq(s);
}

static void itr_over(void *opaque)
{
    e1000_update_irq(opaque);
}

/* The earliest deadline of all; not before an interrupt is allowed. */
static void arm_delays(E1000 *s)
{
    const int64_t at[] = {s->rdtr_at, s->radv_at, s->tidv_at, s->tadv_at};
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < G_N_ELEMENTS(at); i++) {
        if (at[i] && at[i] < first) {
            first = at[i];
        }
    }
    if (first == INT64_MAX) {
        timer_disarm(s->delay_timer);
        return;
    }
    first = MAX(first, s->irq_at + itr_ns(s));
    /* A deadline that has moved away is looked at when the timer fires. */
    if (!timer_armed(s->delay_timer) || timer_deadline(s->delay_timer) > first) {
        timer_arm(s->delay_timer, first);
    }
}

static bool is_due(int64_t at, int64_t now)
{
    return at && at <= now;
}

static void delay_over(void *opaque)
{
    E1000 *s = opaque;
    int64_t now = clock_now(CLOCK_VM);
    uint32_t causes = 0;

    if (is_due(s->rdtr_at, now) || is_due(s->radv_at, now)) {
        s->rdtr_at = s->radv_at = 0;
        causes |= ICR_RXT0;
    }
    if (is_due(s->tidv_at, now) || is_due(s->tadv_at, now)) {
        s->tidv_at = s->tadv_at = 0;
        causes |= ICR_TXDW;
    }
    arm_delays(s);
    if (causes) {
        e1000_cause(s, causes);
    }
}

/* The packet timer starts anew, the absolute one only if it does not run. */
static void delay(E1000 *s, uint32_t packet, uint32_t absolute, int64_t *packet_at,
                  int64_t *absolute_at)
{
    int64_t now = clock_now(CLOCK_VM);

    *packet_at = now + (int64_t)packet * DELAY_UNIT_NS;
    if (absolute && !*absolute_at) {
        *absolute_at = now + (int64_t)absolute * DELAY_UNIT_NS;
    }
    arm_delays(s);
}

void e1000_rx_cause(E1000 *s)
{
    uint32_t packet = *e1000_reg(s, RDTR) & DELAY_MASK;

    if (!packet) {
        s->rdtr_at = s->radv_at = 0;
        e1000_cause(s, ICR_RXT0);
    } else {
        delay(s, packet, *e1000_reg(s, RADV) & DELAY_MASK, &s->rdtr_at, &s->radv_at);
    }
}

void e1000_tx_cause(E1000 *s)
{
    delay(s, *e1000_reg(s, TIDV) & DELAY_MASK, *e1000_reg(s, TADV) & DELAY_MASK, &s->tidv_at,
          &s->tadv_at);
}

/* ---- statistics ---- */

void e1000_stat(E1000 *s, uint32_t offset, uint32_t n)
{
    uint32_t *r = e1000_reg(s, offset);

    *r = *r > UINT32_MAX - n ? UINT32_MAX : *r + n; /* they stick at the top */
}

void e1000_stat64(E1000 *s, uint32_t offset, uint64_t n)
{
    uint64_t value = *e1000_reg(s, offset) | (uint64_t)*e1000_reg(s, offset + 4) << 32;

    value = value > UINT64_MAX - n ? UINT64_MAX : value + n;
    *e1000_reg(s, offset) = (uint32_t)value;
    *e1000_reg(s, offset + 4) = (uint32_t)(value >> 32);
}

void e1000_stat_size(E1000 *s, uint32_t offset, uint32_t len)
{
    static const uint16_t limits[] = {64, 127, 255, 511, 1023};
    uint32_t i = 0;

    len += 4; /* the frame check sequence counts */
    while (i < G_N_ELEMENTS(limits) && len > limits[i]) {
        i++;
    }
    e1000_stat(s, offset + 4 * i, 1);
}

/* ---- link ---- */

static void link_changed(void *opaque, bool up)
{
    E1000 *s = opaque;

    e1000_phy_link(s, up);
    e1000_cause(s, ICR_LSC);
}

/* ---- registers ---- */

static void reset_registers(E1000 *s)
{
    uint32_t ral, rah = 0;

    memset(s->reg, 0, sizeof(s->reg));
    memset(&s->wire, 0, sizeof(s->wire));
    memset(&s->context, 0, sizeof(s->context));
    s->wire.out = 1;
    s->frame.len = 0;
    s->frame.overlong = false;
    s->rdtr_at = s->radv_at = s->tidv_at = s->tadv_at = 0;
    timer_disarm(s->delay_timer);
    timer_disarm(s->itr_timer);
    timer_disarm(s->tx_timer);
    set_pin(s, false);
    *e1000_reg(s, CTRL) = CTRL_FD | 0x200; /* 1000 Mb/s */
    *e1000_reg(s, STATUS) = STATUS_REST;
    *e1000_reg(s, PBA) = 0x00100030; /* packet buffer: 48 KiB to receive, 16 to send */
    *e1000_reg(s, LEDCTL) = 0x07068302;
    memcpy(&ral, s->mac, 4);
    memcpy(&rah, s->mac + 4, 2);
    s->reg[RAL / 4] = ral;
    s->reg[RAH / 4] = rah | 0x80000000;
    e1000_phy_reset(s);
}

static void write_ctrl(E1000 *s, uint32_t value)
{
    if (value & CTRL_RST) {
        reset_registers(s);
        return;
    }
    *e1000_reg(s, CTRL) = value & ~CTRL_PHY_RST;
    if (value & CTRL_PHY_RST) {
        e1000_phy_reset(s);
    }
}

static uint32_t read_icr(E1000 *s)
{
    uint32_t value = *e1000_reg(s, ICR);

    *e1000_reg(s, ICR) = 0;
    e1000_update_irq(s);
    return value;
}

static void write_icr(E1000 *s, uint32_t value)
{
    *e1000_reg(s, ICR) &= ~value;
    e1000_update_irq(s);
}

static void write_ics(E1000 *s, uint32_t value)
{
    e1000_cause(s, value & ICR_ALL);
}

static void write_ims(E1000 *s, uint32_t value)
{
    *e1000_reg(s, IMS) |= value & ICR_ALL;
    e1000_update_irq(s);
}

static void write_imc(E1000 *s, uint32_t value)
{
    *e1000_reg(s, IMS) &= ~value;
    e1000_update_irq(s);
}

static void write_rctl(E1000 *s, uint32_t value)
{
    *e1000_reg(s, RCTL) = value;
    net_nic_receive_ready(s->nic);
}

static void write_rdt(E1000 *s, uint32_t value)
{
    *e1000_reg(s, RDT) = value & 0xffff;
    net_nic_receive_ready(s->nic);
}

static void write_tctl(E1000 *s, uint32_t value)
{
    *e1000_reg(s, TCTL) = value;
    e1000_transmit(s);
}

static void write_tdt(E1000 *s, uint32_t value)
{
    *e1000_reg(s, TDT) = value & 0xffff;
    e1000_transmit(s);
}

static void write_rdtr(E1000 *s, uint32_t value)
{
    *e1000_reg(s, RDTR) = value & DELAY_MASK;
    if ((value & DELAY_FPD) && s->rdtr_at) {
        s->rdtr_at = s->radv_at = 0;
        e1000_cause(s, ICR_RXT0);
    }
}

static void write_tidv(E1000 *s, uint32_t value)
{
    *e1000_reg(s, TIDV) = value & DELAY_MASK;
    if ((value & DELAY_FPD) && s->tidv_at) {
        s->tidv_at = s->tadv_at = 0;
        e1000_cause(s, ICR_TXDW);
    }
}

static void write_mac_address(E1000 *s, uint32_t value)
{
    (void)value;
    uint8_t mac[6];

    memcpy(mac, &s->reg[RAL / 4], 4);
    memcpy(mac + 4, &s->reg[RAH / 4], 2);
    net_nic_set_mac(s->nic, mac);
}

/* Registers first..last: which bits can be written, and what is called instead of, or (AFTER)
 * after, that. */
typedef struct RegRow {
    uint16_t first, last;
    uint32_t wmask;
    bool clear_on_read, after;
    uint32_t (*read)(E1000 *s);
    void (*write)(E1000 *s, uint32_t value);
} RegRow;

#define ROW(reg, mask)                                                                             \
    {                                                                                              \
        .first = (reg), .last = (reg), .wmask = (mask)                                             \
    }
#define ROW_WRITE(reg, fn)                                                                         \
    {                                                                                              \
        .first = (reg), .last = (reg), .write = (fn)                                               \
    }
#define ROWS(from, to, mask)                                                                       \
    {                                                                                              \
        .first = (from), .last = (to), .wmask = (mask)                                             \
    }

static const RegRow rows[] = {
    ROW_WRITE(CTRL, write_ctrl),
    {.first = 4, .last = 4, .write = write_ctrl}, /* its shadow */
    {.first = EECD, .last = EECD, .read = e1000_eecd_read, .write = e1000_eecd_write},
    ROW_WRITE(EERD, e1000_eerd_write),
    ROW(CTRL_EXT, 0xfffff),
    ROW_WRITE(MDIC, e1000_mdic_write),
    ROW(FCAL, UINT32_MAX),
    ROW(FCAH, 0xffff),
    ROW(FCT, 0xffff),
    ROW(VET, 0xffff),
    {.first = ICR, .last = ICR, .read = read_icr, .write = write_icr},
    ROW(ITR, 0xffff),
    ROW_WRITE(ICS, write_ics),
    ROW_WRITE(IMS, write_ims),
    ROW_WRITE(IMC, write_imc),
    ROW_WRITE(RCTL, write_rctl),
    ROW(FCTTV, 0xffff),
    ROW(TXCW, UINT32_MAX),
    ROW_WRITE(TCTL, write_tctl),
    ROW(TIPG, UINT32_MAX),
    ROW(AIT, 0xffff),
    ROW(LEDCTL, UINT32_MAX),
    ROW(PBA, 0xffff),
    ROW(FCRTL, 0x8000fff8),
    ROW(FCRTH, 0xfff8),
    ROWS(RDFH, RDFPC, 0x1fff),
    ROW(RDBAL, 0xfffffff0),
    ROW(RDBAH, UINT32_MAX),
    ROW(RDLEN, 0xfff80),
    ROW(RDH, 0xffff),
    ROW_WRITE(RDT, write_rdt),
    ROW_WRITE(RDTR, write_rdtr),
    ROW(RXDCTL, UINT32_MAX),
    ROW(RADV, DELAY_MASK),
    ROW(RSRPD, 0xfff),
    ROWS(TDFH, TDFPC, 0x1fff),
    ROW(TDBAL, 0xfffffff0),
    ROW(TDBAH, UINT32_MAX),
    ROW(TDLEN, 0xfff80),
    ROW(TDH, 0xffff),
    ROW_WRITE(TDT, write_tdt),
    ROW_WRITE(TIDV, write_tidv),
    ROW(TXDCTL, UINT32_MAX),
    ROW(TADV, DELAY_MASK),
    ROW(TSPMT, UINT32_MAX),
    {.first = STATS_FIRST, .last = STATS_LAST, .clear_on_read = true},
    ROW(RXCSUM, 0x3ff),
    ROWS(MTA, MTA + 127 * 4, UINT32_MAX),
    {.first = RAL, .last = RAH, .wmask = UINT32_MAX, .after = true, .write = write_mac_address},
    ROWS(RAL + 8, RAL + 31 * 4, UINT32_MAX),
    ROWS(VFTA, VFTA + 127 * 4, UINT32_MAX),
    ROW(WUC, 0xf),
    ROW(WUFC, 0xf80ff),
    ROW(MANC, UINT32_MAX),
    ROW(IPAV, 0x1000f),
    ROWS(IP4AT, IP4AT + 7 * 4, UINT32_MAX),
    ROWS(IP6AT, IP6AT + 3 * 4, UINT32_MAX),
    ROWS(WUPM, WUPM + 31 * 4, UINT32_MAX),
};

static const RegRow *find_row(uint32_t offset)
{
    size_t low = 0, high = G_N_ELEMENTS(rows);

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (offset < rows[mid].first) {
            high = mid;
        } else if (offset > rows[mid].last) {
            low = mid + 1;
        } else {
            return &rows[mid];
        }
    }
    return NULL;
}

static uint32_t reg_read(E1000 *s, uint32_t offset)
{
    const RegRow *row = find_row(offset);
    uint32_t value;

    if (offset >= REGS_END || offset == ICS || offset == IMC) {
        return 0; /* the last two can be written only */
    }
    if (row && row->read) {
        return row->read(s);
    }
    value = *e1000_reg(s, offset == 4 ? CTRL : offset);
    if (row && row->clear_on_read) {
        *e1000_reg(s, offset) = 0;
    }
    return value;
}

static void reg_write(E1000 *s, uint32_t offset, uint32_t value)
{
    const RegRow *row = find_row(offset);
    uint32_t *r;

    if (!row) {
        return;
    }
    r = e1000_reg(s, offset);
    if (!row->write || row->after) {
        *r = (*r & ~row->wmask) | (value & row->wmask);
    }
    if (row->write) {
        row->write(s, value);
    }
}

static uint64_t mem_read(void *opaque, hwaddr addr, unsigned size)
{
    (void)size;
    return reg_read(opaque, (uint32_t)addr & ~3u);
}

static void mem_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    (void)size;
    reg_write(opaque, (uint32_t)addr & ~3u, (uint32_t)value);
}

static const MemOps mem_ops = {mem_read, mem_write, 4, 4, false};

/* The window of two ports to the registers (13.2.2). */
static uint64_t io_read(void *opaque, hwaddr addr, unsigned size)
{
    E1000 *s = opaque;

    (void)size;
    return addr == 0 ? s->io_addr : addr == 4 ? reg_read(s, s->io_addr & 0x1fffc) : 0;
}

static void io_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    E1000 *s = opaque;

    (void)size;
    if (addr == 0) {
        s->io_addr = (uint32_t)value & 0x1ffff;
    } else if (addr == 4) {
        reg_write(s, s->io_addr & 0x1fffc, (uint32_t)value);
    }
}

static const MemOps io_ops = {io_read, io_write, 4, 4, false};

/* ---- the device ---- */

static void send_ready(void *opaque)
{
    e1000_transmit(opaque);
}

static const NetNicOps nic_ops = {
    .receive = e1000_receive,
    .receive_done = e1000_receive_done,
    .send_ready = send_ready,
    .link_changed = link_changed,
};

static void tx_again(void *opaque)
{
    e1000_transmit(opaque);
}

static void reset(Device *dev)
{
    E1000 *s = (E1000 *)dev;

    s->io_addr = 0;
    s->irq_at = 0;
    reset_registers(s);
    net_nic_set_mac(s->nic, s->mac);
}

static bool realize(Device *dev, GError **err)
{
    E1000 *s = (E1000 *)dev;

    s->nic = net_nic_new(dev->machine, "e1000", dev->id, s->netdev, s->mac, &nic_ops, s, err);
    if (!s->nic) {
        return false;
    }
    s->frame.data = g_malloc0(NET_FRAME_MAX);
    s->delay_timer = timer_new(CLOCK_VM, delay_over, s);
    s->itr_timer = timer_new(CLOCK_VM, itr_over, s);
    s->tx_timer = timer_new(CLOCK_VM, tx_again, s);
    s->bar_mem = mem_region_io("e1000", &mem_ops, s, BAR_MEM_SIZE);
    s->bar_io = mem_region_io("e1000-io", &io_ops, s, BAR_IO_SIZE);
    pci_register_bar_mem(&s->pci, 0, s->bar_mem, false, false);
    pci_register_bar_io(&s->pci, 1, s->bar_io);
    e1000_nvm_init(s);
    return true;
}

static void unrealize(Device *dev)
{
    E1000 *s = (E1000 *)dev;

    net_nic_free(s->nic);
    s->nic = NULL;
    timer_free(s->delay_timer);
    timer_free(s->itr_timer);
    timer_free(s->tx_timer);
    s->delay_timer = s->itr_timer = s->tx_timer = NULL;
    g_clear_pointer(&s->frame.data, g_free);
}

static const Property props[] = {
    {.name = "mac",
     .type = PROP_MAC,
     PROP_FIELD(E1000, mac),
     .description = "Ethernet address (default: 52:54:00:12:34:56 and on)"},
    {.name = "netdev",
     .type = PROP_NETDEV,
     PROP_FIELD(E1000, netdev),
     .description = "id of the network back end (-netdev)"},
    {.name = "bootindex",
     .type = PROP_INT,
     PROP_FIELD(E1000, bootindex),
     .min = (uint64_t)-1,
     .max = INT32_MAX,
     .default_value = "-1",
     .description = "place in the boot order, 0 the first; -1: none"},
    {.type = PROP_END},
};

static const StateField fields[] = {
    STATE_FIELD_STRUCT(E1000, pci, &pci_state_table),
    STATE_FIELD_UINT_ARRAY(E1000, reg),
    STATE_FIELD_UINT(E1000, io_addr),
    STATE_FIELD_UINT_ARRAY(E1000, phy),
    STATE_FIELD_STRUCT(E1000, wire, &e1000_microwire_state),
    STATE_FIELD_STRUCT(E1000, context, &e1000_context_state),
    STATE_FIELD_STRUCT(E1000, frame, &e1000_frame_state),
    STATE_FIELD_UINT_MAX(E1000, irq, 1),
    STATE_FIELD_UINT(E1000, irq_at),
    STATE_FIELD_UINT(E1000, rdtr_at),
    STATE_FIELD_UINT(E1000, radv_at),
    STATE_FIELD_UINT(E1000, tidv_at),
    STATE_FIELD_UINT(E1000, tadv_at),
    STATE_FIELD_TIMER(E1000, delay_timer),
    STATE_FIELD_TIMER(E1000, itr_timer),
    STATE_FIELD_TIMER(E1000, tx_timer),
    STATE_FIELD_END,
};

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    E1000 *s = opaque;
    int64_t *const deadlines[] = {&s->irq_at, &s->rdtr_at, &s->radv_at, &s->tidv_at, &s->tadv_at};
    /* None is further away than its register can say. */
    int64_t last = clock_now(CLOCK_VM) + (int64_t)DELAY_MASK * DELAY_UNIT_NS;

    (void)version;
    (void)err;
    for (size_t i = 0; i < G_N_ELEMENTS(deadlines); i++) {
        if (*deadlines[i] < 0 || *deadlines[i] > last) {
            *deadlines[i] = 0;
        }
    }
    write_mac_address(s, 0);
    net_nic_loaded(s->nic);
    return true;
}

static const StateTable state = {
    .name = "e1000", .version = 1, .min_version = 1, .fields = fields, .post_load = post_load};

static const PciClass pci_class = {
    .vendor_id = 0x8086,
    .device_id = 0x100e,
    .subsystem_vendor_id = 0x1af4,
    .subsystem_id = 0x1100,
    .class_code = 0x020000,
    .revision = 3,
    .interrupt_pin = 1,
    .romfile = "efi-e1000.rom",
};

const DeviceClass e1000_class = {
    .name = "e1000",
    .alias = "e1000-82540em",
    .description = "Intel gigabit Ethernet (82540EM)",
    .bus_type = "PCI",
    .category = DEVICE_CATEGORY_NETWORK,
    .size = sizeof(E1000),
    .props = props,
    .bus_props = pci_props,
    .state = &state,
    .user_creatable = true,
    .bus_class = &pci_class,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
