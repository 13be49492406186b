/* A model folder rewritten: other number formats, this project's or Hugging Face's names. */
#include "convert/model_rewrite.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "convert/hf_config.h"
#include "convert/model_folder.h"
#include "io/torch_file.h"
#include "nn/mdf_mllm.h"
#include "weights/lora.h"

/* One tensor on its way. */
typedef struct item {
    const mdf_model_weight *from;
    const mdf_lora_pair *lora;
    const mdf_tensor *fixed; /* whose numbers are written; NULL: those of `from` */
    bool copied;             /* bytes as they are */
    char name[MDF_WEIGHT_NAME];
} item;

typedef struct rewriter {
    const mdf_rewrite *how;
    mdf_weights weights;
    mdf_mllm *model; /* declared: what belongs to the configuration */
    item *item;
    mdf_st_entry *entry;
    size_t count;
    double *error;
    mdf_rewrite_result *result;
} rewriter;

static const uint8_t *bytes_of(void *user, size_t i, size_t *count)
{
    (void)count; /* all or nothing */
    const rewriter *r = user;
    return r->item[i].copied ? r->item[i].from->tensor->data : NULL;
}

/* 8-bit rows with scales need their companion; every other type is bytes in order. */
static bool numbers_of(void *user, size_t i, size_t at, size_t n, float *out)
{
    const rewriter *r = user;
    const mdf_model_weight *from = r->item[i].from;
    const mdf_tensor *fixed = r->item[i].fixed;
    const mdf_st_tensor *t = from->tensor;
    bool ok = false;
    for (size_t j = 0; fixed != NULL && j < n; j++) {
        out[j] = (float)fixed->data[at + j];
    }
    if (fixed != NULL) {
        return true;
    }
    if (t->dtype == MDF_DTYPE_I8) {
        ok = mdf_safetensors_floats_at(from->file, t, at, n, out);
    } else {
        const size_t block = mdf_dtype_block(t->dtype);
        const size_t skip = at % block; /* pieces begin at multiples of 16384 */
        ok = skip == 0 && mdf_dtype_to_floats(
                              t->dtype, t->data + at / block * mdf_dtype_bytes(t->dtype), n, out);
    }
    if (ok && r->item[i].lora != NULL) {
        ok = mdf_lora_add(r->item[i].lora, at, n, out);
    }
    return ok;
}

static void written(void *user, size_t i)
{
    const rewriter *r = user;
    mdf_safetensors_release(r->item[i].from->file, r->item[i].from->tensor);
}

/* The name that the tensor gets; false: the target has no place for it. */
static bool target_name(const rewriter *r, const char *name, char out[MDF_WEIGHT_NAME])
{
    (void)snprintf(out, MDF_WEIGHT_NAME, "%s", name);
    return !r->how->hugging_face || mdf_hf_name(&r->model->config, name, out);
}

static mdf_status refuse_quantised(const rewriter *r, const mdf_model_weight *w, mdf_error *err)
{
    const mdf_st_tensor *t = w->tensor;
    if (r->how->refuse_quantised && (mdf_dtype_is_block(t->dtype) || t->dtype == MDF_DTYPE_I8)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: tensor \"%.120s\" is quantised already (%s); start from the original",
                        w->file->path, t->name, mdf_dtype_name(t->dtype));
    }
    if (!mdf_dtype_is_float(t->dtype) && !mdf_dtype_is_block(t->dtype) &&
        t->dtype != MDF_DTYPE_I8) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\" has type %s, but floating-point numbers are needed",
                        w->file->path, t->name, mdf_dtype_name(t->dtype));
    }
    return MDF_OK;
}

/* The statistics that take the place of the tensor; NULL: none. */
static const mdf_tensor *fixed_of(const rewriter *r, const char *name)
{
    const mdf_param *p = r->how->fixed == NULL ? NULL : mdf_params_find(r->how->fixed, name);
    return p != NULL && p->group == MDF_GROUP_FIXED ? &p->tensor : NULL;
}

