/* Every dense, picture and elementwise operation against central differences, random small shapes.
 */
#include "support/gradient_check.h"

#define DIMS(...) ((int64_t[]){__VA_ARGS__})

static const double epsilon = 1e-5;

typedef struct options {
    int64_t a, b;
    bool flag;
    const uint8_t *mask;
} options;

typedef void probe_setup(probe *p, options *o, int round);

/* A few rounds of other shapes. */
static void rounds(const char *name, probe_setup *setup, probe_call *call)
{
    static probe p;
    for (int round = 0; round < PROBE_ROUNDS; round++) {
        options o = {0};
        probe_open(&p, name, (uint64_t)round);
        p.args = &o;
        setup(&p, &o, round);
        probe_check(&p, call);
        probe_close(&p);
    }
}

/* x [B,H,W,C] with random small sizes. */
static mdf_tensor *picture(probe *p, int64_t h_of, int64_t w_of, int64_t c)
{
    return probe_input(
        p, 4, DIMS(probe_size(p, 1, 2), h_of * probe_size(p, 1, 3), w_of * probe_size(p, 1, 3), c));
}

/* Redraws until no number of y is nearer to zero than a step can move it. */
static void avoid_kinks(probe *p, probe_call *call)
{
    const double margin = 1e-3; /* a hundred steps */
    for (;;) {
        const mdf_tensor *y = probe_forward(p, call, false);
        const int64_t n = mdf_tensor_count(y);
        int64_t near = 0;
        for (int64_t i = 0; i < n; i++) {
            near += fabs(y->data[i]) < margin;
        }
        if (near == 0) {
            return;
        }
        mdf_tensor *x = &p->input[0];
        memcpy(x->data, probe_normals(p, mdf_tensor_count(x)),
               (size_t)mdf_tensor_count(x) * sizeof *x->data);
    }
}

static mdf_tensor *call_linear(probe *p)
{
    return mdf_linear(&p->graph, p->in[0], p->in[1], p->inputs > 2 ? p->in[2] : NULL);
}

static void setup_linear(probe *p, options *o, int round)
{
    (void)o;
    const int64_t in = probe_size(p, 1, 5);
    const int64_t out = probe_size(p, 1, 4);
    (void)probe_input(p, 3, DIMS(2, probe_size(p, 1, 3), 4 * in));
    if (round == 0) { /* a convolution's weight */
        (void)probe_input(p, 4, DIMS(out, in, 2, 2));
    } else {
        (void)probe_input(p, 2, DIMS(out, 4 * in));
    }
    if (round != 1) {
        (void)probe_input(p, 1, DIMS(out));
    }
}

/* A matrix with an adapter: both are trained here, so that each gradient is looked at. */
static mdf_tensor *call_adapted(probe *p)
{
    static mdf_adapter adapter;
    const options *o = p->args;
    adapter = (mdf_adapter){.a = p->in[2],
                            .b = p->in[3],
                            .scale = o->flag ? 0.7 : 1,
                            .dropout = o->flag ? 0.3 : 0,
                            .seed = 5};
    p->graph.noise = 9; /* the same in every run */
    p->in[1]->adapter = &adapter;
    return mdf_linear(&p->graph, p->in[0], p->in[1], p->inputs > 4 ? p->in[4] : NULL);
}

static void setup_adapted(probe *p, options *o, int round)
{
    const int64_t in = probe_size(p, 2, 9);
    const int64_t out = probe_size(p, 2, 7);
    const int64_t rank = round + 1;
    (void)probe_input(p, 2, DIMS(probe_size(p, 2, 6), in));
    (void)probe_input(p, 2, DIMS(out, in));
    (void)probe_input(p, 2, DIMS(rank, in));
    (void)probe_input(p, 2, DIMS(out, rank));
    if (round == 2) {
        (void)probe_input(p, 1, DIMS(out));
    }
    o->flag = round > 0;
}

static mdf_tensor *call_conv2d(probe *p)
{
    return mdf_conv2d(&p->graph, p->in[0], p->in[1], p->inputs > 2 ? p->in[2] : NULL);
}

static void setup_conv2d(probe *p, options *o, int round)
{
    (void)o;
    const int64_t k = round % 2 == 0 ? 3 : 1;
    const int64_t cin = probe_size(p, 1, 3);
    const int64_t cout = probe_size(p, 1, 3);
    (void)picture(p, 1, 1, cin);
    (void)probe_input(p, 4, DIMS(cout, cin, k, k));
    if (round < 2) {
        (void)probe_input(p, 1, DIMS(cout));
    }
}

static mdf_tensor *call_conv_transpose(probe *p)
{
    return mdf_conv_transpose2x2(&p->graph, p->in[0], p->in[1], p->in[2]);
}

