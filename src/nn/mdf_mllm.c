/* MDF-MLLM: the order of the whole (docs/MODEL.md section 1). */
#include "nn/mdf_mllm.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "tensor/op.h"

mdf_status mdf_mllm_new(mdf_mllm **out, const mdf_config *c, bool train, mdf_error *err)
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
        mdf_unet_declare(&m->unet, &m->config, &m->params);
        mdf_vision_declare(&m->vision, &m->config, &m->params);
        mdf_text_declare(&m->text, &m->config, &m->params);
        mdf_fusion_declare(&m->fusion, &m->config, &m->params);
        if (c->train.aux_weight > 0) {
            const int64_t k = c->answer.label_count;
            const int64_t features = mdf_unet_channels(c, MDF_UNET_LEVELS + 1);
            m->aux_w = mdf_param_add(&m->params, MDF_GROUP_UNET, MDF_INIT_ZERO, 0, 2,
                                     (int64_t[]){k, features}, "mdf.aux.weight");
            m->aux_b =
                mdf_param_add(&m->params, MDF_GROUP_UNET, MDF_INIT_ZERO, 0, 1, &k, "mdf.aux.bias");
        }
        status = mdf_params_allocate(&m->params, train, err);
    }
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

/* The packed text of a batch: every case's prompt followed by the label tree. */
typedef struct packed {
    mdf_text_input in;
    int32_t *row0;             /* [B] */
    mdf_attn_segment *patches; /* [B] text rows against the U-Net's patches */
} packed;

static bool pack_segments(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b,
                          const mdf_image_tokens *image, packed *p)
{
    const int64_t patches = (int64_t)m->config.fusion.grid * m->config.fusion.grid;
    mdf_attn_segment *self = mdf_graph_alloc(g, b->cases, sizeof *self);
    mdf_attn_segment *cross = mdf_graph_alloc(g, b->cases, sizeof *cross);
    p->patches = mdf_graph_alloc(g, b->cases, sizeof *p->patches);
    const int64_t keys = image->main + image->spare;
    mdf_real *bias = mdf_graph_alloc(g, b->cases * keys + 1, sizeof *bias);
    if (g->error.code != MDF_OK) {
        return false;
    }
    for (int64_t i = 0; i < b->cases; i++) {
        const int64_t row0 = p->row0[i];
        const int64_t rows = b->prompt_len[i] + b->tree->nodes;
        self[i] = (mdf_attn_segment){row0, rows, row0, rows, b->prompt_len[i], 0};
        cross[i] = (mdf_attn_segment){row0, rows,        i * keys,
                                      keys, image->main, b->image_at[i] < 0 ? 0 : b->image_at[i]};
        p->patches[i] = (mdf_attn_segment){row0, rows, i * patches, patches, 0, 0};
        for (int64_t j = 0; j < keys; j++) {
            bias[i * keys + j] = j < image->main ? 0 : (mdf_real)log((double)image->spare_weight);
        }
    }
    p->in.self = self;
    p->in.cross = image->v == NULL ? NULL : cross;
    p->in.cross_bias = bias;
    return true;
}

static bool pack_text(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b,
                      const mdf_image_tokens *image, packed *p)
{
    int64_t rows = 0;
    p->row0 = mdf_graph_alloc(g, b->cases, sizeof *p->row0);
    for (int64_t i = 0; p->row0 != NULL && i < b->cases; i++) {
        p->row0[i] = (int32_t)rows;
        rows += b->prompt_len[i] + b->tree->nodes;
    }
    int32_t *token = mdf_graph_alloc(g, rows, sizeof *token);
    int32_t *position = mdf_graph_alloc(g, rows, sizeof *position);
    uint8_t *row_mask = mdf_graph_alloc(g, rows, 1);
    if (g->error.code != MDF_OK) {
        return false;
    }
    int64_t n = 0;
    const int32_t *prompt = b->prompt;
    for (int64_t i = 0; i < b->cases; i++) {
        for (int32_t j = 0; j < b->prompt_len[i]; j++, n++) {
            token[n] = *prompt++;
            position[n] = j;
            row_mask[n] = j >= b->image_at[i]; /* trap 4 */
        }
        for (int64_t j = 0; j < b->tree->nodes; j++, n++) {
            token[n] = b->tree->token[j];
            position[n] = b->prompt_len[i] + b->tree->depth[j];
            row_mask[n] = 1;
        }
    }
    p->in = (mdf_text_input){.rows = rows,
                             .cases = b->cases,
                             .token = token,
                             .position = position,
                             .tree = b->tree->mask,
                             .tree_nodes = b->tree->nodes,
                             .row_mask = row_mask,
                             .dropout_seed = b->dropout_seed};
    return pack_segments(g, m, b, image, p);
}

