/* Gradient checkpointing: the same bits with less memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tensor/tensor.h"

enum { ROWS = 256, C = 64, LAYERS = 12 };

typedef struct bench {
    mdf_kernels *kernels;
    mdf_graph graph;
    mdf_real start[ROWS * C], other[ROWS * C]; /* two inputs, both with a gradient */
    mdf_real start_grad[ROWS * C], other_grad[ROWS * C];
    mdf_real number[LAYERS][C * C], number_grad[LAYERS][C * C];
    mdf_tensor x, shared, w[LAYERS];
    int parts; /* that have run */
} bench;

static mdf_tensor leaf(mdf_real *data, mdf_real *grad, int64_t rows, bool trained)
{
    return (mdf_tensor){.rank = 2,
                        .dim = {rows, C},
                        .data = data,
                        .grad = trained ? grad : NULL,
                        .parameter = true,
                        .needs_grad = trained};
}

static void open_bench(bench *b, bool inputs, bool weights)
{
    memset(b, 0, sizeof *b);
    assert_int_equal(mdf_kernels_new(&b->kernels, NULL, NULL), MDF_OK);
    assert_int_equal(mdf_graph_init(&b->graph, b->kernels, true, 0, NULL), MDF_OK);
    for (int i = 0; i < ROWS * C; i++) {
        b->start[i] = (mdf_real)((i * 37) % 101) / 50 - 1;
        b->other[i] = (mdf_real)((i * 53) % 97) / 48 - 1;
    }
    for (int i = 0; i < LAYERS * C * C; i++) {
        b->number[i / (C * C)][i % (C * C)] = (mdf_real)(((i * 29) % 89) - 44) / 400;
    }
    b->x = leaf(b->start, b->start_grad, ROWS, inputs);
    b->shared = leaf(b->other, b->other_grad, ROWS, inputs);
    for (int i = 0; i < LAYERS; i++) {
        b->w[i] = leaf(b->number[i], b->number_grad[i], C, weights);
    }
}

static void close_bench(bench *b)
{
    mdf_graph_free(&b->graph);
    mdf_kernels_free(b->kernels);
}

typedef struct layer_context {
    bench *bench;
    int index;
    bool nested;
} layer_context;

/* inputs: x, shared. dropout(gelu(x w^T)) */
static mdf_tensor *inner(mdf_graph *g, const void *context, mdf_tensor *const in[])
{
    const layer_context *c = context;
    mdf_tensor *h = mdf_gelu(g, mdf_linear(g, in[0], &c->bench->w[c->index], NULL));
    return mdf_dropout(g, h, MDF_R(0.2), 7 + (uint64_t)c->index);
}

/* inputs: x, shared. x + inner(x) + shared, where shared has a part in every layer's gradient */
static mdf_tensor *layer(mdf_graph *g, const void *context, mdf_tensor *const in[])
{
    const layer_context *c = context;
    c->bench->parts++;
    mdf_tensor *h = c->nested ? mdf_checkpoint(g, inner, c, sizeof *c, in, 1) : inner(g, c, in);
    return mdf_scale(g, mdf_add(g, mdf_add(g, in[0], h), mdf_swiglu(g, in[0], in[1])), MDF_R(0.5));
}

static mdf_tensor *total(mdf_graph *g, mdf_tensor *x)
{
    static const int32_t index[4] = {5, 18, 3000, ROWS * C - 2};
    static const mdf_real weight[4] = {1, 2, 3, -1};
    static const int32_t offset[2] = {0, 4};
    return mdf_segment_sum(g, mdf_reshape(g, x, 1, (int64_t[]){ROWS * C}), index, weight, offset,
                           1);
}

/* Forward and backward; the loss. */
static mdf_real run(bench *b, bool checkpoints, bool nested)
{
    mdf_graph *g = &b->graph;
    mdf_tensor *x = &b->x;
    for (int i = 0; i < LAYERS; i++) {
        const layer_context c = {b, i, nested};
        mdf_tensor *const in[] = {x, &b->shared};
        x = checkpoints ? mdf_checkpoint(g, layer, &c, sizeof c, in, 2) : layer(g, &c, in);
    }
    mdf_tensor *loss = total(g, x);
    assert_int_equal(mdf_graph_status(g, NULL), MDF_OK);
    const mdf_real value = loss->data[0];
    assert_int_equal(mdf_graph_backward(g, loss, NULL), MDF_OK);
    return value;
}

