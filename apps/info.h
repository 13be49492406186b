/* What the kinds of files that mdf info describes have in common. */
#ifndef MDF_APPS_INFO_H
#define MDF_APPS_INFO_H

#include <jansson.h>

#include "weights/parts.h"

mdf_status info_no_memory(mdf_error *err);

/* {"vision": {"tensors": 1, "parameters": 2}, ..., "total": {...}}; bytes where they are known. */
json_t *info_parts(const mdf_part_count count[MDF_PARTS]);

/* {"name": "a", "dtype": "F32", "shape": [2, 1]} */
json_t *info_tensor(const char *name, mdf_dtype type, int rank, const int64_t *dim);

/* Counts a tensor in "Q4_0": {"tensors": 1, "bytes": 2}. */
void info_add_type(json_t *types, mdf_dtype type, size_t bytes);

/* A GGUF file, or all parts of a split one whose first is path: keys, number formats, parts of the
 * model if it is one that can be imported, and the tensors if they are wanted. */
mdf_status info_gguf(const char *path, bool tensors, bool check, json_t **doc,
                     mdf_error *err) MDF_NODISCARD;

#endif
