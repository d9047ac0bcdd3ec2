/*
 * Helper threads for calls that block, and the engine made of them where there is no io_uring:
 * files by the pool, sleeping and readiness by ppoll(). SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "core/iothread_int.h"

/* As deep as a disk's own queue usefully is. */
enum { POOL_THREADS = 32 };

/* ---- the pool, one for the process ---- */

static void run_job(gpointer data, gpointer unused)
{
    IoJob *job = data;

    (void)unused;
    *job->result = job->fn(job->opaque);
    coroutine_wake(job->co); /* JOB may be gone now */
}

static GThreadPool *the_pool(void)
{
    static gsize pool;

    if (g_once_init_enter(&pool)) {
        g_once_init_leave(&pool,
                          (gsize)g_thread_pool_new(run_job, NULL, POOL_THREADS, FALSE, NULL));
    }
    return (GThreadPool *)pool;
}

void io_job_start(IoJob *job)
{
    g_thread_pool_push(the_pool(), job, NULL);
}

int64_t io_co_blocking(int64_t (*fn)(void *opaque), void *opaque)
{
    IoThread *t = io_thread_current();
    int64_t result = 0;
    IoJob job = {fn, opaque, &result, coroutine_self()};

    g_assert(t && job.co);
    t->in_flight++;
    io_job_start(&job);
    coroutine_yield();
    t->in_flight--;
    return result;
}

/* ---- the engine ---- */

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int64_t file_op(void *opaque)
{
    const IoOp *op = opaque;
    int64_t ret;

    switch (op->kind) {
    case IO_OP_READ:
        ret = preadv(op->fd, op->iov, op->iovcnt, (off_t)op->offset);
        break;
    case IO_OP_WRITE:
        ret = pwritev(op->fd, op->iov, op->iovcnt, (off_t)op->offset);
        break;
    case IO_OP_FDATASYNC:
        ret = fdatasync(op->fd);
        break;
    case IO_OP_FALLOCATE:
        ret = fallocate(op->fd, op->mode, (off_t)op->offset, (off_t)op->len);
        break;
    default:
        g_assert_not_reached();
    }
    return ret < 0 ? -errno : ret;
}

/* t->engine_data is the list of sleeps and polls, in no order. */

static bool pool_init(IoThread *t, GError **err)
{
    (void)err;
    t->engine_data = NULL;
    return true;
}

static void pool_fini(IoThread *t)
{
    g_assert(!t->engine_data);
}

static void pool_start(IoThread *t, IoOp *op)
{
    if (op->kind == IO_OP_SLEEP || op->kind == IO_OP_POLL) {
        op->next = t->engine_data;
        t->engine_data = op;
    } else {
        op->job = (IoJob){file_op, op, &op->result, op->co};
        io_job_start(&op->job);
    }
}

/* The eventfd and what is polled for, in the list's order; *DEADLINE the first sleep's, or
 * INT64_MAX. */
static GArray *gather_fds(IoThread *t, int64_t *deadline)
{
    GArray *fds = g_array_new(FALSE, FALSE, sizeof(struct pollfd));
    struct pollfd event = {.fd = t->event_fd, .events = POLLIN};

    g_array_append_val(fds, event);
    *deadline = INT64_MAX;
    for (const IoOp *op = t->engine_data; op; op = op->next) {
        if (op->kind == IO_OP_SLEEP) {
            *deadline = MIN(*deadline, op->deadline);
        } else {
            struct pollfd entry = {.fd = op->fd, .events = op->events};

            g_array_append_val(fds, entry);
        }
    }
    return fds;
}

/* Takes what is ready off the list, then lets the coroutines go on: they may start more. */
static void finish_ready(IoThread *t, const struct pollfd *polled)
{
    IoOp *list = t->engine_data, **link = &list, *done = NULL;
    int64_t now = now_ns();

    while (*link) {
        IoOp *op = *link;
        bool ready;

        if (op->kind == IO_OP_SLEEP) {
            ready = op->deadline <= now;
            op->result = 0;
        } else {
            ready = polled->revents;
            op->result = polled->revents & POLLNVAL ? -EBADF : 0;
            polled++;
        }
        if (ready) {
            *link = op->next;
            op->next = done;
            done = op;
        } else {
            link = &op->next;
        }
    }
    t->engine_data = list;
    while (done) {
        IoOp *op = done;

        done = op->next;
        io_op_done(op, op->result);
    }
}

static void pool_wait(IoThread *t, bool may_block)
{
    int64_t deadline, wait;
    GArray *fds = gather_fds(t, &deadline);
    struct pollfd *entries = (struct pollfd *)(void *)fds->data;
    struct timespec timeout = {0, 0};
    bool forever = may_block && deadline == INT64_MAX;
    uint64_t value;
    int ret;

    if (may_block && !forever) {
        wait = MAX(deadline - now_ns(), 0);
        timeout.tv_sec = wait / 1000000000;
        timeout.tv_nsec = wait % 1000000000;
    }
    io_thread_block_begin(t);
    ret = ppoll(entries, fds->len, forever ? NULL : &timeout, NULL);
    io_thread_block_end(t);
    if (ret < 0) {
        if (errno != EINTR) {
            g_error("ppoll: %s", g_strerror(errno));
        }
        for (guint i = 0; i < fds->len; i++) {
            entries[i].revents = 0;
        }
    }
    if (entries[0].revents && read(t->event_fd, &value, sizeof(value)) < 0 && errno != EAGAIN) {
        g_error("eventfd: %s", g_strerror(errno));
    }
    finish_ready(t, entries + 1);
    g_array_free(fds, TRUE);
}

const IoEngineOps io_engine_threads = {
    .id = IO_ENGINE_THREADS,
    .init = pool_init,
    .fini = pool_fini,
    .start = pool_start,
    .wait = pool_wait,
};
