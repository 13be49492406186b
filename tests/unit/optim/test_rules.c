/* What every rule promises: bits that do not depend on threads or places, sizes of state, pieces of
 * large tensors, and gradients that are not finite. */
#include "rule_test.h"

#include <omp.h>

#include "kernel/moment_code.h"
#include "kernel/ref/ref.h"

/* Shapes that are cut in every way: columns of a vector, rows of one and of several matrices,
 * matrices in groups; and one that is not cut. */
static const mdf_rule_shape shapes[] = {{1, {140001}},      {2, {301, 500}},     {2, {1500, 70}},
                                        {3, {2, 300, 300}}, {4, {90, 90, 3, 3}}, {2, {30, 40}}};
enum { SHAPES = sizeof shapes / sizeof shapes[0], STEPS = 3 };

static mdf_rule_step step_number(int i)
{
    return (mdf_rule_step){.step = i,
                           .lr = 0.01 / i,
                           .weight_decay = 0.1,
                           .grad_scale = 0.7,
                           .beta1 = 0.9,
                           .beta2 = 0.99,
                           .eps = 1e-8};
}

/* A subject that has done `steps` steps with the same numbers as every other. */
static subject after_steps(const mdf_kernels *k, const mdf_optimizer_rule *rule,
                           const mdf_rule_shape *shape, int steps)
{
    subject s = subject_new(rule, shape);
    uniform(s.t.w, s.n, 0.05, 1);
    for (int i = 1; i <= steps; i++) {
        const mdf_rule_step step = step_number(i);
        uniform(s.g, s.n, 0.01 * i, (uint64_t)i + 1);
        rule->update(k, &s.t, &step, s.scratch);
    }
    return s;
}

static void expect_same(const subject *a, const subject *b, const char *what)
{
    const bool same = memcmp(a->t.w, b->t.w, (size_t)a->n * sizeof(float)) == 0 &&
                      memcmp(a->t.state, b->t.state, a->rule->state_bytes(&a->t.shape)) == 0;
    if (!same) {
        fail_msg("%s: %s differs (%lld numbers)", a->rule->name, what, (long long)a->n);
    }
}

static void bits_do_not_depend_on_threads(void **state)
{
    (void)state;
    static const int threads[] = {2, 3};
    const int usual = omp_get_max_threads();
    mdf_kernels *k = level("avx512");
    for (int r = 0; r < MDF_RULES; r++) {
        for (int i = 0; i < SHAPES; i++) {
            omp_set_num_threads(1);
            subject one = after_steps(k, mdf_rules[r], &shapes[i], STEPS);
            for (int j = 0; j < 2; j++) {
                omp_set_num_threads(threads[j]);
                subject many = after_steps(k, mdf_rules[r], &shapes[i], STEPS);
                expect_same(&one, &many, "threads");
                subject_free(&many);
            }
            subject_free(&one);
        }
    }
    omp_set_num_threads(usual);
    mdf_kernels_free(k);
}

/* Several tensors at the same time, each by one thread. */
static void bits_do_not_depend_on_a_region_around(void **state)
{
    (void)state;
    mdf_kernels *k = level("avx512");
    for (int r = 0; r < MDF_RULES; r++) {
        subject alone[SHAPES];
        subject together[SHAPES];
        for (int i = 0; i < SHAPES; i++) {
            alone[i] = after_steps(k, mdf_rules[r], &shapes[i], STEPS);
            together[i] = after_steps(k, mdf_rules[r], &shapes[i], STEPS);
        }
        const mdf_rule_step step = step_number(STEPS + 1);
#pragma omp parallel for num_threads(2)
        for (int i = 0; i < SHAPES; i++) {
            mdf_rules[r]->update(k, &together[i].t, &step, together[i].scratch);
        }
        for (int i = 0; i < SHAPES; i++) {
            mdf_rules[r]->update(k, &alone[i].t, &step, alone[i].scratch);
            expect_same(&alone[i], &together[i], "region");
            subject_free(&alone[i]);
            subject_free(&together[i]);
        }
    }
    mdf_kernels_free(k);
}

/* The formulas in double. A tensor is `matrices` of rows x cols; a vector has moments of its own.
 */
typedef struct formula {
    int64_t matrices, rows, cols;
    bool vector, adalomo;
} formula;

