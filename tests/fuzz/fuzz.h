/*
 * What the fuzzers share: --seconds N, --seed N, --count N, and a random number generator.
 *
 * Each case runs in a child process, so that a crash or a sanitizer's report ends that case alone;
 * the seed printed with it makes it happen again (--seed N --count 1). SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <glib.h>

typedef struct FuzzRun {
    GRand *rand;
    const char *folder; /* scratch, on a tmpfs where there is one */
} FuzzRun;

/* Runs ONE with new random numbers until time or count is up; the program's exit status. ONE must
 * end within 20 seconds. */
int fuzz_main(int argc, char **argv, void (*prepare)(FuzzRun *run), void (*one)(FuzzRun *run));

/* A number that is likely to matter: small, a power of two and its neighbours, or any. */
guint64 fuzz_number(GRand *rand);

#endif
