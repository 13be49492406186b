/* The batches that a model reads, made of samples. */
#include "data/batch_fill.h"

#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "data/batch_masks.h"
#include "data/crop.h"
#include "data/sentence.h"
#include "photo/augment.h"
#include "photo/laterality.h"

/* Pixels along a side of what the U-Net sees. */
static int side_of(const mdf_config *c, const mdf_batch_options *opt)
{
    const int side = c->train.picture_side;
    if (opt->focus != NULL) {
        return mdf_crop_side(c, opt->focus[0]);
    }
    return side > 0 ? side : c->unet.image_size;
}

/* The arrays of pictures and masks. */
static bool new_pictures(mdf_batch_buffer *b, const mdf_config *c, size_t capacity, bool tower)
{
    const size_t s = (size_t)c->unet.image_size;
    const size_t t = tower ? (size_t)c->vision.image_size : 0;
    const size_t m = (size_t)c->unet.mask_channels;
    const size_t side = s > t ? s : t;
    b->unet_image = mdf_alloc(capacity * s * s * 3, sizeof *b->unet_image);
    b->vision_image = mdf_alloc(capacity * t * t * 3, sizeof *b->vision_image);
    b->mask = mdf_alloc(capacity * s * s * m + 1, sizeof *b->mask);
    b->mask_weight = mdf_alloc(capacity * s * s * m + 1, sizeof *b->mask_weight);
    b->mask_there = mdf_alloc(capacity * m + 1, sizeof *b->mask_there);
    b->mask_pixels = mdf_alloc(s * s, 1);
    b->pixels = mdf_alloc(side * side * 3, sizeof *b->pixels);
    return b->unet_image != NULL && b->vision_image != NULL && b->mask != NULL &&
           b->mask_weight != NULL && b->mask_there != NULL && b->mask_pixels != NULL &&
           b->pixels != NULL;
}

mdf_status mdf_batch_buffer_new(mdf_batch_buffer *b, const mdf_config *c,
                                const mdf_label_tree *tree, size_t capacity, mdf_error *err)
{
    *b = (mdf_batch_buffer){.capacity = capacity,
                            .mirrored = mdf_strbuf_new(MDF_MAX_TEXT_BYTES + 64)};
    MDF_TRY(mdf_arena_init(&b->scratch, 0, 0, err));
    if (tree != NULL) {
        b->tokenizer = tree->tokenizer;
        b->tree = (mdf_tree_view){.nodes = tree->nodes,
                                  .token = tree->token,
                                  .depth = tree->depth,
                                  .mask = tree->mask,
                                  .labels = tree->labels,
                                  .offset = tree->offset,
                                  .source = tree->source,
                                  .target = tree->target};
    }
    b->prompt_capacity = tree != NULL ? MDF_MAX_TOKENS : 0;
    b->prompt = mdf_alloc(b->prompt_capacity, sizeof *b->prompt);
    b->prompt_len = mdf_alloc(capacity, sizeof *b->prompt_len);
    b->image_at = mdf_alloc(capacity, sizeof *b->image_at);
    b->label = mdf_alloc(capacity, sizeof *b->label);
    b->allowed = mdf_alloc(capacity * (size_t)b->tree.labels + 1, 1);
    if (!new_pictures(b, c, capacity, tree != NULL) || b->prompt == NULL || b->prompt_len == NULL ||
        b->image_at == NULL || b->label == NULL || b->allowed == NULL) {
        mdf_batch_buffer_free(b);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a batch of %zu", capacity);
    }
    return MDF_OK;
}

void mdf_batch_buffer_free(mdf_batch_buffer *b)
{
    mdf_free(b->unet_image);
    mdf_free(b->vision_image);
    mdf_free(b->mask);
    mdf_free(b->mask_there);
    mdf_free(b->mask_weight);
    mdf_free(b->prompt);
    mdf_free(b->prompt_len);
    mdf_free(b->image_at);
    mdf_free(b->label);
    mdf_free(b->allowed);
    mdf_free(b->mask_pixels);
    mdf_free(b->pixels);
    mdf_arena_free(&b->scratch);
    mdf_strbuf_free(&b->mirrored);
    *b = (mdf_batch_buffer){0};
}

static void normalise_as(mdf_augment_options *o, mdf_mllama_norm norm)
{
    memcpy(o->mean, norm.mean, sizeof norm.mean);
    memcpy(o->std, norm.std, sizeof norm.std);
}

/* a is read only if on. */
static mdf_augment_options augment_options(const mdf_augment_config *a, bool on)
{
    mdf_augment_options o = mdf_augment_none();
    if (on) {
        o.rotate_deg = a->rotate;
        o.scale = a->scale;
        o.shift = a->shift;
        o.flip_prob = a->flip ? 0.5 : 0.0;
        o.brightness = o.contrast = o.saturation = a->color;
        o.channel_gain = a->color / 3;
        o.camera = (mdf_camera_options){a->tint, a->gamma, a->shade, a->blur, a->cut};
    }
    return o;
}