static bool any(const mdf_real *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (x[i] != 0) {
            return true;
        }
    }
    return false;
}

/* Whatever is trained, and parts in parts. */
static void gradients_are_the_same_bits(void **state)
{
    (void)state;
    static bench with, without;
    for (int way = 0; way < 6; way++) {
        const bool inputs = way % 3 != 1;
        const bool weights = way % 3 != 2;
        const bool nested = way >= 3;
        open_bench(&with, inputs, weights);
        open_bench(&without, inputs, weights);
        const mdf_real a = run(&with, true, nested);
        const mdf_real b = run(&without, false, false);
        assert_memory_equal(&a, &b, sizeof a);
        assert_int_equal(with.parts, 2 * LAYERS);
        assert_int_equal(without.parts, LAYERS);
        assert_true(any(without.number_grad[0], (size_t)C * C) == weights);
        assert_true(any(without.start_grad, (size_t)ROWS * C) == inputs);
        for (int i = 0; i < LAYERS; i++) {
            assert_memory_equal(with.number_grad[i], without.number_grad[i],
                                sizeof with.number_grad[i]);
        }
        for (int i = 0; i < ROWS * C; i++) { /* by value: a sum that begins at 0 has no -0 */
            assert_true(with.start_grad[i] == without.start_grad[i]);
            assert_true(with.other_grad[i] == without.other_grad[i]);
        }
        close_bench(&with);
        close_bench(&without);
    }
}

static void memory_is_a_result_a_part_and_one_part(void **state)
{
    (void)state;
    static bench with, without;
    const size_t one = ROWS * C * sizeof(mdf_real);
    open_bench(&with, true, true);
    open_bench(&without, true, true);
    (void)run(&with, true, false);
    (void)run(&without, false, false);
    /* A layer makes seven tensors of this size and as many gradients, some in freed places. */
    assert_true(without.graph.arena.peak_bytes > LAYERS * 6 * one);
    assert_true(with.graph.arena.peak_bytes < (LAYERS + 2 + 20) * one);
    mdf_graph_reset(&with.graph);
    const size_t held = with.graph.arena.held_bytes;
    (void)run(&with, true, false);
    assert_int_equal(with.graph.arena.held_bytes, held); /* nothing new after the first time */
    close_bench(&with);
    close_bench(&without);
}

/* Nothing is computed twice where nothing is trained, and nothing is recorded. */
static void a_frozen_part_is_run_once(void **state)
{
    (void)state;
    static bench b;
    open_bench(&b, false, false);
    mdf_tensor *const in[] = {&b.x, &b.shared};
    const layer_context c = {&b, 0, false};
    const mdf_tensor *y = mdf_checkpoint(&b.graph, layer, &c, sizeof c, in, 2);
    assert_false(y->needs_grad);
    assert_null(b.graph.last);
    assert_int_equal(b.parts, 1);
    close_bench(&b);
}

static mdf_tensor *failing(mdf_graph *g, const void *context, mdf_tensor *const in[])
{
    const layer_context *c = context;
    if (c->bench->parts++ > 0) { /* when it is run again */
        return mdf_graph_fail(g, MDF_ERR_NOMEM, "part", "out of memory");
    }
    return mdf_gelu(g, in[0]);
}

static void a_failure_in_backward_is_the_graphs(void **state)
{
    (void)state;
    static bench b;
    mdf_error err = {0};
    open_bench(&b, true, true);
    mdf_tensor *const in[] = {&b.x};
    const layer_context c = {&b, 0, false};
    mdf_tensor *loss = total(&b.graph, mdf_checkpoint(&b.graph, failing, &c, sizeof c, in, 1));
    assert_int_equal(mdf_graph_backward(&b.graph, loss, &err), MDF_ERR_NOMEM);
    assert_string_equal(err.text, "part: out of memory");
    mdf_graph_reset(&b.graph);
    b.parts = 0;
    assert_non_null(mdf_checkpoint(&b.graph, failing, &c, sizeof c, in, 1));
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_the_same_bits),
        cmocka_unit_test(memory_is_a_result_a_part_and_one_part),
        cmocka_unit_test(a_frozen_part_is_run_once),
        cmocka_unit_test(a_failure_in_backward_is_the_graphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
