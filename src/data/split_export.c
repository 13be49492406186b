/* A table of a split data set that lies elsewhere. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "data/column.h"
#include "data/split.h"
#include "io/csv.h"

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
    char mask[MDF_MASK_NAMES][PATH_MAX];
    char disc[2][32] = {"", ""};
    bool found = absolute(image, c->path);
    if (c->has_disc_centre) {
        (void)snprintf(disc[0], sizeof disc[0], "%.17g", c->disc_x);
        (void)snprintf(disc[1], sizeof disc[1], "%.17g", c->disc_y);
    }
    /* A case without a patient has its own path as the id. */
    const char *patient = strcmp(c->patient_id, c->path) == 0 ? "" : c->patient_id;
    const char *row[MDF_COLUMN_COUNT] = {[MDF_COLUMN_FILE_NAME] = image,
                                         [MDF_COLUMN_LABEL] =
                                             c->label < 0 ? "" : m->labels[c->label],
                                         [MDF_COLUMN_SPLIT] = c->split,
                                         [MDF_COLUMN_PATIENT_ID] = patient,
                                         [MDF_COLUMN_TEXT] = c->text,
                                         [MDF_COLUMN_EYE] = eyes[c->eye],
                                         [MDF_COLUMN_LABELS_ALL] = c->labels_all,
                                         [MDF_COLUMN_DISC_X] = disc[0],
                                         [MDF_COLUMN_DISC_Y] = disc[1]};
    for (int k = 0; k < MDF_MASK_NAMES; k++) {
        found = absolute(mask[k], c->mask[k]) && found;
        row[MDF_COLUMN_MASKS + k] = mask[k];
    }
    if (!found) {
        return mdf_fail(err, MDF_ERR_IO, "%s: can't find the absolute name", c->path);
    }
    mdf_csv_write_row(out, row, MDF_COLUMN_COUNT);
    return MDF_OK;
}

static mdf_status write_boxes(FILE *out, const mdf_manifest_case *c, mdf_error *err)
{
    char image[PATH_MAX];
    if (!absolute(image, c->path)) {
        return mdf_fail(err, MDF_ERR_IO, "%s: can't find the absolute name", c->path);
    }
    for (size_t i = 0; i < c->box_count; i++) {
        mdf_boxes_write_row(out, image, &c->boxes[i]);
    }
    return MDF_OK;
}

static bool any_boxes(const mdf_manifest *m)
{
    for (size_t i = 0; i < m->case_count; i++) {
        if (m->cases[i].box_count > 0) {
            return true;
        }
    }
    return false;
}

/* boxes.csv beside the table at path. */
static mdf_status export_boxes(const mdf_manifest *m, const char *path, mdf_error *err)
{
    mdf_file_writer w;
    const char *slash = strrchr(path, '/');
    char *dir = mdf_strndup(slash == NULL ? "." : path, slash == NULL ? 1 : (size_t)(slash - path));
    char *boxes = dir == NULL ? NULL : mdf_path_join(dir, MDF_BOXES_FILE);
    mdf_status status = boxes == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path)
                                      : mdf_file_writer_open(&w, boxes, err);
    mdf_free(dir);
    mdf_free(boxes);
    MDF_TRY(status);
    mdf_boxes_write_header(w.stream);
    for (size_t i = 0; status == MDF_OK && i < m->case_count; i++) {
        status = write_boxes(w.stream, &m->cases[i], err);
    }
    if (status == MDF_OK) {
        return mdf_file_writer_commit(&w, err);
    }
    mdf_file_writer_abort(&w);
    return status;
}

mdf_status mdf_split_export(const mdf_manifest *m, const char *path, mdf_error *err)
{
    mdf_file_writer w;
    if (any_boxes(m)) { /* first: the table makes the folder a data set */
        MDF_TRY(export_boxes(m, path, err));
    }
    MDF_TRY(mdf_file_writer_open(&w, path, err));
    mdf_csv_write_row(w.stream, mdf_column_names, MDF_COLUMN_COUNT);
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
