/* The heat-map of a classified photograph. */
#ifndef MDF_APPS_HEAT_H
#define MDF_APPS_HEAT_H

#include "app.h"
#include "report/heatmap.h"

/* Photograph (bytes of a picture file called name), overlay and colour bar as PNG. r has a map
 * (heat_side > 0). side_max, caption: as in mdf_heatmap_options. Caller frees *png, on failure
 * too. */
mdf_status app_draw_heat(mdf_png_bytes *png, const mdf_result *r, const uint8_t *bytes, size_t len,
                         const char *name, int side_max, const char *caption, mdf_error *err);

#endif
