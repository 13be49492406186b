/* The training loop: from data folders and a configuration to a run folder. */
#include "train/trainer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/lock.h"
#include "nn/adapters.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/freeze.h"
#include "train/norm_statistics.h"
#include "train/optimizer.h"
#include "train/prefetch.h"
#include "train/run_folder.h"
#include "train/runlog.h"
#include "train/segment_train.h"
#include "train/train_data.h"
#include "train/validation.h"
#include "train/vocabulary.h"
#include "weights/encoder.h"
#include "weights/weights.h"

typedef struct trainer {
    const mdf_train_options *opt;
    mdf_lock lock; /* of the run folder */
    mdf_config config;
    mdf_train_data data;
    mdf_tokenizer *tokenizer;
    mdf_label_tree *tree;
    mdf_kernels *kernels;
    mdf_mllm *model;
    mdf_optimizer optimizer;
    mdf_graph graph, eval_graph;
    mdf_batch_buffer eval_buffer;
    mdf_prefetch *prefetch;
    mdf_train_state state;
    mdf_runlog log;
    mdf_monitor monitor; /* what chooses the best epoch */
    int64_t total_steps;
    double started; /* monotonic seconds */
    size_t images;
    double times[64]; /* of the last steps, in seconds */
    size_t time_count;
    size_t last_allocations;
    mdf_weights_taken taken; /* of opt->init_dir */
} trainer;

static bool stopped(const trainer *t)
{
    return t->opt->stop != NULL && *t->opt->stop != 0;
}

static bool segments(const trainer *t)
{
    return t->config.train.task == MDF_TASK_SEGMENT;
}

static void note(const trainer *t, const char *fmt, ...) MDF_PRINTF(2, 3);
static void note(const trainer *t, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (t->opt->note != NULL) {
        t->opt->note(t->opt->user, text);
    }
}

static void report(const trainer *t, const char *phase, size_t done, size_t total)
{
    if (t->opt->progress != NULL) {
        t->opt->progress(t->opt->user, &(mdf_train_event){.phase = phase,
                                                          .done = done,
                                                          .total = total,
                                                          .images = t->images,
                                                          .epoch = t->state.epoch + 1,
                                                          .loss = t->state.loss_mean});
    }
}

static bool read_progress(void *user, size_t done, size_t total)
{
    const trainer *t = user;
    report(t, "read", done, total);
    return !stopped(t);
}

/* The monitor of the configuration, or what this split can give. */
static void choose_monitor(trainer *t)
{
    const mdf_monitor wanted = t->config.train.monitor;
    const int classes = mdf_count_classes(&t->data.val);
    t->monitor = segments(t) ? MDF_MONITOR_DICE : mdf_monitor_possible(wanted, &t->data.val);
    t->state.monitor = (int)t->monitor;
    if (classes < 2 && !segments(t)) {
        note(t,
             "split \"%s\": all its cases have the label %s, so there is no AUC%s, and the "
             "temperature stays %.3g",
             t->opt->val_split, t->config.answer.labels[t->data.val.item[0].label],
             t->monitor != wanted ? ": the smallest validation loss chooses the best epoch" : "",
             t->config.answer.temperature);
    }
}

static mdf_status make_tree(trainer *t, mdf_error *err)
{
    const char *dir = t->opt->out_dir;
    if (t->config.tokenizer != MDF_TOKENIZER_BYTES && t->opt->tokenizer_path != NULL) {
        MDF_TRY(mdf_vocabulary_copy(dir, t->opt->tokenizer_path, err));
    }
    if (segments(t)) {
        return MDF_OK; /* nothing is read or answered */
    }
    MDF_TRY(mdf_vocabulary_open(&t->tokenizer, &t->config, dir, err));
    const char *label[MDF_MAX_CLASSES];
    for (int i = 0; i < t->config.answer.label_count; i++) {
        label[i] = t->config.answer.labels[i];
    }
    return mdf_label_tree_new(&t->tree, t->tokenizer, label, t->config.answer.label_count, err);
}

static mdf_status take_weights(trainer *t, mdf_error *err)
{
    mdf_weights w;
    MDF_TRY(mdf_weights_open(&w, t->opt->init_dir, err));
    const mdf_status status = mdf_weights_set_known(&t->model->params, &w, &t->taken, err);
    mdf_weights_close(&w);
    return status;
}

