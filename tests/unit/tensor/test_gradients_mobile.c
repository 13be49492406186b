/* The operations of mobile networks against central differences, random small shapes: depthwise
 * convolutions, clipped dense layers, folded norms, overlapping patches. */
#include "support/gradient_check.h"

#define DIMS(...) ((int64_t[]){__VA_ARGS__})

typedef struct options {
    int64_t kernel, stride;
    mdf_clip clip;
    mdf_tensor mean, var; /* take no gradient */
    bool grouped;
} options;

typedef void probe_setup(probe *p, options *o, int round);

static const double epsilon = 1e-3;

static void rounds(const char *name, int count, probe_setup *setup, probe_call *call)
{
    static probe p;
    for (int round = 0; round < count; round++) {
        options o = {.clip = mdf_no_clip()};
        probe_open(&p, name, (uint64_t)round);
        p.args = &o;
        setup(&p, &o, round);
        probe_check(&p, call);
        probe_close(&p);
    }
}

/* Redraws x until no number of y, not clipped, is nearer to a limit than a step can move it; then
 * sets the limits. The random numbers here reach both. */
static void clip_between(probe *p, options *o, probe_call *call, mdf_clip clip)
{
    const double margin = 1e-3; /* a hundred steps */
    int64_t near = 1;
    while (near > 0) {
        const mdf_tensor *y = probe_forward(p, call, false);
        const int64_t n = mdf_tensor_count(y);
        near = 0;
        for (int64_t i = 0; i < n; i++) {
            near += fabs(y->data[i] - clip.low) < margin || fabs(y->data[i] - clip.high) < margin;
        }
        if (near > 0) {
            mdf_tensor *x = &p->input[0];
            memcpy(x->data, probe_normals(p, mdf_tensor_count(x)),
                   (size_t)mdf_tensor_count(x) * sizeof *x->data);
        }
    }
    o->clip = clip;
}

static mdf_tensor *call_depthwise(probe *p)
{
    const options *o = p->args;
    return mdf_depthwise(&p->graph, p->in[0], p->in[1], p->in[2], o->stride, o->clip);
}

/* Kernels 1 to 7, strides 1 to 3, sizes from one pixel on: often smaller than the kernel. */
static void setup_depthwise(probe *p, options *o, int round)
{
    o->kernel = round % 4 * 2 + 1;
    o->stride = round % 3 + 1;
    const int64_t c = probe_size(p, 1, 3);
    (void)probe_input(p, 4, DIMS(probe_size(p, 1, 2), probe_size(p, 1, 6), probe_size(p, 1, 6), c));
    (void)probe_input(p, 4, DIMS(c, 1, o->kernel, o->kernel));
    (void)probe_input(p, 1, DIMS(c));
    if (round % 2 == 1) {
        clip_between(p, o, call_depthwise, (mdf_clip){-0.5, 0.75});
    }
}

/* Rows of several tasks. */
static void setup_tall_depthwise(probe *p, options *o, int round)
{
    o->stride = round + 1;
    (void)probe_input(p, 4, DIMS(1, 19, 2, 1));
    (void)probe_input(p, 4, DIMS(1, 1, 3, 3));
    (void)probe_input(p, 1, DIMS(1));
    clip_between(p, o, call_depthwise, mdf_relu6());
}

static mdf_tensor *call_linear_clip(probe *p)
{
    const options *o = p->args;
    return mdf_linear_clip(&p->graph, p->in[0], p->in[1], p->in[2], o->clip);
}

/* The last round clips nothing. */
static void setup_linear_clip(probe *p, options *o, int round)
{
    const int64_t in = probe_size(p, 1, 5);
    const int64_t out = probe_size(p, 1, 4);
    (void)probe_input(p, 3, DIMS(2, probe_size(p, 1, 3), in));
    (void)probe_input(p, 2, DIMS(out, in));
    (void)probe_input(p, 1, DIMS(out));
    if (round < 3) {
        const mdf_clip clips[] = {{-0.5, 0.75}, mdf_relu6(), {0, (mdf_real)INFINITY}};
        clip_between(p, o, call_linear_clip, clips[round]);
    }
}

static mdf_tensor *call_unfold(probe *p)
{
    const options *o = p->args;
    return mdf_unfold(&p->graph, p->in[0], o->kernel, o->stride);
}

static void setup_unfold(probe *p, options *o, int round)
{
    o->kernel = round % 4 + 1;
    o->stride = round % 3 + 1;
    (void)probe_input(
        p, 4,
        DIMS(probe_size(p, 1, 2), probe_size(p, 1, 6), probe_size(p, 1, 6), probe_size(p, 1, 3)));
}

static void convolutions_and_patches_have_their_derivatives(void **state)
{
    (void)state;
    rounds("depthwise", 24, setup_depthwise, call_depthwise);
    rounds("depthwise of many rows", 3, setup_tall_depthwise, call_depthwise);
    rounds("linear_clip", 4, setup_linear_clip, call_linear_clip);
    rounds("unfold", 12, setup_unfold, call_unfold);
}

/* A row of n numbers that would take a gradient, from 0.1 on where it is a variance. */
static mdf_tensor statistic(probe *p, int64_t n, bool variance)
{
    mdf_tensor t = {.rank = 1, .dim = {n}, .parameter = true, .needs_grad = true};
    t.data = probe_normals(p, n);
    t.grad = probe_memory(p, n, sizeof *t.grad);
    for (int64_t i = 0; i < n && variance; i++) {
        t.data[i] = fabs(t.data[i]) + 0.1;
    }
    return t;
}

