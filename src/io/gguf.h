/* GGUF, the file of llama.cpp and ollama, versions 2 and 3: named values, then tensors.
 *
 *     mdf_gguf_files model;
 *     MDF_TRY(mdf_gguf_files_open(&model, (const char *[]){"model.gguf"}, 1, err));
 *     const mdf_gguf *file = NULL;
 *     const mdf_gguf_tensor *t = mdf_gguf_files_tensor(&model, "token_embd.weight", &file);
 *     mdf_gguf_files_close(&model);
 *
 * Opening proves that every string, array and tensor lies inside the file, that sizes agree with
 * shapes, and that no name stands twice; afterwards data may be read without checks. */
#ifndef MDF_IO_GGUF_H
#define MDF_IO_GGUF_H

#include "base/arena.h"
#include "base/dtype.h"
#include "base/file.h"
#include "base/limits.h"

typedef struct mdf_gguf_tensor {
    const char *name;
    mdf_dtype dtype;
    int rank;                  /* 0: one number */
    int64_t dim[MDF_MAX_RANK]; /* slowest first, as everywhere here; the file has them reversed */
    size_t count, bytes;       /* numbers, and their size in the file */
    const uint8_t *data;       /* in the map or the caller's bytes; no alignment is promised */
} mdf_gguf_tensor;

/* As numbered in the file. */
typedef enum mdf_gguf_type {
    MDF_GGUF_U8,
    MDF_GGUF_I8,
    MDF_GGUF_U16,
    MDF_GGUF_I16,
    MDF_GGUF_U32,
    MDF_GGUF_I32,
    MDF_GGUF_F32,
    MDF_GGUF_BOOL,
    MDF_GGUF_STRING,
    MDF_GGUF_ARRAY,
    MDF_GGUF_U64,
    MDF_GGUF_I64,
    MDF_GGUF_F64
} mdf_gguf_type;

/* Bytes of the file; no NUL at the end, any content. */
typedef struct mdf_gguf_string {
    const char *text;
    size_t len;
} mdf_gguf_string;

typedef struct mdf_gguf_value {
    const char *key;
    bool is_array;
    mdf_gguf_type type; /* of the value, or of the array's items; ARRAY: arrays in an array, which
                           are proved but not given */
    size_t count;       /* 1, or the array's length */
    const uint8_t *data;
    size_t bytes;
} mdf_gguf_value;

typedef struct mdf_gguf {
    int version;
    mdf_gguf_tensor *tensor; /* [count], sorted by name */
    size_t count;
    mdf_gguf_value *value; /* [values], sorted by key */
    size_t values;
    const char *path; /* stands in errors */
    mdf_arena arena;  /* all of the above */
    mdf_map map;      /* empty if the bytes are the caller's */
} mdf_gguf;

/* bytes [len] stay the caller's and must outlive the object; name stands in errors. On failure
 * there is nothing to close. Errors: FORMAT, LIMIT, NOMEM, and IO when a path can't be mapped. */
mdf_status mdf_gguf_parse(mdf_gguf *g, const void *bytes, size_t len, const char *name,
                          mdf_error *err) MDF_NODISCARD;
mdf_status mdf_gguf_open(mdf_gguf *g, const char *path, mdf_error *err) MDF_NODISCARD;
void mdf_gguf_close(mdf_gguf *g);

const mdf_gguf_tensor *mdf_gguf_find(const mdf_gguf *g, const char *name);
const mdf_gguf_value *mdf_gguf_value_of(const mdf_gguf *g, const char *key); /* or NULL */

/* --- values: false if v is NULL, has no item i, or is of another kind --- */

bool mdf_gguf_integer(const mdf_gguf_value *v, size_t i, int64_t *out) MDF_NODISCARD;
bool mdf_gguf_number(const mdf_gguf_value *v, size_t i, double *out) MDF_NODISCARD; /* or integer */
bool mdf_gguf_bool(const mdf_gguf_value *v, size_t i, bool *out) MDF_NODISCARD;
bool mdf_gguf_text(const mdf_gguf_value *v, mdf_gguf_string *out) MDF_NODISCARD; /* no array */

/* All strings of an array, out [v->count]; one pass. */
bool mdf_gguf_texts(const mdf_gguf_value *v, mdf_gguf_string *out) MDF_NODISCARD;

/* --- several files --- */

/* A model in parts: "name-00001-of-00003.gguf", or pictures and text apart. */
typedef struct mdf_gguf_files {
    mdf_gguf *file; /* [files]; the first has the values */
    size_t files;
} mdf_gguf_files;

/* Each path is a whole file or the first part of a split one, whose other parts are then opened
 * beside it. Tensor names must be different in all of them. */
mdf_status mdf_gguf_files_open(mdf_gguf_files *f, const char *const *path, size_t paths,
                               mdf_error *err) MDF_NODISCARD;
void mdf_gguf_files_close(mdf_gguf_files *f);

/* The tensor, or the value of the first file that has the key; file may be NULL. */
const mdf_gguf_tensor *mdf_gguf_files_tensor(const mdf_gguf_files *f, const char *name,
                                             const mdf_gguf **file);
const mdf_gguf_value *mdf_gguf_files_value(const mdf_gguf_files *f, const char *key,
                                           const mdf_gguf **file);

/* Bytes of a value of this type, 0 for strings and arrays. */
size_t mdf_gguf_type_bytes(mdf_gguf_type type);

#endif
