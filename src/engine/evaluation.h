/* A model on a split: scores, probabilities before and after calibration, metrics. */
#ifndef MDF_ENGINE_EVALUATION_H
#define MDF_ENGINE_EVALUATION_H

#include "engine/engine.h"
#include "train/evaluate.h"
#include "train/metrics.h"

/* Owns everything; mdf_evaluation_free(). Cases without a label of the model are left out of the
 * metrics but not of the mask overlap. */
typedef struct mdf_evaluation {
    size_t n, classes;
    float *prob, *calibrated; /* [n,classes] */
    int *label, *patient;     /* [n]; label: into label_name */
    const char **file_name;   /* [n], the manifest's */
    const char **patient_id;  /* [n] */
    const char **label_name;  /* [classes]: the engine's, or those asked for, in its order */
    mdf_metrics_input input;  /* points into the arrays */
    mdf_metrics metrics;
    mdf_scores scores;
} mdf_evaluation;

/* manifest: the cases to evaluate, relabelled by this function to the engine's labels. labels: only
 * these cases and these answers (NULL, 0: all of the model's). */
mdf_status mdf_evaluate(mdf_evaluation *out, const mdf_engine *e, mdf_manifest *m,
                        const char *const *labels, size_t label_count, size_t resamples,
                        uint64_t seed, mdf_samples_progress *progress, void *user,
                        mdf_error *err) MDF_NODISCARD;
void mdf_evaluation_free(mdf_evaluation *e);

#endif
