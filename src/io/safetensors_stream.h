/* A model written tensor after tensor into one or several safetensors files, so that nothing but
 * the piece at hand is in memory.
 *
 *     mdf_st_writer w;
 *     MDF_TRY(mdf_st_writer_open(&w, dir, entry, entries, NULL, 0, MDF_ST_SHARD_BYTES, err));
 *     const mdf_st_entry *e = NULL;
 *     while (status == MDF_OK && (e = mdf_st_writer_entry(&w)) != NULL) {
 *         ... status = mdf_st_writer_put(&w, piece, piece_bytes, err);
 *     }
 *     status == MDF_OK ? mdf_st_writer_commit(&w, err) : mdf_st_writer_abort(&w); */
#ifndef MDF_IO_SAFETENSORS_STREAM_H
#define MDF_IO_SAFETENSORS_STREAM_H

#include "io/safetensors.h"

#define MDF_ST_SHARD_BYTES ((size_t)5000000000) /* as Hugging Face's files */

struct mdf_st_shard_out;

typedef struct mdf_st_writer {
    char *dir;
    struct mdf_st_shard_out *shard; /* [shards] */
    size_t shards, current;
    const mdf_st_entry **order; /* [entries] in the order of the bytes; borrowed entries */
    size_t entries, next;       /* next: the tensor being written */
    size_t done;                /* its bytes so far */
    size_t total_bytes;         /* of all tensors */
    mdf_file_writer index;      /* of several files, once all of it is known to fit */
} mdf_st_writer;

/* Plans model.safetensors, or model-00001-of-N.safetensors ... with an index when the numbers need
 * more than shard_bytes, into an existing folder. entry [entries] (data is not looked at,
 * from_floats must be false) must outlive the writer; a shard takes entries in their order. Errors
 * as mdf_safetensors_save(); on failure there is nothing to abort. */
mdf_status mdf_st_writer_open(mdf_st_writer *w, const char *dir, const mdf_st_entry *entry,
                              size_t entries, const mdf_st_pair *metadata, size_t pairs,
                              size_t shard_bytes, mdf_error *err) MDF_NODISCARD;

/* The tensor whose bytes come next; NULL: all are there. */
const mdf_st_entry *mdf_st_writer_entry(const mdf_st_writer *w);

/* The next n bytes of that tensor, at most what it still needs. A full disk is told at once. */
mdf_status mdf_st_writer_put(mdf_st_writer *w, const void *bytes, size_t n,
                             mdf_error *err) MDF_NODISCARD;

/* After the last byte: everything, an index included, lies on the disk under temporary names. */
mdf_status mdf_st_writer_sync(mdf_st_writer *w, mdf_error *err) MDF_NODISCARD;

/* Syncs, then gives the files their names, all or none. The writer is closed in any case. */
mdf_status mdf_st_writer_commit(mdf_st_writer *w, mdf_error *err) MDF_NODISCARD;
void mdf_st_writer_abort(mdf_st_writer *w); /* leaves no file; no-op after commit */

#endif
