/* Masks: which pixels of a picture are meant. The one place that decides it, for training,
 * evaluation and the data check.
 *
 * People write masks as 0 and 255, 0 and 1, 0 and 65535, as numbers of classes, with soft edges, in
 * colours, with a palette. The value of a pixel is its largest colour channel at the file's full
 * depth, and the values that occur in a mask decide:
 *
 *   only 0                           the mask is empty
 *   one other value                  all of it is foreground
 *   two values                       the larger one is foreground
 *   more, all below MDF_MASK_NUMBERS they are numbers of classes: all but 0 is foreground
 *   more, colours of a palette       they are classes: all but black is foreground (at most
 *                                    MDF_MASK_LEVELS values)
 *   more                             edges are soft: what is above half of the largest value is
 *                                    foreground (0 to 255: above 127)
 */
#ifndef MDF_PHOTO_MASK_H
#define MDF_PHOTO_MASK_H

#include "base/strbuf.h"
#include "photo/image.h"

enum {
    MDF_MASK_NUMBERS = 32, /* darker than any eye tells from black: nobody draws with it */
    MDF_MASK_LEVELS = 8    /* more values than this are edges, not classes */
};

typedef enum mdf_mask_kind {
    MDF_MASK_EMPTY,
    MDF_MASK_FULL,
    MDF_MASK_TWO,     /* values */
    MDF_MASK_CLASSES, /* numbers, or colours of a palette */
    MDF_MASK_SOFT
} mdf_mask_kind;

typedef struct mdf_mask_info {
    mdf_mask_kind kind;
    int width, height;
    size_t foreground;               /* pixels */
    size_t level_count;              /* different values */
    uint16_t level[MDF_MASK_LEVELS]; /* the smallest of them */
} mdf_mask_info;

/* Decodes a mask: px of *out is 255 for foreground and 0 for the rest. info may be NULL. Fails as
 * mdf_image_decode() does; *out is untouched then. Caller frees with mdf_grey_free(). */
mdf_status mdf_mask_decode(mdf_grey *out, mdf_mask_info *info, const void *bytes, size_t len,
                           const char *name, mdf_error *err) MDF_NODISCARD;
mdf_status mdf_mask_read(mdf_grey *out, mdf_mask_info *info, const char *path,
                         mdf_error *err) MDF_NODISCARD;

/* False when the values leave open what is meant: the mask is full, numbers several classes, or has
 * a few values that may be classes as well as edges. */
bool mdf_mask_is_clear(const mdf_mask_info *info);

/* "values 0, 1, 2: all but 0 is foreground" */
void mdf_mask_describe(mdf_strbuf *out, const mdf_mask_info *info);

/* Sets the pixels to 255 whose centres lie in the box (or, round, in the ellipse inside of it), at
 * least the one at the box's centre; in pixels, parts outside of the mask are dropped. */
void mdf_mask_fill(mdf_grey *mask, double left, double top, double right, double bottom,
                   bool round);

/* A mask may be larger or smaller than its picture, but must have its shape, up to a pixel. Else
 * MDF_ERR_SHAPE. */
mdf_status mdf_mask_fits(int mask_width, int mask_height, int width, int height, const char *name,
                         mdf_error *err) MDF_NODISCARD;

#endif
