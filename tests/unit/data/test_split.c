/* Splits: patients stay whole, shares hold class by class, tables keep their other columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "data/split.h"
#include "support/folder.h"

static const char *const names[] = {"train", "val", "test"};
static const double shares[] = {0.7, 0.1, 0.2};

enum { PATIENTS = 100, CLASSES = 4 };

/* 100 patients of two eyes, 40, 30, 20 and 10 of a class; both eyes have the same. */
static void make(test_folder *f, mdf_manifest *m)
{
    static const int last[CLASSES] = {40, 70, 90, 100};
    test_folder_make(f);
    test_put(f, "a.jpg", "");
    char *text = mdf_alloc(1 << 16, 1);
    size_t n = (size_t)snprintf(text, 1 << 16, "file_name,age,label,patient_id\n");
    for (int i = 0; i < 2 * PATIENTS; i++) {
        const int p = i % PATIENTS; /* the eyes are far apart in the table */
        int k = 0;
        while (p >= last[k]) {
            k++;
        }
        n +=
            (size_t)snprintf(text + n, (1 << 16) - n, "a.jpg,\"%d,5\",class%d,P%d\n", 20 + p, k, p);
    }
    test_put(f, "metadata.csv", text);
    mdf_free(text);
    const char *const dirs[] = {f->path};
    assert_int_equal(mdf_manifest_load(m, dirs, 1, NULL), MDF_OK);
}

static void assign(mdf_manifest *m, uint64_t seed)
{
    const mdf_split_options o = {.names = names, .shares = shares, .count = 3, .seed = seed};
    assert_int_equal(mdf_split_assign(m, &o, NULL), MDF_OK);
}

