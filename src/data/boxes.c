/* Boxes around signs on photographs: the table boxes.csv. */
#include "data/boxes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "data/cell.h"
#include "data/column.h"

enum { WORD_BYTES = 40, PLACES = 4 };

/* What boxes call the masks, folded (data/cell.h). */
static const struct {
    const char *word;
    mdf_mask_name name;
} kinds[] = {
    {"optic_disc", MDF_MASK_DISC},
    {"optic_disk", MDF_MASK_DISC},
    {"disk", MDF_MASK_DISC},
    {"optic_cup", MDF_MASK_CUP},
    {"hemorrhage", MDF_MASK_HAEMORRHAGE},
    {"hemorrhages", MDF_MASK_HAEMORRHAGE},
};

int mdf_box_kind(const char *kind)
{
    char folded[WORD_BYTES];
    mdf_cell_fold(folded, sizeof folded, kind);
    for (int k = 0; k < MDF_MASK_NAMES; k++) {
        const size_t n = strlen(mdf_mask_names[k]);
        if (strncmp(folded, mdf_mask_names[k], n) == 0 &&
            (folded[n] == '\0' || strcmp(folded + n, "s") == 0)) {
            return k;
        }
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(folded, kinds[i].word) == 0) {
            return (int)kinds[i].name;
        }
    }
    return -1;
}

/* Which column of the table is what; -1 = not there. */
typedef struct layout {
    int file, kind, unit;
    int corner[PLACES];   /* x0, y0, x1, y1 */
    int fraction[PLACES]; /* x_centre, y_centre, width, height */
    bool is_fraction;
} layout;

static void find_places(layout *l, const char *folded, int column)
{
    static const char *const corners[PLACES] = {"x0", "y0", "x1", "y1"};
    static const char *const fractions[PLACES] = {"x_centre", "y_centre", "width", "height"};
    static const char *const american[PLACES] = {"x_center", "y_center", "width", "height"};
    for (int i = 0; i < PLACES; i++) {
        if (strcmp(folded, corners[i]) == 0) {
            l->corner[i] = column;
        }
        if (strcmp(folded, fractions[i]) == 0 || strcmp(folded, american[i]) == 0) {
            l->fraction[i] = column;
        }
    }
}

static bool is_kind_column(const char *folded)
{
    static const char *const words[] = {"class", "cls", "kind", "label"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(folded, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool all_there(const int column[PLACES])
{
    return column[0] >= 0 && column[1] >= 0 && column[2] >= 0 && column[3] >= 0;
}

static mdf_status find_columns(layout *l, const mdf_csv *t, const char *name, mdf_error *err)
{
    *l = (layout){-1, -1, -1, {-1, -1, -1, -1}, {-1, -1, -1, -1}, false};
    for (size_t c = 0; c < t->column_count; c++) {
        char folded[WORD_BYTES];
        bool is_slip = false;
        mdf_cell_fold(folded, sizeof folded, t->header[c]);
        if (is_kind_column(folded)) {
            l->kind = (int)c;
        } else if (strcmp(folded, "unit") == 0) {
            l->unit = (int)c;
        } else if (mdf_column_find(t->header[c]) == MDF_COLUMN_FILE_NAME ||
                   mdf_column_meant(t->header[c], &is_slip) == MDF_COLUMN_FILE_NAME) {
            l->file = (int)c;
        }
        find_places(l, folded, (int)c);
    }
    if (l->file < 0 || l->kind < 0) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: no column %s", name,
                        l->file < 0 ? "file_name" : "class");
    }
    l->is_fraction = !all_there(l->corner);
    if (l->is_fraction == all_there(l->fraction)) {
        return MDF_OK;
    }
    return mdf_fail(err, MDF_ERR_FORMAT,
                    "%s: it needs the columns x0, y0, x1, y1 (corners in pixels) or x_centre, "
                    "y_centre, width, height (fractions of the picture)%s",
                    name, l->is_fraction ? "" : ", not both");
}

static mdf_status read_number(double *out, const mdf_csv *t, size_t row, int column,
                              const char *name, mdf_error *err)
{
    const char *cell = mdf_csv_cell(t, row, (size_t)column);
    const char *s = cell;
    const size_t len = mdf_cell_trim(&s);
    char *end = NULL;
    *out = len == 0 ? (double)NAN : strtod(s, &end);
    if (len == 0 || end != s + len || !isfinite(*out)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s line %zu: %.40s is no number: '%.40s'", name,
                        t->line[row], t->header[column], cell);
    }
    return MDF_OK;
}

static mdf_status read_unit(bool *is_fraction, const mdf_csv *t, size_t row, const layout *l,
                            const char *name, mdf_error *err)
{
    const char *unit = l->unit < 0 ? "" : mdf_csv_cell(t, row, (size_t)l->unit);
    *is_fraction = l->is_fraction || strcmp(unit, "fraction") == 0;
    if (unit[0] == '\0' || strcmp(unit, *is_fraction ? "fraction" : "pixel") == 0) {
        return MDF_OK;
    }
    return mdf_fail(err, MDF_ERR_FORMAT, "%s line %zu: the unit is '%.40s', not %s", name,
                    t->line[row], unit, l->is_fraction ? "fraction" : "pixel or fraction");
}

