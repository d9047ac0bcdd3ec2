/*
 * Local APIC: the bus, acceptance and priorities (SDM 3A 11.6 to 11.8). Registers are in
 * apic_regs.c, the timer in apic_timer.c, the rules for threads in apic_impl.h.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "hw/intc/apic_impl.h"

#include <inttypes.h>

#include "core/mainloop.h"
#include "core/safepoint.h"
#include "util/keyval.h"

#define WINDOW_SIZE                                                                                \
    0x100000 /* FEExxxxxh: registers in the first page, message addresses in all                   \
              */

static const CpuIntcOps intc_ops;

Apic *apic_get(const Cpu *cpu)
{
    return cpu && cpu->intc_ops == &intc_ops ? cpu->intc : NULL;
}

Apic *apic_shared(Machine *m)
{
    return m->cpu_count ? apic_get(m->cpus[0]) : NULL;
}

Device *apic_of_cpu(Cpu *cpu)
{
    return (Device *)apic_get(cpu);
}

/* ---- request registers and priorities ---- */

static int highest(const uint32_t *bits)
{
    for (int i = 7; i >= 0; i--) {
        if (bits[i]) {
            return i * 32 + 31 - __builtin_clz(bits[i]);
        }
    }
    return -1;
}

static int highest_irr(const Apic *s)
{
    for (int i = 7; i >= 0; i--) {
        uint32_t word = s->irr[i];
        if (word) {
            return i * 32 + 31 - __builtin_clz(word);
        }
    }
    return -1;
}

/* The 8259's INTR reaches the CPU through LINT0 (virtual wire), or directly while the APIC is off.
 */
static bool extint_pending(const Apic *s)
{
    uint32_t lvt = s->lvt[LVT_LINT0];

    if (!s->lint[0]) {
        return false;
    }
    return !apic_hw_enabled(s) || (!(lvt & LVT_MASKED) && ((lvt >> 8) & 7) == APIC_EXTINT);
}

static bool deliverable(const Apic *s)
{
    if (apic_sw_enabled(s)) {
        int vector = highest_irr(s);
        if (vector >= 0 && (uint32_t)vector >> 4 > s->ppr >> 4) {
            return true;
        }
    }
    return extint_pending(s);
}

void apic_update(Apic *s)
{
    if (deliverable(s)) {
        if (!(s->cpu->events & CPU_EVENT_INTR)) {
            cpu_raise(s->cpu, CPU_EVENT_INTR);
        }
        return;
    }
    if (s->cpu->events & CPU_EVENT_INTR) {
        cpu_lower(s->cpu, CPU_EVENT_INTR);
        if (deliverable(s)) {
            cpu_raise(s->cpu, CPU_EVENT_INTR);
        }
    }
}

void apic_update_ppr(Apic *s)
{
    int vector = highest(s->isr);
    uint32_t in_service = vector < 0 ? 0 : (uint32_t)vector & 0xf0;

    s->ppr = s->tpr >> 4 >= in_service >> 4 ? s->tpr : in_service;
}

void apic_error(Apic *s, uint32_t bit)
{
    if (!(atomic_fetch_or(&s->esr_pending, bit) & bit)) {
        apic_local_interrupt(s, LVT_ERROR);
    }
}

/* Accepts a fixed interrupt. Any thread. */
static void set_irr(Apic *s, uint8_t vector, bool level)
{
    uint32_t bit = 1u << (vector & 31);

    if (vector < 16) {
        apic_error(s, ESR_RECV_VECTOR);
        return;
    }
    if (level) {
        atomic_fetch_or(&s->tmr[vector >> 5], bit);
    } else if (s->tmr[vector >> 5] & bit) {
        atomic_fetch_and(&s->tmr[vector >> 5], ~bit);
    }
    if (atomic_fetch_or(&s->irr[vector >> 5], bit) & bit) {
        return; /* it is pending already: whoever set it has raised the event */
    }
    if ((uint32_t)vector >> 4 > s->ppr >> 4) {
        cpu_raise(s->cpu, CPU_EVENT_INTR);
    }
}

