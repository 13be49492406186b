/* The heat-map of a classified picture. */
#include <math.h>

#include "engine/occlude.h"
#include "engine/session.h"

static mdf_status no_heat(const mdf_case *c, mdf_explain method, const char *why, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_ARG, "%s: no heat-map by %s: %s",
                    c->name == NULL ? "picture" : c->name, mdf_explain_name(method), why);
}

mdf_status mdf_session_how_to_explain(const mdf_session *s, const mdf_case *c, mdf_session_how *out,
                                      mdf_error *err)
{
    const bool usual = c->explain == MDF_EXPLAIN_USUAL;
    *out = (mdf_session_how){.method = usual ? MDF_EXPLAIN_DEFAULT : c->explain};
    if (!c->heatmap) {
        return MDF_OK;
    }
    const bool occlusion = out->method == MDF_EXPLAIN_OCCLUSION;
    const char *obstacle = mdf_explain_obstacle(s->engine->model, out->method);
    if (obstacle != NULL && !usual) {
        return no_heat(c, out->method, obstacle, err);
    }
    if (occlusion && c->explain_depth != 0) {
        return no_heat(c, out->method, "it has no depths", err);
    }
    if (occlusion && s->view.photos > 0) {
        return no_heat(c, out->method, "the tower must see the crop in one tile", err);
    }
    out->wanted = obstacle == NULL;
    out->needs_gradient = out->wanted && !occlusion;
    return MDF_OK;
}

mdf_status mdf_session_forward(mdf_session *s, mdf_taps *taps, mdf_output *o, const char *name,
                               mdf_error *err)
{
    const mdf_mllm *m = s->engine->model;
    s->buffer.batch.label = NULL;
    s->buffer.batch.taps = taps;
    mdf_graph_reset(&s->graph);
    s->graph.train = taps != NULL;
    *o = mdf_mllm_forward(&s->graph, m, &s->buffer.batch, false);
    MDF_TRY(mdf_graph_status(&s->graph, err));
    for (int k = 0; k < m->config.answer.label_count; k++) {
        if (!isfinite((double)o->scores->data[k])) {
            return mdf_fail(err, MDF_ERR_NUMERIC, "%s: a label score is not a number", name);
        }
    }
    return MDF_OK;
}

/* "gradient" explains the label's score, others its log-probability, in which labels compete. */
static void explained_weights(const mdf_session *s, const mdf_output *o, mdf_explain method,
                              int label, mdf_real *weight)
{
    const int labels = s->engine->model->config.answer.label_count;
    mdf_explain_log_prob(weight, o->scores->data, s->allowed, labels, label);
    for (int k = 0; method == MDF_EXPLAIN_GRADIENT && k < labels; k++) {
        weight[k] = k == label ? 1 : 0;
    }
}

mdf_status mdf_session_explain(mdf_session *s, mdf_explanation *out, const mdf_output *o,
                               const mdf_taps *taps, mdf_explain method, int label, mdf_error *err)
{
    const mdf_mllm *m = s->engine->model;
    if (method != MDF_EXPLAIN_OCCLUSION) {
        mdf_real weight[MDF_MAX_LABELS];
        explained_weights(s, o, method, label, weight);
        return mdf_explain_backward(out, &s->graph, m, o, taps, method, weight, err);
    }
    mdf_occluder occluder;
    MDF_TRY(mdf_occluder_new(&occluder, &s->graph, m, &s->buffer.batch, s->round_view, err));
    const mdf_status status = mdf_explain_occlusion(out, &occluder, s->allowed, label, err);
    mdf_occluder_free(&occluder);
    return status;
}

mdf_status mdf_session_heat(mdf_session *s, const mdf_case *c, const mdf_session_how *how,
                            const mdf_output *o, const mdf_taps *taps, mdf_result *r,
                            mdf_error *err)
{
    mdf_explanation e;
    MDF_TRY(mdf_session_explain(s, &e, o, taps, how->method, r->best, err));
    const mdf_heat_join join = {c->explain_depth, mdf_explain_joining(how->method, &e),
                                s->round_view};
    r->heat_side = mdf_heat_side(&e, join.depth);
    mdf_status status = MDF_OK;
    if (r->heat_side == 0 && join.depth != 0) {
        status = no_heat(c, how->method, "the answer does not depend on this depth", err);
    } else if (r->heat_side > 0) {
        status = mdf_heat_of(r->heat, r->heat_side, &e, &join, err);
    }
    mdf_explanation_free(&e);
    return status;
}
