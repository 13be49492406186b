/* One case read step by step. */
#include "nn/decode.h"

#include <string.h>

#include "base/alloc.h"
#include "nn/answer.h"
#include "nn/pack.h"

struct mdf_decoder {
    const mdf_mllm *model;
    mdf_graph graph;
    mdf_kv_cache cache;
    mdf_arena pictures; /* what `image` points to */
    mdf_image_tokens image;
    mdf_key_range seen; /* image keys that the tokens behind the prompt see */
    bool fused;         /* the prompt had a picture for the U-Net */
    mdf_real *logits;   /* [V] */
    mdf_real *state;    /* [D] last hidden state */
};

mdf_status mdf_decoder_new(mdf_decoder **out, const mdf_mllm *m, const mdf_kernels *k,
                           int64_t capacity, mdf_dtype kv_type, mdf_error *err)
{
    *out = NULL;
    mdf_decoder *d = mdf_alloc(1, sizeof *d);
    if (d == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the decoder");
    }
    d->model = m;
    mdf_status status = mdf_graph_init(&d->graph, k, false, 0, err);
    if (status == MDF_OK) {
        status = mdf_arena_init(&d->pictures, 0, 0, err);
    }
    if (status == MDF_OK) {
        status = mdf_kv_cache_new(&d->cache, &m->config, capacity, kv_type, err);
    }
    if (status == MDF_OK) {
        d->logits = mdf_alloc((size_t)m->config.text.vocab_size, sizeof *d->logits);
        d->state = mdf_alloc((size_t)m->config.text.hidden_size, sizeof *d->state);
        if (d->logits == NULL || d->state == NULL) {
            status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the decoder");
        }
    }
    if (status != MDF_OK) {
        mdf_decoder_free(d);
        return status;
    }
    *out = d;
    return MDF_OK;
}

void mdf_decoder_free(mdf_decoder *d)
{
    if (d != NULL) {
        mdf_kv_cache_free(&d->cache);
        mdf_graph_free(&d->graph);
        mdf_arena_free(&d->pictures);
        mdf_free(d->logits);
        mdf_free(d->state);
        mdf_free(d);
    }
}

void mdf_decoder_watch(mdf_decoder *d, const volatile sig_atomic_t *stop)
{
    d->graph.stop = stop;
}

/* The layout of a case's image tokens outlives the graph's step. */
static mdf_status remember_pictures(mdf_decoder *d, const mdf_image_tokens *im, mdf_error *err)
{
    mdf_arena_reset(&d->pictures);
    d->image = (mdf_image_tokens){0};
    if (im->count == 0) {
        return MDF_OK;
    }
    const size_t n = (size_t)im->count;
    const size_t pictures = (size_t)im->of_case->pictures;
    mdf_real *bias = mdf_arena_alloc(&d->pictures, n, sizeof *bias);
    mdf_case_tokens *of_case = mdf_arena_alloc(&d->pictures, 1, sizeof *of_case);
    mdf_picture *picture = mdf_arena_alloc(&d->pictures, pictures, sizeof *picture);
    if (bias == NULL || of_case == NULL || picture == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the decoder");
    }
    memcpy(bias, im->bias, n * sizeof *bias);
    memcpy(picture, im->picture, pictures * sizeof *picture);
    *of_case = *im->of_case;
    d->image = (mdf_image_tokens){
        .count = im->count, .bias = bias, .of_case = of_case, .picture = picture};
    return MDF_OK;
}

/* Hidden state of the last row, and its logits. */
static mdf_status take_last(mdf_decoder *d, mdf_tensor *states, mdf_error *err)
{
    mdf_graph *g = &d->graph;
    const int64_t width = d->model->config.text.hidden_size;
    MDF_TRY(mdf_graph_status(g, err));
    const int64_t last = states->dim[0] - 1;
    memcpy(d->state, states->data + last * width, (size_t)width * sizeof *d->state);
    mdf_tensor *row = mdf_constant(g, d->state, 2, (int64_t[]){1, width});
    const mdf_tensor *logits = mdf_text_logits(g, &d->model->text, row);
    MDF_TRY(mdf_graph_status(g, err));
    memcpy(d->logits, logits->data, (size_t)mdf_tensor_count(logits) * sizeof *d->logits);
    return MDF_OK;
}

