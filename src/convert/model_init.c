/* A model of random weights, of any size, written to a folder. */
#include "convert/model_init.h"

#include <string.h>

#include "base/alloc.h"
#include "convert/model_folder.h"
#include "convert/random_weights.h"
#include "nn/mdf_mllm.h"

typedef struct maker {
    const mdf_params *params;
    uint64_t seed;
} maker;

static bool numbers(void *user, size_t i, size_t at, size_t n, float *out)
{
    const maker *m = user;
    mdf_random_weights(m->params->item[i], m->seed, at, n, out);
    return true;
}

/* What each parameter is called, how large it is and in which format it goes. */
static void plan_entries(mdf_st_entry *entry, const mdf_params *p, const mdf_config *c,
                         const mdf_precision *precision, mdf_init_result *r)
{
    const mdf_cross_layers cross = mdf_cross_layers_of(c);
    for (size_t i = 0; i < p->count; i++) {
        const mdf_tensor *t = &p->item[i]->tensor;
        const mdf_dtype type = mdf_precision_of(precision, mdf_part_of(t->name, &cross), t->rank,
                                                t->dim, MDF_DTYPE_F32);
        const size_t n = (size_t)mdf_tensor_count(t);
        entry[i] = (mdf_st_entry){.name = t->name, .dtype = type, .rank = t->rank};
        memcpy(entry[i].dim, t->dim, sizeof entry[i].dim);
        r->numbers += (int64_t)n;
        r->bytes += n / mdf_dtype_block(type) * mdf_dtype_bytes(type);
    }
    r->tensors = p->count;
}

static mdf_status write_entries(const char *dir, const mdf_mllm *m, const mdf_st_entry *entry,
                                maker *random, const mdf_stream_watch *watch, mdf_error *err)
{
    const mdf_st_pair meta[] = {{"format", "pt"}, {"producer", "mdf " MDF_VERSION}};
    mdf_model_folder folder;
    MDF_TRY(mdf_model_folder_open(&folder, dir, err));
    mdf_status status = mdf_model_folder_config(&folder, &m->config, err);
    if (status == MDF_OK) {
        status = mdf_stream_model(&(mdf_stream_plan){.folder = &folder,
                                                     .entry = entry,
                                                     .entries = m->params.count,
                                                     .metadata = meta,
                                                     .pairs = 2,
                                                     .plain = true},
                                  &(mdf_stream_source){.user = random, .numbers = numbers}, watch,
                                  NULL, err);
    }
    mdf_model_folder_close(&folder, status == MDF_OK);
    return status;
}

static mdf_status write_model(const char *dir, const mdf_mllm *m, const mdf_precision *precision,
                              uint64_t seed, const mdf_stream_watch *watch, mdf_init_result *result,
                              mdf_error *err)
{
    const mdf_params *p = &m->params;
    maker random = {.params = p, .seed = seed};
    mdf_st_entry *entry = mdf_alloc(p->count, sizeof *entry);
    mdf_status status = MDF_OK;
    if (entry == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of weights");
    } else {
        plan_entries(entry, p, &m->config, precision, result);
        status = write_entries(dir, m, entry, &random, watch, err);
    }
    mdf_free(entry);
    return status;
}

mdf_status mdf_model_init(const char *dir, const mdf_config *c, const mdf_precision *precision,
                          uint64_t seed, const mdf_stream_watch *watch, mdf_init_result *result,
                          mdf_error *err)
{
    mdf_mllm *m = NULL;
    mdf_config *config = mdf_alloc(1, sizeof *config);
    *result = (mdf_init_result){0};
    if (config == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the model");
    }
    *config = *c;
    config->train.aux_weight = 0; /* for training only */
    mdf_status status = mdf_mllm_declare(&m, config, err);
    if (status == MDF_OK) {
        m->config.train.aux_weight = c->train.aux_weight;
        status = write_model(dir, m, precision, seed, watch, result, err);
    }
    mdf_mllm_free(m);
    mdf_free(config);
    return status;
}
