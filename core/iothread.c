/*
 * I/O threads: the loop, posting to it, and the calls of coroutines.
 *
 * One iteration runs what was posted, enters the coroutines that were woken, then lets the engine
 * submit what they started and wait. Another thread writes to the eventfd only if the loop said,
 * under the mutex, that it is about to block.
 *
 * The thread is an RCU reader: offline while it waits.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core/iothread.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/coroutine_int.h"
#include "core/iothread_int.h"
#include "core/lock.h"
#include "core/safepoint.h"
#include "core/safepoint_int.h"
#include "util/keyval.h"

struct IoPost {
    IoPost *next;
    void (*fn)(void *opaque);
    void *opaque;
    bool spawn;
};

static _Thread_local IoThread *current_thread;

IoThread *io_thread_current(void)
{
    return current_thread;
}

IoEngine io_thread_engine(const IoThread *t)
{
    return t->engine->id;
}

/* ---- posting ---- */

/* Called with the mutex held, which it releases. */
static void unlock_and_wake(IoThread *t)
{
    bool wake = t->sleeping;
    uint64_t one = 1;

    t->sleeping = false;
    pthread_mutex_unlock(&t->mutex);
    if (wake && write(t->event_fd, &one, sizeof(one)) < 0) {
        g_error("eventfd: %s", g_strerror(errno));
    }
}

static void post(IoThread *t, void (*fn)(void *opaque), void *opaque, bool spawn)
{
    IoPost *item = g_new0(IoPost, 1);

    item->fn = fn;
    item->opaque = opaque;
    item->spawn = spawn;
    pthread_mutex_lock(&t->mutex);
    *t->posted_tail = item;
    t->posted_tail = &item->next;
    unlock_and_wake(t);
}

void io_thread_post(IoThread *t, void (*fn)(void *opaque), void *opaque)
{
    post(t, fn, opaque, false);
}

void io_thread_spawn(IoThread *t, void (*fn)(void *opaque), void *opaque)
{
    post(t, fn, opaque, true);
}

static void list_append(Coroutine ***tail, Coroutine *co)
{
    CoReady *ready = coroutine_ready(co);

    g_assert(!ready->queued);
    ready->queued = true;
    ready->next = NULL;
    **tail = co;
    *tail = &ready->next;
}

void io_thread_wake_coroutine(IoThread *t, Coroutine *co)
{
    if (t == current_thread) {
        list_append(&t->local_tail, co);
        return;
    }
    pthread_mutex_lock(&t->mutex);
    list_append(&t->woken_tail, co);
    unlock_and_wake(t);
}

/* ---- the loop ---- */

static void enter_all(Coroutine *list)
{
    while (list) {
        Coroutine *co = list;
        CoReady *ready = coroutine_ready(co);

        list = ready->next;
        ready->queued = false;
        coroutine_enter(co);
    }
}

static void run_queues(IoThread *t)
{
    Coroutine *woken, *local;
    IoPost *posted;

    pthread_mutex_lock(&t->mutex);
    posted = t->posted;
    woken = t->woken;
    t->posted = NULL;
    t->posted_tail = &t->posted;
    t->woken = NULL;
    t->woken_tail = &t->woken;
    pthread_mutex_unlock(&t->mutex);
    local = t->local;
    t->local = NULL;
    t->local_tail = &t->local;

    enter_all(local);
    enter_all(woken);
    while (posted) {
        IoPost *item = posted;

        posted = item->next;
        if (item->spawn) {
            coroutine_enter(coroutine_new(item->fn, item->opaque));
        } else {
            item->fn(item->opaque);
        }
        g_free(item);
    }
}

/* True when the loop may block: nobody has posted, and whoever does so from now on writes the
 * eventfd. */
static bool prepare_to_sleep(IoThread *t, bool *stop)
{
    bool idle;

    pthread_mutex_lock(&t->mutex);
    idle = !t->posted && !t->woken && !t->local;
    *stop = idle && t->stop && !t->in_flight;
    t->sleeping = idle && !*stop;
    pthread_mutex_unlock(&t->mutex);
    return idle;
}

void io_thread_block_begin(IoThread *t)
{
    (void)t;
    safepoint_wait_begin();
}

