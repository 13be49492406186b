/* Tokenizer arrays of a GGUF file. */
#include "language/gguf_vocab.h"

static mdf_status read_text(const mdf_gguf_files *f, const char *key, mdf_gguf_string *out,
                            mdf_error *err)
{
    const mdf_gguf *file = NULL;
    const mdf_gguf_value *v = mdf_gguf_files_value(f, key, &file);
    *out = (mdf_gguf_string){"", 0};
    return v == NULL || mdf_gguf_text(v, out)
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_FORMAT, "%s: \"%s\" is not a text", file->path, key);
}

static mdf_status read_texts(mdf_gguf_vocab *v, const mdf_gguf_files *f, const char *key,
                             mdf_gguf_string **out, size_t *count, mdf_error *err)
{
    const mdf_gguf *file = NULL;
    const mdf_gguf_value *list = mdf_gguf_files_value(f, key, &file);
    if (list == NULL) {
        return MDF_OK;
    }
    *out = mdf_arena_alloc(&v->arena, list->count + 1, sizeof **out);
    if (*out == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", file->path);
    }
    if (!list->is_array || !mdf_gguf_texts(list, *out)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: \"%s\" is not a list of texts", file->path, key);
    }
    *count = list->count;
    return MDF_OK;
}

static mdf_status read_types(mdf_gguf_vocab *v, const mdf_gguf_files *f, mdf_error *err)
{
    static const char key[] = "tokenizer.ggml.token_type";
    const mdf_gguf *file = NULL;
    const mdf_gguf_value *list = mdf_gguf_files_value(f, key, &file);
    v->type = mdf_arena_zalloc(&v->arena, v->tokens + 1, 1);
    if (v->type == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", f->file[0].path);
    }
    if (list == NULL) {
        return MDF_OK;
    }
    if (!list->is_array || list->count != v->tokens) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: \"%s\" is not a list of %zu, one for each token",
                        file->path, key, v->tokens);
    }
    for (size_t i = 0; i < v->tokens; i++) {
        int64_t type = 0;
        if (!mdf_gguf_integer(list, i, &type) || type < MDF_GGUF_TOKEN_NORMAL ||
            type > MDF_GGUF_TOKEN_BYTE) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: \"%s\": item %zu is not a type, 1 to 6",
                            file->path, key, i);
        }
        v->type[i] = (uint8_t)type;
    }
    return MDF_OK;
}

static mdf_status read_id(const mdf_gguf_vocab *v, const mdf_gguf_files *f, const char *key,
                          int64_t *out, mdf_error *err)
{
    const mdf_gguf *file = NULL;
    const mdf_gguf_value *id = mdf_gguf_files_value(f, key, &file);
    *out = -1;
    if (id == NULL) {
        return MDF_OK;
    }
    if (id->is_array || !mdf_gguf_integer(id, 0, out) || *out < 0 || (size_t)*out >= v->tokens) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: \"%s\" is not the id of one of its %zu tokens",
                        file->path, key, v->tokens);
    }
    return MDF_OK;
}

static mdf_status read_flag(const mdf_gguf_files *f, const char *key, bool *out, mdf_error *err)
{
    const mdf_gguf *file = NULL;
    const mdf_gguf_value *flag = mdf_gguf_files_value(f, key, &file);
    return flag == NULL || (!flag->is_array && mdf_gguf_bool(flag, 0, out))
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_FORMAT, "%s: \"%s\" is neither true nor false", file->path,
                          key);
}

static mdf_status read(mdf_gguf_vocab *v, const mdf_gguf_files *f, mdf_error *err)
{
    MDF_TRY(read_text(f, "tokenizer.ggml.model", &v->model, err));
    MDF_TRY(read_text(f, "tokenizer.ggml.pre", &v->pre, err));
    MDF_TRY(read_text(f, "tokenizer.chat_template", &v->template, err));
    MDF_TRY(read_texts(v, f, "tokenizer.ggml.tokens", &v->token, &v->tokens, err));
    MDF_TRY(read_texts(v, f, "tokenizer.ggml.merges", &v->merge, &v->merges, err));
    if (v->tokens == 0 || v->model.len == 0) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: it has no tokenizer", f->file[0].path);
    }
    MDF_TRY(read_types(v, f, err));
    MDF_TRY(read_id(v, f, "tokenizer.ggml.bos_token_id", &v->bos, err));
    MDF_TRY(read_id(v, f, "tokenizer.ggml.eos_token_id", &v->eos, err));
    MDF_TRY(read_id(v, f, "tokenizer.ggml.eot_token_id", &v->eot, err));
    MDF_TRY(read_id(v, f, "tokenizer.ggml.unknown_token_id", &v->unknown, err));
    MDF_TRY(read_id(v, f, "tokenizer.ggml.padding_token_id", &v->pad, err));
    v->says_bos = mdf_gguf_files_value(f, "tokenizer.ggml.add_bos_token", NULL) != NULL;
    MDF_TRY(read_flag(f, "tokenizer.ggml.add_bos_token", &v->add_bos, err));
    return read_flag(f, "tokenizer.ggml.add_eos_token", &v->add_eos, err);
}

mdf_status mdf_gguf_vocab_read(mdf_gguf_vocab *v, const mdf_gguf_files *f, mdf_error *err)
{
    *v = (mdf_gguf_vocab){0};
    MDF_TRY(mdf_arena_init(&v->arena, 0, 0, err));
    const mdf_status status = read(v, f, err);
    if (status != MDF_OK) {
        mdf_gguf_vocab_free(v);
    }
    return status;
}

void mdf_gguf_vocab_free(mdf_gguf_vocab *v)
{
    mdf_arena_free(&v->arena);
    *v = (mdf_gguf_vocab){0};
}
