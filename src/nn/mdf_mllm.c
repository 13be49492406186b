/* MDF-MLLM: the order of the whole (docs/MODEL.md section 1). */
#include "nn/mdf_mllm.h"

#include "base/alloc.h"
#include "nn/answer.h"
#include "nn/pack.h"
#include "tensor/op.h"

static void declare(mdf_mllm *m)
{
    const mdf_config *c = &m->config;
    if (mdf_config_has_unet(c)) {
        mdf_unet_declare(&m->unet, c, &m->params);
    }
    if (mdf_config_has_vision(c)) {
        mdf_vision_declare(&m->vision, c, &m->params);
    }
    mdf_text_declare(&m->text, c, &m->params);
    mdf_fusion_declare(&m->fusion, c, &m->params);
    mdf_image_head_declare(&m->head, c, &m->params);
}

mdf_status mdf_mllm_declare(mdf_mllm **out, const mdf_config *c, mdf_error *err)
{
    *out = NULL;
    MDF_TRY(mdf_config_validate(c, err));
    mdf_mllm *m = mdf_alloc(1, sizeof *m);
    if (m == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the model");
    }
    m->config = *c;
    mdf_status status = mdf_params_init(&m->params, err);
    if (status == MDF_OK) {
        declare(m);
        status = mdf_params_status(&m->params, err);
    }
    if (status != MDF_OK) {
        mdf_mllm_free(m);
        return status;
    }
    *out = m;
    return MDF_OK;
}

mdf_status mdf_mllm_new(mdf_mllm **out, const mdf_config *c, bool train, mdf_error *err)
{
    mdf_mllm *m = NULL;
    *out = NULL;
    MDF_TRY(mdf_mllm_declare(&m, c, err));
    const mdf_status status = mdf_params_allocate(&m->params, train, err);
    if (status != MDF_OK) {
        mdf_mllm_free(m);
        return status;
    }
    *out = m;
    return MDF_OK;
}

void mdf_mllm_free(mdf_mllm *m)
{
    if (m != NULL) {
        mdf_params_free(&m->params);
        mdf_free(m);
    }
}

static double value_of(const mdf_tensor *t)
{
    return t == NULL ? 0 : (double)t->data[0];
}

/* a: NULL where the text was not read. */
static void losses(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b, const mdf_answer_rows *a,
                   mdf_tensor *log_prob, mdf_output *out)
{
    const mdf_train_config *t = &m->config.train;
    const mdf_real smoothing = (mdf_real)t->label_smoothing;
    mdf_tensor *label = mdf_cross_entropy(g, out->scores, b->label, b->allowed, smoothing, NULL);
    out->label_loss = value_of(label);
    out->loss = label;
    if (a != NULL && t->lm_weight > 0 && a->true_count > 0) {
        mdf_tensor *lm =
            mdf_segment_sum(g, log_prob, a->true_index, a->true_weight, a->true_offset, 1);
        out->lm_loss = value_of(lm);
        out->loss = mdf_loss_sum(g, out->loss, 1, lm, (mdf_real)t->lm_weight);
    }
    if (a != NULL && t->aux_weight > 0 && out->image_logits != NULL) {
        mdf_tensor *aux =
            mdf_cross_entropy(g, out->image_logits, b->label, b->allowed, smoothing, NULL);
        out->aux_loss = value_of(aux);
        out->loss = mdf_loss_sum(g, out->loss, 1, aux, (mdf_real)t->aux_weight);
    }
    if (out->mask_logits != NULL && b->mask != NULL) {
        mdf_tensor *mask =
            mdf_mask_loss(g, out->mask_logits, b->mask, b->mask_there, b->mask_weight);
        out->mask_loss = value_of(mask);
        out->loss = mdf_loss_sum(g, out->loss, 1, mask, (mdf_real)t->mask_weight);
    }
}

static mdf_tensor *unet_image(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b)
{
    const int64_t side = b->unet_side > 0 ? b->unet_side : m->config.unet.image_size;
    return mdf_constant(g, b->unet_image, 4, (int64_t[]){b->cases, side, side, 3});
}

static mdf_fusion_state look_closely(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b,
                                     bool want_masks)
{
    const bool detail = m->config.fusion.map_count > 0 || want_masks || m->head.w != NULL;
    if (b->unet_image == NULL || !detail || !mdf_config_has_unet(&m->config)) {
        return (mdf_fusion_state){0};
    }
    return mdf_fusion_begin(g, &m->fusion, &m->unet, unet_image(g, m, b), b->taps);
}