void io_thread_block_end(IoThread *t)
{
    safepoint_wait_try_end(); /* does not fail: this is no vCPU's thread */
    pthread_mutex_lock(&t->mutex);
    t->sleeping = false;
    pthread_mutex_unlock(&t->mutex);
}

static void io_thread_loop(IoThread *t)
{
    for (;;) {
        bool stop, idle;

        run_queues(t);
        idle = prepare_to_sleep(t, &stop);
        if (stop) {
            return;
        }
        safepoint_poll();
        t->engine->wait(t, idle);
    }
}

static bool start_engine(IoThread *t)
{
    if (t->wanted != IO_ENGINE_THREADS) {
        t->engine = &io_engine_uring;
        if (t->engine->init(t, t->wanted == IO_ENGINE_URING ? &t->start_error : NULL)) {
            return true;
        }
        if (t->wanted == IO_ENGINE_URING) {
            return false;
        }
    }
    t->engine = &io_engine_threads;
    return t->engine->init(t, &t->start_error);
}

static void *io_thread_main(void *opaque)
{
    IoThread *t = opaque;
    bool ok;

    current_thread = t;
    pthread_setname_np(pthread_self(), t->name);
    safepoint_thread_attach(NULL);
    ok = start_engine(t);

    pthread_mutex_lock(&t->mutex);
    t->ready = true;
    pthread_cond_signal(&t->cond);
    pthread_mutex_unlock(&t->mutex);
    if (ok) {
        io_thread_loop(t);
        t->engine->fini(t);
        coroutine_thread_done();
    }
    safepoint_thread_detach();
    return NULL;
}

static void io_thread_destroy(IoThread *t)
{
    pthread_mutex_destroy(&t->mutex);
    pthread_cond_destroy(&t->cond);
    if (t->event_fd >= 0) {
        close(t->event_fd);
    }
    g_clear_error(&t->start_error);
    g_free(t->name);
    g_free(t);
}

IoThread *io_thread_new(const char *name, IoEngine engine, GError **err)
{
    IoThread *t = g_new0(IoThread, 1);
    sigset_t all, old;
    int ret;

    t->name = g_strndup(name, 15); /* what the kernel takes */
    t->wanted = engine;
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->cond, NULL);
    t->posted_tail = &t->posted;
    t->woken_tail = &t->woken;
    t->local_tail = &t->local;
    t->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->event_fd < 0) {
        emu_set_error(err, "I/O thread '%s': eventfd: %s", name, g_strerror(errno));
        io_thread_destroy(t);
        return NULL;
    }

    sigfillset(&all); /* signals are for the main thread */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    ret = pthread_create(&t->thread, NULL, io_thread_main, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (ret) {
        emu_set_error(err, "I/O thread '%s': %s", name, g_strerror(ret));
        io_thread_destroy(t);
        return NULL;
    }
    pthread_mutex_lock(&t->mutex);
    while (!t->ready) {
        pthread_cond_wait(&t->cond, &t->mutex);
    }
    pthread_mutex_unlock(&t->mutex);
    if (t->start_error) {
        pthread_join(t->thread, NULL);
        g_propagate_error(err, g_steal_pointer(&t->start_error));
        io_thread_destroy(t);
        return NULL;
    }
    return t;
}

void io_thread_free(IoThread *t)
{
    bool locked = machine_lock_held();

    if (!t) {
        return;
    }
    g_assert(t != current_thread);
    pthread_mutex_lock(&t->mutex);
    t->stop = true;
    unlock_and_wake(t);
    if (locked) {
        machine_unlock(); /* what still runs there may need it */
    }
    pthread_join(t->thread, NULL);
    if (locked) {
        machine_lock();
    }
    io_thread_destroy(t);
}

/* ---- from coroutines ---- */

static IoThread *thread_of_self(void)
{
    g_assert(coroutine_self() && current_thread);
    return current_thread;
}

static int64_t run_op(IoOp *op)
{
    IoThread *t = thread_of_self();

    op->co = coroutine_self();
    t->in_flight++;
    t->engine->start(t, op);
    coroutine_yield();
    t->in_flight--;
    return op->result;
}

void io_op_done(IoOp *op, int64_t result)
{
    op->result = result;
    coroutine_enter(op->co);
}

/*
 * Reads or writes all of IOV, whatever pieces the kernel makes of it; stops at the end of the file.
 */