/* w as tensor `name` of the target, in t's shape: all of it, or its first rows. */
static void plan_item(rewriter *r, const mdf_model_weight *w, const char *name, mdf_part part,
                      const mdf_tensor *t)
{
    item *it = &r->item[r->count];
    mdf_dtype to = mdf_precision_of(&r->how->precision, part, t->rank, t->dim, w->tensor->dtype);
    if (to == MDF_DTYPE_I8) {
        to = MDF_DTYPE_F32; /* rows with scales are read, not written */
    }
    (void)snprintf(it->name, sizeof it->name, "%s", name);
    it->from = w;
    it->lora = r->how->lora == NULL ? NULL : mdf_lora_find(r->how->lora, w->name);
    it->fixed = fixed_of(r, w->name);
    to = it->fixed == NULL ? to : MDF_DTYPE_F32;
    it->copied = to == w->tensor->dtype && it->lora == NULL && it->fixed == NULL;
    mdf_st_entry *e = &r->entry[r->count];
    *e = (mdf_st_entry){.name = it->name, .dtype = to, .rank = t->rank};
    memcpy(e->dim, t->dim, sizeof e->dim);
    mdf_rewritten *done = &r->result->tensor[r->count];
    (void)snprintf(done->name, sizeof done->name, "%s", it->name);
    done->part = part;
    done->from = w->tensor->dtype;
    done->to = to;
    r->result->bytes += (size_t)mdf_tensor_count(t) / mdf_dtype_block(to) * mdf_dtype_bytes(to);
    r->count++;
}

static mdf_status plan_tensor(rewriter *r, const mdf_tensor *t, const mdf_cross_layers *cross,
                              mdf_error *err)
{
    char name[MDF_WEIGHT_NAME];
    const mdf_model_weight *w = mdf_weights_find(&r->weights, t->name);
    if (w == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: tensor \"%.120s\" is missing",
                        r->weights.shards.path, t->name);
    }
    MDF_TRY(mdf_safetensors_check_shape(w->file, w->tensor, t->rank, t->dim, err));
    MDF_TRY(refuse_quantised(r, w, err));
    if (!target_name(r, t->name, name)) {
        r->result->left_out++;
        return MDF_OK;
    }
    r->result->bytes_before += w->tensor->bytes;
    plan_item(r, w, name, mdf_part_of(t->name, cross), t);
    return MDF_OK;
}

/* transformers' Mllama classes have no tied head of the right size: some versions give it the eight
 * rows behind the vocabulary, too, others leave it random. It is written out, then. */
static void plan_tied_head(rewriter *r, const mdf_cross_layers *cross)
{
    static const char head[] = "lm_head.weight";
    const mdf_config *c = &r->model->config;
    const mdf_model_weight *w =
        mdf_weights_find(&r->weights, "model.language_model.embed_tokens.weight");
    char name[MDF_WEIGHT_NAME];
    if (w != NULL && r->how->hugging_face && mdf_config_has_vision(c) &&
        c->text.tie_word_embeddings && mdf_hf_name(c, head, name)) {
        const mdf_tensor t = {.rank = 2, .dim = {c->text.vocab_size, c->text.hidden_size}};
        plan_item(r, w, name, mdf_part_of(head, cross), &t);
    }
}

static mdf_status plan(rewriter *r, mdf_error *err)
{
    const mdf_params *p = &r->model->params;
    const mdf_cross_layers cross = mdf_cross_layers_of(&r->model->config);
    const size_t most = p->count + 1; /* a tied head */
    r->item = mdf_alloc(most, sizeof *r->item);
    r->entry = mdf_alloc(most, sizeof *r->entry);
    r->error = mdf_alloc(most, sizeof *r->error);
    r->result->tensor = mdf_alloc(most, sizeof *r->result->tensor);
    if (r->item == NULL || r->entry == NULL || r->error == NULL || r->result->tensor == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of weights");
    }
    for (size_t i = 0; i < p->count; i++) {
        MDF_TRY(plan_tensor(r, &p->item[i]->tensor, &cross, err));
    }
    plan_tied_head(r, &cross);
    MDF_TRY(mdf_weights_check_extra(p, &r->weights, err));
    return r->how->lora == NULL ? MDF_OK : mdf_lora_check(r->how->lora, &r->weights, err);
}