/* The picture as the U-Net sees it. */
static mdf_status fill_detail(mdf_batch_buffer *b, const mdf_sample *s, size_t at,
                              const mdf_augment_options *o, int side, uint64_t seed, bool *flip,
                              mdf_error *err)
{
    const size_t count = (size_t)side * (size_t)side * 3;
    mdf_rng r = mdf_rng_new(seed, 1);
    MDF_TRY(mdf_augment(b->pixels, NULL, flip, &s->image, NULL, side, o, &r, &b->scratch, err));
    for (size_t j = 0; j < count; j++) {
        b->unet_image[at * count + j] = (mdf_real)b->pixels[j];
    }
    return MDF_OK;
}

/* One case's pictures and masks; all see the same random transform. */
static mdf_status fill_picture(mdf_batch_buffer *b, const mdf_config *c, const mdf_sample *s,
                               size_t at, const mdf_batch_options *opt, uint64_t seed, bool *flip,
                               mdf_error *err)
{
    mdf_augment_options o = augment_options(&c->train.augment, opt->augment);
    normalise_as(&o, mdf_unet_norm(c));
    if (opt->focus != NULL) {
        mdf_rng place = mdf_rng_new(seed, 3);
        mdf_crop_choose(&o, c, s, opt->focus[at], &place);
    }
    MDF_TRY(fill_detail(b, s, at, &o, side_of(c, opt), seed, flip, err));
    if (opt->masks && s->has_mask) {
        MDF_TRY(mdf_batch_fill_masks(b, c, s, at, opt, &o, seed, err));
    }
    if (b->tokenizer == NULL) {
        return MDF_OK;
    }
    if (c->train.task == MDF_TASK_PICTURE || opt->focus != NULL) {
        return MDF_OK; /* no tower looks */
    }
    const int side = c->vision.image_size;
    const size_t count = (size_t)side * (size_t)side * 3;
    mdf_rng r = mdf_rng_new(seed, 1);
    normalise_as(&o, mdf_mllama_norm_default());
    MDF_TRY(mdf_augment(b->pixels, NULL, flip, &s->image, NULL, side, &o, &r, &b->scratch, err));
    for (size_t j = 0; j < count; j++) {
        b->vision_image[at * count + j] = (mdf_real)b->pixels[j];
    }
    return MDF_OK;
}

mdf_status mdf_crop_pixels(mdf_real *out, const mdf_image *crop, int side,
                           const mdf_mllama_norm *norm, mdf_error *err)
{
    const size_t count = (size_t)side * (size_t)side * 3;
    mdf_augment_options o = augment_options(NULL, false);
    normalise_as(&o, *norm);
    mdf_rng r = mdf_rng_new(0, 1);
    mdf_arena scratch;
    MDF_TRY(mdf_arena_init(&scratch, 0, 0, err));
    float *pixels = mdf_alloc(count, sizeof *pixels);
    mdf_status status =
        pixels == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a picture")
                       : mdf_augment(pixels, NULL, NULL, crop, NULL, side, &o, &r, &scratch, err);
    for (size_t j = 0; status == MDF_OK && j < count; j++) {
        out[j] = (mdf_real)pixels[j];
    }
    mdf_free(pixels);
    mdf_arena_free(&scratch);
    return status;
}

/* What of a training text is left out. */
typedef struct text_drop {
    double sentence; /* probability, for each on its own */
    mdf_rng *rng;
} text_drop;

static bool sentence_goes(void *user, const char *sentence, size_t len)
{
    const text_drop *d = user;
    (void)sentence;
    (void)len;
    return mdf_rng_uniform(d->rng) < d->sentence;
}

/* A sample's text as training sees it, in b->mirrored where it is changed; NULL: none. */
static const char *text_of(mdf_batch_buffer *b, const mdf_config *c, const mdf_sample *s, bool flip,
                           bool augment, bool blind, mdf_rng *r)
{
    const char *text = s->info->text;
    const bool drop = augment && mdf_rng_uniform(r) < c->train.text_drop && !blind;
    mdf_strbuf_clear(&b->mirrored);
    if (!c->train.use_text || drop) {
        return NULL;
    }
    if (flip) {
        mdf_text_swap_laterality(text, &b->mirrored);
        text = b->mirrored.data;
    }
    if (augment && c->train.sentence_drop > 0) {
        if (!flip) {
            mdf_strbuf_puts(&b->mirrored, text);
        }
        text_drop d = {.sentence = c->train.sentence_drop, .rng = r};
        char *own = b->mirrored.data;
        if (own != NULL && !b->mirrored.failed) {
            own[mdf_sentence_drop(own, own, strlen(own), sentence_goes, &d)] = '\0';
        }
        text = own;
    }
    return b->mirrored.failed ? NULL : text;
}

