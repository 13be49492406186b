/* A loaded model: configuration and weights, immutable. */
#include "engine/engine.h"

#include <string.h>

#include "base/alloc.h"
#include "convert/model_folder.h"
#include "nn/kv_cache.h"
#include "train/vocabulary.h"

#if defined(_OPENMP)
#include <omp.h>
#endif

void mdf_set_threads(int threads)
{
#if defined(_OPENMP)
    const int wanted = threads > 0 ? threads : omp_get_max_threads();
    const int limit = omp_get_thread_limit();
    /* oneDNN waits at its barriers for as many threads as OpenMP announces; more than OpenMP's
     * limit (OMP_THREAD_LIMIT) never come. */
    omp_set_num_threads(wanted < limit ? wanted : limit);
#else
    (void)threads;
#endif
}

/* A model of this many numbers or fewer is turned into floats: that takes 256 MiB at most, no
 * product has to convert, and the files may be replaced meanwhile. */
enum { SMALL_MODEL = 1 << 26 };

static mdf_status apply_lora(mdf_engine *e, const char *dir, mdf_error *err)
{
    mdf_lora lora;
    if (dir == NULL) {
        return MDF_OK;
    }
    MDF_TRY(mdf_lora_load(&lora, dir, err));
    const mdf_status status =
        mdf_lora_apply(&e->adapted, &e->model->params, &e->weights, &lora, err);
    mdf_lora_free(&lora);
    return status;
}

mdf_status mdf_engine_load_weights(mdf_engine *e, const mdf_config *c,
                                   const mdf_engine_options *opt, mdf_error *err)
{
    MDF_TRY(mdf_weights_open(&e->weights, opt->model_dir, err));
    MDF_TRY(mdf_mllm_declare(&e->model, c, err));
    mdf_params *p = &e->model->params;
    if (p->total > SMALL_MODEL) {
        MDF_TRY(mdf_weights_map(p, &e->weights, opt->check_tensors, err));
        return apply_lora(e, opt->lora, err);
    }
    MDF_TRY(mdf_params_allocate(p, false, err));
    MDF_TRY(mdf_weights_set(p, &e->weights, err));
    MDF_TRY(apply_lora(e, opt->lora, err));
    mdf_weights_close(&e->weights);
    return MDF_OK;
}

/* What it takes to choose between answers. */
enum { FEWEST_LABELS = 2 };

bool mdf_engine_has_labels(const mdf_engine *e)
{
    return e->model->config.answer.label_count >= FEWEST_LABELS;
}

mdf_status mdf_engine_answers(const mdf_engine *e, mdf_error *err)
{
    return e->model->config.train.task != MDF_TASK_SEGMENT
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_ARG,
                          "this model draws masks alone (train_config.task = \"segment\"): it "
                          "neither classifies nor answers");
}

static mdf_status load_config(mdf_config *c, const char *dir, bool labels_optional, mdf_error *err)
{
    MDF_TRY(mdf_model_config_read(c, dir, err));
    if (!labels_optional && c->answer.label_count < FEWEST_LABELS) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s/config.json: answer_config.labels has fewer than two labels, so this "
                        "model can be asked (predict --ask) but can't classify",
                        dir);
    }
    return MDF_OK;
}

/* How pictures are prepared. Models with labels were trained with the published mean and deviation.
 * One that is asked may never see a picture: what is wrong is told when it does. */
static mdf_status load_preprocessor(mdf_engine *e, const char *dir, const mdf_config *c,
                                    mdf_error *err)
{
    mdf_status status = MDF_OK;
    if (mdf_config_has_vision(c)) {
        status = mdf_preprocessor_load(&e->preprocessor, dir, c, &e->no_picture);
    }
    if (c->answer.label_count < FEWEST_LABELS && status != MDF_ERR_NOMEM) {
        return MDF_OK;
    }
    if (status != MDF_OK) {
        return mdf_fail(err, status, "%s", e->no_picture.text);
    }
    return !mdf_config_has_vision(c) || mdf_preprocessor_is_usual(&e->preprocessor)
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_ARG,
                          "%s: image_mean and image_std of its preprocessor settings are not the "
                          "published ones, which models with labels are trained with",
                          dir);
}

