/*
 * Stackful coroutines.
 *
 * Entering nests: a coroutine that enters another is its caller, and a yield goes back to the
 * caller. The thread's own stack is the outermost caller. Stacks grow down onto a guard page and
 * are pooled per thread, each with the Coroutine that describes it.
 *
 * A coroutine outside of any I/O thread (a unit test's) that is woken from inside another one is
 * entered when the thread is back on its own stack. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/coroutine.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "core/coroutine_int.h"
#include "core/iothread.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

#ifndef __x86_64__
#error "core/coroutine_x86_64.S has no counterpart for this host"
#endif

#ifdef __SANITIZE_ADDRESS__
enum { STACK_SIZE = 2048 * 1024 }; /* red zones make frames several times larger */
#else
enum { STACK_SIZE = 256 * 1024 };
#endif
enum { GUARD_SIZE = 4096, POOL_MAX = 128 };

struct Coroutine {
    void *sp; /* while it is not running */
    Coroutine *caller;
    void (*fn)(void *opaque);
    void *opaque;
    IoThread *thread;
    uint8_t *stack; /* the mapping: guard page, then the stack; NULL for a thread's own */
    CoReady ready;
    bool running; /* entered and not yielded */
    bool ended;
    Coroutine *next_pooled;
#ifdef __SANITIZE_ADDRESS__
    void *fake_stack;
    const void *stack_bottom;
    size_t stack_size;
#endif
#ifdef __SANITIZE_THREAD__
    void *fiber;
#endif
};

void coroutine_switch(void **save_sp, void *new_sp);

static _Thread_local struct {
    Coroutine own;      /* stands for the thread's own stack */
    Coroutine *current; /* NULL: on its own stack */
    Coroutine *pool;
    int pooled;
    Coroutine *ready, **ready_tail; /* woken, without an I/O thread */
} co_thread;

/* ---- the switch ---- */

#ifdef __SANITIZE_ADDRESS__
static void find_own_stack(Coroutine *own)
{
    pthread_attr_t attr;
    void *bottom;

    if (!own->stack_bottom && !pthread_getattr_np(pthread_self(), &attr)) {
        pthread_attr_getstack(&attr, &bottom, &own->stack_size);
        own->stack_bottom = bottom;
        pthread_attr_destroy(&attr);
    }
}
#endif

static void switch_to(Coroutine *from, Coroutine *to)
{
#ifdef __SANITIZE_ADDRESS__
    find_own_stack(&co_thread.own);
    __sanitizer_start_switch_fiber(from->ended ? NULL : &from->fake_stack, to->stack_bottom,
                                   to->stack_size);
#endif
#ifdef __SANITIZE_THREAD__
    if (!from->fiber) {
        from->fiber = __tsan_get_current_fiber();
    }
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    coroutine_switch(&from->sp, to->sp);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}

static void switch_to_caller(Coroutine *co)
{
    Coroutine *caller = co->caller;

    co->caller = NULL;
    co->running = false;
    co_thread.current = caller == &co_thread.own ? NULL : caller;
    switch_to(co, caller);
}

/* The first code on a fresh stack. */
static void coroutine_main(void)
{
    Coroutine *co = co_thread.current;

#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
    co->fn(co->opaque);
    co->ended = true;
    switch_to_caller(co);
    g_assert_not_reached();
}

/* ---- stacks ---- */

/* As coroutine_switch() would have left it when called by coroutine_main's (nameless) caller. */
typedef struct FreshFrame {
    uint32_t mxcsr;
    uint16_t fcw, pad;
    uint64_t saved[6];
    void (*entry)(void); /* 16-byte aligned, so that the entry point finds rsp as after a call */
    uint64_t return_address;
} FreshFrame;

static void lay_out_stack(Coroutine *co)
{
    uint8_t *top = co->stack + GUARD_SIZE + STACK_SIZE;
    FreshFrame *frame =
        (FreshFrame *)(void *)(top - 2 * sizeof(void *) - offsetof(FreshFrame, entry));

    g_assert(((uintptr_t)&frame->entry & 15) == 0);
    memset(frame, 0, sizeof(*frame));
    frame->mxcsr = 0x1f80; /* psABI 3.4.1: all exceptions masked, round to nearest */
    frame->fcw = 0x037f;
    frame->entry = coroutine_main;
    co->sp = frame;
}

