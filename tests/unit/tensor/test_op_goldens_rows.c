/* Norms over rows, activations, gated and indexed additions against PyTorch. */
#include "support/op_case.h"

static mdf_tensor *call_layer_norm(op_case *c)
{
    return mdf_layer_norm(&c->graph, op_in(c, "x"), op_in(c, "w"), op_in(c, "b"),
                          op_real(c, "eps"));
}

static void layer_norm_agrees(void **state)
{
    (void)state;
    op_check("layer_norm", "rows", call_layer_norm, OP_NEAR);
}

static mdf_tensor *call_rms_norm(op_case *c)
{
    return mdf_rms_norm(&c->graph, op_in(c, "x"), op_in(c, "w"), op_real(c, "eps"));
}

static void rms_norm_agrees(void **state)
{
    (void)state;
    op_check("rms_norm", "rows", call_rms_norm, OP_NEAR);
    op_check("rms_norm", "small", call_rms_norm, OP_NEAR);
}

static mdf_tensor *call_gelu(op_case *c)
{
    return mdf_gelu(&c->graph, op_in(c, "x"));
}

static void gelu_agrees(void **state)
{
    (void)state;
    op_check("gelu", "erf", call_gelu, OP_NEAR);
}

static mdf_tensor *call_swiglu(op_case *c)
{
    return mdf_swiglu(&c->graph, op_in(c, "gate"), op_in(c, "up"));
}

static void swiglu_agrees(void **state)
{
    (void)state;
    op_check("swiglu", "rows", call_swiglu, OP_NEAR);
    op_check("swiglu", "far", call_swiglu, OP_NEAR);
}

static mdf_tensor *call_film(op_case *c)
{
    return mdf_film(&c->graph, op_in(c, "x"), op_in(c, "film"));
}

static void film_agrees(void **state)
{
    (void)state;
    op_check("film", "s4", call_film, OP_NEAR);
    op_check("film", "s1", call_film, OP_NEAR);
}

static mdf_tensor *call_gated_add(op_case *c)
{
    return mdf_gated_add(&c->graph, op_in(c, "x"), op_in(c, "z"), op_in(c, "gate"),
                         op_bytes(c, "row_mask"));
}

static void gated_add_agrees(void **state)
{
    (void)state;
    op_check("gated_add", "plain", call_gated_add, OP_NEAR);
    op_check("gated_add", "masked", call_gated_add, OP_NEAR);
}

static void a_closed_gate_returns_the_numbers_bit_for_bit(void **state)
{
    (void)state;
    op_check("gated_add", "closed", call_gated_add, OP_NEAR);
    static op_case c;
    op_open(&c, "gated_add", "closed", NULL);
    for (int i = 0; i < c.inputs; i++) {
        c.input[i].now = &c.input[i].parameter;
    }
    const mdf_tensor *y = call_gated_add(&c);
    assert_non_null(y);
    assert_memory_equal(y->data, op_in(&c, "x")->data, (size_t)c.count * sizeof *y->data);
    op_close(&c);
}

static mdf_tensor *call_add_rows(op_case *c)
{
    const bool complement = op_find(c, "complement") != NULL && op_int(c, "complement") != 0;
    return mdf_add_rows(&c->graph, op_in(c, "x"), op_in(c, "table"), op_in(c, "gate"), complement,
                        op_ints(c, "row"));
}

static void add_rows_agrees(void **state)
{
    (void)state;
    op_check("add_rows", "plain", call_add_rows, OP_NEAR);
    op_check("add_rows", "gate", call_add_rows, OP_NEAR);
    op_check("add_rows", "complement", call_add_rows, OP_NEAR);
}

static mdf_tensor *call_gather_rows(op_case *c)
{
    return mdf_gather_rows(&c->graph, op_in(c, "x"), op_ints(c, "row"),
                           (int64_t)op_find(c, "row")->count);
}

static void gather_rows_agrees(void **state)
{
    (void)state;
    op_check("gather_rows", "rows", call_gather_rows, OP_EXACT);
}

static mdf_tensor *call_concat_rows(op_case *c)
{
    return mdf_concat_rows(&c->graph, op_in(c, "a"), op_in(c, "b"));
}

static void concat_rows_agrees(void **state)
{
    (void)state;
    op_check("concat_rows", "two", call_concat_rows, OP_EXACT);
}

static mdf_tensor *call_interleave(op_case *c)
{
    mdf_tensor *rest[] = {op_in(c, "rest0"), op_in(c, "rest1"), op_in(c, "rest2")};
    return mdf_concat_interleave(&c->graph, op_in(c, "first"), rest, 3);
}

static void concat_interleave_agrees(void **state)
{
    (void)state;
    op_check("concat_interleave", "k3", call_interleave, OP_EXACT);
}

static mdf_tensor *call_mean_rows(op_case *c)
{
    return mdf_mean_rows(&c->graph, op_in(c, "x"), op_ints(c, "begin"), op_ints(c, "count"),
                         (int64_t)op_find(c, "begin")->count);
}

static void mean_rows_agrees(void **state)
{
    (void)state;
    op_check("mean_rows", "three", call_mean_rows, OP_NEAR);
}

static mdf_tensor *call_segment_sum(op_case *c)
{
    return mdf_segment_sum(&c->graph, op_in(c, "x"), op_ints(c, "index"), op_reals(c, "weight"),
                           op_ints(c, "offset"), c->count);
}

static void segment_sum_agrees(void **state)
{
    (void)state;
    op_check("segment_sum", "three", call_segment_sum, OP_NEAR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layer_norm_agrees),
        cmocka_unit_test(rms_norm_agrees),
        cmocka_unit_test(gelu_agrees),
        cmocka_unit_test(swiglu_agrees),
        cmocka_unit_test(film_agrees),
        cmocka_unit_test(gated_add_agrees),
        cmocka_unit_test(a_closed_gate_returns_the_numbers_bit_for_bit),
        cmocka_unit_test(add_rows_agrees),
        cmocka_unit_test(gather_rows_agrees),
        cmocka_unit_test(concat_rows_agrees),
        cmocka_unit_test(concat_interleave_agrees),
        cmocka_unit_test(mean_rows_agrees),
        cmocka_unit_test(segment_sum_agrees),
    };
    return cmocka_run_group_tests_name("op_goldens_rows", tests, NULL, NULL);
}
