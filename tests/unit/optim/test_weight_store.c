/* Weights of 16 bits: exact with what stands beside, unbiased by chance, and of no use when rounded
 * to the nearest. */
#include "rule_test.h"

#include <omp.h>

#include "optim/weight_store.h"

/* A tensor whose weights are kept in a format. */
typedef struct stored {
    subject s;
    mdf_weight_store store;
    void *scratch;
} stored;

static stored stored_new(const mdf_kernels *k, mdf_weight_format f, const mdf_optimizer_rule *rule,
                         const mdf_rule_shape *shape)
{
    stored x = {.s = subject_new(rule, shape), .store = {.format = f}};
    x.store.weights = need((size_t)x.s.n * mdf_weight_bytes(f));
    x.store.beside = need((size_t)x.s.n * mdf_weight_bytes_beside(f));
    x.scratch = need(mdf_weight_store_scratch_bytes(f, rule, shape));
    normal(x.s.t.w, x.s.n, 0.02, 1);
    mdf_weight_store_keep(k, &x.store, x.s.t.w, x.s.n, mdf_rounding_key(1, 2, 0));
    return x;
}

static void stored_free(stored *x)
{
    mdf_free(x->store.weights);
    mdf_free(x->store.beside);
    mdf_free(x->scratch);
    subject_free(&x->s);
}

static mdf_rule_step step_number(int i)
{
    return (mdf_rule_step){.step = i,
                           .lr = 1e-3,
                           .weight_decay = 0.1,
                           .grad_scale = 1,
                           .beta1 = 0.9,
                           .beta2 = 0.99,
                           .eps = 1e-8};
}

static void stored_step(const mdf_kernels *k, stored *x, int i)
{
    const mdf_rule_step step = step_number(i);
    uniform(x->s.g, x->s.n, 0.01, (uint64_t)i);
    mdf_weight_store_update(k, &x->store, x->s.rule, &x->s.t, &step, mdf_rounding_key(1, 2, i),
                            x->scratch);
}

static const mdf_rule_shape matrix = {2, {301, 240}}; /* more than a piece */

static void formats_take_what_they_say(void **state)
{
    (void)state;
    static const char *const names[] = {"f32", "bf16_master", "bf16_stochastic", "bf16_split"};
    static const size_t bytes[][2] = {{4, 0}, {2, 4}, {2, 0}, {2, 2}};
    for (int f = 0; f < MDF_WEIGHT_FORMATS; f++) {
        assert_string_equal(mdf_weight_format_name((mdf_weight_format)f), names[f]);
        assert_int_equal(mdf_weight_bytes((mdf_weight_format)f), bytes[f][0]);
        assert_int_equal(mdf_weight_bytes_beside((mdf_weight_format)f), bytes[f][1]);
    }
}

/* f32, and what makes 16 bits exact, under every rule. */
static void master_and_split_are_floats_to_the_last_bit(void **state)
{
    (void)state;
    static const mdf_weight_format exact[] = {MDF_WEIGHTS_F32, MDF_WEIGHTS_BF16_MASTER,
                                              MDF_WEIGHTS_BF16_SPLIT};
    enum { STEPS = 6 };
    mdf_kernels *k = level("avx512");
    for (int r = 0; r < MDF_RULES; r++) {
        subject plain = subject_new(mdf_rules[r], &matrix);
        normal(plain.t.w, plain.n, 0.02, 1);
        for (int i = 1; i <= STEPS; i++) {
            const mdf_rule_step step = step_number(i);
            uniform(plain.g, plain.n, 0.01, (uint64_t)i);
            plain.rule->update(k, &plain.t, &step, plain.scratch);
        }
        for (int f = 0; f < 3; f++) {
            stored x = stored_new(k, exact[f], mdf_rules[r], &matrix);
            for (int i = 1; i <= STEPS; i++) {
                stored_step(k, &x, i);
            }
            mdf_weight_store_load(k, &x.store, x.s.t.w, x.s.n);
            assert_memory_equal(x.s.t.w, plain.t.w, (size_t)plain.n * sizeof(float));
            const uint16_t *half = x.store.weights;
            for (int64_t i = 0; f > 0 && i < plain.n; i++) {
                const double ulp = ldexp(1, ilogb((double)plain.t.w[i]) - 7);
                const double error = (double)mdf_bf16_to_float(half[i]) - (double)plain.t.w[i];
                assert_true(fabs(error) <= ulp / 2); /* what the model computes with is nearest */
            }
            stored_free(&x);
        }
        subject_free(&plain);
    }
    mdf_kernels_free(k);
}

