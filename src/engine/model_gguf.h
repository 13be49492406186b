/* A GGUF file becomes a model folder: the same bytes, under this project's names and in its order.
 */
#ifndef MDF_ENGINE_MODEL_GGUF_H
#define MDF_ENGINE_MODEL_GGUF_H

#include "engine/model_rewrite.h"

/* path: the file, or the first part of a split one; projector: ollama's file of the vision part
 * when it stands apart, else NULL. The folder has no tokenizer.json: a GGUF file has its lists in
 * another form. Nothing stays on failure. */
mdf_status mdf_model_import_gguf(const char *path, const char *projector, const char *to,
                                 const mdf_stream_watch *watch, mdf_rewrite_result *result,
                                 mdf_error *err) MDF_NODISCARD;

#endif
