/*
 * I/O threads: event loops for disks and networks, each with an io_uring (or, where the kernel has
 * none, a thread pool) behind the same calls.
 *
 * Coroutines live on an I/O thread, see core/coroutine.h. Callbacks and coroutines run without the
 * machine lock; they may take it.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_IOTHREAD_H
#define CORE_IOTHREAD_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct IoThread IoThread;

typedef enum IoEngine { IO_ENGINE_AUTO, IO_ENGINE_URING, IO_ENGINE_THREADS } IoEngine;

IoThread *io_thread_new(const char *name, IoEngine engine, GError **err);
/* Finishes what was posted, then ends the thread. */
void io_thread_free(IoThread *t);
/* The I/O thread the caller runs on, or NULL. */
IoThread *io_thread_current(void);
IoEngine io_thread_engine(const IoThread *t);

/* Runs FN(OPAQUE) on T, in the order posted. Any thread. */
void io_thread_post(IoThread *t, void (*fn)(void *opaque), void *opaque);
/* Starts a coroutine running FN(OPAQUE) on T. Any thread. */
void io_thread_spawn(IoThread *t, void (*fn)(void *opaque), void *opaque);

/* From a coroutine: file I/O that suspends it. All return bytes (short at end of file) or -errno.
 */
int64_t io_co_preadv(int fd, const struct iovec *iov, int iovcnt, uint64_t offset);
int64_t io_co_pwritev(int fd, const struct iovec *iov, int iovcnt, uint64_t offset);
int io_co_fdatasync(int fd);
int io_co_fallocate(int fd, int mode, uint64_t offset, uint64_t len);
/* Suspends the coroutine for NS nanoseconds. */
void io_co_sleep(int64_t ns);
/* Suspends until FD is ready for EVENTS (POLLIN, POLLOUT); 0 or -errno. */
int io_co_poll(int fd, short events);
/* Runs a blocking function on a helper thread and suspends until it is done; its return value. */
int64_t io_co_blocking(int64_t (*fn)(void *opaque), void *opaque);

/* Runs FN(OPAQUE) as a coroutine on T and blocks the calling thread (no I/O thread, no vCPU) until
 * it returns. For opening images and for tools. */
void io_thread_run_sync(IoThread *t, void (*fn)(void *opaque), void *opaque);

#endif
