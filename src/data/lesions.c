/* The signs that are marked on a photograph, whatever their kind. */
#include "data/lesions.h"

#include "base/alloc.h"

const mdf_mask_name mdf_lesion_masks[MDF_LESION_MASKS] = {MDF_MASK_LESION, MDF_MASK_HAEMORRHAGE,
                                                          MDF_MASK_HARD_EXUDATE};

bool mdf_case_has_lesions(const mdf_manifest_case *c)
{
    for (int i = 0; i < MDF_LESION_MASKS; i++) {
        if (mdf_case_has_mask(c, mdf_lesion_masks[i])) {
            return true;
        }
    }
    return false;
}

/* The pixel, of `other` along a side, that holds the centre of pixel p of `side`. */
static size_t holds(int p, int side, int other)
{
    return (size_t)((2 * (int64_t)p + 1) * other / (2 * (int64_t)side));
}

static void add(mdf_grey *out, const mdf_grey *mask)
{
    for (int y = 0; y < out->height; y++) {
        const uint8_t *row = mask->px + holds(y, out->height, mask->height) * (size_t)mask->width;
        uint8_t *to = out->px + (size_t)y * (size_t)out->width;
        for (int x = 0; x < out->width; x++) {
            to[x] |= row[holds(x, out->width, mask->width)];
        }
    }
}

mdf_status mdf_sample_lesions(mdf_grey *out, const mdf_sample *s, mdf_error *err)
{
    *out = (mdf_grey){0};
    for (int i = 0; i < MDF_LESION_MASKS; i++) {
        const mdf_grey *mask = &s->mask[mdf_lesion_masks[i]];
        if (mask->px != NULL && mask->width > out->width) {
            out->width = mask->width;
            out->height = mask->height;
        }
    }
    if (out->width == 0) {
        return MDF_OK;
    }
    out->px = mdf_alloc((size_t)out->width * (size_t)out->height, 1);
    if (out->px == NULL) {
        *out = (mdf_grey){0};
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for a mask", s->info->path);
    }
    for (int i = 0; i < MDF_LESION_MASKS; i++) {
        const mdf_grey *mask = &s->mask[mdf_lesion_masks[i]];
        if (mask->px != NULL) {
            add(out, mask);
        }
    }
    return MDF_OK;
}
