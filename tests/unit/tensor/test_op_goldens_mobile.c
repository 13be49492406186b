/* The operations of mobile networks against PyTorch. */
#include "support/op_case.h"

static mdf_tensor *call_depthwise(op_case *c)
{
    return mdf_depthwise(&c->graph, op_in(c, "x"), op_in(c, "w"), op_in(c, "b"),
                         op_int(c, "stride"), op_int(c, "clip") != 0 ? mdf_relu6() : mdf_no_clip());
}

static void depthwise_agrees(void **state)
{
    (void)state;
    op_check("depthwise", "k3s1_6x5", call_depthwise, OP_NEAR);
    op_check("depthwise", "k3s1_5x6_relu6", call_depthwise, OP_NEAR);
    op_check("depthwise", "k3s2_6x7", call_depthwise, OP_NEAR);
    op_check("depthwise", "k3s2_7x5_relu6", call_depthwise, OP_NEAR);
    op_check("depthwise", "k5s1_6x7", call_depthwise, OP_NEAR);
    op_check("depthwise", "k5s1_3x9_relu6", call_depthwise, OP_NEAR);
    op_check("depthwise", "k5s2_8x6", call_depthwise, OP_NEAR);
    op_check("depthwise", "k5s2_9x8_relu6", call_depthwise, OP_NEAR);
    op_check("depthwise", "k7s3_2x11_relu6", call_depthwise, OP_NEAR);
}

static mdf_tensor *call_linear_clip(op_case *c)
{
    return mdf_linear_clip(&c->graph, op_in(c, "x"), op_in(c, "w"), op_in(c, "b"), mdf_relu6());
}

static void linear_clip_agrees(void **state)
{
    (void)state;
    op_check("linear_clip", "relu6", call_linear_clip, OP_NEAR);
}

static mdf_tensor *call_unfold(op_case *c)
{
    mdf_tensor *x = mdf_unfold(&c->graph, op_in(c, "x"), op_int(c, "k"), op_int(c, "stride"));
    return mdf_linear(&c->graph, x, op_in(c, "w"), op_in(c, "b"));
}

static void a_dense_layer_over_patches_is_the_strided_convolution(void **state)
{
    (void)state;
    op_check("unfold", "conv_even", call_unfold, OP_NEAR);
    op_check("unfold", "conv_odd", call_unfold, OP_NEAR);
}

static mdf_tensor *statistic(op_case *c, const char *name)
{
    return mdf_constant(&c->graph, op_reals(c, name), 1, op_in(c, "gamma")->dim);
}

static mdf_tensor *folded_weight(op_case *c)
{
    return mdf_fold_norm_weight(&c->graph, op_in(c, "w"), op_in(c, "gamma"), statistic(c, "var"),
                                op_real(c, "eps"));
}

static mdf_tensor *folded_bias(op_case *c)
{
    return mdf_fold_norm_bias(&c->graph, op_in(c, "gamma"), op_in(c, "beta"), statistic(c, "mean"),
                              statistic(c, "var"), op_real(c, "eps"));
}

static mdf_tensor *call_grouped(op_case *c)
{
    return mdf_depthwise(&c->graph, op_in(c, "x"), folded_weight(c), folded_bias(c), 1,
                         mdf_no_clip());
}

static mdf_tensor *call_dense(op_case *c)
{
    return mdf_linear(&c->graph, mdf_unfold(&c->graph, op_in(c, "x"), 3, 2), folded_weight(c),
                      folded_bias(c));
}

static void a_folded_norm_is_batch_norm_after_the_convolution(void **state)
{
    (void)state;
    op_check("fold_norm", "grouped", call_grouped, OP_NEAR);
    op_check("fold_norm", "dense", call_dense, OP_NEAR);
}

/* Also compares the running statistics. */
static mdf_tensor *call_batch_norm(op_case *c)
{
    const mdf_norm norm = {op_in(c, "gamma"), op_in(c, "beta"), statistic(c, "mean"),
                           statistic(c, "var"), op_real(c, "eps")};
    mdf_tensor *y = mdf_batch_norm(&c->graph, op_in(c, "x"), &norm, op_real(c, "momentum"),
                                   op_int(c, "clip") != 0 ? mdf_relu6() : mdf_no_clip());
    const int64_t n = norm.mean->dim[0];
    op_near(c, "moved_mean", norm.mean->data, op_reals(c, "moved_mean"), n, 1, OP_NEAR);
    op_near(c, "moved_var", norm.var->data, op_reals(c, "moved_var"), n, 1, OP_NEAR);
    return y;
}

static void batch_norm_agrees(void **state)
{
    (void)state;
    op_check("batch_norm", "plain", call_batch_norm, OP_NEAR);
    op_check("batch_norm", "relu6", call_batch_norm, OP_NEAR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depthwise_agrees),
        cmocka_unit_test(linear_clip_agrees),
        cmocka_unit_test(a_dense_layer_over_patches_is_the_strided_convolution),
        cmocka_unit_test(a_folded_norm_is_batch_norm_after_the_convolution),
        cmocka_unit_test(batch_norm_agrees),
    };
    return cmocka_run_group_tests_name("op_goldens_mobile", tests, NULL, NULL);
}
