/* AdamW with moments of eight bits (kernel/moment_code.h), a vector at a time. Codes become numbers
 * and numbers codes by arithmetic, with tables of eight that stay in registers: a code's decade is
 * the exponent of its place, and a number's decade nearly that of its exponent. All but codes of
 * numbers in the middle between two has the same bits as kernel/ref/adamw_8bit.c. */
#ifndef MDF_KERNEL_SIMD_SIMD_MOMENTS_H
#define MDF_KERNEL_SIMD_SIMD_MOMENTS_H

#include <float.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/moment_code.h"
#include "kernel/simd/vector_bits.h"

/* What a kind of codes is made of: tables of eight, by decade. */
typedef struct moment_tables {
    float slope[8], first[8]; /* at the exponent of the code's place, less one */
    float edge[8];            /* where the decades begin, and behind them 1 */
    float scale[8], begin[8]; /* at the decade, counted from 1; that of 1 is the eighth, at 0 */
} moment_tables;

#define SLOPE(f, p, n) MDF_MOMENT_SLOPE(p, (f) * (n))
#define FIRST(f, p, n) MDF_MOMENT_FIRST(p, (f) * (n))
/* The complement of a number's place lies on a falling line. */
#define SCALE(f, p, n) ((float)(-(f) * (n) / (0.9 * (p))))
#define BEGIN(f, p, n) ((float)(-(f) * (n)*8 / 9 - 1))
/* The middle between the last part of the decade below and the first of this one. */
#define EDGE(f, p, n)                                                                              \
    ((float)((MDF_MOMENT_LAST((p) / 10, (f) * (n) / 2) + (p) * (0.1 + 0.45 / ((f) * (n)))) / 2))
#define SIX(OF, f)                                                                                 \
    OF(f, 1e-5, 2.0), OF(f, 1e-4, 4.0), OF(f, 1e-3, 8.0), OF(f, 1e-2, 16.0), OF(f, 1e-1, 32.0),    \
        OF(f, 1.0, 64.0)
#define EDGES(f)                                                                                   \
    FIRST(f, 1e-6, 1.0) / 2, SIX(EDGE, f), (float)((MDF_MOMENT_LAST(1.0, (f)*64.0) + 1) / 2)

static const moment_tables signed_codes = {
    .slope = {SIX(SLOPE, 1), 0, SLOPE(1, 1e-6, 1.0)},
    .first = {SIX(FIRST, 1), 1, FIRST(1, 1e-6, 1.0)},
    .edge = {EDGES(1)},
    .scale = {0, SCALE(1, 1e-6, 1.0), SIX(SCALE, 1)},
    .begin = {-129, BEGIN(1, 1e-6, 1.0), SIX(BEGIN, 1)},
};
static const moment_tables unsigned_codes = {
    .slope = {SLOPE(2, 1e-6, 1.0), SIX(SLOPE, 2), 0},
    .first = {FIRST(2, 1e-6, 1.0), SIX(FIRST, 2), 1},
    .edge = {EDGES(2)},
    .scale = {0, SCALE(2, 1e-6, 1.0), SIX(SCALE, 2)},
    .begin = {-257, BEGIN(2, 1e-6, 1.0), SIX(BEGIN, 2)},
};

#undef SLOPE
#undef FIRST
#undef SCALE
#undef BEGIN
#undef EDGE
#undef SIX
#undef EDGES

/* The numbers at places that are counted as kernel/moment_code.h says, below zero for negative
 * ones. A place's power of two is its sign and exponent, of which a table of eight sees the lowest
 * three bits; the bias of 127 makes them one less. */
static inline vec place_value(vec place, const moment_tables *t)
{
    const words bits = words_of_bits(place);
    const words e = words_exponent(bits);
    const words sign = words_and(bits, words_all(INT32_MIN));
    const vec power = vec_of_bits(words_and(bits, words_all((int32_t)0xff800000U)));
    const words first = words_of_bits(vec_lookup(vec_table(t->first), e));
    return vec_fma(vec_sub(place, power), vec_lookup(vec_table(t->slope), e),
                   vec_of_bits(words_xor(first, sign)));
}

static inline vec signed_value(words code)
{
    const vec place = words_to_vec(words_sub(code, words_all(MDF_MOMENT_ZERO)));
    const vec value = place_value(place, &signed_codes);
    return vec_keep(vec_below(vec_all(0), vec_size(place)), value);
}

static inline vec unsigned_value(words code)
{
    const vec place = words_to_vec(words_add(code, words_all(1)));
    return vec_keep(vec_below(vec_all(1), place), place_value(place, &unsigned_codes));
}

/* The complement of the place nearest to x, 0 to 1. A float's upper half grows nearly as its
 * logarithm: a line through it finds the decade or the one below (test_moments.c tries all that
 * lies around an edge), and the edge between them decides. first is minus the place where the first
 * decade begins; a number before it gets the place before. */
static inline words place_below(vec x, const moment_tables *t, int first)
{
    const words low = words_line(words_of_bits(x), 13236, 164);
    const words decade = words_next(low, vec_at_most(vec_lookup(vec_table(t->edge), low), x));
    const words place = words_cut(vec_fma(x, vec_lookup(vec_table(t->scale), decade),
                                          vec_lookup(vec_table(t->begin), decade)));
    return words_max(place, words_shift(words_all(first), decade));
}

/* There is no code for -1, and a negative number does not get that of 0. */
static inline words signed_code(vec m, vec inverse)
{
    const words place = place_below(vec_size(vec_mul(m, inverse)), &signed_codes, -1);
    const words up = words_sub(words_all(MDF_MOMENT_ZERO - 1), place);
    const words down = words_max(words_add(place, words_all(MDF_MOMENT_ZERO + 1)), words_all(0));
    return words_pick(vec_below(m, vec_all(0)), words_min(down, words_all(MDF_MOMENT_ZERO - 1)),
                      up);
}

