/* Methods by name, and how their maps are joined to one heat-map. */
#include "engine/explain.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

static const char *const names[MDF_EXPLAIN_METHODS] = {"gradient", "layercam", "attention",
                                                       "occlusion"};

const char *mdf_explain_name(mdf_explain method)
{
    return names[method - MDF_EXPLAIN_GRADIENT];
}

bool mdf_explain_find(mdf_explain *out, const char *name)
{
    for (int i = 0; i < MDF_EXPLAIN_METHODS; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (mdf_explain)(MDF_EXPLAIN_GRADIENT + i);
            return true;
        }
    }
    return false;
}

const char *const mdf_heat_joining_names[MDF_HEAT_JOININGS] = {"added", "scaled", "agreed"};

mdf_heat_joining mdf_explain_joining(mdf_explain method, const mdf_explanation *e)
{
    const bool bottleneck = e->side[MDF_EXPLAIN_DEPTHS] > 0;
    return method == MDF_EXPLAIN_GRADIENT                 ? MDF_HEAT_SCALED
           : method == MDF_EXPLAIN_LAYERCAM && bottleneck ? MDF_HEAT_AGREED
                                                          : MDF_HEAT_ADDED;
}

const char *mdf_explain_obstacle(const mdf_mllm *m, mdf_explain method)
{
    const mdf_config *c = &m->config;
    if (!c->train.use_image) {
        return "this model does not look at pictures";
    }
    if (method == MDF_EXPLAIN_OCCLUSION) {
        return NULL;
    }
    const bool fuses = c->train.task == MDF_TASK_ANSWER && c->fusion.map_count > 0;
    const bool classifies = m->head.w != NULL && c->answer.image_head;
    if (!mdf_config_has_unet(c) || !c->train.use_unet || !(fuses || classifies)) {
        return "this model's answers do not depend on a U-Net";
    }
    if (method == MDF_EXPLAIN_ATTENTION && (!fuses || c->fusion.attend != MDF_FUSION_BRANCH)) {
        return "this model has no fusion blocks whose attention could be shown";
    }
    return NULL;
}

void mdf_explanation_free(mdf_explanation *e)
{
    for (int d = 0; d <= MDF_EXPLAIN_DEPTHS; d++) {
        mdf_free(e->map[d]);
    }
    *e = (mdf_explanation){0};
}

mdf_status mdf_explanation_add(mdf_explanation *e, int depth, int side, mdf_error *err)
{
    e->map[depth] = mdf_alloc((size_t)side * (size_t)side, sizeof *e->map[depth]);
    if (e->map[depth] == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a map of %d x %d", side, side);
    }
    e->side[depth] = side;
    return MDF_OK;
}

double mdf_label_log_prob(const mdf_real *score, const bool *allowed, int labels, int label,
                          double temperature)
{
    double largest = (double)score[label];
    double sum = 0;
    for (int k = 0; k < labels; k++) {
        largest = allowed[k] ? fmax(largest, (double)score[k]) : largest;
    }
    for (int k = 0; k < labels; k++) {
        sum += allowed[k] ? exp(((double)score[k] - largest) / temperature) : 0;
    }
    return ((double)score[label] - largest) / temperature - log(sum);
}

void mdf_explain_log_prob(mdf_real *weight, const mdf_real *score, const bool *allowed, int labels,
                          int label)
{
    for (int k = 0; k < labels; k++) {
        const double p = allowed[k] ? exp(mdf_label_log_prob(score, allowed, labels, k, 1)) : 0;
        weight[k] = (mdf_real)((k == label ? 1 : 0) - p);
    }
}

bool mdf_heat_in_disc(int i, int side)
{
    const int row = i / side;
    const int column = i % side;
    const double x = 2 * (column + 0.5) / side - 1;
    const double y = 2 * (row + 0.5) / side - 1;
    return x * x + y * y <= 1;
}

/* How much of cell j of `from` lies in cell i of `to`, as a share of cell j. */
static double overlap(int i, int to, int j, int from)
{
    const double low = fmax((double)i * from / to, j);
    const double high = fmin((double)(i + 1) * from / to, j + 1);
    return fmax(high - low, 0);
}

static int last_of(int i, int to, int from)
{
    const int last = (int)(((int64_t)(i + 1) * from + to - 1) / to);
    return last < from ? last : from;
}

void mdf_heat_resample(float *out, int to, const float *in, int from)
{
    if (to == from) {
        memcpy(out, in, (size_t)to * (size_t)to * sizeof *out);
        return;
    }
    for (int r = 0; r < to; r++) {
        for (int c = 0; c < to; c++) {
            double sum = 0;
            for (int y = (int)((int64_t)r * from / to); y < last_of(r, to, from); y++) {
                for (int x = (int)((int64_t)c * from / to); x < last_of(c, to, from); x++) {
                    sum += overlap(r, to, y, from) * overlap(c, to, x, from) *
                           (double)in[(size_t)y * (size_t)from + (size_t)x];
                }
            }
            out[r * to + c] = (float)sum;
        }
    }
}

