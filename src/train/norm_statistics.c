/* Statistics of fixed norms from the pictures that a model will be trained on. */
#include "train/norm_statistics.h"

#include "base/alloc.h"
#include "base/rng.h"

/* sum += factor * statistics of the model's norms, in the order of its parameters. */
static void add_statistics(const mdf_params *p, double *sum)
{
    size_t at = 0;
    for (size_t i = 0; i < p->count; i++) {
        const mdf_tensor *t = &p->item[i]->tensor;
        for (int64_t j = 0; p->item[i]->group == MDF_GROUP_FIXED && j < mdf_tensor_count(t); j++) {
            sum[at++] += (double)t->data[j];
        }
    }
}

static void set_statistics(const mdf_params *p, const double *sum, int count)
{
    size_t at = 0;
    for (size_t i = 0; i < p->count; i++) {
        const mdf_tensor *t = &p->item[i]->tensor;
        for (int64_t j = 0; p->item[i]->group == MDF_GROUP_FIXED && j < mdf_tensor_count(t); j++) {
            t->data[j] = (mdf_real)(sum[at++] / count);
        }
    }
}

static size_t count_statistics(const mdf_params *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++) {
        n += p->item[i]->group == MDF_GROUP_FIXED ? (size_t)mdf_tensor_count(&p->item[i]->tensor)
                                                  : 0;
    }
    return n;
}

void mdf_norms_by_batch(mdf_mllm *m, double momentum)
{
    mdf_efficientnet_by_batch(&m->unet.net, momentum);
    m->head.wide.momentum = momentum;
}

/* One batch of cases drawn at random through encoder and classifier. */
static mdf_status run_batch(const mdf_mllm *m, mdf_graph *g, mdf_batch_buffer *b,
                            const mdf_samples *s, size_t *index, int number, mdf_error *err)
{
    const mdf_train_config *c = &m->config.train;
    const uint64_t seed = mdf_rng_mix((uint64_t)c->seed, 2000000 + (uint64_t)number);
    mdf_rng r = mdf_rng_new(seed, 4);
    for (size_t i = 0; i < b->capacity; i++) {
        index[i] = mdf_rng_below(&r, (uint32_t)s->count);
    }
    MDF_TRY(mdf_batch_fill(b, &m->config, s, index, b->capacity,
                           &(mdf_batch_options){.augment = true, .seed = seed}, err));
    const int64_t side = b->batch.unet_side;
    mdf_graph_reset(g);
    mdf_tensor *image =
        mdf_constant(g, b->batch.unet_image, 4, (int64_t[]){b->batch.cases, side, side, 3});
    const mdf_unet_features f = mdf_unet_encode(g, &m->unet, image, NULL);
    if (m->head.w != NULL) {
        (void)mdf_image_head_logits(g, &m->head, f.mid);
    }
    return mdf_graph_status(g, err);
}

mdf_status mdf_norm_statistics(mdf_mllm *m, mdf_graph *g, mdf_batch_buffer *b, const mdf_samples *s,
                               const volatile sig_atomic_t *stop, mdf_error *err)
{
    const mdf_train_config *c = &m->config.train;
    if (c->norm_batches == 0 || !c->use_image || !c->use_unet || s->count == 0 ||
        m->config.unet.encoder != MDF_ENCODER_EFFICIENTNET_LITE0) {
        return MDF_OK;
    }
    double *sum = mdf_alloc(count_statistics(&m->params), sizeof *sum);
    size_t *index = mdf_alloc(b->capacity, sizeof *index);
    mdf_status status = sum != NULL && index != NULL
                            ? MDF_OK
                            : mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the norms");
    mdf_norms_by_batch(m, 1);
    for (int i = 0; status == MDF_OK && i < c->norm_batches; i++) {
        status = run_batch(m, g, b, s, index, i, err);
        if (status == MDF_OK) {
            add_statistics(&m->params, sum);
        }
        if (status == MDF_OK && stop != NULL && *stop != 0) {
            status = mdf_fail(err, MDF_ERR_STOPPED, "stopped before the first step");
        }
    }
    mdf_norms_by_batch(m, 0);
    if (status == MDF_OK) {
        set_statistics(&m->params, sum, c->norm_batches);
    }
    mdf_free(sum);
    mdf_free(index);
    return status;
}
