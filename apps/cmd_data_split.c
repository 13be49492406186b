/* mdf data split: sides by patient, stratified by class. */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "data.h"
#include "data/split.h"

typedef struct split_flags {
    double val;
    double test;
    bool replace;
    const char *out;
} split_flags;

static const arg_option options[] = {
    {.name = "val",
     .kind = ARG_DOUBLE,
     .offset = offsetof(split_flags, val),
     .metavar = "SHARE",
     .fallback = "0.15",
     .min = 0.0,
     .max = 0.9,
     .help = "share of the patients for validation"},
    {.name = "test",
     .kind = ARG_DOUBLE,
     .offset = offsetof(split_flags, test),
     .metavar = "SHARE",
     .fallback = "0.15",
     .min = 0.0,
     .max = 0.9,
     .help = "share of the patients for the test"},
    {.name = "replace",
     .kind = ARG_FLAG,
     .offset = offsetof(split_flags, replace),
     .help = "replace the splits that the data has already"},
    {.name = "out",
     .letter = 'o',
     .kind = ARG_STRING,
     .offset = offsetof(split_flags, out),
     .metavar = "FOLDER",
     .help = "write the table to FOLDER and leave DIR as it is"},
};

/* The sides with a share, in the order train, val, test. */
typedef struct sides {
    const char *names[3];
    double shares[3];
    size_t count;
} sides;

static void add_side(sides *s, const char *name, double share)
{
    if (share > 0.0) {
        s->names[s->count] = name;
        s->shares[s->count] = share;
        s->count++;
    }
}

static mdf_status print_counts(const app *a, const mdf_manifest *m, const sides *s, mdf_error *err)
{
    if (a->json) {
        json_t *doc = json_object();
        for (size_t i = 0; i < s->count; i++) {
            const json_int_t n = (json_int_t)mdf_manifest_count(m, s->names[i]);
            if (doc != NULL && json_object_set_new(doc, s->names[i], json_integer(n)) != 0) {
                json_decref(doc);
                doc = NULL;
            }
        }
        return app_print_json(doc, err);
    }
    for (size_t i = 0; i < s->count; i++) {
        (void)printf("%-5s %zu cases\n", s->names[i], mdf_manifest_count(m, s->names[i]));
    }
    return MDF_OK;
}

/* FOLDER/metadata.csv and, where there are boxes, boxes.csv, which must not be there yet. */
static mdf_status write_elsewhere(const split_flags *f, const mdf_manifest *m, mdf_error *err)
{
    MDF_TRY(mdf_make_dirs(f->out, err));
    char *path = mdf_path_join(f->out, "metadata.csv");
    char *boxes = mdf_path_join(f->out, MDF_BOXES_FILE);
    mdf_status status = MDF_OK;
    if (path == NULL || boxes == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", f->out);
    } else if (mdf_path_exists(path) || mdf_path_exists(boxes)) {
        status = mdf_fail(err, MDF_ERR_ARG, "%s: there is a table already",
                          mdf_path_exists(path) ? path : boxes);
    } else {
        status = mdf_split_export(m, path, err);
    }
    mdf_free(path);
    mdf_free(boxes);
    return status;
}

static mdf_status assign(const app *a, mdf_manifest *m, const sides *s, mdf_error *err)
{
    return mdf_split_assign(
        m,
        &(mdf_split_options){
            .names = s->names, .shares = s->shares, .count = s->count, .seed = (uint64_t)a->seed},
        err);
}

/* The data has a train split, and of val and test what it has stays: what is missing comes out of
 * train. False: it has all, or splits of other names. */
static bool missing_sides(const mdf_manifest *m, const split_flags *f, sides *s)
{
    const size_t train = mdf_manifest_count(m, "train");
    const size_t val = mdf_manifest_count(m, "val");
    const size_t test = mdf_manifest_count(m, "test");
    const double more = (val == 0 ? f->val : 0) + (test == 0 ? f->test : 0);
    if (train == 0 || train + val + test != m->case_count || more <= 0) {
        return false;
    }
    add_side(s, "train", 1.0 - more);
    add_side(s, "val", val == 0 ? f->val : 0);
    add_side(s, "test", test == 0 ? f->test : 0);
    return true;
}

/* The side of that name, as a string that stays. */
static const char *side_name(const sides *s, const char *name)
{
    size_t i = 0;
    while (i + 1 < s->count && strcmp(s->names[i], name) != 0) {
        i++;
    }
    return s->names[i];
}

/* Splits the cases of train, and no others. */
static mdf_status split_train(const app *a, mdf_manifest *m, const sides *s, mdf_error *err)
{
    mdf_manifest train = {0};
    MDF_TRY(mdf_manifest_copy(&train, m, err));
    mdf_status status = mdf_manifest_keep_split(&train, "train", err);
    if (status == MDF_OK) {
        status = assign(a, &train, s, err);
    }
    size_t n = 0;
    for (size_t i = 0; status == MDF_OK && i < m->case_count; i++) {
        if (strcmp(m->cases[i].split, "train") == 0) {
            m->cases[i].split = side_name(s, train.cases[n++].split);
        }
    }
    mdf_manifest_free(&train);
    return status;
}

static mdf_status split_manifest(app *a, const split_flags *f, mdf_manifest *m, mdf_error *err)
{
    sides all = {.count = 0};
    sides missing = {.count = 0};
    const size_t free_cases = mdf_manifest_count(m, "");
    add_side(&all, "train", 1.0 - f->val - f->test);
    add_side(&all, "val", f->val);
    add_side(&all, "test", f->test);
    if (f->replace || free_cases == m->case_count) {
        MDF_TRY(assign(a, m, &all, err));
    } else if (missing_sides(m, f, &missing)) {
        app_say(a, "%s: the splits that it has stay; what is missing comes out of train",
                m->dirs[0]);
        MDF_TRY(split_train(a, m, &missing, err));
    } else {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: %zu of %zu cases have a split already; --replace "
                        "replaces it",
                        m->dirs[0], m->case_count - free_cases, m->case_count);
    }
    MDF_TRY(f->out == NULL ? mdf_split_write(m, 0, err) : write_elsewhere(f, m, err));
    return print_counts(a, m, &all, err);
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const split_flags *f = flags;
    mdf_manifest m = {0};
    if (f->val + f->test >= 1.0) {
        return app_usage(a, err, "--val and --test leave nothing to train on");
    }
    MDF_TRY(app_load_data(a, &m, a->operands.item, 1, MDF_NOTE_ALWAYS, err));
    const mdf_status status = split_manifest(a, f, &m, err);
    mdf_manifest_free(&m);
    return status;
}

const app_command app_data_split = {
    .name = "data split",
    .summary = "split a data set by patient",
    .description =
        "Writes the split column of DIR's table: train, val and test, stratified by class. All\n"
        "pictures of a patient land on one side. A folder of class folders gets a metadata.csv.\n"
        "Where there is a train split but no val or no test, only the missing one is drawn, out "
        "of\n"
        "train.\n"
        "With --out the table, with absolute names, goes to another folder, which is a data set "
        "then.",
    .example = "  mdf data split --val 0.1 --test 0.2 photos\n"
               "  mdf data split --out runs/split photos",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(split_flags),
    .operand = {"DIR", 1, 1, "data set: metadata.csv, metadata.jsonl or class folders"},
    .run = run,
};
