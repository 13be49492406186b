/* A pretrained language model as the text part of an MDF model: which weights are taken over under
 * which name, and which are new. */
#include "convert/graft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "convert/model_folder.h"
#include "convert/random_weights.h"
#include "nn/mdf_mllm.h"
#include "weights/weights.h"

#define LANGUAGE "model.language_model."
#define LAYERS   LANGUAGE "layers."
#define EMBED    LANGUAGE "embed_tokens.weight"

/* Weights of the U-Net and the fusion, which no source has. */
static bool is_detail(const char *name)
{
    return strncmp(name, "unet.", 5) == 0 || strncmp(name, "mdf.", 4) == 0;
}

typedef struct graft {
    const mdf_graft_options *opt;
    const mdf_params *params;        /* of the result */
    const mdf_model_weight **source; /* [params->count], NULL: new */
    mdf_st_entry *entry;             /* [params->count] */
} graft;

/* Layer of the source that becomes `layer` of the result; -1: that one is new. */
static int source_layer(const mdf_config *c, bool inserted, int layer)
{
    if (!inserted) {
        return layer;
    }
    int before = 0;
    for (int i = 0; i < c->text.cross_count; i++) {
        if (c->text.cross_attention_layers[i] == layer) {
            return -1;
        }
        before += c->text.cross_attention_layers[i] < layer;
    }
    return layer - before;
}

/* The source's tensor for a parameter of the result, or NULL; *expected: it must be there. */
static const mdf_model_weight *find_source(const mdf_weights *w, const mdf_config *c, bool inserted,
                                           const char *name, bool *expected)
{
    const size_t prefix = strlen(LAYERS);
    if (strncmp(name, LAYERS, prefix) != 0) {
        *expected = !inserted || strncmp(name, LANGUAGE, strlen(LANGUAGE)) == 0 ||
                    strcmp(name, "lm_head.weight") == 0;
        *expected = *expected && !is_detail(name);
        return mdf_weights_find(w, name);
    }
    char *end = NULL;
    const int layer = source_layer(c, inserted, (int)strtol(name + prefix, &end, 10));
    char other[MDF_WEIGHT_NAME];
    (void)snprintf(other, sizeof other, LAYERS "%d%s", layer, end);
    *expected = layer >= 0;
    return layer < 0 ? NULL : mdf_weights_find(w, other);
}

/* The table has eight rows more than a text model's. */
static bool may_have_fewer_rows(const mdf_tensor *t, const mdf_st_tensor *from)
{
    return strcmp(t->name, EMBED) == 0 && from->rank == 2 && from->dim[1] == t->dim[1] &&
           from->dim[0] < t->dim[0];
}

/* Plans parameter i. */
static mdf_status choose(graft *gr, size_t i, const mdf_model_weight *from, mdf_dtype type,
                         mdf_graft_result *r, mdf_error *err)
{
    const mdf_tensor *t = &gr->params->item[i]->tensor;
    const int64_t n = mdf_tensor_count(t);
    gr->source[i] = from;
    gr->entry[i] = (mdf_st_entry){.name = t->name, .dtype = type, .rank = t->rank};
    memcpy(gr->entry[i].dim, t->dim, sizeof gr->entry[i].dim);
    if (from == NULL) {
        r->added++;
        r->added_numbers += n;
        return MDF_OK;
    }
    if (!mdf_dtype_is_float(from->tensor->dtype) && !mdf_dtype_is_block(from->tensor->dtype)) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\" has type %s, which can't be taken over as it is; "
                        "import the model first",
                        from->file->path, from->tensor->name, mdf_dtype_name(from->tensor->dtype));
    }
    if (!may_have_fewer_rows(t, from->tensor)) {
        MDF_TRY(mdf_safetensors_check_shape(from->file, from->tensor, t->rank, t->dim, err));
    }
    gr->entry[i].dtype = from->tensor->dtype;
    r->kept++;
    r->kept_numbers += (int64_t)from->tensor->count;
    r->added_numbers += n - (int64_t)from->tensor->count;
    return MDF_OK;
}

