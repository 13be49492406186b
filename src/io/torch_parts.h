/* What the torch_*.c files share. */
#ifndef MDF_IO_TORCH_PARTS_H
#define MDF_IO_TORCH_PARTS_H

#include "io/pickle.h"
#include "io/safetensors.h"

/* The names that a pickle of tensors may hold; the classes of storages come first. */
enum {
    MDF_TORCH_STORAGES = 10,
    MDF_TORCH_TENSOR = 10,
    MDF_TORCH_PARAMETER,
    MDF_TORCH_GLOBALS = 13
};
extern const mdf_pickle_global mdf_torch_globals[MDF_TORCH_GLOBALS];

/* A row of numbers that tensors look into. */
typedef struct mdf_torch_storage {
    const char *key; /* [key_bytes] */
    size_t key_bytes;
    int type;            /* index into mdf_torch_globals */
    size_t count;        /* numbers */
    size_t bytes;        /* theirs; proved to be no overflow */
    const uint8_t *data; /* NULL until its place is known */
} mdf_torch_storage;

typedef struct mdf_torch_reader {
    mdf_safetensors *st;
    const uint8_t *bytes;
    size_t len;
    mdf_torch_storage *storage; /* [storages], sorted by key */
    size_t storages;
    mdf_error *err;
} mdf_torch_reader;

size_t mdf_torch_width(int type); /* bytes of a number of a storage's class */

/* Of two mdf_torch_storage, for qsort(). */
int mdf_torch_by_key(const void *a, const void *b);

/* NULL: there is none. */
mdf_torch_storage *mdf_torch_find(const mdf_torch_reader *r, const char *key, size_t key_bytes);

/* The table of tensors from the object that was saved. */
mdf_status mdf_torch_tensors(const mdf_torch_reader *r, const mdf_pickle_value *root) MDF_NODISCARD;

#endif
