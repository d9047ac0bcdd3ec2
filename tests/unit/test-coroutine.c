/*
 * Coroutines and their locks, without an I/O thread.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <string.h>

#include "core/coroutine.h"

static GString *trace;

static void note(char c)
{
    g_string_append_c(trace, c);
}

static void trace_is(const char *expected)
{
    g_assert_cmpstr(trace->str, ==, expected);
    g_string_truncate(trace, 0);
}

static void two_steps(void *opaque)
{
    char name = *(const char *)opaque;

    note(name);
    coroutine_yield();
    note((char)g_ascii_tolower(name));
}

static void test_enter_runs_until_yield_and_goes_on_from_there(void)
{
    Coroutine *a = coroutine_new(two_steps, (void *)"A");
    Coroutine *b = coroutine_new(two_steps, (void *)"B");

    g_assert_null(coroutine_self());
    coroutine_enter(a);
    coroutine_enter(b);
    note('-');
    coroutine_enter(a);
    coroutine_enter(b);
    trace_is("AB-ab");
    g_assert_null(coroutine_self());
}

static void inner(void *opaque)
{
    Coroutine **self = opaque;

    *self = coroutine_self();
    note('i');
    coroutine_yield();
    note('I');
}

static void outer(void *opaque)
{
    Coroutine **in = opaque;
    Coroutine *self = coroutine_self();
    Coroutine *seen = NULL;

    *in = coroutine_new(inner, &seen);
    note('o');
    coroutine_enter(*in);
    g_assert(seen == *in && coroutine_self() == self);
    note('O');
}

static void test_yield_goes_back_to_who_entered(void)
{
    Coroutine *in = NULL;

    coroutine_enter(coroutine_new(outer, &in));
    coroutine_enter(in);
    trace_is("oiOI");
}

/* Registers, the x87 and SSE control words and a deep stack survive. */
static void deep(void *opaque)
{
    volatile char page[100 * 1024];
    double x = *(double *)opaque;

    memset((void *)page, 0x5a, sizeof(page));
    for (int i = 0; i < 1000; i++) {
        double before = x;

        coroutine_yield();
        g_assert(x == before && page[i * 100] == 0x5a);
        x = x * 1.0001 + i;
    }
    *(double *)opaque = x;
}

static void test_locals_survive_switches(void)
{
    double values[20], expected[20];
    Coroutine *co[20];

    for (int i = 0; i < 20; i++) {
        values[i] = expected[i] = i + 0.5;
        co[i] = coroutine_new(deep, &values[i]);
        for (int k = 0; k < 1000; k++) {
            expected[i] = expected[i] * 1.0001 + k;
        }
    }
    for (int k = 0; k < 1001; k++) {
        for (int i = 0; i < 20; i++) {
            coroutine_enter(co[i]);
        }
    }
    for (int i = 0; i < 20; i++) {
        g_assert(values[i] == expected[i]);
    }
}

static void count_one(void *opaque)
{
    ++*(int *)opaque;
}

static void test_many_coroutines_reuse_stacks(void)
{
    int count = 0;

    for (int i = 0; i < 100000; i++) {
        coroutine_enter(coroutine_new(count_one, &count));
    }
    g_assert_cmpint(count, ==, 100000);
}

/* ---- locks ---- */

static CoMutex mutex;
static CoQueue queue;
static CoRwLock rwlock;
static Coroutine *holder;

static void with_mutex(void *opaque)
{
    char name = *(const char *)opaque;

    co_mutex_lock(&mutex);
    note(name);
    if (name == 'A') {
        holder = coroutine_self();
        coroutine_yield();
    }
    note((char)g_ascii_tolower(name));
    co_mutex_unlock(&mutex);
}

static void test_mutex_is_first_come_first_served(void)
{
    static const char *const names[] = {"A", "B", "C", "D"};

    for (int i = 0; i < 4; i++) {
        coroutine_enter(coroutine_new(with_mutex, (void *)names[i]));
    }
    trace_is("A");
    coroutine_enter(holder);
    trace_is("aBbCcDd");
    g_assert(!mutex.owner && !mutex.waiters_head && !mutex.waiters_tail);
}

