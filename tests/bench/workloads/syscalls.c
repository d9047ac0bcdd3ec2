/*
 * syscalls COUNT: reads of one byte from /dev/zero and writes of one byte to /dev/null.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 1;
    int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
    long done = 0;
    char byte;

    for (int i = 0; i < count; i++) {
        done += read(zero, &byte, 1);
        done += write(null, &byte, 1);
    }
    printf("%ld\n", done);
    return done != 2L * count;
}
