/* Any bytes as a picture: no crash, and what is accepted is a picture within the limits that can be
 * resized, or a mask that is empty just when it has no foreground. */
#include <stdint.h>
#include <stdlib.h>

#include "base/limits.h"
#include "photo/image.h"
#include "photo/mask.h"
#include "photo/resize.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdf_image im = {0};
    if (mdf_image_decode(&im, data, size, "fuzz", NULL) == MDF_OK) {
        uint8_t small[16 * 16 * 3];
        if (im.rgb == NULL || im.width < 1 || im.height < 1 || im.width > MDF_MAX_IMAGE_SIDE ||
            im.height > MDF_MAX_IMAGE_SIDE) {
            abort();
        }
        if (mdf_resize_bilinear(small, 16, 16, im.rgb, im.width, im.height, 3, NULL) != MDF_OK) {
            abort();
        }
    } else if (im.rgb != NULL) {
        abort();
    }
    mdf_image_free(&im);
    mdf_grey mask = {0};
    mdf_mask_info info = {0};
    if (mdf_mask_decode(&mask, &info, data, size, "fuzz", NULL) != MDF_OK) {
        if (mask.px != NULL) {
            abort();
        }
    } else if (info.foreground > (size_t)mask.width * (size_t)mask.height ||
               (info.kind == MDF_MASK_EMPTY) != (info.foreground == 0)) {
        abort();
    }
    mdf_grey_free(&mask);
    return 0;
}