static mdf_status build(trainer *t, mdf_error *err)
{
    const size_t batch = (size_t)t->config.train.batch_size;
    MDF_TRY(mdf_kernels_new(&t->kernels, NULL, err));
    MDF_TRY(mdf_mllm_declare(&t->model, &t->config, err));
    MDF_TRY(mdf_adapters_declare(&t->model->params, &t->config, err));
    MDF_TRY(mdf_params_allocate(&t->model->params, true, err));
    mdf_params_initialise(&t->model->params, (uint64_t)t->config.train.seed);
    MDF_TRY(mdf_freeze(&t->model->params, &t->config.train, err));
    if (t->opt->init_dir != NULL && !t->opt->resume) {
        MDF_TRY(take_weights(t, err));
    }
    if (t->opt->encoder_path != NULL && !t->opt->resume) {
        MDF_TRY(mdf_encoder_load(&t->model->params, t->opt->encoder_path, err));
    }
    MDF_TRY(mdf_graph_init(&t->eval_graph, t->kernels, false, 0, err));
    MDF_TRY(mdf_batch_buffer_new(&t->eval_buffer, &t->config, t->tree, batch, err));
    if (!t->opt->resume) {
        MDF_TRY(mdf_norm_statistics(t->model, &t->eval_graph, &t->eval_buffer, &t->data.train,
                                    t->opt->stop, err));
    }
    MDF_TRY(mdf_optimizer_new(&t->optimizer, &t->model->params, &t->config.train, err));
    MDF_TRY(mdf_graph_init(&t->graph, t->kernels, true, 0, err));
    return mdf_prefetch_new(&t->prefetch, &t->config, &t->data.train,
                            t->config.train.mask_crops ? &t->data.crops : &t->data.train, t->tree,
                            batch, err);
}

static mdf_status save_checkpoint(trainer *t, mdf_error *err)
{
    return mdf_checkpoint_save(t->opt->out_dir, &t->model->params, &t->optimizer, &t->state, err);
}

/* Ends a run on the user's wish, so that it can go on from here. */
static mdf_status stop(trainer *t, mdf_error *err)
{
    MDF_TRY(save_checkpoint(t, err));
    return mdf_fail(err, MDF_ERR_STOPPED, "stopped at step %lld; go on with --resume",
                    (long long)t->optimizer.step);
}

static const char *what_is_left(const trainer *t)
{
    return mdf_checkpoint_exists(t->opt->out_dir) ? "the last checkpoint is kept"
                                                  : "there is no checkpoint yet";
}

/* Forward and backward of one batch; the gradient is added to. */
static mdf_status one_batch(trainer *t, const mdf_batch *b, double *loss, mdf_error *err)
{
    mdf_graph_reset(&t->graph);
    t->graph.noise = b->dropout_seed;
    /* Crops beside whole pictures have other statistics, which the norms must not mix in. */
    const bool aside = b->crops && !segments(t);
    mdf_norms_by_batch(t->model, aside ? 0 : t->config.train.norm_momentum);
    const mdf_output o = mdf_mllm_forward(&t->graph, t->model, b, b->mask != NULL);
    mdf_norms_by_batch(t->model, 0);
    MDF_TRY(mdf_graph_status(&t->graph, err));
    *loss = (double)o.loss->data[0];
    if (!isfinite(*loss)) {
        return mdf_fail(err, MDF_ERR_NUMERIC,
                        "the loss is not a number at step %lld (learning rate too high?); %s",
                        (long long)t->optimizer.step + 1, what_is_left(t));
    }
    return mdf_graph_backward(&t->graph, o.loss, err);
}

static void note_step(trainer *t, double loss, double seconds, size_t cases, uint64_t allocations)
{
    t->images += cases;
    t->state.loss_mean = isnan(t->state.loss_mean) ? loss : 0.95 * t->state.loss_mean + 0.05 * loss;
    t->times[t->time_count++ % 64] = seconds;
    t->last_allocations = (size_t)allocations;
}

