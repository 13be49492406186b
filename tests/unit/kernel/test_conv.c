/* Dense products and convolutions of the fast levels against the reference. */
#include "kernel_test.h"

#if defined(_OPENMP)
#include <omp.h>
#endif

/* A sum of k products of numbers below 1 in float, in another order: about sqrt(k) roundings of
 * 6e-8 of the sum of their sizes. k is at most 9 * 40 here, or the number of pixels for weights. */
#define SUM_ERROR 2e-6

typedef struct gemm_shape {
    int64_t m, n, k;
} gemm_shape;

static void gemm_one(const mdf_kernels *ref, const mdf_kernels *k, const gemm_shape *g, bool ta,
                     bool tb, float alpha, float beta)
{
    enum { PAD = 3, MAX = 70 * 70 };
    static float a[MAX * 2], b[MAX * 2], c[MAX * 2], d[MAX * 2];
    const int64_t lda = (ta ? g->m : g->k) + PAD;
    const int64_t ldb = (tb ? g->k : g->n) + PAD;
    const int64_t ldc = g->n + PAD;
    fill(a, MAX * 2, 1, 1);
    fill(b, MAX * 2, 1, 2);
    fill(c, MAX * 2, 1, 3);
    if (beta == 0) {
        for (int64_t i = 0; i < g->m; i++) {
            for (int64_t j = 0; j < g->n; j++) {
                c[i * ldc + j] = NAN; /* must not be read */
            }
        }
    }
    memcpy(d, c, sizeof d);
    ref->gemm(ta, tb, g->m, g->n, g->k, alpha, a, lda, b, ldb, beta, d, ldc);
    k->gemm(ta, tb, g->m, g->n, g->k, alpha, a, lda, b, ldb, beta, c, ldc);
    assert_close(c, d, g->m * ldc, SUM_ERROR, 10, "gemm");
}

static void gemm_agrees_for_every_transposition_and_size(void **state)
{
    (void)state;
    mdf_kernels *ref = level("ref");
    mdf_kernels *k = level(NULL);
    for (int64_t n = 1; n <= TAIL_MAX; n++) {
        for (int t = 0; t < 4; t++) {
            gemm_one(ref, k, &(gemm_shape){n, 5, 7}, (t & 1) != 0, (t & 2) != 0, 1, 0);
            gemm_one(ref, k, &(gemm_shape){5, n, 7}, (t & 1) != 0, (t & 2) != 0, 0.5f, 1);
            gemm_one(ref, k, &(gemm_shape){5, 7, n}, (t & 1) != 0, (t & 2) != 0, 1, -0.5f);
        }
    }
    gemm_one(ref, k, &(gemm_shape){4, 5, 0}, false, false, 1, 0);
    gemm_one(ref, k, &(gemm_shape){4, 5, 0}, false, false, 1, 0.5f);
    mdf_kernels_free(k);
    mdf_kernels_free(ref);
}

typedef struct conv_data {
    float *x, *y, *z, *dx, *ex, *w, *dw, *ew, bias[80], db[80], eb[80];
    int64_t nx, ny, nw;
} conv_data;

static void conv_data_make(conv_data *d, const mdf_conv_shape *s)
{
    d->nx = s->n * s->h * s->w * s->cin;
    d->ny = s->n * s->h * s->w * s->cout;
    d->nw = s->cout * s->cin * s->kernel * s->kernel;
    float **part[] = {&d->x, &d->dx, &d->ex, &d->y, &d->z, &d->w, &d->dw, &d->ew};
    const int64_t count[] = {d->nx, d->nx, d->nx, d->ny, d->ny, d->nw, d->nw, d->nw};
    for (size_t i = 0; i < 8; i++) {
        *part[i] = mdf_alloc((size_t)count[i], sizeof(float));
        assert_non_null(*part[i]);
        fill(*part[i], count[i], 1, (uint32_t)i + 1);
    }
    fill(d->bias, 80, 1, 20);
    fill(d->db, 80, 1, 21);
    memcpy(d->ex, d->dx, (size_t)d->nx * sizeof(float));
    memcpy(d->ew, d->dw, (size_t)d->nw * sizeof(float));
    memcpy(d->eb, d->db, sizeof d->eb);
}

