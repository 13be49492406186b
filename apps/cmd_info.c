/* mdf info: what is in a file. Each kind of file becomes a JSON document; people get the same as
 * lines. */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/status.h"
#include "data/fov.h"
#include "data/quality.h"
#include "io/image.h"
#include "io/safetensors.h"
#include "nn/config.h"

/* Frees the text of b and forgets doc when the text is incomplete. */
static json_t *string_of(mdf_strbuf *b)
{
    json_t *s = b->failed ? NULL : json_string(b->data != NULL ? b->data : "");
    mdf_strbuf_free(b);
    return s;
}

static mdf_status no_memory(mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "no memory for the result");
}

static mdf_status describe_config(const char *path, json_t **doc, mdf_error *err)
{
    mdf_config *config = mdf_alloc(1, sizeof *config);
    mdf_strbuf text = mdf_strbuf_new((size_t)4 << 20);
    if (config == NULL) {
        return no_memory(err);
    }
    mdf_status status = mdf_config_load(config, path, err);
    if (status == MDF_OK) {
        status = mdf_config_write(config, &text, err);
    }
    if (status == MDF_OK && !text.failed) {
        *doc = json_loadb(text.data, text.len, 0, NULL);
    }
    mdf_strbuf_free(&text);
    mdf_free(config);
    return status != MDF_OK ? status : *doc != NULL ? MDF_OK : no_memory(err);
}

static json_t *tensor_row(const mdf_st_tensor *t)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->rank; i++) {
        (void)json_array_append_new(shape, json_integer((json_int_t)t->dim[i]));
    }
    return json_pack("{s:s, s:s, s:o}", "name", t->name, "dtype", mdf_dtype_name(t->dtype), "shape",
                     shape);
}

static mdf_status describe_tensors(const char *path, json_t **doc, mdf_error *err)
{
    mdf_st_shards shards = {0};
    size_t tensors = 0;
    size_t numbers = 0;
    MDF_TRY(mdf_st_shards_open(&shards, path, err));
    json_t *rows = json_array();
    for (size_t f = 0; f < shards.files; f++) {
        for (size_t i = 0; i < shards.file[f].count; i++) {
            (void)json_array_append_new(rows, tensor_row(&shards.file[f].tensor[i]));
            numbers += shards.file[f].tensor[i].count;
        }
        tensors += shards.file[f].count;
    }
    mdf_st_shards_close(&shards);
    *doc = json_pack("{s:I, s:I, s:o}", "tensors", (json_int_t)tensors, "numbers",
                     (json_int_t)numbers, "tensor", rows);
    return *doc != NULL ? MDF_OK : no_memory(err);
}

static mdf_status describe_pixels(const mdf_image *im, const char *format, json_t **doc,
                                  mdf_error *err)
{
    mdf_fov fov;
    mdf_quality quality;
    MDF_TRY(mdf_fov_find(&fov, im, err));
    MDF_TRY(mdf_quality_score(&quality, im, &fov, err));
    mdf_strbuf reasons = mdf_strbuf_new(1024);
    mdf_quality_reasons(quality.reasons, &reasons);
    *doc = json_pack("{s:s, s:i, s:i, s:s, s:f, s:o}", "format", format, "width", im->width,
                     "height", im->height, "field_of_view", mdf_fov_kind_text(fov.kind), "quality",
                     (double)quality.score, "faults", string_of(&reasons));
    return *doc != NULL ? MDF_OK : no_memory(err);
}

static mdf_status describe_picture(const char *path, mdf_image_format format, json_t **doc,
                                   mdf_error *err)
{
    static const char *const names[] = {"unknown", "JPEG", "PNG", "TIFF", "WebP"};
    mdf_image im = {0};
    MDF_TRY(mdf_image_read(&im, path, err));
    const mdf_status status = describe_pixels(&im, names[format], doc, err);
    mdf_image_free(&im);
    return status;
}

/* A run or model folder: its settings and its weights. */
static mdf_status describe_folder(const char *path, json_t **doc, mdf_error *err)
{
    char *config_path = mdf_path_join(path, "config.json");
    char *weights_path = mdf_path_join(path, "model.safetensors");
    json_t *config = NULL;
    json_t *weights = NULL;
    mdf_status status = MDF_OK;
    if (config_path == NULL || weights_path == NULL) {
        status = no_memory(err);
    } else if (!mdf_path_exists(config_path)) {
        status =
            mdf_fail(err, MDF_ERR_FORMAT, "%s is no run or model: it has no config.json", path);
    }
    if (status == MDF_OK) {
        status = describe_config(config_path, &config, err);
    }
    if (status == MDF_OK && mdf_path_exists(weights_path)) {
        status = describe_tensors(weights_path, &weights, err);
    }
    if (status == MDF_OK) {
        *doc = json_pack("{s:O, s:O*}", "config", config, "weights", weights);
        status = *doc != NULL ? MDF_OK : no_memory(err);
    }
    json_decref(config);
    json_decref(weights);
    mdf_free(config_path);
    mdf_free(weights_path);
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text);
    const size_t m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Pictures are told by their first bytes, the others by their name. */
static mdf_status describe(const char *path, json_t **doc, mdf_error *err)
{
    mdf_map map = {0};
    if (mdf_path_is_dir(path)) {
        return describe_folder(path, doc, err);
    }
    if (ends_with(path, ".json")) {
        return describe_config(path, doc, err);
    }
    if (ends_with(path, ".safetensors")) {
        return describe_tensors(path, doc, err);
    }
    MDF_TRY(mdf_map_open(&map, path, err));
    const mdf_image_format format = mdf_image_sniff(map.data, map.len);
    mdf_map_close(&map);
    if (format == MDF_IMAGE_UNKNOWN) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s is neither a picture nor a .json or .safetensors file", path);
    }
    return describe_picture(path, format, doc, err);
}

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
            (void)json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
            (void)puts("");
        }
    }
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    json_t *doc = NULL;
    (void)flags;
    MDF_TRY(describe(a->operands.item[0], &doc, err));
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
        "Prints settings and weights of a run or model, the tensors of a safetensors\n"
        "file, the settings of a config file with every default, or size, field of view\n"
        "and quality of a picture.",
    .example = "  mdf info runs/first\n  mdf info --json eye.jpg",
    .operand = {"FILE", 1, 1, "run folder, .safetensors, .json or picture"},
    .run = run,
};
