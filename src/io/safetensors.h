/* safetensors: named tensors in one file. Eight bytes of header length, a JSON header
 * {name: {dtype, shape, data_offsets}}, then the numbers.
 *
 *     mdf_safetensors file;
 *     MDF_TRY(mdf_safetensors_open(&file, "model.safetensors", err));
 *     const mdf_st_tensor *t = NULL;
 *     status = mdf_safetensors_get(&file, "lm_head.weight", 2, (int64_t[]){264, 64}, &t, err);
 *     if (status == MDF_OK) { status = mdf_safetensors_floats(&file, t, weights, err); }
 *     mdf_safetensors_close(&file);
 *
 * Opening proves that every tensor lies inside the file, that none overlap, that no byte is left
 * over, and that sizes agree with shapes; afterwards data may be read without checks.
 *
 * Blocks of numbers, which the format does not know, are stored as U8 [rows, bytes of a row] with
 * the metadata "mdf.dtype.<tensor>" = "Q4_0"; here they have that type and the shape [rows,
 * columns] of their numbers. */
#ifndef MDF_IO_SAFETENSORS_H
#define MDF_IO_SAFETENSORS_H

#include "base/arena.h"
#include "base/dtype.h"
#include "base/file.h"
#include "base/limits.h"

typedef struct mdf_st_tensor {
    const char *name;
    mdf_dtype dtype;
    int rank; /* 0: one number */
    int64_t dim[MDF_MAX_RANK];
    size_t count, bytes; /* numbers, and their size in the file */
    const uint8_t *data; /* in the map or the caller's bytes; no alignment is promised */
} mdf_st_tensor;

typedef struct mdf_st_pair {
    const char *key, *value;
} mdf_st_pair;

typedef struct mdf_safetensors {
    mdf_st_tensor *tensor; /* [count], sorted by name */
    size_t count;
    mdf_st_pair *metadata; /* [metadata_count], in file order */
    size_t metadata_count;
    const char *path; /* stands in errors */
    mdf_arena arena;  /* all of the above */
    mdf_map map;      /* empty if the bytes are the caller's */
} mdf_safetensors;

/* bytes [len] stay the caller's and must outlive the object; name stands in errors. On failure
 * there is nothing to close. Errors: FORMAT, LIMIT, NOMEM, and IO when a path can't be mapped. */
mdf_status mdf_safetensors_parse(mdf_safetensors *st, const void *bytes, size_t len,
                                 const char *name, mdf_error *err) MDF_NODISCARD;
mdf_status mdf_safetensors_open(mdf_safetensors *st, const char *path,
                                mdf_error *err) MDF_NODISCARD;
void mdf_safetensors_close(mdf_safetensors *st);

const mdf_st_tensor *mdf_safetensors_find(const mdf_safetensors *st, const char *name);
const char *mdf_safetensors_metadata(const mdf_safetensors *st, const char *key); /* or NULL */

/* find() that wants a shape: a missing tensor is MDF_ERR_FORMAT, another shape MDF_ERR_SHAPE with
 * both shapes in the sentence. */
mdf_status mdf_safetensors_get(const mdf_safetensors *st, const char *name, int rank,
                               const int64_t *dim, const mdf_st_tensor **out,
                               mdf_error *err) MDF_NODISCARD;

/* MDF_ERR_SHAPE with both shapes in the sentence, if t's is another one. */
mdf_status mdf_safetensors_check_shape(const mdf_safetensors *st, const mdf_st_tensor *t, int rank,
                                       const int64_t *dim, mdf_error *err) MDF_NODISCARD;

/* All numbers of t as floats [t->count]. I8 is 8-bit storage: a companion "<name>.scale", F32
 * [dim[0]], must stand beside it and multiplies its rows. Other integers are MDF_ERR_FORMAT. */
mdf_status mdf_safetensors_floats(const mdf_safetensors *st, const mdf_st_tensor *t, float *out,
                                  mdf_error *err) MDF_NODISCARD;
mdf_status mdf_safetensors_doubles(const mdf_safetensors *st, const mdf_st_tensor *t, double *out,
                                   mdf_error *err) MDF_NODISCARD;

/* Numbers [at, at + n) of an I8 tensor; false: its scales are missing. */
bool mdf_safetensors_floats_at(const mdf_safetensors *st, const mdf_st_tensor *t, size_t at,
                               size_t n, float *out) MDF_NODISCARD;

/* t's bytes are not needed soon (mdf_map_release). Those that a torch file's table had to copy
 * stay. */
void mdf_safetensors_release(const mdf_safetensors *st, const mdf_st_tensor *t);

/* t holds the row scales of an 8-bit tensor, not a tensor of its own. */
bool mdf_safetensors_is_scale(const mdf_safetensors *st, const mdf_st_tensor *t);

/* --- writing --- */

/* One tensor to write. data are the bytes of dtype; or floats, when from_floats is set, that become
 * F32, F16 or BF16 on the way. */
typedef struct mdf_st_entry {
    const char *name;
    mdf_dtype dtype;
    int rank;
    int64_t dim[MDF_MAX_RANK];
    const void *data;
    bool from_floats;
} mdf_st_entry;

/* Replaces path by a file of these tensors, or leaves it as it was. Wide types come first, so that
 * every tensor is aligned to its size; the first number stands at a multiple of 64 bytes. Repeated
 * or bad names: MDF_ERR_ARG. A finite number that half precision can't hold: MDF_ERR_NUMERIC. */
mdf_status mdf_safetensors_save(const char *path, const mdf_st_entry *entry, size_t entries,
                                const mdf_st_pair *metadata, size_t pairs,
                                mdf_error *err) MDF_NODISCARD;

/* --- several files --- */

/* A model in one file or in shards with an index that names them; files of safetensors or of torch
 * (io/torch_file.h). */
typedef struct mdf_st_shards {
    mdf_safetensors *file; /* [files] */
    size_t files;
    char *path; /* as it was opened */
} mdf_st_shards;

/* path: a file of tensors, an .index.json, or a folder that holds model.safetensors,
 * model.safetensors.index.json, pytorch_model.bin or pytorch_model.bin.index.json (the first that
 * is there counts). A file is torch's by its first bytes, or because its name ends in .bin, .pth or
 * .pt (then its reader tells what is wrong with it). Every tensor of the index must be in the file
 * that it names, and none in two. */
mdf_status mdf_st_shards_open(mdf_st_shards *s, const char *path, mdf_error *err) MDF_NODISCARD;
void mdf_st_shards_close(mdf_st_shards *s);

/* The file or index of a folder that would be opened; the caller frees *path. None: MDF_ERR_IO. */
mdf_status mdf_st_shards_find_file(const char *folder, char **path, mdf_error *err) MDF_NODISCARD;

/* The tensor and the file that has it (file may be NULL). */
const mdf_st_tensor *mdf_st_shards_find(const mdf_st_shards *s, const char *name,
                                        const mdf_safetensors **file);

#endif
