/* What a run folder keeps: config.json, model.safetensors, checkpoint.safetensors, and with LoRA
 * adapter/. */
#include "train/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "io/safetensors.h"
#include "weights/lora_write.h"
#include "weights/weights.h"

/* Paths inside the run folder; NULL = out of memory. */
static char *path_of(const char *dir, const char *name)
{
    return mdf_path_join(dir, name);
}

bool mdf_checkpoint_exists(const char *dir)
{
    char *path = path_of(dir, "checkpoint.safetensors");
    const bool found = path != NULL && mdf_path_exists(path);
    mdf_free(path);
    return found;
}

static mdf_status write_items(const char *dir, const char *name, const mdf_st_entry *item, size_t n,
                              const mdf_st_pair *meta, size_t metas, mdf_error *err)
{
    char *path = path_of(dir, name);
    if (path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory");
    }
    const mdf_status status = mdf_safetensors_save(path, item, n, meta, metas, err);
    mdf_free(path);
    return status;
}

static void weight_items(mdf_st_entry *item, const mdf_params *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const mdf_tensor *t = &p->item[i]->tensor;
        item[i] = (mdf_st_entry){
            .name = t->name, .dtype = MDF_DTYPE_F32, .rank = t->rank, .data = t->data};
        memcpy(item[i].dim, t->dim, sizeof item[i].dim);
    }
}

/* The numbers of a matrix with its adapter's change. NULL: out of memory, or one is not finite. */
static float *merge(const mdf_tensor *w, const mdf_lora *l)
{
    const size_t n = (size_t)mdf_tensor_count(w);
    float *sum = mdf_alloc(n, sizeof *sum);
    for (size_t i = 0; sum != NULL && i < n; i++) {
        sum[i] = (float)w->data[i];
    }
    if (sum != NULL && !mdf_lora_add(mdf_lora_find(l, w->name), 0, n, sum)) {
        mdf_free(sum);
        return NULL;
    }
    return sum;
}

/* item [p->count], merged [p->count] what to free: all parameters but the adapters, which are in
 * the numbers of their matrices. */
static mdf_status merged_items(mdf_st_entry *item, size_t *n, float **merged, const mdf_params *p,
                               const mdf_lora *l, mdf_error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        const mdf_tensor *t = &p->item[i]->tensor;
        if (p->item[i]->group == MDF_GROUP_ADAPTER) {
            continue;
        }
        item[*n] = (mdf_st_entry){
            .name = t->name, .dtype = MDF_DTYPE_F32, .rank = t->rank, .data = t->data};
        memcpy(item[*n].dim, t->dim, sizeof t->dim);
        if (t->adapter != NULL) {
            merged[*n] = merge(t, l);
            item[*n].data = merged[*n];
            if (merged[*n] == NULL) {
                return mdf_fail(err, MDF_ERR_NUMERIC,
                                "%s: no memory for its adapter, or a number that is not finite",
                                t->name);
            }
        }
        ++*n;
    }
    return MDF_OK;
}

static mdf_status save_weights(const char *dir, const mdf_params *p, mdf_error *err)
{
    const mdf_st_pair meta[] = {{"format", "pt"}, {"producer", "mdf " MDF_VERSION}};
    size_t n = 0;
    mdf_lora lora;
    MDF_TRY(mdf_lora_of_params(&lora, p, err));
    mdf_st_entry *item = mdf_alloc(p->count, sizeof *item);
    float **merged = mdf_alloc(p->count, sizeof *merged);
    mdf_status status = item == NULL || merged == NULL
                            ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of weights")
                            : merged_items(item, &n, merged, p, &lora, err);
    if (status == MDF_OK) {
        status = write_items(dir, "model.safetensors", item, n, meta, 2, err);
    }
    for (size_t i = 0; merged != NULL && i < p->count; i++) {
        mdf_free(merged[i]);
    }
    mdf_free((void *)merged);
    mdf_free(item);
    mdf_lora_free(&lora);
    return status;
}

static mdf_status save_adapter(const char *dir, const mdf_config *c, const mdf_params *p,
                               const char *base, mdf_error *err)
{
    char *path = c->train.lora.r == 0 ? NULL : path_of(dir, "adapter");
    if (c->train.lora.r == 0) {
        return MDF_OK;
    }
    const mdf_status status = path == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory")
                                           : mdf_lora_write(path, p, c, base, err);
    mdf_free(path);
    return status;
}

