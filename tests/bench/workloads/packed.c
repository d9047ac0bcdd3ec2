/*
 * Packed SSE2: single and double arithmetic, shuffles and integer SIMD on arrays that fit the L2
 * cache. SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <emmintrin.h>
#include <stdint.h>
#include <stdio.h>

enum { N = 4096 };
static float a[N] __attribute__((aligned(16))), b[N] __attribute__((aligned(16)));
static double c[N] __attribute__((aligned(16)));
static uint16_t d[N] __attribute__((aligned(16)));

int main(void)
{
    for (int i = 0; i < N; i++) {
        a[i] = (float)i / N;
        b[i] = 1.0f - a[i] / 2;
        c[i] = a[i] + 1.0;
        d[i] = (uint16_t)(i * 40503u);
    }
    for (int round = 0; round < 36000; round++) {
        __m128 k = _mm_set1_ps(0.999f), one = _mm_set1_ps(0.001f);
        for (int i = 0; i < N; i += 4) {
            __m128 x = _mm_load_ps(a + i), y = _mm_load_ps(b + i);
            x = _mm_add_ps(_mm_mul_ps(x, k), _mm_mul_ps(y, one));
            y = _mm_max_ps(_mm_sub_ps(y, _mm_mul_ps(x, one)), one);
            _mm_store_ps(a + i, _mm_shuffle_ps(x, x, _MM_SHUFFLE(2, 1, 0, 3)));
            _mm_store_ps(b + i, y);
        }
        __m128d kd = _mm_set1_pd(0.5);
        for (int i = 0; i < N; i += 2) {
            __m128d x = _mm_load_pd(c + i);
            _mm_store_pd(c + i, _mm_add_pd(_mm_mul_pd(x, kd), _mm_div_pd(kd, x)));
        }
        for (int i = 0; i < N; i += 8) {
            __m128i x = _mm_load_si128((__m128i *)(d + i));
            x = _mm_add_epi16(_mm_mullo_epi16(x, _mm_set1_epi16(5)), _mm_srli_epi16(x, 3));
            _mm_store_si128((__m128i *)(d + i), _mm_xor_si128(x, _mm_slli_epi32(x, 7)));
        }
    }
    double sum = 0;
    for (int i = 0; i < N; i++) {
        sum += a[i] + b[i] + c[i] + d[i];
    }
    printf("%.9g\n", sum);
    return 0;
}