static mdf_status train_step(trainer *t, const mdf_batch *b, bool update, mdf_error *err)
{
    const mdf_train_config *c = &t->config.train;
    const double start = mdf_clock_seconds();
    const uint64_t before = mdf_alloc_count();
    double loss = 0;
    MDF_TRY(one_batch(t, b, &loss, err));
    if (update) {
        mdf_params *p = &t->model->params;
        /* The last update of an epoch may have fewer batches: their mean then counts for less,
         * which is right for fewer cases. */
        if (c->accumulate > 1) {
            t->kernels->axpy(p->grad, (mdf_real)(1.0 / c->accumulate - 1.0), p->grad, p->total);
        }
        const double norm = mdf_grad_norm(t->kernels, p);
        if (!isfinite(norm)) {
            return mdf_fail(err, MDF_ERR_NUMERIC, "the gradient is not a number at step %lld; %s",
                            (long long)t->optimizer.step + 1, what_is_left(t));
        }
        const double factor = mdf_schedule(c, t->optimizer.step, t->total_steps);
        mdf_optimizer_step(&t->optimizer, t->kernels, p, c, factor, norm);
        mdf_params_zero_grad(p);
    }
    note_step(t, loss, mdf_clock_seconds() - start, (size_t)b->cases, mdf_alloc_count() - before);
    return MDF_OK;
}

/* The rest of an epoch, from batch state.batch on. */
static mdf_status run_epoch(trainer *t, const mdf_epoch_plan *plan, mdf_error *err)
{
    const mdf_train_config *c = &t->config.train;
    const uint64_t seed = mdf_rng_mix((uint64_t)c->seed, (uint64_t)t->state.epoch + 1000000);
    if ((size_t)t->state.batch > plan->batches) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: the checkpoint is at batch %lld of an epoch, but the data gives only "
                        "%zu; it is not the data of this run",
                        t->opt->out_dir, (long long)t->state.batch, plan->batches);
    }
    MDF_TRY(mdf_prefetch_start(t->prefetch, plan, (size_t)t->state.batch, seed, err));
    for (size_t i = (size_t)t->state.batch; i < plan->batches; i++) {
        const mdf_batch *b = NULL;
        MDF_TRY(mdf_prefetch_take(t->prefetch, &b, err));
        const bool update = (i + 1) % (size_t)c->accumulate == 0 || i + 1 == plan->batches;
        MDF_TRY(train_step(t, b, update, err));
        report(t, "train", (size_t)t->optimizer.step, (size_t)t->total_steps);
        if (update) {
            t->state.batch = (int64_t)i + 1;
            if (stopped(t)) {
                return stop(t, err);
            }
        }
    }
    return MDF_OK;
}

static bool keep_going(void *user, size_t done, size_t total)
{
    (void)done;
    (void)total;
    return !stopped(user);
}

/* Numbers of the validation split; the scores stay for the temperature. */
static mdf_status validate(trainer *t, mdf_train_event *e, mdf_scores *scores, mdf_error *err)
{
    const bool masks = t->config.unet.mask_channels > 0;
    mdf_optimizer_swap(&t->optimizer, &t->model->params);
    mdf_status status =
        segments(t)
            ? mdf_segment_validate(e, &t->eval_graph, t->model, &t->data.val, keep_going, t, err)
            : mdf_score_samples(scores, &t->eval_graph, t->model, &t->data.val, &t->eval_buffer,
                                masks, keep_going, t, err);
    mdf_optimizer_swap(&t->optimizer, &t->model->params);
    if (status != MDF_OK || segments(t)) {
        return status;
    }
    status = mdf_validation_numbers(e, scores, &t->data.val, err);
    if (status != MDF_OK) {
        mdf_scores_free(scores);
    }
    return status;
}

/* Puts what the validation scores say into the configuration. One label alone says nothing about
 * doubt: every score above the others would be taken for certain. */
static mdf_status calibrate(trainer *t, const mdf_scores *scores, mdf_error *err)
{
    return segments(t) || mdf_count_classes(&t->data.val) < 2
               ? MDF_OK
               : mdf_validation_calibrate(&t->config, scores, &t->data.val, err);
}