static bool joins_patches(const mdf_config *c)
{
    return c->fusion.attend == MDF_FUSION_CONCAT && c->fusion.map_count > 0;
}

static int64_t patches_of(const mdf_decoder *d)
{
    const mdf_config *c = &d->model->config;
    return (int64_t)c->fusion.grid * c->fusion.grid;
}

static mdf_status read_prompt(mdf_decoder *d, const mdf_batch *b, bool same_pictures,
                              mdf_error *err)
{
    const mdf_config *c = &d->model->config;
    mdf_graph *g = &d->graph;
    mdf_image_tokens image = d->image;
    if (!same_pictures) {
        image = mdf_vision_forward(g, &d->model->vision, b);
        MDF_TRY(mdf_graph_status(g, err));
        MDF_TRY(remember_pictures(d, &image, err));
    }
    mdf_output out = {0};
    mdf_tensor *states = mdf_mllm_read(g, d->model, b, &image, &d->cache, &out, false);
    MDF_TRY(take_last(d, states, err));
    d->cache.used = b->prompt_len[0];
    d->fused = out.fusion.cases > 0 && image.count > 0;
    d->seen = mdf_pack_last_keys(b, &image, 0);
    if (joins_patches(c) && d->fused) { /* the patches stand behind the picture's tokens */
        d->seen.count += patches_of(d);
    }
    return MDF_OK;
}

/* Of a batch of one case that has some. */
static int64_t count_pictures(const mdf_batch *b)
{
    return b->image_count == NULL ? 1 : b->image_count[0];
}

mdf_status mdf_decoder_prompt(mdf_decoder *d, const mdf_batch *b, bool same_pictures,
                              mdf_error *err)
{
    const mdf_config *c = &d->model->config;
    mdf_batch one = *b;
    one.tree = NULL;
    one.label = NULL;
    if (b->cases != 1) {
        return mdf_fail(err, MDF_ERR_ARG, "a decoder reads one case, not %lld",
                        (long long)b->cases);
    }
    if (same_pictures && joins_patches(c) && d->image.count > 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "fusion_config.attend = \"concat\": the picture's keys depend on the "
                        "prompt and can't be used again");
    }
    if (same_pictures && d->image.count > 0 && count_pictures(b) != d->image.of_case->pictures) {
        return mdf_fail(err, MDF_ERR_ARG, "%lld pictures can't be the %lld of the prompt before",
                        (long long)count_pictures(b), (long long)d->image.of_case->pictures);
    }
    mdf_graph_reset(&d->graph);
    mdf_kv_cache_clear(&d->cache, c, same_pictures);
    const mdf_status status = read_prompt(d, &one, same_pictures, err);
    if (status != MDF_OK) { /* nothing half-read stays */
        mdf_kv_cache_clear(&d->cache, c, false);
        d->image = (mdf_image_tokens){0};
    }
    return status;
}

/* Hidden states of in's rows behind what the cache has. image: what they see of the pictures. */
static mdf_tensor *read_rows(mdf_decoder *d, mdf_text_input *in, const mdf_image_tokens *image)
{
    const mdf_attn_segment branch = {0, in->rows, 0, patches_of(d), 0, 0};
    mdf_fusion_state state = {.cases = d->fused ? 1 : 0, .segment = &branch, .cache = &d->cache};
    in->cache = &d->cache;
    return mdf_text_forward(&d->graph, &d->model->text, in, image, &d->model->fusion, &state);
}

/* Rows behind the text that has been read: token [n], depth [n] below it, and, for a tree, who sees
 * whom; NULL: one after the other. */