mdf_status mdf_run_save(const char *dir, const mdf_config *c, const mdf_params *p, const char *base,
                        mdf_error *err)
{
    mdf_file_writer settings = {0};
    mdf_strbuf text = mdf_strbuf_new(MDF_MAX_CONFIG_BYTES);
    char *path = path_of(dir, "config.json");
    mdf_status status = path == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory")
                                     : mdf_config_write(c, &text, err);
    if (status == MDF_OK) {
        status = mdf_file_writer_open(&settings, path, err);
    }
    if (status == MDF_OK) {
        status = mdf_file_writer_write(&settings, text.data, text.len, err);
    }
    if (status == MDF_OK) {
        status = mdf_file_writer_sync(&settings, err);
    }
    if (status == MDF_OK) {
        status = save_adapter(dir, c, p, base, err);
    }
    if (status == MDF_OK) {
        status = save_weights(dir, p, err);
    }
    if (status == MDF_OK) {
        status = mdf_file_writer_commit(&settings, err);
    }
    mdf_file_writer_abort(&settings);
    mdf_free(path);
    mdf_strbuf_free(&text);
    return status;
}

/* The state as numbers: exact, and readable by any safetensors reader. best_score and loss_mean
 * keep their bits. */
enum { STATE_NUMBERS = 7 };

/* What the metadata of a checkpoint says. */
#define VERSION_KEY   "mdf.checkpoint"
#define VERSION       "2"
#define OPTIMIZER_KEY "mdf.optimizer"

/* "optimizer.state.<parameter>"; NULL = out of memory. */
static char *name_of(mdf_arena *a, const char *what, const mdf_tensor *t)
{
    char name[320];
    (void)snprintf(name, sizeof name, "optimizer.%s.%s", what, t->name);
    return mdf_arena_strndup(a, name, strlen(name));
}

/* What the optimiser keeps of each parameter; *n counts up. */
static mdf_status optimizer_items(mdf_st_entry *item, size_t *n, mdf_arena *names,
                                  const mdf_params *p, const mdf_optimizer *o, mdf_error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        const mdf_tensor *t = &p->item[i]->tensor;
        const mdf_optimizer_slot *slot = &o->slot[i];
        if (slot->ema != NULL) {
            item[*n] = (mdf_st_entry){.name = name_of(names, "ema", t),
                                      .dtype = MDF_DTYPE_F32,
                                      .rank = t->rank,
                                      .data = slot->ema};
            memcpy(item[(*n)++].dim, t->dim, sizeof t->dim);
        }
        if (slot->state != NULL) {
            item[(*n)++] = (mdf_st_entry){.name = name_of(names, "state", t),
                                          .dtype = MDF_DTYPE_U8,
                                          .rank = 1,
                                          .dim = {(int64_t)slot->state_bytes},
                                          .data = slot->state};
        }
    }
    for (size_t i = 0; i < *n; i++) {
        if (item[i].name == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of weights");
        }
    }
    return MDF_OK;
}

static mdf_status save_items(const char *dir, mdf_st_entry *item, mdf_arena *names,
                             const mdf_params *p, const mdf_optimizer *o, const mdf_train_state *s,
                             mdf_error *err)
{
    int64_t state[STATE_NUMBERS] = {s->epoch, s->batch, s->best_epoch, o->step, 0, 0, s->monitor};
    memcpy(&state[4], &s->best_score, sizeof state[4]);
    memcpy(&state[5], &s->loss_mean, sizeof state[5]);
    size_t n = p->count;
    weight_items(item, p);
    MDF_TRY(optimizer_items(item, &n, names, p, o, err));
    item[n++] = (mdf_st_entry){.name = "train.state",
                               .dtype = MDF_DTYPE_I64,
                               .rank = 1,
                               .dim = {STATE_NUMBERS},
                               .data = state};
    const mdf_st_pair meta[] = {
        {"producer", "mdf " MDF_VERSION}, {VERSION_KEY, VERSION}, {OPTIMIZER_KEY, o->rule->name}};
    return write_items(dir, "checkpoint.safetensors", item, n, meta, 3, err);
}

mdf_status mdf_checkpoint_save(const char *dir, const mdf_params *p, const mdf_optimizer *o,
                               const mdf_train_state *s, mdf_error *err)
{
    mdf_arena names;
    MDF_TRY(mdf_arena_init(&names, 0, 0, err));
    mdf_st_entry *item = mdf_alloc(3 * p->count + 1, sizeof *item);
    const mdf_status status =
        item == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of weights")
                     : save_items(dir, item, &names, p, o, s, err);
    mdf_free(item);
    mdf_arena_free(&names);
    return status;
}

