/* A conversation as a file: safetensors with what the decoder knows, so that it goes on without the
 * photographs and without reading again what was said.
 *
 *     token                 I32 [tokens]      what was read, the last answer's last token not
 *     image.case            I64 [2]           image tokens of the used tiles, spare ones
 *     image.picture         I64 [photos, 2]   of each photograph: first image token, how many
 *     image.bias            F32 [both]        ln of how many tokens each stands for
 *     layer.N.head.H.k, .v  [rows, head_dim]  keys and values: of the text, or in a cross layer of
 *                                             the photographs
 *     branch.N.head.H.k, .v [patches, head_dim]
 *     film                  F32 [branches, 2D]
 *
 * The last four are there where the model has such layers and photographs were given. Metadata:
 * "mdf.session" (the format: 1), "mdf.version", "kv_type", "model" (engine/model_identity.h),
 * "model_name" (of its folder), "fused" (1: the U-Net saw a photograph), "turns", "turn.0" (the
 * user's words), "turn.1" (the answer) .., "system" unless there is none, and "sha256" over all of
 * it: metadata in the order of the file, but for this one and the "mdf.dtype." ones, as key, NUL,
 * value, NUL; then each tensor in the order of names: name, NUL, type, NUL, rank, sizes and length
 * in 8 bytes each (little-endian), bytes. */
#ifndef MDF_ENGINE_SESSION_FILE_H
#define MDF_ENGINE_SESSION_FILE_H

#include "base/limits.h"
#include "base/sha256.h"
#include "io/safetensors.h"
#include "nn/decode.h"

#define MDF_SAVED_FORMAT "1"
#define MDF_SAVED_SUM    "sha256"

enum { MDF_SAVED_NAME = 64 }; /* bytes of a tensor's name, with its NUL */

/* "layer.3.head.0.k" */
void mdf_saved_name(char name[MDF_SAVED_NAME], const char *what, int layer, int64_t head,
                    bool value);

/* One more tensor of the sum. */
void mdf_saved_add(mdf_sha256 *sum, const char *name, mdf_dtype type, int rank, const int64_t *dim,
                   const void *data, size_t bytes);
void mdf_saved_add_pair(mdf_sha256 *sum, const mdf_st_pair *pair);

/* What a file says, checked. */
typedef struct mdf_saved {
    int64_t tokens;
    size_t turns;
    int64_t main, spare; /* image tokens */
    int photos;
    mdf_picture picture[MDF_MAX_PHOTOS]; /* first and count alone */
    bool fused;
} mdf_saved;

/* It is a session of this format, and the sum is right. MDF_ERR_FORMAT */
mdf_status mdf_saved_check_sum(const mdf_safetensors *st, mdf_error *err) MDF_NODISCARD;

/* Every tensor and number is one that a session with this model may have, whatever the sum says.
 * MDF_ERR_FORMAT, MDF_ERR_SHAPE */
mdf_status mdf_saved_check(mdf_saved *out, const mdf_safetensors *st, const mdf_config *c,
                           mdf_dtype kv_type, mdf_error *err) MDF_NODISCARD;

/* The words of turn i, and the system's (or NULL); the file's memory. */
const char *mdf_saved_turn(const mdf_safetensors *st, size_t i);
const char *mdf_saved_system(const mdf_safetensors *st);

/* token [s->tokens] of a checked file; and all else into a decoder of this model and type, which
 * has room for the tokens. */
void mdf_saved_tokens(const mdf_saved *s, const mdf_safetensors *st, int32_t *token);
mdf_status mdf_saved_restore(const mdf_saved *s, const mdf_safetensors *st, mdf_decoder *d,
                             mdf_error *err) MDF_NODISCARD;

#endif
