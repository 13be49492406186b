/* The four small transforms of F(4x4, 3x3) on vectors of channels; see kernel/winograd.h. Points
 * 0, +-a, +-b, infinity with a^2 = 1/2 and b^2 = 2: smaller errors than the usual +-1, +-2. */
#ifndef MDF_KERNEL_SIMD_WINOGRAD_TRANSFORM_H
#define MDF_KERNEL_SIMD_WINOGRAD_TRANSFORM_H

#include "kernel/simd/vector.h"

enum { TILE = 4, PATCH = 6, POINTS = PATCH * PATCH };

#define WINOGRAD_A  0.70710678118654752f
#define WINOGRAD_B  1.41421356237309505f
#define WINOGRAD_A2 0.5f
#define WINOGRAD_B2 2.0f
/* 1 / product of the differences to the other points: a: 2 a^2 (a^2 - b^2), b: 2 b^2 (b^2 - a^2);
 * for 0 it is a^2 b^2 = 1 */
#define WINOGRAD_NA (-1.0f / 1.5f)
#define WINOGRAD_NB (1.0f / 6.0f)

/* B' d: six pixels to six points. */
__attribute__((always_inline)) static inline void pixels_to_points(vec y[PATCH], const vec x[PATCH])
{
    const vec a = vec_all(WINOGRAD_A);
    const vec b = vec_all(WINOGRAD_B);
    const vec a2 = vec_all(WINOGRAD_A2);
    const vec b2 = vec_all(WINOGRAD_B2);
    const vec both = vec_all(WINOGRAD_A2 + WINOGRAD_B2);
    const vec even_a = vec_fnma(b2, x[2], x[4]);
    const vec odd_a = vec_fnma(b2, x[1], x[3]);
    const vec even_b = vec_fnma(a2, x[2], x[4]);
    const vec odd_b = vec_fnma(a2, x[1], x[3]);
    y[0] = vec_fnma(both, x[2], vec_add(x[0], x[4]));
    y[1] = vec_fma(a, odd_a, even_a);
    y[2] = vec_fnma(a, odd_a, even_a);
    y[3] = vec_fma(b, odd_b, even_b);
    y[4] = vec_fnma(b, odd_b, even_b);
    y[5] = vec_fnma(both, x[3], vec_add(x[1], x[5]));
}

/* A' m: six points to four results. */
__attribute__((always_inline)) static inline void points_to_results(vec y[TILE], const vec m[PATCH])
{
    const vec s1 = vec_add(m[1], m[2]);
    const vec d1 = vec_sub(m[1], m[2]);
    const vec s2 = vec_add(m[3], m[4]);
    const vec d2 = vec_sub(m[3], m[4]);
    y[0] = vec_add(m[0], vec_add(s1, s2));
    y[1] = vec_fma(vec_all(WINOGRAD_A), d1, vec_mul(vec_all(WINOGRAD_B), d2));
    y[2] = vec_fma(vec_all(WINOGRAD_A2), s1, vec_mul(vec_all(WINOGRAD_B2), s2));
    y[3] = vec_fma(vec_all(WINOGRAD_A * WINOGRAD_A2), d1,
                   vec_fma(vec_all(WINOGRAD_B * WINOGRAD_B2), d2, m[5]));
}

/* A y: the transpose of the above. */
__attribute__((always_inline)) static inline void results_to_points(vec z[PATCH], const vec y[TILE])
{
    const vec even_a = vec_fma(vec_all(WINOGRAD_A2), y[2], y[0]);
    const vec odd_a = vec_fma(vec_all(WINOGRAD_A2), y[3], y[1]);
    const vec even_b = vec_fma(vec_all(WINOGRAD_B2), y[2], y[0]);
    const vec odd_b = vec_fma(vec_all(WINOGRAD_B2), y[3], y[1]);
    const vec a = vec_all(WINOGRAD_A);
    const vec b = vec_all(WINOGRAD_B);
    z[0] = y[0];
    z[1] = vec_fma(a, odd_a, even_a);
    z[2] = vec_fnma(a, odd_a, even_a);
    z[3] = vec_fma(b, odd_b, even_b);
    z[4] = vec_fnma(b, odd_b, even_b);
    z[5] = y[3];
}

/* G g: three weights to six points. */
__attribute__((always_inline)) static inline void weights_to_points(vec u[PATCH], const vec g[3])
{
    const vec even_a = vec_fma(vec_all(WINOGRAD_A2), g[2], g[0]);
    const vec even_b = vec_fma(vec_all(WINOGRAD_B2), g[2], g[0]);
    const vec odd_a = vec_mul(vec_all(WINOGRAD_A), g[1]);
    const vec odd_b = vec_mul(vec_all(WINOGRAD_B), g[1]);
    u[0] = g[0];
    u[1] = vec_mul(vec_all(WINOGRAD_NA), vec_add(even_a, odd_a));
    u[2] = vec_mul(vec_all(WINOGRAD_NA), vec_sub(even_a, odd_a));
    u[3] = vec_mul(vec_all(WINOGRAD_NB), vec_add(even_b, odd_b));
    u[4] = vec_mul(vec_all(WINOGRAD_NB), vec_sub(even_b, odd_b));
    u[5] = g[2];
}

/* G' u: the transpose of the above. */
__attribute__((always_inline)) static inline void points_to_weights(vec g[3], const vec u[PATCH])
{
    const vec na = vec_all(WINOGRAD_NA);
    const vec nb = vec_all(WINOGRAD_NB);
    const vec s1 = vec_mul(na, vec_add(u[1], u[2]));
    const vec d1 = vec_mul(na, vec_sub(u[1], u[2]));
    const vec s2 = vec_mul(nb, vec_add(u[3], u[4]));
    const vec d2 = vec_mul(nb, vec_sub(u[3], u[4]));
    g[0] = vec_add(u[0], vec_add(s1, s2));
    g[1] = vec_fma(vec_all(WINOGRAD_A), d1, vec_mul(vec_all(WINOGRAD_B), d2));
    g[2] = vec_fma(vec_all(WINOGRAD_A2), s1, vec_fma(vec_all(WINOGRAD_B2), s2, u[5]));
}

#endif
