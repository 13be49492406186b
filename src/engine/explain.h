/* Which parts of a picture speak for an answer: maps by several methods, at several depths of the
 * U-Net, and how they are joined to one heat-map (docs/MODEL.md section 9). */
#ifndef MDF_ENGINE_EXPLAIN_H
#define MDF_ENGINE_EXPLAIN_H

#include "mdf.h"
#include "nn/mdf_mllm.h"

enum {
    MDF_EXPLAIN_METHODS = MDF_EXPLAIN_OCCLUSION, /* all but the usual one, which is one of them */
    MDF_EXPLAIN_DEPTHS = MDF_TAP_LEVELS,
    MDF_OCCLUSION_SIDE = 16 /* cells along a side of the picture that are hidden in turn */
};

/* The method that MDF_EXPLAIN_USUAL stands for. */
#define MDF_EXPLAIN_DEFAULT MDF_EXPLAIN_LAYERCAM

/* "gradient", ..., of MDF_EXPLAIN_GRADIENT and those behind it. */
const char *mdf_explain_name(mdf_explain method);
/* False: there is none of that name. "usual" has none. */
bool mdf_explain_find(mdf_explain *out, const char *name);

/* Why the model's answers can't be explained so; NULL: they can. */
const char *mdf_explain_obstacle(const mdf_mllm *m, mdf_explain method);

/* Maps of one method and one answer: how much the places speak for it. Caller frees with
 * mdf_explanation_free(). */
typedef struct mdf_explanation {
    int side[MDF_EXPLAIN_DEPTHS + 1];   /* of depth 1..5 (skips, bottleneck); 0: of the picture, by
                                           occlusion. A side of 0: no such map */
    float *map[MDF_EXPLAIN_DEPTHS + 1]; /* [side,side] >= 0 */
} mdf_explanation;

void mdf_explanation_free(mdf_explanation *e);

/* A new map of zeros for a depth that has none. */
mdf_status mdf_explanation_add(mdf_explanation *e, int depth, int side,
                               mdf_error *err) MDF_NODISCARD;

/* What is explained is the sum of weight[k] times the score of label k. The log-probability of a
 * label among the allowed ones has this gradient: weight = 1 at the label minus the probabilities
 * (of temperature 1). weight, score, allowed: [labels]. */
void mdf_explain_log_prob(mdf_real *weight, const mdf_real *score, const bool *allowed, int labels,
                          int label);

/* Log-probability of a label among the allowed ones. */
double mdf_label_log_prob(const mdf_real *score, const bool *allowed, int labels, int label,
                          double temperature);

/* What a forward pass of one case must be given (mdf_batch.taps, with graph->train) for the methods
 * that need a gradient: all but occlusion. */
mdf_taps mdf_explain_taps(mdf_explain method);

/* Runs the tape backward; the graph holds no other result afterwards. *out is empty on failure.
 * gradient   gradient times feature where features leave the U-Net: the fusion's patches (levels
 *            1..4), the bottleneck if the classifier of the picture has a say; positive part
 * layercam   positive gradients times features at the levels' own resolution, summed over channels,
 *            positive part (Jiang et al. 2021); all that follows from a level counts for it
 * attention  attention of the fusion blocks times its gradient, summed over the text's rows, the
 *            positive part of every key/value head (after Chefer et al. 2021) */
mdf_status mdf_explain_backward(mdf_explanation *out, mdf_graph *g, const mdf_mllm *m,
                                const mdf_output *o, const mdf_taps *taps, mdf_explain method,
                                const mdf_real *weight, mdf_error *err) MDF_NODISCARD;

/* --- one map of them --- */

/* Is the middle of cell i of side x side cells inside the disc that fills the picture? */
bool mdf_heat_in_disc(int i, int side);

/* out [to,to] from in [from,from]: a cell takes what lies in it; the sum stays. */
void mdf_heat_resample(float *out, int to, const float *in, int from);

/* How several depths become one map. */
typedef enum mdf_heat_joining {
    MDF_HEAT_ADDED,  /* their sum */
    MDF_HEAT_SCALED, /* each to its largest cell first, so that all have the same say */
    MDF_HEAT_AGREED, /* geometric mean of the three deepest that there are: what all of them show */
    MDF_HEAT_JOININGS
} mdf_heat_joining;

/* "added", "scaled", "agreed". */
extern const char *const mdf_heat_joining_names[MDF_HEAT_JOININGS];

typedef struct mdf_heat_join {
    int depth;                /* 0: all of them */
    mdf_heat_joining joining; /* of all; a depth alone is shown as it is */
    bool round_view;          /* cells outside of the disc that fills the picture get nothing */
} mdf_heat_join;

/* Cells along a side that the depths have at their finest, MDF_MAX_HEAT at most; 0: no map. */
int mdf_heat_side(const mdf_explanation *e, int depth);
/* out [side,side]: the depths joined, 1 at its largest cell (or all 0). */
mdf_status mdf_heat_of(float *out, int side, const mdf_explanation *e, const mdf_heat_join *join,
                       mdf_error *err) MDF_NODISCARD;

/* How mdf_session_classify() joins a method's maps. LayerCAM's where they agree, if the bottleneck
 * has a say, that is if the model classifies the picture alone as well; else their sum
 * (docs/RESULTS.md: what a small model without such a classifier knows of the place is in it). */
mdf_heat_joining mdf_explain_joining(mdf_explain method, const mdf_explanation *e);

#endif
