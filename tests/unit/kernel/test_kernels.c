/* Every vector level against the reference, for every number of elements from 1 to 67, so that each
 * tail of each vector width is met, and with numbers at the ends of the range. */
#include "kernel_test.h"

/* A float rounds to 6e-8. An elementwise kernel makes a handful of roundings in another order. */
#define ROUNDINGS 1e-6
/* Abramowitz and Stegun's erf is good to 1.5e-7 absolute, and gelu multiplies it by |x|/2 < 8. */
#define ERF_ERROR 1.5e-6

typedef struct level_case {
    const mdf_kernels *ref, *k;
    const char *name;
} level_case;

typedef void level_test(const level_case *c);

static void each_level(level_test *test)
{
    mdf_kernels *ref = level("ref");
    for (int i = 0; i < LEVELS; i++) {
        mdf_kernels *k = level(level_names[i]);
        test(&(level_case){ref, k, level_names[i]});
        mdf_kernels_free(k);
    }
    mdf_kernels_free(ref);
}

static void gelu_case(const level_case *c)
{
    for (int64_t n = 1; n <= TAIL_MAX; n++) {
        float x[TAIL_MAX], dy[TAIL_MAX], a[TAIL_MAX + 1], b[TAIL_MAX + 1];
        fill(x, n, 8, (uint32_t)n);
        fill(dy, n, 1, (uint32_t)n + 100);
        a[n] = b[n] = 42; /* must stay */
        c->ref->gelu_fwd(b, x, n);
        c->k->gelu_fwd(a, x, n);
        assert_close(a, b, n + 1, ERF_ERROR, 1, c->name);
        for (int acc = 0; acc < 2; acc++) {
            fill(a, n, 1, 7);
            memcpy(b, a, sizeof b);
            c->ref->gelu_bwd(b, dy, x, n, acc != 0);
            c->k->gelu_bwd(a, dy, x, n, acc != 0);
            assert_close(a, b, n + 1, ERF_ERROR, 1, c->name);
        }
    }
}

static void gelu_agrees_on_every_tail(void **state)
{
    (void)state;
    each_level(gelu_case);
}

static void swiglu_case(const level_case *c)
{
    for (int64_t n = 1; n <= TAIL_MAX; n++) {
        float a[TAIL_MAX], b[TAIL_MAX], dy[TAIL_MAX];
        float p[2][TAIL_MAX + 1], q[2][TAIL_MAX + 1];
        fill(a, n, 20, (uint32_t)n);
        fill(b, n, 3, (uint32_t)n + 100);
        fill(dy, n, 1, (uint32_t)n + 200);
        p[0][n] = q[0][n] = 42;
        c->ref->swiglu_fwd(q[0], a, b, n);
        c->k->swiglu_fwd(p[0], a, b, n);
        assert_close(p[0], q[0], n + 1, ROUNDINGS, 1, c->name);
        for (int acc = 0; acc < 4; acc++) {
            fill(p[0], n, 1, 7);
            fill(p[1], n, 1, 8);
            memcpy(q, p, sizeof q);
            c->ref->swiglu_bwd(q[0], q[1], dy, a, b, n, (acc & 1) != 0, (acc & 2) != 0);
            c->k->swiglu_bwd(p[0], p[1], dy, a, b, n, (acc & 1) != 0, (acc & 2) != 0);
            assert_close(p[0], q[0], n + 1, ROUNDINGS, 10, c->name); /* terms reach 3*20*... */
            assert_close(p[1], q[1], n, ROUNDINGS, 10, c->name);
        }
    }
}

static void swiglu_agrees_on_every_tail(void **state)
{
    (void)state;
    each_level(swiglu_case);
}

static void softmax_case(const level_case *c)
{
    for (int64_t n = 1; n <= TAIL_MAX; n++) {
        float a[TAIL_MAX + 1], b[TAIL_MAX + 1], x[TAIL_MAX + 1];
        fill(x, n, 30, (uint32_t)n);
        if (n > 3) {
            x[n - 2] = -INFINITY;
        }
        x[n] = 42;
        memcpy(a, x, sizeof a);
        memcpy(b, x, sizeof b);
        const float lse = c->ref->softmax(b, n);
        const float got = c->k->softmax(a, n);
        assert_close(&got, &lse, 1, ROUNDINGS, 0, c->name);
        assert_close(a, b, n + 1, ROUNDINGS, 1e-30, c->name); /* relative even for tiny chances */
        memcpy(a, x, sizeof a);
        c->k->exp_shift(a, lse, n);
        /* exp makes absolute errors of its argument relative: half an ulp of lse (< 40: 1.9e-6 at
         * most) and of the two differences x - max and x - lse (< 64: 1.9e-6 each) */
        assert_close(a, b, n + 1, 6e-6, 1e-30, c->name);
    }
}

static void softmax_agrees_on_every_tail(void **state)
{
    (void)state;
    each_level(softmax_case);
}

