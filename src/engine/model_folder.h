/* A model folder as input and output of the commands that make models. */
#ifndef MDF_ENGINE_MODEL_FOLDER_H
#define MDF_ENGINE_MODEL_FOLDER_H

#include "nn/config.h"

/* Makes the folder; a model that is there already is MDF_ERR_ARG. *made: it was not there. */
mdf_status mdf_model_folder_make(const char *dir, bool *made, mdf_error *err) MDF_NODISCARD;

/* Takes a folder that was made for nothing away again, if it is empty. */
void mdf_model_folder_drop(const char *dir, bool made);

/* dir/config.json */
mdf_status mdf_model_config_read(mdf_config *c, const char *dir, mdf_error *err) MDF_NODISCARD;
mdf_status mdf_model_config_write(const mdf_config *c, const char *dir,
                                  mdf_error *err) MDF_NODISCARD;

/* Copies tokenizer, chat template, generation and preprocessor settings, as far as they are there.
 */
mdf_status mdf_model_copy_rest(const char *from, const char *to, mdf_error *err) MDF_NODISCARD;

#endif
