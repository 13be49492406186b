/* The boxes of boxes.csv, given to the cases of the table beside it. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/strbuf.h"
#include "data/manifest_build.h"

bool mdf_case_has_boxes(const mdf_manifest_case *c, mdf_mask_name name)
{
    for (size_t i = 0; i < c->box_count; i++) {
        if (c->boxes[i].kind == name) {
            return true;
        }
    }
    return false;
}

bool mdf_case_has_mask(const mdf_manifest_case *c, mdf_mask_name name)
{
    return c->mask[name] != NULL || mdf_case_has_boxes(c, name) ||
           (name == MDF_MASK_DISC && c->has_disc_centre);
}

bool mdf_case_is_free_of(const mdf_manifest_case *c, mdf_mask_name name)
{
    return c->healthy && mdf_mask_is_lesion(name) && !mdf_case_has_mask(c, name);
}

bool mdf_manifest_set_boxes(mdf_manifest_builder *b, mdf_manifest_case *c, const mdf_box *boxes,
                            size_t count)
{
    c->boxes = NULL;
    c->box_count = count;
    if (count == 0) {
        return true;
    }
    mdf_box *copy = mdf_arena_alloc(&b->m->arena, count, sizeof *copy);
    if (copy == NULL) {
        c->box_count = 0;
        return false;
    }
    memcpy(copy, boxes, count * sizeof *copy);
    c->boxes = copy;
    return true;
}

static int compare_rows(const void *a, const void *b)
{
    const mdf_box_row *x = a;
    const mdf_box_row *y = b;
    const int by_name = strcmp(x->file_name, y->file_name);
    return by_name != 0 ? by_name : (x->line > y->line) - (x->line < y->line);
}

/* The first of the sorted rows whose file_name is not before name. */
static size_t first_of(const mdf_boxes *boxes, const char *name)
{
    size_t low = 0;
    size_t high = boxes->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(boxes->row[middle].file_name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* used[i]: row i belongs to a case. list [count] is room for one case's. */
static bool give_boxes(mdf_manifest_builder *b, const mdf_boxes *boxes, size_t first_case,
                       bool *used, mdf_box *list)
{
    for (size_t i = first_case; i < b->m->case_count; i++) {
        mdf_manifest_case *c = &b->m->cases[i];
        size_t n = 0;
        for (size_t r = first_of(boxes, c->file_name);
             r < boxes->count && strcmp(boxes->row[r].file_name, c->file_name) == 0; r++) {
            list[n++] = boxes->row[r].box;
            used[r] = true;
        }
        if (!mdf_manifest_set_boxes(b, c, list, n)) {
            return false;
        }
    }
    return true;
}

static mdf_status note_unknown(mdf_manifest_builder *b, const char *path, const mdf_boxes *boxes,
                               mdf_error *err)
{
    if (boxes->unknown_rows == 0) {
        return MDF_OK;
    }
    mdf_strbuf names = mdf_strbuf_new(300);
    for (size_t i = 0; i < boxes->unknown_count; i++) {
        mdf_strbuf_printf(&names, "%s'%s'", i == 0 ? "" : ", ", boxes->unknown[i]);
    }
    const mdf_status status = mdf_manifest_note(
        b, MDF_NOTE_TRAIN, err, "%s: %zu %s of a kind that mdf does not know: %s", path,
        boxes->unknown_rows, boxes->unknown_rows == 1 ? "box is" : "boxes are",
        names.data == NULL ? "" : names.data);
    mdf_strbuf_free(&names);
    return status;
}

static mdf_status note_unused(mdf_manifest_builder *b, const char *path, const mdf_boxes *boxes,
                              const bool *used, mdf_error *err)
{
    size_t n = 0;
    const mdf_box_row *first = NULL;
    for (size_t i = 0; i < boxes->count; i++) {
        first = n == 0 && !used[i] ? &boxes->row[i] : first;
        n += used[i] ? 0 : 1;
    }
    return n == 0 ? MDF_OK
                  : mdf_manifest_note(b, MDF_NOTE_ALWAYS, err,
                                      "%s: %zu %s no picture of the table (line %zu: '%s')", path,
                                      n, n == 1 ? "box is on" : "boxes are on", first->line,
                                      first->file_name);
}

static mdf_status join(mdf_manifest_builder *b, const char *path, mdf_boxes *boxes,
                       size_t first_case, mdf_error *err)
{
    if (boxes->count > 0) {
        qsort(boxes->row, boxes->count, sizeof *boxes->row, compare_rows);
    }
    bool *used = mdf_alloc(boxes->count, sizeof *used);
    mdf_box *list = mdf_alloc(boxes->count, sizeof *list);
    mdf_status status = MDF_OK;
    if (used == NULL || list == NULL || !give_boxes(b, boxes, first_case, used, list)) {
        status =
            mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for %zu boxes", path, boxes->count);
    }
    if (status == MDF_OK) {
        status = note_unknown(b, path, boxes, err);
    }
    if (status == MDF_OK) {
        status = note_unused(b, path, boxes, used, err);
    }
    mdf_free(used);
    mdf_free(list);
    return status;
}

static mdf_status read_boxes(mdf_manifest_builder *b, const char *path, size_t first_case,
                             mdf_error *err)
{
    uint8_t *data = NULL;
    size_t len = 0;
    mdf_boxes boxes = {0};
    MDF_TRY(mdf_file_read(path, MDF_MAX_TABLE_BYTES, &data, &len, err));
    mdf_status status = mdf_boxes_parse(&boxes, path, data, len, err);
    mdf_free(data);
    if (status == MDF_OK) {
        status = join(b, path, &boxes, first_case, err);
    }
    mdf_boxes_free(&boxes);
    return status;
}

mdf_status mdf_manifest_read_boxes(mdf_manifest_builder *b, const char *dir, size_t first_case,
                                   mdf_error *err)
{
    char *path = mdf_path_join(dir, MDF_BOXES_FILE);
    if (path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir);
    }
    const mdf_status status = mdf_path_exists(path) ? read_boxes(b, path, first_case, err) : MDF_OK;
    mdf_free(path);
    return status;
}