static void conv_data_free(conv_data *d)
{
    float *part[] = {d->x, d->dx, d->ex, d->y, d->z, d->w, d->dw, d->ew};
    for (size_t i = 0; i < 8; i++) {
        mdf_free(part[i]);
    }
}

static void conv_one(const mdf_kernels *ref, const mdf_kernels *k, const mdf_conv_shape *s,
                     double error)
{
    conv_data d;
    conv_data_make(&d, s);
    const double terms = sqrt((double)(s->kernel * s->kernel));
    const double in = terms * sqrt((double)s->cin);
    const double out = terms * sqrt((double)s->cout);
    for (int with = 0; with < 2; with++) {
        const float *bias = with != 0 ? d.bias : NULL;
        assert_true(ref->conv2d_fwd(ref->conv_cache, s, d.z, d.x, d.w, bias));
        assert_true(k->conv2d_fwd(k->conv_cache, s, d.y, d.x, d.w, bias));
        assert_close(d.y, d.z, d.ny, error, in, "conv2d_fwd");
    }
    for (int acc = 0; acc < 2; acc++) {
        assert_true(ref->conv2d_bwd_data(ref->conv_cache, s, d.ex, d.z, d.w, acc != 0));
        assert_true(k->conv2d_bwd_data(k->conv_cache, s, d.dx, d.z, d.w, acc != 0));
        assert_close(d.dx, d.ex, d.nx, error, in * out, "conv2d_bwd_data");
    }
    const double pixels = sqrt((double)(s->n * s->h * s->w));
    for (int with = 0; with < 2; with++) {
        float *db = with != 0 ? d.db : NULL;
        float *eb = with != 0 ? d.eb : NULL;
        assert_true(ref->conv2d_bwd_weights(ref->conv_cache, s, d.ew, eb, d.x, d.z));
        assert_true(k->conv2d_bwd_weights(k->conv_cache, s, d.dw, db, d.x, d.z));
        assert_close(d.dw, d.ew, d.nw, error, in * pixels, "conv2d_bwd_weights");
        assert_close(d.db, d.eb, 80, error, in * pixels, "conv2d_bwd_weights db");
    }
    conv_data_free(&d);
}

/* Odd sizes, single pixels, 1x1 windows, three channels; then what Winograd takes: borders that cut
 * tiles, one-pixel-wide pictures, half panels of 16 and 8 channels, several blocks with a short
 * one. */
static const mdf_conv_shape shapes[] = {
    {1, 1, 1, 1, 1, 3},     {1, 1, 1, 5, 3, 1},     {2, 8, 8, 3, 16, 3},   {1, 7, 5, 3, 7, 3},
    {2, 5, 3, 17, 33, 3},   {1, 4, 4, 40, 24, 3},   {2, 16, 16, 8, 2, 1},  {1, 13, 13, 33, 5, 1},
    {1, 2, 2, 64, 64, 3},   {1, 6, 6, 32, 16, 3},   {1, 1, 9, 16, 16, 3},  {1, 3, 17, 16, 48, 3},
    {3, 9, 11, 16, 16, 3},  {1, 32, 4, 16, 16, 3},  {1, 64, 1, 16, 16, 3}, {1, 1, 70, 16, 16, 3},
    {1, 9, 17, 16, 48, 3},  {1, 8, 8, 48, 16, 3},   {2, 10, 8, 80, 32, 3}, {1, 11, 9, 32, 80, 3},
    {2, 12, 12, 64, 32, 3}, {1, 24, 24, 32, 32, 3}, {3, 40, 24, 16, 16, 3}};

static void convolutions_agree_at_every_shape(void **state)
{
    (void)state;
    mdf_kernels *ref = level("ref");
    for (int i = 0; i < LEVELS; i++) {
        mdf_kernels *k = level(level_names[i]);
        for (size_t j = 0; j < sizeof shapes / sizeof shapes[0]; j++) {
            conv_one(ref, k, &shapes[j], SUM_ERROR);
        }
        mdf_kernels_free(k);
    }
    mdf_kernels_free(ref);
}