static formula formula_of(const mdf_optimizer_rule *rule, const mdf_rule_shape *s)
{
    const int64_t n = mdf_rule_count(s);
    formula f = {1, 1, n, s->rank < 2, rule == &mdf_rule_adalomo};
    if (!f.vector) {
        f.rows = f.adalomo ? s->dim[0] : s->dim[s->rank - 2];
        f.cols = f.adalomo ? n / s->dim[0] : s->dim[s->rank - 1];
        f.matrices = n / f.rows / f.cols;
    }
    return f;
}

/* u = g / sqrt(V) of the tensor's first step, in which moments are what this gradient says. */
static void first_update(const formula *f, const double *g, double *u)
{
    const double eps = f->adalomo ? 1e-30 : 0;
    const double least = f->adalomo ? 0 : 0x1p-46;
    double *row = need((size_t)f->rows * sizeof *row);
    double *col = need((size_t)f->cols * sizeof *col);
    for (int64_t m = 0; m < f->matrices; m++) {
        const int64_t at = m * f->rows * f->cols;
        double mean = 0;
        memset(row, 0, (size_t)f->rows * sizeof *row);
        memset(col, 0, (size_t)f->cols * sizeof *col);
        for (int64_t i = 0; i < f->rows * f->cols; i++) {
            row[i / f->cols] += (g[at + i] * g[at + i] + eps) / (double)f->cols;
            col[i % f->cols] += (g[at + i] * g[at + i] + eps) / (double)f->rows;
        }
        for (int64_t i = 0; i < f->rows; i++) {
            mean += row[i] / (double)f->rows;
        }
        for (int64_t i = 0; i < f->rows * f->cols; i++) {
            const double v = row[i / f->cols] * col[i % f->cols] / mean;
            const double own = g[at + i] * g[at + i] + eps;
            u[at + i] = g[at + i] / sqrt(fmax(f->vector ? own : v, least));
        }
    }
    mdf_free(row);
    mdf_free(col);
}

static double root_mean_square(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += x[i] * x[i];
    }
    return sqrt(sum / (double)n);
}

/* One step of a large tensor whose parts have very different gradients. Tolerance: sums of floats
 * (strips of 256) and their roots, of the step's size; three roundings of the weight. */
static void check_first_step(const mdf_kernels *k, const mdf_optimizer_rule *rule,
                             const mdf_rule_shape *shape)
{
    const formula f = formula_of(rule, shape);
    const mdf_rule_step step = step_number(1);
    subject s = subject_new(rule, shape);
    double *g = need((size_t)s.n * sizeof *g);
    double *w = need((size_t)s.n * sizeof *w);
    double *u = need((size_t)s.n * sizeof *u);
    uniform(s.t.w, s.n, 0.05, 1);
    uniform(s.g, s.n, 0.01, 2);
    for (int64_t i = 0; i < s.n; i++) {
        s.g[i] *= (float)(1 + i / (s.n / 7 + 1)) * (i % 3 == 0 ? 5.0f : 1.0f);
        g[i] = (double)s.g[i] * step.grad_scale;
        w[i] = (double)s.t.w[i];
    }
    first_update(&f, g, u);
    const double pace = fmax(root_mean_square(w, s.n), 1e-3) * step.lr;
    const double decay = (f.adalomo ? pace : step.lr) * step.weight_decay;
    const double limit = fmax(1, root_mean_square(u, s.n));
    rule->update(k, &s.t, &step, s.scratch);
    for (int64_t i = 0; i < s.n; i++) {
        const double move = pace * u[i] / limit;
        const double want = w[i] * (1 - decay) - move;
        if (!(fabs((double)s.t.w[i] - want) <= 1e-5 * fabs(move) + 1.8e-7 * fabs(w[i]))) {
            fail_msg("%s: weight %lld of %lld is %.9g, want %.9g", rule->name, (long long)i,
                     (long long)s.n, (double)s.t.w[i], want);
        }
    }
    mdf_free(g);
    mdf_free(w);
    mdf_free(u);
    subject_free(&s);
}

static void pieces_of_factored_moments_fit_together(void **state)
{
    (void)state;
    mdf_kernels *k = level("avx512");
    for (int i = 0; i < SHAPES; i++) {
        check_first_step(k, &mdf_rule_adafactor, &shapes[i]);
        check_first_step(k, &mdf_rule_adalomo, &shapes[i]);
    }
    mdf_kernels_free(k);
}

