/* Checkpoints cut, tampered or unwritable: refused with a sentence, and what was there stays. */
#include <math.h>

#include "io/safetensors.h"
#include "nn/mdf_mllm.h"
#include "support/full_disk.h"
#include "support/training.h"
#include "train/checkpoint.h"
#include "train/freeze.h"

/* A model, its optimiser and where its run is. */
typedef struct run {
    mdf_config *config;
    mdf_mllm *model;
    mdf_optimizer optimizer;
    mdf_train_state state;
} run;

/* With further settings, or NULL. */
static void run_new_with(run *r, uint64_t seed, const char *const *set)
{
    mdf_error err = {0};
    *r = (run){.config = config(set)};
    must(mdf_config_set(r->config, "answer_config.labels=[\"normal\",\"dr\"]", &err), &err);
    must(mdf_mllm_new(&r->model, r->config, true, &err), &err);
    mdf_params_initialise(&r->model->params, seed);
    must(mdf_freeze(&r->model->params, &r->config->train, &err), &err);
    must(mdf_optimizer_new(&r->optimizer, &r->model->params, &r->config->train, &err), &err);
    for (size_t i = 0; i < r->optimizer.count; i++) {
        const mdf_optimizer_slot *slot = &r->optimizer.slot[i];
        float *state = slot->state;
        for (size_t j = 0; j < slot->state_bytes / sizeof *state; j++) {
            state[j] = (float)(j % 7 + seed);
        }
    }
    r->optimizer.step = 17;
    r->state = (mdf_train_state){.epoch = 3,
                                 .batch = 2,
                                 .best_epoch = 1,
                                 .best_score = 0.625,
                                 .monitor = MDF_MONITOR_DICE,
                                 .loss_mean = 1.25};
}

static void run_new(run *r, uint64_t seed, bool ema)
{
    run_new_with(r, seed, ema ? (const char *const[]){"ema=0.9", NULL} : NULL);
}

static void run_free(run *r)
{
    mdf_optimizer_free(&r->optimizer);
    mdf_mllm_free(r->model);
    mdf_free(r->config);
}

static mdf_status save(const char *dir, const run *r, mdf_error *err)
{
    return mdf_checkpoint_save(dir, &r->model->params, &r->optimizer, &r->state, err);
}

static mdf_status load(const char *dir, run *r, mdf_error *err)
{
    return mdf_checkpoint_load(dir, &r->model->params, &r->optimizer, &r->state, err);
}

/* A folder below root, and the path of the checkpoint in it. */
static char *folder(const char *name, char **path)
{
    mdf_error err = {0};
    char *dir = in_root(name);
    must(mdf_make_dirs(dir, &err), &err);
    *path = mdf_path_join(dir, "checkpoint.safetensors");
    assert_non_null(*path);
    return dir;
}

static void put(const char *path, const void *bytes, size_t len)
{
    mdf_error err = {0};
    must(mdf_file_write(path, bytes, len, &err), &err);
}

static void get(const char *path, uint8_t **bytes, size_t *len)
{
    mdf_error err = {0};
    must(mdf_file_read(path, (size_t)1 << 30, bytes, len, &err), &err);
}

/* The file of the folder holds these bytes. */
static void expect_file(const char *dir, const char *name, const uint8_t *want, size_t n)
{
    uint8_t *bytes = NULL;
    size_t m = 0;
    char *path = mdf_path_join(dir, name);
    get(path, &bytes, &m);
    assert_int_equal(m, n);
    assert_memory_equal(bytes, want, m);
    mdf_free(bytes);
    mdf_free(path);
}

static void assert_same_numbers(const mdf_real *a, const mdf_real *b, int64_t n)
{
    assert_memory_equal(a, b, (size_t)n * sizeof *a);
}