static mdf_status fill_prompt(mdf_batch_buffer *b, const mdf_config *c, const mdf_sample *s,
                              size_t at, size_t *used, const char *text, bool picture,
                              mdf_error *err)
{
    size_t count = 0;
    mdf_status status =
        mdf_prompt_build(b->tokenizer, b->prompt + *used, b->prompt_capacity - *used, &count,
                         &b->image_at[at], text, c->answer.missing_text, picture, err);
    if (b->mirrored.failed) {
        status = mdf_fail(err, MDF_ERR_LIMIT, "%s: the text is too long", s->info->file_name);
    }
    b->prompt_len[at] = (int32_t)count;
    *used += count;
    return status;
}

/* Which labels are compared: those of the case's data folder, and none of its own others. */
static void allow(mdf_batch_buffer *b, const mdf_samples *all, const mdf_sample *s, size_t at)
{
    const size_t k = (size_t)b->tree.labels;
    uint8_t *to = b->allowed + at * k;
    if (all->known != NULL) {
        memcpy(to, all->known + (size_t)s->info->source * k, k);
    } else {
        memset(to, 1, k);
    }
    for (const mdf_sample *t = s - s->before; t <= s + s->after; t++) {
        if (t != s && t->label >= 0) {
            to[t->label] = 0;
        }
    }
}

/* Everything of the case at `at`; *used counts tokens. */
static mdf_status fill_case(mdf_batch_buffer *b, const mdf_config *c, const mdf_samples *all,
                            const mdf_sample *s, size_t at, const mdf_batch_options *opt,
                            bool blind, size_t *used, mdf_error *err)
{
    const uint64_t seed = mdf_rng_mix(opt->seed, at);
    const bool sees = c->train.use_image && !blind;
    bool flip = false;
    if (sees) {
        MDF_TRY(fill_picture(b, c, s, at, opt, seed, &flip, err));
    }
    b->label[at] = s->label;
    if (b->tokenizer == NULL) {
        return MDF_OK;
    }
    allow(b, all, s, at);
    mdf_rng r = mdf_rng_new(seed, 2);
    const char *text = text_of(b, c, s, flip, opt->augment, blind, &r);
    const mdf_status status = fill_prompt(b, c, s, at, used, text, sees, err);
    return status == MDF_OK ? status : mdf_fail_prefix(err, status, s->info->file_name);
}

static bool any_partial(const mdf_config *c, const mdf_sample *s)
{
    for (int i = 0; i < c->unet.mask_channels; i++) {
        if (s->partial[c->unet.masks[i]]) {
            return true;
        }
    }
    return false;
}

/* Are the pictures of this training batch left out? */
static bool is_blind(const mdf_config *c, const mdf_batch_options *opt)
{
    mdf_rng r = mdf_rng_new(opt->seed, 4);
    return opt->augment && opt->focus == NULL && c->train.task == MDF_TASK_ANSWER &&
           mdf_rng_uniform(&r) < c->train.picture_drop;
}

enum { DROPOUT = 7 }; /* the batch's own choices beside those of its cases */

mdf_status mdf_batch_fill(mdf_batch_buffer *b, const mdf_config *c, const mdf_samples *s,
                          const size_t *index, size_t n, const mdf_batch_options *opt,
                          mdf_error *err)
{
    size_t used = 0;
    bool any_mask = false;
    bool partial = false;
    bool twins = false;
    const bool words = b->tokenizer != NULL;
    const bool blind = is_blind(c, opt);
    const bool sees = c->train.use_image && !blind;
    memset(b->mask_there, 0, b->capacity * (size_t)c->unet.mask_channels * sizeof *b->mask_there);
    for (size_t i = 0; i < n; i++) {
        const mdf_sample *sample = &s->item[index[i]];
        MDF_TRY(fill_case(b, c, s, sample, i, opt, blind, &used, err));
        any_mask = any_mask || (opt->masks && sees && sample->has_mask);
        partial = partial || any_partial(c, sample);
        twins = twins || sample->before + sample->after > 0;
    }
    b->batch = (mdf_batch){.cases = (int64_t)n,
                           .unet_side = side_of(c, opt),
                           .unet_image = sees && c->train.use_unet ? b->unet_image : NULL,
                           .vision_image = sees && words ? b->vision_image : NULL,
                           .prompt = b->prompt,
                           .prompt_len = b->prompt_len,
                           .image_at = b->image_at,
                           .tree = words ? &b->tree : NULL,
                           .label = words ? b->label : NULL,
                           .allowed = words && (s->known != NULL || twins) ? b->allowed : NULL,
                           .mask = any_mask ? b->mask : NULL,
                           .crops = opt->focus != NULL,
                           .dropout_seed = opt->augment ? mdf_rng_mix(opt->seed, DROPOUT) | 1 : 0,
                           .mask_there = b->mask_there,
                           .mask_weight = any_mask && partial ? b->mask_weight : NULL};
    return MDF_OK;
}
