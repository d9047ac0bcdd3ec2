/*
 * An I/O thread and what an engine (io_uring, or a thread pool with poll) provides to it.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_IOTHREAD_INT_H
#define CORE_IOTHREAD_INT_H

#include <linux/time_types.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/coroutine.h"
#include "core/iothread.h"

typedef enum IoOpKind {
    IO_OP_READ,
    IO_OP_WRITE,
    IO_OP_FDATASYNC,
    IO_OP_FALLOCATE,
    IO_OP_SLEEP,
    IO_OP_POLL,
    IO_OP_COUNT
} IoOpKind;

/* A call on a helper thread; CO is woken when RESULT is there. */
typedef struct IoJob {
    int64_t (*fn)(void *opaque);
    void *opaque;
    int64_t *result;
    Coroutine *co;
} IoJob;

/* One operation, on the stack of the coroutine that waits for it. */
typedef struct IoOp IoOp;
struct IoOp {
    IoOpKind kind;
    int fd;
    int mode;     /* FALLOCATE */
    short events; /* POLL */
    int iovcnt;   /* READ, WRITE */
    const struct iovec *iov;
    uint64_t offset, len;
    int64_t deadline; /* SLEEP: CLOCK_MONOTONIC */
    Coroutine *co;
    int64_t result;
    /* The engine's own: */
    IoOp *next;
    IoJob job;
    struct __kernel_timespec timeout;
};

typedef struct IoEngineOps {
    IoEngine id;
    bool (*init)(IoThread *t, GError **err); /* on the thread itself */
    void (*fini)(IoThread *t);
    /* Starts OP. When it is done, wait() calls io_op_done(), or the result is stored and CO woken.
     */
    void (*start)(IoThread *t, IoOp *op);
    /* Completes what is done; if MAY_BLOCK, waits for something to be, or for t->event_fd. */
    void (*wait)(IoThread *t, bool may_block);
} IoEngineOps;

typedef struct IoPost IoPost;

struct IoThread {
    char *name;
    pthread_t thread;
    const IoEngineOps *engine;
    void *engine_data;
    int event_fd;
    unsigned in_flight; /* operations started and not done */

    pthread_mutex_t mutex;
    pthread_cond_t cond; /* start-up */
    IoPost *posted, **posted_tail;
    Coroutine *woken, **woken_tail; /* by other threads */
    bool sleeping;                  /* about to block, or blocked: needs event_fd */
    bool stop, ready;
    IoEngine wanted;
    GError *start_error;

    Coroutine *local, **local_tail; /* woken by this thread: no lock */
};

/* OP's coroutine waits no longer: enters it. On its thread. */
void io_op_done(IoOp *op, int64_t result);
void io_job_start(IoJob *job);
/* Around a system call in which the engine blocks. */
void io_thread_block_begin(IoThread *t);
void io_thread_block_end(IoThread *t);

extern const IoEngineOps io_engine_uring, io_engine_threads;

#endif
