/* Text token by token behind a decoder's prompt: greedy or drawn. */
#ifndef MDF_NN_GENERATE_H
#define MDF_NN_GENERATE_H

#include "base/rng.h"
#include "nn/decode.h"

typedef struct mdf_sampling {
    double temperature; /* divides the logits; 0: the likeliest token, nothing is drawn */
    int64_t top_k;      /* only the k likeliest tokens; 0: all */
    double top_p;       /* only the likeliest tokens that together have this probability; 1: all */
    uint64_t seed;
} mdf_sampling;

/* Draws a token of logits [n]; scratch holds n pairs. The filters apply in the order temperature,
 * top_k, top_p, as in transformers; of equal logits the first is the likelier. */
typedef struct mdf_candidate {
    double logit;
    int32_t token;
} mdf_candidate;
int32_t mdf_sample_token(const mdf_real *logits, int64_t n, const mdf_sampling *s, mdf_rng *rng,
                         mdf_candidate *scratch);

typedef enum mdf_generate_end {
    MDF_END_EOS,     /* one of the tokens that end it */
    MDF_END_LENGTH,  /* max_tokens, or the decoder is full */
    MDF_END_CALLBACK /* on_token wanted no more */
} mdf_generate_end;

typedef struct mdf_generate_options {
    int64_t max_tokens;
    mdf_sampling sampling;
    const int *eos; /* [eos_count] tokens that end the text; NULL: those of text_config */
    int eos_count;
    bool (*on_token)(void *user, int32_t token); /* every token as it comes, the ending one too;
                                                    false: enough. NULL: nobody looks */
    void *user;
} mdf_generate_options;

typedef struct mdf_generated {
    int64_t count; /* tokens, the ending one included */
    mdf_generate_end end;
} mdf_generated;

/* Goes on behind what d has read. token takes them; it has room for max_tokens. */
mdf_status mdf_generate(mdf_decoder *d, const mdf_generate_options *opt, int32_t *token,
                        mdf_generated *out, mdf_error *err) MDF_NODISCARD;

#endif