/* Corners of fractions may lie outside of the picture by the annotator's last digit. */
static bool is_possible(const mdf_box *b)
{
    const double most = b->is_fraction ? 1.0 : (double)MDF_MAX_IMAGE_SIDE;
    const double slack = b->is_fraction ? 0.01 : 1.0;
    return b->left >= -slack && b->top >= -slack && b->right <= most + slack &&
           b->bottom <= most + slack;
}

static mdf_status read_box(mdf_box *b, const mdf_csv *t, size_t row, const layout *l,
                           const char *name, mdf_error *err)
{
    const int *column = l->is_fraction ? l->fraction : l->corner;
    double p[PLACES];
    for (int i = 0; i < PLACES; i++) {
        MDF_TRY(read_number(&p[i], t, row, column[i], name, err));
    }
    MDF_TRY(read_unit(&b->is_fraction, t, row, l, name, err));
    b->left = l->is_fraction ? p[0] - p[2] / 2 : p[0];
    b->top = l->is_fraction ? p[1] - p[3] / 2 : p[1];
    b->right = l->is_fraction ? p[0] + p[2] / 2 : p[2];
    b->bottom = l->is_fraction ? p[1] + p[3] / 2 : p[3];
    if (!(b->right > b->left && b->bottom > b->top)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s line %zu: the box has no area", name,
                        t->line[row]);
    }
    if (!is_possible(b)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s line %zu: the box from %g, %g to %g, %g %s", name,
                        t->line[row], b->left, b->top, b->right, b->bottom,
                        b->is_fraction ? "lies outside of its picture: fractions are 0 to 1"
                                       : "cannot be pixels of a picture");
    }
    return MDF_OK;
}

static void note_unknown(mdf_boxes *out, const char *kind)
{
    out->unknown_rows++;
    for (size_t i = 0; i < out->unknown_count; i++) {
        if (strcmp(out->unknown[i], kind) == 0) {
            return;
        }
    }
    if (out->unknown_count < MDF_BOXES_UNKNOWN) {
        out->unknown[out->unknown_count++] = kind;
    }
}

static mdf_status read_rows(mdf_boxes *out, const char *name, mdf_error *err)
{
    const mdf_csv *t = &out->table;
    layout l;
    MDF_TRY(find_columns(&l, t, name, err));
    out->row = mdf_alloc(t->row_count, sizeof *out->row);
    if (out->row == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for %zu boxes", name, t->row_count);
    }
    for (size_t r = 0; r < t->row_count; r++) {
        const char *word = mdf_csv_cell(t, r, (size_t)l.kind);
        const char *file = mdf_csv_cell(t, r, (size_t)l.file);
        const int kind = mdf_box_kind(word);
        if (file[0] == '\0') {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s line %zu: %s is empty", name, t->line[r],
                            t->header[l.file]);
        }
        mdf_box_row *row = &out->row[out->count];
        *row = (mdf_box_row){.file_name = file, .line = t->line[r]};
        MDF_TRY(read_box(&row->box, t, r, &l, name, err));
        if (kind < 0) {
            note_unknown(out, word);
            continue;
        }
        row->box.kind = (mdf_mask_name)kind;
        out->count++;
    }
    return MDF_OK;
}

mdf_status mdf_boxes_parse(mdf_boxes *out, const char *name, const uint8_t *data, size_t len,
                           mdf_error *err)
{
    *out = (mdf_boxes){0};
    MDF_TRY(mdf_csv_parse(&out->table, name, data, len, err));
    const mdf_status status = read_rows(out, name, err);
    if (status != MDF_OK) {
        mdf_boxes_free(out);
    }
    return status;
}

void mdf_boxes_free(mdf_boxes *b)
{
    mdf_free(b->row);
    mdf_csv_free(&b->table);
    *b = (mdf_boxes){0};
}

static const char *const written[] = {"file_name", "class", "unit", "x0", "y0", "x1", "y1"};

enum { WRITTEN = sizeof written / sizeof written[0] };

void mdf_boxes_write_header(FILE *stream)
{
    mdf_csv_write_row(stream, written, WRITTEN);
}

void mdf_boxes_write_row(FILE *stream, const char *file_name, const mdf_box *b)
{
    const double place[PLACES] = {b->left, b->top, b->right, b->bottom};
    char number[PLACES][32];
    for (int i = 0; i < PLACES; i++) {
        (void)snprintf(number[i], sizeof number[i], "%.17g", place[i]);
    }
    const char *const cells[WRITTEN] = {file_name,
                                        mdf_mask_names[b->kind],
                                        b->is_fraction ? "fraction" : "pixel",
                                        number[0],
                                        number[1],
                                        number[2],
                                        number[3]};
    mdf_csv_write_row(stream, cells, WRITTEN);
}
