/* A picture with cells hidden behind a blurred copy of itself, and what the model says of it. */
#include "engine/occlude.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

enum { COPIES = 4, PLANES = 4 /* three colours and how much of them there is */ };

/* Whole pixels of a row of cells: pixel p of `side` lies in the cell that holds its centre. */
static int cell_of(int p, int side)
{
    return (2 * p + 1) * MDF_OCCLUSION_SIDE / (2 * side);
}

/* kernel [radius + 1] of a Gaussian; returns the radius. */
static int bell(float *kernel, int side)
{
    const double sigma = (double)side / MDF_OCCLUSION_SIDE;
    const int radius = (int)(3 * sigma);
    for (int i = 0; i <= radius; i++) {
        kernel[i] = (float)exp(-i * i / (2 * sigma * sigma));
    }
    return radius;
}

/* Sums along one axis: numbers of a line are `step` apart, those of the next line `next`. */
static void blur_lines(float *out, const float *in, int side, int step, int next,
                       const float *kernel, int radius)
{
    for (int line = 0; line < side; line++) {
        for (int i = 0; i < side; i++) {
            const int from = i > radius ? i - radius : 0;
            const int to = i + radius < side ? i + radius : side - 1;
            float sum[PLANES] = {0};
            for (int j = from; j <= to; j++) {
                const float w = kernel[j < i ? i - j : j - i];
                const float *p = in + (size_t)line * (size_t)next + (size_t)j * (size_t)step;
                for (int k = 0; k < PLANES; k++) {
                    sum[k] += w * p[k];
                }
            }
            memcpy(out + (size_t)line * (size_t)next + (size_t)i * (size_t)step, sum, sizeof sum);
        }
    }
}

static mdf_status blur(mdf_occluded *p, bool round_view, mdf_error *err)
{
    const size_t pixels = (size_t)p->side * (size_t)p->side;
    float *in = mdf_alloc(pixels * PLANES, sizeof *in);
    float *out = mdf_alloc(pixels * PLANES, sizeof *out);
    float *kernel = mdf_alloc((size_t)p->side + 1, sizeof *kernel);
    mdf_status status = MDF_OK;
    if (in == NULL || out == NULL || kernel == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a blurred picture");
    }
    for (size_t i = 0; status == MDF_OK && i < pixels; i++) {
        const bool there = !round_view || mdf_heat_in_disc((int)i, p->side);
        for (size_t k = 0; k < 3; k++) {
            in[PLANES * i + k] = there ? (float)p->plain[3 * i + k] : 0;
        }
        in[PLANES * i + 3] = there ? 1 : 0;
    }
    if (status == MDF_OK) {
        const int radius = bell(kernel, p->side);
        blur_lines(out, in, p->side, PLANES, PLANES * p->side, kernel, radius);
        blur_lines(in, out, p->side, PLANES * p->side, PLANES, kernel, radius);
    }
    for (size_t i = 0; status == MDF_OK && i < pixels; i++) {
        const bool there = !round_view || mdf_heat_in_disc((int)i, p->side);
        for (size_t k = 0; k < 3; k++) {
            p->blurred[3 * i + k] = there ? (mdf_real)(in[PLANES * i + k] / in[PLANES * i + 3])
                                          : p->plain[3 * i + k]; /* the black frame stays black */
        }
    }
    mdf_free(in);
    mdf_free(out);
    mdf_free(kernel);
    return status;
}

static mdf_status see(mdf_occluded *p, const mdf_real *plain, int side, size_t copies,
                      bool round_view, mdf_error *err)
{
    if (plain == NULL) {
        return MDF_OK;
    }
    const size_t count = (size_t)side * (size_t)side * 3;
    *p = (mdf_occluded){.plain = plain, .side = side};
    p->blurred = mdf_alloc(count, sizeof *p->blurred);
    p->many = mdf_alloc(copies * count, sizeof *p->many);
    if (p->blurred == NULL || p->many == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %zu pictures", copies);
    }
    return blur(p, round_view, err);
}

/* The same text beside every picture. */
static mdf_status repeat_text(mdf_occluder *o, const mdf_batch *one, mdf_error *err)
{
    const size_t len = (size_t)one->prompt_len[0];
    o->prompt = mdf_alloc(o->copies * len, sizeof *o->prompt);
    o->prompt_len = mdf_alloc(o->copies, sizeof *o->prompt_len);
    o->image_at = mdf_alloc(o->copies, sizeof *o->image_at);
    if (o->prompt == NULL || o->prompt_len == NULL || o->image_at == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %zu prompts", o->copies);
    }
    for (size_t i = 0; i < o->copies; i++) {
        memcpy(o->prompt + i * len, one->prompt, len * sizeof *o->prompt);
        o->prompt_len[i] = one->prompt_len[0];
        o->image_at[i] = one->image_at[0];
    }
    return MDF_OK;
}

