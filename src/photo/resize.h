/* Resizing of 8-bit pictures: bilinear with antialiasing, bit for bit as Pillow does it (the vision
 * tower was trained behind it), and nearest neighbour for masks. */
#ifndef MDF_PHOTO_RESIZE_H
#define MDF_PHOTO_RESIZE_H

#include "base/arena.h"
#include "base/status.h"

/* dst [dst_h, dst_w, channels] <- src [src_h, src_w, channels]; no aliasing. channels 1..4.
 * Horizontal pass, then vertical, the value between them rounded to 8 bits; a pass that keeps the
 * size is skipped. Fails with MDF_ERR_ARG (a size below 1), MDF_ERR_NOMEM. */
mdf_status mdf_resize_bilinear(uint8_t *restrict dst, int dst_w, int dst_h,
                               const uint8_t *restrict src, int src_w, int src_h, int channels,
                               mdf_error *err) MDF_NODISCARD;

/* The same with its working memory taken from scratch, for callers that resize again and again. */
mdf_status mdf_resize_bilinear_in(mdf_arena *scratch, uint8_t *restrict dst, int dst_w, int dst_h,
                                  const uint8_t *restrict src, int src_w, int src_h, int channels,
                                  mdf_error *err) MDF_NODISCARD;

/* The source pixel that contains the centre of the destination pixel. Never invents a value. */
void mdf_resize_nearest(uint8_t *restrict dst, int dst_w, int dst_h, const uint8_t *restrict src,
                        int src_w, int src_h, int channels);

#endif
