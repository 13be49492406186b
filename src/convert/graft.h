/* A pretrained language model as the text part of an MDF model. */
#ifndef MDF_CONVERT_GRAFT_H
#define MDF_CONVERT_GRAFT_H

#include "config/config.h"
#include "convert/model_stream.h"

typedef struct mdf_graft_options {
    const char *source; /* model folder: a Llama text model, or a Llama 3.2 Vision model */
    /* The rest: U-Net, fusion, answers and training; for a text model also the vision tower, the
     * number of cross-attention layers and their gates' first value. Its text sizes are not looked
     * at. */
    const mdf_config *config;
    const int *cross; /* [cross_count] layers of the result that become cross-attention layers;
                         0: as many as config has, evenly spread. Text models only */
    int cross_count;
    uint64_t seed; /* of the new weights */
} mdf_graft_options;

typedef struct mdf_graft_result {
    size_t kept, added; /* tensors */
    int64_t kept_numbers, added_numbers;
} mdf_graft_result;

/* Settings of the result. A text model's layers keep their order; cross-attention layers are put
 * between them, where Llama 3.2 Vision has them (behind three quarters of each equal share). The
 * fusion map's layers move to the cross layers of the same rank. MDF_ERR_ARG: contradictions. */
mdf_status mdf_graft_config(mdf_config *out, const mdf_config *source, const mdf_graft_options *opt,
                            mdf_error *err) MDF_NODISCARD;

/* Writes the folder dir. What the source has is copied as it is, and rows that its embedding table
 * lacks get that table's type; everything else that is new has the table's type, too, or bf16 when
 * that is quantised. With the gates' first value 0 the result
 * answers as its source does. On failure no model stays. */
mdf_status mdf_graft(const char *dir, const mdf_graft_options *opt, const mdf_stream_watch *watch,
                     mdf_graft_result *result, mdf_error *err) MDF_NODISCARD;

#endif