static void rearm_timer(void *opaque)
{
    apic_timer_rearm(opaque);
}

/* INIT, on the receiver's own thread; posted work may find it in the middle of taking the machine
 * lock, so it must not take that itself. */
static void init_work(Cpu *cpu, void *data)
{
    (void)cpu;
    apic_reset_registers(data, false);
    main_loop_call(rearm_timer, data);
}

/* One message at one APIC that it addresses. */
static void accept(Apic *s, const ApicMessage *msg)
{
    switch (msg->delivery) {
    case APIC_FIXED:
    case APIC_LOWEST:
        if (apic_sw_enabled(s)) {
            set_irr(s, msg->vector, msg->level);
        }
        break;
    case APIC_SMI:
        cpu_raise(s->cpu, CPU_EVENT_SMI);
        break;
    case APIC_NMI:
        cpu_raise(s->cpu, CPU_EVENT_NMI);
        break;
    case APIC_INIT:
        cpu_lower(s->cpu, CPU_EVENT_SIPI);
        safepoint_post(s->cpu, init_work, s);
        cpu_raise(s->cpu, CPU_EVENT_INIT);
        break;
    case APIC_STARTUP:
        s->cpu->sipi_vector = msg->vector;
        cpu_raise(s->cpu, CPU_EVENT_SIPI);
        break;
    default: /* ExtINT comes by wire, see extint_pending(); remote read is reserved */
        break;
    }
}

/* ---- the bus ---- */

static bool matches(const Apic *s, uint32_t dest, bool logical)
{
    uint32_t ldr = s->ldr >> 24;

    if (!apic_hw_enabled(s)) {
        return false;
    }
    if (!logical) {
        return dest == APIC_DEST_ALL || dest == s->id;
    }
    if (apic_is_x2(s)) {
        return dest == APIC_DEST_ALL ||
               (dest >> 16 == s->id >> 4 && (dest & (1u << (s->id & 15)) & 0xffff));
    }
    dest &= 0xff;
    if (dest == 0xff) {
        return true;
    }
    if (s->dfr >> 28 == 0xf) { /* flat model */
        return dest & ldr;
    }
    return dest >> 4 == ldr >> 4 && (dest & ldr & 0xf); /* cluster model */
}

/*
 * Lowest priority: of the addressed APICs those with the lowest processor priority; among several
 * the vector chooses, so that one interrupt stays on one CPU while different ones spread.
 */
static Apic *arbitrate(Machine *m, const ApicMessage *msg)
{
    uint32_t best = UINT32_MAX;
    int count = 0;
    int wanted;

    for (int i = 0; i < m->cpu_count; i++) {
        Apic *s = apic_get(m->cpus[i]);
        if (s && matches(s, msg->dest, msg->logical) && apic_sw_enabled(s)) {
            uint32_t ppr = s->ppr >> 4;
            count = ppr < best ? 1 : count + (ppr == best);
            best = ppr < best ? ppr : best;
        }
    }
    wanted = count ? msg->vector % count : -1;
    for (int i = 0; wanted >= 0 && i < m->cpu_count; i++) {
        Apic *s = apic_get(m->cpus[i]);
        if (s && matches(s, msg->dest, msg->logical) && apic_sw_enabled(s)) {
            /* A priority that moved meanwhile makes the choice less good, not wrong. */
            if (s->ppr >> 4 <= best && wanted-- == 0) {
                return s;
            }
        }
    }
    for (int i = 0; count && i < m->cpu_count; i++) {
        Apic *s = apic_get(m->cpus[i]);
        if (s && matches(s, msg->dest, msg->logical) && apic_sw_enabled(s)) {
            return s;
        }
    }
    return NULL;
}

