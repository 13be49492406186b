/* How the U-Net's pictures are normalised. */
#include "nn/unet.h"

mdf_mllama_norm mdf_unet_norm(const mdf_config *c)
{
    const float mean = 127.0F / 255.0F;
    const float std = 128.0F / 255.0F;
    switch (c->unet.encoder) {
    case MDF_ENCODER_EFFICIENTNET_LITE0:
        return (mdf_mllama_norm){.mean = {mean, mean, mean}, .std = {std, std, std}};
    case MDF_ENCODER_PLAIN:
        break;
    }
    return mdf_mllama_norm_default();
}