/* Pieces against one call of the kernel for all. */
static void pieces_of_adamw_fit_together(void **state)
{
    (void)state;
    mdf_kernels *k = level("avx512");
    const mdf_rule_shape *shape = &shapes[0];
    for (int r = 0; r < 2; r++) {
        const mdf_optimizer_rule *rule = r == 0 ? &mdf_rule_adamw : &mdf_rule_adamw_8bit;
        subject got = after_steps(k, rule, shape, 0);
        subject want = after_steps(k, rule, shape, 0);
        const mdf_rule_step step = step_number(1);
        const mdf_adamw_step a = {.beta1 = 0.9f,
                                  .beta2 = 0.99f,
                                  .eps = 1e-8f,
                                  .step_size = (float)(0.01 / (1 - 0.9)),
                                  .inv_sqrt_c2 = (float)(1 / sqrt(1 - 0.99)),
                                  .decay = (float)(0.01 * 0.1),
                                  .grad_scale = 0.7f};
        uniform(got.g, got.n, 0.01, 9);
        memcpy(want.g, got.g, (size_t)got.n * sizeof(float));
        rule->update(k, &got.t, &step, got.scratch);
        if (r == 0) {
            float *m = want.t.state;
            k->adamw(want.t.w, m, m + want.n, want.g, want.n, &a);
        } else {
            const int64_t blocks = (want.n + MDF_MOMENT_BLOCK - 1) / MDF_MOMENT_BLOCK;
            float *most = want.t.state;
            uint8_t *code = (uint8_t *)(most + 2 * blocks);
            const mdf_moments_8bit s = {code, code + want.n, most, most + blocks};
            k->adamw_8bit(want.t.w, &s, want.g, want.n, &a);
        }
        expect_same(&got, &want, "pieces");
        subject_free(&got);
        subject_free(&want);
    }
    mdf_kernels_free(k);
}

/* Written to a file, read back elsewhere: a state has no pointers, and there is nothing else. */
static void a_state_goes_on_at_another_place(void **state)
{
    (void)state;
    mdf_kernels *k = level("avx512");
    for (int r = 0; r < MDF_RULES; r++) {
        for (int i = 0; i < SHAPES; i++) {
            subject whole = after_steps(k, mdf_rules[r], &shapes[i], STEPS);
            subject parts = after_steps(k, mdf_rules[r], &shapes[i], STEPS - 1);
            const size_t bytes = parts.rule->state_bytes(&shapes[i]);
            void *moved = need(bytes);
            memcpy(moved, parts.t.state, bytes);
            memset(parts.t.state, 0xff, bytes);
            mdf_free(parts.t.state);
            memset(parts.scratch, 0xff, parts.rule->scratch_bytes(&shapes[i]));
            parts.t.state = moved;
            const mdf_rule_step step = step_number(STEPS);
            uniform(parts.g, parts.n, 0.01 * STEPS, STEPS + 1);
            parts.rule->update(k, &parts.t, &step, parts.scratch);
            expect_same(&whole, &parts, "place");
            subject_free(&whole);
            subject_free(&parts);
        }
    }
    mdf_kernels_free(k);
}

/* A power of two changes no digit. */
static void the_scale_is_the_gradients(void **state)
{
    (void)state;
    mdf_kernels *k = level("avx512");
    for (int r = 0; r < MDF_RULES; r++) {
        for (int i = 0; i < SHAPES; i++) {
            subject a = after_steps(k, mdf_rules[r], &shapes[i], 1);
            subject b = after_steps(k, mdf_rules[r], &shapes[i], 1);
            mdf_rule_step step = step_number(2);
            uniform(a.g, a.n, 0.1, 5);
            for (int64_t j = 0; j < a.n; j++) {
                b.g[j] = a.g[j] * 0.125f;
            }
            step.grad_scale = 0.125;
            a.rule->update(k, &a.t, &step, a.scratch);
            step.grad_scale = 1;
            b.rule->update(k, &b.t, &step, b.scratch);
            expect_same(&a, &b, "scale");
            subject_free(&a);
            subject_free(&b);
        }
    }
    mdf_kernels_free(k);
}

static void expect_bytes(const mdf_optimizer_rule *rule, mdf_rule_shape shape, size_t want)
{
    assert_int_equal(rule->state_bytes(&shape), want);
}

