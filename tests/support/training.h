/* Whole trainings of a very small model on phantoms, in a folder of its own below /tmp. */
#ifndef MDF_TEST_TRAINING_H
#define MDF_TEST_TRAINING_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "phantom/phantom.h"
#include "train/trainer.h"

static char root[] = "/tmp/mdf_trainer_XXXXXX";
static mdf_manifest cases;
static const char *init_dir; /* of the runs to come; NULL: they begin with random weights */

static inline void must(mdf_status status, const mdf_error *err)
{
    if (status != MDF_OK) {
        fail_msg("%s", err->text);
    }
}

static inline char *in_root(const char *name)
{
    char *path = mdf_path_join(root, name);
    assert_non_null(path);
    return path;
}

/* The tiny preset made smaller; further settings by `set`, ended by NULL. */
static inline mdf_config *config(const char *const *set)
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
    char note[1024]; /* all that was said, one after the other */
} watch;

static inline void on_note(void *user, const char *text)
{
    watch *w = user;
    const size_t n = strlen(w->note);
    (void)snprintf(w->note + n, sizeof w->note - n, "%s\n", text);
}

static inline void on_event(void *user, const mdf_train_event *e)
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

static inline mdf_status train(const char *run, const char *const *set, const char *val,
                               bool resume, watch *w, mdf_error *err)
{
    mdf_config *c = config(set);
    char *dir = in_root(run);
    mdf_train_summary summary;
    const mdf_status status = mdf_train(&(mdf_train_options){.config = c,
                                                             .manifest = &cases,
                                                             .train_split = "train",
                                                             .val_split = val,
                                                             .out_dir = dir,
                                                             .init_dir = init_dir,
                                                             .resume = resume,
                                                             .progress = on_event,
                                                             .note = on_note,
                                                             .user = w,
                                                             .stop = &w->stop},
                                        &summary, err);
    mdf_free(dir);
    mdf_free(c);
    return status;
}

/* Caller frees *bytes. */
static inline void read_file(const char *run, const char *name, uint8_t **bytes, size_t *len)
{
    mdf_error err = {0};
    char *dir = in_root(run);
    char *path = mdf_path_join(dir, name);
    must(mdf_file_read(path, (size_t)1 << 30, bytes, len, &err), &err);
    mdf_free(path);
    mdf_free(dir);
}

static inline void assert_same_file(const char *a, const char *b, const char *name)
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

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
{
    (void)state;
    char command[64];
    mdf_manifest_free(&cases);
    (void)snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

#endif