static mdf_tensor *call_fold_weight(probe *p)
{
    options *o = (options *)(uintptr_t)p->args;
    return mdf_fold_norm_weight(&p->graph, p->in[0], p->in[1], &o->var, epsilon);
}

static void setup_fold_weight(probe *p, options *o, int round)
{
    const int64_t out = probe_size(p, 1, 5);
    if (round % 2 == 0) {
        (void)probe_input(p, 4, DIMS(out, probe_size(p, 1, 3), 3, 3));
    } else {
        (void)probe_input(p, 2, DIMS(out, probe_size(p, 1, 7)));
    }
    (void)probe_input(p, 1, DIMS(out));
    o->var = statistic(p, out, true);
}

static mdf_tensor *call_fold_bias(probe *p)
{
    options *o = (options *)(uintptr_t)p->args;
    return mdf_fold_norm_bias(&p->graph, p->in[0], p->in[1], &o->mean, &o->var, epsilon);
}

static void setup_fold_bias(probe *p, options *o, int round)
{
    (void)round;
    const int64_t out = probe_size(p, 1, 5);
    (void)probe_input(p, 1, DIMS(out));
    (void)probe_input(p, 1, DIMS(out));
    o->mean = statistic(p, out, false);
    o->var = statistic(p, out, true);
}

static void folded_norms_have_their_derivatives(void **state)
{
    (void)state;
    rounds("fold_norm_weight", PROBE_ROUNDS, setup_fold_weight, call_fold_weight);
    rounds("fold_norm_bias", PROBE_ROUNDS, setup_fold_bias, call_fold_bias);
}

static void statistics_take_no_gradient(void **state)
{
    (void)state;
    static probe p;
    options o = {.clip = mdf_no_clip()};
    probe_open(&p, "fold_norm_bias", 1);
    p.args = &o;
    setup_fold_bias(&p, &o, 0);
    p.v = probe_normals(&p, o.mean.dim[0]);
    probe_backward(&p, call_fold_bias, false);
    for (int64_t i = 0; i < o.mean.dim[0]; i++) {
        assert_true(p.input[0].grad[i] != 0 && o.mean.grad[i] == 0 && o.var.grad[i] == 0);
    }
    probe_close(&p);
}

static mdf_tensor *call_batch_norm(probe *p)
{
    options *o = (options *)(uintptr_t)p->args;
    const mdf_norm norm = {p->in[1], p->in[2], &o->mean, &o->var, epsilon};
    return mdf_batch_norm(&p->graph, p->in[0], &norm, 0, o->clip);
}

/* Through the statistics too; in odd rounds clipped. More rows than blocks of rows in round 0. */
static void setup_batch_norm(probe *p, options *o, int round)
{
    const int64_t c = probe_size(p, 1, 4);
    (void)probe_input(p, 3, DIMS(probe_size(p, 1, 3), round == 0 ? 19 : probe_size(p, 2, 5), c));
    (void)probe_input(p, 1, DIMS(c));
    (void)probe_input(p, 1, DIMS(c));
    o->mean = statistic(p, c, false);
    o->var = statistic(p, c, true);
    if (round % 2 == 1) {
        clip_between(p, o, call_batch_norm, (mdf_clip){-0.5, 0.75});
    }
}

static void batch_norm_has_its_derivatives(void **state)
{
    (void)state;
    rounds("batch_norm", PROBE_ROUNDS, setup_batch_norm, call_batch_norm);
}

/* All of it as a layer of a network has it: a convolution that a norm was folded into, clipped. */
static mdf_tensor *call_layer(probe *p)
{
    options *o = (options *)(uintptr_t)p->args;
    mdf_graph *g = &p->graph;
    mdf_tensor *w = mdf_fold_norm_weight(g, p->in[1], p->in[2], &o->var, epsilon);
    mdf_tensor *b = mdf_fold_norm_bias(g, p->in[2], p->in[3], &o->mean, &o->var, epsilon);
    return o->grouped ? mdf_depthwise(g, p->in[0], w, b, o->stride, o->clip)
                      : mdf_linear_clip(g, mdf_unfold(g, p->in[0], 3, o->stride), w, b, o->clip);
}

static void setup_layer(probe *p, options *o, int round)
{
    const int64_t c = probe_size(p, 1, 3);
    o->grouped = round % 2 == 0;
    o->stride = round / 2 + 1;
    const int64_t out = o->grouped ? c : probe_size(p, 1, 3);
    (void)probe_input(p, 4, DIMS(2, probe_size(p, 1, 5), probe_size(p, 1, 5), c));
    (void)probe_input(p, 4, DIMS(out, o->grouped ? 1 : c, 3, 3));
    (void)probe_input(p, 1, DIMS(out));
    (void)probe_input(p, 1, DIMS(out));
    o->mean = statistic(p, out, false);
    o->var = statistic(p, out, true);
    clip_between(p, o, call_layer, mdf_relu6());
}

static void layers_have_their_derivatives(void **state)
{
    (void)state;
    rounds("convolution, norm, clip", PROBE_ROUNDS, setup_layer, call_layer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_and_patches_have_their_derivatives),
        cmocka_unit_test(folded_norms_have_their_derivatives),
        cmocka_unit_test(statistics_take_no_gradient),
        cmocka_unit_test(batch_norm_has_its_derivatives),
        cmocka_unit_test(layers_have_their_derivatives),
    };
    return cmocka_run_group_tests_name("gradients_mobile", tests, NULL, NULL);
}
