/* A model on a split: scores, probabilities before and after calibration, metrics. */
#include "engine/evaluation.h"

#include <string.h>

#include "base/alloc.h"

void mdf_evaluation_free(mdf_evaluation *e)
{
    mdf_free(e->prob);
    mdf_free(e->calibrated);
    mdf_free(e->label);
    mdf_free(e->patient);
    mdf_free((void *)e->file_name);
    mdf_free((void *)e->patient_id);
    mdf_free((void *)e->label_name);
    mdf_metrics_free(&e->metrics);
    mdf_scores_free(&e->scores);
    *e = (mdf_evaluation){0};
}

/* Which of the engine's labels take part. An unknown one is an error. */
static mdf_status allowed_labels(bool *allowed, const mdf_engine *e, const char *const *labels,
                                 size_t count, mdf_error *err)
{
    const int known = mdf_engine_label_count(e);
    for (int k = 0; k < known; k++) {
        allowed[k] = count == 0;
    }
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        for (int k = 0; k < known; k++) {
            if (strcmp(labels[i], mdf_engine_label(e, k)) == 0) {
                allowed[k] = found = true;
            }
        }
        if (!found) {
            return mdf_fail(err, MDF_ERR_ARG, "label \"%s\" is not one of the model's", labels[i]);
        }
    }
    return MDF_OK;
}

/* Cases of allowed labels stay, and cases with masks for their overlap (label -1). */
static mdf_status choose_cases(mdf_manifest *m, const mdf_engine *e, const bool *allowed,
                               mdf_error *err)
{
    const char *split = m->case_count > 0 ? m->cases[0].split : "";
    size_t n = 0;
    size_t labelled = 0;
    split = mdf_manifest_count(m, split) == m->case_count ? split : ""; /* of all cases */
    for (size_t i = 0; i < m->case_count; i++) {
        mdf_manifest_case c = m->cases[i];
        const char *name = c.label < 0 ? NULL : m->labels[c.label];
        c.label = -1;
        for (int k = 0; name != NULL && k < mdf_engine_label_count(e); k++) {
            if (allowed[k] && strcmp(name, mdf_engine_label(e, k)) == 0) {
                c.label = k;
            }
        }
        labelled += c.label >= 0;
        if (c.label >= 0 || c.vessel_mask != NULL) {
            m->cases[n++] = c;
        }
    }
    m->case_count = n;
    if (labelled == 0) {
        return split[0] == '\0'
                   ? mdf_fail(err, MDF_ERR_ARG, "none of the cases has one of the model's labels")
                   : mdf_fail(err, MDF_ERR_ARG,
                              "split \"%.60s\": none of its cases has one of the model's labels",
                              split);
    }
    return MDF_OK;
}

static mdf_status run_model(mdf_scores *scores, const mdf_engine *e, const mdf_samples *s,
                            mdf_samples_progress *progress, void *user, mdf_error *err)
{
    const mdf_config *c = &e->model->config;
    const char *label[MDF_MAX_CLASSES];
    for (int k = 0; k < c->answer.label_count; k++) {
        label[k] = c->answer.labels[k];
    }
    mdf_label_tree *tree = NULL;
    mdf_kernels *kernels = NULL;
    mdf_graph graph = {0};
    mdf_batch_buffer buffer = {0};
    mdf_status status = mdf_label_tree_new(&tree, e->tokenizer, label, c->answer.label_count, err);
    if (status == MDF_OK) {
        status = mdf_kernels_new(&kernels, e->max_isa, err);
    }
    if (status == MDF_OK) {
        status = mdf_graph_init(&graph, kernels, false, 0, err);
    }
    if (status == MDF_OK) {
        status = mdf_batch_buffer_new(&buffer, c, tree, 8, err);
    }
    if (status == MDF_OK) {
        status = mdf_score_samples(scores, &graph, e->model, s, &buffer, c->unet.mask_channels > 0,
                                   progress, user, err);
    }
    mdf_batch_buffer_free(&buffer);
    mdf_graph_free(&graph);
    mdf_kernels_free(kernels);
    mdf_label_tree_free(tree);
    return status;
}

