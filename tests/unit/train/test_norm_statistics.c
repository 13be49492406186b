/* Statistics of an encoder's norms from pictures. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "train/norm_statistics.h"

enum { SIDE = 64, CASES = 4, PIXELS = CASES * SIDE * SIDE * 3 };

static mdf_config config; /* 40 kB: not on the stack */
static mdf_kernels *kernels;
static mdf_graph graph;
static mdf_mllm *model;
static mdf_real image[2][PIXELS];

static void must(mdf_status status, const mdf_error *err)
{
    if (status != MDF_OK) {
        fail_msg("%s", err->text);
    }
}

static void open_model(const char *encoder)
{
    mdf_error err = {0};
    const char *const set[] = {encoder,
                               "unet_config.image_size=64",
                               "fusion_config.grid=4",
                               "fusion_config.cells=1",
                               "answer_config.labels=[\"normal\",\"dr\"]",
                               "answer_config.image_head=true"};
    must(mdf_config_load(&config, MDF_TEST_DATA "/../presets/tiny.json", &err), &err);
    for (size_t i = 0; i < sizeof set / sizeof *set; i++) {
        must(mdf_config_set(&config, set[i], &err), &err);
    }
    must(mdf_mllm_new(&model, &config, false, &err), &err);
    mdf_params_initialise(&model->params, 7);
}

static int set_up(void **state)
{
    (void)state;
    mdf_error err = {0};
    mdf_rng r = mdf_rng_new(3, 1);
    must(mdf_kernels_new(&kernels, NULL, &err), &err);
    must(mdf_graph_init(&graph, kernels, false, 0, &err), &err);
    open_model("unet_config.encoder=efficientnet_lite0");
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < PIXELS; i++) { /* a darker and a brighter camera */
            image[k][i] = (mdf_real)(mdf_rng_normal(&r) * (0.5 + (double)k) + 0.3 * (double)k);
        }
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mdf_mllm_free(model);
    mdf_graph_free(&graph);
    mdf_kernels_free(kernels);
    return 0;
}

/* Copy of all parameters. */
static mdf_real *copy_params(void)
{
    mdf_real *copy = mdf_alloc((size_t)model->params.total, sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, model->params.data, (size_t)model->params.total * sizeof *copy);
    return copy;
}

static void put_back(mdf_real *copy)
{
    memcpy(model->params.data, copy, (size_t)model->params.total * sizeof *copy);
    mdf_free(copy);
}

/* The statistics of image [from, to) with that weight; returns the shift. */
static double measure(size_t from, size_t to, double weight)
{
    mdf_error err = {0};
    mdf_norm_means n;
    must(mdf_norm_means_new(&n, model, &err), &err);
    for (size_t k = from; k < to; k++) {
        must(mdf_norm_means_add(&n, model, &graph, image[k], CASES, SIDE, &err), &err);
    }
    mdf_norm_means_set(&n, model, weight);
    const double shift = mdf_norm_means_shift(&n, model);
    mdf_norm_means_free(&n);
    return shift;
}

static bool is_statistic(size_t i)
{
    return model->params.item[i]->group == MDF_GROUP_FIXED;
}

/* The skips of image 0 at levels 1 and 2 into out; returns how many numbers. */
static size_t features(mdf_real *out, double momentum)
{
    mdf_error err = {0};
    mdf_real *copy = copy_params(); /* a forward by batch moves the statistics */
    mdf_graph_reset(&graph);
    mdf_norms_by_batch(model, momentum);
    mdf_tensor *x = mdf_constant(&graph, image[0], 4, (int64_t[]){CASES, SIDE, SIDE, 3});
    const mdf_unet_features f = mdf_unet_encode(&graph, &model->unet, x, NULL);
    mdf_norms_by_batch(model, 0);
    must(mdf_graph_status(&graph, &err), &err);
    size_t n = 0;
    for (int level = 1; level <= 2; level++) {
        const size_t count = (size_t)mdf_tensor_count(f.skip[level]);
        memcpy(out + n, f.skip[level]->data, count * sizeof *out);
        n += count;
    }
    put_back(copy);
    return n;
}

