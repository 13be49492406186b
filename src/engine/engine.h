/* The insides of an engine, for the layers above that need more than mdf.h gives (mdf eval). */
#ifndef MDF_ENGINE_ENGINE_H
#define MDF_ENGINE_ENGINE_H

#include "config/model_files.h"
#include "language/chat.h"
#include "language/prompt.h"
#include "nn/mdf_mllm.h"
#include "weights/lora_apply.h"
#include "weights/weights.h"

struct mdf_engine {
    mdf_mllm *model;
    mdf_weights
        weights; /* the files that a large model's matrices stay in; empty for a small one */
    mdf_lora_copies adapted; /* matrices that an adapter changed */
    mdf_generation generation;
    mdf_preprocessor preprocessor; /* mean and deviation of pictures */
    mdf_error no_picture; /* why this model's pictures can't be prepared; code MDF_OK: they can */
    mdf_tokenizer *tokenizer;
    mdf_chat *chat; /* the folder's template, or the one of the options; NULL: there is none, or
                       the model has labels, and questions have the form of language/prompt.h */
    char *max_isa;  /* NULL = the best */
    char *dir, *lora, *chat_file; /* of the options; the last two may be NULL */
    mdf_dtype kv_type;            /* of a decoder's keys and values */
};

/* A model with labels of its own to choose from. */
bool mdf_engine_has_labels(const mdf_engine *e);

/* MDF_ERR_ARG for a model that was trained to draw masks alone: nobody taught it answers. */
mdf_status mdf_engine_answers(const mdf_engine *e, mdf_error *err) MDF_NODISCARD;

/* The numbers of an option; MDF_ERR_ARG: no such option, or the model's heads have another width.
 */
mdf_status mdf_engine_kv_type(mdf_dtype *out, mdf_kv_type type, const mdf_config *c,
                              mdf_error *err) MDF_NODISCARD;

/* Model and weights of opt->model_dir alone; e is zeroed before. For benchmarks, which need neither
 * labels nor a tokenizer. On failure too, mdf_engine_close() frees what is there. */
mdf_status mdf_engine_load_weights(mdf_engine *e, const mdf_config *c,
                                   const mdf_engine_options *opt, mdf_error *err) MDF_NODISCARD;

/* Sets the number of compute threads of the calling thread's parallel regions; 0 = as many as
 * OpenMP starts by itself. Never more than OpenMP's own limit. */
void mdf_set_threads(int threads);

#endif
