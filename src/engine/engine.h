/* The insides of an engine, for the layers above that need more than mdf.h gives (mdf eval). */
#ifndef MDF_ENGINE_ENGINE_H
#define MDF_ENGINE_ENGINE_H

#include "data/prompt.h"
#include "nn/mdf_mllm.h"
#include "nn/model_files.h"
#include "nn/weights.h"

struct mdf_engine {
    mdf_mllm *model;
    mdf_weights
        weights; /* the files that a large model's matrices stay in; empty for a small one */
    mdf_generation generation;
    mdf_tokenizer *tokenizer;
    char *max_isa; /* NULL = the best */
};

/* Sets the number of compute threads of the calling thread's parallel regions; 0 = as many as
 * OpenMP starts by itself. Never more than OpenMP's own limit. */
void mdf_set_threads(int threads);

#endif
