/*
 * AES-NI, SHA and carry-less multiplication (FIPS 197, FIPS 180-4, SDM 2).
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/portable/impl.h"

/* ---- AES: byte R + 4 * C of the vector is row R, column C of the state ---- */

static const uint8_t s_box[256] = {
    0x63, 0x7c, 0x77, 0x7b, 0xf2, 0x6b, 0x6f, 0xc5, 0x30, 0x01, 0x67, 0x2b, 0xfe, 0xd7, 0xab, 0x76,
    0xca, 0x82, 0xc9, 0x7d, 0xfa, 0x59, 0x47, 0xf0, 0xad, 0xd4, 0xa2, 0xaf, 0x9c, 0xa4, 0x72, 0xc0,
    0xb7, 0xfd, 0x93, 0x26, 0x36, 0x3f, 0xf7, 0xcc, 0x34, 0xa5, 0xe5, 0xf1, 0x71, 0xd8, 0x31, 0x15,
    0x04, 0xc7, 0x23, 0xc3, 0x18, 0x96, 0x05, 0x9a, 0x07, 0x12, 0x80, 0xe2, 0xeb, 0x27, 0xb2, 0x75,
    0x09, 0x83, 0x2c, 0x1a, 0x1b, 0x6e, 0x5a, 0xa0, 0x52, 0x3b, 0xd6, 0xb3, 0x29, 0xe3, 0x2f, 0x84,
    0x53, 0xd1, 0x00, 0xed, 0x20, 0xfc, 0xb1, 0x5b, 0x6a, 0xcb, 0xbe, 0x39, 0x4a, 0x4c, 0x58, 0xcf,
    0xd0, 0xef, 0xaa, 0xfb, 0x43, 0x4d, 0x33, 0x85, 0x45, 0xf9, 0x02, 0x7f, 0x50, 0x3c, 0x9f, 0xa8,
    0x51, 0xa3, 0x40, 0x8f, 0x92, 0x9d, 0x38, 0xf5, 0xbc, 0xb6, 0xda, 0x21, 0x10, 0xff, 0xf3, 0xd2,
    0xcd, 0x0c, 0x13, 0xec, 0x5f, 0x97, 0x44, 0x17, 0xc4, 0xa7, 0x7e, 0x3d, 0x64, 0x5d, 0x19, 0x73,
    0x60, 0x81, 0x4f, 0xdc, 0x22, 0x2a, 0x90, 0x88, 0x46, 0xee, 0xb8, 0x14, 0xde, 0x5e, 0x0b, 0xdb,
    0xe0, 0x32, 0x3a, 0x0a, 0x49, 0x06, 0x24, 0x5c, 0xc2, 0xd3, 0xac, 0x62, 0x91, 0x95, 0xe4, 0x79,
    0xe7, 0xc8, 0x37, 0x6d, 0x8d, 0xd5, 0x4e, 0xa9, 0x6c, 0x56, 0xf4, 0xea, 0x65, 0x7a, 0xae, 0x08,
    0xba, 0x78, 0x25, 0x2e, 0x1c, 0xa6, 0xb4, 0xc6, 0xe8, 0xdd, 0x74, 0x1f, 0x4b, 0xbd, 0x8b, 0x8a,
    0x70, 0x3e, 0xb5, 0x66, 0x48, 0x03, 0xf6, 0x0e, 0x61, 0x35, 0x57, 0xb9, 0x86, 0xc1, 0x1d, 0x9e,
    0xe1, 0xf8, 0x98, 0x11, 0x69, 0xd9, 0x8e, 0x94, 0x9b, 0x1e, 0x87, 0xe9, 0xce, 0x55, 0x28, 0xdf,
    0x8c, 0xa1, 0x89, 0x0d, 0xbf, 0xe6, 0x42, 0x68, 0x41, 0x99, 0x2d, 0x0f, 0xb0, 0x54, 0xbb, 0x16,
};

static uint8_t s_box_inverse(uint8_t v)
{
    unsigned i = 0;

    while (s_box[i] != v) {
        i++;
    }
    return (uint8_t)i;
}

/* In the field of polynomials modulo x^8 + x^4 + x^3 + x + 1. */
static uint8_t field_mul(uint8_t a, uint8_t b)
{
    uint8_t r = 0;

    for (; b; b >>= 1) {
        r ^= b & 1 ? a : 0;
        a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1b : 0));
    }
    return r;
}

/* Row R moves by R columns: left, or right for the inverse. */
static X86Vec shift_rows(const X86Vec *s, bool inverse)
{
    X86Vec d;

    for (unsigned r = 0; r < 4; r++) {
        for (unsigned col = 0; col < 4; col++) {
            d.b[r + 4 * col] = s->b[r + 4 * ((col + (inverse ? 4 - r : r)) & 3)];
        }
    }
    return d;
}

static X86Vec mix_columns(const X86Vec *s, bool inverse)
{
    static const uint8_t factors[2][4] = {{2, 3, 1, 1}, {14, 11, 13, 9}};
    X86Vec d;

    for (unsigned i = 0; i < 16; i++) {
        d.b[i] = 0;
        for (unsigned k = 0; k < 4; k++) {
            d.b[i] ^= field_mul(s->b[(i & 12) + k], factors[inverse][(k - i) & 3]);
        }
    }
    return d;
}

static void aes_round(X86Vec *d, const X86Vec *key, bool inverse, bool last)
{
    X86Vec v = shift_rows(d, inverse);

    for (unsigned i = 0; i < 16; i++) {
        v.b[i] = inverse ? s_box_inverse(v.b[i]) : s_box[v.b[i]];
    }
    if (!last) {
        v = mix_columns(&v, inverse);
    }
    d->q[0] = v.q[0] ^ key->q[0];
    d->q[1] = v.q[1] ^ key->q[1];
}