/* A torch file may hold other things than tensors. */
static void remark_left_out(rewriter *r)
{
    const mdf_st_shards *s = &r->weights.shards;
    for (size_t i = 0; i < s->files && r->result->remark.text[0] == '\0'; i++) {
        const char *names = mdf_safetensors_metadata(&s->file[i], MDF_TORCH_LEFT_OUT);
        if (names != NULL) {
            (void)mdf_fail(&r->result->remark, MDF_OK, "%s: left out, being no tensors: %s",
                           s->file[i].path, names);
        }
    }
}

static mdf_status open_source(rewriter *r, const char *from, mdf_error *err)
{
    const char *weights = r->how->weights == NULL ? from : r->how->weights;
    mdf_config *config = mdf_alloc(1, sizeof *config);
    if (config == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the configuration");
    }
    mdf_status status = mdf_model_config_read(config, from, err);
    const double aux = config->train.aux_weight;
    config->train.aux_weight = 0; /* the classifier of the training stays behind */
    if (status == MDF_OK) {
        status = mdf_mllm_declare(&r->model, config, err);
    }
    if (status == MDF_OK) {
        r->model->config.train.aux_weight = aux;
        status = mdf_weights_open(&r->weights, weights, err);
    }
    mdf_free(config);
    return status;
}

static mdf_status write_target(rewriter *r, const char *from, mdf_model_folder *f,
                               const mdf_stream_watch *watch, mdf_error *err)
{
    const mdf_st_pair meta[] = {{"format", "pt"}, {"producer", "mdf " MDF_VERSION}};
    const mdf_config *c = r->how->config == NULL ? &r->model->config : r->how->config;
    MDF_TRY(mdf_model_folder_copy(f, from, err));
    MDF_TRY(r->how->hugging_face ? mdf_hf_config_put(c, f, err)
                                 : mdf_model_folder_config(f, c, err));
    MDF_TRY(mdf_stream_model(&(mdf_stream_plan){.folder = f,
                                                .entry = r->entry,
                                                .entries = r->count,
                                                .metadata = meta,
                                                .pairs = r->how->hugging_face ? 1 : 2},
                             &(mdf_stream_source){r, bytes_of, numbers_of, written}, watch,
                             r->error, err));
    for (size_t i = 0; i < r->count; i++) {
        r->result->tensor[i].error = r->error[i];
    }
    r->result->tensors = r->count;
    return MDF_OK;
}

mdf_status mdf_model_rewrite(const char *from, const char *to, const mdf_rewrite *how,
                             const mdf_stream_watch *watch, mdf_rewrite_result *result,
                             mdf_error *err)
{
    rewriter r = {.how = how, .result = result};
    mdf_model_folder folder;
    *result = (mdf_rewrite_result){0};
    mdf_status status = open_source(&r, from, err);
    if (status == MDF_OK) {
        remark_left_out(&r);
        status = plan(&r, err);
    }
    if (status == MDF_OK) {
        status = mdf_model_folder_open(&folder, to, err);
    }
    if (status == MDF_OK) {
        status = write_target(&r, from, &folder, watch, err);
        mdf_model_folder_close(&folder, status == MDF_OK);
    }
    mdf_free(r.item);
    mdf_free(r.entry);
    mdf_free(r.error);
    mdf_mllm_free(r.model);
    mdf_weights_close(&r.weights);
    if (status != MDF_OK) {
        mdf_rewrite_result_free(result);
    }
    return status;
}

void mdf_rewrite_result_free(mdf_rewrite_result *r)
{
    mdf_free(r->tensor);
    *r = (mdf_rewrite_result){0};
}
