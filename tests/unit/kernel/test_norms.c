/* Group, layer and RMS normalisation: every vector level against the reference on every width. */
#include "kernel_test.h"

/* Values are near 1; sums of up to a few hundred floats in another order, then a square root. */
#define NORM_ERROR 5e-6

typedef struct group_case {
    int64_t p, groups, per;
    bool affine, relu, acc;
    float offset;
} group_case;

static void group_norm_one(const mdf_kernels *ref, const mdf_kernels *k, const group_case *g)
{
    enum { MAX = 70 * 4 * TAIL_MAX };
    static float x[MAX], dy[MAX], y[MAX], z[MAX], dx[MAX], ex[MAX];
    float w[4 * TAIL_MAX], b[4 * TAIL_MAX], s[8], t[8], scratch[8 * TAIL_MAX];
    float dw[2][4 * TAIL_MAX], db[2][4 * TAIL_MAX];
    const int64_t c = g->groups * g->per;
    fill(x, g->p * c, 1, (uint32_t)c);
    fill(dy, g->p * c, 1, (uint32_t)c + 1);
    fill(w, c, 1, 2);
    fill(b, c, 1, 3);
    for (int64_t i = 0; i < g->p * c; i++) {
        x[i] += g->offset;
    }
    const float *pw = g->affine ? w : NULL;
    ref->group_norm_fwd(z, t, x, pw, g->affine ? b : NULL, g->p, c, g->groups, 1e-5f, g->relu);
    k->group_norm_fwd(y, s, x, pw, g->affine ? b : NULL, g->p, c, g->groups, 1e-5f, g->relu);
    /* x itself is only known to half an ulp of the offset, as a share of the deviation 0.6 */
    const double error = NORM_ERROR + 1e-6 * (double)fabsf(g->offset);
    assert_close(s, t, 2 * g->groups, error, 1, "group_norm stats");
    assert_close(y, z, g->p * c, error, 1, "group_norm_fwd");
    memset(dw, 0, sizeof dw);
    memset(db, 0, sizeof db);
    fill(dx, g->p * c, 1, 5);
    memcpy(ex, dx, sizeof ex);
    ref->group_norm_bwd(ex, g->affine ? dw[0] : NULL, g->affine ? db[0] : NULL, dy, x, z, pw, t,
                        g->p, c, g->groups, g->relu, g->acc, scratch);
    k->group_norm_bwd(dx, g->affine ? dw[1] : NULL, g->affine ? db[1] : NULL, dy, x, z, pw, t, g->p,
                      c, g->groups, g->relu, g->acc, scratch);
    /* a group of one number has deviation 0 and a reciprocal of 1/sqrt(eps) = 316 */
    const double scale = g->p * g->per == 1 ? 1000 : 10;
    assert_close(dx, ex, g->p * c, error, scale, "group_norm_bwd dx");
    assert_close(dw[1], dw[0], c, error, (double)g->p, "group_norm_bwd dw");
    assert_close(db[1], db[0], c, error, (double)g->p, "group_norm_bwd db");
}

static void group_norm_agrees(void **state)
{
    (void)state;
    mdf_kernels *ref = level("ref");
    for (int i = 0; i < LEVELS; i++) {
        mdf_kernels *k = level(level_names[i]);
        for (int64_t per = 1; per <= TAIL_MAX; per++) {
            for (uint32_t flags = 0; flags < 8; flags++) {
                const group_case g = {.p = per % 7 == 0 ? 70 : 5,
                                      .groups = 1 + per % 4,
                                      .per = per,
                                      .affine = (flags & 1) != 0,
                                      .relu = (flags & 2) != 0,
                                      .acc = (flags & 4) != 0};
                group_norm_one(ref, k, &g);
            }
        }
        group_norm_one(ref, k, &(group_case){.p = 1, .groups = 1, .per = 1, .affine = true});
        mdf_kernels_free(k);
    }
    mdf_kernels_free(ref);
}

/* The textbook formula E[x^2] - E[x]^2 loses all digits here: 1000^2 against a variance of 1/3. */
static void group_norm_survives_a_large_mean(void **state)
{
    (void)state;
    mdf_kernels *ref = level("ref");
    for (int i = 0; i < LEVELS; i++) {
        mdf_kernels *k = level(level_names[i]);
        group_norm_one(ref, k, &(group_case){.p = 70, .groups = 2, .per = 9, .offset = 1000});
        mdf_kernels_free(k);
    }
    mdf_kernels_free(ref);
}

static void group_norm_keeps_nan(void **state)
{
    (void)state;
    for (int i = 0; i < LEVELS; i++) {
        mdf_kernels *k = level(level_names[i]);
        float x[32], y[32], stats[2];
        fill(x, 32, 1, 1);
        x[5] = NAN;
        k->group_norm_fwd(y, stats, x, NULL, NULL, 2, 16, 1, 1e-5f, false);
        assert_true(y[0] != y[0] && y[31] != y[31]);
        k->group_norm_fwd(y, stats, x, NULL, NULL, 2, 16, 1, 1e-5f, true);
        assert_true(y[0] != y[0] && y[31] != y[31]);
        mdf_kernels_free(k);
    }
}