bool apic_deliver(Machine *m, const ApicMessage *msg)
{
    bool taken = false;

    if (msg->delivery == APIC_LOWEST) {
        Apic *s = arbitrate(m, msg);
        if (s) {
            accept(s, msg);
        }
        return s;
    }
    for (int i = 0; i < m->cpu_count; i++) {
        Apic *s = apic_get(m->cpus[i]);
        if (s && matches(s, msg->dest, msg->logical)) {
            accept(s, msg);
            taken = true;
        }
    }
    return taken;
}

void apic_msi_deliver(Machine *m, uint64_t addr, uint32_t data)
{
    uint32_t dest = (addr >> 12) & 0xff;
    bool logical = addr & (1u << 2);
    ApicMessage msg = {
        .dest = dest == 0xff && !logical ? APIC_DEST_ALL : dest,
        .logical = logical,
        .level = data & (1u << 15),
        .delivery = (data >> 8) & 7,
        .vector = data & 0xff,
    };

    apic_deliver(m, &msg);
}

void apic_send_ipi(Apic *s, uint32_t low, uint32_t dest)
{
    Machine *m = s->dev.machine;
    ApicMessage msg = {
        .dest = dest,
        .logical = low & (1u << 11),
        .delivery = (low >> 8) & 7,
        .vector = low & 0xff,
    };
    unsigned shorthand = (low >> 18) & 3;

    if (msg.delivery == APIC_INIT && !(low & (1u << 14)) && (low & (1u << 15))) {
        return; /* INIT level de-assert only set arbitration IDs, on old CPUs */
    }
    if (msg.delivery <= APIC_LOWEST && msg.vector < 16) {
        apic_error(s, ESR_SEND_VECTOR);
        return;
    }
    if (shorthand == 0) {
        apic_deliver(m, &msg);
        return;
    }
    if (shorthand == 1) {
        if (msg.delivery <= APIC_LOWEST) {
            accept(s, &msg);
        }
        return;
    }
    for (int i = 0; i < m->cpu_count; i++) {
        Apic *target = apic_get(m->cpus[i]);
        if (target && apic_hw_enabled(target) && (target != s || shorthand == 2)) {
            accept(target, &msg);
        }
    }
}

/* ---- local sources ---- */

void apic_local_interrupt(Apic *s, int lvt)
{
    uint32_t value = s->lvt[lvt];
    ApicMessage msg = {
        .delivery = (value >> 8) & 7,
        .vector = value & 0xff,
        .level = (value & LVT_LEVEL) && lvt == LVT_LINT0,
    };

    if (value & LVT_MASKED || !apic_hw_enabled(s)) {
        return;
    }
    if (lvt == LVT_TIMER || lvt == LVT_ERROR) {
        msg.delivery = APIC_FIXED;
    }
    if (msg.level && msg.delivery == APIC_FIXED) {
        if (value & LVT_REMOTE_IRR) {
            return;
        }
        atomic_fetch_or(&s->lvt[lvt], LVT_REMOTE_IRR);
    }
    if (msg.delivery == APIC_EXTINT) {
        apic_update(s);
    } else {
        accept(s, &msg);
    }
}

static void set_lint(Apic *s, int pin, int level)
{
    bool rises = level && !s->lint[pin];

    s->lint[pin] = (uint8_t)level;
    if (!apic_hw_enabled(s)) {
        if (pin == 1 && rises) {
            cpu_raise(s->cpu, CPU_EVENT_NMI); /* the pins are INTR and NMI then */
        }
    } else if (rises) {
        apic_local_interrupt(s, LVT_LINT0 + pin);
    }
    if (pin == 0) {
        apic_update(s);
    }
}

static void lint_changed(void *opaque, int pin, int level)
{
    Machine *m = opaque;

    for (int i = 0; i < m->cpu_count; i++) {
        Apic *s = apic_get(m->cpus[i]);
        if (s) {
            set_lint(s, pin, level);
        }
    }
}

