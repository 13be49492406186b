/* How well a model draws masks: Dice of each kind inside the field of view. */
#ifndef MDF_TRAIN_MASK_SCORES_H
#define MDF_TRAIN_MASK_SCORES_H

#include <jansson.h>

#include "base/strbuf.h"
#include "data/samples.h"
#include "nn/segment.h"
#include "train/mask_places.h"

typedef struct mdf_mask_score {
    size_t n;      /* pictures with such a mask */
    size_t boxes;  /* of them those whose mask was drawn from incomplete boxes */
    double sum;    /* of their Dice: 2 |A and B| / (|A| + |B|), 1 when both are empty */
    double square; /* of their Dice's squares */
} mdf_mask_score;

typedef struct mdf_mask_scores {
    mdf_mask_score of[MDF_MASK_NAMES];
    mdf_disc_places disc;
    mdf_lesion_places lesion; /* where the likeliest of the model's kinds is likely */
} mdf_mask_scores;

/* One picture's Dice; partial: its mask was drawn from incomplete boxes. */
void mdf_mask_score_add(mdf_mask_score *s, double dice, bool partial);

/* Draws the sample's masks (nn/segment.h), takes what is above one half, and compares it, pixel by
 * pixel of the sample's crop, with those that it has. Failures as of mdf_segment_crop(). */
mdf_status mdf_mask_scores_add(mdf_mask_scores *out, mdf_graph *g, const mdf_mllm *m,
                               const mdf_sample *s, mdf_error *err) MDF_NODISCARD;

/* All samples that have masks; stops with MDF_ERR_STOPPED when progress (may be NULL) says so. */
mdf_status mdf_mask_scores_run(mdf_mask_scores *out, mdf_graph *g, const mdf_mllm *m,
                               const mdf_samples *s, mdf_samples_progress *progress, void *user,
                               mdf_error *err) MDF_NODISCARD;

bool mdf_mask_scores_any(const mdf_mask_scores *m);
double mdf_mask_score_dice(const mdf_mask_score *s);   /* mean over its pictures; NAN without any */
double mdf_mask_scores_mean(const mdf_mask_scores *m); /* over the kinds; NAN without any */

/* {"vessel": {"dice": 0.8, "sd": 0.02, "n": 8, "from_boxes": 0}, ...}: kinds that any picture has,
 * and "disc_centre" and "lesions" (train/mask_places.h); NULL when out of memory. */
json_t *mdf_mask_scores_json(const mdf_mask_scores *m);

/* "vessel Dice           0.800  (8 pictures, sd 0.020)\n" for each, then where they lie. */
void mdf_mask_scores_text(mdf_strbuf *out, const mdf_mask_scores *m);

#endif
