/* Whole training steps: forward, backward and AdamW, of the U-Net alone (what bench/race_unet.py
 * measures of PyTorch) and of the configuration (bench/race_small.py). */
#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bench/bench_parts.h"
#include "data/batch_fill.h"
#include "language/prompt.h"
#include "nn/mdf_mllm.h"
#include "train/freeze.h"
#include "train/norm_statistics.h"
#include "train/optimizer.h"

enum { WARM_UP = 2 };

/* Both steps as one thing: `forward` builds the loss of a training graph. */
typedef struct stepper {
    mdf_bench *bench;
    mdf_params *params;
    mdf_graph graph;
    mdf_optimizer optimizer;
    const mdf_train_config *train;
    mdf_tensor *(*forward)(struct stepper *s);
    void *user;
} stepper;

static mdf_status one_step(stepper *s, double *loss, mdf_error *err)
{
    mdf_graph_reset(&s->graph);
    mdf_params_zero_grad(s->params);
    mdf_tensor *l = s->forward(s);
    MDF_TRY(mdf_graph_status(&s->graph, err));
    *loss = (double)l->data[0];
    MDF_TRY(mdf_graph_backward(&s->graph, l, err));
    const mdf_kernels *k = s->bench->kernels;
    mdf_optimizer_step(&s->optimizer, k, s->params, s->train, 1, mdf_grad_norm(k, s->params));
    return MDF_OK;
}

/* From here on the process's peak memory starts at what it holds now. Linux only; elsewhere the
 * peak is that of the whole process so far. */
static void restart_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f != NULL) {
        (void)fputs("5", f);
        (void)fclose(f);
    }
}

static mdf_status time_steps(stepper *s, mdf_bench_step *out, const char *what, mdf_error *err)
{
    const int repeat = s->bench->opt->repeat;
    double *seconds = mdf_alloc((size_t)repeat, sizeof *seconds);
    if (seconds == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the benchmark");
    }
    mdf_status status = MDF_OK;
    uint64_t allocations = 0;
    clock_t cpu = 0;
    for (int i = 0; i < WARM_UP + repeat && status == MDF_OK; i++) {
        status = mdf_bench_next(s->bench, what, err);
        if (i == WARM_UP) {
            allocations = mdf_alloc_count();
            cpu = clock();
        }
        const double start = mdf_clock_seconds();
        status = status == MDF_OK ? one_step(s, &out->loss, err) : status;
        seconds[i < WARM_UP ? 0 : i - WARM_UP] = mdf_clock_seconds() - start;
    }
    out->allocations = (size_t)(mdf_alloc_count() - allocations);
    out->cpu_seconds = (double)(clock() - cpu) / CLOCKS_PER_SEC / repeat;
    out->seconds = mdf_bench_median(seconds, repeat);
    out->best = seconds[0];
    out->peak_bytes = mdf_peak_rss_bytes();
    out->parameters = s->params->total;
    mdf_free(seconds);
    return status;
}

static void fill_normal(mdf_real *x, size_t n)
{
    mdf_rng rng = mdf_rng_new(1, 1);
    for (size_t i = 0; i < n; i++) {
        x[i] = (mdf_real)mdf_rng_normal(&rng);
    }
}

/* A tenth of the pixels, as far as the loss is concerned. */
static void fill_mask(mdf_real *x, size_t n)
{
    mdf_rng rng = mdf_rng_new(1, 2);
    for (size_t i = 0; i < n; i++) {
        x[i] = mdf_rng_uniform(&rng) > 0.9 ? 1 : 0;
    }
}

typedef struct unet_race {
    mdf_unet unet;
    mdf_params params;
    int64_t batch, size;
    mdf_real *image, *target, *weight;
} unet_race;

enum { MASKS = 2 };

static mdf_tensor *unet_forward(stepper *s)
{
    unet_race *r = s->user;
    mdf_tensor *x =
        mdf_constant(&s->graph, r->image, 4, (int64_t[]){r->batch, r->size, r->size, 3});
    const mdf_unet_features f = mdf_unet_encode(&s->graph, &r->unet, x, NULL);
    return mdf_mask_loss(&s->graph, mdf_unet_decode(&s->graph, &r->unet, &f), r->target, r->weight,
                         NULL);
}