/* Validates, keeps the best weights, writes a row of metrics and the checkpoint. */
static mdf_status end_epoch(trainer *t, mdf_error *err)
{
    mdf_train_event e = {.phase = "validate",
                         .done = (size_t)t->optimizer.step,
                         .total = (size_t)t->total_steps,
                         .images = t->images,
                         .epoch = t->state.epoch + 1,
                         .loss = t->state.loss_mean,
                         .monitor = mdf_monitor_name(t->monitor),
                         .epoch_end = true};
    mdf_scores scores = {0};
    mdf_status status = validate(t, &e, &scores, err);
    if (status == MDF_ERR_STOPPED) {
        return stop(t, err); /* all batches are done: a resumed run begins with the validation */
    }
    if (status != MDF_OK) {
        char where[64];
        (void)snprintf(where, sizeof where, "validation after step %lld",
                       (long long)t->optimizer.step);
        return mdf_fail_prefix(err, status, where);
    }
    const double score = mdf_validation_score(t->monitor, &e);
    e.best = t->state.best_epoch == 0 || score > t->state.best_score;
    if (e.best) {
        t->state.best_score = score;
        t->state.best_epoch = t->state.epoch + 1;
        status = calibrate(t, &scores, err);
        if (status == MDF_OK) {
            mdf_optimizer_swap(&t->optimizer, &t->model->params);
            status =
                mdf_run_save(t->opt->out_dir, &t->config, &t->model->params, t->opt->init_dir, err);
            mdf_optimizer_swap(&t->optimizer, &t->model->params);
        }
    }
    mdf_scores_free(&scores);
    MDF_TRY(status);
    t->state.epoch++;
    t->state.batch = 0;
    MDF_TRY(mdf_runlog_epoch(&t->log, &e, err));
    MDF_TRY(save_checkpoint(t, err));
    if (t->opt->progress != NULL) {
        t->opt->progress(t->opt->user, &e);
    }
    return MDF_OK;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void summarise(trainer *t, mdf_train_summary *s)
{
    const size_t n = t->time_count < 64 ? t->time_count : 64;
    qsort(t->times, n, sizeof t->times[0], compare);
    *s = (mdf_train_summary){.epochs = t->state.epoch,
                             .best_epoch = t->state.best_epoch,
                             .best_score = t->state.best_score,
                             .monitor = mdf_monitor_name(t->monitor),
                             .left_out = mdf_left_out_cases(&t->data.left_out[0]),
                             .val_left_out = mdf_left_out_cases(&t->data.left_out[1]),
                             .temperature = t->config.answer.temperature,
                             .step_seconds = n > 0 ? t->times[n / 2] : 0,
                             .allocations = t->last_allocations,
                             .tensors = t->model->params.count,
                             .tensors_taken = t->taken.set,
                             .tensors_left = t->taken.left};
    for (size_t i = 0; i < t->model->params.count; i++) {
        s->parameters += mdf_tensor_count(&t->model->params.item[i]->tensor);
    }
}

/* Number of updates of a run, so that the schedule ends where the run does. Every epoch has as many
 * cases as the first; where only some cases of a class have masks, balanced draws may need a batch
 * more or less, which the schedule does not mind. */
static mdf_status count_steps(trainer *t, mdf_error *err)
{
    const mdf_train_config *c = &t->config.train;
    mdf_epoch_plan plan;
    MDF_TRY(mdf_train_data_plan(&t->data, &plan, &t->config, 0, err));
    const int64_t updates = ((int64_t)plan.batches + c->accumulate - 1) / c->accumulate;
    mdf_epoch_plan_free(&plan);
    if (updates == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "split \"%s\": no case to train on", t->opt->train_split);
    }
    t->total_steps = updates * c->epochs;
    return MDF_OK;
}

/* Too many evaluations since the best one? Asked right after a validation only. */
static bool no_progress(const trainer *t)
{
    const mdf_train_config *c = &t->config.train;
    return c->patience > 0 && t->state.best_epoch > 0 &&
           t->state.epoch - t->state.best_epoch >= (int64_t)c->patience * c->eval_every;
}