/* Of every optimiser, with weights that are frozen. */
static void check_loading(const char *optimizer)
{
    run a;
    run b;
    char *path = NULL;
    char *dir = folder(optimizer + strlen("optimizer="), &path);
    const char *const set[] = {optimizer, "ema=0.9", "freeze=unet.enc", NULL};
    mdf_error err = {0};
    run_new_with(&a, 1, set);
    run_new_with(&b, 2, set);
    b.state = (mdf_train_state){0};
    b.optimizer.step = 0;
    assert_false(mdf_checkpoint_exists(dir));
    must(save(dir, &a, &err), &err);
    assert_true(mdf_checkpoint_exists(dir));
    must(load(dir, &b, &err), &err);
    size_t frozen = 0;
    for (size_t i = 0; i < a.model->params.count; i++) {
        const mdf_tensor *t = &a.model->params.item[i]->tensor;
        const mdf_optimizer_slot *x = &a.optimizer.slot[i];
        const mdf_optimizer_slot *y = &b.optimizer.slot[i];
        assert_same_numbers(t->data, b.model->params.item[i]->tensor.data, mdf_tensor_count(t));
        assert_int_equal(x->state_bytes, y->state_bytes);
        assert_true((x->state != NULL) == t->needs_grad && (x->ema != NULL) == t->needs_grad);
        frozen += x->state == NULL;
        if (x->state != NULL) {
            assert_memory_equal(x->state, y->state, x->state_bytes);
            assert_same_numbers(x->ema, y->ema, mdf_tensor_count(t));
        }
    }
    assert_true(frozen > 0 && frozen < a.model->params.count);
    assert_int_equal(b.state.epoch, 3);
    assert_int_equal(b.state.batch, 2);
    assert_int_equal(b.state.best_epoch, 1);
    assert_true(b.state.best_score == 0.625);
    assert_true(b.state.loss_mean == 1.25);
    assert_int_equal(b.state.monitor, MDF_MONITOR_DICE);
    assert_int_equal(b.optimizer.step, 17);
    run_free(&a);
    run_free(&b);
    mdf_free(path);
    mdf_free(dir);
}

static void what_is_saved_is_loaded(void **state)
{
    (void)state;
    check_loading("optimizer=adamw");
    check_loading("optimizer=adamw_8bit");
    check_loading("optimizer=adafactor");
    check_loading("optimizer=adalomo");
}

/* Loads what is at path and expects a sentence that begins with it and holds words. */
static void expect_refusal(const char *dir, const char *path, run *r, mdf_status code,
                           const char *words)
{
    mdf_error err = {0};
    const mdf_status status = load(dir, r, &err);
    if (status != code || strstr(err.text, path) != err.text || strstr(err.text, words) == NULL) {
        fail_msg("status %d, \"%s\", want \"%s\"", (int)status, err.text, words);
    }
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    run r;
    char *path = NULL;
    char *dir = folder("cut", &path);
    mdf_error err = {0};
    uint8_t *bytes = NULL;
    size_t len = 0;
    run_new(&r, 1, false);
    must(save(dir, &r, &err), &err);
    get(path, &bytes, &len);
    put(path, bytes, 0);
    expect_refusal(dir, path, &r, MDF_ERR_FORMAT, "the file is empty");
    for (size_t n = 1; n < len; n += n < 16 ? 1 : len / 97) {
        put(path, bytes, n);
        expect_refusal(dir, path, &r, MDF_ERR_FORMAT, ": ");
    }
    put(path, bytes, len - 1);
    expect_refusal(dir, path, &r, MDF_ERR_FORMAT, ": ");
    assert_int_equal(unlink(path), 0);
    expect_refusal(dir, path, &r, MDF_ERR_IO, "no such file");
    mdf_free(bytes);
    run_free(&r);
    mdf_free(path);
    mdf_free(dir);
}

/* A flipped bit of a number is a number; one of the header or of the state must not crash. */
static void flipped_bits_of_the_header_are_refused_or_harmless(void **state)
{
    (void)state;
    run r;
    char *path = NULL;
    char *dir = folder("flip", &path);
    mdf_error err = {0};
    uint8_t *bytes = NULL;
    size_t len = 0;
    run_new(&r, 1, false);
    must(save(dir, &r, &err), &err);
    get(path, &bytes, &len);
    size_t header = 8;
    for (int i = 0; i < 8; i++) {
        header += (size_t)bytes[i] << (8 * i);
    }
    size_t refused = 0;
    size_t tried = 0;
    for (size_t at = 0; at < header; at += at < 8 ? 1 : 151) {
        const uint8_t bit = (uint8_t)(1U << (at % 7));
        bytes[at] ^= bit;
        put(path, bytes, len);
        err = (mdf_error){0};
        if (load(dir, &r, &err) != MDF_OK) {
            assert_true(strstr(err.text, path) == err.text);
            refused++;
        }
        tried++;
        bytes[at] ^= bit;
    }
    assert_true(tried > 50);
    assert_true(refused > tried * 9 / 10); /* white space and the producer's name may change */
    mdf_free(bytes);
    run_free(&r);
    mdf_free(path);
    mdf_free(dir);
}