#define AES(name, inverse, last)                                                                   \
    static void name(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)                         \
    {                                                                                              \
        (void)n, (void)imm;                                                                        \
        aes_round(d, s, inverse, last);                                                            \
    }

AES(aesenc, false, false)
AES(aesenclast, false, true)
AES(aesdec, true, false)
AES(aesdeclast, true, true)

static void aesimc(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    (void)n, (void)imm;
    *d = mix_columns(s, true);
}

static void aeskeygenassist(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    X86Vec v = *s;

    for (unsigned i = 0; i < n; i++) {
        v.b[i] = s_box[v.b[i]];
    }
    for (unsigned i = 0; i < 2; i++) {
        uint32_t word = v.d[2 * i + 1];
        d->d[2 * i] = word;
        d->d[2 * i + 1] = (word >> 8 | word << 24) ^ imm;
    }
}

/* ---- SHA ---- */

static uint32_t rol(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static uint32_t choose(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) ^ (~x & z);
}

static uint32_t majority(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) ^ (x & z) ^ (y & z);
}

static void sha1nexte(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    uint32_t e = rol(d->d[3], 30);

    (void)n, (void)imm;
    *d = *s;
    d->d[3] += e;
}

static void sha1msg1(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    (void)n, (void)imm;
    *d =
        (X86Vec){.d = {s->d[2] ^ d->d[0], s->d[3] ^ d->d[1], d->d[0] ^ d->d[2], d->d[1] ^ d->d[3]}};
}

static void sha1msg2(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    (void)n, (void)imm;
    d->d[3] = rol(d->d[3] ^ s->d[2], 1);
    d->d[2] = rol(d->d[2] ^ s->d[1], 1);
    d->d[1] = rol(d->d[1] ^ s->d[0], 1);
    d->d[0] = rol(d->d[0] ^ d->d[3], 1);
}

/* A B C D from lane 3 down; E comes added to the first word. */
static void sha1rnds4(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    static const uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t a = d->d[3], b = d->d[2], c = d->d[1], e = 0;
    uint32_t dd = d->d[0];

    (void)n;
    imm &= 3;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t f = imm == 0 ? choose(b, c, dd) : imm == 2 ? majority(b, c, dd) : b ^ c ^ dd;
        uint32_t next = f + rol(a, 5) + s->d[3 - i] + e + constants[imm];
        e = dd;
        dd = c;
        c = rol(b, 30);
        b = a;
        a = next;
    }
    *d = (X86Vec){.d = {dd, c, b, a}};
}

static uint32_t small_sigma(uint32_t v, unsigned r1, unsigned r2, unsigned shift)
{
    return rol(v, 32 - r1) ^ rol(v, 32 - r2) ^ v >> shift;
}

static uint32_t big_sigma(uint32_t v, unsigned r1, unsigned r2, unsigned r3)
{
    return rol(v, 32 - r1) ^ rol(v, 32 - r2) ^ rol(v, 32 - r3);
}

static void sha256msg1(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    (void)n, (void)imm;
    for (unsigned i = 0; i < 4; i++) {
        d->d[i] += small_sigma(i < 3 ? d->d[i + 1] : s->d[0], 7, 18, 3);
    }
}

static void sha256msg2(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    (void)n, (void)imm;
    for (unsigned i = 0; i < 4; i++) {
        d->d[i] += small_sigma(i < 2 ? s->d[i + 2] : d->d[i - 2], 17, 19, 10);
    }
}

/* Two rounds, with the words and constants already added up in XMM0. */
static int sha256rnds2(PortableCtx *ctx)
{
    X86Vec cdgh = portable_get_vec_reg(ctx), abef = portable_get_vec_rm(ctx);
    uint32_t a = abef.d[3], b = abef.d[2], c = cdgh.d[3], d = cdgh.d[2];
    uint32_t e = abef.d[1], f = abef.d[0], g = cdgh.d[1], h = cdgh.d[0];

    for (unsigned i = 0; i < 2; i++) {
        uint32_t t = choose(e, f, g) + big_sigma(e, 6, 11, 25) + ctx->st->xmm[0].d[i] + h;
        h = g;
        g = f;
        f = e;
        e = d + t;
        d = c;
        t += majority(a, b, c) + big_sigma(a, 2, 13, 22);
        c = b;
        b = a;
        a = t;
    }
    X86Vec result = {.d = {f, e, b, a}};
    portable_set_vec_reg(ctx, &result);
    return PORTABLE_OK;
}

/* ---- carry-less multiplication: bits 0 and 4 choose the quadwords ---- */

static void pclmulqdq(X86Vec *d, const X86Vec *s, unsigned n, unsigned imm)
{
    uint64_t a = d->q[imm & 1], b = s->q[imm >> 4 & 1];
    unsigned __int128 r = 0;

    (void)n;
    for (unsigned i = 0; i < 64; i++) {
        r ^= b >> i & 1 ? (unsigned __int128)a << i : 0;
    }
    *d = (X86Vec){.q = {(uint64_t)r, (uint64_t)(r >> 64)}};
}

#define ROW(name)                                                                                  \
    {                                                                                              \
#name, .fn = portable_run_lanes, .lanes = name                                             \
    }

/* clang-format off */
const PortableEntry portable_crypto[] = {
    ROW(aesenc), ROW(aesenclast), ROW(aesdec), ROW(aesdeclast), ROW(aesimc), ROW(aeskeygenassist),
    ROW(sha1nexte), ROW(sha1msg1), ROW(sha1msg2), ROW(sha1rnds4), ROW(sha256msg1), ROW(sha256msg2),
    {"sha256rnds2", .fn = sha256rnds2},
    ROW(pclmulqdq),
    {0},
};