/* Where each label's token probabilities are found: logits are computed once for every predicting
 * row (the prompt's last token and the tree's nodes), once per (row, target) pair. */
typedef struct answer_rows {
    int32_t *row, *target;   /* [B*pairs] */
    int32_t *index, *offset; /* scores: [B*pairs], [B*K+1] */
    mdf_real *weight;
    int32_t *true_index, *true_offset; /* language-model loss */
    mdf_real *true_weight;
    int64_t true_count;
} answer_rows;

static bool answer_fill(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b, const packed *p,
                        answer_rows *a)
{
    const mdf_tree_view *t = b->tree;
    const int64_t pairs = t->offset[t->labels];
    const int64_t n = b->cases * pairs;
    a->row = mdf_graph_alloc(g, n, sizeof *a->row);
    a->target = mdf_graph_alloc(g, n, sizeof *a->target);
    a->index = mdf_graph_alloc(g, n, sizeof *a->index);
    a->weight = mdf_graph_alloc(g, n, sizeof *a->weight);
    a->offset = mdf_graph_alloc(g, b->cases * t->labels + 1, sizeof *a->offset);
    a->true_index = mdf_graph_alloc(g, n, sizeof *a->true_index);
    a->true_weight = mdf_graph_alloc(g, n, sizeof *a->true_weight);
    a->true_offset = mdf_graph_alloc(g, 2, sizeof *a->true_offset);
    if (g->error.code != MDF_OK) {
        return false;
    }
    int32_t at = 0;
    a->offset[0] = 0;
    for (int64_t i = 0; i < b->cases; i++) {
        for (int64_t k = 0; k < t->labels; k++) {
            const int32_t len = t->offset[k + 1] - t->offset[k];
            for (int32_t j = t->offset[k]; j < t->offset[k + 1]; j++, at++) {
                const int32_t behind = b->prompt_len[i] + t->source[j];
                a->row[at] = p->row0[i] + behind; /* source -1: the prompt's last row */
                a->target[at] = t->target[j];
                a->index[at] = at;
                a->weight[at] = (mdf_real)(m->config.answer.scale /
                                           (m->config.answer.normalise_mean ? (double)len : 1.0));
                if (b->label != NULL && b->label[i] == k) {
                    a->true_index[a->true_count++] = at;
                }
            }
            a->offset[i * t->labels + k + 1] = at;
        }
    }
    for (int64_t i = 0; i < a->true_count; i++) {
        a->true_weight[i] = -1 / (mdf_real)a->true_count;
    }
    a->true_offset[0] = 0;
    a->true_offset[1] = (int32_t)a->true_count;
    return true;
}

static double value_of(const mdf_tensor *t)
{
    return t == NULL ? 0 : (double)t->data[0];
}

/* Cross entropy of a linear layer on the bottleneck's mean: helps a U-Net that starts from noise.
 */
static mdf_tensor *aux_loss(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b, mdf_tensor *mid)
{
    const int64_t c = mdf_last_dim(mid);
    int32_t *begin = mdf_graph_alloc(g, b->cases, sizeof *begin);
    int32_t *count = mdf_graph_alloc(g, b->cases, sizeof *count);
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    const int64_t pixels = mid->dim[1] * mid->dim[2];
    for (int64_t i = 0; i < b->cases; i++) {
        begin[i] = (int32_t)(i * pixels);
        count[i] = (int32_t)pixels;
    }
    mdf_tensor *rows = mdf_reshape(g, mid, 2, (int64_t[]){b->cases * pixels, c});
    mdf_tensor *x = mdf_mean_rows(g, rows, begin, count, b->cases);
    return mdf_cross_entropy(g, mdf_linear(g, x, m->aux_w, m->aux_b), b->label,
                             (mdf_real)m->config.train.label_smoothing, NULL);
}

