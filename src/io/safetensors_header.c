/* The header of a safetensors file to write: which tensors may stand in it, in which order, how it
 * looks. */
#include <stdlib.h>
#include <string.h>

#include "io/safetensors_parts.h"

enum { LENGTH_BYTES = 8, ALIGNMENT = 64 };

size_t mdf_st_entry_count(const mdf_st_entry *e)
{
    size_t n = 1;
    for (int i = 0; i < e->rank; i++) {
        n *= (size_t)e->dim[i];
    }
    return n;
}

size_t mdf_st_entry_bytes(const mdf_st_entry *e)
{
    return mdf_st_entry_count(e) / mdf_dtype_block(e->dtype) * mdf_dtype_bytes(e->dtype);
}

static mdf_status check_type(const char *path, const mdf_st_entry *e, mdf_error *err)
{
    if (e->from_floats && e->dtype != MDF_DTYPE_F32 && e->dtype != MDF_DTYPE_F16 &&
        e->dtype != MDF_DTYPE_BF16) {
        return mdf_fail(err, MDF_ERR_ARG, "%s: tensor \"%.120s\": floats can't be written as %s",
                        path, e->name, mdf_dtype_name(e->dtype));
    }
    if (mdf_dtype_is_block(e->dtype) &&
        (e->rank != 2 || e->dim[1] % (int64_t)mdf_dtype_block(e->dtype) != 0)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: tensor \"%.120s\": %s needs rows of a multiple of %zu numbers", path,
                        e->name, mdf_dtype_name(e->dtype), mdf_dtype_block(e->dtype));
    }
    return MDF_OK;
}

static mdf_status check_entry(const char *path, const mdf_st_entry *e, mdf_error *err)
{
    if (e->name == NULL || e->name[0] == '\0' || strcmp(e->name, "__metadata__") == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "%s: \"%s\" can't be a tensor's name", path,
                        e->name == NULL ? "" : e->name);
    }
    if (e->rank < 0 || e->rank > MDF_MAX_RANK) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: tensor \"%.120s\" has %d dimensions", path,
                        e->name, e->rank);
    }
    for (int i = 0; i < e->rank; i++) {
        if (e->dim[i] < 0) {
            return mdf_fail(err, MDF_ERR_ARG, "%s: tensor \"%.120s\" has a negative size", path,
                            e->name);
        }
    }
    return check_type(path, e, err);
}

/* Blocks begin with half-precision scales. */
static size_t width(const mdf_st_entry *e)
{
    return mdf_dtype_is_block(e->dtype) ? 2 : mdf_dtype_bytes(e->dtype);
}

/* Wide types first; equal widths in the caller's order, which the addresses keep. */
static int by_width(const void *a, const void *b)
{
    const mdf_st_entry *s = *(const mdf_st_entry *const *)a;
    const mdf_st_entry *t = *(const mdf_st_entry *const *)b;
    const size_t m = width(s);
    const size_t n = width(t);
    return m != n ? (m < n) - (m > n) : (s > t) - (s < t);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const mdf_st_entry *const *)a)->name, (*(const mdf_st_entry *const *)b)->name);
}

mdf_status mdf_st_order(const mdf_st_entry **order, const mdf_st_entry *entry, size_t entries,
                        const char *path, mdf_error *err)
{
    for (size_t i = 0; i < entries; i++) {
        MDF_TRY(check_entry(path, &entry[i], err));
        order[i] = &entry[i];
    }
    qsort(order, entries, sizeof *order, by_name);
    for (size_t i = 1; i < entries; i++) {
        if (strcmp(order[i]->name, order[i - 1]->name) == 0) {
            return mdf_fail(err, MDF_ERR_ARG, "%s: two tensors are named \"%.120s\"", path,
                            order[i]->name);
        }
    }
    qsort(order, entries, sizeof *order, by_width);
    return MDF_OK;
}