static void states_have_the_size_that_is_promised(void **state)
{
    (void)state;
    expect_bytes(&mdf_rule_adamw, (mdf_rule_shape){2, {30, 40}}, (size_t)8 * 1200);
    expect_bytes(&mdf_rule_adamw_8bit, (mdf_rule_shape){1, {4095}}, (size_t)8 * 4095);
    expect_bytes(&mdf_rule_adamw_8bit, (mdf_rule_shape){2, {64, 64}}, 2 * 4096 + 16 * 8);
    expect_bytes(&mdf_rule_adamw_8bit, (mdf_rule_shape){1, {4097}}, 2 * 4097 + 17 * 8);
    expect_bytes(&mdf_rule_adafactor, (mdf_rule_shape){2, {4096, 14336}}, 4 * (4096 + 14336));
    expect_bytes(&mdf_rule_adafactor, (mdf_rule_shape){4, {8, 4, 3, 3}}, (size_t)4 * 8 * 4 * 6);
    expect_bytes(&mdf_rule_adafactor, (mdf_rule_shape){1, {77}}, (size_t)4 * 77);
    expect_bytes(&mdf_rule_adalomo, (mdf_rule_shape){2, {4096, 14336}}, 4 * (4096 + 14336));
    expect_bytes(&mdf_rule_adalomo, (mdf_rule_shape){4, {8, 4, 3, 3}}, 4 * (8 + 36));
    expect_bytes(&mdf_rule_adalomo, (mdf_rule_shape){1, {77}}, (size_t)4 * 77);
    for (int r = 0; r < MDF_RULES; r++) {
        assert_ptr_equal(mdf_optimizer_rule_find(mdf_rules[r]->name), mdf_rules[r]);
    }
    assert_null(mdf_optimizer_rule_find("adam"));
}

/* What a bad number of g leaves of a step: the same as without it everywhere else. */
static void elementwise_rules_lose_one_number(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    static const mdf_rule_shape big = {1, {5000}};
    static const mdf_rule_shape small = {1, {100}};
    mdf_kernels *k = level("avx512");
    for (int r = 0; r < 3; r++) { /* adamw, 8 bits, 8 bits of a small tensor */
        const mdf_optimizer_rule *rule = r == 0 ? &mdf_rule_adamw : &mdf_rule_adamw_8bit;
        for (int j = 0; j < 3; j++) {
            subject clean = after_steps(k, rule, r == 2 ? &small : &big, 1);
            subject hit = after_steps(k, rule, r == 2 ? &small : &big, 1);
            const mdf_rule_step step = step_number(2);
            const float before = hit.t.w[50];
            uniform(clean.g, clean.n, 0.01, 3);
            clean.g[50] = 0;
            memcpy(hit.g, clean.g, (size_t)hit.n * sizeof(float));
            hit.g[50] = bad[j];
            rule->update(k, &clean.t, &step, clean.scratch);
            rule->update(k, &hit.t, &step, hit.scratch);
            if (r == 1) {
                assert_true(hit.t.w[50] == before);
            } else {
                assert_true(!isfinite(hit.t.w[50]));
            }
            hit.t.w[50] = clean.t.w[50];
            assert_memory_equal(hit.t.w, clean.t.w, (size_t)hit.n * sizeof(float));
            subject_free(&clean);
            subject_free(&hit);
        }
    }
    mdf_kernels_free(k);
}

static void factored_rules_pass_over_the_step(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY, 1e20f}; /* its square is no float */
    mdf_kernels *k = level("avx512");
    for (int r = 0; r < 2; r++) {
        const mdf_optimizer_rule *rule = r == 0 ? &mdf_rule_adafactor : &mdf_rule_adalomo;
        for (int i = 0; i < SHAPES; i++) {
            subject before = after_steps(k, rule, &shapes[i], 2);
            subject hit = after_steps(k, rule, &shapes[i], 2);
            const mdf_rule_step step = step_number(3);
            for (int j = 0; j < 4; j++) {
                uniform(hit.g, hit.n, 0.01, 3);
                hit.g[hit.n - 1 - j] = bad[j];
                rule->update(k, &hit.t, &step, hit.scratch);
                expect_same(&hit, &before, "a step that is none");
            }
            subject_free(&before);
            subject_free(&hit);
        }
    }
    mdf_kernels_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(bits_do_not_depend_on_a_region_around),
        cmocka_unit_test(pieces_of_factored_moments_fit_together),
        cmocka_unit_test(pieces_of_adamw_fit_together),
        cmocka_unit_test(a_state_goes_on_at_another_place),
        cmocka_unit_test(the_scale_is_the_gradients),
        cmocka_unit_test(states_have_the_size_that_is_promised),
        cmocka_unit_test(elementwise_rules_lose_one_number),
        cmocka_unit_test(factored_rules_pass_over_the_step),
    };
    return cmocka_run_group_tests_name("optim/rules", tests, NULL, NULL);
}
