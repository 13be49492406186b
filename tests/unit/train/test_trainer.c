/* Whole trainings of a very small model on phantoms: resuming, threads, failures. */
#include <math.h>

#include "base/lock.h"
#include "engine/engine.h"
#include "io/jsonl.h"
#include "io/safetensors.h"
#include "support/training.h"

/* Row for row the same numbers; only the time of day may differ. */
static void assert_same_rows(const char *a, const char *b)
{
    const char *const run[2] = {a, b};
    json_t *rows[2];
    for (size_t i = 0; i < 2; i++) {
        mdf_error err = {0};
        char *dir = in_root(run[i]);
        char *path = mdf_path_join(dir, "metrics.jsonl");
        must(mdf_jsonl_read(&rows[i], path, &err), &err);
        for (size_t k = 0; k < json_array_size(rows[i]); k++) {
            assert_int_equal(json_object_del(json_array_get(rows[i], k), "time"), 0);
        }
        mdf_free(path);
        mdf_free(dir);
    }
    assert_int_equal(json_array_size(rows[0]), 2); /* epochs */
    assert_true(json_equal(rows[0], rows[1]));
    json_decref(rows[0]);
    json_decref(rows[1]);
}

/* A run that is stopped in the middle of an epoch and resumed is one that was not. */
static void resume_to_the_same_bits(const char *whole, const char *parts, const char *const *set)
{
    mdf_error err = {0};
    watch all = {0};
    watch part = {.stop_at = 3};
    watch rest = {0};
    must(train(whole, set, "val", false, &all, &err), &err);
    assert_int_equal(train(parts, set, "val", false, &part, &err), MDF_ERR_STOPPED);
    assert_non_null(strstr(err.text, "--resume"));
    must(train(parts, set, "val", true, &rest, &err), &err);
    assert_same_file(whole, parts, "model.safetensors");
    assert_same_file(whole, parts, "checkpoint.safetensors");
    assert_same_rows(whole, parts);
}

static void a_stopped_run_resumes_to_the_same_bits(void **state)
{
    (void)state;
    resume_to_the_same_bits("whole", "parts",
                            (const char *const[]){"ema=0.9", "dropout=0.1", NULL});
    resume_to_the_same_bits("whole-8", "parts-8",
                            (const char *const[]){"optimizer=adamw_8bit", "ema=0.9", NULL});
    resume_to_the_same_bits("whole-f", "parts-f",
                            (const char *const[]){"optimizer=adafactor", "clip_per_tensor=true",
                                                  "freeze=unet.enc", "ema=0.9", NULL});
    resume_to_the_same_bits("whole-l", "parts-l",
                            (const char *const[]){"optimizer=adalomo", "clip_norm=0", NULL});
}

static void a_run_is_resumed_by_its_optimiser(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch w = {0};
    const char *const set[] = {"epochs=3", "ema=0.9", NULL};
    assert_int_equal(train("whole-8", set, "val", true, &w, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "/whole-8/checkpoint.safetensors: the run's optimiser is "
                                     "adamw_8bit, not adamw"));
}

static void a_run_is_not_overwritten(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch w = {0};
    assert_int_equal(train("whole", NULL, "val", false, &w, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "--resume"));
}

/* Another training's folder stays as it is, whether this one would begin or go on. */
static void a_folder_has_one_training_at_a_time(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch w = {0};
    mdf_lock lock;
    bool taken = false;
    char *dirs[2] = {in_root("whole"), in_root("busy")};
    must(mdf_make_dirs(dirs[1], &err), &err);
    for (size_t i = 0; i < 2; i++) {
        const bool resume = i == 0;
        char *path = mdf_path_join(dirs[i], MDF_RUN_LOCK);
        must(mdf_lock_take(&lock, path, &taken, &err), &err);
        assert_true(taken);
        assert_int_equal(train(resume ? "whole" : "busy", NULL, "val", resume, &w, &err),
                         MDF_ERR_ARG);
        assert_non_null(strstr(err.text, "another training"));
        assert_true(mdf_path_exists(path));
        mdf_lock_release(&lock);
        mdf_free(path);
    }
    char *made = mdf_path_join(dirs[1], "metrics.jsonl");
    assert_false(mdf_path_exists(made));
    mdf_free(made);
    mdf_free(dirs[0]);
    mdf_free(dirs[1]);
}

static void a_checkpoint_of_another_model_is_refused_by_name(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch w = {0};
    const char *const set[] = {"unet_config.base=8", "ema=0.9", NULL};
    assert_int_equal(train("whole", set, "val", true, &w, &err), MDF_ERR_SHAPE);
    assert_non_null(strstr(err.text, "unet.enc.1.conv1.weight"));
}

/* Nothing is learnt, so that what is written is what was read: the weights of "whole". */
static void a_run_begins_with_given_weights(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch w = {0};
    char *from = in_root("whole");
    const char *const set[] = {"epochs=1",    "lr=0",           "lr_unet=0", "lr_vision=0",
                               "lr_fusion=0", "weight_decay=0", NULL};
    init_dir = from;
    must(train("begun", set, "val", false, &w, &err), &err);
    assert_same_file("whole", "begun", "model.safetensors");
    const char *const other[] = {"unet_config.base=8", NULL};
    assert_int_equal(train("begun2", other, "val", false, &w, &err), MDF_ERR_SHAPE);
    assert_non_null(strstr(err.text, "unet.enc.1.conv1.weight"));
    init_dir = NULL;
    mdf_free(from);
}

