/*
 * Scalar double: a Mandelbrot set and a Newton iteration, in SSE2 scalar arithmetic.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <math.h>
#include <stdio.h>

static long mandelbrot(int size)
{
    long total = 0;

    for (int py = 0; py < size; py++) {
        for (int px = 0; px < size; px++) {
            double cx = px * 3.0 / size - 2.0, cy = py * 3.0 / size - 1.5, x = 0, y = 0;
            int n = 0;

            while (n < 200 && x * x + y * y < 4.0) {
                double t = x * x - y * y + cx;
                y = 2.0 * x * y + cy;
                x = t;
                n++;
            }
            total += n;
        }
    }
    return total;
}

int main(void)
{
    double sum = 0;

    for (int i = 1; i < 8000000; i++) {
        double v = i, r = v;
        for (int k = 0; k < 6; k++) {
            r = 0.5 * (r + v / r);
        }
        sum += r;
    }
    printf("%ld %.9g\n", mandelbrot(1600), sum);
    return 0;
}
