/* Steps of every rule against PyTorch, bitsandbytes and a paper's formula: tests/golden/optimizers/
 * README.md has the keys and the reasons for tolerances. */
#include "rule_test.h"

#include "io/safetensors.h"
#include "kernel/moment_code.h"
#include "kernel/ref/ref.h"

/* Of the largest number of a tensor. PyTorch's own float32 is 2.2e-7 from float64 there; ours adds
 * in another order and rounds constants, for which ten times as much is room. */
static const double tolerance = 2e-6;

static const char *const levels[] = {"ref", "avx2", "avx512"};
enum { LEVELS = 3 };

static void golden_open(mdf_safetensors *file, const char *rule)
{
    char path[512];
    mdf_error err = {0};
    (void)snprintf(path, sizeof path, MDF_TEST_DATA "/golden/optimizers/%s.safetensors", rule);
    if (mdf_safetensors_open(file, path, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
}

static const mdf_st_tensor *golden_find(const mdf_safetensors *file, const char *name,
                                        const char *key)
{
    char text[128];
    (void)snprintf(text, sizeof text, "%s.%s", name, key);
    return mdf_safetensors_find(file, text);
}

/* The numbers of a tensor that must be there. */
static int64_t golden_floats(const mdf_safetensors *file, const char *name, const char *key,
                             float *out)
{
    mdf_error err = {0};
    const mdf_st_tensor *t = golden_find(file, name, key);
    if (t == NULL) {
        fail_msg("%s.%s is missing", name, key);
        return 0;
    }
    assert_int_equal(mdf_safetensors_floats(file, t, out, &err), MDF_OK);
    return (int64_t)t->count;
}

static void expect_near(const float *got, const float *want, int64_t n, const char *what)
{
    double largest = 0;
    for (int64_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)want[i]));
    }
    for (int64_t i = 0; i < n; i++) {
        if (!(fabs((double)got[i] - (double)want[i]) <= tolerance * largest)) {
            fail_msg("%s: number %lld is %.9g, want %.9g", what, (long long)i, (double)got[i],
                     (double)want[i]);
        }
    }
}

/* What is in a state: names of the golden's keys, in order; those that it lacks are not there. */
static void expect_state(const mdf_safetensors *file, const char *name, const subject *s,
                         const char *const *keys)
{
    float *want = need((size_t)s->n * sizeof(float));
    const float *at = s->t.state;
    for (int i = 0; keys[i] != NULL; i++) {
        if (golden_find(file, name, keys[i]) != NULL) {
            char what[160];
            const int64_t n = golden_floats(file, name, keys[i], want);
            (void)snprintf(what, sizeof what, "%s %s.%s", s->rule->name, name, keys[i]);
            expect_near(at, want, n, what);
            at += n;
        }
    }
    assert_int_equal((const uint8_t *)at - (const uint8_t *)s->t.state,
                     s->rule->state_bytes(&s->t.shape));
    mdf_free(want);
}

enum { STEPS = 10 };

static void check_case(const mdf_kernels *k, const mdf_safetensors *file,
                       const mdf_optimizer_rule *rule, const char *name, const char *const *keys)
{
    float lr[STEPS];
    float decay = 0;
    const mdf_st_tensor *w0 = golden_find(file, name, "w0");
    assert_non_null(w0);
    mdf_rule_shape shape = {.rank = w0->rank};
    memcpy(shape.dim, w0->dim, sizeof shape.dim);
    subject s = subject_new(rule, &shape);
    float *want = need((size_t)s.n * sizeof(float));
    (void)golden_floats(file, name, "w0", s.t.w);
    (void)golden_floats(file, name, "decay", &decay);
    assert_int_equal(golden_floats(file, name, "lr", lr), STEPS);
    for (int i = 1; i <= STEPS; i++) {
        char key[16];
        char what[160];
        (void)snprintf(key, sizeof key, "g%d", i);
        (void)golden_floats(file, name, key, s.g);
        const mdf_rule_step step = {.step = i,
                                    .lr = (double)lr[i - 1],
                                    .weight_decay = (double)decay,
                                    .grad_scale = 1,
                                    .beta1 = 0.875,
                                    .beta2 = 0.96875,
                                    .eps = 0x1p-20};
        rule->update(k, &s.t, &step, s.scratch);
        (void)snprintf(key, sizeof key, "w%d", i);
        (void)golden_floats(file, name, key, want);
        (void)snprintf(what, sizeof what, "%s %s.%s, %s", rule->name, name, key, k->isa);
        expect_near(s.t.w, want, s.n, what);
    }
    expect_state(file, name, &s, keys);
    mdf_free(want);
    subject_free(&s);
}

static void check_rule(const mdf_optimizer_rule *rule, const char *const *keys)
{
    static const char *const cases[] = {"vector", "gate", "matrix", "row", "conv", "tiny"};
    mdf_safetensors file;
    golden_open(&file, rule->name);
    for (int l = 0; l < LEVELS; l++) {
        mdf_kernels *k = level(levels[l]);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            char name[32];
            (void)snprintf(name, sizeof name, "%s_plain", cases[i]);
            check_case(k, &file, rule, name, keys);
            (void)snprintf(name, sizeof name, "%s_decay", cases[i]);
            check_case(k, &file, rule, name, keys);
        }
        mdf_kernels_free(k);
    }
    mdf_safetensors_close(&file);
}