/* Are a tensor's bytes the same in both runs? */
static bool same_tensor(const char *a, const char *b, const char *name)
{
    const char *const run[2] = {a, b};
    mdf_safetensors file[2];
    const mdf_st_tensor *t[2];
    mdf_error err = {0};
    for (size_t i = 0; i < 2; i++) {
        char *dir = in_root(run[i]);
        char *path = mdf_path_join(dir, "model.safetensors");
        must(mdf_safetensors_open(&file[i], path, &err), &err);
        t[i] = mdf_safetensors_find(&file[i], name);
        assert_non_null(t[i]);
        mdf_free(path);
        mdf_free(dir);
    }
    const bool same =
        t[0]->bytes == t[1]->bytes && memcmp(t[0]->data, t[1]->data, t[0]->bytes) == 0;
    mdf_safetensors_close(&file[0]);
    mdf_safetensors_close(&file[1]);
    return same;
}

/* By name, and by what a name begins with: unet.enc is all levels, and not unet.encoder. */
static void frozen_weights_stay(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch w = {0};
    char *from = in_root("whole");
    const char *const set[] = {"epochs=1", "freeze=unet.enc,lm_head.weight", "ema=0.5", NULL};
    init_dir = from;
    must(train("frozen", set, "val", false, &w, &err), &err);
    assert_true(same_tensor("whole", "frozen", "unet.enc.1.conv1.weight"));
    assert_true(same_tensor("whole", "frozen", "unet.enc.4.norm2.bias"));
    assert_true(same_tensor("whole", "frozen", "lm_head.weight"));
    assert_false(same_tensor("whole", "frozen", "unet.mid.conv1.weight"));
    assert_false(same_tensor("whole", "frozen", "model.language_model.embed_tokens.weight"));
    const char *const none[] = {"freeze=unet.en", NULL};
    assert_int_equal(train("frozen2", none, "val", false, &w, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "\"unet.en\""));
    init_dir = NULL;
    mdf_free(from);
}

/* Writes NaN over all moments in a run's checkpoint, as a broken disk or program might. */
static void poison_moments(const char *run)
{
    static const char prefix[] = "optimizer.state.";
    mdf_error err = {0};
    mdf_safetensors file;
    char *dir = in_root(run);
    char *path = mdf_path_join(dir, "checkpoint.safetensors");
    must(mdf_safetensors_open(&file, path, &err), &err);
    FILE *f = fopen(path, "r+b");
    const float nan = NAN;
    size_t written = 0;
    assert_non_null(f);
    for (size_t i = 0; i < file.count; i++) {
        const mdf_st_tensor *t = &file.tensor[i];
        if (strncmp(t->name, prefix, strlen(prefix)) != 0) {
            continue;
        }
        assert_int_equal(fseek(f, (long)(t->data - file.map.data), SEEK_SET), 0);
        for (size_t j = 0; j < t->bytes / sizeof nan; j++) {
            assert_int_equal(fwrite(&nan, sizeof nan, 1, f), 1);
            written++;
        }
    }
    assert_true(written > 0);
    assert_int_equal(fclose(f), 0);
    mdf_safetensors_close(&file);
    mdf_free(path);
    mdf_free(dir);
}

