/* Scopes: what a graph holds that does not train, and that training does not notice them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tensor/tensor.h"

enum { N = 4096, LAYERS = 40 };

typedef struct bench {
    mdf_kernels *kernels;
    mdf_graph graph;
    mdf_real numbers[N];
    mdf_tensor weight; /* [1] */
    mdf_real gate, grad;
} bench;

static void open_bench(bench *b, bool train)
{
    memset(b, 0, sizeof *b);
    assert_int_equal(mdf_kernels_new(&b->kernels, NULL, NULL), MDF_OK);
    assert_int_equal(mdf_graph_init(&b->graph, b->kernels, train, 0, NULL), MDF_OK);
    for (int i = 0; i < N; i++) {
        b->numbers[i] = (mdf_real)(i % 7) - 3;
    }
    b->gate = MDF_R(0.01);
    b->weight = (mdf_tensor){.rank = 1,
                             .dim = {1},
                             .data = &b->gate,
                             .grad = &b->grad,
                             .parameter = true,
                             .needs_grad = train};
}

static void close_bench(bench *b)
{
    mdf_graph_free(&b->graph);
    mdf_kernels_free(b->kernels);
}

/* x + tanh(gate) * gelu(2 x), with a layer's worth of other tensors. */
static mdf_tensor *layer(bench *b, mdf_tensor *x)
{
    mdf_graph *g = &b->graph;
    return mdf_gated_add(g, x, mdf_gelu(g, mdf_scale(g, x, 2)), &b->weight, NULL);
}

static mdf_tensor *run(bench *b, bool scopes, mdf_tensor **middle)
{
    mdf_graph *g = &b->graph;
    mdf_scope scope = mdf_scope_begin(g);
    mdf_tensor *x = mdf_constant(g, b->numbers, 2, (int64_t[]){N / 16, 16});
    for (int i = 0; i < LAYERS; i++) {
        if (i == LAYERS / 2) {
            *middle = x;
            scope = mdf_scope_begin(g);
        }
        x = layer(b, x);
        x = scopes ? mdf_scope_keep(g, &scope, x) : x;
    }
    return x;
}

static void a_network_needs_memory_for_one_layer(void **state)
{
    (void)state;
    static bench with, without;
    open_bench(&with, false);
    open_bench(&without, false);
    mdf_tensor *half[2] = {NULL};
    const mdf_tensor *x = run(&with, true, &half[0]);
    const mdf_tensor *y = run(&without, false, &half[1]);
    assert_memory_equal(x->data, y->data, N * sizeof *x->data); /* not a bit differs */
    assert_memory_equal(half[0]->data, half[1]->data, N * sizeof *x->data);
    /* the kept state, the last one, a layer's three tensors; and small things */
    const size_t bytes = N * sizeof(mdf_real);
    assert_true(with.graph.arena.peak_bytes < 6 * bytes);
    assert_true(with.graph.arena.held_bytes < 10 * bytes);
    assert_true(without.graph.arena.peak_bytes > LAYERS * 3 * bytes);
    mdf_graph_reset(&with.graph);
    const size_t held = with.graph.arena.held_bytes;
    (void)run(&with, true, &half[0]);
    assert_int_equal(with.graph.arena.held_bytes, held); /* nothing new after the first time */
    close_bench(&with);
    close_bench(&without);
}

static mdf_tensor *total(mdf_graph *g, mdf_tensor *x)
{
    static const int32_t index[3] = {5, 18, N - 2};
    static const mdf_real weight[3] = {1, 2, 3};
    static const int32_t offset[2] = {0, 3};
    return mdf_segment_sum(g, mdf_reshape(g, x, 1, (int64_t[]){N}), index, weight, offset, 1);
}

static void training_keeps_everything(void **state)
{
    (void)state;
    static bench with, without;
    open_bench(&with, true);
    open_bench(&without, true);
    mdf_tensor *half = NULL;
    mdf_tensor *x = total(&with.graph, run(&with, true, &half));
    mdf_tensor *y = total(&without.graph, run(&without, false, &half));
    assert_int_equal(mdf_graph_backward(&with.graph, x, NULL), MDF_OK);
    assert_int_equal(mdf_graph_backward(&without.graph, y, NULL), MDF_OK);
    assert_true(with.grad != 0);
    assert_memory_equal(&with.grad, &without.grad, sizeof with.grad);
    close_bench(&with);
    close_bench(&without);
}