static void rounding_does_not_depend_on_threads(void **state)
{
    (void)state;
    const int usual = omp_get_max_threads();
    mdf_kernels *k = level("avx512");
    const int64_t n = mdf_rule_count(&matrix);
    stored one = stored_new(k, MDF_WEIGHTS_BF16_STOCHASTIC, &mdf_rule_adamw, &matrix);
    uint16_t *want = need((size_t)n * sizeof *want);
    const uint64_t key = mdf_rounding_key(7, 8, 9);
    k->bf16_stochastic(want, one.s.t.w, n, key, 0);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        memset(one.store.weights, 0, (size_t)n * sizeof *want);
        mdf_weight_store_keep(k, &one.store, one.s.t.w, n, key);
        assert_memory_equal(one.store.weights, want, (size_t)n * sizeof *want);
    }
    omp_set_num_threads(usual);
    mdf_free(want);
    stored_free(&one);
    mdf_kernels_free(k);
}

/* The same seed, tensor and step round alike; whichever of them is another, half of the numbers
 * that lie in the middle are rounded otherwise. */
static void noise_is_of_seed_tensor_and_step(void **state)
{
    (void)state;
    enum { N = 40000 };
    static const uint64_t keys[][3] = {{1, 1, 1}, {2, 1, 1}, {1, 2, 1}, {1, 1, 2}};
    static float x[N];
    static uint16_t h[4][N];
    mdf_kernels *k = level("avx512");
    for (int i = 0; i < N; i++) {
        x[i] = 1 + 0x1p-8f;
    }
    for (int j = 0; j < 4; j++) {
        const mdf_weight_store s = {MDF_WEIGHTS_BF16_STOCHASTIC, h[j], NULL};
        mdf_weight_store_keep(k, &s, x, N,
                              mdf_rounding_key(keys[j][0], keys[j][1], (int64_t)keys[j][2]));
    }
    for (int a = 0; a < 4; a++) {
        for (int b = 0; b < a; b++) {
            int same = 0;
            for (int i = 0; i < N; i++) {
                same += h[a][i] == h[b][i];
            }
            assert_true(abs(same - N / 2) < 500); /* five deviations of sqrt(N) / 2 = 100 */
        }
    }
    const mdf_weight_store again = {MDF_WEIGHTS_BF16_STOCHASTIC, h[1], NULL};
    mdf_weight_store_keep(k, &again, x, N, mdf_rounding_key(1, 1, 1));
    assert_memory_equal(h[0], h[1], sizeof h[0]);
    mdf_kernels_free(k);
}

/* What was kept after some steps goes on as if nothing had been. */
static void a_run_goes_on_with_the_same_noise(void **state)
{
    (void)state;
    mdf_kernels *k = level("avx512");
    for (int r = 0; r < MDF_RULES; r++) {
        stored whole = stored_new(k, MDF_WEIGHTS_BF16_STOCHASTIC, mdf_rules[r], &matrix);
        stored parts = stored_new(k, MDF_WEIGHTS_BF16_STOCHASTIC, mdf_rules[r], &matrix);
        const size_t bytes = (size_t)whole.s.n * mdf_weight_bytes(whole.store.format);
        for (int i = 1; i <= 4; i++) {
            stored_step(k, &whole, i);
            if (i == 2) {
                memcpy(parts.store.weights, whole.store.weights, bytes);
                memcpy(parts.s.t.state, whole.s.t.state, mdf_rules[r]->state_bytes(&matrix));
            }
        }
        stored_step(k, &parts, 3);
        stored_step(k, &parts, 4);
        assert_memory_equal(parts.store.weights, whole.store.weights, bytes);
        stored_free(&whole);
        stored_free(&parts);
    }
    mdf_kernels_free(k);
}

enum { MANY = 20000, LONG = 50 };

/* 50 steps of AdamW with a gradient that stays, each of which is 2e-5, on weights of deviation 0.02
 * that begin as bfloat16; rounded to the nearest bfloat16 after every step, to a random one, or not
 * at all. */
typedef enum rounding { NEAREST, RANDOM, NONE } rounding;

