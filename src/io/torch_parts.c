/* What the torch_*.c files share: the names that a pickle may hold, and rows of numbers by their
 * key. */
#include "io/torch_parts.h"

#include <stdlib.h>
#include <string.h>

const mdf_pickle_global mdf_torch_globals[MDF_TORCH_GLOBALS] = {
    {"torch", "FloatStorage", MDF_PICKLE_NAME},
    {"torch", "HalfStorage", MDF_PICKLE_NAME},
    {"torch", "BFloat16Storage", MDF_PICKLE_NAME},
    {"torch", "DoubleStorage", MDF_PICKLE_NAME},
    {"torch", "LongStorage", MDF_PICKLE_NAME},
    {"torch", "IntStorage", MDF_PICKLE_NAME},
    {"torch", "ShortStorage", MDF_PICKLE_NAME},
    {"torch", "CharStorage", MDF_PICKLE_NAME},
    {"torch", "ByteStorage", MDF_PICKLE_NAME},
    {"torch", "BoolStorage", MDF_PICKLE_NAME},
    [MDF_TORCH_TENSOR] = {"torch._utils", "_rebuild_tensor_v2", MDF_PICKLE_CALLED},
    [MDF_TORCH_PARAMETER] = {"torch._utils", "_rebuild_parameter", MDF_PICKLE_CALLED},
    {"collections", "OrderedDict", MDF_PICKLE_MAKES_DICT},
};

size_t mdf_torch_width(int type)
{
    static const uint8_t width[MDF_TORCH_STORAGES] = {4, 2, 2, 8, 8, 4, 2, 1, 1, 1};
    return width[type];
}

int mdf_torch_by_key(const void *a, const void *b)
{
    const mdf_torch_storage *s = a;
    const mdf_torch_storage *t = b;
    const size_t n = s->key_bytes < t->key_bytes ? s->key_bytes : t->key_bytes;
    const int order = memcmp(s->key, t->key, n);
    return order != 0 ? order : (s->key_bytes > t->key_bytes) - (s->key_bytes < t->key_bytes);
}

mdf_torch_storage *mdf_torch_find(const mdf_torch_reader *r, const char *key, size_t key_bytes)
{
    const mdf_torch_storage wanted = {.key = key, .key_bytes = key_bytes};
    return r->storages == 0
               ? NULL
               : bsearch(&wanted, r->storage, r->storages, sizeof wanted, mdf_torch_by_key);
}