void mdf_st_put_string(mdf_strbuf *out, const char *s)
{
    mdf_strbuf_puts(out, "\"");
    for (; *s != '\0'; s++) {
        const unsigned char ch = (unsigned char)*s;
        if (ch == '"' || ch == '\\') {
            mdf_strbuf_printf(out, "\\%c", *s);
        } else if (ch < 0x20) {
            mdf_strbuf_printf(out, "\\u%04x", ch);
        } else {
            mdf_strbuf_add(out, s, 1);
        }
    }
    mdf_strbuf_puts(out, "\"");
}

static void put_pair(mdf_strbuf *out, const char **comma, const char *key, const char *value)
{
    mdf_strbuf_puts(out, *comma);
    mdf_st_put_string(out, key);
    mdf_strbuf_puts(out, ":");
    mdf_st_put_string(out, value);
    *comma = ",";
}

/* The caller's pairs and the types of the quantised tensors; false if there is nothing to say. */
static bool put_metadata(mdf_strbuf *out, const mdf_st_entry *const *order, size_t entries,
                         const mdf_st_pair *metadata, size_t pairs)
{
    bool any = pairs > 0;
    for (size_t i = 0; i < entries; i++) {
        any = any || mdf_dtype_is_block(order[i]->dtype);
    }
    if (!any) {
        return false;
    }
    const char *comma = "";
    mdf_strbuf_puts(out, "\"__metadata__\":{");
    for (size_t i = 0; i < pairs; i++) {
        put_pair(out, &comma, metadata[i].key, metadata[i].value);
    }
    for (size_t i = 0; i < entries; i++) {
        if (mdf_dtype_is_block(order[i]->dtype)) {
            mdf_strbuf key = mdf_strbuf_new(MDF_MAX_HEADER_BYTES);
            mdf_strbuf_printf(&key, MDF_ST_TYPE_PREFIX "%s", order[i]->name);
            out->failed = out->failed || key.failed;
            put_pair(out, &comma, key.failed ? "" : key.data, mdf_dtype_name(order[i]->dtype));
            mdf_strbuf_free(&key);
        }
    }
    mdf_strbuf_puts(out, "}");
    return true;
}

static void put_shape(mdf_strbuf *out, const mdf_st_entry *e)
{
    if (mdf_dtype_is_block(e->dtype)) {
        mdf_strbuf_printf(out, "%lld,%zu", (long long)e->dim[0],
                          mdf_dtype_row_bytes(e->dtype, (size_t)e->dim[1]));
        return;
    }
    for (int d = 0; d < e->rank; d++) {
        mdf_strbuf_printf(out, "%s%lld", d > 0 ? "," : "", (long long)e->dim[d]);
    }
}

void mdf_st_put_header(mdf_strbuf *out, const mdf_st_entry *const *order, size_t entries,
                       const mdf_st_pair *metadata, size_t pairs)
{
    size_t begin = 0;
    mdf_strbuf_add(out, "\0\0\0\0\0\0\0\0", LENGTH_BYTES);
    mdf_strbuf_puts(out, "{");
    bool any = put_metadata(out, order, entries, metadata, pairs);
    for (size_t i = 0; i < entries; i++, any = true) {
        const mdf_st_entry *e = order[i];
        const size_t end = begin + mdf_st_entry_bytes(e);
        mdf_strbuf_puts(out, any ? "," : "");
        mdf_st_put_string(out, e->name);
        mdf_strbuf_printf(out, ":{\"dtype\":\"%s\",\"shape\":[",
                          mdf_dtype_name(mdf_dtype_is_block(e->dtype) ? MDF_DTYPE_U8 : e->dtype));
        put_shape(out, e);
        mdf_strbuf_printf(out, "],\"data_offsets\":[%zu,%zu]}", begin, end);
        begin = end;
    }
    mdf_strbuf_puts(out, "}");
    while (!out->failed && out->len % ALIGNMENT != 0) {
        mdf_strbuf_puts(out, " ");
    }
    for (int i = 0; !out->failed && i < LENGTH_BYTES; i++) {
        out->data[i] = (char)((uint64_t)(out->len - LENGTH_BYTES) >> (8 * i));
    }
}
