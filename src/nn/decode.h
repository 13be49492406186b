/* One case read step by step: the prompt once, then single tokens or trees of labels behind it.
 *
 * The vision tower and the keys and values of its tokens are computed once per set of pictures,
 * those of the text once per token. With keys and values in F32 the numbers are those of
 * mdf_mllm_forward() to rounding; other types round these before anything reads them. */
#ifndef MDF_NN_DECODE_H
#define MDF_NN_DECODE_H

#include "nn/mdf_mllm.h"

typedef struct mdf_decoder mdf_decoder;

/* Model and kernels are borrowed. capacity: most tokens of prompt, answer and tree together.
 * kv_type: of keys and values, F16, BF16, F32 or Q8_0. MDF_ERR_ARG: another, or Q8_0 with heads
 * that are no multiple of 32. A decoder belongs to one thread at a time. */
mdf_status mdf_decoder_new(mdf_decoder **out, const mdf_mllm *m, const mdf_kernels *k,
                           int64_t capacity, mdf_dtype kv_type, mdf_error *err) MDF_NODISCARD;
void mdf_decoder_free(mdf_decoder *d);

/* Whatever is read then fails with MDF_ERR_STOPPED soon after *stop is no longer 0. */
void mdf_decoder_watch(mdf_decoder *d, const volatile sig_atomic_t *stop);

/* Reads a batch of one case; its tree and labels are not read. Starts afresh, but with
 * same_pictures the pictures are those of the call before, all of them, and their keys are used
 * again (b->vision_image is not read then; another number of them is MDF_ERR_ARG). */
mdf_status mdf_decoder_prompt(mdf_decoder *d, const mdf_batch *b, bool same_pictures,
                              mdf_error *err) MDF_NODISCARD;

/* A prompt's tokens, and where those of its pictures stand. */
typedef struct mdf_prompt_view {
    const int32_t *token; /* [count] */
    int64_t count;
    const int32_t *image_at; /* [images] ascending */
    int64_t images;
} mdf_prompt_view;

/* Goes on with a prompt whose first `known` tokens, fewer than all, are those that have been read:
 * reads the others. What was read behind them is forgotten. Its pictures are those of the prompt
 * before, all of them; nothing of them, or of the fusion, is computed again. On failure no more
 * than the known tokens have been read. MDF_ERR_ARG: it is no such prompt. */
mdf_status mdf_decoder_go_on(mdf_decoder *d, const mdf_prompt_view *p, int64_t known,
                             mdf_error *err) MDF_NODISCARD;

/* Room for at least so many tokens; what has been read stays. */
mdf_status mdf_decoder_reserve(mdf_decoder *d, int64_t capacity, mdf_error *err) MDF_NODISCARD;

/* Reads one more token. */
mdf_status mdf_decoder_next(mdf_decoder *d, int32_t token, mdf_error *err) MDF_NODISCARD;

/* Scores the tree's labels behind what has been read, which stays as it is. scores [labels], before
 * the temperature. */
mdf_status mdf_decoder_score(mdf_decoder *d, const mdf_tree_view *t, mdf_real *scores,
                             mdf_error *err) MDF_NODISCARD;

/* Forgets the text behind the first n tokens, which must be no fewer than the prompt's. The logits
 * are those of the token that was read last until another one is read. */
void mdf_decoder_rewind(mdf_decoder *d, int64_t n);

int64_t mdf_decoder_used(const mdf_decoder *d);
int64_t mdf_decoder_capacity(const mdf_decoder *d);

/* [rows of lm_head] of the token that was read last; the decoder's memory. */
const mdf_real *mdf_decoder_logits(const mdf_decoder *d);
int64_t mdf_decoder_vocabulary(const mdf_decoder *d);
const mdf_mllm *mdf_decoder_model(const mdf_decoder *d);

/* What a decoder knows, to be written down and put back: mdf_decoder_go_on() needs no more. */
typedef struct mdf_decoder_memory {
    mdf_kv_cache *cache;
    const mdf_image_tokens *image; /* of the one case */
    bool fused;                    /* the prompt had a picture for the U-Net */
} mdf_decoder_memory;
mdf_decoder_memory mdf_decoder_remembers(mdf_decoder *d);

/* The layout of pictures' tokens (copied) whose keys are in the cache; count 0: none. */
mdf_status mdf_decoder_remember(mdf_decoder *d, const mdf_image_tokens *image, bool fused,
                                mdf_error *err) MDF_NODISCARD;

/* Bytes of the graph at its largest, without the cache. */
size_t mdf_decoder_peak_bytes(const mdf_decoder *d);

/* Bytes of the cache's keys and values, room for more included. */
size_t mdf_decoder_cache_bytes(const mdf_decoder *d);

#endif
