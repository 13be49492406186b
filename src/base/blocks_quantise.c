/* From floats to blocks. A scale that lets the largest number fit is not the best one: a smaller
 * one clips a few numbers and rounds all others finer. So a few scales are tried; for each, the
 * numbers are rounded, and the scale (and offset) that fits the rounded ones best follows by least
 * squares. The best of all is rounded to half precision, and the numbers once more with it.
 *
 * Sums are folded in halves, so that compilers can use vectors without changing any bit. */
#include <math.h>
#include <string.h>

#include "base/blocks_quantise.h"

enum { SMALL = 32, LARGE = 256 };

/* Numbers of a block that are too small for the smallest scale become zeros. */
static const float smallest = 0x1p-24f;

/* Values d q + o with whole q in lo..hi. */
typedef struct levels {
    float lo, hi;
} levels;

typedef struct line {
    float d, o;
} line;

typedef struct sums {
    float q, qq, xq;
} sums;

/* To the nearest whole number, ties to even: v is below 2^22. */
static inline float nearest(float v)
{
    const float shift = 0x1.8p23f;
    return (v + shift) - shift;
}

static inline float round_into(float v, levels l)
{
    const float low = v > l.lo ? v : l.lo;
    return nearest(low < l.hi ? low : l.hi);
}

/* The sum of t [16 or 32], which is overwritten. */
static inline float fold(float *t, int n)
{
    for (int i = 0; i < 16 && n == 32; i++) {
        t[i] += t[i + 16];
    }
    for (int i = 0; i < 8; i++) {
        t[i] += t[i + 8];
    }
    for (int i = 0; i < 4; i++) {
        t[i] += t[i + 4];
    }
    return (t[0] + t[2]) + (t[1] + t[3]);
}

/* q_i = round((x_i - o) inverse), and the sums over them that a least-squares fit needs. */
static inline sums sums_of(const float *x, int n, float inverse, float o, levels l)
{
    float q[SMALL];
    float qq[SMALL];
    float xq[SMALL];
    for (int i = 0; i < n; i++) {
        q[i] = round_into((x[i] - o) * inverse, l);
        qq[i] = q[i] * q[i];
        xq[i] = x[i] * q[i];
    }
    return (sums){.q = fold(q, n), .qq = fold(qq, n), .xq = fold(xq, n)};
}

static inline float error_of(const float *x, int n, line f, levels l)
{
    const float inverse = f.d != 0 ? 1 / f.d : 0;
    float e[SMALL];
    for (int i = 0; i < n; i++) {
        const float q = round_into((x[i] - f.o) * inverse, l);
        e[i] = x[i] - (f.d * q + f.o);
        e[i] *= e[i];
    }
    return fold(e, n);
}

static float half(float x)
{
    return mdf_f16_to_float(mdf_f16_from_float(x));
}

static void store_half(uint8_t *p, float x)
{
    const uint16_t h = mdf_f16_from_float(x);
    p[0] = (uint8_t)(h & 255U);
    p[1] = (uint8_t)(h >> 8);
}

static void round_all(const float *x, int n, line f, levels l, uint8_t *q)
{
    const float inverse = f.d != 0 ? 1 / f.d : 0;
    for (int i = 0; i < n; i++) {
        q[i] = (uint8_t)(int)(round_into((x[i] - f.o) * inverse, l) - l.lo);
    }
}

/* --- x ~ d q --- */

/* Where the largest number is put, in levels. There is one more of them on the negative side, so
 * the sign of the scale matters, too. */
static const float reach_4[] = {-7.0f, -7.35f, -7.7f, -8.05f, -8.4f, -8.75f, -9.1f, -9.45f};
static const float reach_5[] = {-15.2f, -15.6f, -16.0f, -16.4f, -16.8f, 15.0f, 15.4f, 15.8f};
static const float reach_6[] = {-31.2f, -31.8f, -32.4f, -33.0f, -33.6f, 30.4f, 31.0f, 31.6f, 32.2f};

