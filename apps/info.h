/* What the kinds of files that mdf info describes have in common. */
#ifndef MDF_APPS_INFO_H
#define MDF_APPS_INFO_H

#include <jansson.h>

#include "weights/parts.h"

typedef struct info_flags {
    bool tensors;       /* list them */
    bool check_tensors; /* look at every number */
} info_flags;

mdf_status info_no_memory(mdf_error *err);

/* {"vision": {"tensors": 1, "parameters": 2}, ..., "total": {...}}; bytes where they are known. */
json_t *info_parts(const mdf_part_count count[MDF_PARTS]);

/* {"name": "a", "dtype": "F32", "shape": [2, 1]} */
json_t *info_tensor(const char *name, mdf_dtype type, int rank, const int64_t *dim);

/* Counts a tensor in "Q4_0": {"tensors": 1, "bytes": 2}. */
void info_add_type(json_t *types, mdf_dtype type, size_t bytes);

/* A file, or a model's folder, as a document that the caller frees. GGUF: all parts of a split file
 * whose first is path; parts of the model if it is one that can be imported. Tensors: a safetensors
 * file, an index or a folder. */
mdf_status info_gguf(const char *path, const info_flags *f, json_t **doc,
                     mdf_error *err) MDF_NODISCARD;
mdf_status info_tensors(const char *path, const info_flags *f, json_t **doc,
                        mdf_error *err) MDF_NODISCARD;
mdf_status info_picture(const char *path, const info_flags *f, json_t **doc,
                        mdf_error *err) MDF_NODISCARD;

#endif
