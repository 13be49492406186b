/* The specification of AdamW with moments of eight bits. */
#include <float.h>

#include "kernel/moment_code.h"
#include "kernel/ref/ref.h"

enum { CODES = 256, DECADES = 7 };

typedef struct decade {
    float slope, first;
} decade;

#define SIGNED_DECADE(p, n)                                                                        \
    {                                                                                              \
        MDF_MOMENT_SLOPE(p, n), MDF_MOMENT_FIRST(p, n)                                             \
    }
#define UNSIGNED_DECADE(p, n)                                                                      \
    {                                                                                              \
        MDF_MOMENT_SLOPE(p, 2 * (n)), MDF_MOMENT_FIRST(p, 2 * (n))                                 \
    }

void mdf_moment_codes(float code[256], bool is_signed)
{
    static const decade of[2][DECADES] = {{MDF_MOMENT_DECADES(UNSIGNED_DECADE)},
                                          {MDF_MOMENT_DECADES(SIGNED_DECADE)}};
    int positive = is_signed ? MDF_MOMENT_ZERO : 0;
    code[positive] = 0;
    for (int i = 0; i < DECADES; i++) {
        const int parts = is_signed ? 1 << i : 2 << i;
        for (int k = 0; k < parts; k++) {
            const decade d = of[is_signed][i];
            code[++positive] = fmaf((float)k, d.slope, d.first);
        }
    }
    for (int c = 0; is_signed && c < MDF_MOMENT_ZERO; c++) {
        code[c] = -code[2 * MDF_MOMENT_ZERO - c];
    }
    code[CODES - 1] = 1;
}

/* The code nearest to x, the lower of two. */
static uint8_t nearest(const float code[CODES], float x)
{
    int below = 0; /* the largest code that is at most x, or 0 */
    for (int step = CODES / 2; step > 0; step /= 2) {
        below += below + step < CODES && code[below + step] <= x ? step : 0;
    }
    const bool next = below + 1 < CODES && code[below + 1] - x < x - code[below];
    return (uint8_t)(next ? below + 1 : below);
}

/* x [n] becomes codes and their largest magnitude. */
static void encode(uint8_t *out, float *most, const mdf_real *x, int64_t n, const float code[CODES],
                   uint8_t zero)
{
    mdf_real largest = 0;
    for (int64_t i = 0; i < n; i++) {
        const mdf_real size = x[i] < 0 ? -x[i] : x[i];
        largest = size > largest ? size : largest;
    }
    *most = largest < (mdf_real)FLT_MIN ? 0 : (float)largest;
    const mdf_real inverse = *most > 0 ? 1 / (mdf_real)*most : 0;
    for (int64_t i = 0; i < n; i++) {
        out[i] = *most > 0 ? nearest(code, (float)(x[i] * inverse)) : zero;
        out[i] = (uint8_t)(*most > 0 && x[i] < 0 && out[i] == zero ? zero - 1 : out[i]);
    }
}

/* A block of n numbers. */
static void block(mdf_real *w, const mdf_moments_8bit *s, const mdf_real *g, int64_t n,
                  const mdf_adamw_step *a, const float code[2][CODES])
{
    mdf_real m[MDF_MOMENT_BLOCK];
    mdf_real v[MDF_MOMENT_BLOCK];
    const mdf_real beta1 = a->beta1 * (mdf_real)*s->m_max;
    const mdf_real beta2 = a->beta2 * (mdf_real)*s->v_max;
    for (int64_t i = 0; i < n; i++) {
        const mdf_real gi = g[i] * a->grad_scale;
        m[i] = beta1 * (mdf_real)code[1][s->m[i]] + (1 - a->beta1) * gi;
        v[i] = beta2 * (mdf_real)code[0][s->v[i]] + (1 - a->beta2) * gi * gi;
        if (!(m[i] >= -(mdf_real)FLT_MAX && m[i] <= (mdf_real)FLT_MAX &&
              v[i] <= (mdf_real)FLT_MAX)) {
            m[i] = v[i] = 0;
            continue;
        }
        w[i] = w[i] * (1 - a->decay) -
               a->step_size * m[i] / (mdf_sqrt(v[i]) * a->inv_sqrt_c2 + a->eps);
    }
    encode(s->m, s->m_max, m, n, code[1], MDF_MOMENT_ZERO);
    encode(s->v, s->v_max, v, n, code[0], 0);
}

void mdf_adamw_8bit_ref(mdf_real *w, const mdf_moments_8bit *s, const mdf_real *g, int64_t n,
                        const mdf_adamw_step *step)
{
    float code[2][CODES];
    mdf_moment_codes(code[0], false);
    mdf_moment_codes(code[1], true);
    for (int64_t at = 0; at < n; at += MDF_MOMENT_BLOCK) {
        const int64_t count = n - at < MDF_MOMENT_BLOCK ? n - at : MDF_MOMENT_BLOCK;
        const int64_t b = at / MDF_MOMENT_BLOCK;
        const mdf_moments_8bit of = {s->m + at, s->v + at, s->m_max + b, s->v_max + b};
        block(w + at, &of, g + at, count, step, (const float(*)[CODES])code);
    }
}
