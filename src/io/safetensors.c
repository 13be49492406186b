/* The safetensors reader: nothing of the header is believed before it is proved. */
#include "io/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "io/safetensors_parts.h"

enum { LENGTH_BYTES = 8 };

typedef struct reader {
    mdf_safetensors *st;
    const uint8_t *blob; /* the numbers */
    size_t blob_bytes;
    mdf_error *err;
} reader;

static mdf_status fail(const reader *r, mdf_status code, const char *name, const char *what)
{
    return mdf_fail(r->err, code, "%s: tensor \"%.120s\": %s", r->st->path, name, what);
}

static mdf_status no_memory(const reader *r)
{
    return mdf_fail(r->err, MDF_ERR_NOMEM, "%s: out of memory", r->st->path);
}

static mdf_status read_dtype(const reader *r, mdf_st_tensor *t, const json_t *v)
{
    if (!json_is_string(v)) {
        return fail(r, MDF_ERR_FORMAT, t->name, "dtype is not a string");
    }
    if (!mdf_dtype_from_name(json_string_value(v), &t->dtype) || mdf_dtype_is_block(t->dtype)) {
        return mdf_fail(r->err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\": numbers of type \"%.20s\" are not supported",
                        r->st->path, t->name, json_string_value(v));
    }
    return MDF_OK;
}

/* rank, dim, count, bytes; products are checked before they are made. */
static mdf_status read_shape(const reader *r, mdf_st_tensor *t, const json_t *v)
{
    if (!json_is_array(v)) {
        return fail(r, MDF_ERR_FORMAT, t->name, "shape is not a list");
    }
    if (json_array_size(v) > MDF_MAX_RANK) {
        return fail(r, MDF_ERR_LIMIT, t->name, "too many dimensions");
    }
    t->rank = (int)json_array_size(v);
    t->count = 1;
    for (int i = 0; i < t->rank; i++) {
        const json_t *d = json_array_get(v, (size_t)i);
        if (!json_is_integer(d) || json_integer_value(d) < 0) {
            return fail(r, MDF_ERR_FORMAT, t->name, "shape has an item that is not a count");
        }
        t->dim[i] = json_integer_value(d);
        if (t->dim[i] != 0 && t->count > (size_t)PTRDIFF_MAX / (size_t)t->dim[i]) {
            return fail(r, MDF_ERR_FORMAT, t->name, "shape is impossibly large");
        }
        t->count *= (size_t)t->dim[i];
    }
    if (t->count > (size_t)PTRDIFF_MAX / mdf_dtype_bytes(t->dtype)) {
        return fail(r, MDF_ERR_FORMAT, t->name, "shape is impossibly large");
    }
    t->bytes = t->count * mdf_dtype_bytes(t->dtype);
    return MDF_OK;
}

static mdf_status read_offsets(const reader *r, mdf_st_tensor *t, const json_t *v)
{
    const json_t *a = json_array_get(v, 0);
    const json_t *b = json_array_get(v, 1);
    if (json_array_size(v) != 2 || !json_is_integer(a) || !json_is_integer(b)) {
        return fail(r, MDF_ERR_FORMAT, t->name, "data_offsets is not [begin, end]");
    }
    const json_int_t begin = json_integer_value(a);
    const json_int_t end = json_integer_value(b);
    if (begin < 0 || end < begin || (uint64_t)end > r->blob_bytes) {
        return mdf_fail(r->err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\": bytes %lld to %lld are not inside the file's %zu",
                        r->st->path, t->name, (long long)begin, (long long)end, r->blob_bytes);
    }
    if ((uint64_t)(end - begin) != t->bytes) {
        return mdf_fail(r->err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\": its shape needs %zu bytes, but it has %lld",
                        r->st->path, t->name, t->bytes, (long long)(end - begin));
    }
    t->data = r->blob + begin;
    return MDF_OK;
}

static mdf_status read_tensor(const reader *r, const char *name, const json_t *v)
{
    mdf_safetensors *st = r->st;
    mdf_st_tensor *t = &st->tensor[st->count];
    *t = (mdf_st_tensor){.name = mdf_arena_strndup(&st->arena, name, strlen(name))};
    if (t->name == NULL) {
        return no_memory(r);
    }
    if (json_object_size(v) != 3) { /* 0 for what is not an object */
        return fail(r, MDF_ERR_FORMAT, name, "its entry is not {dtype, shape, data_offsets}");
    }
    MDF_TRY(read_dtype(r, t, json_object_get(v, "dtype")));
    MDF_TRY(read_shape(r, t, json_object_get(v, "shape")));
    MDF_TRY(read_offsets(r, t, json_object_get(v, "data_offsets")));
    st->count++;
    return MDF_OK;
}

static mdf_status read_metadata(const reader *r, json_t *object)
{
    mdf_safetensors *st = r->st;
    if (!json_is_object(object)) {
        return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: __metadata__ is not an object", st->path);
    }
    st->metadata = mdf_arena_zalloc(&st->arena, json_object_size(object) + 1, sizeof *st->metadata);
    if (st->metadata == NULL) {
        return no_memory(r);
    }
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        const json_t *v = json_object_iter_value(it);
        const char *key = json_object_iter_key(it);
        if (!json_is_string(v)) {
            return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: __metadata__ \"%.120s\" is not a string",
                            st->path, key);
        }
        mdf_st_pair *p = &st->metadata[st->metadata_count];
        p->key = mdf_arena_strndup(&st->arena, key, strlen(key));
        p->value = mdf_arena_strndup(&st->arena, json_string_value(v), json_string_length(v));
        if (p->key == NULL || p->value == NULL) {
            return no_memory(r);
        }
        st->metadata_count++;
    }
    return MDF_OK;
}

