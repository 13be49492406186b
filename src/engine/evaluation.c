/* A model on a split: scores, probabilities before and after calibration, metrics. */
#include "engine/evaluation.h"

#include <string.h>

#include "base/alloc.h"
#include "data/lesions.h"
#include "nn/answer.h"
#include "photo/signature.h"
#include "train/distance.h"

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
    mdf_doubt_free(&e->doubt);
    mdf_scores_free(&e->scores);
    *e = (mdf_evaluation){0};
}

/* A model that answers needs labels to be measured by. */
static mdf_status check_model(const mdf_engine *e, mdf_error *err)
{
    const bool draws = e->model->config.train.task == MDF_TASK_SEGMENT;
    return draws || mdf_engine_has_labels(e)
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_FORMAT,
                          "answer_config.labels has fewer than two labels, so this model can be "
                          "asked (predict --ask) but can't classify");
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

/* The model's masks, and all kinds of lesions if it draws one: list [MDF_MASK_NAMES]. */
static int masks_to_compare(mdf_mask_name *list, const mdf_unet_config *u)
{
    bool wanted[MDF_MASK_NAMES] = {false};
    int n = 0;
    for (int i = 0; i < u->mask_channels; i++) {
        wanted[u->masks[i]] = true;
        for (int k = 0; mdf_mask_is_lesion(u->masks[i]) && k < MDF_LESION_MASKS; k++) {
            wanted[mdf_lesion_masks[k]] = true;
        }
    }
    for (int k = 0; k < MDF_MASK_NAMES; k++) {
        if (wanted[k]) {
            list[n++] = (mdf_mask_name)k;
        }
    }
    return n;
}

/* Cases of allowed labels stay, and cases with masks for their Dice (label -1). answers: any has a
 * label that the model was taught. */
