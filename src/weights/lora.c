/* LoRA adapters of PEFT: reading them and adding their change to weights. */
#include "weights/lora.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "weights/lora_config.h"

#define PREFIX "base_model.model."

/* Where ".lora_A." or ".lora_B." begins in a tensor's name; NULL: nowhere. */
static const char *middle_of(const char *name, char letter)
{
    const char middle[] = {'.', 'l', 'o', 'r', 'a', '_', letter, '.', '\0'};
    return strstr(name, middle);
}

/* "base_model.model.X.lora_A.weight" or ".lora_A.default.weight" -> X; false: another tensor. */
static bool module_of(const char *name, char letter, char module[MDF_WEIGHT_NAME])
{
    const char *at = middle_of(name, letter);
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || at == NULL) {
        return false;
    }
    const char *rest = at + strlen(".lora_A.");
    const char *start = name + strlen(PREFIX);
    const int n = snprintf(module, MDF_WEIGHT_NAME, "%.*s", (int)(at - start), start);
    return n > 0 && n < MDF_WEIGHT_NAME &&
           (strcmp(rest, "weight") == 0 || strcmp(rest, "default.weight") == 0);
}

/* The tensor beside the one that has this letter, A or B; NULL: there is none. */
static const mdf_st_tensor *partner(const mdf_safetensors *file, const char *of, char letter)
{
    char name[2 * MDF_WEIGHT_NAME];
    const char *at = middle_of(of, letter);
    const int n = snprintf(name, sizeof name, "%s", of);
    if (at == NULL || n < 0 || n >= (int)sizeof name) {
        return NULL;
    }
    name[(size_t)(at - of) + strlen(".lora_")] = letter == 'A' ? 'B' : 'A';
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

/* B times the factor: beyond float's range it can't be added. */
static mdf_status scale_b(mdf_lora_pair *p, double scale, const mdf_safetensors *file,
                          const mdf_st_tensor *b, mdf_error *err)
{
    for (size_t i = 0; i < b->count; i++) {
        p->b[i] = (float)(scale * (double)p->b[i]);
        if (!isfinite(p->b[i])) {
            return mdf_fail(err, MDF_ERR_NUMERIC,
                            "%s: tensor \"%.120s\" times alpha / r = %g is too large", file->path,
                            b->name, scale);
        }
    }
    return MDF_OK;
}

static mdf_status name_pair(mdf_lora *l, mdf_lora_pair *p, const char *module,
                            const mdf_safetensors *file, mdf_error *err)
{
    char full[MDF_WEIGHT_NAME + 8];
    char name[MDF_WEIGHT_NAME];
    (void)snprintf(full, sizeof full, "%s.weight", module);
    if (!mdf_weights_name(full, name)) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: %.120s... is too long a name", file->path, module);
    }
    p->name = mdf_arena_strndup(&l->arena, name, strlen(name));
    return p->name != NULL
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for the adapter", file->path);
}

static mdf_status add_pair(mdf_lora *l, const mdf_lora_config *c, const mdf_safetensors *file,
                           const mdf_st_tensor *a, const char *module, mdf_error *err)
{
    const mdf_st_tensor *b = partner(file, a->name, 'A');
    if (b == NULL || a->rank != 2 || b->rank != 2 || a->dim[0] != b->dim[1] || a->dim[0] < 1) {
        return mdf_fail(err, MDF_ERR_SHAPE,
                        "%s: tensor \"%.120s\" [r, in] needs a lora_B beside it, [out, r]",
                        file->path, a->name);
    }
    double scale = 0;
    MDF_TRY(mdf_lora_config_scale(c, module, a->dim[0], &scale, err));
    mdf_lora_pair *p = &l->pair[l->count];
    *p = (mdf_lora_pair){.r = a->dim[0], .in = a->dim[1], .out = b->dim[0]};
    MDF_TRY(name_pair(l, p, module, file, err));
    p->a = mdf_arena_alloc(&l->arena, a->count, sizeof *p->a);
    p->b = mdf_arena_alloc(&l->arena, b->count, sizeof *p->b);
    if (p->a == NULL || p->b == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for the adapter", file->path);
    }
    MDF_TRY(read_numbers(file, a, p->a, err));
    MDF_TRY(read_numbers(file, b, p->b, err));
    MDF_TRY(scale_b(p, scale, file, b, err));
    l->count++;
    return MDF_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const mdf_lora_pair *)a)->name, ((const mdf_lora_pair *)b)->name);
}

