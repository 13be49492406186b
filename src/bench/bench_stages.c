/* What a model folder costs, stage by stage: opening, the vision tower, the prompt, the labels, and
 * single tokens behind them. Text models have neither pictures nor labels. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "bench/bench_parts.h"
#include "convert/model_folder.h"
#include "engine/engine.h"
#include "nn/decode.h"
#include "nn/tiles.h"

enum {
    PROMPT = 120,     /* tokens, when none are asked for */
    IMAGE_AT = 5,     /* behind the header of the user's turn */
    LABELS = 8,       /* answers, of */
    LABEL_TOKENS = 3, /* tokens each, the last one ends the answer */
    NODES = LABELS * (LABEL_TOKENS - 1),
    REPEAT_MAX = 1000
};

/* What is timed. READING is a plain read of the weights that a token needs. */
typedef enum stage { BOTH, READ_PROMPT, SCORE, TOKEN, READING, STAGES } stage;

typedef struct stages {
    mdf_config config;
    mdf_engine *engine;
    mdf_decoder *decoder;
    mdf_real *image; /* of the tower, then of the U-Net */
    int32_t *prompt, image_at;
    int32_t prompt_len, aspect_ratio_id;
    int tokens, tiles; /* tiles 0: the model has no vision tower */
    bool scores;       /* the model has labels */
    bool again;        /* the prompt is also read with keys of the picture that are there */
    int32_t node[NODES], depth[NODES], offset[LABELS + 1];
    int32_t source[LABELS * LABEL_TOKENS], target[LABELS * LABEL_TOKENS];
    uint8_t mask[NODES * NODES];
    mdf_tree_view tree;
    mdf_batch batch;
    mdf_bench_reads reads;
    int runs;
    double seconds[STAGES][REPEAT_MAX];
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

/* The grid of `tiles` tiles that is nearest to a square. */
static mdf_status choose_grid(stages *s, int tiles, mdf_error *err)
{
    int best = 0;
    for (int id = 1; id <= mdf_config_aspect_ratios(&s->config); id++) {
        int rows = 0;
        int columns = 0;
        const bool known = mdf_tile_grid(&s->config, id, &rows, &columns);
        const int off = rows > columns ? rows - columns : columns - rows;
        if (known && rows * columns == tiles && (best == 0 || off < best - 1)) {
            s->aspect_ratio_id = id;
            best = off + 1;
        }
    }
    s->tiles = tiles;
    return best > 0
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_ARG, "the model takes pictures of 1 to %d tiles, not %d",
                          s->config.vision.max_num_tiles, tiles);
}

static mdf_status fill_batch(stages *s, const mdf_bench_options *opt, mdf_error *err)
{
    const mdf_config *c = &s->config;
    s->prompt_len = opt->prompt > 0 ? opt->prompt : PROMPT;
    if (mdf_config_has_vision(c)) {
        MDF_TRY(choose_grid(s, opt->tiles > 0 ? opt->tiles : 1, err));
    }
    const size_t tiles =
        3 * (size_t)s->tiles * (size_t)c->vision.image_size * (size_t)c->vision.image_size;
    const size_t side = 3 * (size_t)c->unet.image_size * (size_t)c->unet.image_size;
    s->image = mdf_alloc(tiles + side + 1, sizeof *s->image);
    s->prompt = mdf_alloc((size_t)s->prompt_len, sizeof *s->prompt);
    if (s->image == NULL || s->prompt == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a picture");
    }
    for (size_t i = 0; i < tiles + side; i++) {
        s->image[i] = (mdf_real)(i % 251) / 125 - 1;
    }
    for (int i = 0; i < s->prompt_len; i++) {
        s->prompt[i] = (int32_t)((31 * (int64_t)i + 3) % c->text.vocab_size);
    }
    fill_tree(s, c->text.vocab_size);
    s->batch = (mdf_batch){.cases = 1, .prompt = s->prompt, .prompt_len = &s->prompt_len};
    if (s->tiles > 0) {
        s->image_at = s->prompt_len > IMAGE_AT ? IMAGE_AT : 0;
        s->prompt[s->image_at] = c->image_token_index;
        s->batch.vision_image = s->image;
        s->batch.aspect_ratio_id = &s->aspect_ratio_id;
        s->batch.image_at = &s->image_at;
    }
    if (mdf_config_has_unet(c)) {
        s->batch.unet_image = s->image + tiles;
    }
    return MDF_OK;
}

