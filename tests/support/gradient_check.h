/* Gradients against central differences, for the double-precision library.
 *
 * The objective is sum(y * v) with random v. With h = 1e-5 a difference is wrong by h^2 / 6 of the
 * third derivative, about 1e-10, and by rounding of 1e-16 * |objective| / h, about 1e-10 too. 1e-6
 * of the tensor's largest gradient leaves room for curved operations and catches every wrong term.
 */
#ifndef MDF_TESTS_GRADIENT_CHECK_H
#define MDF_TESTS_GRADIENT_CHECK_H

#ifndef MDF_REAL_DOUBLE
#error "differences of floats prove nothing: link with mdf_f64"
#endif

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "tensor/tensor.h"

#define GRADIENT_STEP      1e-5
#define GRADIENT_TOLERANCE 1e-6

enum { PROBE_INPUTS = 8, PROBE_ROUNDS = 4 };

typedef struct probe {
    const char *name;
    mdf_kernels *kernels;
    mdf_graph graph;
    mdf_arena memory;
    mdf_rng rng;
    mdf_tensor input[PROBE_INPUTS];
    mdf_tensor *in[PROBE_INPUTS]; /* what the operation is given */
    int inputs;
    const void *args; /* the test's own */
    double *v;        /* [numbers of y] */
} probe;

/* The operation on p->in and p->args. */
typedef mdf_tensor *probe_call(probe *p);

static inline void probe_open(probe *p, const char *name, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    p->name = name;
    p->rng = mdf_rng_new(seed, 77);
    assert_int_equal(mdf_kernels_new(&p->kernels, NULL, NULL), MDF_OK);
    assert_int_equal(mdf_graph_init(&p->graph, p->kernels, true, 0, NULL), MDF_OK);
    assert_int_equal(mdf_arena_init(&p->memory, 0, 0, NULL), MDF_OK);
}

static inline void probe_close(probe *p)
{
    mdf_graph_free(&p->graph);
    mdf_arena_free(&p->memory);
    mdf_kernels_free(p->kernels);
}

static inline void *probe_memory(probe *p, int64_t count, size_t size)
{
    void *m = mdf_arena_zalloc(&p->memory, (size_t)count, size);
    assert_non_null(m);
    return m;
}

static inline int64_t probe_size(probe *p, int64_t lo, int64_t hi)
{
    return lo + mdf_rng_below(&p->rng, (uint32_t)(hi - lo + 1));
}

static inline double *probe_normals(probe *p, int64_t n)
{
    double *x = probe_memory(p, n, sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        x[i] = mdf_rng_normal(&p->rng);
    }
    return x;
}

/* [n] of lo..hi */
static inline int32_t *probe_ints(probe *p, int64_t n, int32_t lo, int32_t hi)
{
    int32_t *x = probe_memory(p, n, sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        x[i] = (int32_t)probe_size(p, lo, hi);
    }
    return x;
}

/* One more input of normal numbers. */
static inline mdf_tensor *probe_input(probe *p, int rank, const int64_t *dim)
{
    assert_true(p->inputs < PROBE_INPUTS);
    mdf_tensor *t = &p->input[p->inputs];
    *t = (mdf_tensor){.rank = rank, .parameter = true, .needs_grad = true};
    memcpy(t->dim, dim, (size_t)rank * sizeof *dim);
    const int64_t n = mdf_tensor_count(t);
    t->data = probe_normals(p, n);
    t->grad = probe_memory(p, n, sizeof *t->grad);
    p->in[p->inputs++] = t;
    return t;
}

/* Runs the operation; y lives in the graph until the next run. */
static inline const mdf_tensor *probe_forward(probe *p, probe_call *call, bool values)
{
    mdf_graph_reset(&p->graph);
    for (int i = 0; i < p->inputs; i++) {
        p->in[i] = values ? mdf_scale(&p->graph, &p->input[i], 1) : &p->input[i];
    }
    const mdf_tensor *y = call(p);
    if (y == NULL) {
        fail_msg("%s: %s", p->name, p->graph.error.text);
    }
    return y;
}

static inline double probe_objective(probe *p, probe_call *call)
{
    const mdf_tensor *y = probe_forward(p, call, false);
    const int64_t n = mdf_tensor_count(y);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += y->data[i] * p->v[i];
    }
    return sum;
}

/* Fills the gradients of all inputs. */
static inline void probe_backward(probe *p, probe_call *call, bool values)
{
    mdf_graph *g = &p->graph;
    for (int i = 0; i < p->inputs; i++) {
        mdf_tensor *t = &p->input[i];
        memset(t->grad, 0, (size_t)mdf_tensor_count(t) * sizeof *t->grad);
    }
    mdf_tensor *y = (mdf_tensor *)(uintptr_t)probe_forward(p, call, values);
    const int64_t n = mdf_tensor_count(y);
    int32_t *index = probe_memory(p, n, sizeof *index);
    const int32_t offset[2] = {0, (int32_t)n};
    for (int64_t i = 0; i < n; i++) {
        index[i] = (int32_t)i;
    }
    mdf_tensor *loss = mdf_segment_sum(g, y, index, p->v, offset, 1);
    assert_non_null(loss);
    assert_int_equal(mdf_graph_backward(g, loss, NULL), MDF_OK);
}

static inline void probe_compare(const probe *p, int input, const double *want, const char *how)
{
    const mdf_tensor *t = &p->input[input];
    const int64_t n = mdf_tensor_count(t);
    double largest = 0;
    for (int64_t i = 0; i < n; i++) {
        largest = fabs(want[i]) > largest ? fabs(want[i]) : largest;
    }
    /* 1e-9: a gradient that is zero by nature, known up to rounding only */
    const double tolerance = GRADIENT_TOLERANCE * largest + 1e-9;
    for (int64_t i = 0; i < n; i++) {
        if (!(fabs(t->grad[i] - want[i]) <= tolerance)) {
            fail_msg("%s (%s): input %d, number %lld: %.12g, difference says %.12g", p->name, how,
                     input, (long long)i, t->grad[i], want[i]);
        }
    }
}

/* Every number of every input; inputs as parameters and as results of another operation. */
static inline void probe_check(probe *p, probe_call *call)
{
    double *want[PROBE_INPUTS];
    p->v = probe_normals(p, mdf_tensor_count(probe_forward(p, call, false)));
    for (int k = 0; k < p->inputs; k++) {
        mdf_tensor *t = &p->input[k];
        const int64_t n = mdf_tensor_count(t);
        want[k] = probe_memory(p, n, sizeof *want[k]);
        for (int64_t i = 0; i < n; i++) {
            const double old = t->data[i];
            t->data[i] = old + GRADIENT_STEP;
            const double up = probe_objective(p, call);
            t->data[i] = old - GRADIENT_STEP;
            const double down = probe_objective(p, call);
            t->data[i] = old;
            want[k][i] = (up - down) / (2 * GRADIENT_STEP);
        }
    }
    probe_backward(p, call, false);
    for (int k = 0; k < p->inputs; k++) {
        probe_compare(p, k, want[k], "parameters");
    }
    probe_backward(p, call, true);
    for (int k = 0; k < p->inputs; k++) {
        probe_compare(p, k, want[k], "values");
    }
}

#endif
