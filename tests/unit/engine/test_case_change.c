/* What another form of a model changes in its answers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/case_change.h"
#include "engine/session.h"
#include "support/eye.h"
#include "support/folder.h"
#include "support/near.h"

#define MODEL MDF_TEST_DATA "/golden/model"
#define ASK   MDF_TEST_DATA "/golden/ask/"

static void expect_change(const mdf_change *c, const double want[6], size_t changed)
{
    assert_near(c->max, want[0], 1e-9);
    assert_near(c->rms, want[1], 1e-9);
    assert_near(c->deviation, want[2], 1e-9);
    assert_near(c->prob_max, want[3], 1e-9);
    assert_near(c->prob_rms, want[4], 1e-9);
    assert_near(c->kl, want[5], 1e-9);
    assert_int_equal(c->changed, changed);
}

/* By NumPy: softmax and p log(p/q) as they stand in textbooks, at temperatures 1 and 2. */
static void changes_are_those_that_numpy_computes(void **state)
{
    (void)state;
    float x[] = {1, 2, 0.5F, 0, -1, 3};
    float y[] = {1.5F, 1, 2.5F, 0, -1, 3.25F};
    const mdf_case_numbers a = {2, 3, 3, x, x, 2};
    const mdf_case_numbers b = {2, 3, 3, y, y, 7};
    mdf_case_change c;
    mdf_error err = {0};
    assert_int_equal(mdf_case_change_of(&c, &a, &b, NULL), MDF_OK);
    assert_int_equal(c.cases, 2);
    assert_int_equal(c.labels, 3);
    expect_change(&c.token,
                  (const double[]){2.0, 0.9409658158863512, 1.2801909579781015, 0.4882873360456741,
                                   0.28199801226041804, 0.36708347585185636},
                  1);
    expect_change(&c.label,
                  (const double[]){2.0, 0.9409658158863512, 1.2801909579781015, 0.25380449023558915,
                                   0.14701605252291625, 0.09592037533054944},
                  1);
    assert_int_equal(mdf_case_change_of(&c, &a, &a, NULL), MDF_OK);
    assert_true(c.token.max <= 0 && c.label.rms <= 0 && c.label.kl <= 0 && c.label.changed == 0);
    const mdf_case_numbers other = {2, 3, 2, y, y, 7};
    assert_int_equal(mdf_case_change_of(&c, &a, &other, &err), MDF_ERR_SHAPE);
    assert_string_equal(err.text,
                        "2 cases, 3 tokens and 3 labels can't be compared with 2, 3 and 2");
}

typedef struct fixture {
    test_folder folder;
    mdf_manifest manifest;
} fixture;

/* Three photographs with texts. */
static void make_cases(fixture *f)
{
    char path[256];
    mdf_error err = {0};
    test_folder_make(&f->folder);
    (void)snprintf(path, sizeof path, "%s/metadata.csv", f->folder.path);
    FILE *table = fopen(path, "w");
    assert_non_null(table);
    (void)fputs("file_name,text\n0.png,63-year-old female.\n1.png,\n2.png,Left eye.\n", table);
    (void)fclose(table);
    for (int i = 0; i < 3; i++) {
        mdf_image eye = {0};
        assert_int_equal(mdf_image_new(&eye, 120, 100, NULL), MDF_OK);
        eye_draw(&eye, 60 + i, 50, 40 + i, 1.0);
        (void)snprintf(path, sizeof path, "%s/%d.png", f->folder.path, i);
        assert_int_equal(mdf_png_write(path, eye.rgb, eye.width, eye.height, 3, NULL), MDF_OK);
        mdf_image_free(&eye);
    }
    const char *dir = f->folder.path;
    if (mdf_manifest_load(&f->manifest, &dir, 1, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
}

static void remove_cases(fixture *f)
{
    mdf_manifest_free(&f->manifest);
    test_folder_remove(&f->folder);
}

static void label_scores_are_those_of_classifying(void **state)
{
    (void)state;
    fixture f;
    mdf_engine *engine = NULL;
    mdf_session *session = NULL;
    mdf_case_numbers n;
    make_cases(&f);
    assert_int_equal(mdf_case_numbers_get(
                         &n, &(mdf_case_run){.model_dir = MODEL, .manifest = &f.manifest}, NULL),
                     MDF_OK);
    assert_int_equal(n.cases, 3);
    assert_int_equal(mdf_engine_open(&engine, &(mdf_engine_options){.model_dir = MODEL}, NULL),
                     MDF_OK);
    assert_int_equal(mdf_session_new(&session, engine, NULL), MDF_OK);
    assert_int_equal(n.labels, mdf_engine_label_count(engine));
    for (size_t i = 0; i < n.cases; i++) {
        const mdf_manifest_case *c = &f.manifest.cases[i];
        uint8_t *bytes = NULL;
        mdf_result r;
        mdf_case one = {.name = c->path, .text = c->text};
        assert_int_equal(mdf_file_read(c->path, 1 << 20, &bytes, &one.image_bytes, NULL), MDF_OK);
        one.image = bytes;
        assert_int_equal(mdf_session_classify(session, &one, &r, NULL), MDF_OK);
        const float *score = n.score + i * n.labels;
        for (int k = 1; k < r.label_count; k++) {
            const double ratio = log((double)r.prob[k] / (double)r.prob[0]);
            assert_near((double)(score[k] - score[0]) / n.temperature, ratio, 2e-4);
        }
        mdf_free(bytes);
    }
    mdf_session_free(session);
    mdf_engine_close(engine);
    mdf_case_numbers_free(&n);
    remove_cases(&f);
}

static bool stop_at_two(void *user, size_t done, size_t total)
{
    (void)user;
    assert_int_equal(total, 2);
    return done < 2;
}

static void cases_can_be_fewer_and_stopped(void **state)
{
    (void)state;
    fixture f;
    mdf_case_numbers all;
    mdf_case_numbers two;
    mdf_error err = {0};
    make_cases(&f);
    mdf_case_run run = {.model_dir = ASK "vision", .manifest = &f.manifest};
    assert_int_equal(mdf_case_numbers_get(&all, &run, NULL), MDF_OK);
    assert_int_equal(all.labels, 0);
    assert_int_equal(all.vocabulary, 679);
    run.limit = 2; /* the first and the second: 0 * 3 / 2, 1 * 3 / 2 */
    assert_int_equal(mdf_case_numbers_get(&two, &run, NULL), MDF_OK);
    assert_int_equal(two.cases, 2);
    assert_memory_equal(two.logit, all.logit, 2 * all.vocabulary * sizeof *all.logit);
    mdf_case_numbers_free(&two);
    run.progress = stop_at_two;
    assert_int_equal(mdf_case_numbers_get(&two, &run, &err), MDF_ERR_STOPPED);
    assert_string_equal(err.text, "stopped after 2 of 2 cases");
    mdf_case_numbers_free(&all);
    run = (mdf_case_run){.model_dir = ASK "text", .manifest = &f.manifest};
    assert_int_equal(mdf_case_numbers_get(&all, &run, NULL), MDF_OK); /* reads the texts only */
    assert_int_equal(all.cases, 3);
    mdf_case_numbers_free(&all);
    remove_cases(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_those_that_numpy_computes),
        cmocka_unit_test(label_scores_are_those_of_classifying),
        cmocka_unit_test(cases_can_be_fewer_and_stopped),
    };
    return cmocka_run_group_tests_name("engine/case_change", tests, NULL, NULL);
}
