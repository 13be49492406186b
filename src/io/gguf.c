/* The GGUF reader: a cursor that gives only bytes that are there, and nothing is believed before it
 * is compared with them. */
#include "io/gguf.h"

#include <stdlib.h>
#include <string.h>

#include "io/foreign.h"

enum {
    TYPES = MDF_GGUF_F64 + 1,
    DEFAULT_ALIGNMENT = 32,
    MAX_ALIGNMENT = 1 << 16,
    MAX_KEY_BYTES = 65535, /* of the format */
    MAX_NAME_BYTES = 255,  /* the format says 64 */
    MAX_NESTING = 4,       /* arrays in arrays */
    ENTRY_BYTES = 12,      /* of a value, at the least: an empty key's length and a type */
    INFO_BYTES = 24        /* of a tensor: an empty name, a rank, a type, an offset */
};

typedef struct reader {
    mdf_gguf *g;
    const uint8_t *bytes;
    size_t len, at;
    mdf_error *err;
} reader;

static mdf_status no_memory(const reader *r)
{
    return mdf_fail(r->err, MDF_ERR_NOMEM, "%s: out of memory", r->g->path);
}

static mdf_status take(reader *r, uint64_t n, const uint8_t **out)
{
    if (n > r->len - r->at) {
        return mdf_fail_at(r->err, MDF_ERR_FORMAT, r->at,
                           "%s: cut off, or its header lies: %llu bytes are wanted at byte %zu, "
                           "but the file has %zu",
                           r->g->path, (unsigned long long)n, r->at, r->len);
    }
    *out = r->bytes + r->at;
    r->at += (size_t)n;
    return MDF_OK;
}

static uint64_t little(const uint8_t *p, size_t bytes)
{
    uint64_t x = 0;
    for (size_t i = bytes; i > 0; i--) {
        x = x << 8 | p[i - 1];
    }
    return x;
}

static mdf_status take_u32(reader *r, uint32_t *out)
{
    const uint8_t *p = NULL;
    MDF_TRY(take(r, 4, &p));
    *out = (uint32_t)little(p, 4);
    return MDF_OK;
}

static mdf_status take_u64(reader *r, uint64_t *out)
{
    const uint8_t *p = NULL;
    MDF_TRY(take(r, 8, &p));
    *out = little(p, 8);
    return MDF_OK;
}

/* A key or a tensor's name, copied. */
static mdf_status take_name(reader *r, const char *what, size_t most, const char **out)
{
    uint64_t n = 0;
    const uint8_t *p = NULL;
    MDF_TRY(take_u64(r, &n));
    MDF_TRY(take(r, n, &p));
    if (n > most) {
        return mdf_fail(r->err, MDF_ERR_LIMIT, "%s: a %s has %llu bytes, more than %zu", r->g->path,
                        what, (unsigned long long)n, most);
    }
    if (n == 0 || memchr(p, 0, (size_t)n) != NULL) {
        return mdf_fail_at(r->err, MDF_ERR_FORMAT, r->at, "%s: a %s is %s", r->g->path, what,
                           n == 0 ? "empty" : "not text: it holds a zero byte");
    }
    *out = mdf_arena_strndup(&r->g->arena, (const char *)p, (size_t)n);
    return *out == NULL ? no_memory(r) : MDF_OK;
}

static mdf_status take_type(reader *r, const char *key, mdf_gguf_type *out)
{
    uint32_t type = 0;
    MDF_TRY(take_u32(r, &type));
    if (type >= TYPES) {
        return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: \"%.120s\": no type of values has number %lu",
                        r->g->path, key, (unsigned long)type);
    }
    *out = (mdf_gguf_type)type;
    return MDF_OK;
}

static mdf_status check_bools(const reader *r, const char *key, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] > 1) {
            return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: \"%.120s\": %d is neither true nor false",
                            r->g->path, key, p[i]);
        }
    }
    return MDF_OK;
}

static mdf_status skip_array(reader *r, const char *key, int depth, mdf_gguf_type *type,
                             size_t *count);

