/* The tokenizer that a configuration asks for. */
#include "train/vocabulary.h"

#include "base/alloc.h"
#include "base/file.h"
#include "language/prompt.h"

static mdf_status check(const mdf_tokenizer *t, const mdf_config *c, mdf_error *err)
{
    const int size = (int)mdf_tokenizer_size(t);
    const int begin = (int)mdf_tokenizer_special(t, "<|begin_of_text|>");
    if (size > c->text.vocab_size + 1) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "ids up to %d, but text_config.vocab_size is %d and only <|image|> stands "
                        "behind it",
                        size - 1, c->text.vocab_size);
    }
    if (begin >= 0 && begin != c->text.bos_token_id) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "<|begin_of_text|> has the id %d, but text_config.bos_token_id is %d",
                        begin, c->text.bos_token_id);
    }
    return mdf_prompt_check(t, err);
}

mdf_status mdf_vocabulary_open(mdf_tokenizer **out, const mdf_config *c, const char *dir,
                               mdf_error *err)
{
    *out = NULL;
    if (c->tokenizer == MDF_TOKENIZER_BYTES) {
        return mdf_tokenizer_new_bytes(out, c->image_token_index, err);
    }
    char *path = mdf_path_join(dir, "tokenizer.json");
    if (path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the tokenizer");
    }
    mdf_status status = mdf_tokenizer_load(out, path, c->image_token_index, err);
    if (status == MDF_OK) {
        status = check(*out, c, err);
        if (status != MDF_OK) {
            status = mdf_fail_prefix(err, status, path);
            mdf_tokenizer_free(*out);
            *out = NULL;
        }
    }
    mdf_free(path);
    return status;
}

mdf_status mdf_vocabulary_copy(const char *dir, const char *from, mdf_error *err)
{
    uint8_t *data = NULL;
    size_t len = 0;
    char *path = mdf_path_join(dir, "tokenizer.json");
    if (path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the tokenizer");
    }
    mdf_status status = MDF_OK;
    if (!mdf_path_exists(path)) {
        status = mdf_file_read(from, MDF_MAX_TOKENIZER_BYTES, &data, &len, err);
        if (status == MDF_OK) {
            status = mdf_file_write(path, data, len, err);
        }
        mdf_free(data);
    }
    mdf_free(path);
    return status;
}
