/* The image processor of Llama 3.2 Vision: one picture to a few square tiles, at most four in the
 * published models.
 *
 * A canvas of tiles is chosen for the shape of the picture, the picture is resized into it (never
 * enlarged beyond one tile edge), padded on the right and below with black, normalised and cut into
 * tiles, row by row. Every step follows the reference's (PIL) arithmetic, including its order of
 * double-precision operations; pixel values agree to the last bit. */
#ifndef MDF_PHOTO_MLLAMA_IMAGE_H
#define MDF_PHOTO_MLLAMA_IMAGE_H

#include "base/status.h"
#include "photo/image.h"

enum { MDF_MLLAMA_MOST_TILES = 16 }; /* of any model */

/* What a picture may be cut into. */
typedef struct mdf_mllama_grid {
    int tile;  /* pixels of a side: 560 or 448 in the published models */
    int tiles; /* most of the model (max_num_tiles): their grids are numbered by this; 4 */
    int most;  /* most for this picture, at most tiles; the reference has no such choice */
} mdf_mllama_grid;

/* Where a picture of a given size goes. */
typedef struct mdf_mllama_layout {
    int tiles_high;      /* canvas, in tiles */
    int tiles_wide;      /* tiles_high * tiles_wide <= most */
    int aspect_ratio_id; /* 1..; 0 is kept for a missing picture */
    int resized_w;       /* pixels of the picture inside the canvas */
    int resized_h;
} mdf_mllama_layout;

typedef struct mdf_mllama_norm {
    float mean[3]; /* of pixels in [0, 1] */
    float std[3];
} mdf_mllama_norm;

/* mean and std of the published checkpoints. */
mdf_mllama_norm mdf_mllama_norm_default(void);

/* width, height >= 1; the grid must be a valid one. */
mdf_mllama_layout mdf_mllama_layout_for(int width, int height, const mdf_mllama_grid *g);

/* pixel_values [g->tiles, 3, tile, tile]: tiles in row order, unused ones all zero (not
 * normalised). mask [g->tiles]: 1 for a used tile. Fails with MDF_ERR_ARG (a grid that can't be),
 * MDF_ERR_NOMEM. */
mdf_status mdf_mllama_image(float *pixel_values, int *mask, mdf_mllama_layout *layout,
                            const mdf_image *im, const mdf_mllama_grid *g,
                            const mdf_mllama_norm *norm, mdf_error *err) MDF_NODISCARD;

#endif
