/*
 * National Semiconductor PC16550D UART (data sheet, RRD-B30M75).
 *
 * Sending takes no time of its own: bytes gather in the transmit FIFO and go to the back end
 * together, when software looks at the line status or asks for the interrupt, or after TX_DELAY_NS.
 * What the back end cannot take stays in the FIFO, whose not being empty is all the guest sees of
 * it. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/char/serial.h"

#include "util/keyval.h"

#define TX_DELAY_NS 30000
#define BASE_BAUD   115200

enum {
    REG_DATA = 0, /* RBR, THR; with DLAB the low divisor latch */
    REG_IER = 1,  /* with DLAB the high divisor latch */
    REG_IIR = 2,  /* FCR when written */
    REG_LCR = 3,
    REG_MCR = 4,
    REG_LSR = 5,
    REG_MSR = 6,
    REG_SCR = 7,

    IER_RDA = 0x01,
    IER_THRE = 0x02,
    IER_RLS = 0x04,
    IER_MSR = 0x08,

    IIR_NONE = 0x01,
    IIR_MSR = 0x00,
    IIR_THRE = 0x02,
    IIR_RDA = 0x04,
    IIR_RLS = 0x06,
    IIR_TIMEOUT = 0x0c,
    IIR_FIFOS = 0xc0,

    FCR_ENABLE = 0x01,
    FCR_CLEAR_RX = 0x02,
    FCR_CLEAR_TX = 0x04,

    LCR_DLAB = 0x80,

    MCR_DTR = 0x01,
    MCR_RTS = 0x02,
    MCR_OUT1 = 0x04,
    MCR_OUT2 = 0x08, /* on a PC: lets the interrupt out */
    MCR_LOOP = 0x10,

    LSR_DR = 0x01,
    LSR_OE = 0x02,
    LSR_BI = 0x10,
    LSR_ERRORS = 0x1e,
    LSR_THRE = 0x20,
    LSR_TEMT = 0x40,
    LSR_FIFO_ERROR = 0x80,

    MSR_DCTS = 0x01,
    MSR_DDSR = 0x02,
    MSR_TERI = 0x04,
    MSR_DDCD = 0x08,
    MSR_CTS = 0x10,
    MSR_DSR = 0x20,
    MSR_RI = 0x40,
    MSR_DCD = 0x80,
};

static void fifo_put(SerialFifo *f, uint8_t value, uint8_t status)
{
    unsigned i = (f->head + f->count++) % SERIAL_FIFO_SIZE;

    f->data[i] = value;
    f->status[i] = status;
}

static uint8_t fifo_get(SerialFifo *f)
{
    uint8_t value = f->data[f->head];

    f->head = (f->head + 1) % SERIAL_FIFO_SIZE;
    f->count--;
    return value;
}

static unsigned fifo_size(const Serial *s)
{
    return s->fcr & FCR_ENABLE ? SERIAL_FIFO_SIZE : 1;
}

/* ---- interrupts ---- */

static unsigned trigger_level(const Serial *s)
{
    static const uint8_t levels[4] = {1, 4, 8, 14};

    return s->fcr & FCR_ENABLE ? levels[s->fcr >> 6] : 1;
}

/* The pending interrupt of the highest priority (data sheet, table III). */
static uint8_t interrupt_id(const Serial *s)
{
    if ((s->ier & IER_RLS) && (s->lsr & LSR_ERRORS)) {
        return IIR_RLS;
    }
    if ((s->ier & IER_RDA) && s->rx.count >= trigger_level(s)) {
        return IIR_RDA;
    }
    if ((s->ier & IER_RDA) && s->timeout_pending) {
        return IIR_TIMEOUT;
    }
    if ((s->ier & IER_THRE) && s->thre_pending) {
        return IIR_THRE;
    }
    if ((s->ier & IER_MSR) && (s->msr & 0x0f)) {
        return IIR_MSR;
    }
    return IIR_NONE;
}

