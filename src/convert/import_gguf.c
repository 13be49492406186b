/* GGUF files -> model folder: every weight in its place, then settings and tokenizer. */
#include "convert/import_gguf.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "convert/import_gguf_files.h"
#include "convert/model_folder.h"
#include "nn/mdf_mllm.h"
#include "weights/gguf_model.h"

typedef struct importer {
    const mdf_gguf_import *how;
    mdf_gguf_files files;
    mdf_gguf_model from;
    mdf_mllm *model;                /* declared */
    const mdf_gguf_weight **weight; /* [count] of parameter i */
    mdf_st_entry *entry;            /* [count] */
    double *error;                  /* [count] */
    size_t count;
    uint8_t *rows; /* a matrix whose rows are put back, as large as the largest */
    mdf_rewrite_result *result;
} importer;

static bool is_copied(const importer *im, size_t i)
{
    return im->entry[i].dtype == im->weight[i]->tensor.dtype;
}

static const uint8_t *bytes_of(void *user, size_t i, size_t *count)
{
    (void)count; /* all or nothing */
    const importer *im = user;
    const mdf_gguf_weight *w = im->weight[i];
    if (!is_copied(im, i)) {
        return NULL;
    }
    if (w->heads == 0) {
        return w->tensor.data;
    }
    mdf_gguf_weight_copy(w, 0, w->tensor.dim[0], im->rows);
    return im->rows;
}

/* Row by row: a slice begins and ends at whole blocks, and so does every row. */
static bool numbers_of(void *user, size_t i, size_t at, size_t n, float *out)
{
    const importer *im = user;
    const mdf_gguf_tensor *t = &im->weight[i]->tensor;
    const size_t width = t->count / (size_t)(t->rank == 0 ? 1 : t->dim[0]);
    const size_t block = mdf_dtype_block(t->dtype);
    bool ok = true;
    for (size_t done = 0; ok && done < n;) {
        const size_t skip = (at + done) % width;
        const size_t left = width - skip < n - done ? width - skip : n - done;
        const uint8_t *row = mdf_gguf_weight_row(im->weight[i], (int64_t)((at + done) / width));
        ok = skip % block == 0 &&
             mdf_dtype_to_floats(t->dtype, row + skip / block * mdf_dtype_bytes(t->dtype), left,
                                 out + done);
        done += left;
    }
    return ok;
}

static void written(void *user, size_t i)
{
    const importer *im = user;
    const mdf_gguf_tensor *t = &im->weight[i]->tensor;
    mdf_map_release(t->data, t->bytes);
}

/* The file that has the weight. */
static const char *path_of(const importer *im, const mdf_gguf_weight *w)
{
    const mdf_gguf *file = &im->files.file[0];
    (void)mdf_gguf_files_tensor(&im->files, w->source, &file);
    return file->path;
}

static const char *shape_text(char out[96], int rank, const int64_t *dim)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < rank && used < 96; i++) {
        const int n =
            snprintf(out + used, 96 - used, "%s%lld", i > 0 ? "," : "", (long long)dim[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    return out;
}

/* Converters drop and add dimensions of 1: the others must agree, and so the order of the numbers.
 */
static bool same_shape(const mdf_gguf_tensor *g, const mdf_tensor *t)
{
    int k = 0;
    for (int i = 0; i < g->rank; i++) {
        if (g->dim[i] == 1) {
            continue;
        }
        while (k < t->rank && t->dim[k] == 1) {
            k++;
        }
        if (k == t->rank || t->dim[k++] != g->dim[i]) {
            return false;
        }
    }
    while (k < t->rank && t->dim[k] == 1) {
        k++;
    }
    return k == t->rank;
}

static mdf_status check_weight(const importer *im, const mdf_gguf_weight *w, const mdf_tensor *t,
                               mdf_error *err)
{
    const mdf_gguf_tensor *g = &w->tensor;
    const char *path = path_of(im, w);
    if (!same_shape(g, t)) {
        char has[96];
        char want[96];
        return mdf_fail(
            err, MDF_ERR_SHAPE, "%s: tensor \"%.120s\" has shape [%s], but the model needs [%s]",
            path, w->source, shape_text(has, g->rank, g->dim), shape_text(want, t->rank, t->dim));
    }
    const bool rows_of_blocks =
        mdf_dtype_is_block(g->dtype) && g->rank == 2 && t->rank == 2 && g->dim[1] == t->dim[1];
    if (!mdf_dtype_is_float(g->dtype) && !rows_of_blocks) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\" has type %s, but floating-point numbers are needed",
                        path, w->source, mdf_dtype_name(g->dtype));
    }
    return MDF_OK;
}

static mdf_status plan_weight(importer *im, const mdf_tensor *t, const mdf_cross_layers *cross,
                              mdf_error *err)
{
    const size_t i = im->count;
    const mdf_gguf_weight *w = mdf_gguf_model_find(&im->from, t->name);
    if (w == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: there is no tensor for \"%.120s\"",
                        im->files.file[0].path, t->name);
    }
    MDF_TRY(check_weight(im, w, t, err));
    const mdf_part part = mdf_part_of(t->name, cross);
    const mdf_dtype to =
        mdf_precision_of(&im->how->precision, part, t->rank, t->dim, w->tensor.dtype);
    im->weight[i] = w;
    im->entry[i] = (mdf_st_entry){.name = t->name, .dtype = to, .rank = t->rank};
    memcpy(im->entry[i].dim, t->dim, sizeof im->entry[i].dim);
    mdf_rewritten *done = &im->result->tensor[i];
    (void)snprintf(done->name, sizeof done->name, "%s", t->name);
    done->part = part;
    done->from = w->tensor.dtype;
    done->to = to;
    im->result->bytes_before += w->tensor.bytes;
    im->result->bytes += w->tensor.count / mdf_dtype_block(to) * mdf_dtype_bytes(to);
    im->count++;
    return MDF_OK;
}