void apic_set_lint0(Machine *m, int level)
{
    lint_changed(m, 0, level);
}

void apic_set_lint1(Machine *m, int level)
{
    lint_changed(m, 1, level);
}

IrqLine *apic_lint0(Machine *m)
{
    return &apic_shared(m)->lint_lines[0];
}

IrqLine *apic_lint1(Machine *m)
{
    return &apic_shared(m)->lint_lines[1];
}

void apic_set_extint(Machine *m, int (*ack)(Device *pic), Device *pic)
{
    Apic *s = apic_shared(m);

    s->extint_ack = ack;
    s->extint_pic = pic;
}

void apic_set_eoi_handler(Machine *m, void (*fn)(Device *ioapic, uint8_t vector), Device *ioapic)
{
    Apic *s = apic_shared(m);

    s->eoi_fn = fn;
    s->eoi_ioapic = ioapic;
}

void apic_set_tsc(Machine *m, uint64_t (*now)(Cpu *cpu), uint64_t (*khz)(void))
{
    Apic *s = apic_shared(m);

    s->tsc_now = now;
    s->tsc_khz = khz;
}

/* ---- the CPU's side ---- */

static int ack_extint(Apic *s)
{
    Apic *shared = apic_shared(s->dev.machine);
    int vector = -1;
    bool taken = apic_lock();

    if (extint_pending(s) && shared->extint_ack) {
        vector = shared->extint_ack(shared->extint_pic);
    }
    apic_unlock(taken);
    return vector;
}

static int ack(void *opaque)
{
    Apic *s = opaque;
    int vector = -1;

    if (apic_sw_enabled(s)) {
        vector = highest_irr(s);
        if ((uint32_t)(vector < 0 ? 0 : vector) >> 4 > s->ppr >> 4) {
            uint32_t bit = 1u << (vector & 31);
            s->isr[vector >> 5] |= bit;
            apic_update_ppr(s);
            atomic_fetch_and(&s->irr[vector >> 5], ~bit);
        } else {
            vector = -1;
        }
    }
    if (vector < 0 && extint_pending(s)) {
        vector = ack_extint(s);
    }
    apic_update(s);
    return vector;
}

void apic_eoi(Apic *s)
{
    int vector = highest(s->isr);
    uint32_t bit;

    if (vector < 0) {
        return;
    }
    bit = 1u << (vector & 31);
    s->isr[vector >> 5] &= ~bit;
    apic_update_ppr(s);
    if (s->tmr[vector >> 5] & bit) {
        Apic *shared = apic_shared(s->dev.machine);
        bool taken = apic_lock();
        uint32_t lvt = s->lvt[LVT_LINT0];

        if ((lvt & LVT_REMOTE_IRR) && (lvt & 0xff) == (uint32_t)vector) {
            atomic_fetch_and(&s->lvt[LVT_LINT0], ~LVT_REMOTE_IRR);
            if (s->lint[0]) {
                apic_local_interrupt(s, LVT_LINT0);
            }
        }
        if (shared->eoi_fn) {
            shared->eoi_fn(shared->eoi_ioapic, (uint8_t)vector);
        }
        apic_unlock(taken);
    }
    apic_update(s);
}

static uint8_t get_cr8(void *opaque)
{
    return (uint8_t)(((Apic *)opaque)->tpr >> 4);
}

static void set_cr8(void *opaque, uint8_t value)
{
    Apic *s = opaque;

    s->tpr = (uint32_t)(value & 15) << 4;
    apic_update_ppr(s);
    apic_update(s);
}

static uint64_t get_base(void *opaque)
{
    return ((Apic *)opaque)->base;
}

static void tsc_changed(void *intc)
{
    apic_tsc_changed(((Apic *)intc)->cpu);
}

static const CpuIntcOps intc_ops = {
    .ack = ack,
    .get_cr8 = get_cr8,
    .set_cr8 = set_cr8,
    .get_base = get_base,
    .set_base = apic_set_base,
    .rdmsr = apic_rdmsr,
    .wrmsr = apic_wrmsr,
    .tsc_changed = tsc_changed,
};