/* Saves the checkpoint again with one entry left out or replaced, and the value of one key of the
 * metadata (NULL: none) likewise. */
static void rewrite_all(const char *path, const char *name, const mdf_st_entry *instead,
                        const char *key, const char *value)
{
    mdf_error err = {0};
    mdf_safetensors file;
    must(mdf_safetensors_open(&file, path, &err), &err);
    mdf_st_entry *item = mdf_alloc(file.count, sizeof *item);
    mdf_st_pair pair[8];
    size_t n = 0;
    size_t pairs = 0;
    assert_non_null(item);
    assert_true(file.metadata_count <= 8);
    for (size_t i = 0; i < file.count; i++) {
        const mdf_st_tensor *t = &file.tensor[i];
        if (strcmp(t->name, name) == 0) {
            if (instead != NULL) {
                item[n++] = *instead;
            }
            continue;
        }
        item[n] =
            (mdf_st_entry){.name = t->name, .dtype = t->dtype, .rank = t->rank, .data = t->data};
        memcpy(item[n++].dim, t->dim, sizeof t->dim);
    }
    for (size_t i = 0; i < file.metadata_count; i++) {
        const bool hit = key != NULL && strcmp(file.metadata[i].key, key) == 0;
        if (!hit || value != NULL) {
            pair[pairs++] =
                (mdf_st_pair){file.metadata[i].key, hit ? value : file.metadata[i].value};
        }
    }
    must(mdf_safetensors_save(path, item, n, pair, pairs, &err), &err);
    mdf_safetensors_close(&file);
    mdf_free(item);
}

static void rewrite(const char *path, const char *name, const mdf_st_entry *instead)
{
    rewrite_all(path, name, instead, NULL, NULL);
}

static void missing_and_wrong_parts_are_named(void **state)
{
    (void)state;
#define CONV "unet.enc.1.conv1.weight"
    static const char *const left_out[] = {"optimizer.state." CONV, "optimizer.ema." CONV,
                                           "train.state", CONV};
    run r;
    char *path = NULL;
    char *dir = folder("parts", &path);
    mdf_error err = {0};
    run_new(&r, 1, true);
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++) {
        must(save(dir, &r, &err), &err);
        rewrite(path, left_out[i], NULL);
        expect_refusal(dir, path, &r, MDF_ERR_FORMAT, left_out[i]);
    }
    const char three[3] = {0};
    mdf_st_entry other = {.name = "optimizer.state." CONV,
                          .dtype = MDF_DTYPE_U8,
                          .rank = 1,
                          .dim = {3},
                          .data = three};
    must(save(dir, &r, &err), &err);
    rewrite(path, other.name, &other);
    expect_refusal(dir, path, &r, MDF_ERR_SHAPE, other.name);
    float *numbers = mdf_alloc(r.optimizer.slot[0].state_bytes, sizeof *numbers);
    char name[300];
    assert_non_null(numbers);
    (void)snprintf(name, sizeof name, "optimizer.state.%s", r.model->params.item[0]->tensor.name);
    other = (mdf_st_entry){.name = name,
                           .dtype = MDF_DTYPE_F32,
                           .rank = 1,
                           .dim = {(int64_t)r.optimizer.slot[0].state_bytes},
                           .data = numbers};
    must(save(dir, &r, &err), &err);
    rewrite(path, name, &other);
    expect_refusal(dir, path, &r, MDF_ERR_FORMAT, "F32 instead of U8");
    mdf_free(numbers);
#undef CONV
    run_free(&r);
    mdf_free(path);
    mdf_free(dir);
}

