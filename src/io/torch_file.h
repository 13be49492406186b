/* Files of torch.save (pytorch_model.bin, .pth, .pt) as tables of named tensors, like those of
 * safetensors files. Nothing of the pickle inside is run: io/pickle.h.
 *
 *     mdf_safetensors st;
 *     MDF_TRY(mdf_torch_open(&st, "pytorch_model.bin", err));
 *     ... everything of io/safetensors.h; mdf_safetensors_close(&st) in the end
 *
 * Both of torch's formats are read: the zip archive (since 1.6) and the row of pickles with the
 * numbers behind it (before, or with _use_new_zipfile_serialization=False).
 *
 * The file holds a dictionary of tensors. Dictionaries in it are joined by dots ("a" in "b" is
 * "b.a"). One without tensors of its own whose "state_dict" or "model" has some is a shell around
 * that. A "module." before all names is dropped. What is no tensor is left out, and named in the
 * metadata "torch.left_out" (absent: nothing is).
 *
 * Tensors may share their numbers. They lie in the map, unless their strides are not those of a
 * plain array: then they are copied, all copies together up to the file's size. */
#ifndef MDF_IO_TORCH_FILE_H
#define MDF_IO_TORCH_FILE_H

#include "io/safetensors.h"

#define MDF_TORCH_LEFT_OUT "torch.left_out"

/* As mdf_safetensors_parse(). Errors: FORMAT, LIMIT, NOMEM. */
mdf_status mdf_torch_parse(mdf_safetensors *st, const void *bytes, size_t len, const char *name,
                           mdf_error *err) MDF_NODISCARD;
mdf_status mdf_torch_open(mdf_safetensors *st, const char *path, mdf_error *err) MDF_NODISCARD;

/* The bytes begin like a zip archive or a pickle. */
bool mdf_torch_looks(const void *bytes, size_t len);

/* The file's bytes do, or its name ends in .bin, .pth or .pt. */
bool mdf_torch_is(const char *path);

#endif
