/* EfficientNet-lite0's checkpoint into the encoder of a U-Net. */
#include "weights/encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/torch_file.h"
#include "nn/efficientnet.h"

#define PREFIX "unet.encoder."

/* "weight" is the convolution's, the others its batch norm's. */
static bool suffix_source(const char *suffix, const char *conv, const char *norm, char *out,
                          size_t room)
{
    static const char *const of_norm[][2] = {{"norm.weight", "weight"},
                                             {"norm.bias", "bias"},
                                             {"norm.mean", "running_mean"},
                                             {"norm.var", "running_var"}};
    if (strcmp(suffix, "weight") == 0) {
        return snprintf(out, room, "%s.weight", conv) < (int)room;
    }
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(suffix, of_norm[i][0]) == 0) {
            return snprintf(out, room, "%s.%s", norm, of_norm[i][1]) < (int)room;
        }
    }
    return false;
}

bool mdf_encoder_source(const char *parameter, char source[128])
{
    static const char *const part[][3] = {{"expand.", "_expand_conv", "_bn0"},
                                          {"depthwise.", "_depthwise_conv", "_bn1"},
                                          {"project.", "_project_conv", "_bn2"}};
    if (strncmp(parameter, PREFIX, strlen(PREFIX)) != 0) {
        return false;
    }
    const char *rest = parameter + strlen(PREFIX);
    if (strncmp(rest, "stem.", 5) == 0) {
        return suffix_source(rest + 5, "_conv_stem", "_bn0", source, 128);
    }
    if (strncmp(rest, "head.", 5) == 0) {
        return suffix_source(rest + 5, "_conv_head", "_bn1", source, 128);
    }
    char *end = NULL;
    if (strncmp(rest, "block.", 6) != 0 || rest[6] < '0' || rest[6] > '9') {
        return false;
    }
    const long number = strtol(rest + 6, &end, 10);
    if (*end != '.' || number >= MDF_EFFICIENTNET_BLOCKS) {
        return false;
    }
    rest = end + 1;
    for (size_t i = 0; i < 3; i++) {
        if (strncmp(rest, part[i][0], strlen(part[i][0])) == 0) {
            char conv[64];
            char norm[64];
            (void)snprintf(conv, sizeof conv, "_blocks.%ld.%s", number, part[i][1]);
            (void)snprintf(norm, sizeof norm, "_blocks.%ld.%s", number, part[i][2]);
            return suffix_source(rest + strlen(part[i][0]), conv, norm, source, 128);
        }
    }
    return false;
}

/* The tensor of a parameter, found and of the same shape. */
static mdf_status find_source(const mdf_st_tensor **out, const mdf_param *p,
                              const mdf_safetensors *file, mdf_error *err)
{
    char source[128];
    if (!mdf_encoder_source(p->tensor.name, source)) {
        return mdf_fail(err, MDF_ERR_ARG, "%s: there is no published weight for it",
                        p->tensor.name);
    }
    return mdf_safetensors_get(file, source, p->tensor.rank, p->tensor.dim, out, err);
}

/* A tensor of the file that none of the parameters asks for, and that is none of the classifier's.
 */
static mdf_status check_extra(const mdf_params *p, const mdf_safetensors *file, mdf_error *err)
{
    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->tensor[i].name;
        const char *end = strrchr(name, '.');
        bool known = strncmp(name, "_fc.", 4) == 0 || strncmp(name, "_conv_head.", 11) == 0 ||
                     strncmp(name, "_bn1.", 5) == 0 ||
                     (end != NULL && strcmp(end, ".num_batches_tracked") == 0);
        for (size_t j = 0; !known && j < p->count; j++) {
            char source[128];
            known =
                mdf_encoder_source(p->item[j]->tensor.name, source) && strcmp(source, name) == 0;
        }
        if (!known) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: EfficientNet-lite0 has no tensor %.80s",
                            file->path, name);
        }
    }
    return MDF_OK;
}

static mdf_status set_one(mdf_param *p, const mdf_safetensors *file, const mdf_st_tensor *t,
                          mdf_error *err)
{
#ifdef MDF_REAL_DOUBLE
    MDF_TRY(mdf_safetensors_doubles(file, t, p->tensor.data, err));
#else
    MDF_TRY(mdf_safetensors_floats(file, t, p->tensor.data, err));
#endif
    for (size_t i = 0; i < t->count; i++) {
        if (!isfinite((double)p->tensor.data[i])) {
            return mdf_fail(err, MDF_ERR_NUMERIC, "%s: tensor %s: number %zu is not finite",
                            file->path, t->name, i);
        }
    }
    return MDF_OK;
}

mdf_status mdf_encoder_set(mdf_params *p, const mdf_safetensors *file, mdf_error *err)
{
    size_t found = 0;
    const mdf_st_tensor *t = NULL;
    for (size_t i = 0; i < p->count; i++) {
        if (strncmp(p->item[i]->tensor.name, PREFIX, strlen(PREFIX)) == 0) {
            MDF_TRY(find_source(&t, p->item[i], file, err));
            found++;
        }
    }
    if (found == 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "unet_config.encoder is \"plain\": there are no published weights for it");
    }
    MDF_TRY(check_extra(p, file, err));
    for (size_t i = 0; i < p->count; i++) {
        if (strncmp(p->item[i]->tensor.name, PREFIX, strlen(PREFIX)) == 0) {
            MDF_TRY(find_source(&t, p->item[i], file, err));
            MDF_TRY(set_one(p->item[i], file, t, err));
        }
    }
    return MDF_OK;
}

mdf_status mdf_encoder_load(mdf_params *p, const char *path, mdf_error *err)
{
    mdf_safetensors file;
    if (mdf_torch_is(path)) {
        MDF_TRY(mdf_torch_open(&file, path, err));
    } else {
        MDF_TRY(mdf_safetensors_open(&file, path, err));
    }
    const mdf_status status = mdf_encoder_set(p, &file, err);
    mdf_safetensors_close(&file);
    return status;
}
