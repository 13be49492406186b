/* A list of cases meets a model's labels: which cases its numbers speak of, and which not. */
#ifndef MDF_TRAIN_RELABEL_H
#define MDF_TRAIN_RELABEL_H

#include <jansson.h>

#include "base/limits.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "data/manifest.h"

/* What numbers about a model do not speak of. Names are borrowed: of the manifest, of the table. */
typedef struct mdf_left_out {
    size_t unknown;    /* cases with a label that the model does not have */
    size_t unlabelled; /* cases without a label, and without a mask that is used */
    size_t not_asked;  /* cases with a label of the model that is not asked for */
    size_t masks_only; /* cases without a label that stay for their masks */
    int name_count;    /* the unknown labels, in byte order */
    const char *name[MDF_MAX_CLASSES];
    size_t name_cases[MDF_MAX_CLASSES]; /* their cases; the sum is unknown */
    int empty_count;                    /* labels asked for that no case has */
    const char *empty[MDF_MAX_CLASSES];
} mdf_left_out;

typedef struct mdf_relabel_options {
    const char *const *labels; /* [label_count] of the model */
    size_t label_count;
    const bool *asked; /* [label_count]; NULL: all */
    /* Cases that have such a mask stay without a label, as -1, whatever theirs was. */
    bool keep_mask[MDF_MASK_NAMES];
} mdf_relabel_options;

/* Renumbers the cases' labels by the model's table; cases without one of them go. m's own table of
 * labels is left as it was. Returns how many cases have a label now. */
size_t mdf_relabel(mdf_left_out *out, mdf_manifest *m, const mdf_relabel_options *opt);

/* The labels that the cases have become the model's, unless it has some. MDF_ERR_ARG: fewer than
 * two, which a classifier needs; split stands in the error. */
mdf_status mdf_labels_of_cases(mdf_answer_config *a, const mdf_manifest *m, const char *split,
                               mdf_error *err) MDF_NODISCARD;

/* Cases that the user did not ask to leave out. */
size_t mdf_left_out_cases(const mdf_left_out *l);

/* "3 cases have a label that the model does not know (amd 2, cataract 1); 2 cases have no label;
 * ..."; nothing when no case is left out and every label has one. Long lists are cut. */
void mdf_left_out_text(mdf_strbuf *out, const mdf_left_out *l);

/* {"unknown_labels": {"amd": 2, "cataract": 1}, "unlabelled", "not_asked", "masks_only",
 * "labels_without_cases": []}; NULL when out of memory. */
json_t *mdf_left_out_json(const mdf_left_out *l);

#endif
