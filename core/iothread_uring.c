/*
 * The io_uring engine: every operation is one submission; a poll of the
 * eventfd (whose user data is NULL) is outstanding always.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <unistd.h>

#include "core/iothread_int.h"
#include "util/keyval.h"

enum { RING_ENTRIES = 256 };

typedef struct Uring {
    struct io_uring ring;
} Uring;

static const int needed_ops[] = {IORING_OP_READ,     IORING_OP_WRITE,  IORING_OP_READV,
                                 IORING_OP_WRITEV,   IORING_OP_FSYNC,  IORING_OP_FALLOCATE,
                                 IORING_OP_POLL_ADD, IORING_OP_TIMEOUT};

static struct io_uring_sqe *get_sqe(Uring *u)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

    while (!sqe) {
        io_uring_submit(&u->ring); /* the queue is full: the kernel empties it */
        sqe = io_uring_get_sqe(&u->ring);
    }
    return sqe;
}

static void poll_event(IoThread *t)
{
    Uring *u = t->engine_data;
    struct io_uring_sqe *sqe = get_sqe(u);

    io_uring_prep_poll_add(sqe, t->event_fd, POLLIN);
    io_uring_sqe_set_data(sqe, NULL);
}

static bool uring_init(IoThread *t, GError **err)
{
    Uring *u = g_new0(Uring, 1);
    struct io_uring_probe *probe;
    bool complete = true;
    int ret;

    /* Completions need not interrupt a thread that comes to fetch them. Kernels before 6.0 refuse.
     */
    ret = io_uring_queue_init(RING_ENTRIES, &u->ring,
                              IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SINGLE_ISSUER);
    if (ret == -EINVAL) {
        ret = io_uring_queue_init(RING_ENTRIES, &u->ring, 0);
    }
    if (ret < 0) {
        emu_set_error(err, "I/O thread '%s': io_uring cannot be had: %s", t->name,
                      g_strerror(-ret));
        g_free(u);
        return false;
    }
    probe = io_uring_get_probe_ring(&u->ring);
    for (size_t i = 0; i < G_N_ELEMENTS(needed_ops); i++) {
        complete = complete && probe && io_uring_opcode_supported(probe, needed_ops[i]);
    }
    io_uring_free_probe(probe);
    if (!complete) {
        emu_set_error(err, "I/O thread '%s': this kernel's io_uring lacks operations", t->name);
        io_uring_queue_exit(&u->ring);
        g_free(u);
        return false;
    }
    t->engine_data = u;
    poll_event(t);
    return true;
}

static void uring_fini(IoThread *t)
{
    Uring *u = t->engine_data;

    io_uring_queue_exit(&u->ring);
    g_free(u);
}

static void uring_start(IoThread *t, IoOp *op)
{
    Uring *u = t->engine_data;
    struct io_uring_sqe *sqe = get_sqe(u);

    switch (op->kind) {
    case IO_OP_READ:
        if (op->iovcnt == 1) {
            io_uring_prep_read(sqe, op->fd, op->iov->iov_base,
                               (unsigned)MIN(op->iov->iov_len, INT32_MAX & ~4095), op->offset);
        } else {
            io_uring_prep_readv(sqe, op->fd, op->iov, (unsigned)op->iovcnt, op->offset);
        }
        break;
    case IO_OP_WRITE:
        if (op->iovcnt == 1) {
            io_uring_prep_write(sqe, op->fd, op->iov->iov_base,
                                (unsigned)MIN(op->iov->iov_len, INT32_MAX & ~4095), op->offset);
        } else {
            io_uring_prep_writev(sqe, op->fd, op->iov, (unsigned)op->iovcnt, op->offset);
        }
        break;
    case IO_OP_FDATASYNC:
        io_uring_prep_fsync(sqe, op->fd, IORING_FSYNC_DATASYNC);
        break;
    case IO_OP_FALLOCATE:
        io_uring_prep_fallocate(sqe, op->fd, op->mode, (off_t)op->offset, (off_t)op->len);
        break;
    case IO_OP_SLEEP:
        op->timeout.tv_sec = op->deadline / 1000000000;
        op->timeout.tv_nsec = op->deadline % 1000000000;
        io_uring_prep_timeout(sqe, &op->timeout, 0, IORING_TIMEOUT_ABS);
        break;
    case IO_OP_POLL:
        io_uring_prep_poll_add(sqe, op->fd, (unsigned)op->events);
        break;
    case IO_OP_COUNT:
        g_assert_not_reached();
    }
    io_uring_sqe_set_data(sqe, op);
}

static void uring_wait(IoThread *t, bool may_block)
{
    Uring *u = t->engine_data;
    struct io_uring_cqe *cqe;
    int ret;

    if (may_block) {
        io_thread_block_begin(t);
        ret = io_uring_submit_and_wait(&u->ring, 1);
        io_thread_block_end(t);
    } else {
        ret = io_uring_submit(&u->ring);
    }
    if (ret < 0 && ret != -EINTR && ret != -EAGAIN && ret != -EBUSY) {
        g_error("io_uring: %s", g_strerror(-ret));
    }
    while (!io_uring_peek_cqe(&u->ring, &cqe)) {
        IoOp *op = io_uring_cqe_get_data(cqe);
        int res = cqe->res;

        /* Entering the coroutine may submit more, or need the ring's room: give the entry back
         * first. */
        io_uring_cqe_seen(&u->ring, cqe);
        if (!op) {
            uint64_t value;

            if (read(t->event_fd, &value, sizeof(value)) < 0 && errno != EAGAIN) {
                g_error("eventfd: %s", g_strerror(errno));
            }
            poll_event(t);
        } else {
            io_op_done(op, op->kind == IO_OP_SLEEP && res == -ETIME ? 0 : res);
        }
    }
}

const IoEngineOps io_engine_uring = {
    .id = IO_ENGINE_URING,
    .init = uring_init,
    .fini = uring_fini,
    .start = uring_start,
    .wait = uring_wait,
};