static void a_state_that_cannot_be_is_refused(void **state)
{
    (void)state;
    double nan = (double)NAN;
    int64_t nan_bits = 0;
    memcpy(&nan_bits, &nan, sizeof nan_bits);
    const double infinity = (double)INFINITY;
    int64_t infinity_bits = 0;
    memcpy(&infinity_bits, &infinity, sizeof infinity_bits);
    const int64_t bad[][7] = {{-1, 0, 0, 0, 0, 0, 0},
                              {INT64_MAX, 0, 0, 0, 0, 0, 0},
                              {1, -1, 0, 0, 0, 0, 0},
                              {1, 0, 2, 0, 0, 0, 0},
                              {1, 0, -1, 0, 0, 0, 0},
                              {1, 0, 0, -5, 0, 0, 0},
                              {1, 0, 0, 0, nan_bits, 0, 0},
                              {1, 0, 0, 0, 0, infinity_bits, 0},
                              {1, 0, 0, 0, 0, 0, MDF_MONITOR_DICE + 1},
                              {1, 0, 0, 0, 0, 0, -1}};
    run r;
    char *path = NULL;
    char *dir = folder("state", &path);
    mdf_error err = {0};
    run_new(&r, 1, false);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const mdf_st_entry entry = {
            .name = "train.state", .dtype = MDF_DTYPE_I64, .rank = 1, .dim = {7}, .data = bad[i]};
        must(save(dir, &r, &err), &err);
        rewrite(path, "train.state", &entry);
        expect_refusal(dir, path, &r, MDF_ERR_FORMAT, "train.state is not sensible");
    }
    run_free(&r);
    mdf_free(path);
    mdf_free(dir);
}

/* Expects a refusal of a checkpoint of which one value of the metadata is another, or missing. */
static void expect_kind(const char *key, const char *value, const char *words, mdf_status code)
{
    run r;
    char *path = NULL;
    char *dir = folder("kind", &path);
    mdf_error err = {0};
    run_new(&r, 1, false);
    must(save(dir, &r, &err), &err);
    rewrite_all(path, "", NULL, key, value);
    expect_refusal(dir, path, &r, code, words);
    run_free(&r);
    mdf_free(path);
    mdf_free(dir);
}

static void another_version_is_refused(void **state)
{
    (void)state;
    expect_kind("mdf.checkpoint", NULL, "no version: a checkpoint of an earlier mdf",
                MDF_ERR_FORMAT);
    expect_kind("mdf.checkpoint", "3", "a checkpoint of version 3; this mdf resumes version 2",
                MDF_ERR_FORMAT);
}

static void another_optimiser_is_refused(void **state)
{
    (void)state;
    expect_kind("mdf.optimizer", "lion", "the run's optimiser is lion, not adamw", MDF_ERR_ARG);
    expect_kind("mdf.optimizer", NULL, "the run's optimiser is unknown, not adamw", MDF_ERR_ARG);
    run a;
    run b;
    char *path = NULL;
    char *dir = folder("kinds", &path);
    mdf_error err = {0};
    run_new_with(&a, 1, (const char *const[]){"optimizer=adafactor", NULL});
    run_new(&b, 2, false);
    must(save(dir, &a, &err), &err);
    expect_refusal(dir, path, &b, MDF_ERR_ARG,
                   "the run's optimiser is adafactor, not adamw; resume with "
                   "train_config.optimizer=adafactor");
    run_free(&a);
    run_free(&b);
    mdf_free(path);
    mdf_free(dir);
}

/* What was trained stays trained, and what was frozen frozen. */
static void other_frozen_weights_are_refused(void **state)
{
    (void)state;
    run all;
    run some;
    char *path = NULL;
    char *dir = folder("frozen", &path);
    mdf_error err = {0};
    run_new(&all, 1, false);
    run_new_with(&some, 2, (const char *const[]){"freeze=lm_head", NULL});
    must(save(dir, &all, &err), &err);
    expect_refusal(dir, path, &some, MDF_ERR_ARG,
                   "lm_head.weight was trained, but is frozen now; resume with the same "
                   "train_config.freeze");
    must(save(dir, &some, &err), &err);
    expect_refusal(dir, path, &all, MDF_ERR_FORMAT, "optimizer.state.lm_head.weight");
    run_free(&all);
    run_free(&some);
    mdf_free(path);
    mdf_free(dir);
}

