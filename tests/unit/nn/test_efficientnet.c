/* EfficientNet-lite0 against PyTorch: five levels and gradients, with weights by a formula that
 * tools/golden_efficientnet.py has too. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "io/safetensors.h"
#include "nn/efficientnet.h"

enum { SIDE = 32, CASES = 2, MOST = CASES * 16 * 16 * 16 };

/* Of the largest number of a tensor. 48 layers of float32; PyTorch's own float32 differs from its
 * float64 by 2e-6. */
#define TOLERANCE 2e-5

/* count float32 numbers in low..high of parameter number index. */
static void numbers(mdf_real *out, uint32_t index, int64_t count, double low, double high)
{
    for (int64_t i = 0; i < count; i++) {
        uint32_t x = (uint32_t)i * 2654435761U + (index + 1) * 40503U;
        x = (x ^ (x >> 15)) * 2246822519U;
        x ^= x >> 13;
        out[i] = (mdf_real)(float)(low + (high - low) * ((double)(x >> 8) / 16777216.0));
    }
}

typedef struct setting {
    mdf_kernels *kernels;
    mdf_params params;
    mdf_efficientnet net;
    mdf_graph graph;
    mdf_safetensors expect;
    mdf_real image[CASES * SIDE * SIDE * 3];
    mdf_real weight[6][MOST];
    int32_t index[MOST];
} setting;

static void must(mdf_status status, const mdf_error *err)
{
    if (status != MDF_OK) {
        fail_msg("%s", err->text);
    }
}

static setting *open(void)
{
    static setting s;
    mdf_error err = {0};
    s = (setting){0};
    must(mdf_kernels_new(&s.kernels, NULL, &err), &err);
    must(mdf_params_init(&s.params, &err), &err);
    mdf_efficientnet_declare(&s.net, &s.params);
    must(mdf_params_status(&s.params, &err), &err);
    must(mdf_params_allocate(&s.params, true, &err), &err);
    mdf_params_zero_grad(&s.params);
    assert_int_equal(s.params.count, 5 * 48);
    for (size_t i = 0; i < s.params.count; i += 5) {
        mdf_tensor *w = &s.params.item[i]->tensor;
        const int64_t n = mdf_tensor_count(w);
        const double reach = (double)(float)sqrt(6.0 / (double)(n / w->dim[0]));
        const double low[5] = {-reach, 0.8, -0.2, -0.3, 0.5};
        const double high[5] = {reach, 1.2, 0.6, 0.3, 1.5};
        for (size_t j = 0; j < 5; j++) {
            mdf_tensor *t = &s.params.item[i + j]->tensor;
            numbers(t->data, (uint32_t)(i + j), mdf_tensor_count(t), low[j], high[j]);
        }
    }
    numbers(s.image, 1000, CASES * SIDE * SIDE * 3, -1, 1);
    for (int32_t i = 0; i < MOST; i++) {
        s.index[i] = i;
    }
    must(mdf_graph_init(&s.graph, s.kernels, true, 0, &err), &err);
    must(mdf_safetensors_open(&s.expect, MDF_TEST_DATA "/golden/efficientnet/expect.safetensors",
                              &err),
         &err);
    return &s;
}

static void close_setting(setting *s)
{
    mdf_safetensors_close(&s->expect);
    mdf_graph_free(&s->graph);
    mdf_params_free(&s->params);
    mdf_kernels_free(s->kernels);
}

/* The first numbers of a golden tensor. */
static void assert_golden(const setting *s, const char *name, const mdf_real *got, int64_t count)
{
    static mdf_real want[MOST];
    mdf_error err = {0};
    const mdf_st_tensor *t = mdf_safetensors_find(&s->expect, name);
    assert_non_null(t);
    assert_true(t->count <= MOST && (int64_t)t->count <= count);
#ifdef MDF_REAL_DOUBLE
    must(mdf_safetensors_doubles(&s->expect, t, want, &err), &err);
#else
    must(mdf_safetensors_floats(&s->expect, t, want, &err), &err);
#endif
    double most = 0;
    for (size_t i = 0; i < t->count; i++) {
        most = fmax(most, fabs((double)want[i]));
    }
    for (size_t i = 0; i < t->count; i++) {
        if (!(fabs((double)got[i] - (double)want[i]) <= TOLERANCE * most)) {
            fail_msg("%s: number %zu is %.9g, want %.9g", name, i, (double)got[i], (double)want[i]);
        }
    }
}