/* Labelled cases' scores -> probabilities of the allowed labels, in the model's order. */
static mdf_status collect(mdf_evaluation *out, const mdf_engine *e, const mdf_samples *s,
                          const bool *allowed, mdf_error *err)
{
    const size_t all = out->scores.classes;
    int column[MDF_MAX_CLASSES]; /* of a label of the model */
    size_t k = 0;
    for (size_t j = 0; j < all; j++) {
        column[j] = allowed[j] ? (int)k++ : -1;
    }
    const double temperature = e->model->config.answer.temperature;
    float *logit = mdf_alloc(s->count * k, sizeof *logit);
    out->prob = mdf_alloc(s->count * k, sizeof *out->prob);
    out->calibrated = mdf_alloc(s->count * k, sizeof *out->calibrated);
    out->label = mdf_alloc(s->count, sizeof *out->label);
    out->patient = mdf_alloc(s->count, sizeof *out->patient);
    out->file_name = mdf_alloc(s->count, sizeof(char *));
    out->patient_id = mdf_alloc(s->count, sizeof(char *));
    out->label_name = mdf_alloc(k, sizeof(char *));
    if (logit == NULL || out->prob == NULL || out->calibrated == NULL || out->label == NULL ||
        out->patient == NULL || out->file_name == NULL || out->patient_id == NULL ||
        out->label_name == NULL) {
        mdf_free(logit);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %zu cases", s->count);
    }
    for (size_t i = 0; i < s->count; i++) {
        if (s->item[i].label < 0) {
            continue;
        }
        for (size_t j = 0; j < all; j++) {
            if (column[j] >= 0) {
                logit[out->n * k + (size_t)column[j]] = out->scores.score[i * all + j];
            }
        }
        out->label[out->n] = column[s->item[i].label];
        out->patient[out->n] = s->item[i].info->patient;
        out->file_name[out->n] = s->item[i].info->file_name;
        out->patient_id[out->n++] = s->item[i].info->patient_id;
    }
    for (size_t j = 0; j < all; j++) {
        if (column[j] >= 0) {
            out->label_name[column[j]] = mdf_engine_label(e, (int)j);
        }
    }
    out->classes = k;
    mdf_softmax_temperature(out->prob, logit, out->n, k, 1);
    mdf_softmax_temperature(out->calibrated, logit, out->n, k, temperature);
    mdf_free(logit);
    return MDF_OK;
}

mdf_status mdf_evaluate(mdf_evaluation *out, const mdf_engine *e, mdf_manifest *m,
                        const char *const *labels, size_t label_count, size_t resamples,
                        uint64_t seed, mdf_samples_progress *progress, void *user, mdf_error *err)
{
    *out = (mdf_evaluation){0};
    const mdf_config *c = &e->model->config;
    bool allowed[MDF_MAX_CLASSES];
    mdf_samples samples = {0};
    const int side =
        c->unet.image_size > c->vision.image_size ? c->unet.image_size : c->vision.image_size;
    MDF_TRY(allowed_labels(allowed, e, labels, label_count, err));
    MDF_TRY(choose_cases(m, e, allowed, err));
    MDF_TRY(mdf_samples_load(&samples, m, side * 5 / 4, c->train.use_image, progress, user, err));
    mdf_status status = run_model(&out->scores, e, &samples, progress, user, err);
    if (status == MDF_OK) {
        status = collect(out, e, &samples, allowed, err);
    }
    mdf_samples_free(&samples);
    if (status == MDF_OK) {
        out->input = (mdf_metrics_input){.prob = out->prob,
                                         .calibrated = out->calibrated,
                                         .label = out->label,
                                         .patient = out->patient,
                                         .n = out->n,
                                         .classes = out->classes,
                                         .resamples = resamples,
                                         .seed = seed};
        status = mdf_metrics_compute(&out->metrics, &out->input, err);
    }
    if (status != MDF_OK) {
        mdf_evaluation_free(out);
    }
    return status;
}
