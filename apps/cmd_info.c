/* mdf info: what is in a file. Each kind of file becomes a JSON document; people get the same as
 * lines. */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/status.h"
#include "config/config.h"
#include "info.h"
#include "io/foreign.h"
#include "io/torch_file.h"
#include "nn/mdf_mllm.h"
#include "photo/image.h"
#include "weights/parts.h"

static const arg_option options[] = {
    {.name = "tensors",
     .kind = ARG_FLAG,
     .offset = offsetof(info_flags, tensors),
     .help = "list every tensor of a folder or GGUF file, too"},
    {.name = "check-tensors",
     .kind = ARG_FLAG,
     .offset = offsetof(info_flags, check_tensors),
     .help = "read all weights and look for numbers that are not finite"},
};

/* What the configuration says the model has, without any weights. */
static mdf_status count_parts(mdf_config *config, json_t **parts, mdf_error *err)
{
    mdf_mllm *model = NULL;
    mdf_part_count count[MDF_PARTS];
    config->train.aux_weight = 0; /* for training only */
    MDF_TRY(mdf_mllm_declare(&model, config, err));
    mdf_parts_of_params(count, &model->params, config);
    mdf_mllm_free(model);
    *parts = info_parts(count);
    return *parts != NULL ? MDF_OK : info_no_memory(err);
}

static mdf_status describe_loaded(mdf_config *config, json_t **doc, mdf_error *err)
{
    mdf_strbuf text = mdf_strbuf_new((size_t)4 << 20);
    json_t *parts = NULL;
    mdf_status status = mdf_config_write(config, &text, err);
    if (status == MDF_OK) {
        status = count_parts(config, &parts, err);
    }
    if (status == MDF_OK) {
        *doc = json_loadb(text.data, text.len, 0, NULL);
        if (*doc == NULL || json_object_set(*doc, "parts", parts) != 0) {
            status = info_no_memory(err);
        }
    }
    json_decref(parts);
    mdf_strbuf_free(&text);
    return status;
}

static mdf_status describe_config(const char *path, const info_flags *f, json_t **doc,
                                  mdf_error *err)
{
    (void)f;
    mdf_config *config = mdf_alloc(1, sizeof *config);
    if (config == NULL) {
        return info_no_memory(err);
    }
    mdf_status status = mdf_config_load(config, path, err);
    if (status == MDF_OK) {
        status = describe_loaded(config, doc, err);
    }
    mdf_free(config);
    return status;
}

static bool has_weights(const char *path)
{
    char *file = NULL;
    const bool found = mdf_st_shards_find_file(path, &file, NULL) == MDF_OK;
    mdf_free(file);
    return found;
}

/* A run or model folder: its settings and its weights. */
static mdf_status describe_folder(const char *path, const info_flags *f, json_t **doc,
                                  mdf_error *err)
{
    char *config_path = mdf_path_join(path, "config.json");
    json_t *config = NULL;
    json_t *weights = NULL;
    mdf_status status = MDF_OK;
    if (config_path == NULL) {
        status = info_no_memory(err);
    } else if (!mdf_path_exists(config_path)) {
        status =
            mdf_fail(err, MDF_ERR_FORMAT, "%s is no run or model: it has no config.json", path);
    }
    if (status == MDF_OK) {
        status = describe_config(config_path, f, &config, err);
    }
    if (status == MDF_OK && has_weights(path)) {
        status = info_tensors(path, f, &weights, err);
    }
    if (status == MDF_OK) {
        *doc = json_pack("{s:O, s:O*}", "config", config, "weights", weights);
        status = *doc != NULL ? MDF_OK : info_no_memory(err);
    }
    json_decref(config);
    json_decref(weights);
    mdf_free(config_path);
    return status;
}

static bool is_settings(const uint8_t *b, size_t n)
{
    size_t at = mdf_json_mark((const char *)b, n);
    while (at < n && strchr(" \t\r\n", b[at]) != NULL && b[at] != '\0') {
        at++;
    }
    return at < n && b[at] == '{';
}

/* The list of a model's shards is JSON, too. */
static bool is_index(const uint8_t *b, size_t n)
{
    json_error_t where;
    json_t *root = is_settings(b, n) && n <= MDF_MAX_CONFIG_BYTES * 64
                       ? mdf_json_load((const char *)b, n, 0, &where)
                       : NULL;
    const bool found = json_is_object(json_object_get(root, "weight_map"));
    json_decref(root);
    return found;
}

/* A length below 4 GiB, then the header. */
static bool is_safetensors(const uint8_t *b, size_t n)
{
    return n > 8 && memcmp(b + 4, "\0\0\0\0", 4) == 0 && b[8] == '{';
}

static bool is_gguf(const uint8_t *b, size_t n)
{
    return n >= 4 && memcmp(b, "GGUF", 4) == 0;
}

static bool is_picture(const uint8_t *b, size_t n)
{
    return mdf_image_sniff(b, n) != MDF_IMAGE_UNKNOWN;
}

