/* A training in stages: one run after the other. */
#include "train/stages.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/file.h"
#include "train/checkpoint.h"

/* The folder of stage i of count: that of the whole run for the last. Caller frees; NULL = out of
 * memory. */
static char *folder_of(const char *dir, int i, int count)
{
    char name[32];
    if (i + 1 >= count) {
        return mdf_strdup(dir);
    }
    (void)snprintf(name, sizeof name, "stage-%d", i + 1);
    return mdf_path_join(dir, name);
}

static bool begun(const char *dir, int i, int count)
{
    char *folder = folder_of(dir, i, count);
    const bool yes = folder != NULL && mdf_checkpoint_exists(folder);
    mdf_free(folder);
    return yes;
}

bool mdf_stages_begun(const char *dir)
{
    return begun(dir, 0, 1) || begun(dir, 0, 2);
}

typedef struct stage {
    mdf_config config;
    mdf_train_options opt;
    char *out, *before;
} stage;

/* The stage that opt begins with, from 0. */
static int first_of(const mdf_train_options *opt)
{
    return opt->first_stage > 0 ? opt->first_stage - 1 : 0;
}

static mdf_status run_stage(stage *s, const mdf_train_options *all, int i, bool resume,
                            mdf_train_summary *summary, mdf_error *err)
{
    const int count = all->config->train.stage_count;
    const bool follows = i > first_of(all);
    char text[128];
    s->out = folder_of(all->out_dir, i, count);
    s->before = follows ? folder_of(all->out_dir, i - 1, count) : NULL;
    if (s->out == NULL || (follows && s->before == NULL)) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for a path", all->out_dir);
    }
    MDF_TRY(mdf_config_stage(&s->config, all->config, i, err));
    s->opt = *all;
    s->opt.config = &s->config;
    s->opt.out_dir = s->out;
    s->opt.resume = resume;
    if (follows) {
        s->opt.init_dir = s->before;
        s->opt.encoder_path = NULL;
    }
    (void)snprintf(text, sizeof text, "stage %d of %d: %s", i + 1, count,
                   all->config->train.stages[i]);
    if (all->note != NULL) {
        all->note(all->user, text);
    }
    mdf_status status = mdf_train(&s->opt, summary, err);
    if (status != MDF_OK && count > 1) {
        (void)snprintf(text, sizeof text, "stage %d of %d", i + 1, count);
        status = mdf_fail_prefix(err, status, text);
    }
    return status;
}

/* The stage that opt ends before, from 0. */
static int end_of(const mdf_train_options *opt)
{
    return opt->last_stage > 0 ? opt->last_stage : opt->config->train.stage_count;
}

static mdf_status check_stages(const mdf_train_options *opt, mdf_error *err)
{
    const int count = opt->config->train.stage_count;
    const int first = first_of(opt);
    const int end = end_of(opt);
    if (end > count || (first > 0 && first >= count)) {
        return mdf_fail(err, MDF_ERR_ARG, "there is no stage %d: train_config.stages has %d",
                        end > count ? end : first + 1, count);
    }
    if (first > 0 && first >= end) {
        return mdf_fail(err, MDF_ERR_ARG, "stages %d to %d are none", first + 1, end);
    }
    return first == 0 || opt->init_dir != NULL
               ? MDF_OK
               : mdf_fail(
                     err, MDF_ERR_ARG,
                     "stage %d begins with what stage %d has left: give that folder with --init",
                     first + 1, first);
}

mdf_status mdf_train_stages(const mdf_train_options *opt, mdf_train_summary *summary,
                            mdf_error *err)
{
    const int count = opt->config->train.stage_count;
    MDF_TRY(check_stages(opt, err));
    if (count == 0) {
        return mdf_train(opt, summary, err);
    }
    const int end = end_of(opt);
    int first = first_of(opt);
    for (int i = first; opt->resume && i < end; i++) {
        first = begun(opt->out_dir, i, count) ? i : first;
    }
    mdf_status status = MDF_OK;
    for (int i = first; status == MDF_OK && i < end; i++) {
        stage *s = mdf_alloc(1, sizeof *s);
        status = s != NULL ? run_stage(s, opt, i, opt->resume && i == first, summary, err)
                           : mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a stage");
        if (s != NULL) {
            mdf_free(s->out);
            mdf_free(s->before);
        }
        mdf_free(s);
    }
    if (status == MDF_OK && end < count && opt->note != NULL) {
        char text[128];
        (void)snprintf(text, sizeof text,
                       "ends with stage %d of %d: its model is the folder stage-%d below the run's",
                       end, count, end);
        opt->note(opt->user, text);
    }
    return status;
}