static int by_place(const void *a, const void *b)
{
    const mdf_st_tensor *s = a;
    const mdf_st_tensor *t = b;
    if (s->data != t->data) {
        return s->data < t->data ? -1 : 1;
    }
    return (s->bytes > t->bytes) - (s->bytes < t->bytes); /* empty ones first */
}

/* The numbers must follow each other without gap or overlap up to the last byte. */
static mdf_status check_places(const reader *r)
{
    mdf_safetensors *st = r->st;
    const uint8_t *next = r->blob;
    qsort(st->tensor, st->count, sizeof *st->tensor, by_place);
    for (size_t i = 0; i < st->count; i++) {
        const mdf_st_tensor *t = &st->tensor[i];
        if (t->data != next) {
            return fail(r, MDF_ERR_FORMAT, t->name,
                        t->data < next ? "its bytes overlap another tensor's"
                                       : "unused bytes stand before it");
        }
        next += t->bytes;
    }
    if (next != r->blob + r->blob_bytes) {
        return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: %zu bytes at the end belong to no tensor",
                        st->path, (size_t)(r->blob + r->blob_bytes - next));
    }
    mdf_st_sort(st);
    return MDF_OK;
}

static mdf_status read_header(const reader *r, json_t *root)
{
    mdf_safetensors *st = r->st;
    const size_t n = json_object_size(root);
    if (!json_is_object(root)) {
        return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: the header is not a JSON object", st->path);
    }
    if (n > MDF_MAX_TENSORS) {
        return mdf_fail(r->err, MDF_ERR_LIMIT, "%s: %zu tensors, more than the limit of %d",
                        st->path, n, MDF_MAX_TENSORS);
    }
    st->tensor = mdf_arena_zalloc(&st->arena, n + 1, sizeof *st->tensor);
    if (st->tensor == NULL) {
        return no_memory(r);
    }
    for (void *it = json_object_iter(root); it != NULL; it = json_object_iter_next(root, it)) {
        const char *name = json_object_iter_key(it);
        json_t *v = json_object_iter_value(it);
        if (strcmp(name, "__metadata__") == 0) {
            MDF_TRY(read_metadata(r, v));
        } else {
            MDF_TRY(read_tensor(r, name, v));
        }
    }
    return check_places(r);
}

/* Finds the header and checks its length. */
static mdf_status split(reader *r, const uint8_t *bytes, size_t len, size_t *header)
{
    const char *path = r->st->path;
    if (len < LENGTH_BYTES) {
        return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: %zu bytes are too few for a safetensors file",
                        path, len);
    }
    uint64_t n = 0;
    for (int i = LENGTH_BYTES - 1; i >= 0; i--) {
        n = n << 8 | bytes[i];
    }
    if (n > len - LENGTH_BYTES) {
        return mdf_fail(r->err, MDF_ERR_FORMAT,
                        "%s: not a safetensors file, or cut off: the header's %llu bytes run past "
                        "the end",
                        path, (unsigned long long)n);
    }
    if (n > MDF_MAX_HEADER_BYTES) {
        return mdf_fail(r->err, MDF_ERR_LIMIT, "%s: the header has %llu bytes, more than %zu", path,
                        (unsigned long long)n, MDF_MAX_HEADER_BYTES);
    }
    if (n < 2 || bytes[LENGTH_BYTES] != '{') {
        return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: the header does not begin with \"{\"", path);
    }
    *header = (size_t)n;
    r->blob = bytes + LENGTH_BYTES + n;
    r->blob_bytes = len - LENGTH_BYTES - (size_t)n;
    return MDF_OK;
}

static mdf_status parse(mdf_safetensors *st, const uint8_t *bytes, size_t len, mdf_error *err)
{
    reader r = {.st = st, .err = err};
    size_t header = 0;
    MDF_TRY(split(&r, bytes, len, &header));
    json_error_t where = {0};
    json_t *root =
        json_loadb((const char *)bytes + LENGTH_BYTES, header, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) {
        const size_t at = LENGTH_BYTES + (where.position > 0 ? (size_t)where.position : 0);
        return mdf_fail_at(err, MDF_ERR_FORMAT, at, "%s: the header is not valid JSON: %s",
                           st->path, where.text);
    }
    const mdf_status status = read_header(&r, root);
    json_decref(root);
    MDF_TRY(status);
    return mdf_st_apply_types(st, err);
}

mdf_status mdf_safetensors_parse(mdf_safetensors *st, const void *bytes, size_t len,
                                 const char *name, mdf_error *err)
{
    *st = (mdf_safetensors){.path = name};
    mdf_status status = mdf_arena_init(&st->arena, 0, 0, err);
    if (status == MDF_OK) {
        st->path = mdf_arena_strndup(&st->arena, name, strlen(name));
        status = st->path == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", name)
                                  : parse(st, bytes, len, err);
        if (status != MDF_OK) {
            mdf_safetensors_close(st);
        }
    }
    return status;
}

mdf_status mdf_safetensors_open(mdf_safetensors *st, const char *path, mdf_error *err)
{
    mdf_map map;
    *st = (mdf_safetensors){0};
    MDF_TRY(mdf_map_open(&map, path, err));
    const mdf_status status = mdf_safetensors_parse(st, map.data, map.len, path, err);
    if (status == MDF_OK) {
        st->map = map;
    } else {
        mdf_map_close(&map);
    }
    return status;
}

void mdf_safetensors_close(mdf_safetensors *st)
{
    if (st->map.data != NULL) {
        mdf_map_close(&st->map);
    }
    mdf_arena_free(&st->arena);
    *st = (mdf_safetensors){0};
}