static void update_irq(Serial *s)
{
    bool wanted = interrupt_id(s) != IIR_NONE;

    irq_set(s->irq, wanted && (s->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2);
}

/* ---- receiving ---- */

/* The character time-out: four character times without traffic (data sheet, 8.5). */
static void arm_timeout(Serial *s)
{
    int64_t bits = 1 + 5 + (s->lcr & 3) + (s->lcr & 8 ? 1 : 0) + 1 + (s->lcr & 4 ? 1 : 0);
    int64_t divisor = s->divisor ? s->divisor : 1;

    if ((s->fcr & FCR_ENABLE) && s->rx.count) {
        timer_arm(s->timeout_timer,
                  clock_now(CLOCK_VM) + 4 * bits * divisor * (NS_PER_SEC / BASE_BAUD));
    } else {
        timer_disarm(s->timeout_timer);
    }
}

static void timeout_fired(void *opaque)
{
    Serial *s = opaque;

    s->timeout_pending = s->rx.count != 0;
    update_irq(s);
}

/* The error bits of the byte at the head of the FIFO show in LSR. */
static void show_head(Serial *s)
{
    bool errors = false;

    s->lsr = s->rx.count ? s->lsr | LSR_DR : s->lsr & ~LSR_DR;
    if (s->rx.count) {
        s->lsr |= s->rx.status[s->rx.head];
        s->rx.status[s->rx.head] = 0;
    }
    for (unsigned i = 0; i < s->rx.count; i++) {
        errors |= s->rx.status[(s->rx.head + i) % SERIAL_FIFO_SIZE];
    }
    s->lsr = errors && (s->fcr & FCR_ENABLE) ? s->lsr | LSR_FIFO_ERROR : s->lsr & ~LSR_FIFO_ERROR;
}

static void receive_byte(Serial *s, uint8_t value, uint8_t status)
{
    if (s->rx.count >= fifo_size(s)) {
        if (!(s->fcr & FCR_ENABLE)) {
            fifo_get(&s->rx); /* the buffer register is overwritten */
            fifo_put(&s->rx, value, status);
        }
        s->lsr |= LSR_OE;
    } else {
        fifo_put(&s->rx, value, status);
    }
    show_head(s);
    arm_timeout(s);
}

static size_t can_receive(void *opaque)
{
    Serial *s = opaque;

    if (s->mcr & MCR_LOOP) {
        return 0; /* the line is cut off: let the sender wait rather than lose its bytes */
    }
    return fifo_size(s) - (s->rx.count < fifo_size(s) ? s->rx.count : fifo_size(s));
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    Serial *s = opaque;

    for (size_t i = 0; i < len; i++) {
        receive_byte(s, buf[i], 0);
    }
    update_irq(s);
}

static void event(void *opaque, CharEvent what)
{
    Serial *s = opaque;

    if (what == CHAR_EVENT_BREAK && !(s->mcr & MCR_LOOP)) {
        receive_byte(s, 0, LSR_BI);
        update_irq(s);
    }
}

static uint8_t read_rbr(Serial *s)
{
    uint8_t value = 0;

    if (s->rx.count) {
        value = fifo_get(&s->rx);
        s->timeout_pending = 0;
        show_head(s);
        arm_timeout(s);
        update_irq(s);
        if (s->fe) {
            chardev_accept_input(s->fe);
        }
    }
    return value;
}

/* ---- sending ---- */

static void transmit(Serial *s)
{
    if (s->tx.count == 0) {
        return;
    }
    while (s->tx.count) {
        unsigned run = SERIAL_FIFO_SIZE - s->tx.head;
        size_t done;

        run = run < s->tx.count ? run : s->tx.count;
        done = s->fe ? chardev_write(s->fe, s->tx.data + s->tx.head, run) : run;
        s->tx.head = (s->tx.head + (unsigned)done) % SERIAL_FIFO_SIZE;
        s->tx.count -= (unsigned)done;
        if (done < run) {
            return; /* writable() goes on */
        }
    }
    timer_disarm(s->tx_timer);
    s->lsr |= LSR_THRE | LSR_TEMT;
    s->thre_pending = 1;
    update_irq(s);
}

static void tx_fired(void *opaque)
{
    transmit(opaque);
}

static void writable(void *opaque)
{
    transmit(opaque);
}

static void write_thr(Serial *s, uint8_t value)
{
    s->thre_pending = 0;
    if (s->mcr & MCR_LOOP) {
        receive_byte(s, value, 0);
        s->thre_pending = 1;
    } else {
        if (s->tx.count >= fifo_size(s)) {
            return; /* software did not look at THRE: lost */
        }
        fifo_put(&s->tx, value, 0);
        s->lsr &= ~(LSR_THRE | LSR_TEMT);
        if (!timer_armed(s->tx_timer)) {
            timer_arm(s->tx_timer, clock_now(CLOCK_VM) + TX_DELAY_NS);
        }
    }
    update_irq(s);
}

/* ---- registers ---- */

/* The modem inputs: in loop mode the outputs (data sheet, 8.6.7), else a modem that is always
 * ready. */
static void update_modem(Serial *s)
{
    uint8_t old = s->msr;
    uint8_t lines = MSR_CTS | MSR_DSR | MSR_DCD;

    if (s->mcr & MCR_LOOP) {
        lines = (s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
                (s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
    }
    s->msr = lines | (old & 0x0f) | ((old ^ lines) & MSR_CTS ? MSR_DCTS : 0) |
             ((old ^ lines) & MSR_DSR ? MSR_DDSR : 0) | (old & ~lines & MSR_RI ? MSR_TERI : 0) |
             ((old ^ lines) & MSR_DCD ? MSR_DDCD : 0);
}

static void clear_rx(Serial *s)
{
    s->rx.head = s->rx.count = 0;
    s->timeout_pending = 0;
    s->lsr &= ~(LSR_DR | LSR_FIFO_ERROR);
    timer_disarm(s->timeout_timer);
}

static void clear_tx(Serial *s)
{
    s->tx.head = s->tx.count = 0;
    timer_disarm(s->tx_timer);
    s->lsr |= LSR_THRE | LSR_TEMT;
    s->thre_pending = 1;
}

static void write_fcr(Serial *s, uint8_t value)
{
    transmit(s); /* what was sent was sent */
    if ((s->fcr ^ value) & FCR_ENABLE) {
        value |= FCR_CLEAR_RX | FCR_CLEAR_TX;
    }
    if (value & FCR_CLEAR_RX) {
        clear_rx(s);
    }
    if ((value & FCR_CLEAR_TX) && s->tx.count) {
        clear_tx(s);
    }
    s->fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
    if (s->fe) {
        chardev_accept_input(s->fe);
    }
}

static void write_ier(Serial *s, uint8_t value)
{
    uint8_t enabled = value & ~s->ier;

    if (enabled & IER_THRE) {
        transmit(s); /* firmware looks for a port by this interrupt, and does not wait for it */
    }
    s->ier = value & 0x0f;
    if ((enabled & IER_THRE) && (s->lsr & LSR_THRE)) {
        s->thre_pending = 1; /* enabling it while THR is empty interrupts at once */
    }
}

static void serial_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    Serial *s = opaque;
    uint8_t value = (uint8_t)data;

    (void)size;
    switch (addr & 7) {
    case REG_DATA:
        if (s->lcr & LCR_DLAB) {
            s->divisor = (s->divisor & 0xff00) | value;
        } else {
            write_thr(s, value);
        }
        break;
    case REG_IER:
        if (s->lcr & LCR_DLAB) {
            s->divisor = (uint16_t)((s->divisor & 0x00ff) | value << 8);
        } else {
            write_ier(s, value);
        }
        break;
    case REG_IIR:
        write_fcr(s, value);
        break;
    case REG_LCR:
        s->lcr = value;
        break;
    case REG_MCR: {
        bool loop_ends = (s->mcr & MCR_LOOP) && !(value & MCR_LOOP);
        transmit(s);
        s->mcr = value & 0x1f;
        update_modem(s);
        if (loop_ends && s->fe) {
            chardev_accept_input(s->fe);
        }
        break;
    }
    case REG_SCR:
        s->scr = value;
        break;
    }
    update_irq(s);
}

static uint8_t read_iir(Serial *s)
{
    uint8_t id = interrupt_id(s);

    if (id == IIR_THRE) {
        s->thre_pending = 0;
        update_irq(s);
    }
    return id | (s->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t read_lsr(Serial *s)
{
    uint8_t value;

    transmit(s);
    value = s->lsr;
    if (value & LSR_ERRORS) {
        s->lsr &= ~LSR_ERRORS;
        update_irq(s);
    }
    return value;
}

static uint64_t serial_read(void *opaque, hwaddr addr, unsigned size)
{
    Serial *s = opaque;
    uint8_t value;

    (void)size;
    switch (addr & 7) {
    case REG_DATA:
        return s->lcr & LCR_DLAB ? s->divisor & 0xff : read_rbr(s);
    case REG_IER:
        return s->lcr & LCR_DLAB ? s->divisor >> 8 : s->ier;
    case REG_IIR:
        return read_iir(s);
    case REG_LCR:
        return s->lcr;
    case REG_MCR:
        return s->mcr;
    case REG_LSR:
        return read_lsr(s);
    case REG_MSR:
        value = s->msr;
        s->msr &= 0xf0;
        update_irq(s);
        return value;
    default:
        return s->scr;
    }
}

const MemOps serial_ops = {serial_read, serial_write, 1, 1, false};

/* ---- life ---- */

static const CharHandlers handlers = {can_receive, receive, event, writable};

void serial_reset(Serial *s)
{
    transmit(s);
    s->ier = 0;
    s->fcr = 0;
    s->lcr = 0;
    s->mcr = 0;
    s->lsr = LSR_THRE | LSR_TEMT;
    s->msr = MSR_CTS | MSR_DSR | MSR_DCD;
    s->divisor = BASE_BAUD / 9600;
    clear_rx(s);
    clear_tx(s);
    s->thre_pending = 0;
    update_irq(s);
    if (s->fe) {
        chardev_accept_input(s->fe);
    }
}

bool serial_init(Serial *s, IrqLine *irq, const char *chardev, GError **err)
{
    s->irq = irq;
    if (chardev && *chardev) {
        Chardev *chr = chardev_find(chardev);
        if (!chr) {
            emu_set_error(err, "serial port: there is no chardev '%s' (define it with -chardev)",
                          chardev);
            return false;
        }
        s->fe = chardev_attach(chr, &handlers, s, err);
        if (!s->fe) {
            return false;
        }
    }
    s->timeout_timer = timer_new(CLOCK_VM, timeout_fired, s);
    s->tx_timer = timer_new(CLOCK_VM, tx_fired, s);
    serial_reset(s);
    return true;
}

void serial_fini(Serial *s)
{
    transmit(s);
    timer_free(s->timeout_timer);
    timer_free(s->tx_timer);
    if (s->fe) {
        chardev_detach(s->fe);
    }
    s->fe = NULL;
    s->timeout_timer = s->tx_timer = NULL;
}

/* ---- saved state ---- */

static const StateField fifo_fields[] = {
    STATE_FIELD_BYTES(SerialFifo, data),
    STATE_FIELD_BYTES(SerialFifo, status),
    STATE_FIELD_UINT_MAX(SerialFifo, head, SERIAL_FIFO_SIZE - 1),
    STATE_FIELD_UINT_MAX(SerialFifo, count, SERIAL_FIFO_SIZE),
    STATE_FIELD_END,
};

static const StateTable fifo_state = {
    .name = "serial-fifo", .version = 1, .min_version = 1, .fields = fifo_fields};

static const StateField fields[] = {
    STATE_FIELD_UINT_MAX(Serial, ier, 0x0f),
    STATE_FIELD_UINT(Serial, fcr),
    STATE_FIELD_UINT(Serial, lcr),
    STATE_FIELD_UINT_MAX(Serial, mcr, 0x1f),
    STATE_FIELD_UINT(Serial, lsr),
    STATE_FIELD_UINT(Serial, msr),
    STATE_FIELD_UINT(Serial, scr),
    STATE_FIELD_UINT(Serial, divisor),
    STATE_FIELD_UINT_MAX(Serial, thre_pending, 1),
    STATE_FIELD_UINT_MAX(Serial, timeout_pending, 1),
    STATE_FIELD_STRUCT(Serial, rx, &fifo_state),
    STATE_FIELD_STRUCT(Serial, tx, &fifo_state),
    STATE_FIELD_TIMER(Serial, timeout_timer),
    STATE_FIELD_TIMER(Serial, tx_timer),
    STATE_FIELD_END,
};

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    Serial *s = opaque;

    (void)version;
    (void)err;
    if (s->tx.count && !timer_armed(s->tx_timer)) {
        timer_arm(s->tx_timer, clock_now(CLOCK_VM)); /* it waited for the other back end */
    }
    update_irq(s);
    return true;
}

const StateTable serial_state = {
    .name = "serial", .version = 1, .min_version = 1, .fields = fields, .post_load = post_load};