static void both_eyes_are_on_one_side_and_shares_hold_in_every_class(void **state)
{
    (void)state;
    test_folder f;
    mdf_manifest m;
    make(&f, &m);
    assign(&m, 1);
    int count[CLASSES][3] = {{0}};
    int total[CLASSES] = {0};
    for (size_t i = 0; i < m.case_count; i++) {
        const mdf_manifest_case *c = &m.cases[i];
        assert_string_equal(c->split, m.cases[(i + PATIENTS) % (2 * PATIENTS)].split);
        for (int s = 0; s < 3; s++) {
            count[c->label][s] += strcmp(c->split, names[s]) == 0 ? 1 : 0;
        }
        total[c->label]++;
    }
    for (int k = 0; k < CLASSES; k++) {
        for (int s = 0; s < 3; s++) {
            const double lack = shares[s] * total[k] - count[k][s];
            assert_true(lack > -2.001 && lack < 2.001); /* one patient has two cases */
        }
    }
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void the_seed_decides(void **state)
{
    (void)state;
    test_folder f;
    mdf_manifest a;
    mdf_manifest b;
    make(&f, &a);
    assert_int_equal(mdf_manifest_copy(&b, &a, NULL), MDF_OK);
    assign(&a, 5);
    assign(&b, 5);
    for (size_t i = 0; i < a.case_count; i++) {
        assert_string_equal(a.cases[i].split, b.cases[i].split);
    }
    assign(&b, 6);
    size_t different = 0;
    for (size_t i = 0; i < a.case_count; i++) {
        different += strcmp(a.cases[i].split, b.cases[i].split) != 0 ? 1 : 0;
    }
    /* Two random splits agree in 0.7^2 + 0.1^2 + 0.2^2 = 54 % of the patients. */
    assert_true(different > 50);
    mdf_manifest_free(&a);
    mdf_manifest_free(&b);
    test_folder_remove(&f);
}

static void bad_shares_are_refused(void **state)
{
    (void)state;
    static const double short_of_one[] = {0.7, 0.1, 0.1};
    static const double negative[] = {1.1, -0.3, 0.2};
    test_folder f;
    mdf_manifest m;
    make(&f, &m);
    mdf_error err = {0};
    mdf_split_options o = {.names = names, .shares = short_of_one, .count = 3};
    assert_int_equal(mdf_split_assign(&m, &o, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "the shares of the split sum to 0.9, not to 1");
    o.shares = negative;
    assert_int_equal(mdf_split_assign(&m, &o, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "the share of train must lie between 0 and 1");
    o.count = 0;
    assert_int_equal(mdf_split_assign(&m, &o, &err), MDF_ERR_ARG);
    assert_string_equal(m.cases[0].split, "");
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void the_table_gets_the_column_and_keeps_the_others(void **state)
{
    (void)state;
    test_folder f;
    mdf_manifest m;
    make(&f, &m);
    assign(&m, 2);
    assert_int_equal(mdf_split_write(&m, 0, NULL), MDF_OK);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/metadata.csv", f.path);
    uint8_t *data = NULL;
    size_t len = 0;
    assert_int_equal(mdf_file_read(path, 1 << 20, &data, &len, NULL), MDF_OK);
    char want[128];
    (void)snprintf(want, sizeof want,
                   "file_name,age,label,patient_id,split\na.jpg,\"20,5\",class0,P0,%s\n",
                   m.cases[0].split);
    assert_memory_equal(data, want, strlen(want));
    mdf_free(data);
    mdf_manifest again;
    const char *const dirs[] = {f.path};
    assert_int_equal(mdf_manifest_load(&again, dirs, 1, NULL), MDF_OK);
    for (size_t i = 0; i < m.case_count; i++) {
        assert_string_equal(again.cases[i].split, m.cases[i].split);
    }
    mdf_manifest_free(&again);
    test_put(&f, "metadata.csv", "file_name\na.jpg\n"); /* changed behind our back */
    mdf_error err = {0};
    assert_int_equal(mdf_split_write(&m, 0, &err), MDF_ERR_FORMAT);
    assert_non_null(strstr(err.text, "metadata.csv: the table is not the one that was split"));
    assert_int_equal(mdf_file_read(path, 1 << 20, &data, &len, NULL), MDF_OK);
    assert_string_equal((const char *)data, "file_name\na.jpg\n");
    mdf_free(data);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void json_lines_and_class_folders_are_written_too(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "a.jpg", "");
    test_put(&f, "metadata.jsonl", "\xEF\xBB\xBF{\"file_name\":\"a.jpg\",\"box\":[1,2]}\n");
    const char *const dirs[] = {f.path};
    const mdf_split_options all = {.names = names, .shares = (double[]){1}, .count = 1};
    mdf_manifest m;
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, NULL), MDF_OK);
    assert_int_equal(mdf_split_assign(&m, &all, NULL), MDF_OK);
    assert_int_equal(mdf_split_write(&m, 0, NULL), MDF_OK);
    mdf_manifest_free(&m);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/metadata.jsonl", f.path);
    uint8_t *data = NULL;
    size_t len = 0;
    assert_int_equal(mdf_file_read(path, 1 << 20, &data, &len, NULL), MDF_OK);
    assert_string_equal((const char *)data,
                        "{\"file_name\":\"a.jpg\",\"box\":[1,2],\"split\":\"train\"}\n");
    mdf_free(data);
    test_folder_remove(&f);
    test_folder_make(&f);
    test_put(&f, "dr/a.jpg", "");
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, NULL), MDF_OK);
    assert_int_equal(mdf_split_assign(&m, &all, NULL), MDF_OK);
    assert_int_equal(mdf_split_write(&m, 0, NULL), MDF_OK);
    mdf_manifest_free(&m);
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, NULL), MDF_OK);
    assert_int_equal(m.case_count, 1);
    assert_string_equal(m.cases[0].split, "train");
    assert_string_equal(m.labels[m.cases[0].label], "dr");
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void expect_written(const test_folder *f, const char *name, const char *want)
{
    const char *const dirs[] = {f->path};
    const mdf_split_options all = {.names = names, .shares = (double[]){1}, .count = 1};
    char path[128];
    uint8_t *data = NULL;
    size_t len = 0;
    mdf_manifest m;
    mdf_error err = {0};
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, &err), MDF_OK);
    assert_int_equal(mdf_split_assign(&m, &all, NULL), MDF_OK);
    if (mdf_split_write(&m, 0, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    mdf_manifest_free(&m);
    (void)snprintf(path, sizeof path, "%s/%s", f->path, name);
    assert_int_equal(mdf_file_read(path, 1 << 20, &data, &len, NULL), MDF_OK);
    assert_string_equal((const char *)data, want);
    mdf_free(data);
}

/* The column goes where the table has it, under the table's own name. */
static void columns_in_another_spelling_are_written_back(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "a.jpg", "");
    test_put(&f, "metadata.csv", "Split;File Name;Age\nTest;a.jpg;61,5\n;;\n");
    expect_written(&f, "metadata.csv", "Split,File Name,Age\ntrain,a.jpg,\"61,5\"\n");
    test_folder_remove(&f);
    test_folder_make(&f);
    test_put(&f, "a.jpg", "");
    test_put(&f, "metadata.jsonl", "{\"Split\":\"x\",\"File Name\":\"a.jpg\"}\n \n");
    expect_written(&f, "metadata.jsonl", "{\"Split\":\"train\",\"File Name\":\"a.jpg\"}\n");
    test_folder_remove(&f);
    test_folder_make(&f);
    test_put(&f, "dr/p1/a.jpg", "");
    test_put(&f, "dr/b.jpg", "");
    expect_written(&f, "metadata.csv",
                   "file_name,label,split,patient_id,text\ndr/b.jpg,dr,train,,\n"
                   "dr/p1/a.jpg,dr,train,p1,\n");
    test_folder_remove(&f);
}

