/* The heat-map of a classified photograph. */
#include "heat.h"

#include "photo/fov.h"

mdf_status app_draw_heat(mdf_png_bytes *png, const mdf_result *r, const uint8_t *bytes, size_t len,
                         const char *name, int side_max, const char *caption, mdf_error *err)
{
    mdf_image full = {0};
    mdf_image crop = {0};
    MDF_TRY(mdf_image_decode(&full, bytes, len, name, err));
    mdf_status status =
        mdf_crop(&crop, &full, (mdf_square){r->crop_left, r->crop_top, r->crop_side}, err);
    if (status == MDF_OK) {
        status = mdf_heatmap_draw(png,
                                  &(mdf_heatmap_options){.rgb = crop.rgb,
                                                         .width = crop.width,
                                                         .height = crop.height,
                                                         .map = r->heat,
                                                         .columns = r->heat_side,
                                                         .rows = r->heat_side,
                                                         .side_max = side_max,
                                                         .caption = caption},
                                  err);
    }
    mdf_image_free(&crop);
    mdf_image_free(&full);
    return status;
}
