/*
 * I/O threads with both engines: the same tests on io_uring and on the thread pool.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/coroutine.h"
#include "core/iothread.h"

typedef struct Fixture {
    IoThread *t;
    int fd;
} Fixture;

static void setup(Fixture *f, gconstpointer engine)
{
    GError *err = NULL;
    char *path = NULL;

    f->t = io_thread_new("test", (IoEngine)GPOINTER_TO_INT(engine), &err);
    if (!f->t && GPOINTER_TO_INT(engine) == IO_ENGINE_URING) {
        g_test_message("%s", err->message);
        g_clear_error(&err);
        f->t = io_thread_new("test", IO_ENGINE_THREADS, &err);
    }
    g_assert_no_error(err);
    f->fd = g_file_open_tmp("emu-io-XXXXXX", &path, NULL);
    g_assert_cmpint(f->fd, >=, 0);
    g_unlink(path);
    g_free(path);
}

static void teardown(Fixture *f, gconstpointer engine)
{
    (void)engine;
    io_thread_free(f->t);
    close(f->fd);
}

static void read_and_write(void *opaque)
{
    Fixture *f = opaque;
    char a[1000], b[3000], back[5000];
    struct iovec out[] = {{a, sizeof(a)}, {NULL, 0}, {b, sizeof(b)}};
    struct iovec in[] = {{back, 10}, {back + 10, 4090}, {back + 4100, 900}};

    memset(a, 'a', sizeof(a));
    memset(b, 'b', sizeof(b));
    memset(back, 0, sizeof(back));
    g_assert(io_thread_current() == f->t && coroutine_thread(coroutine_self()) == f->t);
    g_assert_cmpint(io_co_pwritev(f->fd, out, 3, 512), ==, 4000);
    g_assert_cmpint(io_co_fdatasync(f->fd), ==, 0);
    /* Short at the end of the file: 4512 bytes from 0 on. */
    g_assert_cmpint(io_co_preadv(f->fd, in, 3, 0), ==, 4512);
    g_assert(back[511] == 0 && back[512] == 'a' && back[1511] == 'a' && back[1512] == 'b');
    g_assert_cmpint(io_co_preadv(f->fd, in, 3, 100000), ==, 0);
    g_assert_cmpint(io_co_preadv(-1, in, 1, 0), ==, -EBADF);
    g_assert_cmpint(io_co_preadv(f->fd, in, 1, UINT64_MAX), ==, -EFBIG);
    g_assert_cmpint(io_co_fallocate(f->fd, 0, 0, 1 << 20), ==, 0);
    g_assert_cmpint(lseek(f->fd, 0, SEEK_END), ==, 1 << 20);
    g_assert_cmpint(io_co_fdatasync(-1), ==, -EBADF);
}

static void test_files(Fixture *f, gconstpointer engine)
{
    (void)engine;
    io_thread_run_sync(f->t, read_and_write, f);
}

/* More elements than the kernel takes at once. */
static void many_elements(void *opaque)
{
    enum { COUNT = 5000, LEN = 7 };
    Fixture *f = opaque;
    struct iovec *iov = g_new(struct iovec, COUNT);
    char *data = g_malloc(COUNT * LEN), *back = g_malloc0(COUNT * LEN);

    for (int i = 0; i < COUNT * LEN; i++) {
        data[i] = (char)(i * 31 >> 3);
    }
    for (int i = 0; i < COUNT; i++) {
        iov[i] = (struct iovec){data + i * LEN, LEN};
    }
    g_assert_cmpint(io_co_pwritev(f->fd, iov, COUNT, 3), ==, COUNT * LEN);
    for (int i = 0; i < COUNT; i++) {
        iov[i].iov_base = back + i * LEN;
    }
    g_assert_cmpint(io_co_preadv(f->fd, iov, COUNT, 3), ==, COUNT * LEN);
    g_assert(!memcmp(data, back, COUNT * LEN));
    g_free(data);
    g_free(back);
    g_free(iov);
}