/* Nothing of the files is left over. */
static mdf_status check_extra(const importer *im, mdf_error *err)
{
    for (size_t i = 0; i < im->from.count; i++) {
        const mdf_gguf_weight *w = &im->from.weight[i];
        if (mdf_params_find(&im->model->params, w->tensor.name) == NULL) {
            return mdf_fail(err, MDF_ERR_FORMAT,
                            "%s: tensor \"%.120s\" does not belong to a model of these settings",
                            path_of(im, w), w->source);
        }
    }
    return MDF_OK;
}

static mdf_status plan(importer *im, mdf_error *err)
{
    const mdf_params *p = &im->model->params;
    const mdf_cross_layers cross = mdf_cross_layers_of(&im->model->config);
    size_t most = 0;
    im->weight = mdf_alloc(p->count, sizeof *im->weight);
    im->entry = mdf_alloc(p->count, sizeof *im->entry);
    im->error = mdf_alloc(p->count, sizeof *im->error);
    im->result->tensor = mdf_alloc(p->count, sizeof *im->result->tensor);
    if (im->weight == NULL || im->entry == NULL || im->error == NULL ||
        im->result->tensor == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of weights");
    }
    for (size_t i = 0; i < p->count; i++) {
        MDF_TRY(plan_weight(im, &p->item[i]->tensor, &cross, err));
        const mdf_gguf_weight *w = im->weight[i];
        most = w->heads > 0 && w->tensor.bytes > most ? w->tensor.bytes : most;
    }
    MDF_TRY(check_extra(im, err));
    im->rows = mdf_alloc_raw(most + 1);
    return im->rows != NULL
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a matrix of %zu bytes", most);
}

/* The settings of the files among the defaults of everything that they have not, every value in its
 * range. */
static mdf_status make_config(mdf_config *c, const mdf_gguf_model *m, const char *path,
                              mdf_error *err)
{
    mdf_config_released(c);
    const mdf_text_config text = c->text;
    c->text = m->text;
    c->text.gate_init = text.gate_init;
    c->text.leak_rows = text.leak_rows;
    c->image_token_index = m->text.vocab_size;
    if (m->vision.hidden_size > 0) {
        c->vision = m->vision;
        c->vision.deduplicate = true;
    }
    mdf_strbuf form = mdf_strbuf_new(MDF_MAX_CONFIG_BYTES); /* what will be read later */
    mdf_status status = mdf_config_write(c, &form, err);
    if (status == MDF_OK) {
        status = mdf_config_parse(c, form.data, form.len, path, err);
    }
    mdf_strbuf_free(&form);
    return status;
}

static mdf_status open_source(importer *im, mdf_error *err)
{
    MDF_TRY(mdf_gguf_files_open(&im->files, im->how->path, im->how->paths, err));
    MDF_TRY(mdf_gguf_model_read(&im->from, &im->files, err));
    mdf_config *config = mdf_alloc(1, sizeof *config);
    if (config == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the settings");
    }
    mdf_status status = make_config(config, &im->from, im->files.file[0].path, err);
    if (status == MDF_OK) {
        status = mdf_mllm_declare(&im->model, config, err);
    }
    mdf_free(config);
    return status;
}

static mdf_status write_target(importer *im, const mdf_import_files *small, const char *dir,
                               const mdf_stream_watch *watch, mdf_error *err)
{
    const mdf_st_pair meta[] = {{"format", "pt"}, {"producer", "mdf " MDF_VERSION}};
    mdf_model_folder folder;
    MDF_TRY(mdf_model_folder_open(&folder, dir, err));
    mdf_status status = mdf_import_files_put(small, &folder, err);
    if (status == MDF_OK) {
        status = mdf_stream_model(&(mdf_stream_plan){.folder = &folder,
                                                     .entry = im->entry,
                                                     .entries = im->count,
                                                     .metadata = meta,
                                                     .pairs = 2},
                                  &(mdf_stream_source){im, bytes_of, numbers_of, written}, watch,
                                  im->error, err);
    }
    mdf_model_folder_close(&folder, status == MDF_OK);
    return status;
}

static mdf_status run(importer *im, const char *dir, const mdf_stream_watch *watch,
                      mdf_error *remark, mdf_error *err)
{
    mdf_import_files small;
    MDF_TRY(open_source(im, err));
    MDF_TRY(plan(im, err));
    mdf_status status = mdf_import_files_make(&small, &im->files, &im->model->config, remark, err);
    if (status == MDF_OK) {
        status = write_target(im, &small, dir, watch, err);
    }
    mdf_import_files_free(&small);
    MDF_TRY(status);
    for (size_t i = 0; i < im->count; i++) {
        im->result->tensor[i].error = im->error[i];
    }
    im->result->tensors = im->count;
    return MDF_OK;
}

mdf_status mdf_import_gguf(const char *dir, const mdf_gguf_import *how,
                           const mdf_stream_watch *watch, mdf_rewrite_result *result,
                           mdf_error *remark, mdf_error *err)
{
    importer im = {.how = how, .result = result};
    *result = (mdf_rewrite_result){0};
    *remark = (mdf_error){0};
    const mdf_status status = run(&im, dir, watch, remark, err);
    mdf_free((void *)im.weight);
    mdf_free(im.entry);
    mdf_free(im.error);
    mdf_free(im.rows);
    mdf_mllm_free(im.model);
    mdf_gguf_model_free(&im.from);
    mdf_gguf_files_close(&im.files);
    if (status != MDF_OK) {
        mdf_rewrite_result_free(result);
    }
    return status;
}
