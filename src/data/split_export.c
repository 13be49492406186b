/* A table of a split data set that lies elsewhere. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/split.h"
#include "io/csv.h"

enum { COLUMNS = 8 };

/* The absolute name of a file that exists; "" for none. */
static bool absolute(char out[PATH_MAX], const char *path)
{
    out[0] = '\0';
    return path == NULL || realpath(path, out) != NULL;
}

static mdf_status write_case(FILE *out, const mdf_manifest *m, const mdf_manifest_case *c,
                             mdf_error *err)
{
    static const char *const eyes[] = {"", "left", "right"};
    char image[PATH_MAX];
    char vessels[PATH_MAX];
    char lesions[PATH_MAX];
    if (!absolute(image, c->path) || !absolute(vessels, c->vessel_mask) ||
        !absolute(lesions, c->lesion_mask)) {
        return mdf_fail(err, MDF_ERR_IO, "%s: can't find the absolute name", c->path);
    }
    const char *label = c->label < 0 ? "" : m->labels[c->label];
    /* A case without a patient has its own path as the id. */
    const char *patient = strcmp(c->patient_id, c->path) == 0 ? "" : c->patient_id;
    const char *const row[COLUMNS] = {image,   label,        c->split, patient,
                                      c->text, eyes[c->eye], vessels,  lesions};
    mdf_csv_write_row(out, row, COLUMNS);
    return MDF_OK;
}

mdf_status mdf_split_export(const mdf_manifest *m, const char *path, mdf_error *err)
{
    static const char *const header[COLUMNS] = {"file_name", "label", "split",       "patient_id",
                                                "text",      "eye",   "vessel_mask", "lesion_mask"};
    mdf_file_writer w;
    MDF_TRY(mdf_file_writer_open(&w, path, err));
    mdf_csv_write_row(w.stream, header, COLUMNS);
    mdf_status status = MDF_OK;
    for (size_t i = 0; status == MDF_OK && i < m->case_count; i++) {
        status = write_case(w.stream, m, &m->cases[i], err);
    }
    if (status == MDF_OK) {
        return mdf_file_writer_commit(&w, err);
    }
    mdf_file_writer_abort(&w);
    return status;
}
