/*
 * The loop around a fuzzer's cases.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/fuzz/fuzz.h"

#include <glib/gstdio.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CASE_SECONDS = 20 };

guint64 fuzz_number(GRand *rand)
{
    guint64 any = (guint64)g_rand_int(rand) << 32 | g_rand_int(rand);

    switch (g_rand_int_range(rand, 0, 5)) {
    case 0:
        return g_rand_int_range(rand, 0, 16);
    case 1:
        return (1ull << g_rand_int_range(rand, 0, 64)) + (guint64)g_rand_int_range(rand, -2, 3);
    case 2:
        return G_MAXUINT64 - (guint64)g_rand_int_range(rand, 0, 0x10000);
    case 3:
        return (any >> g_rand_int_range(rand, 0, 64)) & ~511ull;
    default:
        return any >> g_rand_int_range(rand, 0, 64);
    }
}

static bool run_case(FuzzRun *run, guint32 seed, void (*one)(FuzzRun *run))
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        alarm(CASE_SECONDS);
        run->rand = g_rand_new_with_seed(seed);
        one(run);
        fflush(NULL);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        perror("fuzz");
        exit(1);
    }
    if (status == 0) {
        return true;
    }
    if (WIFSIGNALED(status)) {
        printf("seed %u: %s\n", seed, strsignal(WTERMSIG(status)));
    } else {
        printf("seed %u: exit status %d\n", seed, WEXITSTATUS(status));
    }
    return false;
}

int fuzz_main(int argc, char **argv, void (*prepare)(FuzzRun *run), void (*one)(FuzzRun *run))
{
    int seconds = 0, count = 0;
    gint64 seed = -1;
    const GOptionEntry entries[] = {
        {"seconds", 0, 0, G_OPTION_ARG_INT, &seconds, "stop after this time", "N"},
        {"count", 0, 0, G_OPTION_ARG_INT, &count, "stop after so many cases", "N"},
        {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "of the first case; the next has the next", "N"},
        {0},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) err = NULL;
    FuzzRun run = {0};
    int done = 0, bad = 0;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &err)) {
        fprintf(stderr, "%s\n", err->message);
        return 2;
    }
    if (seconds <= 0 && count <= 0) {
        count = 100;
    }
    if (seed < 0) {
        seed = g_random_int() & 0x7fffffff;
    }
    g_autofree char *folder = g_strdup_printf(
        "%s/emu-fuzz.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir());
    run.folder = g_mkdtemp(folder);
    if (!run.folder) {
        perror(folder);
        return 2;
    }
    if (prepare) {
        prepare(&run);
    }
    gint64 end = g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;
    while ((count <= 0 || done < count) && (seconds <= 0 || g_get_monotonic_time() < end)) {
        bad += !run_case(&run, (guint32)(seed + done), one);
        done++;
    }
    g_autofree char *clean = g_strdup_printf("rm -rf '%s'", run.folder);
    if (system(clean) != 0) {
        perror(clean);
    }
    printf("%s: %d cases from seed %" G_GINT64_FORMAT ", %d bad\n", g_get_prgname(), done, seed,
           bad);
    return bad != 0;
}
