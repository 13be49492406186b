/* Dense operations and pictures against PyTorch. */
#include "support/op_case.h"

static mdf_tensor *call_linear(op_case *c)
{
    return mdf_linear(&c->graph, op_in(c, "x"), op_in(c, "w"), op_in(c, "b"));
}

static void linear_agrees(void **state)
{
    (void)state;
    op_check("linear", "bias", call_linear, OP_NEAR);
    op_check("linear", "plain", call_linear, OP_NEAR);
}

static mdf_tensor *call_conv2d(op_case *c)
{
    return mdf_conv2d(&c->graph, op_in(c, "x"), op_in(c, "w"), op_in(c, "b"));
}

static void conv2d_agrees(void **state)
{
    (void)state;
    op_check("conv2d", "k3_bias", call_conv2d, OP_NEAR);
    op_check("conv2d", "k3_wide", call_conv2d, OP_NEAR);
    op_check("conv2d", "k1_bias", call_conv2d, OP_NEAR);
    op_check("conv2d", "k1_plain", call_conv2d, OP_NEAR);
}

static mdf_tensor *call_conv_transpose(op_case *c)
{
    return mdf_conv_transpose2x2(&c->graph, op_in(c, "x"), op_in(c, "w"), op_in(c, "b"));
}

static void conv_transpose2x2_agrees(void **state)
{
    (void)state;
    op_check("conv_transpose2x2", "bias", call_conv_transpose, OP_NEAR);
    op_check("conv_transpose2x2", "wide", call_conv_transpose, OP_NEAR);
}

static mdf_tensor *call_patchify(op_case *c)
{
    return mdf_patchify(&c->graph, op_in(c, "x"), op_int(c, "p"));
}

static void patchify_agrees(void **state)
{
    (void)state;
    op_check("patchify", "p3", call_patchify, OP_EXACT);
}

static mdf_tensor *call_group_norm(op_case *c)
{
    return mdf_group_norm(&c->graph, op_in(c, "x"), op_in(c, "w"), op_in(c, "b"),
                          op_int(c, "groups"), op_real(c, "eps"), op_int(c, "relu") != 0);
}

static void group_norm_agrees(void **state)
{
    (void)state;
    op_check("group_norm", "plain", call_group_norm, OP_NEAR);
    op_check("group_norm", "affine", call_group_norm, OP_NEAR);
    op_check("group_norm", "relu", call_group_norm, OP_NEAR);
}

static mdf_tensor *call_max_pool(op_case *c)
{
    return mdf_max_pool2x2(&c->graph, op_in(c, "x"));
}

static void max_pool2x2_agrees(void **state)
{
    (void)state;
    op_check("max_pool2x2", "normal", call_max_pool, OP_EXACT);
    op_check("max_pool2x2", "ties", call_max_pool, OP_EXACT);
}

static mdf_tensor *call_concat_channels(op_case *c)
{
    return mdf_concat_channels(&c->graph, op_in(c, "a"), op_in(c, "b"));
}

static void concat_channels_agrees(void **state)
{
    (void)state;
    op_check("concat_channels", "two", call_concat_channels, OP_EXACT);
}

static mdf_tensor *call_patch_pool(op_case *c)
{
    return mdf_patch_pool(&c->graph, op_in(c, "x"), op_int(c, "grid"), op_int(c, "cells"));
}

static void patch_pool_agrees(void **state)
{
    (void)state;
    op_check("patch_pool", "g2q2", call_patch_pool, OP_NEAR);
    op_check("patch_pool", "g3q1", call_patch_pool, OP_NEAR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_agrees),
        cmocka_unit_test(conv2d_agrees),
        cmocka_unit_test(conv_transpose2x2_agrees),
        cmocka_unit_test(patchify_agrees),
        cmocka_unit_test(group_norm_agrees),
        cmocka_unit_test(max_pool2x2_agrees),
        cmocka_unit_test(concat_channels_agrees),
        cmocka_unit_test(patch_pool_agrees),
    };
    return cmocka_run_group_tests_name("op_goldens_dense", tests, NULL, NULL);
}