static mdf_status unet_make(unet_race *r, mdf_config *c, mdf_error *err)
{
    const size_t pixels = (size_t)(r->batch * r->size * r->size);
    MDF_TRY(mdf_params_init(&r->params, err));
    mdf_unet_declare(&r->unet, c, &r->params);
    MDF_TRY(mdf_params_allocate(&r->params, true, err));
    mdf_params_initialise(&r->params, 1);
    r->image = mdf_alloc(pixels * 3, sizeof *r->image);
    r->target = mdf_alloc(pixels * MASKS, sizeof *r->target);
    r->weight = mdf_alloc((size_t)r->batch * MASKS, sizeof *r->weight);
    if (r->image == NULL || r->target == NULL || r->weight == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the pictures");
    }
    fill_normal(r->image, pixels * 3);
    fill_mask(r->target, pixels * MASKS);
    for (int64_t i = 0; i < r->batch * MASKS; i++) {
        r->weight[i] = 1;
    }
    return MDF_OK;
}

mdf_status mdf_bench_unet(mdf_bench *b, mdf_error *err)
{
    const mdf_bench_options *o = b->opt;
    mdf_config *c = mdf_alloc(1, sizeof *c);
    if (c == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the benchmark");
    }
    *c = b->config;
    c->unet = (mdf_unet_config){.base = (int)(o->unet_base == 0 ? 32 : o->unet_base),
                                .norm_groups = 8,
                                .mask_channels = MASKS};
    c->train.ema = 0;
    unet_race r = {.batch = o->unet_batch == 0 ? 8 : o->unet_batch,
                   .size = o->unet_size == 0 ? 256 : o->unet_size};
    stepper s = {
        .bench = b, .params = &r.params, .train = &c->train, .forward = unet_forward, .user = &r};
    restart_peak();
    mdf_status status = unet_make(&r, c, err);
    if (status == MDF_OK) {
        status = mdf_graph_init(&s.graph, b->kernels, true, 0, err);
    }
    if (status == MDF_OK) {
        status = mdf_optimizer_new(&s.optimizer, &r.params, s.train, err);
    }
    if (status == MDF_OK) {
        status = time_steps(&s, &b->report->unet, "a step of the U-Net", err);
        b->report->unet.batch = r.batch;
    }
    mdf_graph_free(&s.graph);
    mdf_optimizer_free(&s.optimizer);
    mdf_params_free(&r.params);
    mdf_free(r.image);
    mdf_free(r.target);
    mdf_free(r.weight);
    mdf_free(c);
    return status;
}

typedef struct model_race {
    mdf_mllm *model;
    mdf_tokenizer *tokenizer; /* of bytes: only the number of tokens matters */
    mdf_label_tree *tree;
    mdf_batch_buffer buffer;
    bool masks;
} model_race;

/* A training of masks alone. */
static bool draws_only(const mdf_train_config *c)
{
    return c->task == MDF_TASK_SEGMENT;
}

static mdf_tensor *model_forward(stepper *s)
{
    const model_race *r = s->user;
    mdf_norms_by_batch(r->model, s->train->norm_momentum);
    mdf_tensor *loss = mdf_mllm_forward(&s->graph, r->model, &r->buffer.batch, r->masks).loss;
    mdf_norms_by_batch(r->model, 0);
    return loss;
}

/* Random pictures, real sentences, labels in turn. */
static mdf_status fill_batch(model_race *r, const mdf_config *c, int64_t *rows, mdf_error *err)
{
    mdf_batch_buffer *b = &r->buffer;
    const size_t n = b->capacity;
    const size_t s = (size_t)c->unet.image_size;
    const size_t t = (size_t)c->vision.image_size;
    size_t used = 0;
    fill_normal(b->unet_image, n * s * s * 3);
    fill_normal(b->vision_image, n * t * t * 3);
    fill_mask(b->mask, n * s * s * (size_t)c->unet.mask_channels);
    for (size_t i = 0; i < n * (size_t)c->unet.mask_channels; i++) {
        b->mask_there[i] = 1;
    }
    for (size_t i = 0; i < n; i++) {
        size_t count = 0;
        MDF_TRY(mdf_prompt_build(r->tokenizer, b->prompt + used, b->prompt_capacity - used, &count,
                                 &b->image_at[i], mdf_bench_sentence((int64_t)i),
                                 c->answer.missing_text, true, err));
        b->prompt_len[i] = (int32_t)count;
        b->label[i] = (int32_t)(i % (size_t)c->answer.label_count);
        used += count;
    }
    *rows = (int64_t)used + (int64_t)n * r->tree->nodes;
    b->batch = (mdf_batch){.cases = (int64_t)n,
                           .unet_side = c->train.picture_side,
                           .unet_image = b->unet_image,
                           .vision_image = b->vision_image,
                           .prompt = b->prompt,
                           .prompt_len = b->prompt_len,
                           .image_at = b->image_at,
                           .tree = &b->tree,
                           .label = b->label,
                           .mask = r->masks ? b->mask : NULL,
                           .mask_there = b->mask_there};
    return MDF_OK;
}

