/* Masks: which pixels of a picture are meant. */
#include "photo/mask.h"

#include <math.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"

enum { VALUES = 65536 };

/* Lists the values that occur; *largest is one of them. */
static mdf_status find_levels(mdf_mask_info *info, const mdf_levels *l, uint16_t *largest,
                              const char *name, mdf_error *err)
{
    uint8_t *occurs = mdf_alloc(VALUES, 1);
    if (occurs == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for the mask", name);
    }
    const size_t n = (size_t)l->width * (size_t)l->height;
    for (size_t i = 0; i < n; i++) {
        occurs[l->px[i]] = 1;
    }
    for (size_t v = 0; v < VALUES; v++) {
        if (occurs[v] != 0) {
            if (info->level_count < MDF_MASK_LEVELS) {
                info->level[info->level_count] = (uint16_t)v;
            }
            info->level_count++;
            *largest = (uint16_t)v;
        }
    }
    mdf_free(occurs);
    return MDF_OK;
}

/* The smallest value that is foreground; the rule is in the header. */
static uint32_t threshold(mdf_mask_info *info, const mdf_levels *l, uint16_t largest)
{
    if (info->level_count == 1) {
        info->kind = largest == 0 ? MDF_MASK_EMPTY : MDF_MASK_FULL;
        return largest == 0 ? 1 : largest;
    }
    if (info->level_count == 2) {
        info->kind = MDF_MASK_TWO;
        return largest;
    }
    const bool is_drawn = l->has_palette && l->is_coloured && info->level_count <= MDF_MASK_LEVELS;
    if (largest < MDF_MASK_NUMBERS || is_drawn) {
        info->kind = MDF_MASK_CLASSES;
        return 1;
    }
    info->kind = MDF_MASK_SOFT;
    return (uint32_t)largest / 2 + 1;
}

mdf_status mdf_mask_decode(mdf_grey *out, mdf_mask_info *info, const void *bytes, size_t len,
                           const char *name, mdf_error *err)
{
    mdf_levels l = {0};
    name = name == NULL ? "mask" : name;
    MDF_TRY(mdf_levels_decode(&l, bytes, len, name, err));
    mdf_mask_info found = {.width = l.width, .height = l.height};
    const size_t n = (size_t)l.width * (size_t)l.height;
    uint16_t largest = 0;
    mdf_status status = find_levels(&found, &l, &largest, name, err);
    uint8_t *px = status == MDF_OK ? mdf_alloc_raw(n) : NULL;
    if (status == MDF_OK && px == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for the mask", name);
    }
    if (status == MDF_OK) {
        const uint32_t from = threshold(&found, &l, largest);
        for (size_t i = 0; i < n; i++) {
            px[i] = l.px[i] >= from ? 255 : 0;
            found.foreground += px[i] != 0 ? 1 : 0;
        }
        *out = (mdf_grey){.width = l.width, .height = l.height, .px = px};
        if (info != NULL) {
            *info = found;
        }
    }
    mdf_levels_free(&l);
    return status;
}

mdf_status mdf_mask_read(mdf_grey *out, mdf_mask_info *info, const char *path, mdf_error *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    MDF_TRY(mdf_file_read(path, MDF_MAX_IMAGE_BYTES, &bytes, &len, err));
    const mdf_status status = mdf_mask_decode(out, info, bytes, len, path, err);
    mdf_free(bytes);
    return status;
}

bool mdf_mask_is_clear(const mdf_mask_info *info)
{
    switch (info->kind) {
    case MDF_MASK_EMPTY:
        return true;
    case MDF_MASK_TWO: /* 254 and 255 are no two things */
        return 2 * (uint32_t)info->level[0] <= info->level[1];
    case MDF_MASK_SOFT:
        return info->level_count > MDF_MASK_LEVELS;
    case MDF_MASK_FULL:
    case MDF_MASK_CLASSES:
        break;
    }
    return false;
}

void mdf_mask_describe(mdf_strbuf *out, const mdf_mask_info *info)
{
    mdf_strbuf_puts(out, info->level_count == 1 ? "value" : "values");
    for (size_t i = 0; i < info->level_count && i < MDF_MASK_LEVELS; i++) {
        mdf_strbuf_printf(out, "%s%u", i == 0 ? " " : ", ", (unsigned)info->level[i]);
    }
    static const char *const readings[] = {[MDF_MASK_EMPTY] = "nothing is foreground",
                                           [MDF_MASK_FULL] = "all of it is foreground",
                                           [MDF_MASK_TWO] = "the larger one is foreground",
                                           [MDF_MASK_CLASSES] = "all but 0 is foreground",
                                           [MDF_MASK_SOFT] =
                                               "what is above half of the largest is foreground"};
    mdf_strbuf_printf(out, "%s: %s", info->level_count > MDF_MASK_LEVELS ? ", ..." : "",
                      readings[info->kind]);
}

mdf_status mdf_mask_fits(int mask_width, int mask_height, int width, int height, const char *name,
                         mdf_error *err)
{
    const double scale = (double)mask_width / width;
    if (fabs(scale * height - mask_height) > (scale > 1 ? scale : 1)) {
        return mdf_fail(err, MDF_ERR_SHAPE, "%s: a mask of %d x %d pixels for a picture of %d x %d",
                        name, mask_width, mask_height, width, height);
    }
    return MDF_OK;
}

/* Fraction of [low, high] around its middle: -1 at low, 1 at high. */
static double across(double x, double low, double high)
{
    return (2 * x - low - high) / (high - low);
}

static int inside(double x, int below)
{
    const double whole = floor(x);
    return whole < 0 ? 0 : whole > below ? below : (int)whole;
}

void mdf_mask_fill(mdf_grey *mask, double left, double top, double right, double bottom, bool round)
{
    const double cx = floor((left + right) / 2);
    const double cy = floor((top + bottom) / 2);
    const int x1 = inside(right + 1, mask->width);
    const int y1 = inside(bottom + 1, mask->height);
    for (int y = inside(top, mask->height); y < y1; y++) {
        for (int x = inside(left, mask->width); x < x1; x++) {
            const double u = across(x + 0.5, left, right);
            const double v = across(y + 0.5, top, bottom);
            const bool in = round ? u * u + v * v <= 1 : fabs(u) <= 1 && fabs(v) <= 1;
            if (in || (x == cx && y == cy)) {
                mask->px[(size_t)y * (size_t)mask->width + (size_t)x] = 255;
            }
        }
    }
}