static void losses(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b, const answer_rows *a,
                   mdf_tensor *log_prob, mdf_output *out)
{
    const mdf_train_config *t = &m->config.train;
    mdf_tensor *label =
        mdf_cross_entropy(g, out->scores, b->label, (mdf_real)t->label_smoothing, NULL);
    out->label_loss = value_of(label);
    out->loss = label;
    if (t->lm_weight > 0 && a->true_count > 0) {
        mdf_tensor *lm =
            mdf_segment_sum(g, log_prob, a->true_index, a->true_weight, a->true_offset, 1);
        out->lm_loss = value_of(lm);
        out->loss = mdf_loss_sum(g, out->loss, 1, lm, (mdf_real)t->lm_weight);
    }
    if (m->aux_w != NULL && out->fusion.unet.mid != NULL) {
        mdf_tensor *aux = aux_loss(g, m, b, out->fusion.unet.mid);
        out->aux_loss = value_of(aux);
        out->loss = mdf_loss_sum(g, out->loss, 1, aux, (mdf_real)t->aux_weight);
    }
    if (out->mask_logits != NULL && b->mask != NULL) {
        mdf_tensor *mask = mdf_mask_loss(g, out->mask_logits, b->mask, b->mask_there);
        out->mask_loss = value_of(mask);
        out->loss = mdf_loss_sum(g, out->loss, 1, mask, (mdf_real)t->mask_weight);
    }
}

mdf_output mdf_mllm_forward(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b, bool want_masks)
{
    mdf_output out = {0};
    const mdf_config *c = &m->config;
    mdf_image_tokens image = {0};
    if (b->vision_image != NULL) {
        const int64_t side = c->vision.image_size;
        image = mdf_vision_forward(
            g, &m->vision,
            mdf_constant(g, b->vision_image, 4, (int64_t[]){b->cases, side, side, 3}));
    }
    const bool detail = c->fusion.map_count > 0 || want_masks || m->aux_w != NULL;
    if (b->unet_image != NULL && detail) {
        const int64_t side = c->unet.image_size;
        out.fusion = mdf_fusion_begin(
            g, &m->fusion, &m->unet,
            mdf_constant(g, b->unet_image, 4, (int64_t[]){b->cases, side, side, 3}), b->explain);
    }
    packed p = {0};
    answer_rows a = {0};
    if (!pack_text(g, m, b, &image, &p) || !answer_fill(g, m, b, &p, &a)) {
        return out;
    }
    out.fusion.row0 = p.row0;
    out.fusion.prompt_len = b->prompt_len;
    out.fusion.segment = p.patches;
    mdf_tensor *h = mdf_text_forward(g, &m->text, &p.in, &image, &m->fusion, &out.fusion);
    const int64_t pairs = b->tree->offset[b->tree->labels];
    h = mdf_gather_rows(g, h, a.row, b->cases * pairs);
    mdf_tensor *log_prob = mdf_log_prob(g, mdf_linear(g, h, m->text.lm_head, NULL), a.target);
    mdf_tensor *scores =
        mdf_segment_sum(g, log_prob, a.index, a.weight, a.offset, b->cases * b->tree->labels);
    out.scores =
        scores == NULL ? NULL : mdf_reshape(g, scores, 2, (int64_t[]){b->cases, b->tree->labels});
    if (want_masks && out.fusion.cases > 0 && m->unet.head_w != NULL) {
        out.mask_logits = mdf_fusion_masks(g, &m->unet, &out.fusion);
    }
    if (b->label != NULL) {
        losses(g, m, b, &a, log_prob, &out);
    }
    return out;
}
