#!/bin/sh
# Runs once, while the benchmark disk is made: compiles the workloads and makes their data, always the
# same.
# SPDX-License-Identifier: GPL-2.0-or-later
set -e
for source in integer double packed forkexec syscalls; do
    gcc -O2 -o $source $source.c -lm
done
echo 'int main(void) { return 0; }' >true.c
gcc -O2 -static -o true true.c

# Text that compresses as text does, without any file whose version may change.
awk 'BEGIN {
    s = 12345
    while (n < 6000000) {
        s = (s * 1103515245 + 12345) % 2147483648
        w = "w" int(s / 65536) % (s % 3 ? 200 : 5000)
        n += length(w) + 1
        printf "%s%s", w, s % 11 ? " " : "\n"
    }
}' >data

# A large C file: functions with loops, switches, structures and calls of one another.
awk 'BEGIN {
    print "struct node { struct node *next; long key, value[4]; };"
    for (i = 0; i < 80; i++) {
        printf "long f%d(struct node *n, long x, long y)\n{\n", i
        printf "    long sum = x * %d;\n", i + 3
        printf "    for (; n; n = n->next) {\n        switch (n->key %% 7) {\n"
        for (k = 0; k < 7; k++)
            printf "        case %d: sum += n->value[%d] * y - (x >> %d); n->value[%d] ^= sum; break;\n",
                k, k % 4, k + i % 5, (k + i) % 4
        printf "        }\n        if (sum > y)\n            y += sum %% %d;\n    }\n", i + 2
        if (i > 1)
            printf "    if (x & %d)\n        sum += f%d(n, y, sum) ^ f%d(n, sum, x);\n", i, i - 1, int(i / 2)
        printf "    return sum;\n}\n"
    }
}' >large.c
