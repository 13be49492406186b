/* A GGUF file becomes a model folder. */
#include "engine/model_gguf.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/model_folder.h"
#include "nn/gguf_model.h"
#include "nn/mdf_mllm.h"

typedef struct importer {
    const char *path;
    mdf_gguf_files files;
    mdf_gguf_model gguf;
    mdf_mllm *model;
    const mdf_gguf_weight **weight; /* [tensors] of the model, in its order */
    mdf_st_entry *entry;
    uint8_t *ordered; /* the tensor at hand, when its rows had to be put back */
    mdf_rewrite_result *result;
} importer;

/* Tensors whose rows stand in another order are copied, one at a time. */
static const uint8_t *bytes_of(void *user, size_t i)
{
    importer *m = user;
    const mdf_gguf_weight *w = m->weight[i];
    if (w->heads == 0) {
        return w->tensor.data;
    }
    mdf_free(m->ordered);
    m->ordered = mdf_alloc_raw(w->tensor.bytes);
    if (m->ordered != NULL) {
        mdf_gguf_weight_copy(w, 0, w->tensor.dim[0], m->ordered);
    }
    return m->ordered;
}

/* Only asked when there was no memory for the copy. */
static bool numbers_of(void *user, size_t i, size_t at, size_t n, float *out)
{
    (void)user;
    (void)i;
    (void)at;
    (void)n;
    (void)out;
    return false;
}

static mdf_status open_source(importer *m, const char *projector, mdf_error *err)
{
    const char *const path[] = {m->path, projector};
    mdf_config *c = mdf_alloc(1, sizeof *c);
    mdf_status status = c == NULL
                            ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the settings")
                            : mdf_gguf_files_open(&m->files, path, projector == NULL ? 1 : 2, err);
    if (status == MDF_OK) {
        status = mdf_gguf_model_read(&m->gguf, &m->files, err);
    }
    if (status == MDF_OK) {
        mdf_config_released(c);
        c->text = m->gguf.text;
        c->image_token_index = c->text.vocab_size;
        if (m->gguf.vision.hidden_size > 0) {
            c->vision = m->gguf.vision;
        }
        status = mdf_mllm_declare(&m->model, c, err);
        status = status == MDF_OK ? status : mdf_fail_prefix(err, status, m->path);
    }
    mdf_free(c);
    return status;
}

static mdf_status plan_tensor(importer *m, size_t i, const mdf_cross_layers *cross, mdf_error *err)
{
    const mdf_tensor *t = &m->model->params.item[i]->tensor;
    const mdf_gguf_weight *w = mdf_gguf_model_find(&m->gguf, t->name);
    if (w == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: tensor \"%.120s\" is missing", m->path, t->name);
    }
    /* the same number of numbers in the same order is the same tensor: converters drop and add
     * dimensions of 1 */
    if (w->tensor.count != (size_t)mdf_tensor_count(t) ||
        (w->tensor.rank > 0 && t->rank > 0 &&
         w->tensor.dim[w->tensor.rank - 1] != t->dim[t->rank - 1])) {
        return mdf_fail(err, MDF_ERR_SHAPE,
                        "%s: tensor \"%.120s\" has %zu numbers, but the model needs %lld", m->path,
                        w->source, w->tensor.count, (long long)mdf_tensor_count(t));
    }
    m->weight[i] = w;
    m->entry[i] = (mdf_st_entry){.name = t->name, .dtype = w->tensor.dtype, .rank = t->rank};
    memcpy(m->entry[i].dim, t->dim, sizeof m->entry[i].dim);
    mdf_rewritten *r = &m->result->tensor[i];
    (void)snprintf(r->name, sizeof r->name, "%s", t->name);
    r->part = mdf_part_of(t->name, cross);
    r->from = r->to = w->tensor.dtype;
    m->result->bytes += w->tensor.bytes;
    return MDF_OK;
}

static mdf_status plan(importer *m, mdf_error *err)
{
    const size_t n = m->model->params.count;
    const mdf_cross_layers cross = mdf_cross_layers_of(&m->model->config);
    m->weight = mdf_alloc(n, sizeof *m->weight);
    m->entry = mdf_alloc(n, sizeof *m->entry);
    m->result->tensor = mdf_alloc(n, sizeof *m->result->tensor);
    if (m->weight == NULL || m->entry == NULL || m->result->tensor == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of weights");
    }
    for (size_t i = 0; i < n; i++) {
        MDF_TRY(plan_tensor(m, i, &cross, err));
    }
    m->result->tensors = n;
    m->result->bytes_before = m->result->bytes;
    return MDF_OK;
}

static mdf_status write_target(importer *m, const char *to, const mdf_stream_watch *watch,
                               mdf_error *err)
{
    const mdf_st_pair meta[] = {{"format", "pt"}, {"producer", "mdf " MDF_VERSION}};
    MDF_TRY(mdf_stream_model(&(mdf_stream_plan){.dir = to,
                                                .entry = m->entry,
                                                .entries = m->result->tensors,
                                                .metadata = meta,
                                                .pairs = 2},
                             &(mdf_stream_source){m, bytes_of, numbers_of}, watch, NULL, err));
    return mdf_model_config_write(&m->model->config, to, err);
}

mdf_status mdf_model_import_gguf(const char *path, const char *projector, const char *to,
                                 const mdf_stream_watch *watch, mdf_rewrite_result *result,
                                 mdf_error *err)
{
    importer m = {.path = path, .result = result};
    bool made = false;
    *result = (mdf_rewrite_result){0};
    mdf_status status = open_source(&m, projector, err);
    if (status == MDF_OK) {
        status = plan(&m, err);
    }
    if (status == MDF_OK) {
        status = mdf_model_folder_make(to, &made, err);
    }
    if (status == MDF_OK) {
        status = write_target(&m, to, watch, err);
        if (status != MDF_OK) {
            mdf_model_folder_drop(to, made);
        }
    }
    mdf_free(m.ordered);
    mdf_free((void *)m.weight);
    mdf_free(m.entry);
    mdf_mllm_free(m.model);
    mdf_gguf_model_free(&m.gguf);
    mdf_gguf_files_close(&m.files);
    if (status != MDF_OK) {
        mdf_rewrite_result_free(result);
    }
    return status;
}
