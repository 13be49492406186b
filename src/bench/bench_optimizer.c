/* One update of a matrix that no cache holds, by every rule and out of the formats that weights are
 * kept in. */
#include "base/alloc.h"
#include "base/clock.h"
#include "bench/bench_parts.h"
#include "optim/weight_store.h"

enum { ROWS = 4096, COLS = 4096 };

static const mdf_rule_shape matrix = {2, {ROWS, COLS}};

/* Everything that an update works on. */
typedef struct place {
    float *g;
    void *weights, *beside, *state, *scratch;
} place;

static void place_free(place *p)
{
    mdf_free(p->g);
    mdf_free(p->weights);
    mdf_free(p->beside);
    mdf_free(p->state);
    mdf_free(p->scratch);
}

static mdf_status place_new(place *p, const mdf_optimizer_rule *rule, mdf_weight_format f,
                            mdf_error *err)
{
    const size_t n = (size_t)mdf_rule_count(&matrix);
    *p = (place){.g = mdf_alloc(n, sizeof *p->g),
                 .weights = mdf_alloc(n, mdf_weight_bytes(f)),
                 .beside = mdf_alloc(n, mdf_weight_bytes_beside(f)),
                 .state = mdf_alloc(rule->state_bytes(&matrix), 1),
                 .scratch = mdf_alloc(mdf_weight_store_scratch_bytes(f, rule, &matrix), 1)};
    if (p->g == NULL || p->weights == NULL || p->beside == NULL || p->state == NULL ||
        p->scratch == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the benchmark");
    }
    rule->init(p->state, &matrix);
    for (size_t i = 0; i < n; i++) {
        p->g[i] = 2e-6f * (float)((int)(((uint32_t)i * 2654435761U) >> 22) - 512);
    }
    return MDF_OK;
}

/* Seconds of one update, the median of some. */
static double time_update(const mdf_bench *b, const place *p, const mdf_optimizer_rule *rule,
                          mdf_weight_format f, double *seconds)
{
    const mdf_weight_store store = {f, p->weights, p->beside};
    const mdf_rule_tensor t = {.shape = matrix, .g = p->g, .state = p->state};
    mdf_rule_step step = {.lr = 1e-3,
                          .weight_decay = 0.01,
                          .grad_scale = 1,
                          .beta1 = 0.9,
                          .beta2 = 0.999,
                          .eps = 1e-8};
    for (int i = 0; i <= b->opt->repeat; i++) { /* the first warms up */
        const double start = mdf_clock_seconds();
        step.step = i + 1;
        mdf_weight_store_update(b->kernels, &store, rule, &t, &step, (uint64_t)i, p->scratch);
        seconds[i > 0 ? i - 1 : 0] = mdf_clock_seconds() - start;
    }
    return mdf_bench_median(seconds, b->opt->repeat);
}

/* GB/s are of what must be read and written once: weights and state both ways, the gradient in. */
static mdf_status measure(const mdf_bench *b, const mdf_optimizer_rule *rule, mdf_weight_format f,
                          mdf_error *err)
{
    place p = {0};
    double *seconds = mdf_alloc((size_t)b->opt->repeat, sizeof *seconds);
    mdf_status status = seconds == NULL
                            ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the benchmark")
                            : place_new(&p, rule, f, err);
    if (status == MDF_OK) {
        const double n = (double)mdf_rule_count(&matrix);
        const double bytes =
            n * (double)(2 * mdf_weight_bytes(f) + 2 * mdf_weight_bytes_beside(f) + sizeof(float)) +
            2 * (double)rule->state_bytes(&matrix);
        const double each = time_update(b, &p, rule, f, seconds);
        mdf_bench_row *row = mdf_bench_add(b, rule->name, 0, each, "%d x %d %s, %.2f ns each", ROWS,
                                           COLS, mdf_weight_format_name(f), each / n * 1e9);
        mdf_bench_set_reading(row, bytes, bytes / (b->report->memory[1] * 1e9));
    }
    place_free(&p);
    mdf_free(seconds);
    return status;
}

mdf_status mdf_bench_optimizer(mdf_bench *b, mdf_error *err)
{
    static const struct {
        const mdf_optimizer_rule *rule;
        mdf_weight_format format;
    } kept[] = {{&mdf_rule_adamw, MDF_WEIGHTS_BF16_SPLIT},
                {&mdf_rule_adamw_8bit, MDF_WEIGHTS_BF16_STOCHASTIC},
                {&mdf_rule_adalomo, MDF_WEIGHTS_BF16_STOCHASTIC}};
    for (int i = 0; i < MDF_RULES; i++) {
        MDF_TRY(mdf_bench_next(b, "an optimiser", err));
        MDF_TRY(measure(b, mdf_rules[i], MDF_WEIGHTS_F32, err));
    }
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        MDF_TRY(mdf_bench_next(b, "an optimiser of bfloat16", err));
        MDF_TRY(measure(b, kept[i].rule, kept[i].format, err));
    }
    return MDF_OK;
}