static mdf_status read_tensor(mdf_lora *l, const mdf_lora_config *c, const mdf_safetensors *file,
                              const mdf_st_tensor *t, mdf_error *err)
{
    char module[MDF_WEIGHT_NAME];
    if (module_of(t->name, 'A', module)) {
        return add_pair(l, c, file, t, module, err);
    }
    if (!module_of(t->name, 'B', module)) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\" is no lora_A or lora_B of a linear layer",
                        file->path, t->name);
    }
    if (partner(file, t->name, 'B') == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: tensor \"%.120s\" has no lora_A beside it",
                        file->path, t->name);
    }
    return MDF_OK;
}

static mdf_status read_pairs(mdf_lora *l, const mdf_lora_config *c, const mdf_safetensors *file,
                             mdf_error *err)
{
    if (file->count == 0) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: the adapter has no tensors", file->path);
    }
    l->pair = mdf_arena_zalloc(&l->arena, file->count, sizeof *l->pair);
    if (l->pair == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for the adapter", file->path);
    }
    for (size_t i = 0; i < file->count; i++) {
        MDF_TRY(read_tensor(l, c, file, &file->tensor[i], err));
    }
    qsort(l->pair, l->count, sizeof *l->pair, by_name);
    for (size_t i = 1; i < l->count; i++) {
        if (strcmp(l->pair[i - 1].name, l->pair[i].name) == 0) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: %.120s is changed by two pairs of tensors",
                            file->path, l->pair[i].name);
        }
    }
    return mdf_lora_config_check_used(c, err);
}

mdf_status mdf_lora_parse(mdf_lora *l, const char *bytes, size_t len, const char *name,
                          const mdf_safetensors *file, mdf_error *err)
{
    mdf_lora_config c;
    *l = (mdf_lora){0};
    MDF_TRY(mdf_arena_init(&l->arena, 0, 0, err));
    mdf_status status = mdf_lora_config_read(&c, bytes, len, name, err);
    if (status == MDF_OK) {
        status = read_pairs(l, &c, file, err);
    }
    mdf_lora_config_free(&c);
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

/* The sentence about the pairs that w lacks: the first three by name, the others counted. */
static mdf_status lacks(const mdf_lora *l, const mdf_weights *w, mdf_error *err)
{
    char text[400];
    size_t count = 0;
    int at = 0;
    for (size_t i = 0; i < l->count; i++) {
        if (mdf_weights_find(w, l->pair[i].name) == NULL && ++count <= 3) {
            at += snprintf(text + at, sizeof text - (size_t)at, "%s%.100s", count > 1 ? ", " : "",
                           l->pair[i].name);
        }
    }
    if (count > 3) {
        (void)snprintf(text + at, sizeof text - (size_t)at, " and %zu more", count - 3);
    }
    return count == 0 ? MDF_OK
                      : mdf_fail(err, MDF_ERR_FORMAT, "the adapter changes %s, which %s lacks",
                                 text, w->shards.path);
}

mdf_status mdf_lora_check(const mdf_lora *l, const mdf_weights *w, mdf_error *err)
{
    MDF_TRY(lacks(l, w, err));
    for (size_t i = 0; i < l->count; i++) {
        const mdf_lora_pair *p = &l->pair[i];
        const mdf_model_weight *t = mdf_weights_find(w, p->name);
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

bool mdf_lora_add(const mdf_lora_pair *p, size_t at, size_t n, float *w)
{
    enum { PIECE = 256 };
    const size_t in = (size_t)p->in;
    bool finite = true;
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
            finite = finite && isfinite(w[i]);
        }
        at += m;
        w += m;
        n -= m;
    }
    return finite;
}