static mdf_status loop(trainer *t, mdf_error *err)
{
    const mdf_train_config *c = &t->config.train;
    MDF_TRY(count_steps(t, err));
    bool done = t->state.batch == 0 && no_progress(t); /* a run that ended early is resumed */
    while (!done && t->state.epoch < c->epochs) {
        mdf_epoch_plan plan;
        MDF_TRY(mdf_train_data_plan(&t->data, &plan, &t->config, t->state.epoch, err));
        const mdf_status status = run_epoch(t, &plan, err);
        mdf_prefetch_stop(t->prefetch);
        mdf_epoch_plan_free(&plan);
        MDF_TRY(status);
        const bool out_of_time =
            c->max_minutes > 0 && mdf_clock_seconds() - t->started > 60 * c->max_minutes;
        const bool last = t->state.epoch + 1 >= c->epochs || out_of_time;
        if (last || (t->state.epoch + 1) % c->eval_every == 0) {
            MDF_TRY(end_epoch(t, err));
            done = out_of_time || no_progress(t);
        } else {
            t->state.epoch++;
            t->state.batch = 0;
        }
    }
    return MDF_OK;
}

static mdf_status resume(trainer *t, mdf_error *err)
{
    const char *dir = t->opt->out_dir;
    MDF_TRY(mdf_run_folder_continue(dir, &t->config, err));
    MDF_TRY(mdf_checkpoint_load(dir, &t->model->params, &t->optimizer, &t->state, err));
    const int was = t->state.monitor;
    if (was != (int)t->monitor) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: its best epoch was chosen by %s, which can't be compared with %s; "
                        "resume with the same settings and data",
                        dir, mdf_monitor_name((mdf_monitor)was), mdf_monitor_name(t->monitor));
    }
    return MDF_OK;
}

static mdf_status prepare(trainer *t, mdf_error *err)
{
    const char *dir = t->opt->out_dir;
    const bool resumed = t->opt->resume;
    MDF_TRY(mdf_run_folder_check(dir, resumed, err));
    MDF_TRY(mdf_train_data_choose(&t->data, &t->config, t->opt, err));
    MDF_TRY(mdf_freeze_check(&t->config, err));
    MDF_TRY(mdf_make_dirs(dir, err));
    MDF_TRY(mdf_run_folder_lock(&t->lock, dir, err));
    MDF_TRY(mdf_run_folder_check(dir, resumed, err)); /* another training may just have ended */
    MDF_TRY(mdf_train_data_read(&t->data, &t->config, read_progress, t, err));
    choose_monitor(t);
    memset(&t->config.doubt, 0, sizeof t->config.doubt); /* maybe another model's */
    if (!segments(t)) {
        MDF_TRY(mdf_validation_pictures(
            &t->config, (const mdf_samples *[]){&t->data.train, &t->data.val}, 2, 0, err));
    }
    MDF_TRY(make_tree(t, err));
    MDF_TRY(build(t, err));
    if (t->opt->resume) {
        MDF_TRY(resume(t, err));
    }
    return mdf_runlog_open(&t->log, dir, t->opt->resume ? t->optimizer.step : -1, err);
}

static void free_all(trainer *t)
{
    mdf_runlog_close(&t->log);
    mdf_prefetch_free(t->prefetch);
    mdf_batch_buffer_free(&t->eval_buffer);
    mdf_graph_free(&t->graph);
    mdf_graph_free(&t->eval_graph);
    mdf_optimizer_free(&t->optimizer);
    mdf_mllm_free(t->model);
    mdf_kernels_free(t->kernels);
    mdf_label_tree_free(t->tree);
    mdf_tokenizer_free(t->tokenizer);
    mdf_train_data_free(&t->data);
    mdf_lock_release(&t->lock);
    mdf_free(t);
}

mdf_status mdf_train(const mdf_train_options *opt, mdf_train_summary *summary, mdf_error *err)
{
    trainer *t = mdf_alloc(1, sizeof *t);
    if (t == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the trainer");
    }
    t->opt = opt;
    t->lock.fd = -1;
    t->config = *opt->config;
    t->state.loss_mean = (double)NAN;
    t->started = mdf_clock_seconds();
    mdf_status status = prepare(t, err);
    if (status == MDF_OK) {
        status = loop(t, err);
        summarise(t, summary);
    }
    free_all(t);
    return status;
}
