/* The masks of a batch, with what each pixel of them counts in the loss. */
#include "data/batch_masks.h"

#include "base/rng.h"
#include "data/crop.h"

/* What the ground of a mask counts that was drawn from boxes: signs that nobody boxed are there. */
static const mdf_real partial_weight = MDF_R(0.2);

/* Mask `channel` of the case at `at`, if there is one and the case's view shows it. */
static mdf_status fill_mask(mdf_batch_buffer *b, const mdf_config *c, const mdf_sample *s,
                            size_t at, int channel, bool shown, int side,
                            const mdf_augment_options *o, uint64_t seed, mdf_error *err)
{
    const size_t channels = (size_t)c->unet.mask_channels;
    const size_t pixels = (size_t)side * (size_t)side;
    const mdf_mask_name name = c->unet.masks[channel];
    const mdf_grey *grey = shown && s->mask[name].px != NULL ? &s->mask[name] : NULL;
    const bool centre = name == MDF_MASK_DISC && s->only_centre; /* says itself what is unknown */
    const mdf_real ground = grey == NULL ? 0 : s->partial[name] && !centre ? partial_weight : 1;
    mdf_rng r = mdf_rng_new(seed, 1);
    if (grey != NULL) {
        MDF_TRY(mdf_augment(NULL, b->mask_pixels, NULL, &s->image, grey, side, o, &r, &b->scratch,
                            err));
    }
    b->mask_there[at * channels + (size_t)channel] = grey != NULL;
    for (size_t j = 0; j < pixels; j++) {
        const uint8_t value = grey != NULL ? b->mask_pixels[j] : 0;
        const bool set = value != 0 && value != MDF_MASK_UNKNOWN;
        const mdf_real weight = value == MDF_MASK_UNKNOWN ? 0 : set ? 1 : ground;
        b->mask[(at * pixels + j) * channels + (size_t)channel] = set ? 1 : 0;
        b->mask_weight[(at * pixels + j) * channels + (size_t)channel] = weight;
    }
    return MDF_OK;
}

/* A kind of lesions that excludes other kinds: what is a "lesion" may be of any. */
static bool is_one_kind(mdf_mask_name name)
{
    return mdf_mask_is_lesion(name) && name != MDF_MASK_LESION;
}

/* Where mask `from` of the case at `at` is set, mask `to` is known to be unset. */
static void exclude(mdf_batch_buffer *b, size_t channels, size_t pixels, size_t at, size_t from,
                    size_t to)
{
    for (size_t j = at * pixels; j < (at + 1) * pixels; j++) {
        if (b->mask[j * channels + from] > 0) {
            b->mask_weight[j * channels + to] = 1;
            b->mask_there[at * channels + to] = 1;
        }
    }
}

/* What somebody boxed as a lesion of one kind is none of another kind, unless it was boxed as both:
 * the only thing that tells two kinds of lesions apart. */
static void set_kinds_apart(mdf_batch_buffer *b, const mdf_unet_config *u, const mdf_sample *s,
                            size_t at, int side)
{
    const size_t channels = (size_t)u->mask_channels;
    const size_t pixels = (size_t)side * (size_t)side;
    for (int to = 0; to < u->mask_channels; to++) {
        const mdf_mask_name name = u->masks[to];
        const bool drawn = s->mask[name].px != NULL && !s->partial[name];
        for (int from = 0; is_one_kind(name) && !drawn && from < u->mask_channels; from++) {
            if (from != to && is_one_kind(u->masks[from]) && s->partial[u->masks[from]]) {
                exclude(b, channels, pixels, at, (size_t)from, (size_t)to);
            }
        }
    }
}

mdf_status mdf_batch_fill_masks(mdf_batch_buffer *b, const mdf_config *c, const mdf_sample *s,
                                size_t at, const mdf_batch_options *opt,
                                const mdf_augment_options *o, uint64_t seed, mdf_error *err)
{
    const bool crop = opt->focus != NULL;
    const int side = crop ? mdf_crop_side(c, opt->focus[at]) : c->unet.image_size;
    for (int i = 0; i < c->unet.mask_channels; i++) {
        const bool shown = !crop || mdf_crop_shows(c, opt->focus[at], c->unet.masks[i]);
        MDF_TRY(fill_mask(b, c, s, at, i, shown, side, o, seed, err));
    }
    if (opt->augment) {
        set_kinds_apart(b, &c->unet, s, at, side);
    }
    return MDF_OK;
}