/* count values, proved to be there. */
static mdf_status skip_items(reader *r, const char *key, int depth, mdf_gguf_type type,
                             uint64_t count)
{
    const uint8_t *p = NULL;
    const size_t size = mdf_gguf_type_bytes(type);
    if (size > 0) {
        const bool fits = count <= (r->len - r->at) / size;
        MDF_TRY(take(r, fits ? count * size : UINT64_MAX, &p));
        return type == MDF_GGUF_BOOL ? check_bools(r, key, p, (size_t)count) : MDF_OK;
    }
    for (uint64_t i = 0; i < count; i++) { /* each takes 8 bytes at the least, so this ends soon */
        if (type == MDF_GGUF_STRING) {
            uint64_t n = 0;
            MDF_TRY(take_u64(r, &n));
            MDF_TRY(take(r, n, &p));
        } else {
            mdf_gguf_type inner = MDF_GGUF_U8;
            size_t inner_count = 0;
            MDF_TRY(skip_array(r, key, depth + 1, &inner, &inner_count));
        }
    }
    return MDF_OK;
}

/* Type and length of the items, then the items. */
static mdf_status skip_array(reader *r, const char *key, int depth, mdf_gguf_type *type,
                             size_t *count)
{
    uint64_t n = 0;
    if (depth > MAX_NESTING) {
        return mdf_fail(r->err, MDF_ERR_LIMIT, "%s: \"%.120s\": arrays nested more than %d deep",
                        r->g->path, key, MAX_NESTING);
    }
    MDF_TRY(take_type(r, key, type));
    MDF_TRY(take_u64(r, &n));
    MDF_TRY(skip_items(r, key, depth, *type, n));
    *count = (size_t)n;
    return MDF_OK;
}

static mdf_status read_value(reader *r, mdf_gguf_value *v)
{
    *v = (mdf_gguf_value){.count = 1};
    MDF_TRY(take_name(r, "key", MAX_KEY_BYTES, &v->key));
    MDF_TRY(take_type(r, v->key, &v->type));
    v->is_array = v->type == MDF_GGUF_ARRAY;
    size_t begin = r->at;
    if (v->is_array) {
        begin += 12;
        MDF_TRY(skip_array(r, v->key, 1, &v->type, &v->count));
    } else {
        MDF_TRY(skip_items(r, v->key, 0, v->type, 1));
    }
    v->data = r->bytes + begin;
    v->bytes = r->at - begin;
    return MDF_OK;
}

/* --- tensors --- */

static mdf_status fail_tensor(const reader *r, mdf_status code, const char *name, const char *what)
{
    return mdf_fail(r->err, code, "%s: tensor \"%.120s\": %s", r->g->path, name, what);
}

/* The number formats by their number in the file, those that are no longer written included. */
static const struct {
    const char *name;
    int dtype; /* -1: not read here */
} formats[] = {
    [0] = {"F32", MDF_DTYPE_F32},
    [1] = {"F16", MDF_DTYPE_F16},
    [2] = {"Q4_0", MDF_DTYPE_Q4_0},
    [3] = {"Q4_1", MDF_DTYPE_Q4_1},
    [4] = {"Q4_2", -1},
    [5] = {"Q4_3", -1},
    [6] = {"Q5_0", MDF_DTYPE_Q5_0},
    [7] = {"Q5_1", MDF_DTYPE_Q5_1},
    [8] = {"Q8_0", MDF_DTYPE_Q8_0},
    [9] = {"Q8_1", -1},
    [10] = {"Q2_K", -1},
    [11] = {"Q3_K", -1},
    [12] = {"Q4_K", MDF_DTYPE_Q4_K},
    [13] = {"Q5_K", MDF_DTYPE_Q5_K},
    [14] = {"Q6_K", MDF_DTYPE_Q6_K},
    [15] = {"Q8_K", -1},
    [16] = {"IQ2_XXS", -1},
    [17] = {"IQ2_XS", -1},
    [18] = {"IQ3_XXS", -1},
    [19] = {"IQ1_S", -1},
    [20] = {"IQ4_NL", -1},
    [21] = {"IQ3_S", -1},
    [22] = {"IQ2_S", -1},
    [23] = {"IQ4_XS", -1},
    [24] = {"I8", MDF_DTYPE_I8},
    [25] = {"I16", -1},
    [26] = {"I32", MDF_DTYPE_I32},
    [27] = {"I64", MDF_DTYPE_I64},
    [28] = {"F64", MDF_DTYPE_F64},
    [29] = {"IQ1_M", -1},
    [30] = {"BF16", MDF_DTYPE_BF16},
    [31] = {"Q4_0_4_4", -1},
    [32] = {"Q4_0_4_8", -1},
    [33] = {"Q4_0_8_8", -1},
    [34] = {"TQ1_0", -1},
    [35] = {"TQ2_0", -1},
    [36] = {"IQ4_NL_4_4", -1},
    [37] = {"IQ4_NL_4_8", -1},
    [38] = {"IQ4_NL_8_8", -1},
    [39] = {"MXFP4", -1},
    [40] = {"NVFP4", -1},
    [41] = {"Q1_0", -1},
};

