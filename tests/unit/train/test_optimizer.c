/* The optimiser over a table of parameters: which of them have a state, how they are clipped, and
 * their averages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "train/optimizer.h"

/* A large matrix (which its rule cuts for the threads), small ones, a vector, and statistics. */
enum { LARGE, SMALL, FROZEN, BIAS, FIXED, PARAMETERS };

static void must(mdf_status status, const mdf_error *err)
{
    if (status != MDF_OK) {
        fail_msg("%s", err->text);
    }
}

static void fill(mdf_real *x, int64_t n, double scale, uint64_t seed)
{
    mdf_rng rng = mdf_rng_new(seed, 7);
    for (int64_t i = 0; i < n; i++) {
        x[i] = (mdf_real)(scale * (mdf_rng_uniform(&rng) - 0.5));
    }
}

static void params_new(mdf_params *p)
{
    mdf_error err = {0};
    must(mdf_params_init(p, &err), &err);
    (void)mdf_param_add(p, MDF_GROUP_TEXT, MDF_INIT_ZERO, 0, 2, (int64_t[]){300, 300}, "large");
    (void)mdf_param_add(p, MDF_GROUP_VISION, MDF_INIT_ZERO, 0, 2, (int64_t[]){70, 90}, "small");
    (void)mdf_param_add(p, MDF_GROUP_UNET, MDF_INIT_ZERO, 0, 4, (int64_t[]){8, 4, 3, 3}, "frozen");
    (void)mdf_param_add(p, MDF_GROUP_FUSION, MDF_INIT_ZERO, 0, 1, (int64_t[]){11}, "bias");
    (void)mdf_param_add(p, MDF_GROUP_FIXED, MDF_INIT_ZERO, 0, 1, (int64_t[]){5}, "fixed");
    must(mdf_params_allocate(p, true, &err), &err);
    assert_int_equal(p->count, PARAMETERS);
    p->item[FROZEN]->tensor.needs_grad = false;
    for (size_t i = 0; i < PARAMETERS; i++) {
        mdf_tensor *t = &p->item[i]->tensor;
        fill(t->data, mdf_tensor_count(t), 0.1, i);
        if (t->needs_grad) {
            fill(t->grad, mdf_tensor_count(t), i == BIAS ? 1e-3 : 1, i + 10);
        }
    }
}

static mdf_train_config settings(mdf_optimizer_kind kind)
{
    mdf_train_config t;
    memset(&t, 0, sizeof t);
    t.optimizer = kind;
    t.lr = 0.01;
    t.lr_vision = 0.02;
    t.lr_unet = 0.03;
    t.lr_fusion = 0.04;
    t.weight_decay = 0.1;
    t.beta1 = 0.9;
    t.beta2 = 0.99;
    t.eps = 1e-8;
    return t;
}

static mdf_kernels *kernels(void)
{
    mdf_kernels *k = NULL;
    mdf_error err = {0};
    must(mdf_kernels_new(&k, NULL, &err), &err);
    return k;
}

/* What one step of the rule alone makes of a parameter's weights; the caller frees. */
static mdf_real *alone(const mdf_kernels *k, const mdf_optimizer_rule *rule, const mdf_param *p,
                       double lr, double decay, double scale)
{
    const mdf_tensor *t = &p->tensor;
    mdf_rule_tensor r = {.shape = {.rank = t->rank}, .g = t->grad};
    memcpy(r.shape.dim, t->dim, sizeof r.shape.dim);
    const size_t n = (size_t)mdf_tensor_count(t);
    r.w = mdf_alloc(n, sizeof *r.w);
    r.state = mdf_alloc(rule->state_bytes(&r.shape), 1);
    void *scratch = mdf_alloc(rule->scratch_bytes(&r.shape), 1);
    assert_true(r.w != NULL && r.state != NULL && scratch != NULL);
    memcpy(r.w, t->data, n * sizeof *r.w);
    rule->init(r.state, &r.shape);
    const mdf_rule_step s = {.step = 1,
                             .lr = lr,
                             .weight_decay = decay,
                             .grad_scale = scale,
                             .beta1 = 0.9,
                             .beta2 = 0.99,
                             .eps = 1e-8};
    rule->update(k, &r, &s, scratch);
    mdf_free(r.state);
    mdf_free(scratch);
    return r.w;
}

static double norm_of(const mdf_tensor *t)
{
    double sum = 0;
    for (int64_t i = 0; i < mdf_tensor_count(t); i++) {
        sum += (double)t->grad[i] * (double)t->grad[i];
    }
    return sqrt(sum);
}

/* Every parameter moves as its rule says, with its group's rate, matrices with decay. clip: 0, or
 * of all together, or of each. The kernel's norm is good to 1e-6 and may differ from ours, so
 * weights differ by as much of a step, and by their own last place. */
