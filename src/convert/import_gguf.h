/* A model of GGUF files as a folder of this project. */
#ifndef MDF_CONVERT_IMPORT_GGUF_H
#define MDF_CONVERT_IMPORT_GGUF_H

#include "convert/model_rewrite.h"

typedef struct mdf_gguf_import {
    const char *const *path; /* [paths] as for mdf_gguf_files_open() */
    size_t paths;
    mdf_precision precision; /* what is kept is copied, block for block */
} mdf_gguf_import;

/* Writes folder dir, which must not hold a model: weights under this project's names, config.json,
 * generation_config.json and, as far as the files have them, tokenizer.json, tokenizer_config.json
 * and chat_template.jinja. Every weight of the settings must be there in its shape, and no other
 * one. A tokenizer that can't be taken over is left out: remark says why, or in what it may differ
 * from the original; its text is empty otherwise. On failure nothing stays. The result is the
 * caller's: mdf_rewrite_result_free(). */
mdf_status mdf_import_gguf(const char *dir, const mdf_gguf_import *how,
                           const mdf_stream_watch *watch, mdf_rewrite_result *result,
                           mdf_error *remark, mdf_error *err) MDF_NODISCARD;

#endif
