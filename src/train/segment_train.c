/* The parts that a training by crops has its own way of. */
#include "train/segment_train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "train/relabel.h"
#include "train/segment_samples.h"

static void say(const mdf_train_options *o, const char *text)
{
    if (o->note != NULL) {
        o->note(o->user, text);
    }
}

/* Labels do not matter here, but whoever trains on finds them in the configuration. */
static mdf_status take_labels(mdf_answer_config *a, const mdf_manifest *m, const char *split,
                              mdf_error *err)
{
    bool seen[MDF_MAX_CLASSES] = {false};
    int labels = 0;
    for (size_t i = 0; i < m->case_count; i++) {
        const int label = m->cases[i].label;
        labels += label >= 0 && !seen[label];
        if (label >= 0) {
            seen[label] = true;
        }
    }
    return labels < 2 ? MDF_OK : mdf_labels_of_cases(a, m, split, err);
}

/* The cases' labels by the model's table; -1 for what it does not have. */
static void renumber(mdf_manifest *m, const mdf_answer_config *a)
{
    int number[MDF_MAX_CLASSES];
    for (int k = 0; k < m->label_count; k++) {
        number[k] = -1;
        for (int j = 0; j < a->label_count; j++) {
            number[k] = strcmp(m->labels[k], a->labels[j]) == 0 ? j : number[k];
        }
    }
    for (size_t i = 0; i < m->case_count; i++) {
        const int label = m->cases[i].label;
        m->cases[i].label = label < 0 ? -1 : number[label];
    }
}

static mdf_status split_of(mdf_manifest *out, const mdf_train_options *o, const char *split,
                           bool optional, mdf_error *err)
{
    MDF_TRY(mdf_manifest_copy(out, o->manifest, err));
    if (optional && mdf_manifest_count(out, split) == 0) {
        out->case_count = 0;
        return MDF_OK;
    }
    return mdf_manifest_keep_split(out, split, err);
}

mdf_status mdf_segment_choose(mdf_manifest *train, mdf_manifest *val, mdf_config *c,
                              const mdf_train_options *o, mdf_error *err)
{
    c->unet.mask_side = c->train.crop.side;
    MDF_TRY(split_of(train, o, o->train_split, false, err));
    mdf_segment_mark_healthy(train, &c->train);
    MDF_TRY(split_of(val, o, o->val_split, true, err));
    MDF_TRY(take_labels(&c->answer, train, o->train_split, err));
    size_t without = 0;
    char text[1200];
    mdf_strbuf said = mdf_strbuf_new(1000);
    const mdf_status status = mdf_segment_cases(train, val, c, &without, &said, err);
    if (status == MDF_OK && without > 0) {
        (void)snprintf(
            text, sizeof text, "split \"%s\": %zu case%s no mask of the model and %s not used",
            o->train_split, without, without == 1 ? " has" : "s have", without == 1 ? "is" : "are");
        say(o, text);
    }
    if (status == MDF_OK && said.len > 0) {
        (void)snprintf(text, sizeof text, "split \"%s\": %s", o->val_split, said.data);
        say(o, text);
    }
    mdf_strbuf_free(&said);
    renumber(train, &c->answer);
    renumber(val, &c->answer);
    return status;
}

mdf_status mdf_segment_beside(mdf_manifest *crops, mdf_config *c, const mdf_train_options *o,
                              mdf_error *err)
{
    c->unet.mask_side = c->train.crop.side;
    MDF_TRY(split_of(crops, o, o->train_split, false, err));
    mdf_segment_mark_healthy(crops, &c->train);
    return mdf_segment_keep(crops, c, err);
}

mdf_status mdf_segment_validate(mdf_train_event *e, mdf_graph *g, const mdf_mllm *m,
                                const mdf_samples *val, mdf_samples_progress *progress, void *user,
                                mdf_error *err)
{
    mdf_mask_scores scores;
    MDF_TRY(mdf_mask_scores_run(&scores, g, m, val, progress, user, err));
    e->val_loss = e->val_auc = e->val_balanced_accuracy = (double)NAN;
    e->val_vessel_dice = mdf_mask_score_dice(&scores.of[MDF_MASK_VESSEL]);
    e->val_dice = mdf_mask_scores_mean(&scores);
    return MDF_OK;
}