static mdf_tensor *read_behind(mdf_decoder *d, const int32_t *token, const int32_t *depth,
                               const uint8_t *tree, int64_t n)
{
    mdf_graph *g = &d->graph;
    const int64_t used = d->cache.used;
    int32_t *position = mdf_graph_alloc(g, n, sizeof *position);
    uint8_t *row_mask = mdf_graph_alloc(g, n, 1);
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    for (int64_t i = 0; i < n; i++) {
        position[i] = (int32_t)used + depth[i];
        row_mask[i] = d->image.count > 0;
    }
    const int64_t prefix = tree == NULL ? used + n : used;
    const mdf_attn_segment self = {0, n, 0, used + n, prefix, used};
    const mdf_attn_segment cross = {0, n, d->seen.first, d->seen.count, 0, 0};
    mdf_text_input in = {.rows = n,
                         .token = token,
                         .position = position,
                         .self = &self,
                         .self_segments = 1,
                         .tree = tree,
                         .tree_nodes = tree == NULL ? 0 : n,
                         .cross = &cross,
                         .cross_segments = d->seen.count > 0,
                         .row_mask = row_mask};
    /* What these rows see stands for itself alone: no bias. */
    const mdf_image_tokens image = {.count = d->image.count};
    return read_rows(d, &in, &image);
}

/* The tokens known, known+1, .. of a prompt. */
static mdf_tensor *read_rest(mdf_decoder *d, const mdf_prompt_view *p, int64_t known)
{
    mdf_graph *g = &d->graph;
    const mdf_config *c = &d->model->config;
    const int64_t n = p->count - known;
    const int64_t pictures = d->image.count > 0 ? d->image.of_case->pictures : 0;
    const int64_t first = pictures > 0 ? p->image_at[0] : p->count;
    int32_t *position = mdf_graph_alloc(g, n, sizeof *position);
    uint8_t *row_mask = mdf_graph_alloc(g, n, 1);
    mdf_attn_segment *cross = mdf_graph_alloc(g, pictures + 1, sizeof *cross);
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    for (int64_t i = 0; i < n; i++) {
        position[i] = (int32_t)(known + i);
        row_mask[i] = known + i >= first;
    }
    const int64_t segments =
        pictures > 0 ? mdf_pack_rest(c, &d->image, p->image_at, known, p->count, cross) : 0;
    const bool joined = joins_patches(c) && d->fused;
    for (int64_t i = 0; joined && i < segments; i++) {
        cross[i].nk += patches_of(d);
    }
    const mdf_attn_segment self = {0, n, 0, p->count, p->count, known};
    mdf_text_input in = {.rows = n,
                         .token = p->token + known,
                         .position = position,
                         .self = &self,
                         .self_segments = 1,
                         .cross = cross,
                         .cross_segments = segments,
                         .row_mask = row_mask};
    const bool leaks = known < first && c->text.leak_rows;
    const mdf_image_tokens image = {.count = d->image.count, .bias = leaks ? d->image.bias : NULL};
    return read_rows(d, &in, &image);
}

/* What p says fits what has been read. */
static mdf_status check_rest(const mdf_decoder *d, const mdf_prompt_view *p, int64_t known,
                             mdf_error *err)
{
    const mdf_config *c = &d->model->config;
    const int64_t pictures = d->image.count > 0 ? d->image.of_case->pictures : 0;
    if (known < 0 || known >= p->count || known > d->cache.used || p->images != pictures) {
        return mdf_fail(
            err, MDF_ERR_ARG, "%lld tokens and %lld pictures can't go on behind %lld and %lld",
            (long long)p->count, (long long)p->images, (long long)known, (long long)pictures);
    }
    for (int64_t j = 0; j < pictures; j++) {
        if (p->image_at[j] <= (j == 0 ? -1 : p->image_at[j - 1]) || p->image_at[j] >= p->count) {
            return mdf_fail(err, MDF_ERR_ARG, "picture %lld has no image token in the prompt",
                            (long long)j);
        }
    }
    if (joins_patches(c) && d->fused && known < p->image_at[0]) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "fusion_config.attend = \"concat\": the picture's keys depend on the text "
                        "before it, which is another one now");
    }
    return MDF_OK;
}

