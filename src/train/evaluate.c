/* Runs a model over samples without training: label scores, losses, mask overlap. */
#include "train/evaluate.h"

#include <math.h>

#include "base/alloc.h"

void mdf_scores_free(mdf_scores *s)
{
    mdf_free(s->score);
    *s = (mdf_scores){0};
}

/* Dice of one channel of one picture: 2 |A and B| / (|A| + |B|), 1 when both are empty. */
static double dice(const mdf_tensor *logits, const mdf_real *target, int64_t picture, int64_t c)
{
    const int64_t channels = logits->dim[3];
    const int64_t pixels = logits->dim[1] * logits->dim[2];
    double both = 0;
    double sum = 0;
    for (int64_t i = 0; i < pixels; i++) {
        const int64_t at = (picture * pixels + i) * channels + c;
        const bool answer = logits->data[at] > 0;
        const bool truth = target[at] > 0;
        both += answer && truth;
        sum += answer + truth;
    }
    return sum > 0 ? 2 * both / sum : 1;
}

static void add_dice(mdf_scores *out, const mdf_output *o, const mdf_batch *b,
                     const mdf_unet_config *u)
{
    for (int64_t i = 0; i < b->cases; i++) {
        for (int c = 0; c < u->mask_channels; c++) {
            if (b->mask_there[i * u->mask_channels + c] > 0) {
                mdf_mask_score_add(&out->masks.of[u->masks[c]], dice(o->mask_logits, b->mask, i, c),
                                   b->mask_weight != NULL);
            }
        }
    }
}

static mdf_status score_batch(mdf_scores *out, mdf_graph *g, const mdf_mllm *m,
                              const mdf_samples *s, mdf_batch_buffer *buffer, bool masks, size_t at,
                              mdf_error *err)
{
    size_t index[1024];
    size_t n = s->count - at < buffer->capacity ? s->count - at : buffer->capacity;
    n = n < 1024 ? n : 1024;
    for (size_t i = 0; i < n; i++) {
        index[i] = at + i;
    }
    MDF_TRY(
        mdf_batch_fill(buffer, &m->config, s, index, n, &(mdf_batch_options){.masks = masks}, err));
    buffer->batch.label = NULL;
    mdf_graph_reset(g);
    const mdf_output o = mdf_mllm_forward(g, m, &buffer->batch, buffer->batch.mask != NULL);
    MDF_TRY(mdf_graph_status(g, err));
    for (size_t i = 0; i < n * out->classes; i++) {
        out->score[at * out->classes + i] = (float)o.scores->data[i];
        if (!isfinite((double)o.scores->data[i])) {
            return mdf_fail(err, MDF_ERR_NUMERIC, "%s: a label score is not a number",
                            s->item[at + i / out->classes].info->file_name);
        }
    }
    if (o.mask_logits != NULL) {
        add_dice(out, &o, &buffer->batch, &m->config.unet);
    }
    return MDF_OK;
}

mdf_status mdf_score_samples(mdf_scores *out, mdf_graph *g, const mdf_mllm *m, const mdf_samples *s,
                             mdf_batch_buffer *buffer, bool masks, mdf_samples_progress *progress,
                             void *user, mdf_error *err)
{
    *out = (mdf_scores){.count = s->count, .classes = (size_t)m->config.answer.label_count};
    out->score = mdf_alloc(s->count * out->classes, sizeof *out->score);
    if (out->score == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the scores of %zu cases", s->count);
    }
    const size_t step = buffer->capacity < 1024 ? buffer->capacity : 1024;
    for (size_t at = 0; at < s->count; at += step) {
        mdf_status status = score_batch(out, g, m, s, buffer, masks, at, err);
        const size_t done = at + step < s->count ? at + step : s->count;
        if (status == MDF_OK && progress != NULL && !progress(user, done, s->count)) {
            status = mdf_fail(err, MDF_ERR_STOPPED, "stopped while scoring");
        }
        if (status != MDF_OK) {
            mdf_scores_free(out);
            return status;
        }
    }
    return MDF_OK;
}
