/* Group, batch, layer and RMS normalisation: every vector level against the reference on every
 * width. */
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

typedef struct batch_case {
    int64_t rows, c;
    bool clip, acc;
    float offset;
} batch_case;

static void batch_norm_one(const mdf_kernels *ref, const mdf_kernels *k, const batch_case *b)
{
    enum { ROWS = 150, MAX = ROWS * TAIL_MAX };
    static float x[MAX], dy[MAX], y[2][MAX], dx[2][MAX];
    float at[TAIL_MAX], row[5][TAIL_MAX];
    double sums[2][4][TAIL_MAX];
    const int64_t n = b->rows * b->c;
    fill(x, n, 1, (uint32_t)b->c);
    fill(dy, n, 1, (uint32_t)b->c + 1);
    for (int i = 0; i < 5; i++) {
        fill(row[i], b->c, 1, (uint32_t)i + 2);
    }
    for (int64_t i = 0; i < n; i++) {
        x[i] += b->offset;
    }
    for (int64_t j = 0; j < b->c; j++) {
        at[j] = b->offset;
        row[1][j] -= b->offset * row[0][j];
    }
    const float edge = b->clip ? 0.5f : INFINITY;
    const mdf_scale_clip s = {row[0], row[1], -edge, edge};
    const mdf_plane plane = {row[2], row[3], row[4]};
    memset(sums, 0, sizeof sums);
    for (int i = 0; i < 2; i++) {
        const mdf_kernels *one = i == 0 ? ref : k;
        fill(dx[i], n, 1, 9);
        one->channel_sums(sums[i][0], sums[i][1], x, at, b->rows, b->c);
        one->scale_clip_fwd(y[i], x, &s, b->rows, b->c);
        one->scale_clip_sums(sums[i][2], sums[i][3], dy, x, &s, at, b->rows, b->c);
        one->scale_clip_bwd(dx[i], dy, x, &s, &plane, b->rows, b->c, b->acc);
    }
    /* a product with x, and its sum with the shift, are rounded to half an ulp of the offset */
    const double error = NORM_ERROR + 1e-6 * (double)fabsf(b->offset);
    assert_close(y[1], y[0], n, error, 1, "scale_clip_fwd");
    assert_close(dx[1], dx[0], n, error, 1, "scale_clip_bwd");
    for (int i = 0; i < 4; i++) {
        for (int64_t j = 0; j < b->c; j++) {
            const double off = fabs(sums[1][i][j] - sums[0][i][j]);
            if (!(off <= NORM_ERROR * (double)b->rows)) {
                fail_msg("sum %d, channel %lld of %lld is off by %g", i, (long long)j,
                         (long long)b->c, off);
            }
        }
    }
}

static void batch_norm_agrees(void **state)
{
    (void)state;
    static const int64_t rows[] = {1, 5, 64, 150};
    mdf_kernels *ref = level("ref");
    for (int i = 0; i < LEVELS; i++) {
        mdf_kernels *k = level(level_names[i]);
        for (int64_t c = 1; c <= TAIL_MAX; c++) {
            for (uint32_t flags = 0; flags < 4; flags++) {
                batch_norm_one(ref, k,
                               &(batch_case){.rows = rows[c % 4],
                                             .c = c,
                                             .clip = (flags & 1) != 0,
                                             .acc = (flags & 2) != 0});
            }
        }
        batch_norm_one(ref, k, &(batch_case){.rows = 150, .c = 9, .offset = 1000});
        mdf_kernels_free(k);
    }
    mdf_kernels_free(ref);
}

static void batch_norm_keeps_nan(void **state)
{
    (void)state;
    const float one[2] = {1, 1};
    const mdf_scale_clip s = {one, one, 0, 6};
    for (int i = 0; i < LEVELS; i++) {
        mdf_kernels *k = level(level_names[i]);
        const float x[2] = {NAN, 1};
        float y[2];
        double sum[2] = {0}, square[2] = {0};
        k->scale_clip_fwd(y, x, &s, 1, 2);
        k->channel_sums(sum, square, x, one, 1, 2);
        assert_true(y[0] != y[0] && y[1] == y[1]);
        assert_true(sum[0] != sum[0] && square[0] != square[0] && sum[1] == sum[1]);
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
        cmocka_unit_test(batch_norm_agrees),
        cmocka_unit_test(batch_norm_keeps_nan),
        cmocka_unit_test(layer_and_rms_norm_agree_on_every_width),
    };
    return cmocka_run_group_tests_name("kernel/norms", tests, NULL, NULL);
}