static mdf_status model_make(model_race *r, mdf_bench *b, mdf_error *err)
{
    const mdf_config *c = &b->config;
    const char *label[MDF_MAX_CLASSES];
    for (int i = 0; i < c->answer.label_count; i++) {
        label[i] = c->answer.labels[i];
    }
    MDF_TRY(mdf_tokenizer_new_bytes(&r->tokenizer, c->image_token_index, err));
    MDF_TRY(mdf_label_tree_new(&r->tree, r->tokenizer, label, c->answer.label_count, err));
    MDF_TRY(mdf_mllm_new(&r->model, c, true, err));
    mdf_params_initialise(&r->model->params, 1);
    MDF_TRY(mdf_freeze(&r->model->params, &c->train, err));
    MDF_TRY(mdf_batch_buffer_new(&r->buffer, c, r->tree, (size_t)c->train.batch_size, err));
    b->report->model.batch = c->train.batch_size;
    return fill_batch(r, c, &b->report->model.tokens, err);
}

/* One case as `mdf predict` sees it, or one tile of `mdf segment`, without reading a picture. */
static mdf_status time_forward(stepper *s, mdf_bench_step *out, mdf_error *err)
{
    model_race *r = s->user;
    mdf_batch one = r->buffer.batch;
    one.cases = 1;
    one.label = NULL;
    enum { RUNS = 5 };
    double seconds[RUNS];
    s->graph.train = false;
    for (int i = 0; i <= RUNS; i++) {
        MDF_TRY(mdf_bench_next(s->bench, "a forward pass", err));
        const double start = mdf_clock_seconds();
        mdf_graph_reset(&s->graph);
        (void)mdf_mllm_forward(&s->graph, r->model, &one, draws_only(s->train));
        MDF_TRY(mdf_graph_status(&s->graph, err));
        seconds[i > 0 ? i - 1 : 0] = mdf_clock_seconds() - start; /* the first warms up */
    }
    out->forward_seconds = mdf_bench_median(seconds, RUNS);
    return MDF_OK;
}

static mdf_status model_run(model_race *r, mdf_bench *b, mdf_error *err)
{
    MDF_TRY(model_make(r, b, err));
    stepper s = {.bench = b,
                 .params = &r->model->params,
                 .train = &b->config.train,
                 .forward = model_forward,
                 .user = r};
    mdf_status status = mdf_graph_init(&s.graph, b->kernels, true, 0, err);
    if (status == MDF_OK) {
        status = mdf_optimizer_new(&s.optimizer, s.params, s.train, err);
    }
    if (status == MDF_OK) {
        status = time_steps(&s, &b->report->model, "a step of the model", err);
    }
    if (status == MDF_OK) {
        status = time_forward(&s, &b->report->model, err);
    }
    mdf_graph_free(&s.graph);
    mdf_optimizer_free(&s.optimizer);
    return status;
}

mdf_status mdf_bench_model(mdf_bench *b, mdf_error *err)
{
    model_race r = {.masks = (b->opt->masks && b->config.unet.mask_channels > 0) ||
                             draws_only(&b->config.train)};
    restart_peak();
    const mdf_status status = model_run(&r, b, err);
    mdf_batch_buffer_free(&r.buffer);
    mdf_mllm_free(r.model);
    mdf_label_tree_free(r.tree);
    mdf_tokenizer_free(r.tokenizer);
    return status;
}