static void a_disk_that_is_full_keeps_the_old_checkpoint(void **state)
{
    (void)state;
    run r;
    char *path = NULL;
    char *dir = folder("full", &path);
    mdf_error err = {0};
    uint8_t *before = NULL;
    uint8_t *after = NULL;
    size_t n = 0;
    size_t m = 0;
    run_new(&r, 1, false);
    must(save(dir, &r, &err), &err);
    get(path, &before, &n);
    r.optimizer.step = 18;
    test_limit_size(n / 2);
    const mdf_status saved = save(dir, &r, &err);
    mdf_error weights_err = {0};
    const mdf_status weights = mdf_run_save(dir, r.config, &r.model->params, NULL, &weights_err);
    test_limit_size(0);
    assert_int_equal(saved, MDF_ERR_IO);
    assert_true(strstr(err.text, path) == err.text);
    assert_non_null(strstr(err.text, "can't write: file too large"));
    get(path, &after, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    assert_int_equal(weights, MDF_OK); /* a third of the checkpoint: it fits */
    assert_int_equal(save("/nonexistent/run", &r, &err), MDF_ERR_IO);
    assert_non_null(strstr(err.text, "/nonexistent/run/checkpoint.safetensors"));
    mdf_free(before);
    mdf_free(after);
    run_free(&r);
    mdf_free(path);
    mdf_free(dir);
}

/* Settings and weights belong together: when either does not fit, both stay. */
static void a_full_disk_does_not_part_settings_and_weights(void **state)
{
    (void)state;
    static const char *const files[] = {"config.json", "model.safetensors"};
    run r;
    char *path = NULL;
    char *dir = folder("parted", &path);
    mdf_error err = {0};
    uint8_t *before[2];
    size_t n[2];
    run_new(&r, 1, false);
    must(mdf_run_save(dir, r.config, &r.model->params, NULL, &err), &err);
    for (int i = 0; i < 2; i++) {
        char *file = mdf_path_join(dir, files[i]);
        get(file, &before[i], &n[i]);
        mdf_free(file);
    }
    assert_true(n[0] < n[1]);
    r.config->answer.temperature = 2;
    r.model->params.data[0] += 1;
    for (int k = 0; k < 2; k++) {
        test_limit_size(n[k] - 1);
        const mdf_status status = mdf_run_save(dir, r.config, &r.model->params, NULL, &err);
        test_limit_size(0);
        assert_int_equal(status, MDF_ERR_IO);
        assert_non_null(strstr(err.text, files[k]));
        for (int i = 0; i < 2; i++) {
            expect_file(dir, files[i], before[i], n[i]);
        }
    }
    for (int i = 0; i < 2; i++) {
        mdf_free(before[i]);
    }
    run_free(&r);
    mdf_free(path);
    mdf_free(dir);
}

/* The whole way: a run whose checkpoint is cut is not touched by the attempt to go on. */
static void a_failed_resume_changes_nothing(void **state)
{
    (void)state;
    static const char *const files[] = {"checkpoint.safetensors", "model.safetensors",
                                        "config.json", "metrics.jsonl"};
    static const char *const set[] = {"epochs=1", NULL};
    uint8_t *before[4];
    size_t n[4];
    mdf_error err = {0};
    watch w = {0};
    must(train("run", set, "val", false, &w, &err), &err);
    char *dir = in_root("run");
    for (int i = 0; i < 4; i++) {
        char *path = mdf_path_join(dir, files[i]);
        get(path, &before[i], &n[i]);
        n[i] = i == 0 ? n[i] / 2 : n[i];
        put(path, before[i], n[i]);
        mdf_free(path);
    }
    static const char *const more[] = {"epochs=2", NULL};
    assert_int_equal(train("run", more, "val", true, &w, &err), MDF_ERR_FORMAT);
    assert_non_null(strstr(err.text, "/run/checkpoint.safetensors"));
    for (int i = 0; i < 4; i++) {
        expect_file(dir, files[i], before[i], n[i]);
        mdf_free(before[i]);
    }
    mdf_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_is_loaded),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(flipped_bits_of_the_header_are_refused_or_harmless),
        cmocka_unit_test(missing_and_wrong_parts_are_named),
        cmocka_unit_test(a_state_that_cannot_be_is_refused),
        cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(another_optimiser_is_refused),
        cmocka_unit_test(other_frozen_weights_are_refused),
        cmocka_unit_test(a_disk_that_is_full_keeps_the_old_checkpoint),
        cmocka_unit_test(a_full_disk_does_not_part_settings_and_weights),
        cmocka_unit_test(a_failed_resume_changes_nothing),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, set_up, tear_down);
}
