/* Data sets of a scratch folder and the notes on them. cmocka.h comes first. */
#ifndef MDF_TEST_NOTES_H
#define MDF_TEST_NOTES_H

#include "data/manifest.h"
#include "support/folder.h"

static inline mdf_status load_folder(mdf_manifest *m, const test_folder *f, mdf_error *err)
{
    const char *const dirs[] = {f->path};
    return mdf_manifest_load(m, dirs, 1, err);
}

static inline void load_well(mdf_manifest *m, const test_folder *f)
{
    mdf_error err = {0};
    if (load_folder(m, f, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
}

/* The text that follows the folder's name. */
static inline const char *behind(const test_folder *f, const char *text)
{
    assert_memory_equal(text, f->path, strlen(f->path));
    return text + strlen(f->path);
}

/* The next note, of that level and with this text behind the folder's name. */
static inline void expect_note(const mdf_manifest *m, const test_folder *f, size_t i,
                               mdf_note_level level, const char *rest)
{
    assert_true(i < m->note_count);
    assert_string_equal(behind(f, m->notes[i].text), rest);
    assert_int_equal(m->notes[i].level, level);
}

static inline void expect_failure(const test_folder *f, mdf_status code, const char *rest)
{
    mdf_manifest m;
    mdf_error err = {0};
    assert_int_equal(load_folder(&m, f, &err), code);
    assert_string_equal(behind(f, err.text), rest);
    assert_null(m.cases);
    assert_null(m.notes);
}

#endif