static inline words unsigned_code(vec v, vec inverse)
{
    return words_sub(words_all(-2), place_below(vec_mul(v, inverse), &unsigned_codes, -2));
}

/* The largest number of a vector, 0 if it is not a normal float. */
static float largest_of(vec a)
{
    float x[VEC];
    float most = 0;
    vec_store(x, a);
    for (int i = 0; i < VEC; i++) {
        most = x[i] > most ? x[i] : most;
    }
    return most < FLT_MIN ? 0 : most;
}

/* New moments m, v [MDF_MOMENT_BLOCK], and the step of w. */
static void moment_step(float *w, float *m, float *v, const mdf_moments_8bit *s, const float *g,
                        const mdf_adamw_step *a)
{
    const vec beta1 = vec_all(a->beta1 * *s->m_max);
    const vec beta2 = vec_all(a->beta2 * *s->v_max);
    const vec rest1 = vec_all(1.0f - a->beta1);
    const vec rest2 = vec_all(1.0f - a->beta2);
    const vec keep = vec_all(1.0f - a->decay);
    vec m_most = vec_all(0);
    vec v_most = vec_all(0);
    for (int i = 0; i < MDF_MOMENT_BLOCK; i += VEC) {
        const vec gi = vec_mul(vec_load(g + i), vec_all(a->grad_scale));
        const vec m_old = signed_value(words_of_bytes(s->m + i));
        const vec v_old = unsigned_value(words_of_bytes(s->v + i));
        const vec m_new = vec_add(vec_mul(beta1, m_old), vec_mul(rest1, gi));
        const vec v_new = vec_add(vec_mul(beta2, v_old), vec_mul(vec_mul(rest2, gi), gi));
        const vec_mask good = mask_and(vec_at_most(vec_size(m_new), vec_all(FLT_MAX)),
                                       vec_at_most(v_new, vec_all(FLT_MAX)));
        const vec root = vec_mul(vec_sqrt(v_new), vec_all(a->inv_sqrt_c2));
        const vec move =
            vec_div(vec_mul(vec_all(a->step_size), m_new), vec_add(root, vec_all(a->eps)));
        const vec old = vec_load(w + i);
        vec_store(w + i, vec_pick(good, vec_sub(vec_mul(old, keep), move), old));
        vec_store(m + i, vec_keep(good, m_new));
        vec_store(v + i, vec_keep(good, v_new));
        m_most = vec_max(vec_size(vec_keep(good, m_new)), m_most);
        v_most = vec_max(vec_keep(good, v_new), v_most);
    }
    *s->m_max = largest_of(m_most);
    *s->v_max = largest_of(v_most);
}

static void moment_block(float *w, const mdf_moments_8bit *s, const float *g,
                         const mdf_adamw_step *a)
{
    float m[MDF_MOMENT_BLOCK];
    float v[MDF_MOMENT_BLOCK];
    moment_step(w, m, v, s, g, a);
    if (*s->m_max > 0) {
        const vec inverse = vec_all(1 / *s->m_max);
        for (int i = 0; i < MDF_MOMENT_BLOCK; i += VEC) {
            words_to_bytes(s->m + i, signed_code(vec_load(m + i), inverse));
        }
    } else {
        memset(s->m, MDF_MOMENT_ZERO, MDF_MOMENT_BLOCK);
    }
    if (*s->v_max > 0) {
        const vec inverse = vec_all(1 / *s->v_max);
        for (int i = 0; i < MDF_MOMENT_BLOCK; i += VEC) {
            words_to_bytes(s->v + i, unsigned_code(vec_load(v + i), inverse));
        }
    } else {
        memset(s->v, 0, MDF_MOMENT_BLOCK);
    }
}

/* The first n numbers of a block, filled up with zeros. */
static void moment_part(float *w, const mdf_moments_8bit *s, const float *g, int64_t n,
                        const mdf_adamw_step *a)
{
    float wide[2][MDF_MOMENT_BLOCK] = {{0}};
    uint8_t code[2][MDF_MOMENT_BLOCK];
    const mdf_moments_8bit of = {code[0], code[1], s->m_max, s->v_max};
    memset(code[0], MDF_MOMENT_ZERO, sizeof code[0]);
    memset(code[1], 0, sizeof code[1]);
    memcpy(wide[0], w, (size_t)n * sizeof *w);
    memcpy(wide[1], g, (size_t)n * sizeof *g);
    memcpy(code[0], s->m, (size_t)n);
    memcpy(code[1], s->v, (size_t)n);
    moment_block(wide[0], &of, wide[1], a);
    memcpy(w, wide[0], (size_t)n * sizeof *w);
    memcpy(s->m, code[0], (size_t)n);
    memcpy(s->v, code[1], (size_t)n);
}

static void adamw_8bit(float *w, const mdf_moments_8bit *s, const float *g, int64_t n,
                       const mdf_adamw_step *step)
{
    const mdf_adamw_step a = *step;
    for (int64_t at = 0; at < n; at += MDF_MOMENT_BLOCK) {
        const int64_t b = at / MDF_MOMENT_BLOCK;
        const mdf_moments_8bit of = {s->m + at, s->v + at, s->m_max + b, s->v_max + b};
        if (n - at < MDF_MOMENT_BLOCK) {
            moment_part(w + at, &of, g + at, n - at, &a);
        } else {
            moment_block(w + at, &of, g + at, &a);
        }
    }
}

#endif
