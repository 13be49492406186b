/* What another form of a model changes in its answers to given cases. */
#include "engine/case_change.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/session.h"

void mdf_case_numbers_free(mdf_case_numbers *n)
{
    mdf_free(n->logit);
    mdf_free(n->score);
    *n = (mdf_case_numbers){0};
}

static mdf_status copy_finite(float *out, const mdf_real *x, size_t n, const char *what,
                              mdf_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite((double)x[i])) {
            return mdf_fail(err, MDF_ERR_NUMERIC, "a %s is not a number", what);
        }
        out[i] = (float)x[i];
    }
    return MDF_OK;
}

static mdf_status read_case(mdf_case_numbers *out, mdf_session *s, const mdf_manifest_case *c,
                            size_t at, mdf_error *err)
{
    const bool picture = mdf_config_has_vision(&s->engine->model->config);
    uint8_t *bytes = NULL;
    mdf_question q = {.name = c->file_name, .text = c->text, .max_tokens = 1};
    mdf_session_prompt prompt;
    if (picture) {
        MDF_TRY(mdf_file_read(c->path, MDF_MAX_IMAGE_BYTES, &bytes, &q.image_bytes, err));
        q.image = bytes;
    }
    mdf_status status = mdf_session_read(s, &q, &prompt, err);
    mdf_free(bytes);
    MDF_TRY(status);
    MDF_TRY(copy_finite(out->logit + at * out->vocabulary, mdf_decoder_logits(s->decoder),
                        out->vocabulary, "logit", err));
    if (out->labels == 0) {
        return MDF_OK;
    }
    mdf_real score[MDF_MAX_LABELS];
    MDF_TRY(mdf_decoder_score(s->decoder, &s->buffer.tree, score, err));
    return copy_finite(out->score + at * out->labels, score, out->labels, "label score", err);
}

static mdf_status read_cases(mdf_case_numbers *out, mdf_session *s, const mdf_case_run *run,
                             mdf_error *err)
{
    const mdf_config *c = &s->engine->model->config;
    const size_t all = run->manifest->case_count;
    out->cases = run->limit > 0 && run->limit < all ? run->limit : all;
    out->vocabulary = (size_t)c->text.vocab_size;
    out->labels = s->tree == NULL ? 0 : (size_t)c->answer.label_count;
    out->temperature = c->answer.temperature;
    out->logit = mdf_alloc(out->cases * out->vocabulary, sizeof *out->logit);
    out->score = mdf_alloc(out->cases * out->labels, sizeof *out->score);
    if (out->logit == NULL || out->score == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the logits of %zu cases",
                        out->cases);
    }
    for (size_t i = 0; i < out->cases; i++) {
        const mdf_manifest_case *one = &run->manifest->cases[i * all / out->cases];
        const mdf_status status = read_case(out, s, one, i, err);
        if (status != MDF_OK) {
            return mdf_fail_prefix(err, status, one->file_name);
        }
        if (run->progress != NULL && !run->progress(run->user, i + 1, out->cases)) {
            return mdf_fail(err, MDF_ERR_STOPPED, "stopped after %zu of %zu cases", i + 1,
                            out->cases);
        }
    }
    return MDF_OK;
}

mdf_status mdf_case_numbers_get(mdf_case_numbers *out, const mdf_case_run *run, mdf_error *err)
{
    mdf_engine *engine = NULL;
    mdf_session *session = NULL;
    const mdf_engine_options opt = {
        .model_dir = run->model_dir,
        .threads = run->threads,
        .labels_optional = true,
        .kv_type = MDF_KV_F32}; /* what the weights change, not what rounding keys does */
    *out = (mdf_case_numbers){0};
    mdf_status status = mdf_engine_open(&engine, &opt, err);
    if (status == MDF_OK) {
        status = mdf_session_new(&session, engine, err);
    }
    if (status == MDF_OK) {
        status = read_cases(out, session, run, err);
    }
    mdf_session_free(session);
    mdf_engine_close(engine);
    if (status != MDF_OK) {
        mdf_case_numbers_free(out);
    }
    return status;
}

/* Log of the sum of exp(x / t), and where the largest is. */
static double log_sum(const float *x, size_t n, double t, size_t *best)
{
    *best = 0;
    for (size_t i = 1; i < n; i++) {
        *best = x[i] > x[*best] ? i : *best;
    }
    const double most = (double)x[*best] / t;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += exp((double)x[i] / t - most);
    }
    return most + log(sum);
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* Adds one row's sums; the roots and means are taken at the end. */
static void add_row(mdf_change *c, const float *x, const float *y, size_t n, double t)
{
    size_t best_x = 0;
    size_t best_y = 0;
    const double sum_x = log_sum(x, n, t, &best_x);
    const double sum_y = log_sum(y, n, t, &best_y);
    double mean = 0;
    for (size_t i = 0; i < n; i++) {
        mean += (double)x[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        const double d = (double)y[i] - (double)x[i];
        const double log_p = (double)x[i] / t - sum_x;
        const double log_q = (double)y[i] / t - sum_y;
        const double p = exp(log_p);
        const double change = exp(log_q) - p;
        c->max = larger(c->max, fabs(d));
        c->rms += d * d;
        c->deviation += ((double)x[i] - mean) * ((double)x[i] - mean);
        c->prob_max = larger(c->prob_max, fabs(change));
        c->prob_rms += change * change;
        c->kl += p * (log_p - log_q);
    }
    c->changed += best_x != best_y;
}

static mdf_change change_of(const float *x, const float *y, size_t rows, size_t n, double t)
{
    mdf_change c = {0};
    for (size_t i = 0; n > 0 && i < rows; i++) {
        add_row(&c, x + i * n, y + i * n, n, t);
    }
    const double count = rows > 0 && n > 0 ? (double)rows * (double)n : 1;
    c.rms = sqrt(c.rms / count);
    c.deviation = sqrt(c.deviation / count);
    c.prob_rms = sqrt(c.prob_rms / count);
    c.kl = rows > 0 ? larger(c.kl / (double)rows, 0) : 0; /* below 0 by rounding only */
    return c;
}

mdf_status mdf_case_change_of(mdf_case_change *out, const mdf_case_numbers *before,
                              const mdf_case_numbers *after, mdf_error *err)
{
    if (before->cases != after->cases || before->vocabulary != after->vocabulary ||
        before->labels != after->labels) {
        return mdf_fail(err, MDF_ERR_SHAPE,
                        "%zu cases, %zu tokens and %zu labels can't be compared with %zu, %zu and "
                        "%zu",
                        before->cases, before->vocabulary, before->labels, after->cases,
                        after->vocabulary, after->labels);
    }
    *out = (mdf_case_change){
        .cases = before->cases,
        .labels = before->labels,
        .token = change_of(before->logit, after->logit, before->cases, before->vocabulary, 1),
        .label = change_of(before->score, after->score, before->cases, before->labels,
                           before->temperature)};
    return MDF_OK;
}