mdf_status mdf_decoder_go_on(mdf_decoder *d, const mdf_prompt_view *p, int64_t known,
                             mdf_error *err)
{
    MDF_TRY(check_rest(d, p, known, err));
    mdf_graph_reset(&d->graph);
    d->cache.used = known;
    MDF_TRY(take_last(d, read_rest(d, p, known), err));
    d->cache.used = p->count;
    if (d->image.count > 0) {
        const mdf_batch b = {.image_at = p->image_at};
        d->seen = mdf_pack_last_keys(&b, &d->image, 0);
        d->seen.count += joins_patches(&d->model->config) && d->fused ? patches_of(d) : 0;
    }
    return MDF_OK;
}

mdf_status mdf_decoder_reserve(mdf_decoder *d, int64_t capacity, mdf_error *err)
{
    return mdf_kv_cache_grow(&d->cache, &d->model->config, capacity, err);
}

mdf_decoder_memory mdf_decoder_remembers(mdf_decoder *d)
{
    return (mdf_decoder_memory){.cache = &d->cache, .image = &d->image, .fused = d->fused};
}

mdf_status mdf_decoder_remember(mdf_decoder *d, const mdf_image_tokens *image, bool fused,
                                mdf_error *err)
{
    d->fused = fused;
    return remember_pictures(d, image, err);
}

mdf_status mdf_decoder_next(mdf_decoder *d, int32_t token, mdf_error *err)
{
    const int32_t depth = 0;
    mdf_graph_reset(&d->graph);
    MDF_TRY(take_last(d, read_behind(d, &token, &depth, NULL, 1), err));
    d->cache.used++;
    return MDF_OK;
}

mdf_status mdf_decoder_score(mdf_decoder *d, const mdf_tree_view *t, mdf_real *scores,
                             mdf_error *err)
{
    mdf_graph *g = &d->graph;
    mdf_graph_reset(g);
    mdf_tensor *h = mdf_constant(g, d->state, 2, (int64_t[]){1, d->model->config.text.hidden_size});
    if (t->nodes > 0) {
        h = mdf_concat_rows(g, h, read_behind(d, t->token, t->depth, t->mask, t->nodes));
    }
    const int32_t behind = 1;
    mdf_answer_rows a;
    MDF_TRY(mdf_graph_status(g, err));
    if (!mdf_answer_plan(g, &d->model->config, t, 1, &behind, NULL, &a)) {
        return mdf_graph_status(g, err);
    }
    const mdf_tensor *s = mdf_answer_scores(g, &a, h, &d->model->text, 1, t->labels, NULL);
    MDF_TRY(mdf_graph_status(g, err));
    memcpy(scores, s->data, (size_t)t->labels * sizeof *scores);
    return MDF_OK;
}

void mdf_decoder_rewind(mdf_decoder *d, int64_t n)
{
    d->cache.used = n < d->cache.used ? n : d->cache.used;
}

int64_t mdf_decoder_used(const mdf_decoder *d)
{
    return d->cache.used;
}

int64_t mdf_decoder_capacity(const mdf_decoder *d)
{
    return d->cache.capacity;
}

const mdf_real *mdf_decoder_logits(const mdf_decoder *d)
{
    return d->logits;
}

int64_t mdf_decoder_vocabulary(const mdf_decoder *d)
{
    return d->model->config.text.vocab_size;
}

const mdf_mllm *mdf_decoder_model(const mdf_decoder *d)
{
    return d->model;
}

size_t mdf_decoder_peak_bytes(const mdf_decoder *d)
{
    return d->graph.arena.peak_bytes;
}

size_t mdf_decoder_cache_bytes(const mdf_decoder *d)
{
    return mdf_kv_cache_bytes(&d->cache);
}
