/* Any bytes as a preprocessor_config.json or processor_config.json: no crash; what is refused
 * changes nothing; what is accepted can normalise a picture. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "config/model_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static mdf_config config;
    config.vision.image_size = 28;
    config.vision.max_num_tiles = 4;
    mdf_preprocessor p = {.mean = {7}, .std = {7}};
    const bool accepted =
        mdf_preprocessor_parse(&p, (const char *)data, size, "fuzz", &config, NULL) == MDF_OK;
    for (int i = 0; i < 3; i++) {
        if (accepted ? !(fabsf(p.mean[i]) <= 10 && p.std[i] > 0 && p.std[i] <= 10)
                     : p.mean[i] != (i == 0 ? 7.0F : 0.0F)) {
            abort();
        }
    }
    return 0;
}