static bool takes_part(const mdf_explanation *e, int depth, int wanted)
{
    return e->side[depth] > 0 && (wanted == 0 || wanted == depth);
}

int mdf_heat_side(const mdf_explanation *e, int depth)
{
    int side = 0;
    for (int d = 0; d <= MDF_EXPLAIN_DEPTHS; d++) {
        side = takes_part(e, d, depth) && e->side[d] > side ? e->side[d] : side;
    }
    return side * side > MDF_MAX_HEAT ? 64 : side;
}

/* Brings the largest of n numbers to 1 if there is one above 0. */
static void scale_to_one(float *x, int n)
{
    float largest = 0;
    for (int i = 0; i < n; i++) {
        largest = x[i] > largest ? x[i] : largest;
    }
    for (int i = 0; largest > 0 && i < n; i++) {
        x[i] /= largest;
    }
}

/* One pass of 1 2 1 along n places that lie `apart`: a Gaussian of variance 1/2. */
static void smooth_line(float *x, int n, int apart)
{
    float before = x[0];
    for (int i = 0; i < n; i++) {
        const float here = x[i * apart];
        const float behind = i + 1 < n ? x[(i + 1) * apart] : here;
        x[i * apart] = (before + 2 * here + behind) / 4;
        before = here;
    }
}

/* A Gaussian as wide as half a cell of 16 x 16, which is what maps are judged by: single pixels of
 * a fine level are noise. */
static void smooth(float *map, int side)
{
    const int passes = side * side / (2 * MDF_OCCLUSION_SIDE * MDF_OCCLUSION_SIDE);
    for (int k = 0; k < passes; k++) {
        for (int row = 0; row < side; row++) {
            smooth_line(map + row * side, side, 1);
        }
        for (int column = 0; column < side; column++) {
            smooth_line(map + column, side, side);
        }
    }
}

/* A depth's map at the joined one's resolution, as it takes part. */
static void prepare(float *level, int side, const mdf_explanation *e, int depth,
                    const mdf_heat_join *join)
{
    const int cells = side * side;
    mdf_heat_resample(level, side, e->map[depth], e->side[depth]);
    smooth(level, side);
    for (int i = 0; join->round_view && i < cells; i++) {
        level[i] = mdf_heat_in_disc(i, side) ? level[i] : 0;
    }
    if (join->joining == MDF_HEAT_SCALED) {
        scale_to_one(level, cells);
    }
}

/* Adds the logarithm of a map in units of its mean to out; what is nothing counts a thousandth of
 * that, so that one depth alone cannot rule a place out. False: the map is nothing. */
static bool add_logarithms(float *out, const float *level, int cells)
{
    const double least = 1e-3;
    double mean = 0;
    for (int i = 0; i < cells; i++) {
        mean += (double)level[i] / cells;
    }
    for (int i = 0; mean > 0 && i < cells; i++) {
        out[i] += (float)log((double)level[i] / mean + least);
    }
    return mean > 0;
}

/* What `depths` logarithms add up to -> their geometric mean. */
static void end_logarithms(float *out, int side, int depths, bool round_view)
{
    for (int i = 0; i < side * side; i++) {
        const bool seen = depths > 0 && (!round_view || mdf_heat_in_disc(i, side));
        out[i] = seen ? expf(out[i] / (float)depths) : 0;
    }
}

/* The third of the depths that there are, counted from the deepest; 0 where there are fewer. */
static int third_deepest(const mdf_explanation *e)
{
    int left = 3;
    int d = MDF_EXPLAIN_DEPTHS + 1;
    while (left > 0 && d > 0) {
        left -= e->side[--d] > 0;
    }
    return d;
}

mdf_status mdf_heat_of(float *out, int side, const mdf_explanation *e, const mdf_heat_join *join,
                       mdf_error *err)
{
    const bool agreed = join->joining == MDF_HEAT_AGREED && join->depth == 0;
    const int cells = side * side;
    int agreeing = 0;
    float *level = mdf_alloc((size_t)cells, sizeof *level);
    if (level == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a heat-map of %d x %d", side, side);
    }
    memset(out, 0, (size_t)cells * sizeof *out);
    for (int d = agreed ? third_deepest(e) : 0; d <= MDF_EXPLAIN_DEPTHS; d++) {
        if (!takes_part(e, d, join->depth)) {
            continue;
        }
        prepare(level, side, e, d, join);
        if (agreed) {
            agreeing += add_logarithms(out, level, cells);
            continue;
        }
        for (int i = 0; i < cells; i++) {
            out[i] += level[i];
        }
    }
    if (agreed) {
        end_logarithms(out, side, agreeing, join->round_view);
    }
    scale_to_one(out, cells);
    mdf_free(level);
    return MDF_OK;
}
