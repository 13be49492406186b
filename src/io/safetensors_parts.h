/* What the safetensors_*.c files share. */
#ifndef MDF_IO_SAFETENSORS_PARTS_H
#define MDF_IO_SAFETENSORS_PARTS_H

#include "base/strbuf.h"
#include "io/safetensors.h"

/* Metadata "mdf.dtype.<tensor>" = "Q4_0": that U8 tensor [rows, bytes] holds blocks. */
#define MDF_ST_TYPE_PREFIX "mdf.dtype."

/* Gives the quantised tensors their type and the shape of their numbers. */
mdf_status mdf_st_apply_types(mdf_safetensors *st, mdf_error *err) MDF_NODISCARD;

/* Puts the tensors into the order that mdf_safetensors_find() relies on. */
void mdf_st_sort(mdf_safetensors *st);

/* --- writing --- */

size_t mdf_st_entry_count(const mdf_st_entry *e); /* numbers */
size_t mdf_st_entry_bytes(const mdf_st_entry *e); /* in the file */

/* Names, shapes and types that can be written, no name twice; order [entries] is overwritten with
 * the entries in the order of the file. path stands in errors. */
mdf_status mdf_st_order(const mdf_st_entry **order, const mdf_st_entry *entry, size_t entries,
                        const char *path, mdf_error *err) MDF_NODISCARD;

/* The eight bytes of length and the JSON header, padded to a multiple of 64 bytes. */
void mdf_st_put_header(mdf_strbuf *out, const mdf_st_entry *const *order, size_t entries,
                       const mdf_st_pair *metadata, size_t pairs);

void mdf_st_put_string(mdf_strbuf *out, const char *s); /* as JSON */

#endif