static Coroutine *stack_new(void)
{
    Coroutine *co = co_thread.pool;

    if (co) {
        co_thread.pool = co->next_pooled;
        co_thread.pooled--;
    } else {
        co = g_new0(Coroutine, 1);
        co->stack = mmap(NULL, GUARD_SIZE + STACK_SIZE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        if (co->stack == MAP_FAILED || mprotect(co->stack, GUARD_SIZE, PROT_NONE)) {
            g_error("no memory for a coroutine's stack: %s", g_strerror(errno));
        }
    }
    return co;
}

static void stack_free(Coroutine *co)
{
    munmap(co->stack, GUARD_SIZE + STACK_SIZE);
    g_free(co);
}

static void stack_recycle(Coroutine *co)
{
#ifdef __SANITIZE_ADDRESS__
    /* coroutine_main() and what it called last never returned, so their red zones are still there.
     */
    enum { LAST_FRAMES = 64 * 1024 };
    __asan_unpoison_memory_region(co->stack + GUARD_SIZE + STACK_SIZE - LAST_FRAMES, LAST_FRAMES);
#endif
#ifdef __SANITIZE_THREAD__
    __tsan_destroy_fiber(co->fiber);
    co->fiber = NULL;
#endif
    if (co_thread.pooled < POOL_MAX) {
        co->next_pooled = co_thread.pool;
        co_thread.pool = co;
        co_thread.pooled++;
    } else {
        stack_free(co);
    }
}

void coroutine_thread_done(void)
{
    while (co_thread.pool) {
        Coroutine *co = co_thread.pool;

        co_thread.pool = co->next_pooled;
        stack_free(co);
    }
    co_thread.pooled = 0;
}

/* ---- the interface ---- */

Coroutine *coroutine_new(void (*fn)(void *opaque), void *opaque)
{
    Coroutine *co = stack_new();

    co->fn = fn;
    co->opaque = opaque;
    co->thread = io_thread_current();
    co->caller = NULL;
    co->running = co->ended = false;
    co->ready = (CoReady){NULL, false};
#ifdef __SANITIZE_ADDRESS__
    co->fake_stack = NULL;
    co->stack_bottom = co->stack + GUARD_SIZE;
    co->stack_size = STACK_SIZE;
#endif
#ifdef __SANITIZE_THREAD__
    co->fiber = __tsan_create_fiber(0);
#endif
    lay_out_stack(co);
    return co;
}

static void enter_ready(void);

void coroutine_enter(Coroutine *co)
{
    Coroutine *self = co_thread.current ? co_thread.current : &co_thread.own;

    g_assert(!co->running && !co->ended && co->thread == io_thread_current());
    co->caller = self;
    co->running = true;
    co_thread.current = co;
    switch_to(self, co);
    if (co->ended) {
        stack_recycle(co);
    }
    if (co_thread.ready && !co_thread.current) {
        enter_ready();
    }
}

void coroutine_yield(void)
{
    Coroutine *co = co_thread.current;

    g_assert(co);
    switch_to_caller(co);
}

Coroutine *coroutine_self(void)
{
    return co_thread.current;
}

IoThread *coroutine_thread(const Coroutine *co)
{
    return co->thread;
}

CoReady *coroutine_ready(Coroutine *co)
{
    return &co->ready;
}

static void enter_ready(void)
{
    while (co_thread.ready) {
        Coroutine *co = co_thread.ready;

        co_thread.ready = co->ready.next;
        co->ready.queued = false;
        coroutine_enter(co);
    }
}

void coroutine_wake(Coroutine *co)
{
    if (co->thread) {
        io_thread_wake_coroutine(co->thread, co);
        return;
    }
    g_assert(!co->ready.queued);
    co->ready = (CoReady){NULL, true};
    if (!co_thread.ready) {
        co_thread.ready_tail = &co_thread.ready;
    }
    *co_thread.ready_tail = co;
    co_thread.ready_tail = &co->ready.next;
    if (!co_thread.current) {
        enter_ready();
    }
}