static void check_step(mdf_optimizer_kind kind, double clip_norm, bool per_tensor)
{
    static const double lr[PARAMETERS] = {0.01, 0.02, 0.03, 0.04, 0};
    mdf_params p;
    mdf_optimizer o;
    mdf_error err = {0};
    mdf_kernels *k = kernels();
    mdf_train_config t = settings(kind);
    t.clip_norm = clip_norm;
    t.clip_per_tensor = per_tensor;
    params_new(&p);
    must(mdf_optimizer_new(&o, &p, &t, &err), &err);
    const double norm = mdf_grad_norm(k, &p);
    mdf_real *want[PARAMETERS] = {NULL};
    for (size_t i = 0; i < PARAMETERS; i++) {
        const mdf_tensor *x = &p.item[i]->tensor;
        const double size = per_tensor ? norm_of(x) : norm;
        const double scale = clip_norm > 0 && size > clip_norm ? clip_norm / size : 1;
        if (x->needs_grad) {
            want[i] = alone(k, o.rule, p.item[i], 0.5 * lr[i], x->rank >= 2 ? 0.1 : 0, scale);
        }
    }
    mdf_optimizer_step(&o, k, &p, &t, 0.5, norm);
    assert_int_equal(o.step, 1);
    for (size_t i = 0; i < PARAMETERS; i++) {
        const mdf_tensor *x = &p.item[i]->tensor;
        for (int64_t j = 0; want[i] != NULL && j < mdf_tensor_count(x); j++) {
            const double got = (double)x->data[j];
            assert_true(fabs(got - (double)want[i][j]) <= 1e-6 * lr[i] + 6e-8 * fabs(got));
        }
        mdf_free(want[i]);
    }
    mdf_optimizer_free(&o);
    mdf_params_free(&p);
    mdf_kernels_free(k);
}

static void every_rule_moves_every_parameter(void **state)
{
    (void)state;
    for (int kind = 0; kind <= MDF_OPTIMIZER_ADALOMO; kind++) {
        check_step((mdf_optimizer_kind)kind, 0, false);
    }
}

/* The first step of these hardly depends on the gradient's size, but for eps: AdamW's must be large
 * enough to see it, so clipping is also told by its moments below. */
static void gradients_are_clipped_together_or_each(void **state)
{
    (void)state;
    for (int kind = 0; kind <= MDF_OPTIMIZER_ADALOMO; kind++) {
        check_step((mdf_optimizer_kind)kind, 0.5, false);
        check_step((mdf_optimizer_kind)kind, 0.5, true);
    }
}

/* m of AdamW's first step is a tenth of the clipped gradient: its norm tells what was clipped. */
static void moments_tell_the_norm_that_was_clipped_to(void **state)
{
    (void)state;
    mdf_kernels *k = kernels();
    for (int per_tensor = 0; per_tensor < 2; per_tensor++) {
        mdf_params p;
        mdf_optimizer o;
        mdf_error err = {0};
        mdf_train_config t = settings(MDF_OPTIMIZER_ADAMW);
        t.clip_norm = 0.5;
        t.clip_per_tensor = per_tensor == 1;
        params_new(&p);
        must(mdf_optimizer_new(&o, &p, &t, &err), &err);
        mdf_optimizer_step(&o, k, &p, &t, 1, mdf_grad_norm(k, &p));
        double all = 0;
        for (size_t i = 0; i < PARAMETERS; i++) {
            const mdf_real *m = o.slot[i].state;
            const int64_t n = m == NULL ? 0 : mdf_tensor_count(&p.item[i]->tensor);
            double sum = 0;
            for (int64_t j = 0; j < n; j++) {
                sum += 100 * (double)m[j] * (double)m[j];
            }
            all += sum;
            if (per_tensor == 1 && n > 0) { /* the bias is too small to be clipped */
                const double want = i == BIAS ? norm_of(&p.item[i]->tensor) : 0.5;
                assert_true(fabs(sqrt(sum) - want) < 1e-5 * want);
            }
        }
        if (per_tensor == 0) {
            assert_true(fabs(sqrt(all) - 0.5) < 1e-5);
        }
        mdf_optimizer_free(&o);
        mdf_params_free(&p);
    }
    mdf_kernels_free(k);
}

static void what_is_frozen_takes_no_memory(void **state)
{
    (void)state;
    static const size_t bytes[][PARAMETERS] = {
        {8 * 90000, 8 * 6300, 0, 8 * 11, 0},
        {2 * 90000 + 8 * 352, 2 * 6300 + 8 * 25, 0, 8 * 11, 0},
        {4 * 600, 4 * 160, 0, 4 * 11, 0},
        {4 * 600, 4 * 160, 0, 4 * 11, 0}};
    for (int kind = 0; kind <= MDF_OPTIMIZER_ADALOMO; kind++) {
        mdf_params p;
        mdf_optimizer o;
        mdf_error err = {0};
        mdf_train_config t = settings((mdf_optimizer_kind)kind);
        t.ema = 0.5;
        params_new(&p);
        must(mdf_optimizer_new(&o, &p, &t, &err), &err);
        for (size_t i = 0; i < PARAMETERS; i++) {
            assert_int_equal(o.slot[i].state_bytes, bytes[kind][i]);
            assert_true((o.slot[i].state == NULL) == (i == FROZEN || i == FIXED));
            assert_true((o.slot[i].ema == NULL) == (i == FROZEN)); /* statistics move */
        }
        mdf_optimizer_free(&o);
        mdf_params_free(&p);
    }
}

