/* Which model this is. */
#include "engine/model_identity.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "io/safetensors.h"
#include "io/torch_file.h"

enum { SAMPLE = 65536, LENGTH_BYTES = 8 };

static void add_length(mdf_sha256 *sum, uint64_t n)
{
    for (int i = 0; i < LENGTH_BYTES; i++) {
        const uint8_t byte = (uint8_t)(n >> (8 * i));
        mdf_sha256_add(sum, &byte, 1);
    }
}

/* Name and length before the bytes, so that no two rows of files are the same text. */
static void add(mdf_sha256 *sum, const char *name, const uint8_t *data, size_t len)
{
    mdf_sha256_add(sum, name, strlen(name) + 1);
    add_length(sum, len);
    mdf_sha256_add(sum, data, len);
}

/* One that is not there counts as such. */
static mdf_status add_file(mdf_sha256 *sum, const char *name, const char *path, mdf_error *err)
{
    mdf_map map = {0};
    if (!mdf_path_exists(path)) {
        return MDF_OK;
    }
    MDF_TRY(mdf_map_open(&map, path, err));
    add(sum, name, map.data, map.len);
    mdf_map_close(&map);
    return MDF_OK;
}

static mdf_status add_of_folder(mdf_sha256 *sum, const char *const *name, size_t count,
                                const char *dir, mdf_error *err)
{
    for (size_t i = 0; i < count; i++) {
        char *path = mdf_path_join(dir, name[i]);
        if (path == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %s", dir);
        }
        const mdf_status status = add_file(sum, name[i], path, err);
        mdf_free(path);
        MDF_TRY(status);
    }
    return MDF_OK;
}

/* Bytes before a file's numbers. */
static size_t header_of(const mdf_map *map)
{
    uint64_t n = 0;
    if (map->len < LENGTH_BYTES || mdf_torch_looks(map->data, map->len)) {
        return 0;
    }
    for (int i = 0; i < LENGTH_BYTES; i++) {
        n |= (uint64_t)map->data[i] << (8 * i);
    }
    return n <= map->len - LENGTH_BYTES ? LENGTH_BYTES + (size_t)n : 0;
}

static void add_weights(mdf_sha256 *sum, const mdf_map *map)
{
    const size_t header = header_of(map);
    const uint8_t *data = map->data + header;
    const size_t len = map->len - header;
    const size_t piece = len < SAMPLE ? len : SAMPLE;
    add(sum, "header", map->data, header);
    add(sum, "begin", data, piece);
    add(sum, "middle", data + (len - piece) / 2, piece);
    add(sum, "end", data + len - piece, piece);
    add_length(sum, len);
}

static mdf_status add_all_weights(mdf_sha256 *sum, const char *dir, mdf_error *err)
{
    mdf_st_shards s;
    MDF_TRY(mdf_st_shards_open(&s, dir, err));
    for (size_t i = 0; i < s.files; i++) {
        add_weights(sum, &s.file[i].map);
    }
    mdf_st_shards_close(&s);
    return MDF_OK;
}

mdf_status mdf_model_identity(char hex[MDF_SHA256_HEX + 1], const char *dir, const char *lora,
                              const char *chat_file, mdf_error *err)
{
    static const char *const settings[] = {"config.json", "tokenizer.json", "tokenizer_config.json",
                                           "special_tokens_map.json"};
    static const char *const templates[] = {"chat_template.jinja", "chat_template.json"};
    static const char *const adapter[] = {"adapter_config.json", "adapter_model.safetensors"};
    mdf_sha256 sum;
    mdf_sha256_start(&sum);
    MDF_TRY(add_of_folder(&sum, settings, sizeof settings / sizeof settings[0], dir, err));
    if (chat_file != NULL) {
        MDF_TRY(add_file(&sum, "chat template", chat_file, err));
    } else {
        MDF_TRY(add_of_folder(&sum, templates, sizeof templates / sizeof templates[0], dir, err));
    }
    MDF_TRY(add_all_weights(&sum, dir, err));
    if (lora != NULL) {
        MDF_TRY(add_of_folder(&sum, adapter, sizeof adapter / sizeof adapter[0], lora, err));
    }
    mdf_sha256_hex(&sum, hex);
    return MDF_OK;
}