/* ---- the device ---- */

void apic_reset_registers(Apic *s, bool cold)
{
    if (cold) {
        s->base = APIC_BASE_RESET | APIC_BASE_ENABLE | (s->cpu_index == 0 ? APIC_BASE_BSP : 0);
    }
    for (int i = 0; i < 8; i++) {
        s->irr[i] = 0;
        s->tmr[i] = 0;
        s->isr[i] = 0;
    }
    s->tpr = 0;
    s->ppr = 0;
    s->ldr = 0;
    s->dfr = 0xffffffff;
    s->svr = 0xff;
    s->esr = 0;
    s->esr_pending = 0;
    s->icr_low = 0;
    s->icr_high = 0;
    for (int i = 0; i < LVT_COUNT; i++) {
        s->lvt[i] = LVT_MASKED;
    }
    if (cold && s->cpu_index == 0) {
        /* Left by the first firmware as virtual wire (MultiProcessor Specification 3.6.2.2): what
         * runs first here may well take 8259 interrupts without ever touching the APIC. */
        s->lvt[LVT_LINT0] = APIC_EXTINT << 8;
    }
    s->timer_initial = 0;
    s->timer_divide = 0;
    s->tsc_deadline = 0;
    apic_update(s);
}

static void reset(Device *dev)
{
    Apic *s = (Apic *)dev;

    if (s->window) {
        mem_region_set_offset(s->window, APIC_BASE_RESET);
    }
    apic_reset_registers(s, true);
    apic_timer_rearm(s);
}

static bool realize(Device *dev, GError **err)
{
    Apic *s = (Apic *)dev;
    Machine *m = dev->machine;

    if (s->cpu_index >= (uint32_t)m->cpu_count) {
        emu_set_error(err, "apic: cpu-index %u is not a CPU of this machine (0 to %d)",
                      s->cpu_index, m->cpu_count - 1);
        return false;
    }
    s->cpu = m->cpus[s->cpu_index];
    s->id = s->cpu->apic_id;
    s->timer = timer_new(CLOCK_VM, apic_timer_fired, s);
    s->cpu->intc = s;
    s->cpu->intc_ops = &intc_ops;
    if (s->cpu_index == 0) {
        s->window = mem_region_io("apic-msi", &apic_window_ops, m, WINDOW_SIZE);
        mem_region_add(m->memory_root, APIC_BASE_RESET, s->window, 4096);
        irq_lines_init(s->lint_lines, 2, lint_changed, m);
    }
    apic_reset_registers(s, true);
    return true;
}

static void unrealize(Device *dev)
{
    Apic *s = (Apic *)dev;

    s->cpu->intc_ops = NULL;
    s->cpu->intc = NULL;
    if (s->window) {
        mem_region_free(s->window);
        s->window = NULL;
    }
    timer_free(s->timer);
    s->timer = NULL;
}

