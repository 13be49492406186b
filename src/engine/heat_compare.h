/* Do heat-maps show what they should, and what the model goes by? Every method on the same rightly
 * classified cases, beside maps that know nothing of the model (docs/MODEL.md section 9). */
#ifndef MDF_ENGINE_HEAT_COMPARE_H
#define MDF_ENGINE_HEAT_COMPARE_H

#include "base/strbuf.h"
#include "engine/evaluation.h"
#include "engine/heat_measure.h"
#include "train/bootstrap.h"

/* Measured of every map. */
typedef enum mdf_heat_measure {
    MDF_HEAT_HIT,       /* the pointing game */
    MDF_HEAT_AUPRC,     /* against the mask */
    MDF_HEAT_MASS,      /* share of the heat on the mask */
    MDF_HEAT_DELETION,  /* mean probability of the answer while cells are blurred, hottest first */
    MDF_HEAT_INSERTION, /* while they come back, hottest first */
    MDF_HEAT_HEAD,      /* rank correlation with the map of a model whose head is shuffled */
    MDF_HEAT_ENCODER,   /* whose encoder is */
    MDF_HEAT_MEASURES
} mdf_heat_measure;

enum { MDF_HEAT_ROWS = 40 };

/* One kind of map. Only joined maps have curves and are compared with shuffled models. */
typedef struct mdf_heat_row {
    const char *method; /* of mdf_explain_name(), or "random", "gaussian", "brightness" */
    int depth;          /* 1..5; 0: all of them, or a map without depths */
    bool joined;        /* of several depths */
    mdf_heat_joining joining;
    bool known; /* a method, no baseline: it was timed */
    double ms;  /* a picture: forward and backward passes, on this machine, now */
    double *value[MDF_HEAT_MEASURES]; /* [n]; NAN: not measured */
} mdf_heat_row;

/* Owns its arrays; mdf_heat_compare_free(). */
typedef struct mdf_heat_compare {
    size_t n;       /* cases measured */
    size_t right;   /* rightly answered ones, of which they were drawn */
    size_t masks;   /* of those, with a mask; 0: nothing is known of where signs are */
    size_t empty;   /* passed over: their mask is empty */
    bool shuffled;  /* false: weights stay in their files, so no model was shuffled */
    uint64_t seed;  /* of the draw */
    size_t limit;   /* most cases */
    int *label;     /* [n] into the evaluation's label_name */
    int *patient;   /* [n] */
    double *chance; /* [n] that a random cell hits; NAN without a mask */
    double *area;   /* [n] of the mask: prevalence */
    mdf_heat_row row[MDF_HEAT_ROWS];
    size_t rows;
} mdf_heat_compare;

typedef struct mdf_heat_compare_options {
    bool method[MDF_EXPLAIN_METHODS]; /* [method - 1]; what suits the model */
    size_t limit;                     /* most cases, drawn by seed; at least 1 */
    uint64_t seed;
    mdf_samples_progress *progress; /* may be NULL */
    void *user;
} mdf_heat_compare_options;

/* m, ev: what mdf_evaluate() was given and made of it. */
mdf_status mdf_heat_compare_run(mdf_heat_compare *out, const mdf_engine *e, const mdf_manifest *m,
                                const mdf_evaluation *ev, const mdf_heat_compare_options *opt,
                                mdf_error *err) MDF_NODISCARD;
void mdf_heat_compare_free(mdf_heat_compare *c);

/* What is said of a row. */
typedef enum mdf_heat_number {
    MDF_HEAT_SAYS_POINTING,
    MDF_HEAT_SAYS_SKILL, /* (pointing - chance) / (1 - chance) */
    MDF_HEAT_SAYS_AUPRC,
    MDF_HEAT_SAYS_GAIN, /* mean share of the heat on the mask / mean share of the area */
    MDF_HEAT_SAYS_DELETION,
    MDF_HEAT_SAYS_INSERTION,
    MDF_HEAT_SAYS_HEAD,
    MDF_HEAT_SAYS_ENCODER,
    MDF_HEAT_SAYS
} mdf_heat_number;

/* Over the cases of one label, or all (-1); intervals by drawing patients. */
mdf_status mdf_heat_estimate(mdf_estimate *out, const mdf_heat_compare *c, size_t row,
                             mdf_heat_number number, int label, size_t resamples,
                             mdf_error *err) MDF_NODISCARD;

/* --- heat_compare_text.c --- */

/* "gradient, scaled": the method and how its depths are joined, or "gradient, depth 2". */
void mdf_heat_row_name(mdf_strbuf *out, const mdf_heat_row *row);

/* How many cases were measured of how many, and how they were chosen: a sentence. */
void mdf_heat_compare_about(mdf_strbuf *out, const mdf_heat_compare *c);

/* A table for people. */
mdf_status mdf_heat_compare_text(mdf_strbuf *out, const mdf_heat_compare *c,
                                 const mdf_evaluation *ev, size_t resamples,
                                 mdf_error *err) MDF_NODISCARD;

/* {"cases", "right", "masks", "empty", "limit", "seed", "cells", "shuffled", "chance",
 * "prevalence", "maps": [{"method", "depth", "joined", "ms", "pointing": {"value", "ci", "n"},
 * "skill", ..., "per_class": {label: {...}}}]}. */
mdf_status mdf_heat_compare_json(json_t **out, const mdf_heat_compare *c, const mdf_evaluation *ev,
                                 size_t resamples, mdf_error *err) MDF_NODISCARD;

#endif
