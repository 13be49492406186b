/* LoRA adapters of PEFT: reading them and adding their change to weights. */
#include "weights/lora.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

#define PREFIX "base_model.model."

/* The settings that matter. */
typedef struct settings {
    json_t *root;
    const char *path;
    double r, alpha;
    bool rslora;
} settings;

static bool is_on(const json_t *root, const char *key)
{
    const json_t *v = json_object_get(root, key);
    return v != NULL && !json_is_null(v) && !json_is_false(v) &&
           !(json_is_array(v) && json_array_size(v) == 0) &&
           !(json_is_object(v) && json_object_size(v) == 0);
}

/* Kinds of adapters that mean something else. */
static mdf_status check_kind(const settings *s, mdf_error *err)
{
    static const char *const off[] = {"use_dora",
                                      "fan_in_fan_out",
                                      "modules_to_save",
                                      "megatron_config",
                                      "trainable_token_indices",
                                      "use_qalora",
                                      "target_parameters",
                                      "lora_bias"};
    const char *type = json_string_value(json_object_get(s->root, "peft_type"));
    const json_t *bias = json_object_get(s->root, "bias");
    if (type == NULL || strcmp(type, "LORA") != 0) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: peft_type must be \"LORA\"", s->path);
    }
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        if (is_on(s->root, off[i])) {
            return mdf_fail(err, MDF_ERR_ARG, "%s: %s is not supported", s->path, off[i]);
        }
    }
    if (is_on(s->root, "bias") &&
        (!json_is_string(bias) || strcmp(json_string_value(bias), "none") != 0)) {
        return mdf_fail(err, MDF_ERR_ARG, "%s: bias must be \"none\"", s->path);
    }
    static const char *const map[] = {"rank_pattern", "alpha_pattern"};
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        if (is_on(s->root, map[i]) && !json_is_object(json_object_get(s->root, map[i]))) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s is not an object {...}", s->path, map[i]);
        }
    }
    return MDF_OK;
}

static mdf_status positive(const settings *s, const char *key, double *out, mdf_error *err)
{
    const json_t *v = json_object_get(s->root, key);
    *out = json_number_value(v);
    if (!json_is_number(v) || !(*out > 0 && *out <= 1e6)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s must be a number above 0", s->path, key);
    }
    return MDF_OK;
}

static mdf_status read_settings(settings *s, const char *bytes, size_t len, const char *path,
                                mdf_error *err)
{
    json_error_t where = {0};
    s->path = path;
    s->root = mdf_json_load(bytes, len, JSON_REJECT_DUPLICATES, &where);
    if (s->root == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: not valid JSON: line %d: %s", path, where.line,
                        where.text);
    }
    MDF_TRY(check_kind(s, err));
    MDF_TRY(positive(s, "r", &s->r, err));
    MDF_TRY(positive(s, "lora_alpha", &s->alpha, err));
    s->rslora = json_is_true(json_object_get(s->root, "use_rslora"));
    return MDF_OK;
}

/* The number that a pattern gives a module: its key is the whole name or its last parts. Keys that
 * are more than names (regular expressions) find nothing. */
static const json_t *pattern(const settings *s, const char *key, const char *module)
{
    json_t *map = json_object_get(s->root, key);
    const size_t n = strlen(module);
    for (void *it = json_object_iter(map); it != NULL; it = json_object_iter_next(map, it)) {
        const char *end = json_object_iter_key(it);
        const size_t m = strlen(end);
        if (n >= m && strcmp(module + n - m, end) == 0 && (n == m || module[n - m - 1] == '.')) {
            return json_object_iter_value(it);
        }
    }
    return NULL;
}

/* PEFT's factor for this module; r is what its matrices have. */
static mdf_status scale_of(const settings *s, const char *module, int64_t r, double *out,
                           mdf_error *err)
{
    const json_t *rank = pattern(s, "rank_pattern", module);
    const json_t *own = pattern(s, "alpha_pattern", module);
    const double wanted = rank != NULL ? json_number_value(rank) : s->r;
    const double alpha = own != NULL ? json_number_value(own) : s->alpha;
    if (!(alpha > 0 && alpha <= 1e6)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: %.120s: alpha must be a number above 0", s->path,
                        module);
    }
    if ((double)r != wanted) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: %.120s has rank %lld in the weights, but %g in the settings", s->path,
                        module, (long long)r, wanted);
    }
    *out = s->rslora ? alpha / sqrt((double)r) : alpha / (double)r;
    return MDF_OK;
}

