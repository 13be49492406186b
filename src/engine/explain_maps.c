/* The methods that need a gradient: what the tape says about the places that were tapped. */
#include <string.h>

#include "engine/explain.h"

mdf_taps mdf_explain_taps(mdf_explain method)
{
    return (mdf_taps){.levels = method == MDF_EXPLAIN_LAYERCAM,
                      .fused = method == MDF_EXPLAIN_GRADIENT,
                      .values = method == MDF_EXPLAIN_ATTENTION};
}

/* Did the pass come by, and does the answer depend on it? */
static bool tapped(const mdf_tap *t)
{
    return t->value != NULL && t->push->grad != NULL;
}

/* x . dx of `places` places of n numbers, positive part. */
static void products(const mdf_graph *g, const mdf_tap *t, int64_t places, float *map)
{
    const int64_t n = mdf_tensor_count(t->push) / places;
    for (int64_t i = 0; i < places; i++) {
        const double d = g->kernels->dot(t->value + i * n, t->push->grad + i * n, n);
        map[i] = d > 0 ? (float)d : 0;
    }
}

static mdf_status gradient_maps(mdf_explanation *out, const mdf_graph *g, const mdf_mllm *m,
                                const mdf_taps *taps, mdf_error *err)
{
    for (int l = 1; l <= MDF_TAP_LEVELS; l++) {
        const mdf_tap *t = &taps->pooled[l];
        if (tapped(t)) {
            const int64_t side = l <= MDF_UNET_LEVELS ? m->config.fusion.grid : t->push->dim[1];
            MDF_TRY(mdf_explanation_add(out, l, (int)side, err));
            products(g, t, side * side, out->map[l]);
        }
    }
    return MDF_OK;
}

/* Only gradients above 0 count, whatever the feature's sign. */
static void positive_products(const mdf_tap *t, int64_t places, float *map)
{
    const int64_t n = mdf_tensor_count(t->push) / places;
    for (int64_t i = 0; i < places; i++) {
        const mdf_real *value = t->value + i * n;
        const mdf_real *grad = t->push->grad + i * n;
        double sum = 0;
        for (int64_t c = 0; c < n; c++) {
            sum += grad[c] > 0 ? (double)value[c] * (double)grad[c] : 0;
        }
        map[i] = sum > 0 ? (float)sum : 0;
    }
}

static mdf_status layercam_maps(mdf_explanation *out, const mdf_taps *taps, mdf_error *err)
{
    for (int l = 1; l <= MDF_TAP_LEVELS; l++) {
        const mdf_tap *t = &taps->level[l];
        if (tapped(t)) {
            const int64_t side = t->push->dim[1];
            MDF_TRY(mdf_explanation_add(out, l, (int)side, err));
            positive_products(t, side * side, out->map[l]);
        }
    }
    return MDF_OK;
}

/* With y_i = sum_j A_ij v_j the gradient at A_ij is dy_i . v_j, so that A times its gradient,
 * summed over the rows i (and over the heads that share v), is v_j . dv_j. */
static mdf_status attention_maps(mdf_explanation *out, const mdf_graph *g, const mdf_mllm *m,
                                 const mdf_taps *taps, mdf_error *err)
{
    const mdf_config *c = &m->config;
    const int64_t places = (int64_t)c->fusion.grid * c->fusion.grid;
    const int64_t heads = c->text.num_key_value_heads;
    for (int i = 0; i < c->fusion.map_count; i++) {
        const mdf_tap *t = &taps->block[i];
        const int l = c->fusion.map[i].level;
        if (!tapped(t)) {
            continue;
        }
        if (out->side[l] == 0) {
            MDF_TRY(mdf_explanation_add(out, l, c->fusion.grid, err));
        }
        const int64_t n = mdf_tensor_count(t->push) / (places * heads);
        for (int64_t j = 0; j < places * heads; j++) {
            const double d = g->kernels->dot(t->value + j * n, t->push->grad + j * n, n);
            out->map[l][j / heads] += d > 0 ? (float)d : 0;
        }
    }
    return MDF_OK;
}

static mdf_status maps_of(mdf_explanation *out, const mdf_graph *g, const mdf_mllm *m,
                          const mdf_taps *taps, mdf_explain method, mdf_error *err)
{
    switch (method) {
    case MDF_EXPLAIN_GRADIENT:
        return gradient_maps(out, g, m, taps, err);
    case MDF_EXPLAIN_LAYERCAM:
        return layercam_maps(out, taps, err);
    case MDF_EXPLAIN_ATTENTION:
        return attention_maps(out, g, m, taps, err);
    case MDF_EXPLAIN_USUAL:
    case MDF_EXPLAIN_OCCLUSION:
        break;
    }
    return mdf_fail(err, MDF_ERR_ARG, "this method needs no gradient");
}

mdf_status mdf_explain_backward(mdf_explanation *out, mdf_graph *g, const mdf_mllm *m,
                                const mdf_output *o, const mdf_taps *taps, mdf_explain method,
                                const mdf_real *weight, mdf_error *err)
{
    *out = (mdf_explanation){0};
    int32_t index[MDF_MAX_LABELS];
    const int32_t offset[2] = {0, m->config.answer.label_count};
    for (int k = 0; k < offset[1]; k++) {
        index[k] = k;
    }
    mdf_tensor *score = mdf_segment_sum(g, o->scores, index, weight, offset, 1);
    MDF_TRY(mdf_graph_status(g, err));
    MDF_TRY(mdf_graph_backward(g, score, err));
    const mdf_status status = maps_of(out, g, m, taps, method, err);
    if (status != MDF_OK) {
        mdf_explanation_free(out);
    }
    return status;
}