mdf_status mdf_engine_kv_type(mdf_dtype *out, mdf_kv_type type, const mdf_config *c, mdf_error *err)
{
    static const mdf_dtype types[] = {[MDF_KV_F16] = MDF_DTYPE_F16,
                                      [MDF_KV_BF16] = MDF_DTYPE_BF16,
                                      [MDF_KV_F32] = MDF_DTYPE_F32,
                                      [MDF_KV_Q8_0] = MDF_DTYPE_Q8_0};
    if ((unsigned)type >= sizeof types / sizeof types[0]) {
        return mdf_fail(err, MDF_ERR_ARG, "kv_type %d is none of mdf_kv_type", (int)type);
    }
    *out = types[type];
    return mdf_kv_type_check(types[type], c, err);
}

static mdf_status load(mdf_engine *e, const mdf_engine_options *opt, mdf_error *err)
{
    mdf_config *config = mdf_alloc(1, sizeof *config);
    mdf_status status = config == NULL
                            ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the engine")
                            : load_config(config, opt->model_dir, opt->labels_optional, err);
    if (status == MDF_OK) {
        status = mdf_engine_kv_type(&e->kv_type, opt->kv_type, config, err);
    }
    if (status == MDF_OK) {
        config->train.aux_weight = 0; /* the auxiliary classifier is for training only */
        status = load_preprocessor(e, opt->model_dir, config, err);
    }
    if (status == MDF_OK) {
        status = mdf_generation_load(&e->generation, opt->model_dir, config, err);
    }
    if (status == MDF_OK) {
        status = mdf_engine_load_weights(e, config, opt, err);
    }
    if (status == MDF_OK) {
        status = mdf_vocabulary_open(&e->tokenizer, config, opt->model_dir, err);
    }
    if (status == MDF_OK && !mdf_engine_has_labels(e)) {
        status = mdf_chat_load(&e->chat, opt->model_dir, opt->chat_template, err);
    } else if (status == MDF_OK && opt->chat_template != NULL) {
        status = mdf_fail(err, MDF_ERR_ARG,
                          "%s: it has labels, and is asked in the form of its training: no chat "
                          "template takes its place",
                          opt->model_dir);
    }
    mdf_free(config);
    return status;
}

/* A NULL stays one. */
static bool copy(char **out, const char *text)
{
    *out = text == NULL ? NULL : mdf_strdup(text);
    return text == NULL || *out != NULL;
}

mdf_status mdf_engine_open(mdf_engine **out, const mdf_engine_options *opt, mdf_error *err)
{
    *out = NULL;
    if (opt->model_dir == NULL) {
        return mdf_fail(err, MDF_ERR_ARG, "no model folder given");
    }
    mdf_set_threads(opt->threads);
    mdf_engine *e = mdf_alloc(1, sizeof *e);
    if (e == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the engine");
    }
    mdf_status status = load(e, opt, err);
    if (status == MDF_OK &&
        !(copy(&e->max_isa, opt->max_isa) && copy(&e->dir, opt->model_dir) &&
          copy(&e->lora, opt->lora) && copy(&e->chat_file, opt->chat_template))) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory");
    }
    if (status != MDF_OK) {
        mdf_engine_close(e);
        return status;
    }
    *out = e;
    return MDF_OK;
}

void mdf_engine_close(mdf_engine *e)
{
    if (e != NULL) {
        mdf_mllm_free(e->model);
        mdf_lora_copies_free(&e->adapted);
        mdf_weights_close(&e->weights);
        mdf_tokenizer_free(e->tokenizer);
        mdf_chat_free(e->chat);
        mdf_free(e->max_isa);
        mdf_free(e->dir);
        mdf_free(e->lora);
        mdf_free(e->chat_file);
        mdf_free(e);
    }
}

bool mdf_engine_converses(const mdf_engine *e)
{
    return e->chat != NULL;
}

int mdf_engine_label_count(const mdf_engine *e)
{
    return e->model->config.answer.label_count;
}

const char *mdf_engine_label(const mdf_engine *e, int index)
{
    return e->model->config.answer.labels[index];
}