/* The text model's weights that every further token needs: not the table of tokens, of which it
 * takes a row, unless that is the head too; not what only pictures go through. */
static mdf_status list_reads(stages *s, mdf_error *err)
{
    const mdf_params *p = &s->engine->model->params;
    for (size_t i = 0; i < p->count; i++) {
        const mdf_tensor *t = &p->item[i]->tensor;
        const size_t n = (size_t)mdf_tensor_count(t);
        const size_t columns = n / (size_t)t->dim[0];
        const bool table = strstr(t->name, "embed_tokens.") != NULL;
        const bool picture = strstr(t->name, "cross_attn.k_proj.") != NULL ||
                             strstr(t->name, "cross_attn.v_proj.") != NULL ||
                             (s->tiles == 0 && strstr(t->name, "cross_attn") != NULL);
        if (p->item[i]->group != MDF_GROUP_TEXT || picture ||
            (table && !s->config.text.tie_word_embeddings)) {
            continue;
        }
        MDF_TRY(t->raw != NULL
                    ? mdf_bench_reads_add(
                          &s->reads, t->raw,
                          (size_t)t->dim[0] * mdf_dtype_row_bytes(t->dtype, columns), err)
                    : mdf_bench_reads_add(&s->reads, t->data, n * sizeof *t->data, err));
    }
    return MDF_OK;
}

static void keep(stages *s, stage what, int run, double seconds)
{
    s->seconds[what][run] = seconds;
}

/* The picture and the prompt; then, as the keys of the picture are there, the prompt again. */
static mdf_status time_prompt(const mdf_bench *b, stages *s, int run, mdf_error *err)
{
    MDF_TRY(mdf_bench_next(b, s->tiles > 0 ? "the picture and the prompt" : "the prompt", err));
    double start = mdf_clock_seconds();
    MDF_TRY(mdf_decoder_prompt(s->decoder, &s->batch, false, err));
    keep(s, BOTH, run, mdf_clock_seconds() - start);
    if (s->again) {
        MDF_TRY(mdf_bench_next(b, "the prompt", err));
        start = mdf_clock_seconds();
        MDF_TRY(mdf_decoder_prompt(s->decoder, &s->batch, true, err));
        keep(s, READ_PROMPT, run, mdf_clock_seconds() - start);
    }
    return MDF_OK;
}

static mdf_status write_logits(const mdf_decoder *d, const char *file, mdf_error *err)
{
    return mdf_file_write(file, mdf_decoder_logits(d),
                          (size_t)mdf_decoder_vocabulary(d) * sizeof(mdf_real), err);
}

static mdf_status time_run(const mdf_bench *b, stages *s, int run, mdf_error *err)
{
    MDF_TRY(time_prompt(b, s, run, err));
    if (run == s->runs - 1 && b->opt->logits_file != NULL) {
        MDF_TRY(write_logits(s->decoder, b->opt->logits_file, err));
    }
    mdf_real scores[LABELS];
    double start = mdf_clock_seconds();
    if (s->scores) {
        MDF_TRY(mdf_decoder_score(s->decoder, &s->tree, scores, err));
    }
    keep(s, SCORE, run, mdf_clock_seconds() - start);
    start = mdf_clock_seconds();
    for (int i = 0; i < s->tokens; i++) {
        MDF_TRY(mdf_decoder_next(s->decoder, s->node[i % NODES], err));
    }
    keep(s, TOKEN, run, (mdf_clock_seconds() - start) / (s->tokens > 0 ? s->tokens : 1));
    keep(s, READING, run, s->tokens > 0 ? mdf_bench_reads_seconds(&s->reads) : 0);
    return MDF_OK;
}

static double median(stages *s, stage what)
{
    return mdf_bench_median(s->seconds[what], s->runs);
}

