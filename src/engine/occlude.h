/* A picture with cells hidden behind a blurred copy of itself, and what the model says of it. */
#ifndef MDF_ENGINE_OCCLUDE_H
#define MDF_ENGINE_OCCLUDE_H

#include "engine/explain.h"

enum { MDF_OCCLUSION_CELLS = MDF_OCCLUSION_SIDE * MDF_OCCLUSION_SIDE };

/* One of the two pictures that the model reads. */
typedef struct mdf_occluded {
    const mdf_real *plain;    /* [side,side,3], borrowed; NULL: the model does not read it */
    mdf_real *blurred, *many; /* [side,side,3], [copies,side,side,3] */
    int side;
} mdf_occluded;

/* One case. Caller frees with mdf_occluder_free(). */
typedef struct mdf_occluder {
    const mdf_mllm *model; /* borrowed, with the graph */
    mdf_graph *graph;
    mdf_batch batch; /* copies of the case; its arrays are the occluder's */
    size_t copies;
    mdf_occluded unet, vision;
    int32_t *prompt, *prompt_len, *image_at;
} mdf_occluder;

/* one: a batch of one case with its pictures, of which the tower sees the crop in one tile; it must
 * outlive the occluder. The blur is Gaussian, a cell's width its standard deviation; with
 * round_view it knows only what lies inside the disc that fills the picture. */
mdf_status mdf_occluder_new(mdf_occluder *o, mdf_graph *g, const mdf_mllm *m, const mdf_batch *one,
                            bool round_view, mdf_error *err) MDF_NODISCARD;
void mdf_occluder_free(mdf_occluder *o);

/* Label scores [n,labels] of n pictures; hidden [n,MDF_OCCLUSION_CELLS]: 1 = behind the blur. The
 * graph is reset. */
mdf_status mdf_occluder_scores(mdf_occluder *o, const uint8_t *hidden, size_t n, mdf_real *score,
                               mdf_error *err) MDF_NODISCARD;

/* A cell's number is how much lower the log-probability of label (among the allowed ones, at
 * temperature 1) is without it; 0 where it is not lower. Map of depth 0. */
mdf_status mdf_explain_occlusion(mdf_explanation *out, mdf_occluder *o, const bool *allowed,
                                 int label, mdf_error *err) MDF_NODISCARD;

#endif
