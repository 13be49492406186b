/* The operations of mobile networks beside their values: shapes that do not fit, little memory,
 * threads, and that they are the operations which they claim to be. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include "tensor/tensor.h"

#define DIMS(...) ((int64_t[]){__VA_ARGS__})

enum { NUMBERS = 1 << 18 };

/* A graph, and numbers for any tensor. */
typedef struct setting {
    mdf_kernels *kernels;
    mdf_graph graph;
    mdf_real numbers[NUMBERS], grad[4][NUMBERS];
} setting;

static void open_limited(setting *s, size_t limit)
{
    memset(s, 0, sizeof *s);
    assert_int_equal(mdf_kernels_new(&s->kernels, NULL, NULL), MDF_OK);
    assert_int_equal(mdf_graph_init(&s->graph, s->kernels, true, limit, NULL), MDF_OK);
    for (uint32_t i = 0; i < NUMBERS; i++) {
        s->numbers[i] = (mdf_real)((i * 2654435761U) >> 8) / (mdf_real)8388608 - 1;
    }
}

static void shut(setting *s)
{
    mdf_graph_free(&s->graph);
    mdf_kernels_free(s->kernels);
}

/* A parameter whose numbers begin at `at`. */
static mdf_tensor parameter(setting *s, int which, int at, int rank, const int64_t *dim)
{
    mdf_tensor t = {.rank = rank, .parameter = true, .needs_grad = true};
    memcpy(t.dim, dim, (size_t)rank * sizeof *dim);
    t.data = s->numbers + at;
    t.grad = s->grad[which];
    assert_true(at + mdf_tensor_count(&t) <= NUMBERS);
    return t;
}

