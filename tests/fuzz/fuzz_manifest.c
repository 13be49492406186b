/* Any bytes as a table of a data folder, CSV unless they begin with a brace: no crash, and what is
 * accepted has cases, numbers in their ranges and notes that are text. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "data/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/mdf-fuzz-XXXXXX";

static void write_file(const char *name, const void *data, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(data, 1, size, f) != size || fclose(f) != 0) {
        abort();
    }
}

static void remove_file(const char *name)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)unlink(path);
}

static void remove_folder(void)
{
    static const char *const names[] = {"a", "metadata.csv", "metadata.jsonl"};
    for (size_t i = 0; i < 3; i++) {
        remove_file(names[i]);
    }
    (void)rmdir(folder);
}

static void check(const mdf_manifest *m)
{
    if (m->case_count == 0) {
        abort();
    }
    for (size_t i = 0; i < m->case_count; i++) {
        const mdf_manifest_case *c = &m->cases[i];
        if (c->label < -1 || c->label >= m->label_count || c->patient < 0 ||
            c->patient >= m->patient_count || c->split == NULL || c->text == NULL) {
            abort();
        }
    }
    for (size_t i = 0; i < m->note_count; i++) {
        const uint8_t *text = (const uint8_t *)m->notes[i].text;
        const size_t n = strlen(m->notes[i].text);
        if (n == 0 || mdf_utf8_check(text, n) != n || strpbrk(m->notes[i].text, "\n\r\x1B")) {
            abort();
        }
    }
    mdf_error err = {0};
    if (mdf_manifest_distinct_labels(m, false, &err) != MDF_OK && err.text[0] == 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    static bool made = false;
    if (!made) {
        made = true;
        if (mkdtemp(folder) == NULL || atexit(remove_folder) != 0) {
            abort();
        }
        write_file("a", "", 0); /* a picture that tables may name */
    }
    const bool is_csv = data[0] != '{';
    remove_file(is_csv ? "metadata.jsonl" : "metadata.csv");
    write_file(is_csv ? "metadata.csv" : "metadata.jsonl", data, size);
    const char *const dirs[] = {folder};
    mdf_manifest m;
    if (mdf_manifest_load(&m, dirs, 1, NULL) == MDF_OK) {
        check(&m);
        mdf_manifest_free(&m);
    } else if (m.cases != NULL || m.notes != NULL) {
        abort();
    }
    return 0;
}