static void add_rows(const mdf_bench *b, stages *s)
{
    const mdf_config *c = &s->config;
    const double text = mdf_bench_text_flops(c, s->prompt_len, 1, s->tiles);
    const double tower = s->tiles > 0 ? mdf_bench_vision_flops(c, s->tiles) : 0;
    const double both = median(s, BOTH);
    const double prompt = s->again ? median(s, READ_PROMPT) : both;
    if (s->tiles > 0) {
        mdf_bench_add(b, "picture and prompt", tower + text, both, "%d of %d tiles, %d tokens",
                      s->tiles, c->vision.max_num_tiles, (int)s->prompt_len);
    }
    if (s->again) {
        mdf_bench_add(b, "vision tower", tower, both - prompt,
                      "%d of %d tiles of %d pixels, keys and values", s->tiles,
                      c->vision.max_num_tiles, c->vision.image_size);
    }
    if (s->again || s->tiles == 0) {
        mdf_bench_row *row = mdf_bench_add(
            b, "prompt", text, prompt,
            mdf_config_has_unet(c) ? "%d tokens, U-Net, fusion" : "%d tokens", (int)s->prompt_len);
        row->tokens = s->prompt_len;
    }
    if (s->scores) {
        mdf_bench_add(b, "labels", mdf_bench_text_flops(c, NODES, LABELS * LABEL_TOKENS, s->tiles),
                      median(s, SCORE), "%d of %d tokens", LABELS, LABEL_TOKENS);
    }
    if (s->tokens > 0) {
        mdf_bench_row *row =
            mdf_bench_add(b, "token", mdf_bench_text_flops(c, 1, 1, s->tiles), median(s, TOKEN),
                          "one, mean of %d behind %d, %.0f MB of weights", s->tokens,
                          (int)s->prompt_len, (double)s->reads.bytes * 1e-6);
        row->tokens = 1;
        mdf_bench_set_reading(row, (double)s->reads.bytes, median(s, READING));
    }
}

/* The weights are read once before; where more than one run is wanted, so is everything else. */
static mdf_status time_stages(const mdf_bench *b, stages *s, mdf_error *err)
{
    s->runs = b->opt->repeat < REPEAT_MAX ? b->opt->repeat : REPEAT_MAX;
    (void)mdf_bench_reads_seconds(&s->reads);
    for (int run = s->runs > 1 ? -1 : 0; run < s->runs; run++) {
        MDF_TRY(time_run(b, s, run < 0 ? 0 : run, err));
    }
    add_rows(b, s);
    return MDF_OK;
}

/* Settings and weights. */
static mdf_status open_model(const mdf_bench *b, stages *s, mdf_error *err)
{
    const char *dir = b->opt->model_dir;
    s->engine = mdf_alloc(1, sizeof *s->engine);
    if (s->engine == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the benchmark");
    }
    const double start = mdf_clock_seconds();
    mdf_status status = mdf_model_config_read(&s->config, dir, err);
    s->config.train.aux_weight = 0; /* the auxiliary classifier is for training only */
    if (status == MDF_OK) {
        status = mdf_engine_load_weights(s->engine, &s->config,
                                         &(mdf_engine_options){.model_dir = dir}, err);
    }
    b->report->open_seconds = mdf_clock_seconds() - start;
    b->report->model_bytes = s->engine->weights.bytes;
    return status;
}

static mdf_status run_stages(const mdf_bench *b, stages *s, mdf_error *err)
{
    MDF_TRY(open_model(b, s, err));
    MDF_TRY(fill_batch(s, b->opt, err));
    MDF_TRY(list_reads(s, err));
    s->tokens = b->opt->tokens;
    s->scores = s->config.answer.label_count > 1;
    s->again = s->tiles > 0 && s->config.fusion.attend != MDF_FUSION_CONCAT;
    mdf_dtype kv_type = MDF_DTYPE_F16;
    MDF_TRY(mdf_engine_kv_type(&kv_type, b->opt->kv_type, &s->config, err));
    MDF_TRY(mdf_decoder_new(&s->decoder, s->engine->model, b->kernels,
                            (int64_t)s->prompt_len + NODES + s->tokens, kv_type, err));
    MDF_TRY(time_stages(b, s, err));
    b->report->cache_bytes = mdf_decoder_cache_bytes(s->decoder);
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
    const mdf_status status = run_stages(b, s, err);
    b->report->model_peak_bytes = mdf_peak_rss_bytes();
    mdf_decoder_free(s->decoder);
    mdf_bench_reads_free(&s->reads);
    mdf_free(s->prompt);
    mdf_free(s->image);
    mdf_engine_close(s->engine);
    mdf_free(s);
    return status;
}