static void test_more_elements_than_iov_max(Fixture *f, gconstpointer engine)
{
    (void)engine;
    io_thread_run_sync(f->t, many_elements, f);
}

/* ---- many requests at once, from several threads ---- */

enum { REQUESTS = 2000, POSTERS = 3 };

typedef struct Load {
    Fixture *f;
    _Atomic int next, done;
} Load;

static void one_request(void *opaque)
{
    Load *load = opaque;
    int n = atomic_fetch_add(&load->next, 1);
    uint32_t data[128], back[128];
    struct iovec out = {data, sizeof(data)}, in = {back, sizeof(back)};

    for (int i = 0; i < 128; i++) {
        data[i] = (uint32_t)(n * 1000 + i);
    }
    g_assert_cmpint(io_co_pwritev(load->f->fd, &out, 1, (uint64_t)n * 512), ==, 512);
    g_assert_cmpint(io_co_preadv(load->f->fd, &in, 1, (uint64_t)n * 512), ==, 512);
    g_assert(!memcmp(data, back, 512));
    atomic_fetch_add(&load->done, 1);
}

static gpointer poster(gpointer opaque)
{
    Load *load = opaque;

    for (int i = 0; i < REQUESTS; i++) {
        io_thread_spawn(load->f->t, one_request, load);
    }
    return NULL;
}

static void test_requests_from_many_threads(Fixture *f, gconstpointer engine)
{
    Load load = {.f = f};
    GThread *threads[POSTERS];

    (void)engine;
    for (int i = 0; i < POSTERS; i++) {
        threads[i] = g_thread_new("poster", poster, &load);
    }
    for (int i = 0; i < POSTERS; i++) {
        g_thread_join(threads[i]);
    }
    /* Freeing the thread finishes what was posted. */
    io_thread_free(f->t);
    g_assert_cmpint(atomic_load(&load.done), ==, REQUESTS * POSTERS);
    f->t = io_thread_new("test", IO_ENGINE_AUTO, NULL);
}

/* ---- order, waking, sleeping, polling ---- */

static void append(void *opaque)
{
    GArray *numbers = *(GArray **)opaque;
    int n = (int)numbers->len;

    g_array_append_val(numbers, n);
}

static void check_appended(void *opaque)
{
    GArray *numbers = *(GArray **)opaque;

    g_assert_cmpint(numbers->len, ==, 1000);
}

static void test_posts_run_in_order(Fixture *f, gconstpointer engine)
{
    GArray *numbers = g_array_new(FALSE, FALSE, sizeof(int));

    (void)engine;
    for (int i = 0; i < 1000; i++) {
        io_thread_post(f->t, append, &numbers);
    }
    io_thread_run_sync(f->t, check_appended, &numbers);
    g_array_free(numbers, TRUE);
}

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void sleep_a_while(void *opaque)
{
    int64_t start = now_ns();

    (void)opaque;
    io_co_sleep(20 * 1000 * 1000);
    g_assert_cmpint(now_ns() - start, >=, 20 * 1000 * 1000);
    io_co_sleep(0);
    io_co_sleep(-5);
    g_assert_cmpint(now_ns() - start, <, INT64_C(10000000000));
}

static void test_sleep(Fixture *f, gconstpointer engine)
{
    (void)engine;
    io_thread_run_sync(f->t, sleep_a_while, NULL);
}

typedef struct Pipe {
    int fds[2];
} Pipe;

static void write_later(void *opaque)
{
    Pipe *p = opaque;

    io_co_sleep(5 * 1000 * 1000);
    g_assert_cmpint(write(p->fds[1], "x", 1), ==, 1);
}