mdf_status mdf_occluder_new(mdf_occluder *o, mdf_graph *g, const mdf_mllm *m, const mdf_batch *one,
                            bool round_view, mdf_error *err)
{
    const mdf_config *c = &m->config;
    const size_t fit = MDF_MAX_TOKENS / (size_t)one->prompt_len[0];
    *o = (mdf_occluder){.model = m, .graph = g};
    o->copies = fit < 1 ? 1 : fit < COPIES ? fit : COPIES;
    mdf_status status = repeat_text(o, one, err);
    if (status == MDF_OK) {
        status = see(&o->unet, one->unet_image, c->unet.image_size, o->copies, round_view, err);
    }
    if (status == MDF_OK) {
        status =
            see(&o->vision, one->vision_image, c->vision.image_size, o->copies, round_view, err);
    }
    if (status != MDF_OK) {
        mdf_occluder_free(o);
        return status;
    }
    o->batch = (mdf_batch){.unet_image = o->unet.many,
                           .vision_image = o->vision.many,
                           .image_at = o->image_at,
                           .prompt = o->prompt,
                           .prompt_len = o->prompt_len,
                           .tree = one->tree};
    return MDF_OK;
}

void mdf_occluder_free(mdf_occluder *o)
{
    mdf_free(o->unet.blurred);
    mdf_free(o->unet.many);
    mdf_free(o->vision.blurred);
    mdf_free(o->vision.many);
    mdf_free(o->prompt);
    mdf_free(o->prompt_len);
    mdf_free(o->image_at);
    *o = (mdf_occluder){0};
}

static void hide(const mdf_occluded *p, const uint8_t *hidden, size_t at)
{
    const size_t side = (size_t)p->side;
    for (size_t y = 0; p->plain != NULL && y < side; y++) {
        const uint8_t *row = hidden + cell_of((int)y, p->side) * MDF_OCCLUSION_SIDE;
        for (size_t x = 0; x < side; x++) {
            const mdf_real *from = row[cell_of((int)x, p->side)] != 0 ? p->blurred : p->plain;
            memcpy(p->many + 3 * ((at * side + y) * side + x), from + 3 * (y * side + x),
                   3 * sizeof *from);
        }
    }
}

mdf_status mdf_occluder_scores(mdf_occluder *o, const uint8_t *hidden, size_t n, mdf_real *score,
                               mdf_error *err)
{
    const size_t labels = (size_t)o->model->config.answer.label_count;
    for (size_t at = 0; at < n; at += o->copies) {
        const size_t count = n - at < o->copies ? n - at : o->copies;
        for (size_t i = 0; i < count; i++) {
            hide(&o->unet, hidden + (at + i) * MDF_OCCLUSION_CELLS, i);
            hide(&o->vision, hidden + (at + i) * MDF_OCCLUSION_CELLS, i);
        }
        o->batch.cases = (int64_t)count;
        mdf_graph_reset(o->graph);
        o->graph->train = false;
        const mdf_output out = mdf_mllm_forward(o->graph, o->model, &o->batch, false);
        MDF_TRY(mdf_graph_status(o->graph, err));
        memcpy(score + at * labels, out.scores->data, count * labels * sizeof *score);
    }
    return MDF_OK;
}

mdf_status mdf_explain_occlusion(mdf_explanation *out, mdf_occluder *o, const bool *allowed,
                                 int label, mdf_error *err)
{
    enum { CELLS = MDF_OCCLUSION_CELLS, PICTURES = CELLS + 1 }; /* the first hides nothing */
    const int labels = o->model->config.answer.label_count;
    *out = (mdf_explanation){0};
    uint8_t *hidden = mdf_alloc((size_t)PICTURES * CELLS, 1);
    mdf_real *score = mdf_alloc((size_t)PICTURES * (size_t)labels, sizeof *score);
    mdf_status status = MDF_OK;
    if (hidden == NULL || score == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %d hidden cells", CELLS);
    }
    for (size_t i = 0; status == MDF_OK && i < CELLS; i++) {
        hidden[(i + 1) * CELLS + i] = 1;
    }
    if (status == MDF_OK) {
        status = mdf_explanation_add(out, 0, MDF_OCCLUSION_SIDE, err);
    }
    if (status == MDF_OK) {
        status = mdf_occluder_scores(o, hidden, PICTURES, score, err);
    }
    for (int i = 0; status == MDF_OK && i < CELLS; i++) {
        const double drop = mdf_label_log_prob(score, allowed, labels, label, 1) -
                            mdf_label_log_prob(score + (i + 1) * labels, allowed, labels, label, 1);
        out->map[0][i] = drop > 0 ? (float)drop : 0;
    }
    mdf_free(hidden);
    mdf_free(score);
    if (status != MDF_OK) {
        mdf_explanation_free(out);
    }
    return status;
}
