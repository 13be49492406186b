/* What another form of a model (quantised, say) changes in its answers to given cases: one model is
 * open at a time, its numbers for all cases are kept. */
#ifndef MDF_ENGINE_CASE_CHANGE_H
#define MDF_ENGINE_CASE_CHANGE_H

#include "data/manifest.h"
#include "data/samples.h"

/* A model's numbers for cases. Owns its arrays; mdf_case_numbers_free(). */
typedef struct mdf_case_numbers {
    size_t cases, vocabulary, labels; /* labels 0: the model has none */
    float *logit;                     /* [cases, vocabulary] of the token behind the prompt */
    float *score;                     /* [cases, labels] before the temperature */
    double temperature;
} mdf_case_numbers;

/* How to run a model over cases. */
typedef struct mdf_case_run {
    const char *model_dir;
    const mdf_manifest *manifest;
    size_t limit; /* so many cases, evenly spaced; 0: all */
    int threads;
    mdf_samples_progress *progress; /* or NULL */
    void *user;
} mdf_case_run;

/* Photograph and text of every case are read once, as mdf predict reads them; a text model reads
 * the text only. */
mdf_status mdf_case_numbers_get(mdf_case_numbers *out, const mdf_case_run *run,
                                mdf_error *err) MDF_NODISCARD;
void mdf_case_numbers_free(mdf_case_numbers *n);

/* Between two sets of numbers x and y in rows. */
typedef struct mdf_change {
    double max, rms;  /* of y - x */
    double deviation; /* of x from the mean of its row, root mean square: what rms is to be compared
                         with */
    double prob_max, prob_rms; /* of the rows' probabilities */
    double kl;                 /* sum p log(p / q), mean over the rows, in nats */
    size_t changed;            /* rows whose largest number is another one */
} mdf_change;

typedef struct mdf_case_change {
    size_t cases, labels;
    mdf_change token; /* logits of the next token */
    mdf_change label; /* scores; probabilities at the first model's temperature */
} mdf_case_change;

/* MDF_ERR_SHAPE: the two are not of the same cases, vocabulary and labels. */
mdf_status mdf_case_change_of(mdf_case_change *out, const mdf_case_numbers *before,
                              const mdf_case_numbers *after, mdf_error *err) MDF_NODISCARD;

#endif