static mdf_status read_numbers(const mdf_safetensors *file, mdf_optimizer *o, mdf_train_state *s,
                               mdf_error *err)
{
    const mdf_st_tensor *t = mdf_safetensors_find(file, "train.state");
    int64_t state[STATE_NUMBERS];
    if (t == NULL || t->dtype != MDF_DTYPE_I64 || t->bytes != sizeof state) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: train.state is missing", file->path);
    }
    memcpy(state, t->data, t->bytes);
    double best_score;
    double loss_mean;
    memcpy(&best_score, &state[4], sizeof best_score);
    memcpy(&loss_mean, &state[5], sizeof loss_mean);
    if (state[0] < 0 || state[0] > 1000000 || state[1] < 0 || state[2] < 0 || state[2] > state[0] ||
        state[3] < 0 || !isfinite(best_score) || isinf(loss_mean) || state[6] < 0 ||
        state[6] > MDF_MONITOR_DICE) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: train.state is not sensible", file->path);
    }
    s->epoch = (int)state[0];
    s->batch = state[1];
    s->best_epoch = (int)state[2];
    o->step = state[3];
    s->best_score = best_score;
    s->loss_mean = loss_mean;
    s->monitor = (int)state[6];
    return MDF_OK;
}

/* A checkpoint of this version, and of the optimiser that goes on. */
static mdf_status check_kind(const mdf_safetensors *file, const mdf_optimizer *o, mdf_error *err)
{
    const char *version = mdf_safetensors_metadata(file, VERSION_KEY);
    const char *rule = mdf_safetensors_metadata(file, OPTIMIZER_KEY);
    if (version == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: no version: a checkpoint of an earlier mdf, which can't be resumed; "
                        "begin the run anew",
                        file->path);
    }
    if (strcmp(version, VERSION) != 0) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: a checkpoint of version %.20s; this mdf resumes version " VERSION,
                        file->path, version);
    }
    if (rule == NULL || strcmp(rule, o->rule->name) != 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: the run's optimiser is %.40s, not %s; resume with "
                        "train_config.optimizer=%.40s",
                        file->path, rule == NULL ? "unknown" : rule, o->rule->name,
                        rule == NULL ? "..." : rule);
    }
    return MDF_OK;
}

/* The state of one parameter, which must be there as long as it has a gradient, and no longer. */
static mdf_status read_slot(const mdf_safetensors *file, mdf_optimizer_slot *slot,
                            const mdf_tensor *t, mdf_arena *names, mdf_error *err)
{
    const char *state = name_of(names, "state", t);
    const char *ema = name_of(names, "ema", t);
    const mdf_st_tensor *found = NULL;
    const int64_t bytes = (int64_t)slot->state_bytes;
    if (state == NULL || ema == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory");
    }
    if (slot->state == NULL && mdf_safetensors_find(file, state) != NULL) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: %s was trained, but is frozen now; resume with the same "
                        "train_config.freeze",
                        file->path, t->name);
    }
    if (slot->state != NULL) {
        MDF_TRY(mdf_safetensors_get(file, state, 1, &bytes, &found, err));
        if (found->dtype != MDF_DTYPE_U8) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s: %s instead of U8", file->path, state,
                            mdf_dtype_name(found->dtype));
        }
        memcpy(slot->state, found->data, slot->state_bytes);
    }
    if (slot->ema != NULL) {
        MDF_TRY(mdf_safetensors_get(file, ema, t->rank, t->dim, &found, err));
        MDF_TRY(mdf_safetensors_floats(file, found, slot->ema, err));
    }
    return MDF_OK;
}

static mdf_status read_state(const mdf_safetensors *file, mdf_params *p, mdf_optimizer *o,
                             mdf_train_state *s, mdf_error *err)
{
    mdf_arena names;
    MDF_TRY(check_kind(file, o, err));
    MDF_TRY(mdf_weights_read(p, file, err));
    MDF_TRY(mdf_arena_init(&names, 0, 0, err));
    mdf_status status = MDF_OK;
    for (size_t i = 0; i < p->count && status == MDF_OK; i++) {
        status = read_slot(file, &o->slot[i], &p->item[i]->tensor, &names, err);
    }
    mdf_arena_free(&names);
    return status == MDF_OK ? read_numbers(file, o, s, err) : status;
}

mdf_status mdf_checkpoint_load(const char *dir, mdf_params *p, mdf_optimizer *o, mdf_train_state *s,
                               mdf_error *err)
{
    char *path = path_of(dir, "checkpoint.safetensors");
    if (path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory");
    }
    mdf_safetensors file;
    mdf_status status = mdf_safetensors_open(&file, path, err);
    if (status == MDF_OK) {
        status = read_state(&file, p, o, s, err);
        mdf_safetensors_close(&file);
    }
    mdf_free(path);
    return status;
}
