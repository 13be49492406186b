/* A model with a part of it shuffled. */
#include "engine/shuffled.h"

#include <string.h>

static bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

/* A model whose head is tied to its embedding table has that shuffled, and with it what it reads.
 */
static bool belongs(const char *name, mdf_shuffled_part part, bool tied)
{
    if (part == MDF_SHUFFLED_HEAD) {
        return begins(name, "mdf.aux.") || begins(name, "lm_head.") ||
               (tied && begins(name, "model.language_model.embed_tokens."));
    }
    return begins(name, "unet.enc") || begins(name, "unet.mid.") ||
           begins(name, "model.vision_model.") || begins(name, "model.multi_modal_projector.");
}

bool mdf_can_shuffle(const mdf_engine *e)
{
    for (size_t i = 0; i < e->model->params.count; i++) {
        if (e->model->params.item[i]->tensor.data == NULL) {
            return false;
        }
    }
    return true;
}

static void shuffle(mdf_real *x, int64_t n, uint64_t seed)
{
    mdf_rng r = mdf_rng_new(seed, 0x73687566);
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = (int64_t)mdf_rng_below(&r, (uint32_t)i + 1);
        const mdf_real kept = x[i];
        x[i] = x[j];
        x[j] = kept;
    }
}

mdf_status mdf_shuffled_new(mdf_engine *out, const mdf_engine *e, mdf_shuffled_part part,
                            uint64_t seed, mdf_error *err)
{
    const mdf_mllm *m = e->model;
    mdf_mllm *copy = NULL;
    MDF_TRY(mdf_mllm_new(&copy, &m->config, false, err));
    for (size_t i = 0; i < m->params.count; i++) {
        const mdf_tensor *from = &m->params.item[i]->tensor;
        const int64_t n = mdf_tensor_count(from);
        mdf_real *to = copy->params.item[i]->tensor.data;
        memcpy(to, from->data, (size_t)n * sizeof *to);
        if (belongs(from->name, part, m->config.text.tie_word_embeddings)) {
            shuffle(to, n, mdf_rng_mix(seed, mdf_rng_hash(from->name)));
        }
    }
    *out = *e;
    out->model = copy;
    return MDF_OK;
}

void mdf_shuffled_free(mdf_engine *e)
{
    mdf_mllm_free(e->model);
    e->model = NULL;
}
