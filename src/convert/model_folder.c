/* A model folder as input and output of the commands that make models. */
#include "convert/model_folder.h"

#include <assert.h>
#include <unistd.h>

#include "base/alloc.h"

#define MAX_SIDE_FILE ((size_t)64 << 20) /* a tokenizer.json of 128,000 tokens has 17 MB */

static mdf_status no_memory(const char *dir, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir);
}

mdf_status mdf_model_folder_check(const char *dir, mdf_error *err)
{
    static const char *const taken[] = {"config.json", "model.safetensors",
                                        "model.safetensors.index.json", "pytorch_model.bin",
                                        "pytorch_model.bin.index.json"};
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
    return MDF_OK;
}

mdf_status mdf_model_folder_open(mdf_model_folder *f, const char *dir, mdf_error *err)
{
    MDF_TRY(mdf_model_folder_check(dir, err));
    *f = (mdf_model_folder){.dir = dir, .made = !mdf_path_exists(dir)};
    return mdf_make_dirs(dir, err);
}

mdf_status mdf_model_folder_put(mdf_model_folder *f, const char *name, const void *data, size_t len,
                                mdf_error *err)
{
    assert(f->files < MDF_FOLDER_FILES);
    char *path = mdf_path_join(f->dir, name);
    if (path == NULL) {
        return no_memory(f->dir, err);
    }
    mdf_file_writer *w = &f->file[f->files].writer;
    mdf_status status = mdf_file_writer_open(w, path, err);
    mdf_free(path);
    MDF_TRY(status);
    f->file[f->files++].name = name;
    MDF_TRY(mdf_file_writer_write(w, data, len, err));
    return mdf_file_writer_sync(w, err);
}

mdf_status mdf_model_folder_config(mdf_model_folder *f, const mdf_config *c, mdf_error *err)
{
    mdf_strbuf text = mdf_strbuf_new(MDF_MAX_CONFIG_BYTES);
    mdf_status status = mdf_config_write(c, &text, err);
    if (status == MDF_OK) {
        status = mdf_model_folder_put(f, "config.json", text.data, text.len, err);
    }
    mdf_strbuf_free(&text);
    return status;
}

static mdf_status copy_file(mdf_model_folder *f, const char *from, const char *name, mdf_error *err)
{
    char *source = mdf_path_join(from, name);
    uint8_t *bytes = NULL;
    size_t len = 0;
    mdf_status status = source == NULL ? no_memory(from, err) : MDF_OK;
    if (status == MDF_OK && mdf_path_exists(source)) {
        status = mdf_file_read(source, MAX_SIDE_FILE, &bytes, &len, err);
        if (status == MDF_OK) {
            status = mdf_model_folder_put(f, name, bytes, len, err);
        }
    }
    mdf_free(bytes);
    mdf_free(source);
    return status;
}

mdf_status mdf_model_folder_copy(mdf_model_folder *f, const char *from, mdf_error *err)
{
    static const char *const name[] = {
        "tokenizer.json",        "tokenizer_config.json",    "special_tokens_map.json",
        "chat_template.json",    "chat_template.jinja",      "generation_config.json",
        "processor_config.json", "preprocessor_config.json",
    };
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        MDF_TRY(copy_file(f, from, name[i], err));
    }
    return MDF_OK;
}

mdf_status mdf_model_folder_name(mdf_model_folder *f, mdf_error *err)
{
    for (size_t i = 0; i < f->files; i++) {
        mdf_file_writer *w = &f->file[i].writer;
        const bool there = mdf_path_exists(w->path);
        MDF_TRY(mdf_file_writer_commit(w, err));
        f->file[i].added = !there;
    }
    return MDF_OK;
}

void mdf_model_folder_close(mdf_model_folder *f, bool keep)
{
    for (size_t i = 0; i < f->files; i++) {
        mdf_file_writer_abort(&f->file[i].writer);
        char *path = !keep && f->file[i].added ? mdf_path_join(f->dir, f->file[i].name) : NULL;
        if (path != NULL) {
            (void)unlink(path);
        }
        mdf_free(path);
    }
    if (!keep && f->made) {
        (void)rmdir(f->dir);
    }
    *f = (mdf_model_folder){0};
}

mdf_status mdf_model_config_read(mdf_config *c, const char *dir, mdf_error *err)
{
    char *path = mdf_path_join(dir, "config.json");
    const mdf_status status = path == NULL ? no_memory(dir, err) : mdf_config_load(c, path, err);
    mdf_free(path);
    return status;
}
