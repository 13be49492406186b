/* mdf info: what is in a file. Each kind of file becomes a JSON document; people get the same as
 * lines. */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/status.h"
#include "config/config.h"
#include "info.h"
#include "io/safetensors.h"
#include "nn/mdf_mllm.h"
#include "photo/fov.h"
#include "photo/image.h"
#include "photo/quality.h"
#include "weights/parts.h"
#include "weights/weights.h"

typedef struct info_flags {
    bool tensors;
    bool check_tensors;
} info_flags;

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

/* Frees the text of b and forgets doc when the text is incomplete. */
static json_t *string_of(mdf_strbuf *b)
{
    json_t *s = b->failed ? NULL : json_string(b->data != NULL ? b->data : "");
    mdf_strbuf_free(b);
    return s;
}

mdf_status info_no_memory(mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "no memory for the result");
}

json_t *info_parts(const mdf_part_count count[MDF_PARTS])
{
    json_t *doc = json_object();
    mdf_part_count sum = {0};
    for (int i = 0; i <= MDF_PARTS; i++) {
        const mdf_part_count *n = i < MDF_PARTS ? &count[i] : &sum;
        const char *name = i < MDF_PARTS ? mdf_part_name((mdf_part)i) : "total";
        if (n->tensors > 0) {
            json_t *row = json_pack("{s:I, s:I}", "tensors", (json_int_t)n->tensors, "parameters",
                                    (json_int_t)n->numbers);
            if (n->bytes > 0) {
                (void)json_object_set_new(row, "bytes", json_integer((json_int_t)n->bytes));
            }
            (void)json_object_set_new(doc, name, row);
        }
        sum.tensors += n->tensors;
        sum.numbers += n->numbers;
        sum.bytes += n->bytes;
    }
    return doc;
}

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

static mdf_status describe_config(const char *path, json_t **doc, mdf_error *err)
{
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

json_t *info_tensor(const char *name, mdf_dtype type, int rank, const int64_t *dim)
{
    json_t *shape = json_array();
    for (int i = 0; i < rank; i++) {
        (void)json_array_append_new(shape, json_integer((json_int_t)dim[i]));
    }
    return json_pack("{s:s, s:s, s:o}", "name", name, "dtype", mdf_dtype_name(type), "shape",
                     shape);
}

void info_add_type(json_t *types, mdf_dtype type, size_t bytes)
{
    const char *name = mdf_dtype_name(type);
    json_t *row = json_object_get(types, name);
    const json_int_t tensors = json_integer_value(json_object_get(row, "tensors"));
    const json_int_t before = json_integer_value(json_object_get(row, "bytes"));
    (void)json_object_set_new(
        types, name,
        json_pack("{s:I, s:I}", "tensors", tensors + 1, "bytes", before + (json_int_t)bytes));
}

static mdf_status describe_tensors(const char *path, const info_flags *f, bool rows_too,
                                   json_t **doc, mdf_error *err)
{
    mdf_weights weights;
    mdf_part_count count[MDF_PARTS];
    size_t numbers = 0;
    MDF_TRY(mdf_weights_open(&weights, path, err));
    if (f->check_tensors) {
        const mdf_status status = mdf_weights_check(&weights, err);
        if (status != MDF_OK) {
            mdf_weights_close(&weights);
            return status;
        }
    }
    json_t *rows = json_array();
    json_t *types = json_object();
    for (size_t file = 0; file < weights.shards.files; file++) {
        for (size_t i = 0; i < weights.shards.file[file].count; i++) {
            const mdf_st_tensor *t = &weights.shards.file[file].tensor[i];
            info_add_type(types, t->dtype, t->bytes);
            numbers += t->count;
            if (rows_too) {
                (void)json_array_append_new(rows, info_tensor(t->name, t->dtype, t->rank, t->dim));
            }
        }
    }
    mdf_parts_of_weights(count, &weights);
    *doc = json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "files",
                     (json_int_t)weights.shards.files, "tensors", (json_int_t)weights.count,
                     "numbers", (json_int_t)numbers, "bytes", (json_int_t)weights.bytes, "types",
                     types, "parts", info_parts(count), "tensor", rows);
    mdf_weights_close(&weights);
    return *doc != NULL ? MDF_OK : info_no_memory(err);
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
    return *doc != NULL ? MDF_OK : info_no_memory(err);
}

static mdf_status describe_picture(const char *path, mdf_image_format format, json_t **doc,
                                   mdf_error *err)
{
    mdf_image im = {0};
    MDF_TRY(mdf_image_read(&im, path, err));
    const mdf_status status = describe_pixels(&im, mdf_image_format_name(format), doc, err);
    mdf_image_free(&im);
    return status;
}

static bool has_weights(const char *path)
{
    static const char *const name[] = {"model.safetensors", "model.safetensors.index.json"};
    bool found = false;
    for (size_t i = 0; i < 2 && !found; i++) {
        char *file = mdf_path_join(path, name[i]);
        found = file != NULL && mdf_path_exists(file);
        mdf_free(file);
    }
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
        status = describe_config(config_path, &config, err);
    }
    if (status == MDF_OK && has_weights(path)) {
        status = describe_tensors(path, f, f->tensors, &weights, err);
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

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text);
    const size_t m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Pictures are told by their first bytes, the others by their name. */
static mdf_status describe(const char *path, const info_flags *f, json_t **doc, mdf_error *err)
{
    mdf_map map = {0};
    if (mdf_path_is_dir(path)) {
        return describe_folder(path, f, doc, err);
    }
    if (ends_with(path, ".safetensors") || ends_with(path, ".safetensors.index.json")) {
        return describe_tensors(path, f, true, doc, err);
    }
    if (ends_with(path, ".gguf")) {
        return info_gguf(path, f->tensors, f->check_tensors, doc, err);
    }
    if (ends_with(path, ".json")) {
        return describe_config(path, doc, err);
    }
    MDF_TRY(mdf_map_open(&map, path, err));
    const mdf_image_format format = mdf_image_sniff(map.data, map.len);
    mdf_map_close(&map);
    if (format == MDF_IMAGE_UNKNOWN) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s is neither a picture nor a .json, .safetensors or .gguf file", path);
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
        "tensors of a safetensors file, keys and number formats of a GGUF file, the settings of a\n"
        "config file with every default, or size,\n"
        "field of view and quality of a picture. Models are counted by part: tensors, parameters\n"
        "and, where there are weights, bytes.",
    .example = "  mdf info runs/first\n  mdf info --json eye.jpg",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(info_flags),
    .operand = {"FILE", 1, 1, "run folder, .safetensors, .gguf, .json or picture"},
    .run = run,
};
