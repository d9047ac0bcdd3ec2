/*
 * The network's I/O thread, and what its back ends wait for.
 *
 * All file descriptors are in one epoll set, which one coroutine of the I/O thread polls: watches
 * come and go without an operation of the thread's engine to be cancelled. Timers are timerfds in
 * the same set. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "core/lock.h"
#include "net/net_int.h"

enum { EVENTS_AT_ONCE = 16 };

struct NetWatch {
    int fd;
    uint32_t events;
    bool added;
    void (*fn)(void *opaque, uint32_t events);
    void *opaque;
};

struct NetTimer {
    int fd;
    NetWatch *watch;
    void (*fn)(void *opaque);
    void *opaque;
};

/* The process has one network, as it has one machine. */
static struct {
    IoThread *thread;
    int epoll_fd, stop_fd;
    bool stop;
    struct epoll_event ready[EVENTS_AT_ONCE]; /* those being dispatched; a freed watch is NULL */
    int ready_count;
} loop;

static void dispatch(void)
{
    loop.ready_count = epoll_wait(loop.epoll_fd, loop.ready, EVENTS_AT_ONCE, 0);
    for (int i = 0; i < loop.ready_count; i++) {
        NetWatch *w = loop.ready[i].data.ptr;

        if (w) {
            w->fn(w->opaque, loop.ready[i].events);
        }
    }
    loop.ready_count = 0;
}

static void loop_main(void *opaque)
{
    (void)opaque;
    while (!loop.stop) {
        int ret = io_co_poll(loop.epoll_fd, POLLIN);

        if (ret < 0 && ret != -EINTR) {
            g_error("network: poll: %s", g_strerror(-ret));
        }
        dispatch();
    }
}

static void stop_asked(void *opaque, uint32_t events)
{
    (void)opaque;
    (void)events;
    loop.stop = true;
}

static void watch_stop_fd(void *opaque)
{
    NetWatch **w = opaque;

    *w = net_watch_new(loop.stop_fd, stop_asked, NULL);
    net_watch_set(*w, EPOLLIN);
}

static NetWatch *stop_watch;

IoThread *net_thread(GError **err)
{
    if (loop.thread) {
        return loop.thread;
    }
    loop.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop.epoll_fd < 0 || loop.stop_fd < 0) {
        emu_set_error(err, "network: epoll: %s", g_strerror(errno));
        return NULL;
    }
    loop.stop = false;
    loop.thread = io_thread_new("net", IO_ENGINE_AUTO, err);
    if (loop.thread) {
        net_run(watch_stop_fd, &stop_watch);
        io_thread_spawn(loop.thread, loop_main, NULL);
    }
    return loop.thread;
}

void net_thread_stop(void)
{
    uint64_t one = 1;

    if (!loop.thread) {
        return;
    }
    if (write(loop.stop_fd, &one, sizeof(one)) < 0) {
        g_error("network: eventfd: %s", g_strerror(errno));
    }
    io_thread_free(loop.thread);
    loop.thread = NULL;
    net_watch_free(stop_watch);
    close(loop.stop_fd);
    close(loop.epoll_fd);
}

void net_run(void (*fn)(void *opaque), void *opaque)
{
    bool locked = machine_lock_held();

    if (locked) {
        machine_unlock(); /* the thread may be waiting for it to deliver a frame */
    }
    io_thread_run_sync(loop.thread, fn, opaque);
    if (locked) {
        machine_lock();
    }
}

/* ---- watches ---- */

NetWatch *net_watch_new(int fd, void (*fn)(void *opaque, uint32_t events), void *opaque)
{
    NetWatch *w = g_new0(NetWatch, 1);

    w->fd = fd;
    w->fn = fn;
    w->opaque = opaque;
    return w;
}

void net_watch_set(NetWatch *w, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = w};
    int op = !events ? EPOLL_CTL_DEL : w->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (events == w->events) {
        return;
    }
    /* Deleted when nothing is wanted: epoll would tell of errors and hang-ups all the same. */
    if (epoll_ctl(loop.epoll_fd, op, w->fd, &e) < 0 && op != EPOLL_CTL_DEL) {
        g_error("network: epoll_ctl: %s", g_strerror(errno));
    }
    w->events = events;
    w->added = events != 0;
}

void net_watch_free(NetWatch *w)
{
    if (!w) {
        return;
    }
    net_watch_set(w, 0);
    for (int i = 0; i < loop.ready_count; i++) {
        if (loop.ready[i].data.ptr == w) {
            loop.ready[i].data.ptr = NULL;
        }
    }
    g_free(w);
}

/* ---- timers ---- */

int64_t net_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void timer_ready(void *opaque, uint32_t events)
{
    NetTimer *t = opaque;
    uint64_t count;

    (void)events;
    if (read(t->fd, &count, sizeof(count)) == sizeof(count)) {
        t->fn(t->opaque);
    }
}

NetTimer *net_timer_new(void (*fn)(void *opaque), void *opaque)
{
    NetTimer *t = g_new0(NetTimer, 1);

    t->fn = fn;
    t->opaque = opaque;
    t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (t->fd < 0) {
        g_error("network: timerfd: %s", g_strerror(errno));
    }
    t->watch = net_watch_new(t->fd, timer_ready, t);
    net_watch_set(t->watch, EPOLLIN);
    return t;
}

void net_timer_set(NetTimer *t, int64_t ns)
{
    const int64_t second = 1000000000;
    struct itimerspec spec = {.it_value = {0, 0}};

    if (ns >= 0) {
        ns = MAX(ns, 1);
        spec.it_value = (struct timespec){.tv_sec = ns / second, .tv_nsec = ns % second};
    }
    timerfd_settime(t->fd, 0, &spec, NULL);
}

void net_timer_free(NetTimer *t)
{
    if (t) {
        net_watch_free(t->watch);
        close(t->fd);
        g_free(t);
    }
}