static void setup_conv_transpose(probe *p, options *o, int round)
{
    (void)o;
    (void)round;
    const int64_t cin = probe_size(p, 1, 3);
    const int64_t cout = probe_size(p, 1, 3);
    (void)picture(p, 1, 1, cin);
    (void)probe_input(p, 4, DIMS(cin, cout, 2, 2));
    (void)probe_input(p, 1, DIMS(cout));
}

static mdf_tensor *call_patchify(probe *p)
{
    return mdf_patchify(&p->graph, p->in[0], ((const options *)p->args)->a);
}

static void setup_patchify(probe *p, options *o, int round)
{
    o->a = 1 + round;
    (void)picture(p, o->a, o->a, probe_size(p, 1, 2));
}

static void dense_operations_have_their_derivatives(void **state)
{
    (void)state;
    rounds("linear", setup_linear, call_linear);
    rounds("linear with an adapter", setup_adapted, call_adapted);
    rounds("conv2d", setup_conv2d, call_conv2d);
    rounds("conv_transpose2x2", setup_conv_transpose, call_conv_transpose);
    rounds("patchify", setup_patchify, call_patchify);
}

static mdf_tensor *call_group_norm(probe *p)
{
    const options *o = p->args;
    mdf_tensor *w = p->inputs > 1 ? p->in[1] : NULL;
    mdf_tensor *b = p->inputs > 1 ? p->in[2] : NULL;
    return mdf_group_norm(&p->graph, p->in[0], w, b, o->a, epsilon, o->flag);
}

static void setup_group_norm(probe *p, options *o, int round)
{
    o->a = probe_size(p, 1, 3);
    const int64_t c = o->a * probe_size(p, 1, 2);
    (void)picture(p, 2, 2, c);
    if (round != 0) {
        (void)probe_input(p, 1, DIMS(c));
        (void)probe_input(p, 1, DIMS(c));
    }
    avoid_kinks(p, call_group_norm);
    o->flag = round >= 2;
}

static mdf_tensor *call_max_pool(probe *p)
{
    return mdf_max_pool2x2(&p->graph, p->in[0]);
}

/* All numbers are at least 0.01 apart, in random order: no step makes another one the largest. */
static void setup_max_pool(probe *p, options *o, int round)
{
    (void)o;
    (void)round;
    const mdf_tensor *x = picture(p, 2, 2, probe_size(p, 1, 3));
    const int64_t n = mdf_tensor_count(x);
    for (int64_t i = 0; i < n; i++) {
        const int64_t j = probe_size(p, 0, i);
        x->data[i] = x->data[j];
        x->data[j] = 0.01 * (double)i;
    }
}

static mdf_tensor *call_concat_channels(probe *p)
{
    return mdf_concat_channels(&p->graph, p->in[0], p->in[1]);
}

static void setup_concat_channels(probe *p, options *o, int round)
{
    (void)o;
    (void)round;
    const mdf_tensor *a = picture(p, 1, 1, probe_size(p, 1, 3));
    (void)probe_input(p, 4, DIMS(a->dim[0], a->dim[1], a->dim[2], probe_size(p, 1, 3)));
}

static mdf_tensor *call_patch_pool(probe *p)
{
    const options *o = p->args;
    return mdf_patch_pool(&p->graph, p->in[0], o->a, o->b);
}

static void setup_patch_pool(probe *p, options *o, int round)
{
    (void)round;
    o->a = probe_size(p, 1, 2);
    o->b = probe_size(p, 1, 2);
    (void)picture(p, o->a * o->b, o->a * o->b, probe_size(p, 1, 2));
}

static void operations_on_pictures_have_their_derivatives(void **state)
{
    (void)state;
    rounds("group_norm", setup_group_norm, call_group_norm);
    rounds("max_pool2x2", setup_max_pool, call_max_pool);
    rounds("concat_channels", setup_concat_channels, call_concat_channels);
    rounds("patch_pool", setup_patch_pool, call_patch_pool);
}

static mdf_tensor *call_layer_norm(probe *p)
{
    return mdf_layer_norm(&p->graph, p->in[0], p->in[1], p->in[2], epsilon);
}

static void setup_layer_norm(probe *p, options *o, int round)
{
    (void)o;
    const int64_t c = 4 + 3 * round;
    (void)probe_input(p, 2, DIMS(probe_size(p, 1, 20), c));
    (void)probe_input(p, 1, DIMS(c));
    (void)probe_input(p, 1, DIMS(c));
}

static mdf_tensor *call_rms_norm(probe *p)
{
    return mdf_rms_norm(&p->graph, p->in[0], p->in[1], epsilon);
}

