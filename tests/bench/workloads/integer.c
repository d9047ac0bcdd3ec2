/*
 * An integer mix: sieve, hashing, sorting, a matrix product, string scanning, a small interpreter.
 * Prints a checksum, so that every emulator can be seen to have done the same.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 88172645463325252ull;

static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static uint64_t sieve(void)
{
    static uint8_t composite[4000000];
    uint64_t count = 0;

    memset(composite, 0, sizeof(composite));
    for (size_t i = 2; i < sizeof(composite); i++) {
        if (!composite[i]) {
            count++;
            for (size_t j = i * 2; j < sizeof(composite); j += i) {
                composite[j] = 1;
            }
        }
    }
    return count;
}

static uint64_t hash(void)
{
    static uint32_t table[1 << 16];
    uint64_t found = 0;

    memset(table, 0, sizeof(table));
    for (int i = 0; i < 2000000; i++) {
        uint32_t key = (uint32_t)next() & 0x3ffff;
        uint32_t h = key * 2654435761u >> 16;

        for (int probe = 0; probe < 8; probe++, h = (h + 1) & 0xffff) {
            if (table[h] == key) {
                found++;
                break;
            }
            if (!table[h]) {
                table[h] = key;
                break;
            }
        }
    }
    return found;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static uint64_t sort(void)
{
    static uint32_t data[400000];
    uint64_t sum = 0;
    size_t n = sizeof(data) / sizeof(data[0]);

    for (size_t i = 0; i < n; i++) {
        data[i] = (uint32_t)next();
    }
    qsort(data, n, sizeof(data[0]), compare);
    for (size_t i = 0; i < n; i += 1000) {
        sum = sum * 31 + data[i];
    }
    return sum;
}

static uint64_t matrix(void)
{
    enum { N = 160 };
    static int32_t a[N][N], b[N][N];
    static int64_t c[N][N];
    uint64_t sum = 0;

    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            a[i][j] = (int32_t)next();
            b[i][j] = (int32_t)next();
        }
    }
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++) {
                int64_t total = 0;
                for (int k = 0; k < N; k++) {
                    total += (int64_t)a[i][k] * b[k][j];
                }
                c[i][j] = total;
            }
        }
        a[round][round] += (int32_t)c[round][0];
    }
    for (int i = 0; i < N; i++) {
        sum ^= (uint64_t)c[i][N - 1 - i];
    }
    return sum;
}

static uint64_t scan(void)
{
    static char text[1 << 20];
    uint64_t words = 0, numbers = 0;

    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = "etaoin shrdlu 0123456789\n,."[next() % 27];
    }
    for (int round = 0; round < 12; round++) {
        int in_word = 0;
        for (size_t i = 0; i < sizeof(text); i++) {
            char ch = text[i];
            if (ch >= 'a' && ch <= 'z') {
                words += !in_word;
                in_word = 1;
            } else {
                in_word = 0;
                numbers += ch >= '0' && ch <= '9';
            }
        }
    }
    return words * 1000003 + numbers;
}

/* A byte-code loop: indirect jumps and calls. */
static uint64_t interpret(void)
{
    static const uint8_t program[] = {0, 1, 2, 3, 1, 4, 2, 5, 6, 1, 3, 7};
    uint64_t acc = 1, other = 3;

    for (int i = 0; i < 1500000; i++) {
        for (size_t pc = 0; pc < sizeof(program); pc++) {
            switch (program[pc]) {
            case 0:
                acc += other;
                break;
            case 1:
                acc ^= acc << 7;
                break;
            case 2:
                other = other * 3 + 1;
                break;
            case 3:
                acc -= other >> 3;
                break;
            case 4:
                acc = (acc >> 9) | (acc << 55);
                break;
            case 5:
                if (acc & 1) {
                    other++;
                }
                break;
            case 6: {
                uint64_t t = acc;
                acc = other;
                other = t;
            } break;
            case 7:
                acc %= 0xfffffffffffffc5full;
                break;
            }
        }
    }
    return acc ^ other;
}

int main(void)
{
    uint64_t sum = 0;

    for (int round = 0; round < 3; round++) {
        sum = sum * 31 + sieve();
        sum = sum * 31 + hash();
        sum = sum * 31 + sort();
        sum = sum * 31 + matrix();
        sum = sum * 31 + scan();
        sum = sum * 31 + interpret();
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
