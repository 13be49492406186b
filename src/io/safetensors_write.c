/* The safetensors writer: header first, then tensor after tensor, nothing held in memory. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "io/safetensors_parts.h"

enum { CHUNK = 4096 };

/* Entries in the order in which they are written. */
typedef struct plan {
    const mdf_st_entry **entry;
    size_t entries;
    const char *path;
} plan;

/* Floats in pieces; a number that only half precision makes infinite would be damage. */
static mdf_status write_floats(FILE *stream, const plan *p, const mdf_st_entry *e, mdf_error *err)
{
    uint8_t piece[CHUNK * sizeof(float)];
    const float *x = e->data;
    const size_t n = mdf_st_entry_count(e);
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
    (void)!fwrite(header->data, 1, header->len, stream);
    for (size_t i = 0; i < p->entries; i++) {
        const mdf_st_entry *e = p->entry[i];
        if (e->from_floats) {
            MDF_TRY(write_floats(stream, p, e, err));
        } else if (mdf_st_entry_bytes(e) > 0) {
            (void)!fwrite(e->data, 1, mdf_st_entry_bytes(e), stream);
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
        status = mdf_st_order(p.entry, entry, entries, path, err);
    }
    if (status == MDF_OK) {
        mdf_st_put_header(&header, p.entry, entries, metadata, pairs);
        status = save(&p, &header, err);
    }
    mdf_strbuf_free(&header);
    mdf_free(p.entry);
    return status;
}