/* From the second round on w is shorter than a row: a norm per head. */
static void setup_rms_norm(probe *p, options *o, int round)
{
    (void)o;
    const int64_t c = probe_size(p, 3, 6);
    (void)probe_input(p, 2, DIMS(probe_size(p, 1, 20), c * (1 + round)));
    (void)probe_input(p, 1, DIMS(c));
}

static void setup_one(probe *p, options *o, int round)
{
    (void)round;
    o->a = probe_size(p, 2, 6);
    (void)probe_input(p, 2, DIMS(probe_size(p, 1, 5), o->a));
}

static void setup_two(probe *p, options *o, int round)
{
    setup_one(p, o, round);
    (void)probe_input(p, 2, p->input[0].dim);
}

static mdf_tensor *call_gelu(probe *p)
{
    return mdf_gelu(&p->graph, p->in[0]);
}

static mdf_tensor *call_swiglu(probe *p)
{
    return mdf_swiglu(&p->graph, p->in[0], p->in[1]);
}

static mdf_tensor *call_swiglu_of_one(probe *p)
{
    return mdf_swiglu(&p->graph, p->in[0], p->in[0]);
}

static mdf_tensor *call_add(probe *p)
{
    return mdf_add(&p->graph, p->in[0], p->in[1]);
}

static mdf_tensor *call_add_of_one(probe *p)
{
    return mdf_add(&p->graph, p->in[0], p->in[0]);
}

static mdf_tensor *call_scale(probe *p)
{
    return mdf_scale(&p->graph, p->in[0], -1.75);
}

static mdf_tensor *call_dropout(probe *p)
{
    return mdf_dropout(&p->graph, p->in[0], 0.4, 5);
}

/* A view that is used twice, as itself and as the tensor behind it. */
static mdf_tensor *call_reshape(probe *p)
{
    mdf_tensor *x = p->in[0];
    mdf_tensor *flat = mdf_reshape(&p->graph, x, 1, DIMS(mdf_tensor_count(x)));
    mdf_tensor *bent = mdf_gelu(&p->graph, flat);
    return mdf_add(&p->graph, mdf_reshape(&p->graph, bent, x->rank, x->dim), x);
}

static void norms_and_elementwise_operations_have_their_derivatives(void **state)
{
    (void)state;
    rounds("layer_norm", setup_layer_norm, call_layer_norm);
    rounds("rms_norm", setup_rms_norm, call_rms_norm);
    rounds("gelu", setup_one, call_gelu);
    rounds("swiglu", setup_two, call_swiglu);
    rounds("swiglu of one tensor", setup_one, call_swiglu_of_one);
    rounds("add", setup_two, call_add);
    rounds("add of one tensor", setup_one, call_add_of_one);
    rounds("scale", setup_one, call_scale);
    rounds("dropout", setup_one, call_dropout);
    rounds("reshape", setup_one, call_reshape);
}

static mdf_tensor *call_gated_add(probe *p)
{
    const options *o = p->args;
    return mdf_gated_add(&p->graph, p->in[0], p->in[1], p->in[2], o->mask);
}

/* Without a mask, with a mixed one, with one that lets nothing through, with an open gate. */
static void setup_gated_add(probe *p, options *o, int round)
{
    setup_two(p, o, round);
    const mdf_tensor *gate = probe_input(p, 1, DIMS(1));
    const int64_t n = p->input[0].dim[0];
    uint8_t *mask = probe_memory(p, n, 1);
    for (int64_t i = 0; i < n && round == 1; i++) {
        mask[i] = (uint8_t)(i % 2 == 0);
    }
    o->mask = round == 0 || round == 3 ? NULL : mask;
    gate->data[0] = round == 3 ? 0 : gate->data[0];
}

static mdf_tensor *call_film(probe *p)
{
    return mdf_film(&p->graph, p->in[0], p->in[1]);
}

static void setup_film(probe *p, options *o, int round)
{
    (void)o;
    const int64_t b = probe_size(p, 1, 3);
    const int64_t c = probe_size(p, 1, 4);
    (void)probe_input(p, 2, DIMS(b * probe_size(p, 1, 3), c * (1 + round)));
    (void)probe_input(p, 2, DIMS(b, 2 * c));
}

static void gates_and_film_have_their_derivatives(void **state)
{
    (void)state;
    rounds("gated_add", setup_gated_add, call_gated_add);
    rounds("film", setup_film, call_film);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_operations_have_their_derivatives),
        cmocka_unit_test(operations_on_pictures_have_their_derivatives),
        cmocka_unit_test(norms_and_elementwise_operations_have_their_derivatives),
        cmocka_unit_test(gates_and_film_have_their_derivatives),
    };
    return cmocka_run_group_tests_name("gradients", tests, NULL, NULL);
}
