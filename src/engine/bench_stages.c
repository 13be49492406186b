/* What a classification by a model folder costs, stage by stage: opening, the vision tower, the
 * prompt, the labels, and single tokens behind them. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/bench_parts.h"
#include "engine/engine.h"
#include "nn/decode.h"
#include "nn/tiles.h"

enum {
    PROMPT = 120,    /* tokens */
    IMAGE_AT = 5,    /* behind the header of the user's turn */
    LABELS = 8,      /* answers, of */
    LABEL_TOKENS = 3 /* tokens each, the last one ends the answer */
};
enum { NODES = LABELS * (LABEL_TOKENS - 1), TOKENS = 8 };

typedef struct stages {
    mdf_engine *engine;
    mdf_decoder *decoder;
    mdf_real *image; /* of the tower, then of the U-Net */
    int32_t prompt[PROMPT];
    int32_t node[NODES], depth[NODES], offset[LABELS + 1];
    int32_t source[LABELS * LABEL_TOKENS], target[LABELS * LABEL_TOKENS];
    uint8_t mask[NODES * NODES];
    mdf_tree_view tree;
    mdf_batch batch;
} stages;

/* Eight answers that differ from their first token on. */
static void fill_tree(stages *s, int vocabulary)
{
    const int fed = LABEL_TOKENS - 1;
    for (int k = 0; k < LABELS; k++) {
        for (int j = 0; j < LABEL_TOKENS; j++) {
            const int at = k * LABEL_TOKENS + j;
            s->source[at] = j == 0 ? -1 : k * fed + j - 1;
            s->target[at] = (11 * k + 7 * j + 1) % vocabulary;
        }
        for (int j = 0; j < fed; j++) {
            const int n = k * fed + j;
            s->node[n] = s->target[k * LABEL_TOKENS + j];
            s->depth[n] = j;
            for (int i = 0; i <= j; i++) {
                s->mask[n * NODES + k * fed + i] = 1;
            }
        }
        s->offset[k + 1] = (k + 1) * LABEL_TOKENS;
    }
    s->tree = (mdf_tree_view){.nodes = NODES,
                              .token = s->node,
                              .depth = s->depth,
                              .mask = s->mask,
                              .labels = LABELS,
                              .offset = s->offset,
                              .source = s->source,
                              .target = s->target};
}

static mdf_status fill_batch(stages *s, mdf_error *err)
{
    static const int32_t prompt_len = PROMPT;
    static const int32_t image_at = IMAGE_AT;
    const mdf_config *c = &s->engine->model->config;
    const size_t tile = 3 * (size_t)c->vision.image_size * (size_t)c->vision.image_size;
    const size_t side = 3 * (size_t)c->unet.image_size * (size_t)c->unet.image_size;
    s->image = mdf_alloc(tile + side + 1, sizeof *s->image);
    if (s->image == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a picture");
    }
    for (size_t i = 0; i < tile + side; i++) {
        s->image[i] = (mdf_real)(i % 251) / 125 - 1;
    }
    for (int i = 0; i < PROMPT; i++) {
        s->prompt[i] = (31 * i + 3) % c->text.vocab_size;
    }
    fill_tree(s, c->text.vocab_size);
    s->batch = (mdf_batch){.cases = 1, .prompt = s->prompt, .prompt_len = &prompt_len};
    if (mdf_config_has_vision(c)) {
        s->prompt[IMAGE_AT] = c->image_token_index;
        s->batch.vision_image = s->image;
        s->batch.image_at = &image_at;
    }
    if (mdf_config_has_unet(c)) {
        s->batch.unet_image = s->image + tile;
    }
    return MDF_OK;
}

/* Multiplications and additions of the tower, its projector and the keys and values of its tokens,
 * for one tile with unused tiles and padding computed once. */
static double vision_flops(const mdf_config *c)
{
    const mdf_vision_config *v = &c->vision;
    const double d = v->hidden_size;
    const double side = (double)v->image_size / v->patch_size;
    const double p = side * side + 1;
    const double spare = v->max_num_tiles > 1 ? 2 : 1;
    const double rows = spare * (p + 1);
    const double layer =
        2 * rows * (4 * d * d + 2 * d * v->intermediate_size) + 4 * rows * rows * d;
    const double head = (double)c->text.hidden_size / c->text.num_attention_heads;
    const double keys = 2 * head * c->text.num_key_value_heads * c->text.cross_count;
    return 2 * (p - 1) * d * 3 * v->patch_size * v->patch_size +
           (v->num_hidden_layers + v->num_global_layers) * layer +
           2 * spare * p * c->text.hidden_size * (mdf_config_vision_output(c) + keys);
}