static void a_loss_that_is_no_number_ends_the_run(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch part = {.stop_at = 1};
    watch rest = {0};
    assert_int_equal(train("nan", NULL, "val", false, &part, &err), MDF_ERR_STOPPED);
    poison_moments("nan");
    uint8_t *before = NULL;
    uint8_t *after = NULL;
    size_t n = 0;
    size_t m = 0;
    read_file("nan", "checkpoint.safetensors", &before, &n);
    assert_int_equal(train("nan", NULL, "val", true, &rest, &err), MDF_ERR_NUMERIC);
    assert_non_null(strstr(err.text, "not a number")); /* of the next loss, or of a score */
    read_file("nan", "checkpoint.safetensors", &after, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    mdf_free(before);
    mdf_free(after);
}

/* Sums over chunks are added in a fixed order, oneDNN's may differ: a few hundred roundings. */
static void one_and_two_threads_agree(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch one = {0};
    watch two = {0};
    const char *const set[] = {"epochs=1", NULL};
    mdf_set_threads(1);
    must(train("one", set, "val", false, &one, &err), &err);
    mdf_set_threads(2);
    must(train("two", set, "val", false, &two, &err), &err);
    assert_true(fabs(one.val_loss - two.val_loss) < 1e-4 * fabs(one.val_loss));
}

/* No AUC can be computed: the epochs are compared all the same, by the loss, and the run says so.
 */
static void a_validation_of_one_label_chooses_by_the_loss(void **state)
{
    (void)state;
    mdf_error err = {0};
    json_t *rows = NULL;
    watch w = {0};
    const mdf_manifest all = cases;
    mdf_manifest_case *item = mdf_alloc(all.case_count, sizeof *item);
    size_t n = 0;
    bool first = true;
    double best = (double)INFINITY;
    assert_non_null(item);
    for (size_t i = 0; i < all.case_count; i++) {
        const mdf_manifest_case *c = &all.cases[i];
        if (strcmp(c->split, "val") != 0 || strcmp(all.labels[c->label], "dr") == 0) {
            item[n++] = *c;
        }
    }
    assert_true(n < all.case_count); /* there was another label to be taken away */
    cases.cases = item;
    cases.case_count = n;
    const char *const set[] = {"epochs=4", NULL};
    must(train("one_label", set, "val", false, &w, &err), &err);
    cases = all;
    mdf_free(item);
    assert_non_null(strstr(w.note, "\"val\": all its cases have the label dr"));
    assert_non_null(strstr(w.note, "validation loss chooses"));
    char *dir = in_root("one_label");
    char *path = mdf_path_join(dir, "metrics.jsonl");
    must(mdf_jsonl_read(&rows, path, &err), &err);
    assert_int_equal(json_array_size(rows), 4);
    for (size_t i = 0; i < 4; i++) {
        const json_t *row = json_array_get(rows, i);
        const double loss = json_real_value(json_object_get(row, "val_loss"));
        assert_string_equal(json_string_value(json_object_get(row, "monitor")), "loss");
        assert_true(json_is_null(json_object_get(row, "val_macro_auc")));
        assert_int_equal(json_is_true(json_object_get(row, "best")), first || loss < best);
        best = first || loss < best ? loss : best;
        first = false;
    }
    json_decref(rows);
    mdf_free(path);
    mdf_free(dir);
}

/* "evaluations without improvement": nothing is learnt, so the first evaluation stays the best. */
static void patience_counts_evaluations(void **state)
{
    (void)state;
    mdf_error err = {0};
    json_t *rows = NULL;
    watch w = {0};
    const char *const set[] = {"epochs=12",   "lr=0",         "lr_unet=0",
                               "lr_vision=0", "lr_fusion=0",  "weight_decay=0",
                               "patience=2",  "eval_every=2", NULL};
    must(train("patient", set, "val", false, &w, &err), &err);
    char *dir = in_root("patient");
    char *path = mdf_path_join(dir, "metrics.jsonl");
    must(mdf_jsonl_read(&rows, path, &err), &err);
    assert_int_equal(json_array_size(rows), 3); /* epochs 2, 4 and 6 */
    json_decref(rows);
    mdf_free(path);
    mdf_free(dir);
}

/* Scores of two kinds can't be compared: the best epoch would stay, or go, by chance. */
static void a_run_is_resumed_by_the_same_monitor(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch w = {0};
    const char *const set[] = {"ema=0.9", "dropout=0.1", "epochs=3", "monitor=loss", NULL};
    assert_int_equal(train("whole", set, "val", true, &w, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "chosen by macro_auc, which can't be compared with loss"));
}

static void a_validation_without_a_label_of_the_model_is_refused(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch w = {0};
    const char *const set[] = {"answer_config.labels=[\"amd\",\"glaucoma\"]", NULL};
    assert_int_equal(train("none", set, "val", false, &w, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "split \"val\": no case has one of the model's labels"));
    assert_int_equal(train("none", NULL, "validation", false, &w, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "the splits are"));
}

static void every_control_trains(void **state)
{
    (void)state;
    static const char *const control[][3] = {{"use_image=false", "epochs=1", NULL},
                                             {"use_text=false", "epochs=1", NULL},
                                             {"use_unet=false", "epochs=1", NULL},
                                             {"fusion_config.map=[]", "epochs=1", NULL}};
    for (size_t i = 0; i < 4; i++) {
        char run[16];
        mdf_error err = {0};
        watch w = {0};
        (void)snprintf(run, sizeof run, "control%zu", i);
        must(train(run, control[i], "val", false, &w, &err), &err);
        assert_true(isfinite(w.val_loss));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_run_resumes_to_the_same_bits),
        cmocka_unit_test(a_run_is_resumed_by_its_optimiser),
        cmocka_unit_test(a_run_is_not_overwritten),
        cmocka_unit_test(a_folder_has_one_training_at_a_time),
        cmocka_unit_test(a_run_begins_with_given_weights),
        cmocka_unit_test(frozen_weights_stay),
        cmocka_unit_test(a_checkpoint_of_another_model_is_refused_by_name),
        cmocka_unit_test(a_loss_that_is_no_number_ends_the_run),
        cmocka_unit_test(one_and_two_threads_agree),
        cmocka_unit_test(a_validation_of_one_label_chooses_by_the_loss),
        cmocka_unit_test(patience_counts_evaluations),
        cmocka_unit_test(a_run_is_resumed_by_the_same_monitor),
        cmocka_unit_test(a_validation_without_a_label_of_the_model_is_refused),
        cmocka_unit_test(every_control_trains),
    };
    return cmocka_run_group_tests_name("trainer", tests, set_up, tear_down);
}