static void levels_and_gradients_agree(void **state)
{
    (void)state;
    setting *s = open();
    mdf_error err = {0};
    mdf_tensor *level[6] = {NULL};
    mdf_tensor *image = mdf_constant(&s->graph, s->image, 4, (int64_t[]){CASES, SIDE, SIDE, 3});
    mdf_efficientnet_encode(&s->graph, &s->net, image, NULL, level);
    must(mdf_graph_status(&s->graph, &err), &err);
    mdf_tensor *loss = NULL;
    for (int l = 1; l <= 5; l++) {
        char name[32];
        const int64_t n = mdf_tensor_count(level[l]);
        assert_int_equal(level[l]->dim[1], SIDE >> l);
        assert_int_equal(level[l]->dim[3], mdf_efficientnet_channels(l));
        (void)snprintf(name, sizeof name, "level.%d", l);
        assert_golden(s, name, level[l]->data, n);
        numbers(s->weight[l], 2000 + (uint32_t)l, n, -1, 1);
        const int32_t offset[2] = {0, (int32_t)n};
        int32_t *kept = mdf_graph_alloc(&s->graph, 2, sizeof *kept);
        assert_non_null(kept);
        memcpy(kept, offset, sizeof offset);
        mdf_tensor *part = mdf_segment_sum(&s->graph, mdf_reshape(&s->graph, level[l], 1, &n),
                                           s->index, s->weight[l], kept, 1);
        loss = mdf_loss_sum(&s->graph, loss, 1, part, 1);
    }
    must(mdf_graph_backward(&s->graph, loss, &err), &err);
    const size_t checked[] = {0, 1, 9, 24, 47};
    for (size_t i = 0; i < 5; i++) {
        const char *const part[] = {"weight", "norm.weight", "norm.bias"};
        for (size_t j = 0; j < 3; j++) {
            char name[48];
            const mdf_tensor *t = &s->params.item[5 * checked[i] + j]->tensor;
            (void)snprintf(name, sizeof name, "grad.%zu.%s", checked[i], part[j]);
            assert_golden(s, name, t->grad, mdf_tensor_count(t));
        }
    }
    for (size_t i = 0; i < s->params.count; i++) { /* statistics stay without a gradient */
        const mdf_tensor *t = &s->params.item[i]->tensor;
        for (int64_t j = 0; i % 5 >= 3 && j < mdf_tensor_count(t); j++) {
            assert_true(t->grad[j] == 0);
        }
    }
    close_setting(s);
}

/* As batch norm in training: the statistics of the batch, and what comes of them. */
static void statistics_are_those_of_the_batch(void **state)
{
    (void)state;
    setting *s = open();
    mdf_error err = {0};
    mdf_tensor *level[6] = {NULL};
    mdf_tensor *image = mdf_constant(&s->graph, s->image, 4, (int64_t[]){CASES, SIDE, SIDE, 3});
    mdf_efficientnet_by_batch(&s->net, 1);
    mdf_efficientnet_encode(&s->graph, &s->net, image, NULL, level);
    must(mdf_graph_status(&s->graph, &err), &err);
    const size_t checked[] = {0, 1, 9};
    for (size_t i = 0; i < 3; i++) {
        const char *const part[] = {"mean", "var"};
        for (size_t j = 0; j < 2; j++) {
            char name[48];
            const mdf_tensor *t = &s->params.item[5 * checked[i] + 3 + j]->tensor;
            (void)snprintf(name, sizeof name, "batch.%zu.%s", checked[i], part[j]);
            assert_golden(s, name, t->data, mdf_tensor_count(t));
        }
    }
    for (int l = 1; l <= 3; l++) {
        char name[32];
        (void)snprintf(name, sizeof name, "batch.level.%d", l);
        assert_golden(s, name, level[l]->data, mdf_tensor_count(level[l]));
    }
    close_setting(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(levels_and_gradients_agree),
                                       cmocka_unit_test(statistics_are_those_of_the_batch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