/* Results that are views, or older than the scope, or no result at all. */
static void any_tensor_can_be_kept(void **state)
{
    (void)state;
    static bench b;
    open_bench(&b, false);
    mdf_graph *g = &b.graph;
    mdf_tensor *old = mdf_zeros(g, 2, (int64_t[]){8, 8});
    const mdf_scope scope = mdf_scope_begin(g);
    const size_t used = mdf_arena_used(&g->arena);
    assert_ptr_equal(mdf_scope_keep(g, &scope, old), old);
    assert_int_equal(mdf_arena_used(&g->arena), used);
    (void)mdf_zeros(g, 1, (int64_t[]){1 << 20}); /* a block of its own */
    mdf_tensor *view = mdf_reshape(g, old, 1, (int64_t[]){64});
    view = mdf_scope_keep(g, &scope, view);
    assert_ptr_equal(view->data, old->data);
    assert_int_equal(view->dim[0], 64);
    mdf_tensor *x = mdf_scale(g, mdf_constant(g, b.numbers, 1, (int64_t[]){N}), 3);
    x = mdf_scope_keep(g, &scope, mdf_reshape(g, x, 2, (int64_t[]){2, N / 2}));
    for (int i = 0; i < N; i++) {
        assert_true(x->data[i] == 3 * b.numbers[i]);
    }
    assert_null(mdf_scope_keep(g, &scope, NULL));
    close_bench(&b);
}

static void what_was_forgotten_in_a_scope_is_not_handed_out_again(void **state)
{
    (void)state;
    static bench b;
    open_bench(&b, false);
    mdf_graph *g = &b.graph;
    const mdf_scope scope = mdf_scope_begin(g);
    mdf_tensor *x = mdf_constant(g, b.numbers, 1, (int64_t[]){N});
    mdf_tensor *dead = mdf_scale(g, x, 2);
    mdf_tensor *y = mdf_scale(g, x, 3);
    mdf_forget(g, dead);
    y = mdf_scope_keep(g, &scope, y);
    assert_null(g->free_blocks);
    assert_true(y->data[1] == 3 * b.numbers[1]);
    close_bench(&b);
}

/* A weight in its file's format stays what it is under another shape. */
static void a_reshaped_raw_weight_stays_raw(void **state)
{
    (void)state;
    static bench b;
    open_bench(&b, false);
    static const uint16_t bytes[6] = {0};
    mdf_tensor w = {
        .rank = 2, .dim = {2, 3}, .raw = bytes, .dtype = MDF_DTYPE_BF16, .parameter = true};
    const mdf_tensor *view = mdf_reshape(&b.graph, &w, 2, (int64_t[]){3, 2});
    assert_non_null(view);
    assert_ptr_equal(view->raw, bytes);
    assert_int_equal(view->dtype, MDF_DTYPE_BF16);
    assert_null(view->data);
    close_bench(&b);
}

static void a_stop_ends_it_at_the_next_scope(void **state)
{
    (void)state;
    bench b;
    mdf_error err = {0};
    mdf_tensor *middle = NULL;
    static volatile sig_atomic_t stop;
    stop = 0;
    open_bench(&b, false);
    b.graph.stop = &stop;
    assert_non_null(run(&b, true, &middle));
    mdf_graph_reset(&b.graph);
    stop = 15;
    assert_null(run(&b, true, &middle));
    assert_int_equal(mdf_graph_status(&b.graph, &err), MDF_ERR_STOPPED);
    assert_string_equal(err.text, "model: stopped by the user");
    mdf_graph_reset(&b.graph);
    stop = 0;
    assert_non_null(run(&b, true, &middle));
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_needs_memory_for_one_layer),
        cmocka_unit_test(training_keeps_everything),
        cmocka_unit_test(any_tensor_can_be_kept),
        cmocka_unit_test(what_was_forgotten_in_a_scope_is_not_handed_out_again),
        cmocka_unit_test(a_reshaped_raw_weight_stays_raw),
        cmocka_unit_test(a_stop_ends_it_at_the_next_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
