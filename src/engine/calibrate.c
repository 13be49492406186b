/* Temperature, sets of labels and distance of a trained model. */
#include "engine/calibrate.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/evaluation.h"
#include "train/validation.h"

/* What is measured: the cases of the split, and photographs of training. */
typedef struct work {
    const mdf_engine *engine;
    const mdf_calibrate_options *opt;
    mdf_manifest cases, known;
    mdf_samples sample, picture;
    mdf_scores scores;
} work;

static void work_free(work *w)
{
    mdf_scores_free(&w->scores);
    mdf_samples_free(&w->sample);
    mdf_samples_free(&w->picture);
    mdf_manifest_free(&w->cases);
    mdf_manifest_free(&w->known);
}

/* The cases of a split that have one of the labels. */
static mdf_status choose(const work *w, mdf_manifest *out, mdf_left_out *left,
                         const mdf_manifest *m, const char *split, bool masks, mdf_error *err)
{
    const mdf_answer_config *a = &w->engine->model->config.answer;
    const char *label[MDF_MAX_CLASSES];
    for (int k = 0; k < a->label_count; k++) {
        label[k] = a->labels[k];
    }
    MDF_TRY(mdf_manifest_copy(out, m, err));
    MDF_TRY(mdf_manifest_keep_split(out, split, err));
    mdf_relabel_options how = {.labels = label, .label_count = (size_t)a->label_count};
    for (int i = 0; i < MDF_MASK_NAMES; i++) {
        how.keep_mask[i] = masks;
    }
    (void)mdf_relabel(left, out, &how);
    return MDF_OK;
}

static mdf_status say_left_out(const work *w, const mdf_left_out *left, mdf_error *err)
{
    mdf_strbuf text = mdf_strbuf_new(1 << 16);
    mdf_status status = MDF_OK;
    mdf_left_out_text(&text, left);
    if (w->opt->strict && mdf_left_out_cases(left) > 0) {
        status = mdf_fail(err, MDF_ERR_ARG, "--strict: split \"%s\": %s", w->opt->split,
                          text.data != NULL ? text.data : "cases are left out");
    } else if (w->opt->note != NULL && text.len > 0) {
        w->opt->note(w->opt->user, text.data);
    }
    mdf_strbuf_free(&text);
    return status;
}

static mdf_status choose_both(work *w, const mdf_manifest *m, mdf_error *err)
{
    const char *train = w->opt->train_split;
    mdf_left_out left;
    MDF_TRY(choose(w, &w->cases, &left, m, w->opt->split, false, err));
    MDF_TRY(say_left_out(w, &left, err));
    const bool known = w->engine->model->config.train.use_image && train != NULL &&
                       strcmp(train, w->opt->split) != 0 && mdf_manifest_count(m, train) > 0;
    return known ? choose(w, &w->known, &left, m, train, true, err) : MDF_OK;
}

static mdf_status measure(work *w, mdf_error *err)
{
    const mdf_config *c = &w->engine->model->config;
    const mdf_calibrate_options *o = w->opt;
    const mdf_samples_options how = {.side = mdf_config_crop_side(c),
                                     .use_image = c->train.use_image};
    MDF_TRY(mdf_samples_load(&w->sample, &w->cases, &how, o->progress, o->user, err));
    if (mdf_count_classes(&w->sample) < 2) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "split \"%s\": it takes cases of two labels at least to calibrate with",
                        o->split);
    }
    MDF_TRY(mdf_samples_load(&w->picture, &w->known, &how, o->progress, o->user, err));
    return mdf_evaluation_scores(&w->scores, w->engine, &w->sample, o->progress, o->user, err);
}

mdf_status mdf_calibrate(mdf_config *c, const mdf_engine *e, const mdf_manifest *m,
                         const mdf_calibrate_options *opt, mdf_error *err)
{
    work w = {.engine = e, .opt = opt};
    mdf_config *fresh = mdf_alloc(1, sizeof *fresh);
    mdf_status status = fresh == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory") : MDF_OK;
    if (status == MDF_OK) {
        status = choose_both(&w, m, err);
    }
    if (status == MDF_OK) {
        status = measure(&w, err);
    }
    if (status == MDF_OK) {
        *fresh = *c;
        memset(&fresh->doubt, 0, sizeof fresh->doubt);
        status = mdf_validation_calibrate(fresh, &w.scores, &w.sample, err);
    }
    if (status == MDF_OK) {
        const mdf_samples *const split[] = {&w.picture, &w.sample};
        status = mdf_validation_pictures(fresh, split, 2, opt->share, err);
    }
    if (status == MDF_OK) {
        *c = *fresh;
    }
    work_free(&w);
    mdf_free(fresh);
    return status;
}

mdf_status mdf_calibrate_write(const char *dir, const mdf_config *c, mdf_error *err)
{
    mdf_strbuf text = mdf_strbuf_new(MDF_MAX_CONFIG_BYTES);
    char *path = mdf_path_join(dir, "config.json");
    mdf_status status = path == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir)
                                     : mdf_config_write(c, &text, err);
    if (status == MDF_OK) {
        status = mdf_file_write(path, text.data, text.len, err);
    }
    mdf_free(path);
    mdf_strbuf_free(&text);
    return status;
}

double mdf_calibrate_most(size_t n)
{
    return (double)n / (double)(n + 1);
}
