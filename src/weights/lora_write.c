/* LoRA adapters of a model, written as PEFT writes them. */
#include "weights/lora_write.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

#define PREFIX "base_model.model."
#define WEIGHT ".weight"

static size_t count_adapters(const mdf_params *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++) {
        n += p->item[i]->tensor.adapter != NULL ? 1 : 0;
    }
    return n;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const mdf_lora_pair *)a)->name, ((const mdf_lora_pair *)b)->name);
}

/* Copies, so that B can have the scale. */
static bool copy_pair(mdf_lora *l, mdf_lora_pair *out, const mdf_tensor *w)
{
    const mdf_tensor *a = w->adapter->a;
    const mdf_tensor *b = w->adapter->b;
    const size_t n = (size_t)mdf_tensor_count(a);
    const size_t m = (size_t)mdf_tensor_count(b);
    *out = (mdf_lora_pair){.name = w->name, .r = a->dim[0], .in = a->dim[1], .out = b->dim[0]};
    out->a = mdf_arena_alloc(&l->arena, n, sizeof *out->a);
    out->b = mdf_arena_alloc(&l->arena, m, sizeof *out->b);
    for (size_t i = 0; out->a != NULL && i < n; i++) {
        out->a[i] = (float)a->data[i];
    }
    for (size_t i = 0; out->b != NULL && i < m; i++) {
        out->b[i] = (float)((double)w->adapter->scale * (double)b->data[i]);
    }
    return out->a != NULL && out->b != NULL;
}

mdf_status mdf_lora_of_params(mdf_lora *l, const mdf_params *p, mdf_error *err)
{
    const size_t count = count_adapters(p);
    *l = (mdf_lora){0};
    MDF_TRY(mdf_arena_init(&l->arena, 0, 0, err));
    l->pair = mdf_arena_zalloc(&l->arena, count + 1, sizeof *l->pair);
    bool ok = l->pair != NULL;
    for (size_t i = 0; ok && i < p->count; i++) {
        const mdf_tensor *w = &p->item[i]->tensor;
        ok = w->adapter == NULL || copy_pair(l, &l->pair[l->count++], w);
    }
    if (!ok) {
        mdf_lora_free(l);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the adapter");
    }
    qsort(l->pair, l->count, sizeof *l->pair, by_name);
    return MDF_OK;
}

/* The module as transformers calls it: names of a text model alone, of the newer tree, of the
 * older.
 */
static void module_name(char out[MDF_WEIGHT_NAME], const char *weight, const mdf_config *c)
{
    static const char text[] = "model.language_model.";
    const size_t text_len = sizeof text - 1;
    const char *beginning = "";
    size_t skip = 0;
    if (!mdf_config_has_vision(c) && strncmp(weight, text, text_len) == 0) {
        beginning = "model.";
        skip = text_len;
    } else if (c->train.lora.old_names && strncmp(weight, text, text_len) == 0) {
        beginning = "language_model.model.";
        skip = text_len;
    } else if (c->train.lora.old_names) {
        skip = strlen("model.");
    }
    (void)snprintf(out, MDF_WEIGHT_NAME, "%s%.*s", beginning,
                   (int)(strlen(weight) - skip - strlen(WEIGHT)), weight + skip);
}

static mdf_status write_tensors(const char *path, const mdf_params *p, const mdf_config *c,
                                mdf_error *err)
{
    const size_t count = count_adapters(p);
    const mdf_st_pair meta[] = {{"format", "pt"}};
    mdf_st_entry *item = mdf_alloc(2 * count, sizeof *item);
    char(*name)[2 * MDF_WEIGHT_NAME] = mdf_alloc(2 * count, sizeof *name);
    mdf_status status = item == NULL || name == NULL
                            ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of weights")
                            : MDF_OK;
    size_t n = 0;
    for (size_t i = 0; status == MDF_OK && i < p->count; i++) {
        const mdf_tensor *w = &p->item[i]->tensor;
        for (int k = 0; w->adapter != NULL && k < 2; k++) {
            char module[MDF_WEIGHT_NAME];
            const mdf_tensor *t = k == 0 ? w->adapter->a : w->adapter->b;
            module_name(module, w->name, c);
            (void)snprintf(name[n], sizeof name[n], PREFIX "%s.lora_%c.weight", module,
                           k == 0 ? 'A' : 'B');
            item[n] =
                (mdf_st_entry){.name = name[n], .dtype = MDF_DTYPE_F32, .rank = 2, .data = t->data};
            memcpy(item[n++].dim, t->dim, sizeof t->dim);
        }
    }
    if (status == MDF_OK) {
        status = mdf_safetensors_save(path, item, n, meta, 1, err);
    }
    mdf_free(item);
    mdf_free(name);
    return status;
}

static json_t *modules_of(const mdf_params *p, const mdf_config *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < p->count; i++) {
        char module[MDF_WEIGHT_NAME];
        if (p->item[i]->tensor.adapter != NULL) {
            module_name(module, p->item[i]->tensor.name, c);
            (void)json_array_append_new(list, json_string(module));
        }
    }
    return list;
}

/* What PEFT needs to make the same modules; its other keys have their defaults. */
static mdf_status write_config(const char *path, const mdf_params *p, const mdf_config *c,
                               const char *base, mdf_error *err)
{
    const mdf_lora_options *o = &c->train.lora;
    json_t *doc =
        json_pack("{s:s, s:o, s:s, s:b, s:b, s:b, s:f, s:f, s:i, s:o, s:n, s:b, s:b}", "peft_type",
                  "LORA", "base_model_name_or_path", base == NULL ? json_null() : json_string(base),
                  "bias", "none", "fan_in_fan_out", 0, "inference_mode", 1, "init_lora_weights", 1,
                  "lora_alpha", o->alpha, "lora_dropout", o->dropout, "r", o->r, "target_modules",
                  modules_of(p, c), "task_type", "use_dora", 0, "use_rslora", (int)o->rslora);
    char *text = doc == NULL
                     ? NULL
                     : json_dumps(doc, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(9));
    const mdf_status status = text == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path)
                                           : mdf_file_write(path, text, strlen(text), err);
    free(text); /* jansson's */
    json_decref(doc);
    return status;
}

mdf_status mdf_lora_write(const char *dir, const mdf_params *p, const mdf_config *c,
                          const char *base, mdf_error *err)
{
    char *settings = mdf_path_join(dir, "adapter_config.json");
    char *weights = mdf_path_join(dir, "adapter_model.safetensors");
    mdf_status status = settings == NULL || weights == NULL
                            ? mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir)
                            : mdf_make_dirs(dir, err);
    if (status == MDF_OK) {
        status = write_tensors(weights, p, c, err);
    }
    if (status == MDF_OK) {
        status = write_config(settings, p, c, base, err);
    }
    mdf_free(settings);
    mdf_free(weights);
    return status;
}
