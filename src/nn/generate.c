/* Text token by token behind a decoder's prompt. */
#include "nn/generate.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

static int32_t likeliest(const mdf_real *logits, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    return (int32_t)best;
}

/* Largest logit first, of equal ones the smallest token. */
static int by_logit(const void *a, const void *b)
{
    const mdf_candidate *x = a;
    const mdf_candidate *y = b;
    if (x->logit < y->logit || x->logit > y->logit) {
        return x->logit < y->logit ? 1 : -1;
    }
    return x->token < y->token ? -1 : x->token > y->token;
}

int32_t mdf_sample_token(const mdf_real *logits, int64_t n, const mdf_sampling *s, mdf_rng *rng,
                         mdf_candidate *scratch)
{
    if (s->temperature <= 0) {
        return likeliest(logits, n);
    }
    for (int64_t i = 0; i < n; i++) {
        scratch[i] = (mdf_candidate){(double)logits[i] / s->temperature, (int32_t)i};
    }
    qsort(scratch, (size_t)n, sizeof *scratch, by_logit);
    int64_t kept = s->top_k > 0 && s->top_k < n ? s->top_k : n;
    double sum = 0;
    for (int64_t i = 0; i < kept; i++) {
        sum += exp(scratch[i].logit - scratch[0].logit);
    }
    double before = 0; /* of the tokens that are likelier */
    for (int64_t i = 0; i < kept; i++) {
        if (i > 0 && before >= s->top_p * sum) {
            kept = i;
            break;
        }
        before += exp(scratch[i].logit - scratch[0].logit);
    }
    double left = mdf_rng_uniform(rng) * before;
    for (int64_t i = 0; i + 1 < kept; i++) {
        left -= exp(scratch[i].logit - scratch[0].logit);
        if (left < 0) {
            return scratch[i].token;
        }
    }
    return scratch[kept - 1].token;
}

static bool ends(const mdf_text_config *t, const mdf_generate_options *opt, int32_t token)
{
    const int *eos = opt->eos != NULL ? opt->eos : t->eos_token_id;
    const int count = opt->eos != NULL ? opt->eos_count : t->eos_count;
    for (int i = 0; i < count; i++) {
        if (eos[i] == token) {
            return true;
        }
    }
    return false;
}

static mdf_status check(const mdf_decoder *d, const mdf_sampling *s, mdf_error *err)
{
    if (!(s->temperature >= 0) || !(s->top_p > 0 && s->top_p <= 1) || s->top_k < 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "sampling: temperature = %g must be at least 0, top_p = %g above 0 and at "
                        "most 1, top_k = %lld at least 0",
                        s->temperature, s->top_p, (long long)s->top_k);
    }
    if (mdf_decoder_used(d) == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "nothing has been read: generation needs a prompt");
    }
    return MDF_OK;
}

static mdf_status run(mdf_decoder *d, const mdf_generate_options *opt, int32_t *token,
                      mdf_candidate *scratch, mdf_generated *out, mdf_error *err)
{
    const mdf_config *c = &mdf_decoder_model(d)->config;
    const int64_t vocabulary = mdf_decoder_vocabulary(d);
    mdf_rng rng = mdf_rng_new(opt->sampling.seed, 3);
    while (out->count < opt->max_tokens) {
        const mdf_real *logits = mdf_decoder_logits(d);
        if (!isfinite((double)logits[likeliest(logits, vocabulary)])) {
            return mdf_fail(err, MDF_ERR_NUMERIC, "the logits of a token are not numbers");
        }
        const int32_t next = mdf_sample_token(logits, vocabulary, &opt->sampling, &rng, scratch);
        token[out->count++] = next;
        if (opt->on_token != NULL && !opt->on_token(opt->user, next)) {
            out->end = MDF_END_CALLBACK;
            return MDF_OK;
        }
        if (ends(&c->text, opt, next)) {
            out->end = MDF_END_EOS;
            return MDF_OK;
        }
        if (mdf_decoder_used(d) == mdf_decoder_capacity(d)) {
            return MDF_OK;
        }
        if (out->count < opt->max_tokens) {
            MDF_TRY(mdf_decoder_next(d, next, err));
        }
    }
    return MDF_OK;
}

mdf_status mdf_generate(mdf_decoder *d, const mdf_generate_options *opt, int32_t *token,
                        mdf_generated *out, mdf_error *err)
{
    *out = (mdf_generated){.end = MDF_END_LENGTH};
    MDF_TRY(check(d, &opt->sampling, err));
    mdf_candidate *scratch = NULL;
    if (opt->sampling.temperature > 0) {
        scratch = mdf_alloc((size_t)mdf_decoder_vocabulary(d), sizeof *scratch);
        if (scratch == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for sampling");
        }
    }
    const mdf_status status = run(d, opt, token, scratch, out, err);
    mdf_free(scratch);
    return status;
}
