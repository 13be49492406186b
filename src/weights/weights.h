/* Weights between a model and safetensors files: this project's, or Hugging Face's in any naming.
 *
 *     mdf_weights w;
 *     MDF_TRY(mdf_weights_open(&w, "models/llama-3.2-11b-vision", err));
 *     MDF_TRY(mdf_mllm_declare(&model, &config, err));
 *     MDF_TRY(mdf_weights_map(&model->params, &w, false, err));
 *     ... the model reads the mapped files: close w after the model */
#ifndef MDF_WEIGHTS_WEIGHTS_H
#define MDF_WEIGHTS_WEIGHTS_H

#include "io/safetensors.h"
#include "nn/params.h"

enum { MDF_WEIGHT_NAME = 256 }; /* bytes of a name, with its NUL */

/* A tensor under this project's name. */
typedef struct mdf_model_weight {
    const char *name;
    const mdf_st_tensor *tensor; /* with the file's own name */
    const mdf_safetensors *file;
} mdf_model_weight;

typedef struct mdf_weights {
    mdf_st_shards shards;
    mdf_model_weight *item; /* [count], sorted by name */
    size_t count;
    size_t bytes;  /* of all tensors in the files */
    bool borrowed; /* the file is the caller's */
    mdf_arena arena;
} mdf_weights;

/* path as for mdf_st_shards_open(). Names of older ("language_model.model.layers."), newer
 * ("model.language_model.layers.") and text-only ("model.layers.") files become one; a tensor that
 * is there under two of them is MDF_ERR_FORMAT. */
mdf_status mdf_weights_open(mdf_weights *w, const char *path, mdf_error *err) MDF_NODISCARD;
/* The same of a file that is open already, and stays so: it must outlive w. */
mdf_status mdf_weights_borrow(mdf_weights *w, mdf_safetensors *file, mdf_error *err) MDF_NODISCARD;
void mdf_weights_close(mdf_weights *w);

const mdf_model_weight *mdf_weights_find(const mdf_weights *w, const char *name); /* or NULL */

/* This project's name of a tensor; false: it is too long. */
bool mdf_weights_name(const char *file_name, char name[MDF_WEIGHT_NAME]);

/* The tensor stays in its file when it is mapped: a matrix. Only such tensors may be quantised. */
bool mdf_weights_stays(const mdf_tensor *t);

/* Sets every parameter (allocated before) to the file's numbers as floats. Names and shapes must
 * agree, and every number must be finite. Tensors that the model does not have are an error too,
 * unless they belong to training ("mdf.aux.", "optimizer.", "train.") or repeat what the model has.
 * Errors name file and tensor. */
mdf_status mdf_weights_set(mdf_params *p, const mdf_weights *w, mdf_error *err) MDF_NODISCARD;

/* What of the files a model took. */
typedef struct mdf_weights_taken {
    size_t set;  /* parameters that the files had */
    size_t left; /* tensors of fusion ("mdf.") and U-Net that the model does not have */
} mdf_weights_taken;

/* The same for those parameters that the files have; the others keep their values. A model may fuse
 * less than the files, or have no U-Net, or none of its classifier: those tensors are left and
 * counted. */
mdf_status mdf_weights_set_known(mdf_params *p, const mdf_weights *w, mdf_weights_taken *taken,
                                 mdf_error *err) MDF_NODISCARD;

/* Parameters that are only declared: matrices stay in the mapped files (raw and dtype, or data
 * where the file has aligned floats), the others become floats. Only those are looked through for
 * numbers that are not finite, unless check_all: that reads all of the files. w must outlive p. */
mdf_status mdf_weights_map(mdf_params *p, const mdf_weights *w, bool check_all,
                           mdf_error *err) MDF_NODISCARD;

/* A tensor of a file that is no weight of the model: of training, or written out although it
 * follows from others (the rotary wavelengths of old files, the head that is the embedding). */
bool mdf_weights_may_be_extra(const mdf_params *p, const char *name);

/* No file has a tensor that the model does not have, with the exceptions above. */
mdf_status mdf_weights_check_extra(const mdf_params *p, const mdf_weights *w,
                                   mdf_error *err) MDF_NODISCARD;

/* Every number of every tensor is finite; the error names the first that is not. */
mdf_status mdf_weights_check(const mdf_weights *w, mdf_error *err) MDF_NODISCARD;

/* mdf_weights_set() from one open file, or from a path. */
mdf_status mdf_weights_read(mdf_params *p, const mdf_safetensors *file,
                            mdf_error *err) MDF_NODISCARD;
mdf_status mdf_weights_load(mdf_params *p, const char *path, mdf_error *err) MDF_NODISCARD;

#endif