#if defined(_OPENMP)
static void the_number_of_threads_changes_rounding_at_most(void **state)
{
    (void)state;
    const mdf_conv_shape s = {2, 30, 26, 32, 48, 3};
    const int before = omp_get_max_threads();
    for (int i = 0; i < LEVELS; i++) {
        mdf_kernels *k = level(level_names[i]);
        conv_data d;
        conv_data_make(&d, &s);
        omp_set_num_threads(1);
        assert_true(k->conv2d_fwd(k->conv_cache, &s, d.y, d.x, d.w, d.bias));
        assert_true(k->conv2d_bwd_data(k->conv_cache, &s, d.dx, d.y, d.w, true));
        assert_true(k->conv2d_bwd_weights(k->conv_cache, &s, d.dw, NULL, d.x, d.y));
        for (int threads = 2; threads < 6; threads++) {
            omp_set_num_threads(threads);
            fill(d.ex, d.nx, 1, 2); /* what conv_data_make put there */
            fill(d.ew, d.nw, 1, 7);
            assert_true(k->conv2d_fwd(k->conv_cache, &s, d.z, d.x, d.w, d.bias));
            assert_true(k->conv2d_bwd_data(k->conv_cache, &s, d.ex, d.z, d.w, true));
            assert_true(k->conv2d_bwd_weights(k->conv_cache, &s, d.ew, NULL, d.x, d.z));
            assert_close(d.z, d.y, d.ny, SUM_ERROR, 17, "conv2d_fwd"); /* sqrt(9 * 32) */
            assert_close(d.ex, d.dx, d.nx, SUM_ERROR, 17 * 21, "conv2d_bwd_data");
            assert_close(d.ew, d.dw, d.nw, SUM_ERROR, 17 * 40, "conv2d_bwd_weights");
        }
        conv_data_free(&d);
        mdf_kernels_free(k);
    }
    omp_set_num_threads(before);
}
#endif

static void nothing_is_allocated_after_the_first_call_with_a_shape(void **state)
{
    (void)state;
    mdf_kernels *k = level(NULL);
    const mdf_conv_shape s = {2, 24, 24, 32, 32, 3};
    conv_data d;
    conv_data_make(&d, &s);
    uint64_t before = 0;
    for (int i = 0; i < 3; i++) {
        assert_true(i < 2 || mdf_alloc_count() == before);
        before = mdf_alloc_count();
        assert_true(k->conv2d_fwd(k->conv_cache, &s, d.y, d.x, d.w, NULL));
        assert_true(k->conv2d_bwd_weights(k->conv_cache, &s, d.dw, d.db, d.x, d.y));
        assert_true(k->conv2d_bwd_data(k->conv_cache, &s, d.dx, d.y, d.w, true));
    }
    assert_int_equal(mdf_alloc_count(), before);
    conv_data_free(&d);
    mdf_kernels_free(k);
}

/* Every allocation of a first call fails once: false comes back, and a later call still works. */
static void out_of_memory_is_reported_and_survived(void **state)
{
    (void)state;
    mdf_kernels *ref = level("ref");
    mdf_kernels *k = level(NULL);
    const mdf_conv_shape s = {1, 10, 10, 16, 16, 3};
    conv_data d;
    conv_data_make(&d, &s);
    bool done = false;
    for (long n = 1; !done && n < 50; n++) {
        mdf_alloc_fail_after(n);
        done = k->conv2d_fwd(k->conv_cache, &s, d.y, d.x, d.w, NULL) &&
               k->conv2d_bwd_weights(k->conv_cache, &s, d.dw, d.db, d.x, d.y) &&
               k->conv2d_bwd_data(k->conv_cache, &s, d.dx, d.y, d.w, true);
        mdf_alloc_fail_after(0);
        assert_true(n > 1 || !done); /* the first call did allocate */
    }
    assert_true(done);
    conv_data_free(&d);
    conv_one(ref, k, &s, SUM_ERROR);
    mdf_kernels_free(k);
    mdf_kernels_free(ref);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_agrees_for_every_transposition_and_size),
        cmocka_unit_test(convolutions_agree_at_every_shape),
#if defined(_OPENMP)
        cmocka_unit_test(the_number_of_threads_changes_rounding_at_most),
#endif
        cmocka_unit_test(nothing_is_allocated_after_the_first_call_with_a_shape),
        cmocka_unit_test(out_of_memory_is_reported_and_survived),
    };
    return cmocka_run_group_tests_name("kernel/conv", tests, NULL, NULL);
}
