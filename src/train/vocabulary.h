/* The tokenizer that a configuration asks for, checked against it. */
#ifndef MDF_TRAIN_VOCABULARY_H
#define MDF_TRAIN_VOCABULARY_H

#include "config/config.h"
#include "language/tokenizer.h"

/* tokenizer "bytes" needs no file, "bpe" the tokenizer.json of the folder. Errors name the file and
 * what does not fit: more tokens than the model has, another id of the first token, a special token
 * that prompts need. */
mdf_status mdf_vocabulary_open(mdf_tokenizer **out, const mdf_config *c, const char *dir,
                               mdf_error *err) MDF_NODISCARD;

/* Copies `from` to tokenizer.json of the folder, unless it is there already. */
mdf_status mdf_vocabulary_copy(const char *dir, const char *from, mdf_error *err) MDF_NODISCARD;

#endif
