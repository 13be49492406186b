/* Whole trainings of a very small model on phantoms: learning, resuming, threads, failures. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "data/phantom.h"
#include "engine/engine.h"
#include "io/safetensors.h"
#include "train/trainer.h"

static char root[] = "/tmp/mdf_trainer_XXXXXX";
static mdf_manifest cases;

static void must(mdf_status status, const mdf_error *err)
{
    if (status != MDF_OK) {
        fail_msg("%s", err->text);
    }
}

static char *in_root(const char *name)
{
    char *path = mdf_path_join(root, name);
    assert_non_null(path);
    return path;
}

/* The tiny preset made smaller; further settings by `set`, ended by NULL. */
static mdf_config *config(const char *const *set)
{
    static const char *const small[] = {"unet_config.image_size=32",
                                        "fusion_config.grid=4",
                                        "fusion_config.cells=1",
                                        "text_config.hidden_size=32",
                                        "text_config.intermediate_size=64",
                                        "vision_config.image_size=28",
                                        "batch_size=4",
                                        "epochs=2",
                                        NULL};
    mdf_error err = {0};
    mdf_config *c = mdf_alloc(1, sizeof *c);
    assert_non_null(c);
    must(mdf_config_load(c, MDF_TEST_DATA "/../presets/tiny.json", &err), &err);
    for (size_t i = 0; small[i] != NULL; i++) {
        must(mdf_config_set(c, small[i], &err), &err);
    }
    for (size_t i = 0; set != NULL && set[i] != NULL; i++) {
        must(mdf_config_set(c, set[i], &err), &err);
    }
    return c;
}

typedef struct watch {
    volatile sig_atomic_t stop;
    size_t stop_at; /* step after which to stop; 0 = never */
    double val_loss, val_auc;
} watch;

static void on_event(void *user, const mdf_train_event *e)
{
    watch *w = user;
    if (w->stop_at > 0 && strcmp(e->phase, "train") == 0 && e->done >= w->stop_at) {
        w->stop = 1;
    }
    if (e->epoch_end) {
        w->val_loss = e->val_loss;
        w->val_auc = e->val_auc;
    }
}

static mdf_status train(const char *run, const char *const *set, const char *val, bool resume,
                        watch *w, mdf_error *err)
{
    mdf_config *c = config(set);
    char *dir = in_root(run);
    mdf_train_summary summary;
    const mdf_status status = mdf_train(&(mdf_train_options){.config = c,
                                                             .manifest = &cases,
                                                             .train_split = "train",
                                                             .val_split = val,
                                                             .out_dir = dir,
                                                             .resume = resume,
                                                             .progress = on_event,
                                                             .user = w,
                                                             .stop = &w->stop},
                                        &summary, err);
    mdf_free(dir);
    mdf_free(c);
    return status;
}

static void read_file(const char *run, const char *name, uint8_t **bytes, size_t *len)
{
    mdf_error err = {0};
    char *dir = in_root(run);
    char *path = mdf_path_join(dir, name);
    must(mdf_file_read(path, (size_t)1 << 30, bytes, len, &err), &err);
    mdf_free(path);
    mdf_free(dir);
}

static void assert_same_file(const char *a, const char *b, const char *name)
{
    uint8_t *x = NULL;
    uint8_t *y = NULL;
    size_t n = 0;
    size_t m = 0;
    read_file(a, name, &x, &n);
    read_file(b, name, &y, &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    mdf_free(x);
    mdf_free(y);
}

/* Trained and looked at on the same cases without augmentation: a model that can learn at all gets
 * their negative log-likelihood near zero. 0.05 is a mean probability of 0.95 for the right label.
 */
static void a_few_cases_are_learnt_by_heart(void **state)
{
    (void)state;
    const char *const set[] = {"epochs=80",       "label_smoothing=0",  "lm_weight=0",
                               "mask_weight=0",   "augment.rotate=0",   "augment.scale=0",
                               "augment.shift=0", "augment.flip=false", "augment.color=0",
                               "weight_decay=0",  "eval_every=80",      NULL};
    mdf_error err = {0};
    watch w = {0};
    must(train("heart", set, "train", false, &w, &err), &err);
    assert_true(w.val_loss < 0.05);
}

static void a_stopped_run_resumes_to_the_same_bits(void **state)
{
    (void)state;
    const char *const set[] = {"ema=0.9", "dropout=0.1", NULL};
    mdf_error err = {0};
    watch whole = {0};
    watch part = {.stop_at = 3}; /* in the middle of an epoch */
    watch rest = {0};
    must(train("whole", set, "val", false, &whole, &err), &err);
    assert_int_equal(train("parts", set, "val", false, &part, &err), MDF_ERR_STOPPED);
    assert_non_null(strstr(err.text, "--resume"));
    must(train("parts", set, "val", true, &rest, &err), &err);
    assert_same_file("whole", "parts", "model.safetensors");
    assert_same_file("whole", "parts", "checkpoint.safetensors");
}

static void a_run_is_not_overwritten(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch w = {0};
    assert_int_equal(train("whole", NULL, "val", false, &w, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "--resume"));
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

/* Writes NaN over the first moments in a run's checkpoint, as a broken disk or program might. */
static void poison_moments(const char *run)
{
    mdf_error err = {0};
    mdf_safetensors file;
    char *dir = in_root(run);
    char *path = mdf_path_join(dir, "checkpoint.safetensors");
    must(mdf_safetensors_open(&file, path, &err), &err);
    const mdf_st_tensor *m = mdf_safetensors_find(&file, "optimizer.m");
    assert_non_null(m);
    const long at = (long)(m->data - file.map.data);
    const size_t count = m->count;
    mdf_safetensors_close(&file);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    const float nan = NAN;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fwrite(&nan, sizeof nan, 1, f), 1);
    }
    assert_int_equal(fclose(f), 0);
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

static int set_up(void **state)
{
    (void)state;
    mdf_error err = {0};
    const mdf_phantom_label labels[] = {MDF_PHANTOM_NORMAL, MDF_PHANTOM_DR};
    assert_non_null(mkdtemp(root));
    char *data = in_root("data");
    must(mdf_phantom_write(
             data,
             &(mdf_phantom_options){
                 .patients = 8, .side_px = 32, .seed = 5, .labels = labels, .label_count = 2},
             NULL, NULL, &err),
         &err);
    const char *dirs[] = {data};
    must(mdf_manifest_load(&cases, dirs, 1, &err), &err);
    mdf_free(data);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[64];
    mdf_manifest_free(&cases);
    (void)snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_cases_are_learnt_by_heart),
        cmocka_unit_test(a_stopped_run_resumes_to_the_same_bits),
        cmocka_unit_test(a_run_is_not_overwritten),
        cmocka_unit_test(a_checkpoint_of_another_model_is_refused_by_name),
        cmocka_unit_test(a_loss_that_is_no_number_ends_the_run),
        cmocka_unit_test(one_and_two_threads_agree),
        cmocka_unit_test(every_control_trains),
    };
    return cmocka_run_group_tests_name("trainer", tests, set_up, tear_down);
}
