/* config.json, generation_config.json and the tokenizer's files from the values of GGUF files. */
#include "convert/import_gguf_files.h"

#include "language/gguf_tokenizer.h"

#define MAX_FILE ((size_t)256 << 20) /* a tokenizer.json of 128,000 tokens has 9 MB */

enum { CONFIG, GENERATION, TOKENIZER, TOKENIZER_CONFIG, TEMPLATE };

static const char *const name[MDF_IMPORT_FILES] = {"config.json", "generation_config.json",
                                                   "tokenizer.json", "tokenizer_config.json",
                                                   "chat_template.jinja"};

static mdf_status make_generation(const mdf_text_config *c, mdf_strbuf *out, mdf_error *err)
{
    mdf_strbuf_printf(out, "{\n  \"bos_token_id\": %d,\n  \"eos_token_id\": [", c->bos_token_id);
    for (int i = 0; i < c->eos_count; i++) {
        mdf_strbuf_printf(out, "%s%d", i > 0 ? ", " : "", c->eos_token_id[i]);
    }
    mdf_strbuf_printf(out, "],\n  \"pad_token_id\": %d\n}\n", c->pad_token_id);
    return out->failed ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the settings") : MDF_OK;
}

/* The texts of the tokenizer; *remark: in what it may differ from the original. */
static mdf_status make_tokenizer(mdf_import_files *out, const mdf_gguf_files *f,
                                 const mdf_config *c, mdf_error *remark, mdf_error *err)
{
    mdf_gguf_vocab v;
    MDF_TRY(mdf_gguf_vocab_read(&v, f, err));
    mdf_status status = MDF_OK;
    if (v.tokens > (size_t)mdf_config_embedding_rows(c)) {
        status = mdf_fail(err, MDF_ERR_FORMAT,
                          "tokenizer.ggml.tokens: %zu tokens, but the model has rows for %d",
                          v.tokens, mdf_config_embedding_rows(c));
    }
    if (status == MDF_OK) {
        status = mdf_gguf_tokenizer_json(&v, &out->text[TOKENIZER], remark, err);
    }
    if (status == MDF_OK) {
        status = mdf_gguf_tokenizer_config(&v, &out->text[TOKENIZER_CONFIG], err);
    }
    if (status == MDF_OK) {
        mdf_strbuf_add(&out->text[TEMPLATE], v.template.text, v.template.len);
        status = out->text[TEMPLATE].failed
                     ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the chat template")
                     : MDF_OK;
    }
    mdf_gguf_vocab_free(&v);
    return status;
}

mdf_status mdf_import_files_make(mdf_import_files *out, const mdf_gguf_files *f,
                                 const mdf_config *c, mdf_error *remark, mdf_error *err)
{
    mdf_error why = {0};
    *out = (mdf_import_files){0};
    *remark = (mdf_error){0};
    for (size_t i = 0; i < MDF_IMPORT_FILES; i++) {
        out->text[i] = mdf_strbuf_new(MAX_FILE);
    }
    MDF_TRY(mdf_config_write(c, &out->text[CONFIG], err));
    MDF_TRY(make_generation(&c->text, &out->text[GENERATION], err));
    const mdf_status status = make_tokenizer(out, f, c, remark, &why);
    if (status == MDF_ERR_NOMEM) {
        return mdf_fail(err, status, "%s", why.text);
    }
    if (status != MDF_OK) {
        mdf_strbuf_free(&out->text[TOKENIZER]);
        (void)!mdf_fail(remark, MDF_OK, "the tokenizer is left out: %s", why.text);
    }
    if (remark->text[0] != '\0') {
        (void)!mdf_fail_prefix(remark, MDF_OK, f->file[0].path);
    }
    return MDF_OK;
}

void mdf_import_files_free(mdf_import_files *t)
{
    for (size_t i = 0; i < MDF_IMPORT_FILES; i++) {
        mdf_strbuf_free(&t->text[i]);
    }
}

mdf_status mdf_import_files_put(const mdf_import_files *t, mdf_model_folder *folder, mdf_error *err)
{
    for (size_t i = 0; i < MDF_IMPORT_FILES; i++) {
        if (t->text[i].len > 0) {
            MDF_TRY(mdf_model_folder_put(folder, name[i], t->text[i].data, t->text[i].len, err));
        }
    }
    return MDF_OK;
}