enum { REACHES_4 = 8, REACHES_5 = 8, REACHES_6 = 9 };

static inline float best_scale(const float *x, int n, levels l, const float *reach, int reaches)
{
    float largest = 0;
    for (int i = 0; i < n; i++) {
        largest = fabsf(x[i]) > fabsf(largest) ? x[i] : largest;
    }
    if (fabsf(largest) < smallest) {
        return 0;
    }
    float best = largest / reach[0];
    float gain = 0; /* how much of the sum of squares the fit explains */
    for (int k = 0; k < reaches; k++) {
        const sums s = sums_of(x, n, reach[k] / largest, 0, l);
        if (s.xq * s.xq > gain * s.qq) {
            gain = s.xq * s.xq / s.qq;
            best = s.xq / s.qq;
        }
    }
    const sums s = sums_of(x, n, 1 / best, 0, l);
    return s.qq > 0 ? s.xq / s.qq : best;
}

/* --- x ~ d q + o --- */

/* The line through (q, y) by least squares, y >= 0 being the numbers less their minimum; o <= most.
 * d = 0 where no line fits. */
static inline line fit(sums s, float y, float n, float most)
{
    const float det = n * s.qq - s.q * s.q;
    line f = {0, most};
    if (det > 0) {
        f.d = (n * s.xq - y * s.q) / det;
        f.o = (y - f.d * s.q) / n;
    }
    if (f.o >= most) {
        f.o = most;
        f.d = s.qq > 0 ? (s.xq - most * s.q) / s.qq : 0;
    }
    return f;
}

/* Sum of (y - d q - o)^2 less the sum of y^2. */
static inline float error_of_fit(sums s, float y, float n, line f)
{
    return f.d * (f.d * s.qq + 2 * (f.o * s.q - s.xq)) + f.o * (n * f.o - 2 * y);
}

/* Both ends of the range are drawn in by up to four steps of 0.6 levels. most is the largest offset
 * allowed: 0, or infinity. */
