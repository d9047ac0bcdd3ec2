/*
 * Clocks, and timers in one binary heap per clock with a timerfd each.
 *
 * CLOCK_VM is CLOCK_MONOTONIC plus an offset while it runs, and a constant while it is stopped;
 * readers retry around changes by a sequence count.
 *
 * Arming a timer needs a system call only when it becomes the earliest and the timerfd is set for
 * later: a timer that moves away leaves the timerfd alone, which then fires once for nothing and is
 * set anew.
 *
 * Timers due are run in the order of their deadlines, those with equal ones in the order they were
 * armed. One that is armed by a callback of the same round does not fire before the next round of
 * the main loop, so a device that always asks for "at once" cannot keep the loop busy.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/clock.h"

#include <errno.h>
#include <glib.h>
#include <stdatomic.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "core/clock_int.h"
#include "core/lock.h"
#include "core/mainloop.h"

struct Timer {
    ClockId clock;
    int heap_index; /* -1: not armed */
    int64_t deadline;
    int64_t key;    /* the deadline, but not before the round it was armed in */
    uint64_t order; /* counts armings */
    TimerFn fn;
    void *opaque;
};

typedef struct TimerHeap {
    GPtrArray *timers; /* a heap by (key, order) */
    int fd;
    int64_t
        programmed; /* what the timerfd is set to, in the clock's own time; INT64_MAX: not set */
    guint source;
} TimerHeap;

static TimerHeap heaps[CLOCK_COUNT];
static uint64_t next_order;
static int64_t round_now = INT64_MIN; /* while timers of a clock are being run: its time then */
static ClockId round_clock;

static struct {
    _Atomic uint32_t sequence; /* odd while it changes */
    _Atomic bool running;
    _Atomic int64_t offset;  /* of CLOCK_MONOTONIC while running */
    _Atomic int64_t stopped; /* the time while not */
} vm;

/* ---- the time ---- */

static int64_t host_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

/*
 * CLOCK_VM's time now, its offset in *OFFSET, and whether it runs. The host's clock is read between
 * two equal looks at the sequence, and a writer reads it while the sequence is odd: so nobody sees
 * a time later than that at which the clock was stopped. The fields are read with acquire order,
 * which keeps the second look behind them.
 */
static bool vm_read(int64_t *now, int64_t *offset)
{
    uint32_t before, after;
    bool running;

    do {
        before = atomic_load_explicit(&vm.sequence, memory_order_acquire);
        running = atomic_load_explicit(&vm.running, memory_order_acquire);
        *offset = atomic_load_explicit(&vm.offset, memory_order_acquire);
        *now = running ? host_clock(CLOCK_MONOTONIC) + *offset
                       : atomic_load_explicit(&vm.stopped, memory_order_acquire);
        after = atomic_load_explicit(&vm.sequence, memory_order_acquire);
    } while (before != after || before & 1);
    return running;
}

static void vm_change(bool run, bool set, int64_t now)
{
    bool was_running = atomic_load(&vm.running);
    int64_t host;

    atomic_fetch_add(&vm.sequence, 1);
    host = host_clock(CLOCK_MONOTONIC);
    if (!set) {
        now = was_running ? host + atomic_load(&vm.offset) : atomic_load(&vm.stopped);
    }
    atomic_store(&vm.running, run);
    atomic_store(&vm.offset, now - host);
    atomic_store(&vm.stopped, now);
    atomic_fetch_add(&vm.sequence, 1);
}

int64_t clock_now(ClockId clock)
{
    int64_t now, offset;

    switch (clock) {
    case CLOCK_VM:
        vm_read(&now, &offset);
        return now;
    case CLOCK_HOST:
        return host_clock(CLOCK_REALTIME);
    default:
        return host_clock(CLOCK_MONOTONIC);
    }
}

int64_t clock_vm_to_rt(int64_t vm_ns)
{
    int64_t now, offset, rt;

    /* While it stands still no deadline of it is ever reached. */
    if (vm_ns < 0 || !vm_read(&now, &offset)) {
        return -1;
    }
    return __builtin_sub_overflow(vm_ns, offset, &rt) ? INT64_MAX : MAX(rt, 0);
}

/* ---- the heaps ---- */