/* Every text weight of the result has its source, and every weight of the source its place. */
static mdf_status choose_all(graft *gr, const mdf_weights *w, const mdf_config *c, bool inserted,
                             bool *used, mdf_graft_result *r, mdf_error *err)
{
    const mdf_model_weight *embed = mdf_weights_find(w, EMBED);
    const mdf_dtype type = embed == NULL || mdf_dtype_is_block(embed->tensor->dtype)
                               ? MDF_DTYPE_BF16
                               : embed->tensor->dtype;
    for (size_t i = 0; i < gr->params->count; i++) {
        const char *name = gr->params->item[i]->tensor.name;
        bool expected = false;
        const mdf_model_weight *from = find_source(w, c, inserted, name, &expected);
        if (from == NULL && expected) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: there is no tensor for %s", gr->opt->source,
                            name);
        }
        if (from != NULL) {
            used[from - w->item] = true;
        }
        MDF_TRY(choose(gr, i, from, type, r, err));
    }
    for (size_t i = 0; i < w->count; i++) {
        const mdf_model_weight *t = &w->item[i];
        if (!used[i] && !mdf_weights_may_be_extra(gr->params, t->name) &&
            !mdf_safetensors_is_scale(t->file, t->tensor)) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: tensor %s has no place in the result",
                            t->file->path, t->tensor->name);
        }
    }
    return MDF_OK;
}

/* All that the source has, which may be the first rows of a longer table. */
static const uint8_t *bytes(void *user, size_t i, size_t *count)
{
    const graft *gr = user;
    const mdf_model_weight *from = gr->source[i];
    *count = from == NULL ? 0 : from->tensor->count;
    return from == NULL ? NULL : from->tensor->data;
}

static bool numbers(void *user, size_t i, size_t at, size_t n, float *out)
{
    const graft *gr = user;
    mdf_random_weights(gr->params->item[i], gr->opt->seed, at, n, out);
    return true;
}

static void written(void *user, size_t i)
{
    const graft *gr = user;
    if (gr->source[i] != NULL) {
        mdf_safetensors_release(gr->source[i]->file, gr->source[i]->tensor);
    }
}

static mdf_status write(const char *dir, graft *gr, const mdf_config *c,
                        const mdf_stream_watch *watch, mdf_error *err)
{
    const mdf_st_pair meta[] = {{"format", "pt"}, {"producer", "mdf " MDF_VERSION}};
    mdf_model_folder folder;
    MDF_TRY(mdf_model_folder_open(&folder, dir, err));
    mdf_status status = mdf_model_folder_copy(&folder, gr->opt->source, err);
    if (status == MDF_OK) {
        status = mdf_model_folder_config(&folder, c, err);
    }
    if (status == MDF_OK) {
        status =
            mdf_stream_model(&(mdf_stream_plan){.folder = &folder,
                                                .entry = gr->entry,
                                                .entries = gr->params->count,
                                                .metadata = meta,
                                                .pairs = 2},
                             &(mdf_stream_source){gr, bytes, numbers, written}, watch, NULL, err);
    }
    mdf_model_folder_close(&folder, status == MDF_OK);
    return status;
}

static mdf_status graft_weights(const char *dir, const mdf_graft_options *opt, const mdf_config *c,
                                bool inserted, const mdf_stream_watch *watch, mdf_graft_result *r,
                                mdf_error *err)
{
    mdf_weights w;
    mdf_mllm *m = NULL;
    mdf_config *declared = mdf_alloc(1, sizeof *declared);
    if (declared == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the settings");
    }
    *declared = *c;
    declared->train.aux_weight = 0; /* for training only */
    mdf_status status = mdf_mllm_declare(&m, declared, err);
    mdf_free(declared);
    MDF_TRY(status);
    status = mdf_weights_open(&w, opt->source, err);
    if (status == MDF_OK) {
        graft gr = {.opt = opt, .params = &m->params};
        gr.source = mdf_alloc(m->params.count, sizeof *gr.source);
        gr.entry = mdf_alloc(m->params.count, sizeof *gr.entry);
        bool *used = mdf_alloc(w.count + 1, sizeof *used);
        status = gr.source == NULL || gr.entry == NULL || used == NULL
                     ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of weights")
                     : choose_all(&gr, &w, c, inserted, used, r, err);
        mdf_free(used);
        if (status == MDF_OK) {
            status = write(dir, &gr, c, watch, err);
        }
        mdf_free((void *)gr.source);
        mdf_free(gr.entry);
        mdf_weights_close(&w);
    }
    mdf_mllm_free(m);
    return status;
}

mdf_status mdf_graft(const char *dir, const mdf_graft_options *opt, const mdf_stream_watch *watch,
                     mdf_graft_result *result, mdf_error *err)
{
    *result = (mdf_graft_result){0};
    mdf_config *config = mdf_alloc(2, sizeof *config); /* of the source, of the result */
    if (config == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the settings");
    }
    mdf_status status = mdf_model_config_read(&config[0], opt->source, err);
    if (status == MDF_OK) {
        status = mdf_graft_config(&config[1], &config[0], opt, err);
    }
    if (status == MDF_OK) {
        const bool inserted = !mdf_config_has_vision(&config[0]);
        status = graft_weights(dir, opt, &config[1], inserted, watch, result, err);
    }
    mdf_free(config);
    return status;
}
