/* One case of tests/golden/ops: its arrays, and the operation run on them in every way that a model
 * may use it. The README there explains keys and tolerances. Header-only, so that the float tests
 * and the double-precision ones share it. */
#ifndef MDF_TESTS_OP_CASE_H
#define MDF_TESTS_OP_CASE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "io/safetensors.h"
#include "tensor/tensor.h"

/* Relative to the largest number of a tensor; reasons in tests/golden/ops/README.md. */
#ifdef MDF_REAL_DOUBLE
#define OP_EXACT 0.0
#define OP_NEAR  2e-7 /* the rounding of the file itself */
#define OP_ANGLE 2e-7
#else
#define OP_EXACT 0.0    /* copies */
#define OP_NEAR  5e-6   /* eight times PyTorch's own float32 error */
#define OP_ANGLE 1.5e-5 /* an angle in float32 at position 200 */
#endif
/* Gradients of copies add a few numbers, where a rounding may happen. */
#define OP_SUM 1e-6

enum { OP_INPUTS = 8, OP_NAME = 160 };

typedef struct op_input {
    char name[32];
    mdf_tensor parameter;
    mdf_tensor *now; /* what the operation is given in this run */
    mdf_real *want;  /* gradient */
} op_input;

typedef struct op_case {
    mdf_safetensors file;
    const char *name; /* "linear: bias" in messages */
    char key[64];
    mdf_arena memory;
    mdf_kernels *kernels;
    mdf_graph graph;
    op_input input[OP_INPUTS];
    int inputs;
    int64_t count;     /* numbers of y */
    mdf_real *y, *v;   /* [count] */
    int32_t *flat;     /* [count] 0, 1, .. */
    int32_t offset[2]; /* 0, count */
    double tolerance;  /* of y */
} op_case;

/* Calls the operation with the case's arguments. */
typedef mdf_tensor *op_call(op_case *c);

static inline void op_must(mdf_status status, const mdf_error *err)
{
    if (status != MDF_OK) {
        fail_msg("%s", err->text);
    }
}

static inline void *op_memory(op_case *c, size_t count, size_t size)
{
    void *p = mdf_arena_zalloc(&c->memory, count, size);
    assert_non_null(p);
    return p;
}

/* NULL: the case has no such key. */
static inline const mdf_st_tensor *op_find(const op_case *c, const char *name)
{
    char key[2 * OP_NAME];
    (void)snprintf(key, sizeof key, "%s.%s", c->key, name);
    return mdf_safetensors_find(&c->file, key);
}

static inline mdf_real *op_reals(op_case *c, const char *name)
{
    const mdf_st_tensor *t = op_find(c, name);
    if (t == NULL) {
        return NULL;
    }
    mdf_error err = {0};
    mdf_real *out = op_memory(c, t->count, sizeof *out);
#ifdef MDF_REAL_DOUBLE
    op_must(mdf_safetensors_doubles(&c->file, t, out, &err), &err);
#else
    op_must(mdf_safetensors_floats(&c->file, t, out, &err), &err);
#endif
    return out;
}

static inline int32_t *op_ints(op_case *c, const char *name)
{
    const mdf_st_tensor *t = op_find(c, name);
    if (t == NULL) {
        return NULL;
    }
    int32_t *out = op_memory(c, t->count, sizeof *out);
    assert_int_equal(t->bytes, t->count * sizeof *out);
    memcpy(out, t->data, t->bytes);
    return out;
}

static inline const uint8_t *op_bytes(const op_case *c, const char *name)
{
    const mdf_st_tensor *t = op_find(c, name);
    return t == NULL ? NULL : t->data;
}

static inline int64_t op_int(op_case *c, const char *name)
{
    const int32_t *p = op_ints(c, name);
    assert_non_null(p);
    return p[0];
}

static inline mdf_real op_real(op_case *c, const char *name)
{
    const mdf_real *p = op_reals(c, name);
    assert_non_null(p);
    return p[0];
}

/* The tensor that this run gives the operation; NULL: an argument that is absent. */
static inline mdf_tensor *op_in(const op_case *c, const char *name)
{
    for (int i = 0; i < c->inputs; i++) {
        if (strcmp(c->input[i].name, name) == 0) {
            return c->input[i].now;
        }
    }
    return NULL;
}

static inline void op_add_input(op_case *c, const char *name)
{
    char key[OP_NAME];
    (void)snprintf(key, sizeof key, "grad_%s", name);
    const mdf_st_tensor *t = op_find(c, name);
    assert_non_null(t);
    assert_true(c->inputs < OP_INPUTS);
    op_input *in = &c->input[c->inputs++];
    (void)snprintf(in->name, sizeof in->name, "%s", name);
    in->want = op_reals(c, key);
    in->parameter = (mdf_tensor){.name = in->name, .rank = t->rank, .parameter = true};
    memcpy(in->parameter.dim, t->dim, sizeof t->dim);
    in->parameter.data = op_reals(c, name);
    in->parameter.grad = op_memory(c, t->count, sizeof(mdf_real));
}

