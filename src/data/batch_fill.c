/* The batches that a model reads, made of samples. */
#include "data/batch_fill.h"

#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "data/sentence.h"
#include "photo/augment.h"
#include "photo/laterality.h"

mdf_mllama_norm mdf_unet_norm(const mdf_config *c)
{
    const float mean = 127.0F / 255.0F;
    const float std = 128.0F / 255.0F;
    switch (c->unet.encoder) {
    case MDF_ENCODER_EFFICIENTNET_LITE0:
        return (mdf_mllama_norm){.mean = {mean, mean, mean}, .std = {std, std, std}};
    case MDF_ENCODER_PLAIN:
        break;
    }
    return mdf_mllama_norm_default();
}

mdf_status mdf_batch_buffer_new(mdf_batch_buffer *b, const mdf_config *c,
                                const mdf_label_tree *tree, size_t capacity, mdf_error *err)
{
    const size_t s = (size_t)c->unet.image_size;
    const size_t t = (size_t)c->vision.image_size;
    const size_t m = (size_t)c->unet.mask_channels;
    const size_t side = s > t ? s : t;
    *b = (mdf_batch_buffer){.capacity = capacity,
                            .tokenizer = tree->tokenizer,
                            .mirrored = mdf_strbuf_new(MDF_MAX_TEXT_BYTES + 64)};
    MDF_TRY(mdf_arena_init(&b->scratch, 0, 0, err));
    b->tree = (mdf_tree_view){.nodes = tree->nodes,
                              .token = tree->token,
                              .depth = tree->depth,
                              .mask = tree->mask,
                              .labels = tree->labels,
                              .offset = tree->offset,
                              .source = tree->source,
                              .target = tree->target};
    b->prompt_capacity = MDF_MAX_TOKENS;
    b->unet_image = mdf_alloc(capacity * s * s * 3, sizeof *b->unet_image);
    b->vision_image = mdf_alloc(capacity * t * t * 3, sizeof *b->vision_image);
    b->mask = mdf_alloc(capacity * s * s * m + 1, sizeof *b->mask);
    b->mask_there = mdf_alloc(capacity * m + 1, sizeof *b->mask_there);
    b->prompt = mdf_alloc(b->prompt_capacity, sizeof *b->prompt);
    b->prompt_len = mdf_alloc(capacity, sizeof *b->prompt_len);
    b->image_at = mdf_alloc(capacity, sizeof *b->image_at);
    b->label = mdf_alloc(capacity, sizeof *b->label);
    b->allowed = mdf_alloc(capacity * (size_t)tree->labels + 1, 1);
    b->mask_pixels = mdf_alloc(s * s, 1);
    b->pixels = mdf_alloc(side * side * 3, sizeof *b->pixels);
    if (b->unet_image == NULL || b->vision_image == NULL || b->mask == NULL ||
        b->mask_there == NULL || b->prompt == NULL || b->prompt_len == NULL ||
        b->image_at == NULL || b->label == NULL || b->allowed == NULL || b->mask_pixels == NULL ||
        b->pixels == NULL) {
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

/* One case's pictures and masks; both pictures see the same random transform. */
static mdf_status fill_picture(mdf_batch_buffer *b, const mdf_config *c, const mdf_sample *s,
                               size_t at, const mdf_batch_options *opt, uint64_t seed, bool *flip,
                               mdf_error *err)
{
    mdf_augment_options o = augment_options(&c->train.augment, opt->augment);
    const int su = c->unet.image_size;
    const int sv = c->vision.image_size;
    const size_t channels = (size_t)c->unet.mask_channels;
    const size_t pixels = (size_t)su * (size_t)su;
    const bool mask = opt->masks && s->has_mask;
    normalise_as(&o, mdf_unet_norm(c));
    for (int i = 0; i < (mask ? (int)channels : 1); i++) {
        const mdf_grey *grey = mask && s->mask[i].px != NULL ? &s->mask[i] : NULL;
        mdf_rng r = mdf_rng_new(seed, 1);
        MDF_TRY(mdf_augment(b->pixels, grey == NULL ? NULL : b->mask_pixels, flip, &s->image, grey,
                            su, &o, &r, &b->scratch, err));
        b->mask_there[at * channels + (size_t)i] = grey != NULL;
        for (size_t j = 0; mask && j < pixels; j++) {
            b->mask[(at * pixels + j) * channels + (size_t)i] =
                grey != NULL && b->mask_pixels[j] != 0 ? 1 : 0;
        }
    }
    for (size_t j = 0; j < pixels * 3; j++) {
        b->unet_image[at * pixels * 3 + j] = (mdf_real)b->pixels[j];
    }
    if (c->train.task == MDF_TASK_PICTURE) {
        return MDF_OK; /* no tower looks */
    }
    mdf_rng r = mdf_rng_new(seed, 1);
    normalise_as(&o, mdf_mllama_norm_default());
    MDF_TRY(mdf_augment(b->pixels, NULL, flip, &s->image, NULL, sv, &o, &r, &b->scratch, err));
    const size_t count = (size_t)sv * (size_t)sv * 3;
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
                           bool augment, mdf_rng *r)
{
    const char *text = s->info->text;
    const bool drop = augment && mdf_rng_uniform(r) < c->train.text_drop;
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
                              size_t at, size_t *used, const char *text, mdf_error *err)
{
    size_t count = 0;
    mdf_status status =
        mdf_prompt_build(b->tokenizer, b->prompt + *used, b->prompt_capacity - *used, &count,
                         &b->image_at[at], text, c->answer.missing_text, c->train.use_image, err);
    if (b->mirrored.failed) {
        status = mdf_fail(err, MDF_ERR_LIMIT, "%s: the text is too long", s->info->file_name);
    }
    b->prompt_len[at] = (int32_t)count;
    *used += count;
    return status;
}

mdf_status mdf_batch_fill(mdf_batch_buffer *b, const mdf_config *c, const mdf_samples *s,
                          const size_t *index, size_t n, const mdf_batch_options *opt,
                          mdf_error *err)
{
    size_t used = 0;
    bool any_mask = false;
    memset(b->mask_there, 0, b->capacity * (size_t)c->unet.mask_channels * sizeof *b->mask_there);
    for (size_t i = 0; i < n; i++) {
        const mdf_sample *sample = &s->item[index[i]];
        const uint64_t seed = mdf_rng_mix(opt->seed, i);
        bool flip = false;
        if (c->train.use_image) {
            MDF_TRY(fill_picture(b, c, sample, i, opt, seed, &flip, err));
        }
        mdf_rng r = mdf_rng_new(seed, 2);
        const char *text = text_of(b, c, sample, flip, opt->augment, &r);
        mdf_status status = fill_prompt(b, c, sample, i, &used, text, err);
        if (status != MDF_OK) {
            return mdf_fail_prefix(err, status, sample->info->file_name);
        }
        b->label[i] = sample->label;
        if (s->known != NULL) {
            const size_t k = (size_t)s->classes;
            memcpy(b->allowed + i * k, s->known + (size_t)sample->info->source * k, k);
        }
        any_mask = any_mask || (opt->masks && sample->has_mask);
    }
    b->batch =
        (mdf_batch){.cases = (int64_t)n,
                    .unet_image = c->train.use_image && c->train.use_unet ? b->unet_image : NULL,
                    .vision_image = c->train.use_image ? b->vision_image : NULL,
                    .prompt = b->prompt,
                    .prompt_len = b->prompt_len,
                    .image_at = b->image_at,
                    .tree = &b->tree,
                    .label = b->label,
                    .allowed = s->known != NULL ? b->allowed : NULL,
                    .mask = any_mask ? b->mask : NULL,
                    .mask_there = b->mask_there};
    return MDF_OK;
}