static void layer_norm_one(const mdf_kernels *ref, const mdf_kernels *k, int64_t c, bool acc)
{
    enum { N = 3, MAX = N * TAIL_MAX };
    static float x[MAX], dy[MAX], y[MAX], z[MAX], dx[MAX], ex[MAX], w[TAIL_MAX], b[TAIL_MAX];
    static float s[2 * N], t[2 * N], dw[2][TAIL_MAX], db[2][TAIL_MAX];
    fill(x, N * c, 1, (uint32_t)c);
    fill(dy, N * c, 1, (uint32_t)c + 1);
    fill(w, c, 1, 2);
    fill(b, c, 1, 3);
    fill(dx, N * c, 1, 4);
    fill(dw[0], c, 1, 5);
    fill(db[0], c, 1, 6);
    memcpy(ex, dx, sizeof ex);
    memcpy(dw[1], dw[0], sizeof dw[1]);
    memcpy(db[1], db[0], sizeof db[1]);
    ref->layer_norm_fwd(z, t, x, w, b, N, c, 1e-5f);
    k->layer_norm_fwd(y, s, x, w, b, N, c, 1e-5f);
    /* two numbers that nearly agree have a large reciprocal deviation */
    const double scale = c < 4 ? 100 : 10;
    assert_close(s, t, 2 * N, NORM_ERROR, scale, "layer_norm stats");
    assert_close(y, z, N * c, NORM_ERROR, scale, "layer_norm_fwd");
    ref->layer_norm_bwd(ex, dw[0], db[0], dy, x, w, t, N, c, acc);
    k->layer_norm_bwd(dx, dw[1], db[1], dy, x, w, t, N, c, acc);
    assert_close(dx, ex, N * c, NORM_ERROR, scale * scale, "layer_norm_bwd dx");
    assert_close(dw[1], dw[0], c, NORM_ERROR, scale, "layer_norm_bwd dw");
    assert_close(db[1], db[0], c, NORM_ERROR, scale, "layer_norm_bwd db");
}

static void rms_norm_one(const mdf_kernels *ref, const mdf_kernels *k, int64_t c, bool acc)
{
    enum { N = 3, MAX = N * TAIL_MAX };
    static float x[MAX], dy[MAX], y[MAX], z[MAX], dx[MAX], ex[MAX], w[TAIL_MAX];
    static float s[N], t[N], dw[2][TAIL_MAX];
    fill(x, N * c, 1, (uint32_t)c + 7);
    fill(dy, N * c, 1, (uint32_t)c + 1);
    fill(w, c, 1, 2);
    fill(dx, N * c, 1, 4);
    fill(dw[0], c, 1, 5);
    memcpy(ex, dx, sizeof ex);
    memcpy(dw[1], dw[0], sizeof dw[1]);
    ref->rms_norm_fwd(z, t, x, w, N, c, 1e-5f);
    k->rms_norm_fwd(y, s, x, w, N, c, 1e-5f);
    const double scale = c < 4 ? 100 : 10; /* as above */
    assert_close(s, t, N, NORM_ERROR, scale, "rms_norm stats");
    assert_close(y, z, N * c, NORM_ERROR, 1, "rms_norm_fwd");
    ref->rms_norm_bwd(ex, dw[0], dy, x, w, t, N, c, acc);
    k->rms_norm_bwd(dx, dw[1], dy, x, w, t, N, c, acc);
    assert_close(dx, ex, N * c, NORM_ERROR, scale, "rms_norm_bwd dx");
    assert_close(dw[1], dw[0], c, NORM_ERROR, scale, "rms_norm_bwd dw");
}

static void layer_and_rms_norm_agree_on_every_width(void **state)
{
    (void)state;
    mdf_kernels *ref = level("ref");
    for (int i = 0; i < LEVELS; i++) {
        mdf_kernels *k = level(level_names[i]);
        for (int64_t c = 1; c <= TAIL_MAX; c++) {
            layer_norm_one(ref, k, c, false);
            layer_norm_one(ref, k, c, true);
            rms_norm_one(ref, k, c, false);
            rms_norm_one(ref, k, c, true);
        }
        mdf_kernels_free(k);
    }
    mdf_kernels_free(ref);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_norm_agrees),
        cmocka_unit_test(group_norm_survives_a_large_mean),
        cmocka_unit_test(group_norm_keeps_nan),
        cmocka_unit_test(layer_and_rms_norm_agree_on_every_width),
    };
    return cmocka_run_group_tests_name("kernel/norms", tests, NULL, NULL);
}
