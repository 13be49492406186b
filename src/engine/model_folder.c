/* A model folder as input and output of the commands that make models. */
#include "engine/model_folder.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

#define MAX_SIDE_FILE ((size_t)64 << 20) /* a tokenizer.json of 128,000 tokens has 17 MB */

static mdf_status no_memory(const char *dir, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir);
}

mdf_status mdf_model_folder_make(const char *dir, bool *made, mdf_error *err)
{
    static const char *const taken[] = {"config.json", "model.safetensors",
                                        "model.safetensors.index.json"};
    *made = !mdf_path_exists(dir);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        char *path = mdf_path_join(dir, taken[i]);
        if (path == NULL) {
            return no_memory(dir, err);
        }
        const bool there = mdf_path_exists(path);
        mdf_free(path);
        if (there) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "%s: already holds a model (%s); choose another folder", dir, taken[i]);
        }
    }
    return mdf_make_dirs(dir, err);
}

void mdf_model_folder_drop(const char *dir, bool made)
{
    if (made) {
        (void)rmdir(dir);
    }
}

mdf_status mdf_model_config_read(mdf_config *c, const char *dir, mdf_error *err)
{
    char *path = mdf_path_join(dir, "config.json");
    const mdf_status status = path == NULL ? no_memory(dir, err) : mdf_config_load(c, path, err);
    mdf_free(path);
    return status;
}

mdf_status mdf_model_config_write(const mdf_config *c, const char *dir, mdf_error *err)
{
    mdf_strbuf text = mdf_strbuf_new(MDF_MAX_CONFIG_BYTES);
    char *path = mdf_path_join(dir, "config.json");
    mdf_status status = path == NULL ? no_memory(dir, err) : mdf_config_write(c, &text, err);
    if (status == MDF_OK) {
        status = mdf_file_write(path, text.data, text.len, err);
    }
    mdf_free(path);
    mdf_strbuf_free(&text);
    return status;
}

static mdf_status copy_file(const char *from, const char *to, const char *name, mdf_error *err)
{
    char *source = mdf_path_join(from, name);
    char *target = mdf_path_join(to, name);
    uint8_t *bytes = NULL;
    size_t len = 0;
    mdf_status status = source == NULL || target == NULL ? no_memory(to, err) : MDF_OK;
    if (status == MDF_OK && mdf_path_exists(source)) {
        status = mdf_file_read(source, MAX_SIDE_FILE, &bytes, &len, err);
        if (status == MDF_OK) {
            status = mdf_file_write(target, bytes, len, err);
        }
    }
    mdf_free(bytes);
    mdf_free(source);
    mdf_free(target);
    return status;
}

mdf_status mdf_model_copy_rest(const char *from, const char *to, mdf_error *err)
{
    static const char *const name[] = {
        "tokenizer.json",        "tokenizer_config.json",    "special_tokens_map.json",
        "chat_template.json",    "chat_template.jinja",      "generation_config.json",
        "processor_config.json", "preprocessor_config.json",
    };
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        MDF_TRY(copy_file(from, to, name[i], err));
    }
    return MDF_OK;
}