static void lock_again(void *opaque)
{
    (void)opaque;
    co_mutex_lock(&mutex);
    note('1');
    co_mutex_unlock(&mutex);
    co_mutex_lock(&mutex); /* B waits: it is B's turn */
    note('2');
    co_mutex_unlock(&mutex);
}

static void hold_then_relock(void *opaque)
{
    (void)opaque;
    co_mutex_lock(&mutex);
    holder = coroutine_self();
    coroutine_yield();
    co_mutex_unlock(&mutex);
    co_mutex_lock(&mutex);
    note('r');
    co_mutex_unlock(&mutex);
}

static void test_mutex_is_not_overtaken_by_the_unlocker(void)
{
    coroutine_enter(coroutine_new(hold_then_relock, NULL));
    coroutine_enter(coroutine_new(lock_again, NULL));
    coroutine_enter(holder);
    trace_is("1r2");
}

static void wait_twice(void *opaque)
{
    char name = *(const char *)opaque;

    co_queue_wait(&queue);
    note(name);
    co_queue_wait(&queue);
    note((char)g_ascii_tolower(name));
}

static void test_queue_wakes_one_or_those_who_wait_now(void)
{
    g_assert_false(co_queue_wake_one(&queue));
    coroutine_enter(coroutine_new(wait_twice, (void *)"A"));
    coroutine_enter(coroutine_new(wait_twice, (void *)"B"));
    coroutine_enter(coroutine_new(wait_twice, (void *)"C"));
    g_assert_true(co_queue_wake_one(&queue));
    trace_is("A");
    co_queue_wake_all(&queue); /* B, C, and A's second wait; not B and C again */
    trace_is("BCa");
    co_queue_wake_all(&queue);
    trace_is("bc");
    g_assert_false(co_queue_wake_one(&queue));
}

static Coroutine *rw_holders[8];
static int rw_count;

static void rw_body(void *opaque)
{
    char name = *(const char *)opaque;

    if (g_ascii_isupper(name)) {
        co_rwlock_wrlock(&rwlock);
    } else {
        co_rwlock_rdlock(&rwlock);
    }
    note(name);
    rw_holders[rw_count++] = coroutine_self();
    coroutine_yield();
    co_rwlock_unlock(&rwlock);
}

static void test_rwlock_readers_share_and_writers_exclude_in_order(void)
{
    static const char *const names[] = {"a", "b", "W", "c", "d", "X"};

    rw_count = 0;
    for (int i = 0; i < 6; i++) {
        coroutine_enter(coroutine_new(rw_body, (void *)names[i]));
    }
    trace_is("ab"); /* c and d came after the writer */
    coroutine_enter(rw_holders[0]);
    trace_is("");
    coroutine_enter(rw_holders[1]);
    trace_is("W");
    coroutine_enter(rw_holders[2]);
    trace_is("cd");
    coroutine_enter(rw_holders[3]);
    coroutine_enter(rw_holders[4]);
    trace_is("X");
    coroutine_enter(rw_holders[5]);
    g_assert(!rwlock.readers && !rwlock.writer && !rwlock.queue.head);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    trace = g_string_new(NULL);
    g_test_add_func("/coroutine/enter-yield", test_enter_runs_until_yield_and_goes_on_from_there);
    g_test_add_func("/coroutine/nesting", test_yield_goes_back_to_who_entered);
    g_test_add_func("/coroutine/locals", test_locals_survive_switches);
    g_test_add_func("/coroutine/many", test_many_coroutines_reuse_stacks);
    g_test_add_func("/coroutine/mutex-fifo", test_mutex_is_first_come_first_served);
    g_test_add_func("/coroutine/mutex-fair", test_mutex_is_not_overtaken_by_the_unlocker);
    g_test_add_func("/coroutine/queue", test_queue_wakes_one_or_those_who_wait_now);
    g_test_add_func("/coroutine/rwlock", test_rwlock_readers_share_and_writers_exclude_in_order);
    ret = g_test_run();
    g_string_free(trace, TRUE);
    return ret;
}