static inline line best_line(const float x[SMALL], levels l, float most)
{
    float low = x[0] < most ? x[0] : most;
    float high = low;
    for (int i = 0; i < SMALL; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    float y[SMALL];
    float copy[SMALL];
    for (int i = 0; i < SMALL; i++) {
        y[i] = x[i] - low;
        copy[i] = y[i];
    }
    const float range = high - low;
    if (range < smallest) {
        return (line){0, low};
    }
    const float sum = fold(copy, SMALL);
    const float step = 0.6f * range / l.hi;
    line best = {range / l.hi, 0};
    float least = INFINITY;
    for (int k = 0; k < 25; k++) {
        const int below = k / 5; /* steps at either end */
        const int above = k % 5;
        const float o = (float)below * step;
        const float d = (range - (float)above * step - o) / l.hi;
        const sums s = sums_of(y, SMALL, 1 / d, o, l);
        const line f = fit(s, sum, SMALL, most - low);
        const float error = error_of_fit(s, sum, SMALL, f);
        if (f.d > 0 && error < least) {
            least = error;
            best = f;
        }
    }
    const line f = fit(sums_of(y, SMALL, 1 / best.d, best.o, l), sum, SMALL, most - low);
    best = f.d > 0 ? f : best;
    return (line){best.d, low + best.o};
}

/* --- blocks of 32 --- */

/* nibbles [16] and, where high is not NULL, one more bit of each number in high [4]. */
static void pack_small(const uint8_t q[SMALL], uint8_t *nibbles, uint8_t *high)
{
    for (int i = 0; i < SMALL / 2; i++) {
        nibbles[i] = (uint8_t)((q[i] & 15) | (q[i + SMALL / 2] & 15) << 4);
    }
    for (int i = 0; i < SMALL && high != NULL; i++) {
        high[i / 8] = (uint8_t)((i % 8 == 0 ? 0 : high[i / 8]) | (q[i] >> 4) << (i % 8));
    }
}

bool mdf_quantise_q8_0(const float *x, uint8_t *p)
{
    const levels l = {-127, 127};
    float largest = 0;
    for (int i = 0; i < SMALL; i++) {
        largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    }
    const float d = half(largest / 127);
    const float inverse = d > 0 ? 1 / d : 0;
    store_half(p, d);
    for (int i = 0; i < SMALL; i++) {
        p[2 + i] = (uint8_t)(int)round_into(x[i] * inverse, l);
    }
    return isfinite(d);
}

bool mdf_quantise_q4_0(const float *x, uint8_t *p)
{
    const levels l = {-8, 7};
    const float d = half(best_scale(x, SMALL, l, reach_4, REACHES_4));
    uint8_t q[SMALL];
    round_all(x, SMALL, (line){d, 0}, l, q);
    store_half(p, d);
    pack_small(q, p + 2, NULL);
    return isfinite(d);
}

bool mdf_quantise_q5_0(const float *x, uint8_t *p)
{
    const levels l = {-16, 15};
    const float d = half(best_scale(x, SMALL, l, reach_5, REACHES_5));
    uint8_t q[SMALL];
    round_all(x, SMALL, (line){d, 0}, l, q);
    store_half(p, d);
    pack_small(q, p + 6, p + 2);
    return isfinite(d);
}

static bool q45_1(const float *x, levels l, uint8_t *p, uint8_t *high, uint8_t *nibbles)
{
    line f = best_line(x, l, INFINITY);
    f = (line){half(f.d), half(f.o)};
    uint8_t q[SMALL];
    round_all(x, SMALL, f, l, q);
    store_half(p, f.d);
    store_half(p + 2, f.o);
    pack_small(q, nibbles, high);
    return isfinite(f.d) && isfinite(f.o);
}

bool mdf_quantise_q4_1(const float *x, uint8_t *p)
{
    return q45_1(x, (levels){0, 15}, p, NULL, p + 4);
}

bool mdf_quantise_q5_1(const float *x, uint8_t *p)
{
    return q45_1(x, (levels){0, 31}, p, p + 4, p + 8);
}

/* --- blocks of 256 --- */

/* The whole multiple of unit nearest to v, 0..63; unit may be 0. */
static int multiple(float v, float unit)
{
    return unit > 0 ? (int)round_into(v / unit, (levels){0, 63}) : 0;
}

static void pack_scales(const int scale[8], const int minimum[8], uint8_t *packed)
{
    for (int j = 0; j < 4; j++) {
        packed[j] = (uint8_t)(scale[j] | (scale[4 + j] >> 4) << 6);
        packed[4 + j] = (uint8_t)(minimum[j] | (minimum[4 + j] >> 4) << 6);
        packed[8 + j] = (uint8_t)((scale[4 + j] & 15) | (minimum[4 + j] & 15) << 4);
    }
}

/* Scale and minimum of a sub-block are multiples of the block's: of the nearest ones and their
 * neighbours, those with the smallest error. */
static void choose_multiples(const float *x, levels l, line unit, int *scale, int *minimum)
{
    const int s = *scale;
    const int m = *minimum;
    float least = INFINITY;
    for (int k = 0; k < 9; k++) {
        const int sk = s + k / 3 - 1;
        const int mk = m + k % 3 - 1;
        if (sk < 0 || sk > 63 || mk < 0 || mk > 63) {
            continue;
        }
        const float error =
            error_of(x, SMALL, (line){unit.d * (float)sk, -(unit.o * (float)mk)}, l);
        if (error < least) {
            least = error;
            *scale = sk;
            *minimum = mk;
        }
    }
}

static bool q45_k(const float *x, levels l, uint8_t *p, uint8_t *high, uint8_t *nibbles)
{
    line best[8];
    line unit = {0, 0};
    for (int j = 0; j < 8; j++) {
        best[j] = best_line(x + SMALL * j, l, 0);
        unit.d = best[j].d > unit.d ? best[j].d : unit.d;
        unit.o = -best[j].o > unit.o ? -best[j].o : unit.o;
    }
    unit = (line){half(unit.d / 63), half(unit.o / 63)};
    if (!isfinite(unit.d) || !isfinite(unit.o)) {
        return false;
    }
    int scale[8];
    int minimum[8];
    memset(nibbles, 0, LARGE / 2);
    for (int j = 0; j < 8; j++) {
        scale[j] = multiple(best[j].d, unit.d);
        minimum[j] = multiple(-best[j].o, unit.o);
        choose_multiples(x + SMALL * j, l, unit, &scale[j], &minimum[j]);
        const line f = {unit.d * (float)scale[j], -(unit.o * (float)minimum[j])};
        uint8_t q[SMALL];
        round_all(x + SMALL * j, SMALL, f, l, q);
        for (int i = 0; i < SMALL; i++) {
            nibbles[SMALL * (j / 2) + i] |= (uint8_t)((q[i] & 15) << (j % 2 * 4));
            if (high != NULL) {
                high[i] = (uint8_t)((j == 0 ? 0 : high[i]) | (q[i] >> 4) << j);
            }
        }
    }
    store_half(p, unit.d);
    store_half(p + 2, unit.o);
    pack_scales(scale, minimum, p + 4);
    return true;
}

bool mdf_quantise_q4_k(const float *x, uint8_t *p)
{
    return q45_k(x, (levels){0, 15}, p, NULL, p + 16);
}

bool mdf_quantise_q5_k(const float *x, uint8_t *p)
{
    return q45_k(x, (levels){0, 31}, p, p + 16, p + 48);
}

/* The best of the nearest whole scale and its two neighbours. */
static int choose_scale(const float *x, levels l, float unit, float wanted)
{
    const int nearest_one = (int)round_into(wanted / unit, (levels){-128, 127});
    int scale = nearest_one;
    float least = INFINITY;
    for (int s = nearest_one - 1; s <= nearest_one + 1; s++) {
        const float error = error_of(x, SMALL / 2, (line){unit * (float)s, 0}, l);
        if (s >= -128 && s <= 127 && error < least) {
            least = error;
            scale = s;
        }
    }
    return scale;
}

bool mdf_quantise_q6_k(const float *x, uint8_t *p)
{
    const levels l = {-32, 31};
    float best[16];
    float unit = 0;
    for (int j = 0; j < 16; j++) {
        best[j] = best_scale(x + 16 * j, 16, l, reach_6, REACHES_6);
        unit = fabsf(best[j]) > unit ? fabsf(best[j]) : unit;
    }
    unit = half(unit / 127);
    uint8_t q[LARGE];
    for (int j = 0; j < 16; j++) {
        const int s = unit > 0 && isfinite(unit) ? choose_scale(x + 16 * j, l, unit, best[j]) : 0;
        round_all(x + 16 * j, 16, (line){unit * (float)s, 0}, l, q + 16 * j);
        p[192 + j] = (uint8_t)s;
    }
    for (int i = 0; i < LARGE / 4; i++) {
        const uint8_t *u = q + 128 * (i / 32) + i % 32;
        p[128 + i] =
            (uint8_t)(u[0] >> 4 | (u[32] >> 4) << 2 | (u[64] >> 4) << 4 | (u[96] >> 4) << 6);
        p[64 * (i / 32) + i % 32] = (uint8_t)((u[0] & 15) | (u[64] & 15) << 4);
        p[64 * (i / 32) + i % 32 + 32] = (uint8_t)((u[32] & 15) | (u[96] & 15) << 4);
    }
    store_half(p + 208, unit);
    return isfinite(unit);
}
