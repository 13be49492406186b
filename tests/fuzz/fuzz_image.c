/* Any bytes as a picture: no crash, and what is accepted is a picture within the limits that can be
 * resized and searched for a field of view. */
#include <stdint.h>
#include <stdlib.h>

#include "base/limits.h"
#include "photo/image.h"
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
    if (mdf_image_decode_grey(&mask, data, size, "fuzz", NULL) != MDF_OK && mask.px != NULL) {
        abort();
    }
    mdf_grey_free(&mask);
    return 0;
}
