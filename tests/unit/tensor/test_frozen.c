/* Operations with a frozen weight in its file's format against the same with the weight's numbers:
 * values, gradients, and what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tensor/tensor.h"

#define DIMS(...) ((int64_t[]){__VA_ARGS__})

/* Sums of 96 products in another order. */
#define ROUNDINGS 1e-5

enum { ROWS = 133, COLUMNS = 96, TOKENS = 9, TABLE_BYTES = ROWS * COLUMNS * 4 };

typedef struct setting {
    mdf_kernels *kernels;
    mdf_graph graph;
    mdf_tensor raw, plain, x, gate;
    uint8_t bytes[TABLE_BYTES];
    mdf_real numbers[ROWS * COLUMNS], data[TOKENS * COLUMNS], gate_data;
    mdf_real x_grad[TOKENS * COLUMNS], gate_grad;
    mdf_real dy[TOKENS * ROWS];
} setting;

static mdf_real number(uint32_t i)
{
    const uint32_t s = (i * 2654435761U) ^ (i << 7);
    return (mdf_real)((s * 1664525U + 1013904223U) >> 8) / (mdf_real)8388608 - 1;
}

static void open(setting *s, mdf_dtype dtype)
{
    memset(s, 0, sizeof *s);
    assert_int_equal(mdf_kernels_new(&s->kernels, NULL, NULL), MDF_OK);
    assert_int_equal(mdf_graph_init(&s->graph, s->kernels, true, 0, NULL), MDF_OK);
    for (uint32_t i = 0; i < ROWS * COLUMNS; i++) {
        const float v = (float)number(i);
        float back = 0;
        uint8_t *at = s->bytes + i * mdf_dtype_bytes(dtype);
        assert_true(mdf_dtype_from_floats(dtype, &v, 1, at));
        assert_true(mdf_dtype_to_floats(dtype, at, 1, &back));
        s->numbers[i] = (mdf_real)back;
    }
    for (uint32_t i = 0; i < TOKENS * COLUMNS; i++) {
        s->data[i] = number(i + 100000);
    }
    for (uint32_t i = 0; i < TOKENS * ROWS; i++) {
        s->dy[i] = number(i + 200000);
    }
    s->gate_data = MDF_R(0.4);
    s->raw = (mdf_tensor){.name = "raw",
                          .rank = 2,
                          .dim = {ROWS, COLUMNS},
                          .raw = s->bytes,
                          .dtype = dtype,
                          .parameter = true};
    s->plain = (mdf_tensor){
        .name = "plain", .rank = 2, .dim = {ROWS, COLUMNS}, .data = s->numbers, .parameter = true};
    s->x = (mdf_tensor){.name = "x",
                        .rank = 2,
                        .dim = {TOKENS, COLUMNS},
                        .data = s->data,
                        .grad = s->x_grad,
                        .needs_grad = true,
                        .parameter = true};
    s->gate = (mdf_tensor){.name = "gate",
                           .rank = 1,
                           .dim = {1},
                           .data = &s->gate_data,
                           .grad = &s->gate_grad,
                           .needs_grad = true,
                           .parameter = true};
}

static void shut(setting *s)
{
    mdf_graph_free(&s->graph);
    mdf_kernels_free(s->kernels);
}

typedef mdf_tensor *call(setting *s, mdf_tensor *w);

static mdf_tensor *call_linear(setting *s, mdf_tensor *w)
{
    return mdf_linear(&s->graph, &s->x, w, NULL);
}

/* A convolution's weight over patches. */
static mdf_tensor *call_patches(setting *s, mdf_tensor *w)
{
    w->rank = 4;
    w->dim[1] = 6;
    w->dim[2] = w->dim[3] = 4;
    return mdf_linear(&s->graph, &s->x, w, NULL);
}

static const int32_t row[TOKENS] = {3, 132, -1, 0, 3, 7, 64, -1, 131};

static mdf_tensor *call_gather(setting *s, mdf_tensor *w)
{
    return mdf_gather_rows(&s->graph, w, row, TOKENS);
}

