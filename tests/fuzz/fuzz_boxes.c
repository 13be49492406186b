/* Any bytes as boxes.csv: no crash, and what is accepted are boxes with an area. */
#include <stdint.h>
#include <stdlib.h>

#include "data/boxes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdf_boxes b;
    mdf_error err = {0};
    if (mdf_boxes_parse(&b, "boxes.csv", data, size, &err) != MDF_OK) {
        if (b.row != NULL || err.text[0] == '\0') {
            abort();
        }
        return 0;
    }
    for (size_t i = 0; i < b.count; i++) {
        const mdf_box *box = &b.row[i].box;
        if (!(box->right > box->left && box->bottom > box->top) || box->kind >= MDF_MASK_NAMES ||
            b.row[i].file_name[0] == '\0') {
            abort();
        }
    }
    if (b.unknown_count > MDF_BOXES_UNKNOWN || b.unknown_count > b.unknown_rows) {
        abort();
    }
    mdf_boxes_free(&b);
    return 0;
}