static void poll_pipe(void *opaque)
{
    Pipe *p = opaque;
    char c;

    io_thread_spawn(io_thread_current(), write_later, p);
    g_assert_cmpint(io_co_poll(p->fds[0], POLLIN), ==, 0);
    g_assert_cmpint(read(p->fds[0], &c, 1), ==, 1);
    g_assert_cmpint(io_co_poll(p->fds[1], POLLOUT), ==, 0);
    g_assert_cmpint(io_co_poll(-7, POLLIN), ==, -EBADF);
}

static void test_poll(Fixture *f, gconstpointer engine)
{
    Pipe p;

    (void)engine;
    g_assert_cmpint(pipe2(p.fds, O_CLOEXEC), ==, 0);
    io_thread_run_sync(f->t, poll_pipe, &p);
    close(p.fds[0]);
    close(p.fds[1]);
}

static int64_t slow_double(void *opaque)
{
    g_assert_null(io_thread_current());
    g_usleep(2000);
    return *(int *)opaque * 2;
}

static void call_blocking(void *opaque)
{
    int n = 21;

    (void)opaque;
    g_assert_cmpint(io_co_blocking(slow_double, &n), ==, 42);
}

static void test_blocking_call(Fixture *f, gconstpointer engine)
{
    (void)engine;
    io_thread_run_sync(f->t, call_blocking, NULL);
}

/* A coroutine woken from another thread goes on where it lives. */
typedef struct Sleeper {
    Coroutine *_Atomic co;
    IoThread *t;
    bool woken;
} Sleeper;

static gpointer waker(gpointer opaque)
{
    Sleeper *s = opaque;

    while (!atomic_load(&s->co)) {
        g_usleep(100);
    }
    coroutine_wake(s->co);
    return NULL;
}

static void be_woken(void *opaque)
{
    Sleeper *s = opaque;
    GThread *thread = g_thread_new("waker", waker, s);

    atomic_store(&s->co, coroutine_self());
    coroutine_yield();
    g_assert(io_thread_current() == s->t);
    s->woken = true;
    g_thread_join(thread);
}

static void test_wake_from_another_thread(Fixture *f, gconstpointer engine)
{
    Sleeper s = {.t = f->t};

    (void)engine;
    io_thread_run_sync(f->t, be_woken, &s);
    g_assert_true(s.woken);
}

static void test_engine_is_the_one_asked_for(void)
{
    GError *err = NULL;
    IoThread *t = io_thread_new("a rather long name for a thread", IO_ENGINE_THREADS, &err);

    g_assert_no_error(err);
    g_assert_cmpint(io_thread_engine(t), ==, IO_ENGINE_THREADS);
    io_thread_free(t);
    t = io_thread_new("x", IO_ENGINE_AUTO, &err);
    g_assert_no_error(err);
    g_assert_cmpint(io_thread_engine(t), !=, IO_ENGINE_AUTO);
    g_test_message("automatic choice: %s",
                   io_thread_engine(t) == IO_ENGINE_URING ? "io_uring" : "thread pool");
    io_thread_free(t);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(Fixture *f, gconstpointer engine);
    } tests[] = {
        {"files", test_files},
        {"iov-max", test_more_elements_than_iov_max},
        {"load", test_requests_from_many_threads},
        {"post-order", test_posts_run_in_order},
        {"sleep", test_sleep},
        {"poll", test_poll},
        {"blocking-call", test_blocking_call},
        {"wake", test_wake_from_another_thread},
    };
    static const struct {
        const char *name;
        IoEngine engine;
    } engines[] = {{"uring", IO_ENGINE_URING}, {"threads", IO_ENGINE_THREADS}};

    g_test_init(&argc, &argv, NULL);
    for (size_t e = 0; e < G_N_ELEMENTS(engines); e++) {
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
            char *path = g_strdup_printf("/iothread/%s/%s", engines[e].name, tests[i].name);

            g_test_add(path, Fixture, GINT_TO_POINTER(engines[e].engine), setup, tests[i].fn,
                       teardown);
            g_free(path);
        }
    }
    g_test_add_func("/iothread/engine", test_engine_is_the_one_asked_for);
    return g_test_run();
}