/* Every key "<case>.grad_<argument>" is an argument that takes a gradient. */
static inline void op_open(op_case *c, const char *op, const char *key, const char *isa)
{
    char text[512];
    mdf_error err = {0};
    memset(c, 0, sizeof *c);
    (void)snprintf(c->key, sizeof c->key, "%s", key);
    (void)snprintf(text, sizeof text, MDF_TEST_DATA "/golden/ops/%s.safetensors", op);
    op_must(mdf_safetensors_open(&c->file, text, &err), &err);
    op_must(mdf_arena_init(&c->memory, 0, 0, &err), &err);
    op_must(mdf_kernels_new(&c->kernels, isa, &err), &err);
    op_must(mdf_graph_init(&c->graph, c->kernels, true, 0, &err), &err);
    (void)snprintf(text, sizeof text, "%s.grad_", key);
    for (size_t i = 0; i < c->file.count; i++) {
        const char *name = c->file.tensor[i].name;
        if (strncmp(name, text, strlen(text)) == 0) {
            op_add_input(c, name + strlen(text));
        }
    }
    assert_true(c->inputs > 0);
    assert_non_null(op_find(c, "y"));
    c->count = (int64_t)op_find(c, "y")->count;
    c->y = op_reals(c, "y");
    c->v = op_reals(c, "v");
    c->flat = op_memory(c, (size_t)c->count, sizeof *c->flat);
    for (int64_t i = 0; i < c->count; i++) {
        c->flat[i] = (int32_t)i;
    }
    c->offset[1] = (int32_t)c->count;
    (void)snprintf(text, sizeof text, "%s, %s, %s kernels", op, key, c->kernels->isa);
    char *label = mdf_arena_strndup(&c->memory, text, strlen(text));
    assert_non_null(label);
    c->name = label;
}

static inline void op_close(op_case *c)
{
    mdf_graph_free(&c->graph);
    mdf_kernels_free(c->kernels);
    mdf_arena_free(&c->memory);
    mdf_safetensors_close(&c->file);
}

/* got = times * want, within tolerance of the largest of want. */
static inline void op_near(const op_case *c, const char *what, const mdf_real *got,
                           const mdf_real *want, int64_t n, int times, double tolerance)
{
    double largest = 0;
    for (int64_t i = 0; i < n; i++) {
        largest = fabs((double)want[i]) > largest ? fabs((double)want[i]) : largest;
    }
    for (int64_t i = 0; i < n; i++) {
        const double expected = times * (double)want[i];
        if (!(fabs((double)got[i] - expected) <= tolerance * times * largest)) {
            fail_msg("%s: %s[%lld] = %.9g, want %.9g (largest %.3g)", c->name, what, (long long)i,
                     (double)got[i], expected, times * largest);
        }
    }
}

/* values: the inputs are results of another operation, whose gradients start empty; otherwise
 * parameters, whose gradients are added to. times: how often the operation uses them. only: the one
 * input that takes a gradient, -1 = all. */
static inline void op_run(op_case *c, op_call *call, bool values, int times, int only)
{
    mdf_error err = {0};
    mdf_graph *g = &c->graph;
    mdf_graph_reset(g);
    for (int i = 0; i < c->inputs; i++) {
        op_input *in = &c->input[i];
        mdf_tensor *t = &in->parameter;
        t->needs_grad = only < 0 || only == i;
        memset(t->grad, 0, (size_t)mdf_tensor_count(t) * sizeof *t->grad);
        in->now = values ? mdf_scale(g, t, 1) : t;
    }
    mdf_tensor *loss = NULL;
    for (int n = 0; n < times; n++) {
        mdf_tensor *y = call(c);
        op_must(mdf_graph_status(g, &err), &err);
        assert_int_equal(mdf_tensor_count(y), c->count);
        op_near(c, "y", y->data, c->y, c->count, 1, c->tolerance);
        loss = mdf_loss_sum(g, loss, 1, mdf_segment_sum(g, y, c->flat, c->v, c->offset, 1), 1);
    }
    op_must(mdf_graph_status(g, &err), &err);
    op_must(mdf_graph_backward(g, loss, &err), &err);
    for (int i = 0; i < c->inputs; i++) {
        const mdf_tensor *t = &c->input[i].parameter;
        const bool wanted = only < 0 || only == i;
        op_near(c, t->name, t->grad, c->input[i].want, mdf_tensor_count(t), wanted ? times : 0,
                c->tolerance == OP_EXACT ? OP_SUM : c->tolerance);
    }
}

static inline void op_check_with(const char *isa, const char *op, const char *key, op_call *call,
                                 double tolerance)
{
    static op_case c;
    op_open(&c, op, key, isa);
    c.tolerance = tolerance;
    op_run(&c, call, false, 1, -1);
    op_run(&c, call, false, 2, -1);
    op_run(&c, call, true, 1, -1);
    op_run(&c, call, true, 2, -1);
    for (int i = 0; i < c.inputs; i++) {
        op_run(&c, call, false, 1, i);
        op_run(&c, call, true, 1, i);
    }
    c.graph.train = false;
    mdf_graph_reset(&c.graph);
    for (int i = 0; i < c.inputs; i++) {
        c.input[i].now = &c.input[i].parameter;
    }
    mdf_tensor *y = call(&c);
    assert_non_null(y);
    op_near(&c, "y without training", y->data, c.y, c.count, 1, tolerance);
    assert_null(c.graph.last);
    op_close(&c);
}

/* The case at every instruction level. */
static inline void op_check(const char *op, const char *key, op_call *call, double tolerance)
{
    static const char *const isa[] = {"ref", "avx2", NULL};
    for (size_t i = 0; i < sizeof isa / sizeof isa[0]; i++) {
        op_check_with(isa[i], op, key, call, tolerance);
    }
}

#endif