static mdf_status read_format(reader *r, mdf_gguf_tensor *t)
{
    uint32_t type = 0;
    MDF_TRY(take_u32(r, &type));
    const char *name = type < sizeof formats / sizeof formats[0] ? formats[type].name : NULL;
    if (name == NULL) {
        return mdf_fail(r->err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\": no known type of numbers is numbered %lu",
                        r->g->path, t->name, (unsigned long)type);
    }
    if (formats[type].dtype < 0) {
        return mdf_fail(r->err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\": numbers of type %s are not supported", r->g->path,
                        t->name, name);
    }
    t->dtype = (mdf_dtype)formats[type].dtype;
    return MDF_OK;
}

static mdf_status read_shape(reader *r, mdf_gguf_tensor *t)
{
    uint32_t rank = 0;
    MDF_TRY(take_u32(r, &rank));
    if (rank > MDF_MAX_RANK) {
        return fail_tensor(r, MDF_ERR_LIMIT, t->name, "too many dimensions");
    }
    t->rank = (int)rank;
    t->count = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        uint64_t d = 0;
        MDF_TRY(take_u64(r, &d));
        if (d == 0) {
            return fail_tensor(r, MDF_ERR_FORMAT, t->name, "a dimension is 0");
        }
        if (d > (uint64_t)PTRDIFF_MAX / t->count) {
            return fail_tensor(r, MDF_ERR_FORMAT, t->name, "shape is impossibly large");
        }
        t->dim[i] = (int64_t)d;
        t->count *= (size_t)d;
    }
    return MDF_OK;
}

/* *offset is relative to the first tensor's place, which is not known yet. */
static mdf_status read_info(reader *r, mdf_gguf_tensor *t, uint64_t *offset)
{
    *t = (mdf_gguf_tensor){0};
    MDF_TRY(take_name(r, "tensor's name", MAX_NAME_BYTES, &t->name));
    MDF_TRY(read_shape(r, t));
    MDF_TRY(read_format(r, t));
    MDF_TRY(take_u64(r, offset));
    const size_t cols = t->rank == 0 ? 1 : (size_t)t->dim[t->rank - 1];
    const size_t row = mdf_dtype_row_bytes(t->dtype, cols);
    if (cols % mdf_dtype_block(t->dtype) != 0) {
        return mdf_fail(r->err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\": rows of %zu numbers are no whole blocks of %s, "
                        "which have %zu",
                        r->g->path, t->name, cols, mdf_dtype_name(t->dtype),
                        mdf_dtype_block(t->dtype));
    }
    if (row == 0 || row > (size_t)PTRDIFF_MAX / (t->count / cols)) {
        return fail_tensor(r, MDF_ERR_FORMAT, t->name, "shape is impossibly large");
    }
    t->bytes = row * (t->count / cols);
    return MDF_OK;
}

static int by_place(const void *a, const void *b)
{
    const mdf_gguf_tensor *s = a;
    const mdf_gguf_tensor *t = b;
    return (s->data > t->data) - (s->data < t->data);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const mdf_gguf_tensor *)a)->name, ((const mdf_gguf_tensor *)b)->name);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const mdf_gguf_value *)a)->key, ((const mdf_gguf_value *)b)->key);
}