static mdf_tensor *call_add_rows(setting *s, mdf_tensor *w)
{
    return mdf_add_rows(&s->graph, &s->x, w, NULL, false, row);
}

static mdf_tensor *call_gated_rows(setting *s, mdf_tensor *w)
{
    return mdf_add_rows(&s->graph, &s->x, w, &s->gate, true, row);
}

static void near(const mdf_real *got, const mdf_real *want, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (!(fabs((double)got[i] - (double)want[i]) <= ROUNDINGS * (1 + fabs((double)want[i])))) {
            fail_msg("number %lld is %.9g, want %.9g", (long long)i, (double)got[i],
                     (double)want[i]);
        }
    }
}

typedef struct outcome {
    mdf_real y[TOKENS * ROWS], x_grad[TOKENS * COLUMNS], gate_grad;
    int64_t count;
} outcome;

static void once(setting *s, call *op, mdf_tensor *w, outcome *o)
{
    memset(s->x_grad, 0, sizeof s->x_grad);
    s->gate_grad = 0;
    mdf_graph_reset(&s->graph);
    mdf_tensor *y = op(s, w);
    mdf_error err = {0};
    if (mdf_graph_status(&s->graph, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    o->count = mdf_tensor_count(y);
    memcpy(o->y, y->data, (size_t)o->count * sizeof o->y[0]);
    if (y->needs_grad) { /* the tape's only node, from a gradient of our own */
        mdf_real *dy = mdf_grad_add_target(&s->graph, y);
        assert_non_null(dy);
        memcpy(dy, s->dy, (size_t)o->count * sizeof *dy);
        s->graph.last->op->backward(&s->graph, s->graph.last);
    }
    memcpy(o->x_grad, s->x_grad, sizeof o->x_grad);
    o->gate_grad = s->gate_grad;
}

static void agrees(call *op)
{
    static setting s;
    static outcome got, want;
    static const mdf_dtype types[] = {MDF_DTYPE_F32, MDF_DTYPE_F16, MDF_DTYPE_BF16};
    for (int t = 0; t < 3; t++) {
        open(&s, types[t]);
        once(&s, op, &s.plain, &want);
        once(&s, op, &s.raw, &got);
        assert_int_equal(got.count, want.count);
        near(got.y, want.y, want.count);
        near(got.x_grad, want.x_grad, TOKENS * COLUMNS);
        near(&got.gate_grad, &want.gate_grad, 1);
        shut(&s);
    }
}

static void linear_agrees(void **state)
{
    (void)state;
    agrees(call_linear);
}

static void patches_agree(void **state)
{
    (void)state;
    agrees(call_patches);
}

static void gather_agrees(void **state)
{
    (void)state;
    agrees(call_gather);
}

static void add_rows_agrees(void **state)
{
    (void)state;
    agrees(call_add_rows);
    agrees(call_gated_rows);
}

static void fails_with(setting *s, call *op, const char *words)
{
    mdf_error err = {0};
    mdf_graph_reset(&s->graph);
    assert_null(op(s, &s->raw));
    assert_int_equal(mdf_graph_status(&s->graph, &err), MDF_ERR_SHAPE);
    if (strstr(err.text, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
    }
}

static void rows_that_are_no_blocks_are_refused(void **state)
{
    (void)state;
    static setting s;
    static call *const ops[] = {call_linear, call_gather, call_add_rows};
    for (int i = 0; i < 3; i++) {
        open(&s, MDF_DTYPE_F32);
        s.raw.dtype = MDF_DTYPE_Q4_K; /* blocks of 256 */
        fails_with(&s, ops[i], "rows of 96 numbers are no Q4_K");
        s.raw.dtype = MDF_DTYPE_I32;
        fails_with(&s, ops[i], "rows of 96 numbers are no I32");
        shut(&s);
    }
}

/* The place that a product needs is given back at once, so a step does not grow with its layers. */
static void scratch_is_given_back(void **state)
{
    (void)state;
    static setting s;
    open(&s, MDF_DTYPE_BF16);
    mdf_tensor *y = call_linear(&s, &s.raw);
    assert_non_null(y);
    const size_t one = mdf_arena_used(&s.graph.arena);
    assert_non_null(call_linear(&s, &s.raw));
    assert_int_equal(mdf_arena_used(&s.graph.arena), 2 * one);
    assert_true(2 * one < 4 * TOKENS * ROWS * sizeof(mdf_real));
    shut(&s);
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    static setting s;
    open(&s, MDF_DTYPE_F32);
    mdf_graph_free(&s.graph);
    assert_int_equal(mdf_graph_init(&s.graph, s.kernels, true, 4096, NULL), MDF_OK);
    assert_null(call_linear(&s, &s.raw));
    assert_int_equal(mdf_graph_status(&s.graph, NULL), MDF_ERR_NOMEM);
    shut(&s);
}

/* Several weights of one x: the same bits as one after the other, whether they go together (few
 * rows, no gradient) or not. */
static void several_at_once_are_the_same(void **state)
{
    (void)state;
    static setting s;
    static const mdf_dtype types[] = {MDF_DTYPE_F32, MDF_DTYPE_F16, MDF_DTYPE_BF16};
    for (int t = 0; t < 3; t++) {
        open(&s, types[t]);
        mdf_tensor few = s.raw; /* the first rows */
        few.dim[0] = 5;
        mdf_tensor *const weights[2][3] = {{&s.raw, &few, &s.raw}, {&few, &s.plain, &s.raw}};
        for (int64_t rows = 1; rows <= TOKENS; rows++) {
            mdf_tensor *y[3];
            mdf_tensor *x = mdf_constant(&s.graph, s.data, 2, (int64_t[]){rows, COLUMNS});
            for (int set = 0; set < 2; set++) {
                mdf_linears(&s.graph, rows == 4 ? &s.x : x, weights[set], 3, y);
                for (int i = 0; i < 3; i++) {
                    const mdf_tensor *want =
                        mdf_linear(&s.graph, rows == 4 ? &s.x : x, weights[set][i], NULL);
                    assert_non_null(want);
                    assert_non_null(y[i]);
                    assert_int_equal(y[i]->rank, 2);
                    assert_int_equal(y[i]->dim[1], weights[set][i]->dim[0]);
                    assert_int_equal(mdf_tensor_count(y[i]), mdf_tensor_count(want));
                    assert_int_equal(y[i]->needs_grad, want->needs_grad);
                    assert_memory_equal(y[i]->data, want->data,
                                        (size_t)mdf_tensor_count(want) * sizeof(mdf_real));
                }
            }
        }
        shut(&s);
    }
}

/* An adapter is the weight with scale b a added, one weight at a time or several; dropout belongs
 * to training and to the step's seed. */
static void an_adapter_adds_its_product(void **state)
{
    (void)state;
    enum { RANK = 3 };
    static setting s;
    static mdf_real a[RANK * COLUMNS], b[ROWS * RANK], sum[ROWS * COLUMNS];
    static const mdf_dtype types[] = {MDF_DTYPE_F32, MDF_DTYPE_F16, MDF_DTYPE_BF16};
    for (int t = 0; t < 3; t++) {
        open(&s, types[t]);
        for (uint32_t i = 0; i < ROWS * RANK; i++) {
            b[i] = number(i + 300000);
        }
        for (uint32_t i = 0; i < RANK * COLUMNS; i++) {
            a[i] = number(i + 400000) / 4;
        }
        for (int i = 0; i < ROWS * COLUMNS; i++) {
            double more = 0;
            for (int r = 0; r < RANK; r++) {
                more += (double)b[i / COLUMNS * RANK + r] * (double)a[r * COLUMNS + i % COLUMNS];
            }
            sum[i] = s.numbers[i] + (mdf_real)(0.5 * more);
        }
        mdf_tensor ta = {.rank = 2, .dim = {RANK, COLUMNS}, .data = a, .parameter = true};
        mdf_tensor tb = {.rank = 2, .dim = {ROWS, RANK}, .data = b, .parameter = true};
        mdf_adapter adapter = {.a = &ta, .b = &tb, .scale = MDF_R(0.5)};
        mdf_tensor *y[2];
        s.raw.adapter = &adapter;
        s.plain.data = sum;
        const mdf_tensor *want = mdf_linear(&s.graph, &s.x, &s.plain, NULL);
        for (int64_t rows = 1; rows <= TOKENS; rows += TOKENS - 1) {
            mdf_tensor *x = mdf_constant(&s.graph, s.data, 2, (int64_t[]){rows, COLUMNS});
            mdf_linears(&s.graph, x, (mdf_tensor *const[]){&s.raw, &s.raw}, 2, y);
            assert_non_null(y[1]);
            near(y[0]->data, want->data, rows * ROWS);
            near(y[1]->data, want->data, rows * ROWS);
        }
        adapter.dropout = MDF_R(0.5);
        const mdf_tensor *dropped[3];
        for (uint64_t k = 0; k < 3; k++) {
            s.graph.noise = k / 2; /* 0, 0, 1 */
            dropped[k] = mdf_linear(&s.graph, &s.x, &s.raw, NULL);
        }
        const size_t bytes = (size_t)TOKENS * ROWS * sizeof(mdf_real);
        assert_memory_equal(dropped[0]->data, dropped[1]->data, bytes);
        assert_true(memcmp(dropped[0]->data, dropped[2]->data, bytes) != 0);
        s.graph.train = false;
        near(mdf_linear(&s.graph, &s.x, &s.raw, NULL)->data, want->data, TOKENS * ROWS);
        shut(&s);
    }
}

/* Shapes that do not fit, and no memory, are mdf_linear()'s errors. */
static void several_at_once_fail_alike(void **state)
{
    (void)state;
    static setting s;
    mdf_tensor *y[3] = {&s.x, &s.x, &s.x};
    open(&s, MDF_DTYPE_F32);
    mdf_tensor narrow = s.raw;
    narrow.dim[1] = COLUMNS - 1;
    mdf_tensor *const weights[] = {&s.raw, &narrow, &s.raw};
    mdf_tensor *const equal[] = {&s.raw, &s.raw, &s.raw};
    mdf_tensor *x = mdf_constant(&s.graph, s.data, 2, (int64_t[]){1, COLUMNS});
    mdf_error err = {0};
    mdf_linears(&s.graph, x, weights, 3, y);
    assert_int_equal(mdf_graph_status(&s.graph, &err), MDF_ERR_SHAPE);
    assert_non_null(strstr(err.text, "x has 96 columns, w wants 95"));
    assert_null(y[1]);
    mdf_linears(&s.graph, NULL, equal, 3, y);
    assert_null(y[0]);
    mdf_graph_free(&s.graph);
    assert_int_equal(mdf_graph_init(&s.graph, s.kernels, false, 1536, NULL), MDF_OK);
    x = mdf_constant(&s.graph, s.data, 2, (int64_t[]){1, COLUMNS});
    mdf_linears(&s.graph, x, equal, 3, y);
    assert_int_equal(mdf_graph_status(&s.graph, NULL), MDF_ERR_NOMEM);
    assert_true(y[0] == NULL && y[1] == NULL && y[2] == NULL);
    shut(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_agrees),
        cmocka_unit_test(patches_agree),
        cmocka_unit_test(gather_agrees),
        cmocka_unit_test(add_rows_agrees),
        cmocka_unit_test(rows_that_are_no_blocks_are_refused),
        cmocka_unit_test(scratch_is_given_back),
        cmocka_unit_test(several_at_once_are_the_same),
        cmocka_unit_test(several_at_once_fail_alike),
        cmocka_unit_test(an_adapter_adds_its_product),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("tensor/frozen", tests, NULL, NULL);
}
