/*
 * forkexec COUNT PROGRAM: fork, exec and wait, one after the other.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 1, bad = 0;

    for (int i = 0; i < count; i++) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            execl(argv[2], argv[2], (char *)NULL);
            _exit(127);
        }
        bad += waitpid(pid, &status, 0) != pid || status != 0;
    }
    printf("%d bad\n", bad);
    return bad != 0;
}