/* Offsets become pointers; no tensor may reach out of the file or into another one. */
static mdf_status place_tensors(const reader *r, const uint64_t *offset, size_t alignment)
{
    mdf_gguf *g = r->g;
    const size_t gap = (alignment - r->at % alignment) % alignment;
    const size_t blob = gap > r->len - r->at ? r->len : r->at + gap;
    for (size_t i = 0; i < g->count; i++) {
        mdf_gguf_tensor *t = &g->tensor[i];
        if (offset[i] % alignment != 0) {
            return mdf_fail(r->err, MDF_ERR_FORMAT,
                            "%s: tensor \"%.120s\": its place %llu is no multiple of the alignment "
                            "%zu",
                            g->path, t->name, (unsigned long long)offset[i], alignment);
        }
        if (offset[i] > r->len - blob || t->bytes > r->len - blob - (size_t)offset[i]) {
            return mdf_fail(r->err, MDF_ERR_FORMAT,
                            "%s: tensor \"%.120s\": its %zu bytes at %llu are not inside the "
                            "file's %zu: cut off?",
                            g->path, t->name, t->bytes, (unsigned long long)offset[i],
                            r->len - blob);
        }
        t->data = r->bytes + blob + offset[i];
    }
    qsort(g->tensor, g->count, sizeof *g->tensor, by_place);
    for (size_t i = 1; i < g->count; i++) {
        if (g->tensor[i].data < g->tensor[i - 1].data + g->tensor[i - 1].bytes) {
            return fail_tensor(r, MDF_ERR_FORMAT, g->tensor[i].name,
                               "its bytes overlap another tensor's");
        }
    }
    qsort(g->tensor, g->count, sizeof *g->tensor, by_name);
    for (size_t i = 1; i < g->count; i++) {
        if (strcmp(g->tensor[i].name, g->tensor[i - 1].name) == 0) {
            return fail_tensor(r, MDF_ERR_FORMAT, g->tensor[i].name, "it is there twice");
        }
    }
    return MDF_OK;
}

static mdf_status read_alignment(const reader *r, size_t *out)
{
    const mdf_gguf_value *v = mdf_gguf_value_of(r->g, "general.alignment");
    int64_t a = DEFAULT_ALIGNMENT;
    if (v != NULL &&
        (!mdf_gguf_integer(v, 0, &a) || a < 1 || a > MAX_ALIGNMENT || (a & (a - 1)) != 0)) {
        return mdf_fail(r->err, MDF_ERR_FORMAT,
                        "%s: \"general.alignment\" is not a power of two up to %d", r->g->path,
                        MAX_ALIGNMENT);
    }
    *out = (size_t)a;
    return MDF_OK;
}

static mdf_status read_values(reader *r, uint64_t count)
{
    mdf_gguf *g = r->g;
    if (count > (r->len - r->at) / ENTRY_BYTES) {
        return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: %llu values do not fit into the file", g->path,
                        (unsigned long long)count);
    }
    if (count > MDF_MAX_GGUF_VALUES) {
        return mdf_fail(r->err, MDF_ERR_LIMIT, "%s: %llu values, more than the limit of %d",
                        g->path, (unsigned long long)count, MDF_MAX_GGUF_VALUES);
    }
    g->value = mdf_arena_zalloc(&g->arena, (size_t)count + 1, sizeof *g->value);
    if (g->value == NULL) {
        return no_memory(r);
    }
    for (; g->values < count; g->values++) {
        MDF_TRY(read_value(r, &g->value[g->values]));
    }
    qsort(g->value, g->values, sizeof *g->value, by_key);
    for (size_t i = 1; i < g->values; i++) {
        if (strcmp(g->value[i].key, g->value[i - 1].key) == 0) {
            return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: the key \"%.120s\" is there twice",
                            g->path, g->value[i].key);
        }
    }
    return MDF_OK;
}