/* The U-Net alone: nothing is prepared for a text. */
static mdf_fusion_state look(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b)
{
    mdf_taps *taps = b->taps;
    mdf_tap *mid = taps != NULL && taps->fused ? &taps->pooled[MDF_TAP_LEVELS] : NULL;
    mdf_fusion_state s = {.cases = b->cases, .taps = taps};
    s.unet = mdf_unet_encode(g, &m->unet, unet_image(g, m, b), taps);
    s.seen_mid = mdf_tap_into(g, mid, s.unet.mid);
    return s;
}

mdf_tensor *mdf_mllm_read(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b,
                          const mdf_image_tokens *image, mdf_kv_cache *cache, mdf_output *out,
                          bool want_masks)
{
    mdf_packed p;
    out->fusion = look_closely(g, m, b, want_masks);
    if (!mdf_pack(g, &m->config, b, image, &p)) {
        return NULL;
    }
    p.in.cache = cache;
    p.in.trace = b->trace;
    out->row0 = p.row0;
    out->fusion.row0 = p.row0;
    out->fusion.prompt_len = b->prompt_len;
    out->fusion.segment = p.patches;
    out->fusion.cache = cache;
    return mdf_text_forward(g, &m->text, &p.in, image, &m->fusion, &out->fusion);
}

static void draw_masks(mdf_graph *g, const mdf_mllm *m, bool want_masks, mdf_output *out)
{
    if (want_masks && out->fusion.cases > 0 && m->unet.head_w != NULL) {
        out->mask_logits = mdf_fusion_masks(g, &m->unet, &out->fusion);
    }
}

/* train_config.task = "picture": the U-Net and its classifier alone. */
static mdf_output forward_picture(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b,
                                  bool want_masks)
{
    mdf_output out = {0};
    out.fusion = look(g, m, b);
    out.scores = out.image_logits = mdf_image_head_logits(g, &m->head, out.fusion.seen_mid);
    draw_masks(g, m, want_masks, &out);
    if (b->label != NULL && out.scores != NULL) {
        losses(g, m, b, NULL, NULL, &out);
    }
    return out;
}

/* Encoder and decoder alone. No label is needed for a loss, which counts mask_weight where others
 * are learned beside it. */
static mdf_output forward_segment(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b)
{
    mdf_output out = {0};
    out.fusion = look(g, m, b);
    out.mask_logits = mdf_unet_decode(g, &m->unet, &out.fusion.unet);
    if (b->mask != NULL) {
        const mdf_train_config *t = &m->config.train;
        const mdf_real weight = t->task == MDF_TASK_SEGMENT ? 1 : (mdf_real)t->mask_weight;
        mdf_tensor *mask =
            mdf_mask_loss(g, out.mask_logits, b->mask, b->mask_there, b->mask_weight);
        out.mask_loss = value_of(mask);
        out.loss = mdf_scale(g, mask, weight);
    }
    return out;
}

/* Label scores of the text, and those of the picture alone beside or on top of them. */
static bool answer(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b, mdf_answer_rows *a,
                   mdf_tensor **log_prob, mdf_output *out)
{
    int32_t *behind = mdf_graph_alloc(g, b->cases, sizeof *behind);
    for (int64_t i = 0; behind != NULL && i < b->cases; i++) {
        behind[i] = out->row0[i] + b->prompt_len[i];
    }
    if (behind == NULL || !mdf_answer_plan(g, &m->config, b->tree, b->cases, behind, b->label, a)) {
        return false;
    }
    out->scores =
        mdf_answer_scores(g, a, out->states, &m->text, b->cases, b->tree->labels, log_prob);
    if (m->head.w != NULL && out->fusion.unet.mid != NULL) {
        const bool wanted = m->config.answer.image_head;
        if (wanted || (b->label != NULL && m->config.train.aux_weight > 0)) {
            out->image_logits = mdf_image_head_logits(g, &m->head, out->fusion.seen_mid);
        }
        out->scores = wanted ? mdf_add(g, out->scores, out->image_logits) : out->scores;
    }
    return true;
}

mdf_output mdf_mllm_forward(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b, bool want_masks)
{
    mdf_output out = {0};
    mdf_answer_rows a;
    mdf_tensor *log_prob = NULL;
    if (m->config.train.task == MDF_TASK_SEGMENT || b->crops) {
        return forward_segment(g, m, b);
    }
    if (m->config.train.task == MDF_TASK_PICTURE) {
        return forward_picture(g, m, b, want_masks);
    }
    out.image = mdf_vision_forward(g, &m->vision, b);
    out.states = mdf_mllm_read(g, m, b, &out.image, NULL, &out, want_masks);
    if (out.states == NULL || b->tree == NULL || !answer(g, m, b, &a, &log_prob, &out)) {
        return out;
    }
    draw_masks(g, m, want_masks, &out);
    if (b->label != NULL) {
        losses(g, m, b, &a, log_prob, &out);
    }
    return out;
}