static void softmax_ends_case(const level_case *c)
{
    float x[40];
    for (int i = 0; i < 40; i++) {
        x[i] = -INFINITY;
    }
    assert_true(c->k->softmax(x, 40) == -INFINITY);
    for (int i = 0; i < 40; i++) {
        assert_true(x[i] == 0);
    }
    fill(x, 40, 1, 3);
    x[7] = 1e30f;
    x[8] = -1e30f;
    assert_true(c->k->softmax(x, 40) == 1e30f);
    for (int i = 0; i < 40; i++) {
        assert_true(x[i] == (i == 7 ? 1.0f : 0.0f));
    }
    fill(x, 40, 1, 3);
    c->k->exp_shift(x, -INFINITY, 40);
    assert_true(x[0] == 0 && x[39] == 0);
    fill(x, 40, 1, 3);
    x[20] = NAN; /* a broken score must be seen, not hidden */
    (void)c->k->softmax(x, 40);
    assert_true(x[0] != x[0] && x[39] != x[39]);
    float y[3] = {1e-40f, -1e-40f, 0}; /* denormals: all alike */
    (void)c->k->softmax(y, 3);
    const float third[3] = {1.0f / 3, 1.0f / 3, 1.0f / 3};
    assert_close(y, third, 3, ROUNDINGS, 0, c->name);
}

static void softmax_survives_infinities_huge_scores_and_nan(void **state)
{
    (void)state;
    each_level(softmax_ends_case);
}