static mdf_status choose_cases(mdf_left_out *left, bool *answers, mdf_manifest *m,
                               const mdf_engine *e, const bool *allowed,
                               const mdf_evaluate_options *opt, mdf_error *err)
{
    const char *label[MDF_MAX_CLASSES];
    const int known = mdf_engine_label_count(e);
    for (int k = 0; k < known; k++) {
        label[k] = mdf_engine_label(e, k);
    }
    const mdf_config *c = &e->model->config;
    mdf_relabel_options how = {.labels = label, .label_count = (size_t)known, .asked = allowed};
    mdf_mask_name masks[MDF_MASK_NAMES];
    const int mask_count = opt->no_masks ? 0 : masks_to_compare(masks, &c->unet);
    for (int k = 0; k < mask_count; k++) {
        how.keep_mask[masks[k]] = true;
    }
    const size_t labelled = mdf_relabel(left, m, &how);
    *answers = labelled > 0 && c->train.task != MDF_TASK_SEGMENT;
    mdf_strbuf text = mdf_strbuf_new(1 << 16);
    mdf_left_out_text(&text, left);
    mdf_status status = MDF_OK;
    if (m->case_count == 0 && c->train.task != MDF_TASK_SEGMENT) {
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

/* What runs a model over samples. */
typedef struct runner {
    mdf_kernels *kernels;
    mdf_graph graph;
} runner;

static mdf_status runner_open(runner *r, const mdf_engine *e, mdf_error *err)
{
    *r = (runner){0};
    MDF_TRY(mdf_kernels_new(&r->kernels, e->max_isa, err));
    const mdf_status status = mdf_graph_init(&r->graph, r->kernels, false, 0, err);
    if (status != MDF_OK) {
        mdf_kernels_free(r->kernels);
    }
    return status;
}

static void runner_close(runner *r)
{
    mdf_graph_free(&r->graph);
    mdf_kernels_free(r->kernels);
}

static mdf_status run_model(mdf_scores *scores, const mdf_engine *e, runner *r,
                            const mdf_samples *s, mdf_samples_progress *progress, void *user,
                            mdf_error *err)
{
    const mdf_config *c = &e->model->config;
    const char *label[MDF_MAX_CLASSES];
    for (int k = 0; k < c->answer.label_count; k++) {
        label[k] = c->answer.labels[k];
    }
    mdf_label_tree *tree = NULL;
    mdf_batch_buffer buffer = {0};
    mdf_status status = mdf_label_tree_new(&tree, e->tokenizer, label, c->answer.label_count, err);
    if (status == MDF_OK) {
        status = mdf_batch_buffer_new(&buffer, c, tree, 8, err);
    }
    if (status == MDF_OK) {
        status =
            mdf_score_samples(scores, &r->graph, e->model, s, &buffer, false, progress, user, err);
    }
    mdf_batch_buffer_free(&buffer);
    mdf_label_tree_free(tree);
    return status;
}

mdf_status mdf_evaluation_scores(mdf_scores *scores, const mdf_engine *e, const mdf_samples *s,
                                 mdf_samples_progress *progress, void *user, mdf_error *err)
{
    runner r;
    MDF_TRY(runner_open(&r, e, err));
    const mdf_status status = run_model(scores, e, &r, s, progress, user, err);
    runner_close(&r);
    return status;
}

static bool has_mask(const mdf_manifest_case *k, const mdf_mask_name *list, int count)
{
    for (int i = 0; i < count; i++) {
        if (mdf_case_has_mask(k, list[i])) {
            return true;
        }
    }
    return false;
}

/* One picture with masks at a time, at the detail that masks are drawn at. */
static mdf_status run_masks(mdf_mask_scores *out, const mdf_engine *e, runner *r,
                            const mdf_manifest *m, const mdf_evaluate_options *opt, mdf_error *err)
{
    const mdf_config *c = &e->model->config;
    mdf_mask_name masks[MDF_MASK_NAMES];
    const mdf_samples_options how = {.side = mdf_segment_side(c),
                                     .use_image = true,
                                     .masks = masks,
                                     .mask_count = masks_to_compare(masks, &c->unet)};
    for (size_t i = 0; i < m->case_count && c->train.use_image && c->train.use_unet; i++) {
        const mdf_manifest one = {.cases = &m->cases[i], .case_count = 1};
        mdf_samples sample = {0};
        if (!has_mask(&m->cases[i], masks, how.mask_count)) {
            continue;
        }
        mdf_status status = mdf_samples_load(&sample, &one, &how, NULL, NULL, err);
        if (status == MDF_OK) {
            status = mdf_mask_scores_add(out, &r->graph, e->model, &sample.item[0], err);
        }
        mdf_samples_free(&sample);
        MDF_TRY(status);
        if (opt->progress != NULL && !opt->progress(opt->user, i + 1, m->case_count)) {
            return mdf_fail(err, MDF_ERR_STOPPED, "stopped while drawing masks");
        }
    }
    return MDF_OK;
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

/* Before the work: is there such a coverage? */
static mdf_status check_coverage(const mdf_engine *e, const mdf_evaluate_options *opt,
                                 mdf_error *err)
{
    mdf_conformal sets;
    if (opt->coverage > 0 && opt->label_count > 0) {
        return mdf_fail(err, MDF_ERR_ARG, "sets of labels are of all of the model's, not of some");
    }
    return opt->coverage > 0 ? mdf_conformal_new(&sets, &e->model->config.doubt, opt->coverage, err)
                             : MDF_OK;
}

/* Photographs that are unlike the model's own, by data folder. */
static mdf_status count_unlike(mdf_doubt *d, const mdf_config *c, const mdf_manifest *m,
                               const mdf_samples *s, mdf_error *err)
{
    const int side = mdf_config_crop_side(c);
    if (c->doubt.pictures == 0) {
        return MDF_OK;
    }
    d->unlike = mdf_alloc((size_t)m->dir_count, sizeof *d->unlike);
    if (d->unlike == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %d folders", m->dir_count);
    }
    d->dir_count = (size_t)m->dir_count;
    d->distance_share = c->doubt.distance_share;
    d->distance_limit = c->doubt.distance_limit;
    for (int i = 0; i < m->dir_count; i++) {
        d->unlike[i].dir = m->dirs[i];
    }
    for (size_t i = 0; i < s->count; i++) {
        float signature[MDF_SIGNATURE];
        if (s->item[i].image.rgb != NULL) {
            mdf_unlike_count *u = &d->unlike[s->item[i].info->source];
            MDF_TRY(mdf_signature(signature, &s->item[i].image, side, err));
            u->n++;
            u->unlike += mdf_distance_of(&c->doubt, signature) > c->doubt.distance_limit ? 1 : 0;
        }
    }
    return MDF_OK;
}

static mdf_status judge(mdf_evaluation *out, const mdf_engine *e, const mdf_manifest *m,
                        const mdf_samples *s, const mdf_evaluate_options *opt, mdf_error *err)
{
    const mdf_config *c = &e->model->config;
    MDF_TRY(mdf_doubt_new(&out->doubt, out->calibrated, out->label, out->n, out->classes, err));
    if (opt->coverage > 0) {
        MDF_TRY(mdf_doubt_sets(&out->doubt, &c->doubt, opt->coverage, out->calibrated, out->label,
                               err));
    }
    return count_unlike(&out->doubt, c, m, s, err);
}

/* Answers and what they are worth. */
static mdf_status run_answers(mdf_evaluation *out, const mdf_engine *e, runner *r, mdf_manifest *m,
                              const bool *allowed, const mdf_evaluate_options *opt, mdf_error *err)
{
    const mdf_config *c = &e->model->config;
    mdf_samples samples = {0};
    const mdf_samples_options how = {.side = mdf_config_crop_side(c),
                                     .use_image = c->train.use_image};
    MDF_TRY(mdf_retext_apply(m, &opt->text, &out->text, err));
    MDF_TRY(mdf_samples_load(&samples, m, &how, opt->progress, opt->user, err));
    mdf_status status = run_model(&out->scores, e, r, &samples, opt->progress, opt->user, err);
    if (status == MDF_OK) {
        status = collect(out, e, m, &samples, allowed, err);
    }
    if (status == MDF_OK) {
        status = judge(out, e, m, &samples, opt, err);
    }
    mdf_samples_free(&samples);
    MDF_TRY(status);
    out->input = (mdf_metrics_input){.prob = out->prob,
                                     .calibrated = out->calibrated,
                                     .label = out->label,
                                     .patient = out->patient,
                                     .n = out->n,
                                     .classes = out->classes,
                                     .resamples = opt->resamples,
                                     .seed = opt->seed};
    return mdf_metrics_compute(&out->metrics, &out->input, err);
}

mdf_status mdf_evaluate(mdf_evaluation *out, const mdf_engine *e, mdf_manifest *m,
                        const mdf_evaluate_options *opt, mdf_error *err)
{
    *out = (mdf_evaluation){0};
    bool allowed[MDF_MAX_CLASSES];
    runner r;
    MDF_TRY(check_model(e, err));
    MDF_TRY(allowed_labels(allowed, e, opt, err));
    MDF_TRY(check_coverage(e, opt, err));
    if (opt->no_masks && e->model->config.train.task == MDF_TASK_SEGMENT) {
        return mdf_fail(
            err, MDF_ERR_ARG,
            "--no-masks: the model draws nothing else, so that nothing is left to evaluate");
    }
    bool answers = false;
    MDF_TRY(choose_cases(&out->left_out, &answers, m, e, allowed, opt, err));
    MDF_TRY(runner_open(&r, e, err));
    mdf_status status = MDF_OK;
    if (answers) {
        status = run_answers(out, e, &r, m, allowed, opt, err);
    }
    if (status == MDF_OK && !opt->no_masks) {
        status = run_masks(&out->masks, e, &r, m, opt, err);
    }
    runner_close(&r);
    if (status == MDF_OK && !opt->no_masks && out->n == 0 && !mdf_mask_scores_any(&out->masks)) {
        status = mdf_fail(err, MDF_ERR_ARG, "no case of this split has a mask of the model's");
    }
    if (status != MDF_OK) {
        mdf_evaluation_free(out);
    }
    return status;
}
