/* Number formats of a model's parts. */
#ifndef MDF_CONVERT_PRECISION_H
#define MDF_CONVERT_PRECISION_H

#include "io/safetensors.h"
#include "weights/parts.h"

/* Format of each part's matrices; `keep` leaves the part as it is. */
typedef struct mdf_precision {
    mdf_dtype type[MDF_PARTS];
    bool keep[MDF_PARTS];
} mdf_precision;

/* "q4_0", "bf16", "keep"; false: not known, or a format that is only read. */
bool mdf_precision_parse(const char *word, mdf_dtype *type, bool *keep);

/* The same format everywhere, but q8_0 where a coarser one costs more than it saves: vision tower,
 * projector, embeddings and fusion; and 16 bits for the U-Net's convolutions, which are no
 * matrices.
 */
mdf_precision mdf_precision_for(mdf_dtype text);

/* The format that a tensor of this part and shape is written in: blocks only for matrices whose
 * rows are whole blocks, else 16 bits (bf16), else what it is. */
mdf_dtype mdf_precision_of(const mdf_precision *p, mdf_part part, int rank, const int64_t *dim,
                           mdf_dtype now);

#endif