/* Of `rows` rows of text: the dense products, with the logits of `answers` rows. The attention over
 * `keys` image tokens is the largest of the rest. */
static double text_flops(const mdf_config *c, double rows, double answers, double keys)
{
    const mdf_text_config *t = &c->text;
    const double d = t->hidden_size;
    const double kv = d / t->num_attention_heads * t->num_key_value_heads;
    const double self = t->num_hidden_layers - t->cross_count;
    const double each = 2 * d * d + 3 * d * t->intermediate_size; /* query, output, MLP */
    return 2 * rows * (t->num_hidden_layers * each + self * 2 * d * kv) +
           4 * rows * keys * d * t->cross_count + 2 * answers * d * t->vocab_size;
}

static double image_keys(const mdf_config *c)
{
    const double side = (double)c->vision.image_size / c->vision.patch_size;
    return mdf_config_has_vision(c) ? side * side + 1 : 0;
}

static mdf_status time_stages(mdf_bench *b, stages *s, mdf_error *err)
{
    const mdf_config *c = &s->engine->model->config;
    const double keys = image_keys(c);
    double all = 0;
    double start = mdf_clock_seconds();
    MDF_TRY(mdf_bench_next(b, "the picture and the prompt", err));
    MDF_TRY(mdf_decoder_prompt(s->decoder, &s->batch, false, err));
    all = mdf_clock_seconds() - start;
    const bool again = c->fusion.attend != MDF_FUSION_CONCAT && mdf_config_has_vision(c);
    double prompt = all;
    if (again) { /* keys of the picture are there: the rest is the prompt's and the U-Net's */
        MDF_TRY(mdf_bench_next(b, "the prompt", err));
        start = mdf_clock_seconds();
        MDF_TRY(mdf_decoder_prompt(s->decoder, &s->batch, true, err));
        prompt = mdf_clock_seconds() - start;
        (void)mdf_bench_add(b, "vision tower", vision_flops(c), all - prompt,
                            "one tile of %d pixels, keys and values", c->vision.image_size);
    }
    (void)mdf_bench_add(b, "prompt", text_flops(c, PROMPT, 1, keys), prompt,
                        mdf_config_has_unet(c) ? "%d tokens, with U-Net and fusion" : "%d tokens",
                        PROMPT);
    mdf_real scores[LABELS];
    start = mdf_clock_seconds();
    MDF_TRY(mdf_decoder_score(s->decoder, &s->tree, scores, err));
    (void)mdf_bench_add(b, "labels", text_flops(c, NODES, LABELS * LABEL_TOKENS, keys),
                        mdf_clock_seconds() - start, "%d of %d tokens", LABELS, LABEL_TOKENS);
    start = mdf_clock_seconds();
    for (int i = 0; i < TOKENS; i++) {
        MDF_TRY(mdf_decoder_next(s->decoder, s->node[i], err));
    }
    const double token = (mdf_clock_seconds() - start) / TOKENS;
    (void)mdf_bench_add(b, "token", text_flops(c, 1, 1, keys), token, "one, mean of %d", TOKENS);
    return MDF_OK;
}

mdf_status mdf_bench_stages(mdf_bench *b, mdf_error *err)
{
    if (b->opt->model_dir == NULL) {
        return MDF_OK;
    }
    stages *s = mdf_alloc(1, sizeof *s);
    if (s == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the benchmark");
    }
    mdf_bench_report *r = b->report;
    const double start = mdf_clock_seconds();
    mdf_status status = mdf_engine_open(
        &s->engine,
        &(mdf_engine_options){.model_dir = b->opt->model_dir, .max_isa = b->opt->max_isa}, err);
    r->open_seconds = mdf_clock_seconds() - start;
    if (status == MDF_OK) {
        r->model_bytes = s->engine->weights.bytes;
        status = fill_batch(s, err);
    }
    if (status == MDF_OK) {
        status = mdf_decoder_new(&s->decoder, s->engine->model, b->kernels, PROMPT + NODES + TOKENS,
                                 err);
    }
    if (status == MDF_OK) {
        status = time_stages(b, s, err);
    }
    r->model_peak_bytes = mdf_peak_rss_bytes();
    mdf_decoder_free(s->decoder);
    mdf_free(s->image);
    mdf_engine_close(s->engine);
    mdf_free(s);
    return status;
}
