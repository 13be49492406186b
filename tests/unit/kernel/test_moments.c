/* Codes of 8-bit moments and AdamW on them: what the codes are, that every number gets the nearest
 * one at every level, and that levels agree with the reference. */
#include "kernel_test.h"

#include <stdlib.h>

#include "kernel/moment_code.h"
#include "kernel/ref/ref.h"

enum { CODES = 256, BLOCK = MDF_MOMENT_BLOCK };

static const char *const every_level[] = {"ref", "avx2", "avx512"};
enum { EVERY = 3 };

/* Moments of up to 4 blocks. */
typedef struct moments {
    uint8_t m[4 * BLOCK], v[4 * BLOCK];
    float m_max[4], v_max[4];
} moments;

static mdf_moments_8bit places(moments *s)
{
    return (mdf_moments_8bit){s->m, s->v, s->m_max, s->v_max};
}

/* The definition, in double: middles of equal parts of decades. */
static double definition(int code, bool is_signed)
{
    const int zero = is_signed ? MDF_MOMENT_ZERO : 0;
    int rank = code - zero;
    const int sign = rank < 0 ? -1 : 1;
    rank *= sign;
    double decade = 1e-6;
    int parts = is_signed ? 1 : 2;
    if (rank == 0) {
        return 0;
    }
    for (rank--; rank >= parts && parts < 128 * (is_signed ? 1 : 2); decade *= 10) {
        rank -= parts;
        parts *= 2;
    }
    return decade > 1.5 ? 1 : sign * decade * (0.1 + 0.9 * (rank + 0.5) / parts);
}

static void codes_are_middles_of_parts_of_decades(void **state)
{
    (void)state;
    for (int s = 0; s < 2; s++) {
        float code[CODES];
        mdf_moment_codes(code, s == 1);
        for (int c = 0; c < CODES; c++) {
            const double want = definition(c, s == 1);
            assert_true(fabs((double)code[c] - want) <= 1.2e-7 * fabs(want)); /* of the header */
            assert_true(c == 0 || code[c] > code[c - 1]);
        }
        assert_true(code[s == 1 ? MDF_MOMENT_ZERO : 0] == 0 && code[255] == 1);
    }
    float code[CODES];
    mdf_moment_codes(code, true);
    assert_true(fabs((double)code[0] + 0.99296875) < 1e-7); /* 1 - 0.45 / 64 */
    assert_true(fabs((double)code[128] - 0.55e-6) < 1e-13); /* one part of 1e-7 to 1e-6 */
    mdf_moment_codes(code, false);
    assert_true(fabs((double)code[1] - 0.325e-6) < 1e-13);     /* the first of two */
    assert_true(fabs((double)code[254] - 0.996484375) < 1e-7); /* 1 - 0.45 / 128 */
}

/* The step with betas of 1 changes no moment, and w = 0 - m / sqrt(v) shows what a code is. */
static const mdf_adamw_step show = {
    .beta1 = 1, .beta2 = 1, .step_size = 1, .inv_sqrt_c2 = 1, .grad_scale = 1};

static void every_code_has_its_number_and_keeps_it(void **state)
{
    (void)state;
    for (int l = 0; l < EVERY; l++) {
        mdf_kernels *k = level(every_level[l]);
        for (int kind = 0; kind < 2; kind++) {
            moments s = {.m_max = {1}, .v_max = {1}};
            float code[CODES];
            float w[CODES] = {0};
            const float g[CODES] = {0};
            mdf_moment_codes(code, kind == 1);
            for (int c = 0; c < CODES; c++) {
                s.m[c] = kind == 1 ? (uint8_t)c : 255;
                s.v[c] = kind == 1 ? 255 : (uint8_t)c;
            }
            const mdf_moments_8bit of = places(&s);
            k->adamw_8bit(w, &of, g, CODES, &show);
            for (int c = 0; c < CODES; c++) {
                const float want = kind == 1 ? -code[c] : -1 / sqrtf(code[c]);
                assert_true(w[c] == want);
                assert_int_equal(s.m[c], kind == 1 ? c : 255);
                assert_int_equal(s.v[c], kind == 1 ? 255 : c);
            }
            assert_true(s.m_max[0] == 1 && s.v_max[0] == 1);
        }
        mdf_kernels_free(k);
    }
}

/* c is the code nearest to x, or next to it where x is in the middle as far as floats know: places
 * up to 256 come from a line whose two constants and result are floats, 3 * 256 * 2^-24 = 4.6e-5 of
 * a part at most. */