/* After one step the average is at 2 / 11 of the way back: an age of 1 holds the decay down. */
static void averages_follow_and_change_places(void **state)
{
    (void)state;
    mdf_params p;
    mdf_optimizer o;
    mdf_error err = {0};
    mdf_kernels *k = kernels();
    mdf_train_config t = settings(MDF_OPTIMIZER_ADALOMO);
    t.ema = 0.9;
    params_new(&p);
    must(mdf_optimizer_new(&o, &p, &t, &err), &err);
    mdf_real *first = mdf_alloc((size_t)p.total, sizeof *first);
    mdf_real *last = mdf_alloc((size_t)p.total, sizeof *last);
    assert_true(first != NULL && last != NULL);
    memcpy(first, p.data, (size_t)p.total * sizeof *first);
    p.item[FIXED]->tensor.data[2] += 1; /* as a batch norm does */
    mdf_optimizer_step(&o, k, &p, &t, 1, 1);
    memcpy(last, p.data, (size_t)p.total * sizeof *last);
    mdf_optimizer_swap(&o, &p);
    for (size_t i = 0; i < PARAMETERS; i++) {
        for (int64_t j = 0; j < mdf_tensor_count(&p.item[i]->tensor); j++) {
            const int64_t at = p.item[i]->offset + j;
            const double want =
                (double)last[at] + 2.0 / 11 * ((double)first[at] - (double)last[at]);
            assert_true(fabs((double)p.data[at] - want) < 2e-7 * (1 + fabs(want)));
        }
    }
    assert_true(p.item[FIXED]->tensor.data[2] != last[p.item[FIXED]->offset + 2]);
    mdf_optimizer_swap(&o, &p);
    assert_memory_equal(p.data, last, (size_t)p.total * sizeof *last);
    mdf_free(first);
    mdf_free(last);
    mdf_optimizer_free(&o);
    mdf_params_free(&p);
    mdf_kernels_free(k);
}

static void bits_do_not_depend_on_threads(void **state)
{
    (void)state;
    const int usual = omp_get_max_threads();
    mdf_kernels *k = kernels();
    for (int kind = 0; kind <= MDF_OPTIMIZER_ADALOMO; kind++) {
        mdf_real *want = NULL;
        for (int threads = 1; threads <= 3; threads++) {
            mdf_params p;
            mdf_optimizer o;
            mdf_error err = {0};
            mdf_train_config t = settings((mdf_optimizer_kind)kind);
            t.ema = 0.5;
            t.clip_norm = 0.1;
            t.clip_per_tensor = true;
            omp_set_num_threads(threads);
            params_new(&p);
            must(mdf_optimizer_new(&o, &p, &t, &err), &err);
            omp_set_num_threads(3); /* more than there is room for: the optimiser knows */
            for (int i = 0; i < 3; i++) {
                mdf_optimizer_step(&o, k, &p, &t, 1, 1);
            }
            mdf_optimizer_swap(&o, &p);
            if (want == NULL) {
                want = mdf_alloc((size_t)p.total, sizeof *want);
                assert_non_null(want);
                memcpy(want, p.data, (size_t)p.total * sizeof *want);
            }
            assert_memory_equal(p.data, want, (size_t)p.total * sizeof *want);
            mdf_optimizer_free(&o);
            mdf_params_free(&p);
        }
        mdf_free(want);
    }
    omp_set_num_threads(usual);
    mdf_kernels_free(k);
}

static void no_memory_is_told(void **state)
{
    (void)state;
    mdf_params p;
    params_new(&p);
    for (long n = 1; n <= 4; n++) {
        mdf_optimizer o;
        mdf_error err = {0};
        mdf_train_config t = settings(MDF_OPTIMIZER_ADAMW_8BIT);
        t.ema = 0.5;
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_optimizer_new(&o, &p, &t, &err);
        mdf_alloc_fail_after(0);
        assert_int_equal(status, MDF_ERR_NOMEM);
        assert_non_null(strstr(err.text, "optimiser"));
    }
    mdf_params_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_moves_every_parameter),
        cmocka_unit_test(gradients_are_clipped_together_or_each),
        cmocka_unit_test(moments_tell_the_norm_that_was_clipped_to),
        cmocka_unit_test(what_is_frozen_takes_no_memory),
        cmocka_unit_test(averages_follow_and_change_places),
        cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(no_memory_is_told),
    };
    return cmocka_run_group_tests_name("train/optimizer", tests, NULL, NULL);
}