static void refused(setting *s, const mdf_tensor *y, const char *words)
{
    mdf_error err = {0};
    assert_null(y);
    assert_int_equal(mdf_graph_status(&s->graph, &err), MDF_ERR_SHAPE);
    if (strstr(err.text, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
    }
    mdf_graph_reset(&s->graph);
}

static mdf_tensor *zeros(setting *s, int rank, const int64_t *dim)
{
    mdf_tensor *t = mdf_zeros(&s->graph, rank, dim);
    assert_non_null(t);
    return t;
}

static void wrong_shapes_of_depthwise_are_refused(void **state)
{
    (void)state;
    static setting s;
    open_limited(&s, 0);
    static const struct {
        int x_rank, w_rank, b_rank;
        int64_t x[4], w[4], b[2], stride;
    } wrong[] = {
        {3, 4, 1, {5, 5, 3}, {3, 1, 3, 3}, {3}, 1},
        {4, 3, 1, {1, 5, 5, 3}, {3, 3, 3}, {3}, 1},
        {4, 4, 1, {1, 5, 5, 4}, {3, 1, 3, 3}, {3}, 1},
        {4, 4, 1, {1, 5, 5, 3}, {3, 3, 3, 3}, {3}, 1},
        {4, 4, 1, {1, 5, 5, 3}, {3, 1, 3, 5}, {3}, 1},
        {4, 4, 1, {1, 9, 9, 3}, {3, 1, 8, 8}, {3}, 1},
        {4, 4, 1, {1, 9, 9, 3}, {3, 1, 0, 0}, {3}, 1},
        {4, 4, 2, {1, 5, 5, 3}, {3, 1, 3, 3}, {3, 1}, 1},
        {4, 4, 1, {1, 5, 5, 3}, {3, 1, 3, 3}, {4}, 1},
        {4, 4, 1, {1, 5, 5, 3}, {3, 1, 3, 3}, {3}, 0},
        {4, 4, 1, {1, 5, 5, 3}, {3, 1, 3, 3}, {3}, 8},
        {4, 4, 1, {1, 5, 5, 3}, {3, 1, 3, 3}, {3}, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        mdf_tensor *x = zeros(&s, wrong[i].x_rank, wrong[i].x);
        mdf_tensor *w = zeros(&s, wrong[i].w_rank, wrong[i].w);
        mdf_tensor *b = zeros(&s, wrong[i].b_rank, wrong[i].b);
        refused(&s, mdf_depthwise(&s.graph, x, w, b, wrong[i].stride, mdf_relu6()),
                "depthwise: want x [B,H,W,C], w [C,1,K,K], b [C], K and stride 1 to 7");
    }
    mdf_tensor *x = zeros(&s, 4, DIMS(1, 9, 8, 3));
    mdf_tensor *w = zeros(&s, 4, DIMS(3, 1, 7, 7));
    mdf_tensor *b = zeros(&s, 1, DIMS(3));
    assert_non_null(mdf_depthwise(&s.graph, x, w, b, 7, mdf_relu6())); /* the limits themselves */
    shut(&s);
}

static void wrong_shapes_of_patches_and_layers_are_refused(void **state)
{
    (void)state;
    static setting s;
    open_limited(&s, 0);
    const char *unfold = "unfold: want x [B,H,W,C], k and stride 1 to 7";
    static const int64_t k_stride[][2] = {{0, 1}, {8, 1}, {INT64_MAX, 1}, {1, 0}, {1, 8}, {3, -1}};
    for (size_t i = 0; i < sizeof k_stride / sizeof k_stride[0]; i++) {
        mdf_tensor *x = zeros(&s, 4, DIMS(1, 4, 4, 2));
        refused(&s, mdf_unfold(&s.graph, x, k_stride[i][0], k_stride[i][1]), unfold);
    }
    refused(&s, mdf_unfold(&s.graph, zeros(&s, 3, DIMS(4, 4, 2)), 3, 1), unfold);
    assert_non_null(mdf_unfold(&s.graph, zeros(&s, 4, DIMS(1, 4, 4, 2)), 7, 7));
    mdf_graph_reset(&s.graph);
    const char *linear = "linear: want w [O,I] and b [O]";
    const mdf_clip clip = mdf_relu6();
    refused(&s,
            mdf_linear_clip(&s.graph, zeros(&s, 2, DIMS(4, 5)), zeros(&s, 1, DIMS(5)),
                            zeros(&s, 1, DIMS(5)), clip),
            linear);
    refused(&s,
            mdf_linear_clip(&s.graph, zeros(&s, 2, DIMS(4, 5)), zeros(&s, 2, DIMS(3, 5)),
                            zeros(&s, 1, DIMS(4)), clip),
            linear);
    refused(&s,
            mdf_linear_clip(&s.graph, zeros(&s, 2, DIMS(4, 5)), zeros(&s, 2, DIMS(3, 5)),
                            zeros(&s, 2, DIMS(3, 1)), clip),
            linear);
    refused(&s,
            mdf_linear_clip(&s.graph, zeros(&s, 2, DIMS(4, 6)), zeros(&s, 2, DIMS(3, 5)),
                            zeros(&s, 1, DIMS(3)), clip),
            "linear: x has 6 columns, w wants 5");
    shut(&s);
}

static void wrong_shapes_of_folded_norms_are_refused(void **state)
{
    (void)state;
    static setting s;
    open_limited(&s, 0);
    const char *weight = "fold_norm_weight: want w [O,..], gamma [O] and var [O]";
    const char *bias = "fold_norm_bias: want gamma, beta, mean and var [O]";
    for (int i = 0; i < 3; i++) {
        mdf_tensor *w = i == 0 ? zeros(&s, 1, DIMS(4)) : zeros(&s, 2, DIMS(4, 3));
        mdf_tensor *gamma = i == 1 ? zeros(&s, 1, DIMS(3)) : zeros(&s, 1, DIMS(4));
        mdf_tensor *var = i == 2 ? zeros(&s, 2, DIMS(4, 1)) : zeros(&s, 1, DIMS(4));
        refused(&s, mdf_fold_norm_weight(&s.graph, w, gamma, var, MDF_R(1e-3)), weight);
    }
    for (int i = 0; i < 8; i++) {
        mdf_tensor *t[4];
        for (int j = 0; j < 4; j++) {
            const bool wrong = j == i % 4;
            t[j] = zeros(&s, wrong && i < 4 ? 2 : 1, DIMS(wrong && i >= 4 ? 3 : 4, 1));
        }
        refused(&s, mdf_fold_norm_bias(&s.graph, t[0], t[1], t[2], t[3], MDF_R(1e-3)), bias);
    }
    shut(&s);
}

/* Everything once, from x [2,h,w,c] to one number. */
static mdf_tensor *network(setting *s, mdf_tensor p[4], int64_t stride)
{
    static const int32_t index[3] = {0, 7, 11};
    static const mdf_real weight[3] = {1, -2, 3};
    static const int32_t offset[2] = {0, 3};
    mdf_graph *g = &s->graph;
    const int64_t c = p[1].dim[0];
    mdf_tensor *var = mdf_zeros(g, 1, DIMS(c));
    mdf_tensor *mean = mdf_zeros(g, 1, DIMS(c));
    for (int64_t i = 0; i < c && var != NULL && mean != NULL; i++) {
        var->data[i] = 1 + MDF_R(0.1) * (mdf_real)i;
        mean->data[i] = MDF_R(0.1);
    }
    mdf_tensor *w = mdf_fold_norm_weight(g, &p[1], &p[2], var, MDF_R(1e-3));
    mdf_tensor *b = mdf_fold_norm_bias(g, &p[2], &p[2], mean, var, MDF_R(1e-3));
    mdf_tensor *y = mdf_depthwise(g, &p[0], w, b, stride, (mdf_clip){MDF_R(-0.5), MDF_R(0.5)});
    y = mdf_linear_clip(g, mdf_unfold(g, y, 3, 2), &p[3], &p[2], (mdf_clip){-1, 1});
    y = y == NULL ? NULL : mdf_reshape(g, y, 1, DIMS(mdf_tensor_count(y)));
    return mdf_segment_sum(g, y, index, weight, offset, 1);
}

static void make_network(setting *s, mdf_tensor p[4], int64_t h, int64_t w, int64_t c)
{
    p[0] = parameter(s, 0, 0, 4, DIMS(2, h, w, c));
    p[1] = parameter(s, 1, 77, 4, DIMS(c, 1, 5, 5));
    p[2] = parameter(s, 2, 99, 1, DIMS(c));
    p[3] = parameter(s, 3, 111, 4, DIMS(c, c, 3, 3));
}

/* Whatever does not fit is reported, forward and backward, and nothing else happens. */
static void every_amount_of_memory_too_small_is_an_error(void **state)
{
    (void)state;
    static setting s;
    int forward = 0;
    int backward = 0;
    bool good = false;
    for (size_t limit = 64; !good; limit += 256) {
        mdf_tensor p[4];
        mdf_error err = {0};
        open_limited(&s, limit);
        make_network(&s, p, 9, 6, 3);
        mdf_tensor *loss = network(&s, p, 2);
        mdf_status status = mdf_graph_status(&s.graph, &err);
        assert_true((loss == NULL) == (status != MDF_OK));
        forward += loss == NULL;
        if (loss != NULL) {
            status = mdf_graph_backward(&s.graph, loss, &err);
            backward += status != MDF_OK;
        }
        good = status == MDF_OK;
        assert_true(good || status == MDF_ERR_NOMEM);
        assert_true(limit < (size_t)1 << 22);
        shut(&s);
    }
    assert_true(forward > 10 && backward > 0);
}

static void what_is_missing_stays_missing(void **state)
{
    (void)state;
    static setting s;
    open_limited(&s, 0);
    mdf_graph *g = &s.graph;
    mdf_tensor *t = zeros(&s, 1, DIMS(3));
    assert_null(mdf_depthwise(g, NULL, t, t, 1, mdf_relu6()));
    assert_null(mdf_depthwise(g, t, NULL, t, 1, mdf_relu6()));
    assert_null(mdf_depthwise(g, t, t, NULL, 1, mdf_relu6()));
    assert_null(mdf_linear_clip(g, NULL, t, t, mdf_relu6()));
    assert_null(mdf_linear_clip(g, t, NULL, t, mdf_relu6()));
    assert_null(mdf_unfold(g, NULL, 3, 1));
    assert_null(mdf_fold_norm_weight(g, NULL, t, t, 1));
    assert_null(mdf_fold_norm_weight(g, t, NULL, t, 1));
    assert_null(mdf_fold_norm_weight(g, t, t, NULL, 1));
    assert_null(mdf_fold_norm_bias(g, NULL, t, t, t, 1));
    assert_null(mdf_fold_norm_bias(g, t, NULL, t, t, 1));
    assert_null(mdf_fold_norm_bias(g, t, t, NULL, t, 1));
    assert_null(mdf_fold_norm_bias(g, t, t, t, NULL, 1));
    assert_int_equal(mdf_graph_status(g, NULL), MDF_OK); /* the first failure was elsewhere */
    shut(&s);
}

#if defined(_OPENMP)
/* mdf_depthwise() and mdf_unfold() and their gradients. */
static void run_convolutions(setting *s, mdf_tensor p[4], mdf_real *y)
{
    static int32_t index[NUMBERS];
    mdf_graph *g = &s->graph;
    mdf_graph_reset(g);
    memset(s->grad, 0, sizeof s->grad);
    mdf_tensor *t = mdf_depthwise(g, &p[0], &p[1], &p[2], 1, mdf_relu6());
    t = mdf_unfold(g, t, 2, 3);
    assert_non_null(t);
    const int64_t n = mdf_tensor_count(t);
    assert_true(n <= NUMBERS);
    memcpy(y, t->data, (size_t)n * sizeof *y);
    for (int32_t i = 0; i < n; i++) {
        index[i] = i;
    }
    t = mdf_segment_sum(g, mdf_reshape(g, t, 1, DIMS(n)), index, s->numbers,
                        (int32_t[]){0, (int32_t)n}, 1);
    assert_int_equal(mdf_graph_backward(g, t, NULL), MDF_OK);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    static setting s;
    static mdf_real y[2][NUMBERS], grad[4][NUMBERS];
    const int before = omp_get_max_threads();
    mdf_tensor p[4];
    open_limited(&s, 0);
    make_network(&s, p, 40, 37, 33);
    omp_set_num_threads(1);
    run_convolutions(&s, p, y[0]);
    memcpy(grad, s.grad, sizeof grad);
    for (int threads = 2; threads < 6; threads++) {
        omp_set_num_threads(threads);
        run_convolutions(&s, p, y[1]);
        assert_memory_equal(y[0], y[1], sizeof y[0]);
        assert_memory_equal(grad, s.grad, sizeof grad);
    }
    assert_true(grad[0][0] != 0 && grad[1][0] != 0 && grad[2][0] != 0);
    omp_set_num_threads(before);
    shut(&s);
}
#endif

/* At most 72 products of numbers below 1 in another order. */
static void same_numbers(const mdf_tensor *got, const mdf_tensor *want)
{
    assert_non_null(got);
    assert_non_null(want);
    assert_int_equal(mdf_tensor_count(got), mdf_tensor_count(want));
    const int64_t n = mdf_tensor_count(got);
    for (int64_t i = 0; i < n; i++) {
        if (!(fabs((double)got->data[i] - (double)want->data[i]) <= 72 * 6e-8)) {
            fail_msg("number %lld is %.9g, want %.9g", (long long)i, (double)got->data[i],
                     (double)want->data[i]);
        }
    }
}

static void they_are_the_convolution_where_both_can_be(void **state)
{
    (void)state;
    static setting s;
    open_limited(&s, 0);
    mdf_graph *g = &s.graph;
    mdf_tensor x = parameter(&s, 0, 0, 4, DIMS(2, 7, 10, 8));
    mdf_tensor w = parameter(&s, 1, 500, 4, DIMS(5, 8, 3, 3));
    mdf_tensor b = parameter(&s, 2, 900, 1, DIMS(5));
    same_numbers(mdf_linear(g, mdf_unfold(g, &x, 3, 1), &w, &b), mdf_conv2d(g, &x, &w, &b));
    mdf_tensor one = parameter(&s, 0, 0, 4, DIMS(2, 7, 10, 1));
    mdf_tensor v = parameter(&s, 1, 500, 4, DIMS(1, 1, 3, 3));
    mdf_tensor c = parameter(&s, 2, 900, 1, DIMS(1));
    same_numbers(mdf_depthwise(g, &one, &v, &c, 1, mdf_no_clip()), mdf_conv2d(g, &one, &v, &c));
    /* patches that do not overlap */
    mdf_tensor even = parameter(&s, 0, 0, 4, DIMS(2, 8, 10, 8));
    const mdf_tensor *patch = mdf_unfold(g, &even, 2, 2);
    const mdf_tensor *cut = mdf_patchify(g, &even, 2);
    assert_int_equal(mdf_tensor_count(patch), mdf_tensor_count(cut));
    assert_memory_equal(patch->data, cut->data, (size_t)mdf_tensor_count(cut) * sizeof *cut->data);
    shut(&s);
}

/* Without limits nothing changes, to the bit. */
static void a_layer_that_clips_nothing_is_the_layer(void **state)
{
    (void)state;
    static setting s;
    open_limited(&s, 0);
    mdf_graph *g = &s.graph;
    mdf_tensor x = parameter(&s, 0, 0, 2, DIMS(9, 20));
    mdf_tensor w = parameter(&s, 1, 500, 2, DIMS(7, 20));
    mdf_tensor b = parameter(&s, 2, 900, 1, DIMS(7));
    const mdf_tensor *plain = mdf_linear(g, &x, &w, &b);
    const mdf_tensor *wide = mdf_linear_clip(g, &x, &w, &b, mdf_no_clip());
    const mdf_tensor *far = mdf_linear_clip(g, &x, &w, &b, (mdf_clip){-1000, (mdf_real)INFINITY});
    assert_true(plain != NULL && wide != NULL && far != NULL);
    assert_memory_equal(plain->data, wide->data, 9 * 7 * sizeof *wide->data);
    assert_memory_equal(plain->data, far->data, 9 * 7 * sizeof *far->data);
    shut(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_shapes_of_depthwise_are_refused),
        cmocka_unit_test(wrong_shapes_of_patches_and_layers_are_refused),
        cmocka_unit_test(wrong_shapes_of_folded_norms_are_refused),
        cmocka_unit_test(every_amount_of_memory_too_small_is_an_error),
        cmocka_unit_test(what_is_missing_stays_missing),
#if defined(_OPENMP)
        cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
#endif
        cmocka_unit_test(they_are_the_convolution_where_both_can_be),
        cmocka_unit_test(a_layer_that_clips_nothing_is_the_layer),
    };
    return cmocka_run_group_tests_name("tensor/mobile", tests, NULL, NULL);
}