static void expect_nearest(const float code[CODES], float x, int c, bool is_signed,
                           const char *what)
{
    int best = 0;
    for (int i = 1; i < CODES; i++) {
        best = fabsf(code[i] - x) < fabsf(code[best] - x) ? i : best;
    }
    if (is_signed && x < 0 && best == MDF_MOMENT_ZERO) {
        best--;
    }
    const double middle = ((double)code[best] + (double)code[c]) / 2;
    const double part = fabs((double)code[best] - (double)code[c]);
    const bool between =
        (best == c + 1 || c == best + 1) && fabs((double)x - middle) < 4.6e-5 * part;
    if (c != best && !between) {
        fail_msg("%s: %.9g got code %d (%.9g), want %d (%.9g)", what, (double)x, c, (double)code[c],
                 best, (double)code[best]);
    }
}

/* What betas of zero make of g: m = g, v = g^2. The last number of a block is 1, so that codes are
 * of the numbers themselves. */
static void encode_block(const mdf_kernels *k, const float x[BLOCK - 1], const char *what)
{
    static const mdf_adamw_step fresh = {.eps = 1, .grad_scale = 1};
    float code[2][CODES];
    float w[BLOCK] = {0};
    float g[BLOCK];
    moments s = {.m = {0}};
    const mdf_moments_8bit of = places(&s);
    mdf_moment_codes(code[0], false);
    mdf_moment_codes(code[1], true);
    memcpy(g, x, (BLOCK - 1) * sizeof *g);
    g[BLOCK - 1] = 1;
    k->adamw_8bit(w, &of, g, BLOCK, &fresh);
    for (int i = 0; i < BLOCK; i++) {
        expect_nearest(code[1], g[i], s.m[i], true, what);
        expect_nearest(code[0], g[i] * g[i], s.v[i], false, what);
    }
    assert_true(s.m_max[0] == 1 && s.v_max[0] == 1);
}

/* Upward from 1e-9 in steps of a 300th, with both signs, and all that lies around the edges. */
static void every_number_gets_the_nearest_code(void **state)
{
    (void)state;
    for (int l = 0; l < EVERY; l++) {
        mdf_kernels *k = level(every_level[l]);
        float x[BLOCK - 1];
        int n = 0;
        for (double at = 1e-9; at < 1; at *= 1 + 1.0 / 300) {
            x[n] = (float)(n % 2 == 0 ? at : -at);
            if (++n == BLOCK - 1) {
                encode_block(k, x, every_level[l]);
                n = 0;
            }
        }
        for (int kind = 0; kind < 2; kind++) {
            float code[CODES];
            mdf_moment_codes(code, kind == 1);
            for (int side = -1; side <= 1; side++) {
                for (int c = 0; c < CODES - 1; c++) {
                    const double middle = ((double)code[c] + (double)code[c + 1]) / 2;
                    const double root = kind == 1 ? middle : sqrt(middle);
                    x[c] = (float)fmin(root * (1 + side * 1e-3), 1);
                }
                encode_block(k, x, every_level[l]);
            }
        }
        mdf_kernels_free(k);
    }
}

/* Random moments of n numbers, the same for every level. */
static void random_moments(moments *s, int64_t n, uint32_t seed)
{
    float x[4 * BLOCK];
    fill(x, n, 1, seed);
    for (int64_t i = 0; i < n; i++) {
        s->m[i] = (uint8_t)((x[i] + 1) * 127.9f);
        s->v[i] = (uint8_t)(fabsf(x[i]) * 255);
    }
    for (int b = 0; b < 4; b++) {
        s->m_max[b] = 0.01f * (float)(b + 1);
        s->v_max[b] = 0.001f * (float)(b + 1);
    }
}