/* "base_model.model.X.lora_A.weight" or ".lora_A.default.weight" -> X; false: another tensor. */
static bool module_of(const char *name, char letter, char module[MDF_WEIGHT_NAME])
{
    const char middle[] = {'.', 'l', 'o', 'r', 'a', '_', letter, '.', '\0'};
    const char *at = strstr(name, middle);
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || at == NULL) {
        return false;
    }
    const char *rest = at + strlen(middle);
    const char *start = name + strlen(PREFIX);
    const int n = snprintf(module, MDF_WEIGHT_NAME, "%.*s", (int)(at - start), start);
    return n > 0 && n < MDF_WEIGHT_NAME &&
           (strcmp(rest, "weight") == 0 || strcmp(rest, "default.weight") == 0);
}

static const mdf_st_tensor *partner(const mdf_safetensors *file, const char *a)
{
    char name[2 * MDF_WEIGHT_NAME];
    const int n = snprintf(name, sizeof name, "%s", a);
    char *at = strstr(name, ".lora_A.");
    if (n < 0 || n >= (int)sizeof name || at == NULL) {
        return NULL;
    }
    at[strlen(".lora_")] = 'B';
    return mdf_safetensors_find(file, name);
}

static mdf_status read_numbers(const mdf_safetensors *file, const mdf_st_tensor *t, float *out,
                               mdf_error *err)
{
    MDF_TRY(mdf_safetensors_floats(file, t, out, err));
    for (size_t i = 0; i < t->count; i++) {
        if (!isfinite(out[i])) {
            return mdf_fail(err, MDF_ERR_NUMERIC,
                            "%s: tensor \"%.120s\" holds a number that is not finite", file->path,
                            t->name);
        }
    }
    return MDF_OK;
}

static mdf_status add_pair(mdf_lora *l, const settings *s, const mdf_safetensors *file,
                           const mdf_st_tensor *a, const char *module, mdf_error *err)
{
    const mdf_st_tensor *b = partner(file, a->name);
    if (b == NULL || a->rank != 2 || b->rank != 2 || a->dim[0] != b->dim[1] || a->dim[0] < 1) {
        return mdf_fail(err, MDF_ERR_SHAPE,
                        "%s: tensor \"%.120s\" [r, in] needs a lora_B beside it, [out, r]",
                        file->path, a->name);
    }
    char full[MDF_WEIGHT_NAME + 8];
    char name[MDF_WEIGHT_NAME];
    (void)snprintf(full, sizeof full, "%s.weight", module);
    double scale = 0;
    MDF_TRY(scale_of(s, module, a->dim[0], &scale, err));
    mdf_lora_pair *p = &l->pair[l->count];
    *p = (mdf_lora_pair){.r = a->dim[0], .in = a->dim[1], .out = b->dim[0]};
    p->name =
        mdf_weights_name(full, name) ? mdf_arena_strndup(&l->arena, name, strlen(name)) : NULL;
    p->a = mdf_arena_alloc(&l->arena, a->count, sizeof *p->a);
    p->b = mdf_arena_alloc(&l->arena, b->count, sizeof *p->b);
    if (p->name == NULL || p->a == NULL || p->b == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for the adapter", file->path);
    }
    MDF_TRY(read_numbers(file, a, p->a, err));
    MDF_TRY(read_numbers(file, b, p->b, err));
    for (size_t i = 0; i < b->count; i++) {
        p->b[i] = (float)(scale * (double)p->b[i]);
    }
    l->count++;
    return MDF_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const mdf_lora_pair *)a)->name, ((const mdf_lora_pair *)b)->name);
}