static void ten_steps_of_adamw_are_those_of_pytorch(void **state)
{
    (void)state;
    check_rule(&mdf_rule_adamw, (const char *const[]){"m", "v", NULL});
}

static void ten_steps_of_adafactor_are_those_of_pytorch(void **state)
{
    (void)state;
    check_rule(&mdf_rule_adafactor, (const char *const[]){"row", "col", "v", NULL});
}

static void ten_steps_of_adalomo_are_those_of_the_formula(void **state)
{
    (void)state;
    check_rule(&mdf_rule_adalomo, (const char *const[]){"row", "col", "v", NULL});
}

/* bitsandbytes makes its tables in float32, ours are right to 1.2e-7: together three last places.
 */
static void codes_are_those_of_bitsandbytes(void **state)
{
    (void)state;
    mdf_safetensors file;
    golden_open(&file, "adamw_8bit");
    for (int s = 0; s < 2; s++) {
        float want[256];
        float got[256];
        assert_int_equal(golden_floats(&file, "codes", s == 1 ? "signed" : "unsigned", want), 256);
        mdf_moment_codes(got, s == 1);
        for (int c = 0; c < 256; c++) {
            assert_true(fabs((double)got[c] - (double)want[c]) <= 3.6e-7 * fabs((double)want[c]));
        }
    }
    mdf_safetensors_close(&file);
}

/* Codes of one kind after a step, which become those of the golden. A number in the middle between
 * two codes, to a float's rounding, may get either: of the 8,392 of a step one, by chance. */
static void take_codes(const mdf_safetensors *file, const char *key, int step, uint8_t *code,
                       int64_t n)
{
    char text[32];
    int different = 0;
    (void)snprintf(text, sizeof text, "%s.%d", key, step);
    const mdf_st_tensor *want = golden_find(file, "blocks", text);
    assert_true(want != NULL && want->dtype == MDF_DTYPE_U8 && (int64_t)want->count == n);
    for (int64_t i = 0; i < n; i++) {
        different += code[i] != want->data[i];
        assert_true(abs((int)code[i] - (int)want->data[i]) <= 1);
    }
    assert_true(different <= 4);
    memcpy(code, want->data, (size_t)n);
}

static void check_magnitudes(const mdf_safetensors *file, const char *key, int step,
                             const float *got, int64_t blocks)
{
    char text[32];
    float want[32];
    (void)snprintf(text, sizeof text, "%s.%d", key, step);
    assert_int_equal(golden_floats(file, "blocks", text, want), blocks);
    for (int64_t b = 0; b < blocks; b++) { /* a few roundings of one number */
        assert_true(fabs((double)got[b] - (double)want[b]) <= 5e-7 * (double)want[b]);
    }
}

static void steps_of_8_bit_moments_are_those_of_bitsandbytes(void **state)
{
    (void)state;
    mdf_safetensors file;
    golden_open(&file, "adamw_8bit");
    const mdf_st_tensor *w0 = golden_find(&file, "blocks", "w0");
    const mdf_rule_shape shape = {.rank = 1, .dim = {w0->dim[0]}};
    for (int l = 0; l < LEVELS; l++) {
        mdf_kernels *k = level(levels[l]);
        subject s = subject_new(&mdf_rule_adamw_8bit, &shape);
        float *want = need((size_t)s.n * sizeof(float));
        float lr[3];
        float decay = 0;
        const int64_t blocks = (s.n + MDF_MOMENT_BLOCK - 1) / MDF_MOMENT_BLOCK;
        float *most = s.t.state;
        uint8_t *code = (uint8_t *)(most + 2 * blocks);
        (void)golden_floats(&file, "blocks", "w0", s.t.w);
        (void)golden_floats(&file, "blocks", "decay", &decay);
        assert_int_equal(golden_floats(&file, "blocks", "lr", lr), 3);
        for (int i = 1; i <= 3; i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "g%d", i);
            (void)golden_floats(&file, "blocks", key, s.g);
            const mdf_rule_step step = {.step = i,
                                        .lr = (double)lr[i - 1],
                                        .weight_decay = (double)decay,
                                        .grad_scale = 1,
                                        .beta1 = 0.875,
                                        .beta2 = 0.96875,
                                        .eps = 0x1p-20};
            s.rule->update(k, &s.t, &step, s.scratch);
            check_magnitudes(&file, "absmax1", i, most, blocks);
            check_magnitudes(&file, "absmax2", i, most + blocks, blocks);
            take_codes(&file, "state1", i, code, s.n);
            take_codes(&file, "state2", i, code + s.n, s.n);
            (void)snprintf(key, sizeof key, "w%d", i);
            if (golden_find(&file, "blocks", key) != NULL) {
                (void)golden_floats(&file, "blocks", key, want);
                expect_near(s.t.w, want, s.n, key);
            }
        }
        mdf_free(want);
        subject_free(&s);
        mdf_kernels_free(k);
    }
    mdf_safetensors_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_steps_of_adamw_are_those_of_pytorch),
        cmocka_unit_test(ten_steps_of_adafactor_are_those_of_pytorch),
        cmocka_unit_test(ten_steps_of_adalomo_are_those_of_the_formula),
        cmocka_unit_test(codes_are_those_of_bitsandbytes),
        cmocka_unit_test(steps_of_8_bit_moments_are_those_of_bitsandbytes),
    };
    return cmocka_run_group_tests_name("optim/rules_golden", tests, NULL, NULL);
}