static void levels_agree_on_every_tail(void **state)
{
    (void)state;
    static const mdf_adamw_step step = {0.9f, 0.98f, 1e-8f, 1e-3f, 1.7f, 1e-4f, 0.5f};
    mdf_kernels *ref = level("ref");
    for (int l = 0; l < LEVELS; l++) {
        mdf_kernels *k = level(level_names[l]);
        int64_t different = 0;
        int64_t all = 0;
        for (int64_t n = 1; n <= 4 * BLOCK; n += n < TAIL_MAX ? 1 : 61) {
            float w[2][4 * BLOCK + 1];
            float g[4 * BLOCK];
            moments s[2];
            random_moments(&s[0], n, (uint32_t)n);
            fill(w[0], n, 1, (uint32_t)n + 1);
            fill(g, n, 0.1f, (uint32_t)n + 2);
            w[0][n] = 42; /* must stay, as must the code behind the last */
            s[0].m[n % (4 * BLOCK)] = n < 4 * BLOCK ? 77 : s[0].m[0];
            s[1] = s[0];
            memcpy(w[1], w[0], sizeof w[0]);
            const mdf_moments_8bit got = places(&s[0]);
            const mdf_moments_8bit want = places(&s[1]);
            k->adamw_8bit(w[0], &got, g, n, &step);
            ref->adamw_8bit(w[1], &want, g, n, &step);
            assert_memory_equal(w[0], w[1], (size_t)(n + 1) * sizeof w[0][0]);
            assert_memory_equal(s[0].m_max, s[1].m_max, sizeof s[0].m_max);
            assert_memory_equal(s[0].v_max, s[1].v_max, sizeof s[0].v_max);
            for (int64_t i = 0; i < n; i++) {
                assert_true(abs((int)s[0].m[i] - (int)s[1].m[i]) <= 1);
                assert_true(abs((int)s[0].v[i] - (int)s[1].v[i]) <= 1);
                different += (s[0].m[i] != s[1].m[i]) + (s[0].v[i] != s[1].v[i]);
                all += 2;
            }
            if (n < 4 * BLOCK) {
                assert_int_equal(s[0].m[n], 77);
            }
        }
        /* both sides of a middle, 4.6e-5 of a part each: 1e-4 of random numbers at most */
        assert_true((double)different < 3e-4 * (double)all);
        mdf_kernels_free(k);
    }
    mdf_kernels_free(ref);
}

static void what_is_not_finite_leaves_its_weight_and_no_moment(void **state)
{
    (void)state;
    static const float bad[4] = {NAN, INFINITY, -INFINITY, 1e25f}; /* the last in v only */
    static const mdf_adamw_step step = {0.9f, 0.99f, 1e-8f, 1e-3f, 1, 0.01f, 1};
    for (int l = 0; l < EVERY; l++) {
        mdf_kernels *k = level(every_level[l]);
        moments s = {.m = {0}};
        float w[BLOCK];
        float g[BLOCK];
        random_moments(&s, BLOCK, 5);
        fill(g, BLOCK, 1, 6);
        for (int i = 0; i < BLOCK; i++) {
            w[i] = 1;
            g[i] = i % 16 < 4 ? bad[i % 16] : g[i];
        }
        const mdf_moments_8bit of = places(&s);
        k->adamw_8bit(w, &of, g, BLOCK, &step);
        assert_true(s.m_max[0] > 0 && s.m_max[0] < 1 && s.v_max[0] > 0 && s.v_max[0] < 1);
        for (int i = 0; i < BLOCK; i++) {
            const bool broken = i % 16 < 4;
            assert_true((w[i] == 1) == broken);
            assert_true(isfinite(w[i]));
            assert_true(!broken || (s.m[i] == MDF_MOMENT_ZERO && s.v[i] == 0));
        }
        mdf_kernels_free(k);
    }
}

static void a_block_of_nothing_is_zero(void **state)
{
    (void)state;
    static const mdf_adamw_step fresh = {.eps = 1, .grad_scale = 1};
    static const float small[3] = {0, 1e-40f, -1e-40f};
    for (int l = 0; l < EVERY; l++) {
        mdf_kernels *k = level(every_level[l]);
        for (int j = 0; j < 3; j++) {
            moments s = {.m_max = {1}, .v_max = {1}};
            float w[BLOCK] = {0};
            float g[BLOCK];
            for (int i = 0; i < BLOCK; i++) {
                g[i] = small[j];
            }
            const mdf_moments_8bit of = places(&s);
            k->adamw_8bit(w, &of, g, BLOCK, &fresh);
            assert_true(s.m_max[0] == 0 && s.v_max[0] == 0);
            for (int i = 0; i < BLOCK; i++) {
                assert_int_equal(s.m[i], MDF_MOMENT_ZERO);
                assert_int_equal(s.v[i], 0);
            }
        }
        mdf_kernels_free(k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_middles_of_parts_of_decades),
        cmocka_unit_test(every_code_has_its_number_and_keeps_it),
        cmocka_unit_test(every_number_gets_the_nearest_code),
        cmocka_unit_test(levels_agree_on_every_tail),
        cmocka_unit_test(what_is_not_finite_leaves_its_weight_and_no_moment),
        cmocka_unit_test(a_block_of_nothing_is_zero),
    };
    return cmocka_run_group_tests_name("kernel/moments", tests, NULL, NULL);
}