/* With the statistics of one batch, the fixed norms do to that batch what norms by batch did. */
static void fixed_norms_then_do_what_norms_by_batch_did(void **state)
{
    (void)state;
    enum { MOST = CASES * 32 * 32 * 64 };
    static mdf_real by_batch[MOST];
    static mdf_real before[MOST];
    static mdf_real after[MOST];
    mdf_real *copy = copy_params();
    const size_t n = features(before, 0);
    assert_true(n <= MOST);
    (void)measure(0, 1, 1);
    assert_int_equal(features(after, 0), n);
    put_back(copy);
    assert_int_equal(features(by_batch, 1), n);
    double far = 0;
    double near = 0;
    double size = 0;
    for (size_t i = 0; i < n; i++) {
        const double b = (double)by_batch[i];
        far += ((double)before[i] - b) * ((double)before[i] - b);
        near += ((double)after[i] - b) * ((double)after[i] - b);
        size += b * b;
    }
    /* The stored variance is the unbiased one, the batch's own is not: a factor n / (n - 1) of 1024
     * numbers (4 pictures of 16 x 16) at least, 0.05 % of the deviation, in each of the 9 norms of
     * these levels. */
    assert_true(sqrt(near / size) < 9 * 0.0005);
    assert_true(sqrt(far / size) > 0.3); /* and without them it would not be so */
}

static void several_batches_give_their_mean(void **state)
{
    (void)state;
    mdf_real *own = copy_params();
    mdf_real *one[2];
    for (size_t k = 0; k < 2; k++) {
        (void)measure(k, k + 1, 1);
        one[k] = copy_params();
        memcpy(model->params.data, own, (size_t)model->params.total * sizeof *own);
    }
    (void)measure(0, 2, 0.25);
    for (size_t i = 0; i < model->params.count; i++) {
        const mdf_param *p = model->params.item[i];
        for (int64_t j = p->offset; j < p->offset + mdf_tensor_count(&p->tensor); j++) {
            const double mean = ((double)one[0][j] + (double)one[1][j]) / 2;
            const double want =
                is_statistic(i) ? 0.25 * mean + 0.75 * (double)own[j] : (double)own[j];
            /* a batch's statistics replace the others by x += new - x, of floats */
            const double most =
                fabs((double)one[0][j]) + fabs((double)one[1][j]) + fabs((double)own[j]);
            assert_true(fabs((double)model->params.data[j] - want) <= 2.4e-7 * most);
        }
    }
    mdf_free(one[0]);
    mdf_free(one[1]);
    put_back(own);
}

static void weight_0_leaves_every_bit(void **state)
{
    (void)state;
    mdf_real *own = copy_params();
    mdf_error err = {0};
    mdf_norm_means n;
    (void)measure(0, 2, 0);
    assert_memory_equal(model->params.data, own, (size_t)model->params.total * sizeof *own);
    must(mdf_norm_means_new(&n, model, &err), &err); /* stopped before the first batch */
    mdf_norm_means_set(&n, model, 0);
    assert_true(mdf_norm_means_shift(&n, model) == 0);
    mdf_norm_means_free(&n);
    assert_memory_equal(model->params.data, own, (size_t)model->params.total * sizeof *own);
    mdf_free(own);
}

/* Means that lie half a deviation beside what a batch has. */
static void the_shift_is_in_deviations(void **state)
{
    (void)state;
    mdf_real *own = copy_params();
    (void)measure(0, 1, 1);
    assert_true(measure(0, 1, 0) < 1e-6);
    for (size_t i = 0; i + 1 < model->params.count; i++) {
        const mdf_tensor *mean = &model->params.item[i]->tensor;
        const mdf_tensor *var = &model->params.item[i + 1]->tensor;
        const size_t len = strlen(mean->name);
        if (is_statistic(i) && strcmp(mean->name + len - 5, ".mean") == 0) {
            for (int64_t j = 0; j < mdf_tensor_count(mean); j++) {
                mean->data[j] += (mdf_real)(0.5 * sqrt((double)var->data[j]));
            }
        }
    }
    /* float32 of means up to some deviations */
    assert_true(fabs(measure(0, 1, 0) - 0.5) < 1e-4);
    put_back(own);
}

static void an_encoder_without_norms_is_refused(void **state)
{
    (void)state;
    mdf_error err = {0};
    mdf_norm_means n;
    mdf_mllm *with = model;
    open_model("unet_config.encoder=plain");
    assert_int_equal(mdf_norm_means_new(&n, model, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "unet_config.encoder"));
    mdf_mllm_free(model);
    model = with;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_norms_then_do_what_norms_by_batch_did),
        cmocka_unit_test(several_batches_give_their_mean),
        cmocka_unit_test(weight_0_leaves_every_bit),
        cmocka_unit_test(the_shift_is_in_deviations),
        cmocka_unit_test(an_encoder_without_norms_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
