/* A model on a split: scores, probabilities before and after calibration, metrics. */
#include "engine/evaluation.h"

#include <string.h>

#include "base/alloc.h"
#include "nn/answer.h"

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

const mdf_manifest_case *mdf_evaluation_case(const mdf_evaluation *e, size_t i,
                                             const mdf_manifest *m)
{
    for (size_t k = 0; k < m->case_count; k++) {
        if (m->cases[k].file_name == e->file_name[i]) { /* the pointer is borrowed */
            return &m->cases[k];
        }
    }
    return NULL;
}

/* Which of the engine's labels take part. An unknown one is an error. */
static mdf_status allowed_labels(bool *allowed, const mdf_engine *e,
                                 const mdf_evaluate_options *opt, mdf_error *err)
{
    const int known = mdf_engine_label_count(e);
    for (int k = 0; k < known; k++) {
        allowed[k] = opt->label_count == 0;
    }
    for (size_t i = 0; i < opt->label_count; i++) {
        bool found = false;
        for (int k = 0; k < known; k++) {
            if (strcmp(opt->labels[i], mdf_engine_label(e, k)) == 0) {
                allowed[k] = found = true;
            }
        }
        if (!found) {
            return mdf_fail(err, MDF_ERR_ARG, "label \"%s\" is not one of the model's",
                            opt->labels[i]);
        }
    }
    return MDF_OK;
}

/* Cases of allowed labels stay, and cases with masks for their overlap (label -1). */
static mdf_status choose_cases(mdf_left_out *left, mdf_manifest *m, const mdf_engine *e,
                               const bool *allowed, const mdf_evaluate_options *opt, mdf_error *err)
{
    const char *label[MDF_MAX_CLASSES];
    const int known = mdf_engine_label_count(e);
    for (int k = 0; k < known; k++) {
        label[k] = mdf_engine_label(e, k);
    }
    const size_t labelled = mdf_relabel(left, m,
                                        &(mdf_relabel_options){.labels = label,
                                                               .label_count = (size_t)known,
                                                               .asked = allowed,
                                                               .keep_vessel_masks = true});
    mdf_strbuf text = mdf_strbuf_new(1 << 16);
    mdf_left_out_text(&text, left);
    mdf_status status = MDF_OK;
    if (labelled == 0) {
        status =
            mdf_fail(err, MDF_ERR_ARG, "no case of this split has one of the model's labels: %s",
                     text.data != NULL ? text.data : "all are left out");
    } else if (opt->strict && mdf_left_out_cases(left) > 0) {
        status = mdf_fail(err, MDF_ERR_ARG, "--strict: %s",
                          text.data != NULL ? text.data : "cases are left out");
    } else if (opt->note != NULL && text.len > 0) {
        opt->note(opt->user, text.data);
    }
    mdf_strbuf_free(&text);
    return status;
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

/* A case without a patient is a patient of its own, whom the manifest calls by the picture's path.
 * Where a result goes, that path means nothing: the table's name does, with its folder where there
 * are several. NULL = out of memory. */
static const char *patient_of(mdf_manifest *m, const mdf_manifest_case *c)
{
    if (c->patient_id != c->path) {
        return c->patient_id;
    }
    if (m->dir_count < 2) {
        return c->file_name;
    }
    mdf_strbuf name = mdf_strbuf_new(1 << 16);
    mdf_strbuf_printf(&name, "%s:%s", m->dirs[c->source], c->file_name);
    const char *copy =
        name.failed ? NULL : mdf_arena_strndup(&m->arena, name.data, strlen(name.data));
    mdf_strbuf_free(&name);
    return copy;
}

/* Labelled cases' scores -> probabilities of the allowed labels, in the model's order. */
static mdf_status collect(mdf_evaluation *out, const mdf_engine *e, mdf_manifest *m,
                          const mdf_samples *s, const bool *allowed, mdf_error *err)
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
        out->patient_id[out->n] = patient_of(m, s->item[i].info);
        if (out->patient_id[out->n++] == NULL) {
            mdf_free(logit);
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the names of patients");
        }
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
                        const mdf_evaluate_options *opt, mdf_error *err)
{
    *out = (mdf_evaluation){0};
    const mdf_config *c = &e->model->config;
    bool allowed[MDF_MAX_CLASSES];
    mdf_samples samples = {0};
    const int side =
        c->unet.image_size > c->vision.image_size ? c->unet.image_size : c->vision.image_size;
    MDF_TRY(allowed_labels(allowed, e, opt, err));
    MDF_TRY(choose_cases(&out->left_out, m, e, allowed, opt, err));
    MDF_TRY(mdf_samples_load(&samples, m, side * 5 / 4, c->train.use_image, opt->progress,
                             opt->user, err));
    mdf_status status = run_model(&out->scores, e, &samples, opt->progress, opt->user, err);
    if (status == MDF_OK) {
        status = collect(out, e, m, &samples, allowed, err);
    }
    mdf_samples_free(&samples);
    if (status == MDF_OK) {
        out->input = (mdf_metrics_input){.prob = out->prob,
                                         .calibrated = out->calibrated,
                                         .label = out->label,
                                         .patient = out->patient,
                                         .n = out->n,
                                         .classes = out->classes,
                                         .resamples = opt->resamples,
                                         .seed = opt->seed};
        status = mdf_metrics_compute(&out->metrics, &out->input, err);
    }
    if (status != MDF_OK) {
        mdf_evaluation_free(out);
    }
    return status;
}
