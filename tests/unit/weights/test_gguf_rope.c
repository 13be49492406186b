/* rope_freqs.weight of every shape of model: whatever divisors Llama 3's rule gives, the settings
 * that are found give them again; what does not follow the rule is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "weights/gguf_config.h"

enum { MOST = 64 }; /* half of the largest head */

#define TWO_PI 6.283185307179586

typedef struct rule {
    double theta, factor, low, high, original;
    int head;
} rule;

/* As transformers' _compute_llama3_parameters() has it, as what the frequency is divided by. */
static double divisor(const rule *r, int i)
{
    const double wave = TWO_PI * pow(r->theta, 2.0 * i / r->head);
    const double smooth = (r->original / wave - r->low) / (r->high - r->low);
    if (wave > r->original / r->low) {
        return r->factor;
    }
    return wave < r->original / r->high ? 1 : 1 / ((1 - smooth) / r->factor + smooth);
}

static mdf_status find(mdf_text_config *c, const rule *r, float *d, mdf_error *err)
{
    mdf_gguf_tensor t = {.name = "rope_freqs.weight",
                         .dtype = MDF_DTYPE_F32,
                         .rank = 1,
                         .dim = {r->head / 2},
                         .count = (size_t)r->head / 2,
                         .data = (const uint8_t *)d,
                         .bytes = (size_t)r->head / 2 * sizeof *d};
    mdf_gguf file = {.tensor = &t, .count = 1, .path = "w.gguf"};
    const mdf_gguf_files files = {&file, 1};
    *c = (mdf_text_config){
        .hidden_size = r->head * 4, .num_attention_heads = 4, .rope_theta = r->theta};
    return mdf_gguf_rope_scaling(c, &files, false, err);
}

/* Returns how many of the divisors lie between 1 and the factor. */
static int check(const rule *r, bool published)
{
    float d[MOST];
    int between = 0;
    mdf_text_config c;
    mdf_error err = {0};
    for (int i = 0; i < r->head / 2; i++) {
        d[i] = (float)divisor(r, i);
        between += d[i] > 1 && d[i] < (float)r->factor;
    }
    if (find(&c, r, d, &err) != MDF_OK) {
        fail_msg("head %d theta %g factor %g low %g high %g original %g: %s", r->head, r->theta,
                 r->factor, r->low, r->high, r->original, err.text);
    }
    const mdf_rope_scaling *s = &c.rope_scaling;
    const rule found = {r->theta,
                        s->enabled ? s->factor : 1,
                        s->low_freq_factor,
                        s->high_freq_factor,
                        s->original_max_position_embeddings,
                        r->head};
    for (int i = 0; i < r->head / 2; i++) {
        const double got = divisor(&found, i);
        /* the reader's own bound; the file's floats are good to 6e-8 */
        if (!(fabs(got - (double)d[i]) <= 1e-4 * (double)d[i])) {
            fail_msg("head %d theta %g factor %g low %g high %g original %g: %d: %.9g, not %.9g",
                     r->head, r->theta, r->factor, r->low, r->high, r->original, i, got,
                     (double)d[i]);
        }
    }
    if (published && s->enabled && between > 0 && d[r->head / 2 - 1] == (float)r->factor) {
        assert_true(fabs(s->factor - r->factor) <= 1e-7 * r->factor && s->low_freq_factor == 1 &&
                    s->high_freq_factor == 4);
        assert_true(s->original_max_position_embeddings == r->original);
    }
    return between;
}

static void settings_give_the_divisors_again(void **state)
{
    (void)state;
    static const int head[] = {4, 6, 8, 12, 16, 32, 48, 64, 80, 96, 128};
    static const double theta[] = {1e3, 1e4, 130000, 5e5, 1e6};
    static const double factor[] = {1.5, 2, 8.0 / 3, 4, 8, 16, 32};
    static const double original[] = {64, 256, 1000, 2048, 4096, 8192, 131072};
    static const double bounds[][2] = {{1, 4}, {1, 2}, {2, 8}, {0.5, 32}};
    int seen[4] = {0}; /* cases with 0, 1, 2 and more divisors between */
    for (size_t i = 0; i < 11 * 5 * 7 * 7 * 4; i++) {
        const size_t b = i % 4;
        const rule r = {theta[i / 4 % 5], factor[i / 20 % 7],    bounds[b][0],
                        bounds[b][1],     original[i / 140 % 7], head[i / 980]};
        const int between = check(&r, b == 0);
        seen[between < 3 ? between : 3]++;
    }
    for (int i = 0; i < 4; i++) {
        assert_true(seen[i] > 100);
    }
}

static void what_does_not_follow_the_rule_is_refused(void **state)
{
    (void)state;
    static const struct {
        float d[6];
    } wrong[] = {
        {{1, 1, 1, 8, 1, 8}},       /* back again */
        {{1, 1, 3, 2, 8, 8}},       /* falling */
        {{1, 1, 4, 4.1F, 4.2F, 8}}, /* no straight line */
        {{1, 1, 0.5F, 8, 8, 8}},    /* below 1 */
        {{8, 8, 8, 2, 1, 1}},       /* turned round */
        {{1, 1, NAN, 8, 8, 8}},     {{1, 1, INFINITY, 8, 8, 8}}, {{0, 0, 0, 0, 0, 0}},
    };
    const rule r = {.theta = 1e4, .head = 12};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        float d[6];
        mdf_text_config c;
        mdf_error err = {0};
        memcpy(d, wrong[i].d, sizeof d);
        assert_int_equal(find(&c, &r, d, &err), MDF_ERR_FORMAT);
        assert_string_equal(err.text,
                            "w.gguf: tensor \"rope_freqs.weight\" does not follow Llama 3's rule");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_give_the_divisors_again),
        cmocka_unit_test(what_does_not_follow_the_rule_is_refused),
    };
    return cmocka_run_group_tests_name("weights/gguf_rope", tests, NULL, NULL);
}