static mdf_status read_pairs(mdf_lora *l, const settings *s, const mdf_safetensors *file,
                             mdf_error *err)
{
    char module[MDF_WEIGHT_NAME];
    l->pair = mdf_arena_zalloc(&l->arena, file->count + 1, sizeof *l->pair);
    if (l->pair == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for the adapter", file->path);
    }
    for (size_t i = 0; i < file->count; i++) {
        const mdf_st_tensor *t = &file->tensor[i];
        if (module_of(t->name, 'A', module)) {
            MDF_TRY(add_pair(l, s, file, t, module, err));
        } else if (!module_of(t->name, 'B', module)) {
            return mdf_fail(err, MDF_ERR_FORMAT,
                            "%s: tensor \"%.120s\" is no lora_A or lora_B of a linear layer",
                            file->path, t->name);
        }
    }
    if (2 * l->count != file->count) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: a lora_B has no lora_A beside it", file->path);
    }
    qsort(l->pair, l->count, sizeof *l->pair, by_name);
    return MDF_OK;
}

mdf_status mdf_lora_parse(mdf_lora *l, const char *bytes, size_t len, const char *name,
                          const mdf_safetensors *file, mdf_error *err)
{
    settings s = {0};
    *l = (mdf_lora){0};
    MDF_TRY(mdf_arena_init(&l->arena, 0, 0, err));
    mdf_status status = read_settings(&s, bytes, len, name, err);
    if (status == MDF_OK) {
        status = read_pairs(l, &s, file, err);
    }
    json_decref(s.root);
    if (status != MDF_OK) {
        mdf_lora_free(l);
    }
    return status;
}

static mdf_status load(mdf_lora *l, const char *config, const char *weights, mdf_error *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    mdf_safetensors file;
    MDF_TRY(mdf_file_read(config, MDF_MAX_CONFIG_BYTES, &bytes, &len, err));
    mdf_status status = mdf_safetensors_open(&file, weights, err);
    if (status == MDF_OK) {
        status = mdf_lora_parse(l, (const char *)bytes, len, config, &file, err);
        mdf_safetensors_close(&file);
    }
    mdf_free(bytes);
    return status;
}

mdf_status mdf_lora_load(mdf_lora *l, const char *dir, mdf_error *err)
{
    char *config = mdf_path_join(dir, "adapter_config.json");
    char *weights = mdf_path_join(dir, "adapter_model.safetensors");
    *l = (mdf_lora){0};
    const mdf_status status = config == NULL || weights == NULL
                                  ? mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir)
                                  : load(l, config, weights, err);
    mdf_free(config);
    mdf_free(weights);
    return status;
}

void mdf_lora_free(mdf_lora *l)
{
    mdf_arena_free(&l->arena);
    *l = (mdf_lora){0};
}

mdf_status mdf_lora_check(const mdf_lora *l, const mdf_weights *w, mdf_error *err)
{
    for (size_t i = 0; i < l->count; i++) {
        const mdf_lora_pair *p = &l->pair[i];
        const mdf_model_weight *t = mdf_weights_find(w, p->name);
        if (t == NULL) {
            return mdf_fail(err, MDF_ERR_FORMAT, "the adapter changes %.120s, which %s lacks",
                            p->name, w->shards.path);
        }
        MDF_TRY(
            mdf_safetensors_check_shape(t->file, t->tensor, 2, (int64_t[]){p->out, p->in}, err));
    }
    return MDF_OK;
}

const mdf_lora_pair *mdf_lora_find(const mdf_lora *l, const char *name)
{
    const mdf_lora_pair key = {.name = name};
    return l->count == 0 ? NULL : bsearch(&key, l->pair, l->count, sizeof key, by_name);
}

void mdf_lora_add(const mdf_lora_pair *p, size_t at, size_t n, float *w)
{
    enum { PIECE = 256 };
    const size_t in = (size_t)p->in;
    double sum[PIECE];
    while (n > 0) { /* a piece of a row */
        const size_t row = at / in;
        const size_t column = at % in;
        size_t m = in - column < n ? in - column : n;
        m = m < PIECE ? m : PIECE;
        memset(sum, 0, sizeof sum);
        for (size_t k = 0; k < (size_t)p->r; k++) {
            const double b = (double)p->b[row * (size_t)p->r + k];
            const float *a = p->a + k * in + column;
            for (size_t i = 0; i < m; i++) {
                sum[i] += b * (double)a[i];
            }
        }
        for (size_t i = 0; i < m; i++) {
            w[i] = (float)((double)w[i] + sum[i]);
        }
        at += m;
        w += m;
        n -= m;
    }
}
