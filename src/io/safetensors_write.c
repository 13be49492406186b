/* The safetensors writer: header first, then tensor after tensor, nothing held in memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "io/safetensors.h"

enum { ALIGNMENT = 64, CHUNK = 4096 };

/* Entries in the order in which they are written. */
typedef struct plan {
    const mdf_st_entry **entry;
    size_t entries;
    const char *path;
} plan;

static size_t count_of(const mdf_st_entry *e)
{
    size_t n = 1;
    for (int i = 0; i < e->rank; i++) {
        n *= (size_t)e->dim[i];
    }
    return n;
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
    if (e->from_floats && e->dtype != MDF_DTYPE_F32 && e->dtype != MDF_DTYPE_F16 &&
        e->dtype != MDF_DTYPE_BF16) {
        return mdf_fail(err, MDF_ERR_ARG, "%s: tensor \"%.120s\": floats can't be written as %s",
                        path, e->name, mdf_dtype_name(e->dtype));
    }
    return MDF_OK;
}

/* Wide types first; equal widths in the caller's order, which the addresses keep. */
static int by_width(const void *a, const void *b)
{
    const mdf_st_entry *s = *(const mdf_st_entry *const *)a;
    const mdf_st_entry *t = *(const mdf_st_entry *const *)b;
    const size_t m = mdf_dtype_bytes(s->dtype);
    const size_t n = mdf_dtype_bytes(t->dtype);
    return m != n ? (m < n) - (m > n) : (s > t) - (s < t);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const mdf_st_entry *const *)a)->name, (*(const mdf_st_entry *const *)b)->name);
}

static mdf_status make_plan(plan *p, const mdf_st_entry *entry, mdf_error *err)
{
    for (size_t i = 0; i < p->entries; i++) {
        MDF_TRY(check_entry(p->path, &entry[i], err));
        p->entry[i] = &entry[i];
    }
    qsort(p->entry, p->entries, sizeof *p->entry, by_name);
    for (size_t i = 1; i < p->entries; i++) {
        if (strcmp(p->entry[i]->name, p->entry[i - 1]->name) == 0) {
            return mdf_fail(err, MDF_ERR_ARG, "%s: two tensors are named \"%.120s\"", p->path,
                            p->entry[i]->name);
        }
    }
    qsort(p->entry, p->entries, sizeof *p->entry, by_width);
    return MDF_OK;
}

static void put_string(mdf_strbuf *out, const char *s)
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

static void put_metadata(mdf_strbuf *out, const mdf_st_pair *metadata, size_t pairs)
{
    mdf_strbuf_puts(out, "\"__metadata__\":{");
    for (size_t i = 0; i < pairs; i++) {
        mdf_strbuf_puts(out, i > 0 ? "," : "");
        put_string(out, metadata[i].key);
        mdf_strbuf_puts(out, ":");
        put_string(out, metadata[i].value);
    }
    mdf_strbuf_puts(out, "}");
}

static void put_header(mdf_strbuf *out, const plan *p, const mdf_st_pair *metadata, size_t pairs)
{
    size_t begin = 0;
    mdf_strbuf_puts(out, "{");
    if (pairs > 0) {
        put_metadata(out, metadata, pairs);
    }
    for (size_t i = 0; i < p->entries; i++) {
        const mdf_st_entry *e = p->entry[i];
        const size_t end = begin + count_of(e) * mdf_dtype_bytes(e->dtype);
        mdf_strbuf_puts(out, i > 0 || pairs > 0 ? "," : "");
        put_string(out, e->name);
        mdf_strbuf_printf(out, ":{\"dtype\":\"%s\",\"shape\":[", mdf_dtype_name(e->dtype));
        for (int d = 0; d < e->rank; d++) {
            mdf_strbuf_printf(out, "%s%lld", d > 0 ? "," : "", (long long)e->dim[d]);
        }
        mdf_strbuf_printf(out, "],\"data_offsets\":[%zu,%zu]}", begin, end);
        begin = end;
    }
    mdf_strbuf_puts(out, "}");
    while (!out->failed && (out->len + 8) % ALIGNMENT != 0) {
        mdf_strbuf_puts(out, " ");
    }
}

/* Floats in pieces; a number that only half precision makes infinite would be damage. */
static mdf_status write_floats(FILE *stream, const plan *p, const mdf_st_entry *e, mdf_error *err)
{
    uint8_t piece[CHUNK * sizeof(float)];
    const float *x = e->data;
    const size_t n = count_of(e);
    for (size_t at = 0; at < n; at += CHUNK) {
        const size_t m = n - at < CHUNK ? n - at : CHUNK;
        for (size_t i = at; i < at + m && e->dtype == MDF_DTYPE_F16; i++) {
            if (isfinite(x[i]) && fabsf(x[i]) >= 65520.0F) { /* rounds to 2^16 */
                return mdf_fail(err, MDF_ERR_NUMERIC,
                                "%s: tensor \"%.120s\" has %g, which half precision can't hold",
                                p->path, e->name, (double)x[i]);
            }
        }
        (void)!mdf_dtype_from_floats(e->dtype, x + at, m, piece);
        (void)!fwrite(piece, mdf_dtype_bytes(e->dtype), m, stream); /* commit tells */
    }
    return MDF_OK;
}

static mdf_status write_all(FILE *stream, const plan *p, const mdf_strbuf *header, mdf_error *err)
{
    uint8_t length[8];
    for (int i = 0; i < 8; i++) {
        length[i] = (uint8_t)((uint64_t)header->len >> (8 * i));
    }
    (void)!fwrite(length, 1, sizeof length, stream);
    (void)!fwrite(header->data, 1, header->len, stream);
    for (size_t i = 0; i < p->entries; i++) {
        const mdf_st_entry *e = p->entry[i];
        if (e->from_floats) {
            MDF_TRY(write_floats(stream, p, e, err));
        } else if (count_of(e) > 0) {
            (void)!fwrite(e->data, mdf_dtype_bytes(e->dtype), count_of(e), stream);
        }
    }
    return MDF_OK;
}

static mdf_status save(const plan *p, const mdf_strbuf *header, mdf_error *err)
{
    mdf_file_writer w;
    if (header->failed) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for the header", p->path);
    }
    MDF_TRY(mdf_file_writer_open(&w, p->path, err));
    const mdf_status status = write_all(w.stream, p, header, err);
    if (status != MDF_OK) {
        mdf_file_writer_abort(&w);
        return status;
    }
    return mdf_file_writer_commit(&w, err);
}

mdf_status mdf_safetensors_save(const char *path, const mdf_st_entry *entry, size_t entries,
                                const mdf_st_pair *metadata, size_t pairs, mdf_error *err)
{
    if (entries > MDF_MAX_TENSORS) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: %zu tensors, more than the limit of %d", path,
                        entries, MDF_MAX_TENSORS);
    }
    plan p = {.entry = mdf_alloc(entries, sizeof *p.entry), .entries = entries, .path = path};
    mdf_strbuf header = mdf_strbuf_new(MDF_MAX_HEADER_BYTES);
    mdf_status status = MDF_OK;
    if (p.entry == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
    } else {
        status = make_plan(&p, entry, err);
    }
    if (status == MDF_OK) {
        put_header(&header, &p, metadata, pairs);
        status = save(&p, &header, err);
    }
    mdf_strbuf_free(&header);
    mdf_free(p.entry);
    return status;
}