static void elementwise_ends_case(const level_case *c)
{
    const float x[8] = {1e30f, -1e30f, 1e-40f, -1e-40f, 0, 90, -90, -105};
    const float one[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    float a[8], b[8], a2[8], b2[8];
    c->ref->gelu_fwd(b, x, 8);
    c->k->gelu_fwd(a, x, 8);
    assert_close(a, b, 8, ERF_ERROR, 1, c->name);
    c->ref->gelu_bwd(b, one, x, 8, false);
    c->k->gelu_bwd(a, one, x, 8, false);
    assert_close(a, b, 8, ERF_ERROR, 1, c->name);
    c->ref->swiglu_fwd(b, x, one, 8);
    c->k->swiglu_fwd(a, x, one, 8);
    assert_close(a, b, 8, ROUNDINGS, 1, c->name);
    c->ref->swiglu_bwd(b, b2, one, x, one, 8, false, false);
    c->k->swiglu_bwd(a, a2, one, x, one, 8, false, false);
    assert_close(a, b, 8, ROUNDINGS, 1, c->name);
    assert_close(a2, b2, 8, ROUNDINGS, 1, c->name);
}

static void activations_survive_the_ends_of_the_range(void **state)
{
    (void)state;
    each_level(elementwise_ends_case);
}

/* exp through exp_shift with lse = 0, against the C library in double, over the whole range. */
static void exp_case(const level_case *c)
{
    for (int i = 0; i < 12800; i++) { /* -86.8 to 88.56 */
        const double x = -86.8 + 0.0137 * i;
        float got = (float)x;
        const double want = exp((double)got);
        c->k->exp_shift(&got, 0, 1);
        if (!(fabs((double)got - want) <= 2.5e-7 * want)) { /* 2 ulp */
            fail_msg("%s: exp(%.9g) is %.9g, want %.9g", c->name, x, (double)got, want);
        }
    }
    float ends[4] = {-INFINITY, -1e30f, -104, 100};
    c->k->exp_shift(ends, 0, 4);
    assert_true(ends[0] == 0 && ends[1] == 0 && ends[2] == 0);
    assert_true(ends[3] == INFINITY);
}

static void exp_is_good_to_two_ulp(void **state)
{
    (void)state;
    each_level(exp_case);
}

static void vector_sums_case(const level_case *c)
{
    for (int64_t n = 1; n <= TAIL_MAX; n++) {
        float x[TAIL_MAX], y[TAIL_MAX + 1], z[TAIL_MAX + 1];
        fill(x, n, 1, (uint32_t)n);
        fill(y, n, 1, (uint32_t)n + 100);
        y[n] = 42;
        memcpy(z, y, sizeof z);
        const double want = c->ref->dot(x, y, n);
        /* at most 67 float additions of numbers below 1 */
        assert_true(fabs(c->k->dot(x, y, n) - want) <= 67 * 6e-8 * (double)n);
        c->ref->axpy(z, 0.37f, x, n);
        c->k->axpy(y, 0.37f, x, n);
        assert_close(y, z, n + 1, ROUNDINGS, 1, c->name);
    }
}

static void dot_and_axpy_agree_on_every_tail(void **state)
{
    (void)state;
    each_level(vector_sums_case);
}

static void long_sums_case(const level_case *c)
{
    enum { ROWS = 70000, C = 3 };
    float *x = mdf_alloc(ROWS * C, sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < ROWS * C; i++) {
        x[i] = 0.1f;
    }
    /* 7e4 * 0.1: adding floats one by one is off by about 1e-3 relative, blocks are not */
    const double want = ROWS * (double)0.1f;
    float db[C] = {0};
    c->k->bias_bwd(db, x, ROWS, C);
    for (int j = 0; j < C; j++) {
        assert_true(fabs((double)db[j] - want) < 2e-6 * want);
    }
    const double square = (double)0.1f * (double)0.1f * ROWS * C;
    /* blocks of 1024 float additions: 2^-24 each, when the compiler does not vectorise them */
    assert_true(fabs(c->k->dot(x, x, ROWS * C) - square) < 1024 * 6e-8 * square);
    mdf_free(x);
}

static void long_sums_keep_their_digits(void **state)
{
    (void)state;
    each_level(long_sums_case);
}

static void bias_case(const level_case *c)
{
    enum { N = 5 };
    for (int64_t w = 1; w <= 300; w += w < TAIL_MAX ? 1 : 97) {
        float x[N * 300 + 1], y[N * 300 + 1], b[301], d[301];
        fill(x, N * w, 1, (uint32_t)w);
        fill(b, w, 1, (uint32_t)w + 100);
        x[N * w] = b[w] = 42;
        memcpy(y, x, sizeof y);
        memcpy(d, b, sizeof d);
        c->ref->bias_fwd(y, b, N, w);
        c->k->bias_fwd(x, b, N, w);
        assert_close(x, y, N * w + 1, ROUNDINGS, 1, c->name);
        c->ref->bias_bwd(d, y, N, w);
        c->k->bias_bwd(b, y, N, w);
        assert_close(b, d, w + 1, ROUNDINGS, N, c->name);
    }
}

static void bias_agrees_on_every_width(void **state)
{
    (void)state;
    each_level(bias_case);
}

static void max_pool_case(const level_case *c)
{
    enum { H = 4, W = 6 };
    for (int64_t w = 1; w <= TAIL_MAX; w++) {
        float x[H * W * TAIL_MAX], y[H * W / 4 * TAIL_MAX + 1], z[H * W / 4 * TAIL_MAX + 1];
        float a[H * W * TAIL_MAX], b[H * W * TAIL_MAX];
        fill(x, H * W * w, 1, (uint32_t)w);
        for (int64_t i = 0; i < H * W * w; i++) {
            x[i] = floorf(x[i] * 3); /* many ties: the first must win */
        }
        y[H * W / 4 * w] = z[H * W / 4 * w] = 42;
        c->ref->max_pool_fwd(z, x, H, W, w);
        c->k->max_pool_fwd(y, x, H, W, w);
        assert_memory_equal(y, z, (size_t)(H * W / 4 * w + 1) * sizeof *y);
        for (int acc = 0; acc < 2; acc++) {
            fill(a, H * W * w, 1, 9);
            memcpy(b, a, sizeof b);
            c->ref->max_pool_bwd(b, z, x, H, W, w, acc != 0);
            c->k->max_pool_bwd(a, z, x, H, W, w, acc != 0);
            assert_close(a, b, H * W * w, 0, 0, c->name);
        }
    }
}

static void max_pool_is_equal_on_every_width_with_ties(void **state)
{
    (void)state;
    each_level(max_pool_case);
}

static void adamw_case(const level_case *c)
{
    const mdf_adamw_step s = {0.9f, 0.98f, 1e-8f, 1e-3f, 1.7f, 1e-4f, 0.5f};
    for (int64_t n = 1; n <= TAIL_MAX; n++) {
        float p[3][TAIL_MAX + 1], q[3][TAIL_MAX + 1], g[TAIL_MAX];
        fill(p[0], n, 1, (uint32_t)n);
        fill(p[1], n, 1, (uint32_t)n + 1);
        fill(p[2], n, 1, (uint32_t)n + 2);
        fill(g, n, 1, (uint32_t)n + 3);
        for (int64_t i = 0; i < n; i++) {
            p[2][i] = fabsf(p[2][i]);
        }
        p[0][n] = p[1][n] = p[2][n] = 42;
        memcpy(q, p, sizeof q);
        c->ref->adamw(q[0], q[1], q[2], g, n, &s);
        c->k->adamw(p[0], p[1], p[2], g, n, &s);
        for (int j = 0; j < 3; j++) {
            assert_close(p[j], q[j], n + 1, ROUNDINGS, 1, c->name);
        }
    }
}

static void adamw_agrees_on_every_tail(void **state)
{
    (void)state;
    each_level(adamw_case);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gelu_agrees_on_every_tail),
        cmocka_unit_test(swiglu_agrees_on_every_tail),
        cmocka_unit_test(softmax_agrees_on_every_tail),
        cmocka_unit_test(softmax_survives_infinities_huge_scores_and_nan),
        cmocka_unit_test(activations_survive_the_ends_of_the_range),
        cmocka_unit_test(exp_is_good_to_two_ulp),
        cmocka_unit_test(dot_and_axpy_agree_on_every_tail),
        cmocka_unit_test(long_sums_keep_their_digits),
        cmocka_unit_test(bias_agrees_on_every_width),
        cmocka_unit_test(max_pool_is_equal_on_every_width_with_ties),
        cmocka_unit_test(adamw_agrees_on_every_tail),
    };
    return cmocka_run_group_tests_name("kernel/kernels", tests, NULL, NULL);
}