static bool is_torch(const uint8_t *b, size_t n)
{
    return mdf_torch_looks(b, n);
}

/* Kinds of files: told by what they begin with, whatever their name; by their name only where that
 * says nothing, so that the reader tells what is wrong with them. */
static const struct {
    bool (*is)(const uint8_t *bytes, size_t len);
    const char *ending; /* NULL: none */
    mdf_status (*describe)(const char *path, const info_flags *f, json_t **doc, mdf_error *err);
} kinds[] = {
    {is_gguf, ".gguf", info_gguf},           {is_safetensors, ".safetensors", info_tensors},
    {is_picture, NULL, info_picture},        {is_torch, ".bin", info_tensors},
    {is_torch, ".pth", info_tensors},        {is_torch, ".pt", info_tensors},
    {is_index, ".index.json", info_tensors}, {is_settings, ".json", describe_config},
};

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text);
    const size_t m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static mdf_status describe(const char *path, const info_flags *f, json_t **doc, mdf_error *err)
{
    enum { KINDS = sizeof kinds / sizeof kinds[0] };
    mdf_map map = {0};
    size_t k = 0;
    if (mdf_path_is_dir(path)) {
        return describe_folder(path, f, doc, err);
    }
    MDF_TRY(mdf_map_open(&map, path, err));
    while (k < KINDS && !kinds[k].is(map.data, map.len)) {
        k++;
    }
    const char *foreign = k == KINDS ? mdf_foreign_kind(map.data, map.len) : NULL;
    mdf_map_close(&map);
    if (foreign != NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s is %s, which mdf does not read", path, foreign);
    }
    for (size_t i = 0; k == KINDS && i < KINDS; i++) {
        k = kinds[i].ending != NULL && ends_with(path, kinds[i].ending) ? i : KINDS;
    }
    if (k == KINDS) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s is neither a picture nor a JSON, safetensors, PyTorch or GGUF file",
                        path);
    }
    return kinds[k].describe(path, f, doc, err);
}

enum { LIST_MOST = 32, LIST_SHOWN = 4 }; /* values of a list that are printed */

/* "model.weight F32 [64, 3]" */
static void print_tensor(json_t *row)
{
    const json_t *shape = json_object_get(row, "shape");
    (void)printf("%s %s [", json_string_value(json_object_get(row, "name")),
                 json_string_value(json_object_get(row, "dtype")));
    for (size_t i = 0; i < json_array_size(shape); i++) {
        (void)printf("%s%" JSON_INTEGER_FORMAT, i > 0 ? ", " : "",
                     json_integer_value(json_array_get(shape, i)));
    }
    (void)puts("]");
}

static void print_value(const json_t *value)
{
    (void)json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
}

/* A list in one line that can be read: of a long one its first values. */
static void print_list(const json_t *list)
{
    const size_t n = json_array_size(list);
    if (n <= LIST_MOST) {
        print_value(list);
        return;
    }
    for (size_t i = 0; i < LIST_SHOWN; i++) {
        (void)fputs(i == 0 ? "[" : ", ", stdout);
        print_value(json_array_get(list, i));
    }
    (void)printf(", ...] (%zu values; --json has all)", n);
}

/* One line per value; the keys that lead to it are joined by dots. depth is bounded by what this
 * file builds and by the schema of the settings. */
static void print_lines(const char *prefix, json_t *doc) /* NOLINT(misc-no-recursion) */
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(doc, key, value)
    {
        char name[256];
        size_t i = 0;
        json_t *row = NULL;
        (void)snprintf(name, sizeof name, "%s%s%s", prefix, *prefix != '\0' ? "." : "", key);
        if (json_is_object(value)) {
            print_lines(name, value);
        } else if (strcmp(key, "tensor") == 0) {
            json_array_foreach(value, i, row)
            {
                print_tensor(row);
            }
        } else {
            (void)printf("%s: ", name);
            if (json_is_array(value)) {
                print_list(value);
            } else {
                print_value(value);
            }
            (void)puts("");
        }
    }
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    json_t *doc = NULL;
    MDF_TRY(describe(a->operands.item[0], flags, &doc, err));
    if (a->json) {
        return app_print_json(doc, err);
    }
    print_lines("", doc);
    json_decref(doc);
    return MDF_OK;
}

const app_command app_info = {
    .name = "info",
    .summary = "describe a model, a run or a file",
    .description =
        "Prints settings and weights of a run or model (of this project or Hugging Face's), the\n"
        "tensors of a safetensors or PyTorch file, keys and number formats of a GGUF file, the "
        "settings of a\n"
        "config file with every default, or size,\n"
        "field of view and quality of a picture. Models are counted by part: tensors, parameters\n"
        "and, where there are weights, bytes. What a file is, its first bytes say, not its name.",
    .example = "  mdf info runs/first\n  mdf info --json eye.jpg",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(info_flags),
    .operand = {"FILE", 1, 1, "run folder, safetensors, GGUF or JSON file, or picture"},
    .run = run,
};
