/* A model of random weights, of any size, written to a folder. */
#include "engine/model_init.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "engine/model_folder.h"
#include "nn/mdf_mllm.h"

typedef struct maker {
    const mdf_params *params;
    uint64_t seed;
} maker;

static uint64_t hash_name(const char *name)
{
    uint64_t h = 1469598103934665603ULL; /* FNV-1a */
    for (; *name != '\0'; name++) {
        h = (h ^ (uint8_t)*name) * 1099511628211ULL;
    }
    return h;
}

/* Sum of the four 16-bit quarters of a hash of (key, index): mean 131070, variance 4 (2^32 - 1)
 * / 12.
 */
static void fill_normal(float *out, size_t n, uint64_t key, uint64_t at, double deviation)
{
    const float scale = (float)(deviation / sqrt(4 * (4294967296.0 - 1) / 12));
    for (size_t i = 0; i < n; i++) {
        const uint64_t h = mdf_rng_mix(key, at + i);
        const int32_t sum =
            (int32_t)((h & 0xffff) + (h >> 16 & 0xffff) + (h >> 32 & 0xffff) + (h >> 48));
        out[i] = scale * (float)(sum - 131070);
    }
}

static void fill(float *out, size_t n, float value)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = value;
    }
}

static bool numbers(void *user, size_t i, size_t at, size_t n, float *out)
{
    const maker *m = user;
    const mdf_param *p = m->params->item[i];
    const double fan_in = (double)mdf_tensor_count(&p->tensor) / (double)p->tensor.dim[0];
    const uint64_t key = mdf_rng_mix(m->seed, hash_name(p->tensor.name));
    switch (p->init) {
    case MDF_INIT_ZERO:
        fill(out, n, 0);
        break;
    case MDF_INIT_ONE:
        fill(out, n, 1);
        break;
    case MDF_INIT_CONST:
        fill(out, n, (float)p->init_arg);
        break;
    case MDF_INIT_NORMAL:
        fill_normal(out, n, key, at, p->init_arg);
        break;
    case MDF_INIT_HE:
        fill_normal(out, n, key, at, sqrt(2 / fan_in));
        break;
    }
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

static mdf_status write_model(const char *dir, const mdf_mllm *m, const mdf_precision *precision,
                              uint64_t seed, const mdf_stream_watch *watch, mdf_init_result *result,
                              mdf_error *err)
{
    const mdf_params *p = &m->params;
    maker random = {.params = p, .seed = seed};
    mdf_st_entry *entry = mdf_alloc(p->count, sizeof *entry);
    bool made = false;
    mdf_status status = MDF_OK;
    if (entry == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of weights");
    } else {
        plan_entries(entry, p, &m->config, precision, result);
        status = mdf_model_folder_make(dir, &made, err);
    }
    if (status == MDF_OK) {
        const mdf_st_pair meta[] = {{"format", "pt"}, {"producer", "mdf " MDF_VERSION}};
        status = mdf_stream_model(&(mdf_stream_plan){.dir = dir,
                                                     .entry = entry,
                                                     .entries = p->count,
                                                     .metadata = meta,
                                                     .pairs = 2,
                                                     .plain = true},
                                  &(mdf_stream_source){.user = &random, .numbers = numbers}, watch,
                                  NULL, err);
    }
    if (status == MDF_OK) {
        status = mdf_model_config_write(&m->config, dir, err);
    }
    if (status != MDF_OK) {
        mdf_model_folder_drop(dir, made);
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
