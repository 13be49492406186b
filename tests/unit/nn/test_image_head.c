/* The classifier of the picture alone: its logits by hand, and what the model makes of them. */
#include "unit/nn/golden.h"

/* Two cases of 1 x 2 pixels and 32 channels, the widths of the golden model's bottleneck. */
static void logits_are_the_pixels_mean_through_a_linear_layer(void **state)
{
    (void)state;
    enum { C = 32, K = 3 };
    mdf_real x[2 * 2 * C], w[K * C], b[K] = {1, -2, 3};
    for (int i = 0; i < 2 * 2 * C; i++) {
        x[i] = (mdf_real)(i % 7);
    }
    for (int i = 0; i < K * C; i++) {
        w[i] = (mdf_real)(i % 5) - 2;
    }
    mdf_kernels *k = NULL;
    mdf_graph g;
    assert_int_equal(mdf_kernels_new(&k, NULL, NULL), MDF_OK);
    assert_int_equal(mdf_graph_init(&g, k, false, 0, NULL), MDF_OK);
    const mdf_image_head head = {.w = mdf_constant(&g, w, 2, (int64_t[]){K, C}),
                                 .b = mdf_constant(&g, b, 1, (int64_t[]){K})};
    mdf_tensor *mid = mdf_constant(&g, x, 4, (int64_t[]){2, 1, 2, C});
    const mdf_tensor *y = mdf_image_head_logits(&g, &head, mid);
    assert_non_null(y);
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < K; j++) {
            double want = (double)b[j];
            for (int c = 0; c < C; c++) {
                want += (double)w[j * C + c] * 0.5 *
                        (double)(x[i * 2 * C + c] + x[(i * 2 + 1) * C + c]);
            }
            assert_true(fabs((double)y->data[i * K + j] - want) < 1e-4); /* sums of 32 below 400 */
        }
    }
    mdf_graph_free(&g);
    mdf_kernels_free(k);
}

static void head_is_there_only_where_it_is_asked_for(void **state)
{
    (void)state;
    static mdf_config c;
    mdf_error err = {0};
    must(mdf_config_load(&c, GOLDEN "config.json", &err), &err);
    const int classes = c.answer.label_count;
    for (int asked = 0; asked < 3; asked++) {
        mdf_mllm *m = NULL;
        c.train.aux_weight = asked == 1 ? 0.5 : 0;
        c.answer.image_head = asked == 2;
        must(mdf_mllm_declare(&m, &c, &err), &err);
        const mdf_param *p = mdf_params_find(&m->params, "mdf.aux.weight");
        assert_true((p != NULL) == (asked > 0) && (m->head.w != NULL) == (asked > 0));
        assert_true(p == NULL || p->tensor.dim[0] == classes);
        mdf_mllm_free(m);
    }
}

static void task_picture_needs_the_head(void **state)
{
    (void)state;
    static mdf_config c;
    mdf_error err = {0};
    must(mdf_config_load(&c, GOLDEN "config.json", &err), &err);
    c.train.task = MDF_TASK_PICTURE;
    assert_int_equal(mdf_config_validate(&c, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "image_head"));
    c.answer.image_head = true;
    must(mdf_config_validate(&c, &err), &err);
    c.train.use_unet = false;
    assert_int_equal(mdf_config_validate(&c, &err), MDF_ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_the_pixels_mean_through_a_linear_layer),
        cmocka_unit_test(head_is_there_only_where_it_is_asked_for),
        cmocka_unit_test(task_picture_needs_the_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