static mdf_status read_tensors(reader *r, uint64_t count)
{
    mdf_gguf *g = r->g;
    size_t alignment = 0;
    MDF_TRY(read_alignment(r, &alignment));
    if (count > (r->len - r->at) / INFO_BYTES) {
        return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: %llu tensors do not fit into the file",
                        g->path, (unsigned long long)count);
    }
    if (count > MDF_MAX_TENSORS) {
        return mdf_fail(r->err, MDF_ERR_LIMIT, "%s: %llu tensors, more than the limit of %d",
                        g->path, (unsigned long long)count, MDF_MAX_TENSORS);
    }
    g->tensor = mdf_arena_zalloc(&g->arena, (size_t)count + 1, sizeof *g->tensor);
    uint64_t *offset = mdf_arena_alloc(&g->arena, (size_t)count + 1, sizeof *offset);
    if (g->tensor == NULL || offset == NULL) {
        return no_memory(r);
    }
    for (; g->count < count; g->count++) {
        MDF_TRY(read_info(r, &g->tensor[g->count], &offset[g->count]));
    }
    return place_tensors(r, offset, alignment);
}

static mdf_status parse(reader *r)
{
    const uint8_t *magic = NULL;
    uint32_t version = 0;
    uint64_t tensors = 0;
    uint64_t values = 0;
    if (r->len < 4 || memcmp(r->bytes, "GGUF", 4) != 0) {
        const char *kind = mdf_foreign_kind(r->bytes, r->len);
        return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: not a GGUF file%s%s", r->g->path,
                        kind == NULL ? "" : " but ", kind == NULL ? "" : kind);
    }
    MDF_TRY(take(r, 4, &magic));
    MDF_TRY(take_u32(r, &version));
    if (version != 2 && version != 3) {
        const bool swapped = (version & 0xffffU) == 0 && version != 0;
        return mdf_fail(r->err, MDF_ERR_FORMAT,
                        swapped ? "%s: a GGUF file for big-endian machines is not supported"
                                : "%s: a GGUF file of version %lu is not supported, only 2 and 3",
                        r->g->path, (unsigned long)version);
    }
    r->g->version = (int)version;
    MDF_TRY(take_u64(r, &tensors));
    MDF_TRY(take_u64(r, &values));
    MDF_TRY(read_values(r, values));
    return read_tensors(r, tensors);
}

mdf_status mdf_gguf_parse(mdf_gguf *g, const void *bytes, size_t len, const char *name,
                          mdf_error *err)
{
    *g = (mdf_gguf){.path = name};
    mdf_status status = mdf_arena_init(&g->arena, 0, 0, err);
    if (status != MDF_OK) {
        return status;
    }
    reader r = {.g = g, .bytes = bytes, .len = len, .err = err};
    g->path = mdf_arena_strndup(&g->arena, name, strlen(name));
    status = g->path == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", name) : parse(&r);
    if (status != MDF_OK) {
        mdf_gguf_close(g);
    }
    return status;
}

mdf_status mdf_gguf_open(mdf_gguf *g, const char *path, mdf_error *err)
{
    mdf_map map;
    *g = (mdf_gguf){0};
    MDF_TRY(mdf_map_open(&map, path, err));
    const mdf_status status = mdf_gguf_parse(g, map.data, map.len, path, err);
    if (status == MDF_OK) {
        g->map = map;
    } else {
        mdf_map_close(&map);
    }
    return status;
}

void mdf_gguf_close(mdf_gguf *g)
{
    if (g->map.data != NULL) {
        mdf_map_close(&g->map);
    }
    mdf_arena_free(&g->arena);
    *g = (mdf_gguf){0};
}

const mdf_gguf_tensor *mdf_gguf_find(const mdf_gguf *g, const char *name)
{
    const mdf_gguf_tensor key = {.name = name};
    return g->count == 0 ? NULL : bsearch(&key, g->tensor, g->count, sizeof key, by_name);
}

const mdf_gguf_value *mdf_gguf_value_of(const mdf_gguf *g, const char *key)
{
    const mdf_gguf_value wanted = {.key = key};
    return g->values == 0 ? NULL : bsearch(&wanted, g->value, g->values, sizeof wanted, by_key);
}
