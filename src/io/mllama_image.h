/* The image processor of Llama 3.2 Vision: one picture to at most four square tiles.
 *
 * A canvas of tiles is chosen for the shape of the picture, the picture is resized into it (never
 * enlarged beyond one tile edge), padded on the right and below with black, normalised and cut into
 * tiles, row by row. Every step follows the reference's (PIL) arithmetic, including its order of
 * double-precision operations; pixel values agree to the last bit. */
#ifndef MDF_IO_MLLAMA_IMAGE_H
#define MDF_IO_MLLAMA_IMAGE_H

#include "base/status.h"
#include "io/image.h"

enum { MDF_MLLAMA_TILES = 4 };

/* Where a picture of a given size goes. */
typedef struct mdf_mllama_layout {
    int tiles_high;      /* canvas, in tiles */
    int tiles_wide;      /* tiles_high * tiles_wide <= 4 */
    int aspect_ratio_id; /* 1..8; 0 is kept for a missing picture */
    int resized_w;       /* pixels of the picture inside the canvas */
    int resized_h;
} mdf_mllama_layout;

typedef struct mdf_mllama_norm {
    float mean[3]; /* of pixels in [0, 1] */
    float std[3];
} mdf_mllama_norm;

/* mean and std of the published checkpoints. */
mdf_mllama_norm mdf_mllama_norm_default(void);

/* width, height >= 1; tile >= 1 (560 or 448 in the published models). */
mdf_mllama_layout mdf_mllama_layout_for(int width, int height, int tile);

/* pixel_values [4, 3, tile, tile]: tiles in row order, unused ones all zero (not normalised).
 * mask [4]: 1 for a used tile. Fails with MDF_ERR_ARG (tile < 1), MDF_ERR_NOMEM. */
mdf_status mdf_mllama_image(float *pixel_values, int mask[MDF_MLLAMA_TILES],
                            mdf_mllama_layout *layout, const mdf_image *im, int tile,
                            const mdf_mllama_norm *norm, mdf_error *err) MDF_NODISCARD;

#endif
