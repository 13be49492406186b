/* A model on a split: scores, probabilities before and after calibration, metrics. */
#ifndef MDF_ENGINE_EVALUATION_H
#define MDF_ENGINE_EVALUATION_H

#include "data/retext.h"
#include "engine/engine.h"
#include "train/doubt.h"
#include "train/evaluate.h"
#include "train/metrics.h"
#include "train/relabel.h"

/* Owns everything; mdf_evaluation_free(). Cases without a label of the model are left out of the
 * metrics but not of the masks. Where no case has one, and for a model that draws masks alone
 * (train_config.task = "segment"), n is 0 and the rest is empty but for masks and left_out. */
typedef struct mdf_evaluation {
    size_t n, classes;
    float *prob, *calibrated; /* [n,classes] */
    int *label, *patient;     /* [n]; label: into label_name */
    const char **file_name;   /* [n], the manifest's */
    const char **patient_id;  /* [n]; of a case without one its file name, as the table has it */
    const char **label_name;  /* [classes]: the engine's, or those asked for, in its order */
    mdf_left_out left_out;    /* what the metrics do not speak of; names of manifest and engine */
    mdf_metrics_input input;  /* points into the arrays */
    mdf_metrics metrics;
    mdf_doubt doubt;
    mdf_retexted text; /* what became of the texts */
    mdf_scores scores;
    mdf_mask_scores masks; /* at the detail that the model draws at */
} mdf_evaluation;

typedef struct mdf_evaluate_options {
    const char *const *labels; /* only these cases and these answers; NULL, 0: all of the model's */
    size_t label_count;
    mdf_retext text;  /* what the model reads in place of the cases' texts */
    double coverage;  /* of sets of labels, which are of all: none with labels; 0: no sets */
    size_t resamples; /* of the bootstrap */
    uint64_t seed;
    bool no_masks; /* labels alone: none is drawn, and cases without a label are left out */
    bool strict;   /* a case that is left out, for its label or for want of one, is an error */
    void (*note)(void *user, const char *text); /* before the work: what is left out; may be NULL */
    mdf_samples_progress *progress;             /* may be NULL */
    void *user;
} mdf_evaluate_options;

/* manifest: the cases to evaluate, relabelled by this function to the engine's labels, and with the
 * texts that were read; it must outlive *out. MDF_ERR_ARG before any picture is read: an unknown
 * label is asked for, no case is left, masks are all that the model draws and none is wanted, or
 * one is left out that must not be, the texts can't be changed as wanted (mdf_retext_apply()), or
 * the model gives no such coverage. A picture that can't be read is an error that names it. */
mdf_status mdf_evaluate(mdf_evaluation *out, const mdf_engine *e, mdf_manifest *m,
                        const mdf_evaluate_options *opt, mdf_error *err) MDF_NODISCARD;
void mdf_evaluation_free(mdf_evaluation *e);

/* The scores of samples that the model's configuration prepared. Caller frees *scores. */
mdf_status mdf_evaluation_scores(mdf_scores *scores, const mdf_engine *e, const mdf_samples *s,
                                 mdf_samples_progress *progress, void *user,
                                 mdf_error *err) MDF_NODISCARD;

/* The manifest's entry of case i; m is what mdf_evaluate() was given. */
const mdf_manifest_case *mdf_evaluation_case(const mdf_evaluation *e, size_t i,
                                             const mdf_manifest *m);

#endif