static bool earlier(const Timer *a, const Timer *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void heap_put(TimerHeap *heap, guint at, Timer *timer)
{
    g_ptr_array_index(heap->timers, at) = timer;
    timer->heap_index = (int)at;
}

/* Moves TIMER from the free place AT to where it belongs. */
static void heap_settle(TimerHeap *heap, guint at, Timer *timer)
{
    guint len = heap->timers->len;

    while (at > 0) {
        Timer *up = g_ptr_array_index(heap->timers, (at - 1) / 2);

        if (!earlier(timer, up)) {
            break;
        }
        heap_put(heap, at, up);
        at = (at - 1) / 2;
    }
    for (;;) {
        guint child = 2 * at + 1;

        if (child + 1 < len && earlier(g_ptr_array_index(heap->timers, child + 1),
                                       g_ptr_array_index(heap->timers, child))) {
            child++;
        }
        if (child >= len || !earlier(g_ptr_array_index(heap->timers, child), timer)) {
            break;
        }
        heap_put(heap, at, g_ptr_array_index(heap->timers, child));
        at = child;
    }
    heap_put(heap, at, timer);
}

static void heap_remove(TimerHeap *heap, Timer *timer)
{
    guint at = (guint)timer->heap_index, last = heap->timers->len - 1;
    Timer *mover = g_ptr_array_index(heap->timers, last);

    g_ptr_array_set_size(heap->timers, (gint)last);
    timer->heap_index = -1;
    if (mover != timer) {
        heap_settle(heap, at, mover);
    }
}

static void heap_insert(TimerHeap *heap, Timer *timer)
{
    g_ptr_array_add(heap->timers, timer);
    heap_settle(heap, heap->timers->len - 1, timer);
}

/* ---- the timerfds ---- */

/* DEADLINE on the heap's clock as the absolute host time its timerfd takes; -1: never. */
static int64_t host_deadline(ClockId clock, int64_t deadline)
{
    return clock == CLOCK_VM ? clock_vm_to_rt(MAX(deadline, 0)) : MAX(deadline, 0);
}

/* Sets the timerfd for the earliest timer, if that is before what it is set to or FORCE. */
static void heap_program(ClockId clock, bool force)
{
    TimerHeap *heap = &heaps[clock];
    struct itimerspec spec = {{0, 0}, {0, 0}};
    int64_t deadline = INT64_MAX, host;

    if (heap->timers->len) {
        deadline = ((Timer *)g_ptr_array_index(heap->timers, 0))->key;
    }
    if (heap->fd < 0 || (!force && deadline >= heap->programmed)) {
        return;
    }
    heap->programmed = deadline;
    if (deadline != INT64_MAX) {
        host = host_deadline(clock, deadline);
        if (host >= 0) {
            host = MAX(host, 1); /* 0 would disarm it */
            spec.it_value.tv_sec = host / NS_PER_SEC;
            spec.it_value.tv_nsec = host % NS_PER_SEC;
        }
    }
    timerfd_settime(heap->fd,
                    TFD_TIMER_ABSTIME | (clock == CLOCK_HOST ? TFD_TIMER_CANCEL_ON_SET : 0), &spec,
                    NULL);
}

static void heap_run(ClockId clock)
{
    TimerHeap *heap = &heaps[clock];
    uint64_t first_new = next_order;
    int64_t now = clock_now(clock);

    if (clock == CLOCK_VM && !atomic_load(&vm.running)) {
        return;
    }
    round_now = now;
    round_clock = clock;
    while (heap->timers->len) {
        Timer *timer = g_ptr_array_index(heap->timers, 0);

        if (timer->key > now || timer->order >= first_new ||
            (clock == CLOCK_VM && !atomic_load(&vm.running))) {
            break;
        }
        heap_remove(heap, timer);
        timer->fn(timer->opaque); /* may free it */
    }
    round_now = INT64_MIN;
}

static gboolean timerfd_ready(int fd, GIOCondition cond, gpointer opaque)
{
    ClockId clock = (ClockId)GPOINTER_TO_INT(opaque);
    uint64_t expirations;

    (void)cond;
    /* ECANCELED: the host's clock was set, so look at the timers anew. */
    if (read(fd, &expirations, sizeof(expirations)) < 0 && errno != ECANCELED && errno != EAGAIN) {
        g_error("timerfd: %s", g_strerror(errno));
    }
    heap_run(clock);
    heap_program(clock, true);
    return G_SOURCE_CONTINUE;
}

void clock_init(void)
{
    for (int clock = 0; clock < CLOCK_COUNT; clock++) {
        TimerHeap *heap = &heaps[clock];

        if (!heap->timers) {
            heap->timers = g_ptr_array_new();
        }
        heap->fd = timerfd_create(clock == CLOCK_HOST ? CLOCK_REALTIME : CLOCK_MONOTONIC,
                                  TFD_NONBLOCK | TFD_CLOEXEC);
        if (heap->fd < 0) {
            g_error("timerfd_create: %s", g_strerror(errno));
        }
        heap->programmed = INT64_MAX;
        heap->source = main_loop_watch_fd(heap->fd, G_IO_IN, timerfd_ready, GINT_TO_POINTER(clock));
    }
}

void clock_before_poll(void)
{
    if (round_now != INT64_MIN) {
        heap_program(round_clock, false);
    }
}

/* ---- the interface ---- */

void clock_vm_enable(bool on)
{
    g_assert(machine_lock_held());
    if (on == atomic_load(&vm.running)) {
        return;
    }
    vm_change(on, false, 0);
    heap_program(CLOCK_VM, true);
}

void clock_vm_set(int64_t ns)
{
    g_assert(machine_lock_held());
    vm_change(atomic_load(&vm.running), true, ns);
    heap_program(CLOCK_VM, true);
}

Timer *timer_new(ClockId clock, TimerFn fn, void *opaque)
{
    Timer *timer = g_new0(Timer, 1);

    timer->clock = clock;
    timer->heap_index = -1;
    timer->deadline = -1;
    timer->fn = fn;
    timer->opaque = opaque;
    return timer;
}

void timer_free(Timer *timer)
{
    if (timer) {
        timer_disarm(timer);
        g_free(timer);
    }
}

void timer_arm(Timer *timer, int64_t deadline)
{
    TimerHeap *heap = &heaps[timer->clock];

    g_assert(machine_lock_held());
    timer_disarm(timer);
    timer->deadline = MAX(deadline, 0);
    timer->key = timer->deadline;
    if (round_now != INT64_MIN && round_clock == timer->clock) {
        timer->key = MAX(timer->key, round_now);
    }
    timer->order = next_order++;
    heap_insert(heap, timer);
    if (round_now == INT64_MIN || round_clock != timer->clock) {
        heap_program(timer->clock, false);
    }
}

void timer_disarm(Timer *timer)
{
    g_assert(machine_lock_held());
    if (timer->heap_index >= 0) {
        heap_remove(&heaps[timer->clock], timer);
    }
}

bool timer_armed(const Timer *timer)
{
    return timer->heap_index >= 0;
}

int64_t timer_deadline(const Timer *timer)
{
    return timer_armed(timer) ? timer->deadline : -1;
}