/* The data stays as it is, and the table elsewhere says the same about it. */
static void a_table_elsewhere_is_a_data_set_of_the_same_cases(void **state)
{
    (void)state;
    test_folder f;
    test_folder g;
    test_folder_make(&f);
    test_folder_make(&g);
    test_put(&f, "a.jpg", "");
    test_put(&f, "b.jpg", "");
    test_put(&f, "m.png", "");
    const char *const table = "file_name,label,patient_id,text,eye,vessel_mask,age\n"
                              "a.jpg,dr,P1,\"one, \"\"two\"\"\",OS,m.png,60\nb.jpg,,,,,,\n";
    test_put(&f, "metadata.csv", table);
    test_put(&f, "boxes.csv",
             "file,cls,x_centre,y_centre,width,height\n"
             "b.jpg,optic_disc,0.3,0.7,0.1,0.2\n");
    const char *dirs[] = {f.path};
    const mdf_split_options all = {.names = names, .shares = (double[]){1}, .count = 1};
    char path[128];
    mdf_manifest m;
    mdf_error err = {0};
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, NULL), MDF_OK);
    assert_int_equal(mdf_split_assign(&m, &all, NULL), MDF_OK);
    (void)snprintf(path, sizeof path, "%s/metadata.csv", g.path);
    assert_int_equal(mdf_split_export(&m, path, &err), MDF_OK);
    mdf_manifest_free(&m);
    uint8_t *data = NULL;
    size_t len = 0;
    (void)snprintf(path, sizeof path, "%s/metadata.csv", f.path);
    assert_int_equal(mdf_file_read(path, 1 << 20, &data, &len, NULL), MDF_OK);
    assert_string_equal((const char *)data, table);
    mdf_free(data);
    dirs[0] = g.path;
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, &err), MDF_OK);
    assert_int_equal(m.case_count, 2);
    assert_string_equal(m.labels[m.cases[0].label], "dr");
    assert_string_equal(m.cases[0].text, "one, \"two\"");
    assert_string_equal(m.cases[0].patient_id, "P1");
    assert_string_equal(m.cases[0].split, "train");
    assert_int_equal(m.cases[0].eye, MDF_EYE_LEFT);
    assert_non_null(strstr(m.cases[0].mask[MDF_MASK_VESSEL], "/m.png"));
    assert_int_equal(m.cases[1].label, -1);
    assert_int_equal(m.without_patient, 1);
    assert_null(m.cases[1].mask[MDF_MASK_VESSEL]);
    assert_int_equal(m.cases[0].box_count, 0);
    assert_int_equal(m.cases[1].box_count, 1);
    assert_int_equal(m.cases[1].boxes[0].kind, MDF_MASK_DISC);
    assert_true(m.cases[1].boxes[0].is_fraction && m.cases[1].boxes[0].bottom == 0.7 + 0.2 / 2);
    assert_int_equal(mdf_split_export(&m, "/nonexistent/t.csv", &err), MDF_ERR_IO);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
    test_folder_remove(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_eyes_are_on_one_side_and_shares_hold_in_every_class),
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(bad_shares_are_refused),
        cmocka_unit_test(the_table_gets_the_column_and_keeps_the_others),
        cmocka_unit_test(json_lines_and_class_folders_are_written_too),
        cmocka_unit_test(columns_in_another_spelling_are_written_back),
        cmocka_unit_test(a_table_elsewhere_is_a_data_set_of_the_same_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