void apic_print_info(Device *dev, GString *out)
{
    static const char *const names[LVT_COUNT] = {"LVTT", "LVTTHMR", "LVTPC",
                                                 "LVT0", "LVT1",    "LVTERR"};
    Apic *s = (Apic *)dev;

    g_string_append_printf(out, "dumping local APIC state for CPU %u\n\n", s->cpu_index);
    for (int i = 0; i < LVT_COUNT; i++) {
        uint32_t lvt = s->lvt[i];
        g_string_append_printf(out, "%-8s 0x%08x vector %3u delivery %u%s\n", names[i], lvt,
                               lvt & 0xff, (lvt >> 8) & 7, lvt & LVT_MASKED ? " masked" : "");
    }
    g_string_append_printf(out, "TIMER    DCR=0x%x initial=%u count=%u\n", s->timer_divide,
                           s->timer_initial, apic_timer_count(s));
    g_string_append_printf(out, "SPIV     0x%08x APIC %s, spurious vector %u\n", s->svr,
                           apic_sw_enabled(s) ? "enabled" : "disabled", s->svr & 0xff);
    g_string_append_printf(out, "ICR      0x%08x 0x%08x\n", s->icr_high, s->icr_low);
    g_string_append_printf(out, "ESR      0x%08x\n", s->esr);
    g_string_append_printf(out, "BASE     0x%010" PRIx64 "%s\n", (uint64_t)s->base,
                           apic_is_x2(s) ? " x2APIC" : "");
    g_string_append_printf(out, "TPR 0x%02x PPR 0x%02x LDR 0x%08x DFR 0x%08x\n", s->tpr, s->ppr,
                           s->ldr, s->dfr);
    for (int what = 0; what < 2; what++) {
        g_string_append(out, what ? "ISR" : "IRR");
        for (int v = 0; v < 256; v++) {
            uint32_t word = what ? s->isr[v >> 5] : s->irr[v >> 5];
            if (word & (1u << (v & 31))) {
                bool level = s->tmr[v >> 5] & (1u << (v & 31));
                g_string_append_printf(out, " %d%s", v, level ? "(level)" : "");
            }
        }
        g_string_append_c(out, '\n');
    }
}

static const Property props[] = {
    {.name = "cpu-index",
     .type = PROP_UINT,
     PROP_FIELD(Apic, cpu_index),
     .default_value = "0",
     .description = "number of the CPU it serves"},
    {.name = "x2apic",
     .type = PROP_BOOL,
     PROP_FIELD(Apic, allow_x2apic),
     .default_value = "on",
     .description = "whether x2APIC mode can be switched on"},
    {.type = PROP_END},
};

const StateField apic_state_fields[] = {
    STATE_FIELD_UINT(Apic, base),          STATE_FIELD_UINT_ARRAY(Apic, irr),
    STATE_FIELD_UINT_ARRAY(Apic, tmr),     STATE_FIELD_UINT_ARRAY(Apic, isr),
    STATE_FIELD_UINT_MAX(Apic, tpr, 255),  STATE_FIELD_UINT(Apic, ldr),
    STATE_FIELD_UINT(Apic, dfr),           STATE_FIELD_UINT(Apic, svr),
    STATE_FIELD_UINT_ARRAY(Apic, lvt),     STATE_FIELD_UINT(Apic, esr_pending),
    STATE_FIELD_UINT(Apic, esr),           STATE_FIELD_UINT(Apic, icr_low),
    STATE_FIELD_UINT(Apic, icr_high),      STATE_FIELD_UINT_ARRAY(Apic, lint),
    STATE_FIELD_UINT(Apic, timer_initial), STATE_FIELD_UINT_MAX(Apic, timer_divide, 15),
    STATE_FIELD_UINT(Apic, timer_start),   STATE_FIELD_UINT(Apic, tsc_deadline),
    STATE_FIELD_TIMER(Apic, timer),        STATE_FIELD_END,
};

static bool post_load(void *opaque, uint32_t version, GError **err)
{
    Apic *s = opaque;

    (void)version;
    if (s->irr[0] & 0xffff || s->isr[0] & 0xffff) {
        emu_set_error(err, "apic: vectors below 16 cannot be pending");
        return false;
    }
    if (s->timer_start > clock_now(CLOCK_VM)) {
        s->timer_start = clock_now(CLOCK_VM);
    }
    apic_update_ppr(s);
    apic_update(s);
    return true;
}

static const StateTable state = {.name = "apic",
                                 .version = 1,
                                 .min_version = 1,
                                 .fields = apic_state_fields,
                                 .post_load = post_load};

const DeviceClass apic_class = {
    .name = "apic",
    .description = "local APIC",
    .bus_type = "System",
    .category = DEVICE_CATEGORY_MISC,
    .size = sizeof(Apic),
    .props = props,
    .state = &state,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
