/* Statistics of fixed norms from pictures that a model has not seen. */
#include "train/norm_statistics.h"

#include <math.h>

#include "base/alloc.h"
#include "base/rng.h"

static bool is_statistic(const mdf_param *p)
{
    return p->group == MDF_GROUP_FIXED;
}

void mdf_norms_by_batch(mdf_mllm *m, double momentum)
{
    mdf_efficientnet_by_batch(&m->unet.net, momentum);
    m->head.wide.momentum = momentum;
}

/* sum += statistics of the model's norms. */
static void add_statistics(const mdf_params *p, double *sum)
{
    size_t at = 0;
    for (size_t i = 0; i < p->count; i++) {
        const mdf_tensor *t = &p->item[i]->tensor;
        for (int64_t j = 0; is_statistic(p->item[i]) && j < mdf_tensor_count(t); j++) {
            sum[at++] += (double)t->data[j];
        }
    }
}

static size_t count_statistics(const mdf_params *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++) {
        n += is_statistic(p->item[i]) ? (size_t)mdf_tensor_count(&p->item[i]->tensor) : 0;
    }
    return n;
}

static bool has_norms(const mdf_config *c)
{
    return c->train.use_image && c->train.use_unet && mdf_config_has_unet(c) &&
           c->unet.encoder == MDF_ENCODER_EFFICIENTNET_LITE0;
}

mdf_status mdf_norm_means_new(mdf_norm_means *n, mdf_mllm *m, mdf_error *err)
{
    *n = (mdf_norm_means){.count = count_statistics(&m->params)};
    if (!has_norms(&m->config)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "the model has no batch norms: its U-Net's encoder is not of "
                        "unet_config.encoder = \"efficientnet_lite0\"");
    }
    n->sum = mdf_alloc(n->count, sizeof *n->sum);
    n->own = mdf_alloc(n->count, sizeof *n->own);
    if (n->sum == NULL || n->own == NULL) {
        mdf_norm_means_free(n);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the norms");
    }
    add_statistics(&m->params, n->own);
    mdf_norms_by_batch(m, 1);
    return MDF_OK;
}

void mdf_norm_means_free(mdf_norm_means *n)
{
    mdf_free(n->sum);
    mdf_free(n->own);
    *n = (mdf_norm_means){0};
}

mdf_status mdf_norm_means_add(mdf_norm_means *n, const mdf_mllm *m, mdf_graph *g, mdf_real *image,
                              int64_t cases, int64_t side, mdf_error *err)
{
    mdf_graph_reset(g);
    mdf_tensor *x = mdf_constant(g, image, 4, (int64_t[]){cases, side, side, 3});
    const mdf_unet_features f = mdf_unet_encode(g, &m->unet, x, NULL);
    if (m->head.w != NULL) {
        (void)mdf_image_head_logits(g, &m->head, f.mid);
    }
    MDF_TRY(mdf_graph_status(g, err));
    add_statistics(&m->params, n->sum);
    n->batches++;
    return MDF_OK;
}

void mdf_norm_means_set(const mdf_norm_means *n, mdf_mllm *m, double weight)
{
    const mdf_params *p = &m->params;
    size_t at = 0;
    mdf_norms_by_batch(m, 0);
    for (size_t i = 0; i < p->count; i++) {
        const mdf_tensor *t = &p->item[i]->tensor;
        for (int64_t j = 0; is_statistic(p->item[i]) && j < mdf_tensor_count(t); j++) {
            const double mean = n->batches > 0 ? n->sum[at] / n->batches : 0;
            const double rest = weight < 1 ? (1 - weight) * n->own[at] : 0;
            t->data[j] = (mdf_real)((n->batches > 0 ? weight * mean : 0) + rest);
            at++;
        }
    }
}

double mdf_norm_means_shift(const mdf_norm_means *n, const mdf_mllm *m)
{
    const mdf_params *p = &m->params;
    double sum = 0;
    size_t channels = 0;
    size_t at = 0;
    for (size_t i = 0; i < p->count && n->batches > 0; i++) {
        if (!is_statistic(p->item[i])) {
            continue;
        }
        /* a norm's means and, declared next, its variances */
        const size_t count = (size_t)mdf_tensor_count(&p->item[i]->tensor);
        for (size_t j = 0; j < count; j++) {
            const double d = n->sum[at + j] / n->batches - n->own[at + j];
            sum += d * d / (n->own[at + count + j] + 1e-12);
        }
        channels += count;
        at += 2 * count;
        i++;
    }
    return channels == 0 ? 0 : sqrt(sum / (double)channels);
}

/* One batch of cases drawn at random, augmented. */
static mdf_status draw_batch(const mdf_mllm *m, mdf_batch_buffer *b, const mdf_samples *s,
                             size_t *index, int number, mdf_error *err)
{
    const uint64_t seed = mdf_rng_mix((uint64_t)m->config.train.seed, 2000000 + (uint64_t)number);
    mdf_rng r = mdf_rng_new(seed, 4);
    for (size_t i = 0; i < b->capacity; i++) {
        index[i] = mdf_rng_below(&r, (uint32_t)s->count);
    }
    return mdf_batch_fill(b, &m->config, s, index, b->capacity,
                          &(mdf_batch_options){.augment = true, .seed = seed}, err);
}

mdf_status mdf_norm_statistics(mdf_mllm *m, mdf_graph *g, mdf_batch_buffer *b, const mdf_samples *s,
                               const volatile sig_atomic_t *stop, mdf_error *err)
{
    const int batches = m->config.train.norm_batches;
    mdf_norm_means n;
    if (batches == 0 || s->count == 0 || !has_norms(&m->config)) {
        return MDF_OK;
    }
    size_t *index = mdf_alloc(b->capacity, sizeof *index);
    if (index == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the norms");
    }
    mdf_status status = mdf_norm_means_new(&n, m, err);
    for (int i = 0; status == MDF_OK && i < batches; i++) {
        status = draw_batch(m, b, s, index, i, err);
        if (status == MDF_OK) {
            status = mdf_norm_means_add(&n, m, g, b->batch.unet_image, b->batch.cases,
                                        b->batch.unet_side, err);
        }
        if (status == MDF_OK && stop != NULL && *stop != 0) {
            status = mdf_fail(err, MDF_ERR_STOPPED, "stopped before the first step");
        }
    }
    mdf_norm_means_set(&n, m, status == MDF_OK ? 1 : 0);
    mdf_norm_means_free(&n);
    mdf_free(index);
    return status;
}