static int64_t transfer(IoOpKind kind, int fd, const struct iovec *iov, int iovcnt, uint64_t offset)
{
    struct iovec *rest = NULL;
    int64_t total = 0, ret = 0;

    while (iovcnt > 0) {
        IoOp op = {.kind = kind,
                   .fd = fd,
                   .iov = iov,
                   .iovcnt = MIN(iovcnt, IOV_MAX),
                   .offset = offset + (uint64_t)total};
        uint64_t left;

        if (op.offset > INT64_MAX) {
            ret = -EFBIG;
            break;
        }
        ret = run_op(&op);
        if (ret == -EINTR) {
            continue;
        }
        if (ret <= 0) {
            break; /* an error, the end of the file, or nothing was asked for */
        }
        total += ret;
        for (left = (uint64_t)ret; iovcnt > 0 && left >= iov->iov_len; iov++, iovcnt--) {
            left -= iov->iov_len;
        }
        if (left) {
            /* Inside an element: go on with a copy that can be cut. */
            struct iovec *copy = g_memdup2(iov, (size_t)iovcnt * sizeof(*iov));

            g_free(rest);
            rest = copy;
            rest[0].iov_base = (char *)rest[0].iov_base + left;
            rest[0].iov_len -= left;
            iov = rest;
        }
    }
    g_free(rest);
    return ret < 0 ? ret : total;
}

int64_t io_co_preadv(int fd, const struct iovec *iov, int iovcnt, uint64_t offset)
{
    return transfer(IO_OP_READ, fd, iov, iovcnt, offset);
}

int64_t io_co_pwritev(int fd, const struct iovec *iov, int iovcnt, uint64_t offset)
{
    return transfer(IO_OP_WRITE, fd, iov, iovcnt, offset);
}

int io_co_fdatasync(int fd)
{
    IoOp op = {.kind = IO_OP_FDATASYNC, .fd = fd};

    return (int)run_op(&op);
}

int io_co_fallocate(int fd, int mode, uint64_t offset, uint64_t len)
{
    IoOp op = {.kind = IO_OP_FALLOCATE, .fd = fd, .mode = mode, .offset = offset, .len = len};
    int64_t ret;

    if (offset > INT64_MAX || len > INT64_MAX) {
        return -EFBIG;
    }
    do {
        ret = run_op(&op);
    } while (ret == -EINTR);
    return (int)ret;
}

void io_co_sleep(int64_t ns)
{
    struct timespec now;
    IoOp op = {.kind = IO_OP_SLEEP};

    clock_gettime(CLOCK_MONOTONIC, &now);
    op.deadline = now.tv_sec * INT64_C(1000000000) + now.tv_nsec + MAX(ns, 0);
    run_op(&op);
}

int io_co_poll(int fd, short events)
{
    IoOp op = {.kind = IO_OP_POLL, .fd = fd, .events = events};
    int64_t ret;

    if (fd < 0) {
        return -EBADF; /* poll() would wait for it forever */
    }
    ret = run_op(&op);
    return ret < 0 ? (int)ret : 0;
}

/* ---- waiting from outside ---- */

typedef struct SyncCall {
    void (*fn)(void *opaque);
    void *opaque;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool done;
} SyncCall;

static void sync_call(void *opaque)
{
    SyncCall *call = opaque;

    call->fn(call->opaque);
    pthread_mutex_lock(&call->mutex);
    call->done = true;
    pthread_cond_signal(&call->cond);
    pthread_mutex_unlock(&call->mutex);
}

void io_thread_run_sync(IoThread *t, void (*fn)(void *opaque), void *opaque)
{
    SyncCall call = {.fn = fn,
                     .opaque = opaque,
                     .mutex = PTHREAD_MUTEX_INITIALIZER,
                     .cond = PTHREAD_COND_INITIALIZER};
    bool begun;

    g_assert(!current_thread && !safepoint_current_cpu());
    io_thread_spawn(t, sync_call, &call);
    begun = safepoint_wait_begin();
    pthread_mutex_lock(&call.mutex);
    while (!call.done) {
        pthread_cond_wait(&call.cond, &call.mutex);
    }
    pthread_mutex_unlock(&call.mutex);
    if (begun) {
        safepoint_wait_try_end();
    }
    pthread_mutex_destroy(&call.mutex);
    pthread_cond_destroy(&call.cond);
}
