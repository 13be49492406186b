/* A model of any size written to a folder piece by piece: never more than a piece of a tensor is in
 * memory (init, quantize, import, export). */
#ifndef MDF_CONVERT_MODEL_STREAM_H
#define MDF_CONVERT_MODEL_STREAM_H

#include <signal.h>

#include "convert/model_folder.h"
#include "io/safetensors_stream.h"

/* Told after each piece: numbers done so far of all. */
typedef void (*mdf_stream_progress)(void *user, uint64_t done, uint64_t total);

/* What a command hands down. A zeroed struct is allowed. */
typedef struct mdf_stream_watch {
    mdf_stream_progress progress; /* may be NULL */
    void *user;
    const volatile sig_atomic_t *stop; /* not 0: give up, MDF_ERR_STOPPED; may be NULL */
} mdf_stream_watch;

/* Where the numbers of the tensors come from. */
typedef struct mdf_stream_source {
    void *user;
    /* The bytes of tensor i as they are written, or NULL: made from numbers. *count, the tensor's,
     * may be lessened to whole rows: the numbers behind are made. */
    const uint8_t *(*bytes)(void *user, size_t i, size_t *count);
    /* Numbers [at, at + n) of tensor i, row-major. Called by several threads. false: they are not
     * to be had; the error then names the tensor. */
    bool (*numbers)(void *user, size_t i, size_t at, size_t n, float *out);
    void (*done)(void *user, size_t i); /* tensor i is written; may be NULL */
} mdf_stream_source;

typedef struct mdf_stream_plan {
    mdf_model_folder *folder;  /* open, with its small files */
    const mdf_st_entry *entry; /* [entries], data unused */
    size_t entries;
    const mdf_st_pair *metadata; /* [pairs] */
    size_t pairs;
    size_t shard_bytes; /* 0: MDF_ST_SHARD_BYTES */
    bool plain;         /* blocks by plain rounding (convert/blocks_plain.h) where there is one */
} mdf_stream_plan;

/* error, when not NULL: [entries] root of the mean squared difference between what is stored and
 * the numbers, as a fraction of their root mean square; 0 for copied bytes. The result does not
 * depend on the number of threads. When all weights are on the disk, the folder's small files and
 * then the weights get their names; on failure none of the weights stays, and closing the folder
 * takes the small files away. MDF_ERR_NUMERIC: a number that the format can't hold. */
mdf_status mdf_stream_model(const mdf_stream_plan *plan, const mdf_stream_source *source,
                            const mdf_stream_watch *watch, double *error,
                            mdf_error *err) MDF_NODISCARD;

#endif