static void fine_tune(const mdf_kernels *k, rounding how, float *before, float *after, float *g)
{
    const mdf_rule_shape shape = {1, {MANY}};
    subject s = subject_new(&mdf_rule_adamw, &shape);
    uint16_t *half = need(MANY * sizeof *half);
    const mdf_weight_store store = {MDF_WEIGHTS_BF16_STOCHASTIC, half, NULL};
    normal(s.t.w, MANY, 0.02, 3);
    normal(s.g, MANY, 1, 4);
    k->narrow(half, MDF_DTYPE_BF16, s.t.w, MANY);
    k->bf16_widen(s.t.w, half, MANY);
    memcpy(before, s.t.w, MANY * sizeof *before);
    for (int i = 1; i <= LONG; i++) {
        const mdf_rule_step step = {
            .step = i, .lr = 2e-5, .grad_scale = 1, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-12};
        s.rule->update(k, &s.t, &step, s.scratch);
        if (how == NEAREST) {
            k->narrow(half, MDF_DTYPE_BF16, s.t.w, MANY);
            k->bf16_widen(s.t.w, half, MANY);
        } else if (how == RANDOM) {
            mdf_weight_store_keep(k, &store, s.t.w, MANY, mdf_rounding_key(5, 6, i));
            mdf_weight_store_load(k, &store, s.t.w, MANY);
        }
    }
    memcpy(after, s.t.w, MANY * sizeof *after);
    memcpy(g, s.g, MANY * sizeof *g);
    mdf_free(half);
    subject_free(&s);
}

static float first[MANY], last[MANY], grad[MANY];

static int changed(void)
{
    int n = 0;
    for (int i = 0; i < MANY; i++) {
        n += first[i] != last[i];
    }
    return n;
}

/* Half of a last place is 3.05e-5 from 2^-7 on, more than a step, and 1.5e-5 or less below. Of
 * N(0, 0.02) erf(2^-7 / (0.02 sqrt(2))) = 30.4 % lie below. */
static void bf16_to_nearest_does_not_train(void **state)
{
    (void)state;
    mdf_kernels *k = level("avx512");
    const double below = erf(0x1p-7 / (0.02 * sqrt(2)));
    const double deviation = sqrt(MANY * below * (1 - below));
    fine_tune(k, NEAREST, first, last, grad);
    for (int i = 0; i < MANY; i++) {
        const double size = fabs((double)first[i]);
        assert_true(size == 0x1p-7 || (first[i] != last[i]) == (size < 0x1p-7));
    }
    assert_true(fabs(changed() - MANY * below) < 5 * deviation); /* 5,600 to 6,500 of 20,000 */
    fine_tune(k, NONE, first, last, grad);
    assert_int_equal(changed(), MANY);
    mdf_kernels_free(k);
}

/* With random rounding the mean of all weights' ways is 50 steps of 2e-5. A step of size s on
 * weights u apart adds at most u s to a way's variance; within 50 steps u at most doubles. */
static void stochastic_rounding_trains_as_far_as_floats(void **state)
{
    (void)state;
    mdf_kernels *k = level("avx512");
    fine_tune(k, RANDOM, first, last, grad);
    double way = 0;
    double variance = 0;
    for (int i = 0; i < MANY; i++) {
        const double size = fmax(fabs((double)first[i]), LONG * 2e-5);
        const double apart = ldexp(1, ilogb(size) - 7 + 1);
        way += ((double)first[i] - (double)last[i]) * (grad[i] > 0 ? 1 : -1) / MANY;
        variance += LONG * 2e-5 * apart / MANY / MANY;
    }
    const double error = fabs(way - LONG * 2e-5);
    assert_true(5 * sqrt(variance) < 0.03 * LONG * 2e-5); /* the bound says something */
    assert_true(error < 5 * sqrt(variance));
    assert_true(changed() > MANY * 0.95); /* the largest of all move once in 24 steps */
    mdf_kernels_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_take_what_they_say),
        cmocka_unit_test(master_and_split_are_floats_to_the_last_bit),
        cmocka_unit_test(rounding_does_not_depend_on_threads),
        cmocka_unit_test(noise_is_of_seed_tensor_and_step),
        cmocka_unit_test(a_run_goes_on_with_the_same_noise),
        cmocka_unit_test(bf16_to_nearest_does_not_train),
        cmocka_unit_test(stochastic_rounding_trains_as_far_as_floats),
    };
    return cmocka_run_group_tests_name("optim/weight_store", tests, NULL, NULL);
}
