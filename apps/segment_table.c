/* Rows of mdf segment. One list of columns serves CSV and JSON. */
#include "segment_table.h"

#include <math.h>
#include <string.h>

#include "base/status.h"
#include "base/strbuf.h"
#include "io/csv.h"

enum {
    COLUMNS = 24 + 2 * MDF_MAX_KINDS,
    NAME_BYTES = 48,
    CELL_BYTES = 32,
    BEFORE = 2, /* image and name */
    WARNING_BYTES = 8192
};

typedef struct column {
    char name[NAME_BYTES];
    double value; /* NAN: not measured */
    int digits;   /* behind the point */
} column;

typedef struct columns {
    column item[COLUMNS];
    size_t count;
} columns;

static void add(columns *c, const char *name, double value, int digits)
{
    column *new = &c->item[c->count++];
    (void)snprintf(new->name, sizeof new->name, "%s", name);
    new->value = value;
    new->digits = digits;
}

static bool has(const segment_kinds *k, const char *name)
{
    for (int i = 0; i < k->count; i++) {
        if (strcmp(k->name[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_lesion(const char *kind)
{
    return strcmp(kind, "vessel") != 0 && strcmp(kind, "disc") != 0 && strcmp(kind, "cup") != 0;
}

static void add_disc(columns *c, const segment_kinds *k, const mdf_disc_measures *d)
{
    add(c, "disc_x_px", d->x, 1);
    add(c, "disc_y_px", d->y, 1);
    add(c, "disc_offset_x_percent", 100 * d->offset_x, 2);
    add(c, "disc_offset_y_percent", 100 * d->offset_y, 2);
    add(c, "disc_area_percent", 100 * d->area, 3);
    add(c, "disc_diameter_percent", 100 * d->diameter, 2);
    add(c, "disc_width_percent", 100 * d->width, 2);
    add(c, "disc_height_percent", 100 * d->height, 2);
    if (has(k, "cup")) {
        add(c, "cup_area_percent", 100 * d->cup_area, 3);
        add(c, "cup_height_percent", 100 * d->cup_height, 2);
        add(c, "cup_disc_ratio", d->cup_disc_ratio, 3);
    }
}

/* The names of the first ones tell a later run that the table is mdf's: outputs.c. */
static void list_columns(columns *c, const segment_kinds *k, const mdf_segmentation *r)
{
    c->count = 0;
    add(c, "width_px", r->width, 0);
    add(c, "height_px", r->height, 0);
    add(c, "gradable", r->gradable ? 1 : 0, 0);
    add(c, "quality", (double)r->quality, 2);
    add(c, "field_x_px", r->field_x, 1);
    add(c, "field_y_px", r->field_y, 1);
    add(c, "field_diameter_px", r->field_diameter, 1);
    add(c, "field_area_px", (double)r->field_area, 0);
    if (has(k, "vessel")) {
        add(c, "vessel_area_percent", 100 * r->vessel.area, 3);
        add(c, "vessel_dimension", r->vessel.dimension, 3);
    }
    if (has(k, "disc")) {
        add_disc(c, k, &r->disc);
    }
    for (int i = 0; i < k->count; i++) {
        char name[NAME_BYTES];
        if (is_lesion(k->name[i])) {
            (void)snprintf(name, sizeof name, "%s_count", k->name[i]);
            add(c, name, r->lesion[i].count, 0);
            (void)snprintf(name, sizeof name, "%s_area_percent", k->name[i]);
            add(c, name, 100 * r->lesion[i].area, 3);
        }
    }
}

/* ---- CSV --------------------------------------------------------------------------------------
 */

void segment_csv_header(FILE *stream, const segment_kinds *k)
{
    columns c;
    const char *cell[BEFORE + COLUMNS + 1] = {"image", "name"};
    list_columns(&c, k, &(mdf_segmentation){0});
    for (size_t i = 0; i < c.count; i++) {
        cell[BEFORE + i] = c.item[i].name;
    }
    cell[BEFORE + c.count] = "warnings";
    mdf_csv_write_row(stream, cell, BEFORE + c.count + 1);
}

/* r NULL: no numbers. */
static mdf_status write_row(FILE *stream, const segment_kinds *k, const char *path,
                            const char *name, const mdf_segmentation *r, const char *warnings,
                            mdf_error *err)
{
    columns c;
    char text[COLUMNS][CELL_BYTES];
    const char *cell[BEFORE + COLUMNS + 1];
    json_t *image = app_json_string(path); /* a table is UTF-8 */
    json_t *base = app_json_string(name);
    json_t *last = app_json_string(warnings);
    list_columns(&c, k, r == NULL ? &(mdf_segmentation){0} : r);
    for (size_t i = 0; i < c.count; i++) {
        const column *at = &c.item[i];
        text[i][0] = '\0';
        if (r != NULL && !isnan(at->value)) {
            (void)snprintf(text[i], sizeof text[i], "%.*f", at->digits, at->value);
        }
        cell[BEFORE + i] = text[i];
    }
    cell[0] = json_string_value(image);
    cell[1] = json_string_value(base);
    cell[BEFORE + c.count] = json_string_value(last);
    const bool whole = image != NULL && base != NULL && last != NULL;
    if (whole) {
        mdf_csv_write_row(stream, cell, BEFORE + c.count + 1);
    }
    json_decref(image);
    json_decref(base);
    json_decref(last);
    return whole ? MDF_OK : mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a row of the table");
}

mdf_status segment_csv_row(FILE *stream, const segment_kinds *k, const char *path, const char *name,
                           const mdf_segmentation *r, mdf_error *err)
{
    mdf_strbuf warnings = mdf_strbuf_new(WARNING_BYTES);
    mdf_strbuf_puts(&warnings, "");
    for (int i = 0; i < r->caution.count; i++) {
        mdf_strbuf_printf(&warnings, "%s%s", i == 0 ? "" : "; ", r->caution.text[i]);
    }
    const mdf_status status = warnings.failed
                                  ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for warnings")
                                  : write_row(stream, k, path, name, r, warnings.data, err);
    mdf_strbuf_free(&warnings);
    return status;
}

mdf_status segment_csv_failure(FILE *stream, const segment_kinds *k, const char *path,
                               const char *name, const char *why, mdf_error *err)
{
    return write_row(stream, k, path, name, NULL, why, err);
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

json_t *segment_json(const segment_kinds *k, const char *path, const char *name, json_t *masks,
                     const mdf_segmentation *r)
{
    columns c;
    json_t *measure = json_object();
    json_t *warning = json_array();
    list_columns(&c, k, r);
    for (size_t i = 0; i < c.count; i++) {
        const column *at = &c.item[i];
        (void)json_object_set_new(measure, at->name,
                                  isnan(at->value)  ? json_null()
                                  : at->digits == 0 ? json_integer((json_int_t)at->value)
                                                    : json_real(at->value));
    }
    for (int i = 0; i < r->caution.count; i++) {
        (void)json_array_append_new(warning, json_string(r->caution.text[i]));
    }
    return json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:f, s:f}", "image", app_json_string(path),
                     "name", app_json_string(name), "gradable", r->gradable, "masks", masks,
                     "measures", measure, "warnings", warning, "decode_ms", r->decode_ms,
                     "forward_ms", r->forward_ms);
}

/* ---- text -------------------------------------------------------------------------------------
 */

enum { LESION_WIDTH = 16 };

void segment_text_header(const segment_kinds *k)
{
    (void)printf("%8s", "field");
    if (has(k, "vessel")) {
        (void)printf("  %8s  %9s", "vessels", "dimension");
    }
    if (has(k, "disc")) {
        (void)printf("  %12s  %11s", "disc x, y", "disc height");
    }
    if (has(k, "disc") && has(k, "cup")) {
        (void)printf("  %8s", "cup/disc");
    }
    for (int i = 0; i < k->count; i++) {
        if (is_lesion(k->name[i])) {
            (void)printf("  %*s", LESION_WIDTH, k->name[i]);
        }
    }
    (void)printf("  picture\n");
}

/* A number with its unit, or a hyphen where there is none, to the right of width columns. */
static void print_number(int width, int digits, double value, const char *unit)
{
    char text[CELL_BYTES] = "-";
    if (!isnan(value)) {
        (void)snprintf(text, sizeof text, "%.*f%s", digits, value, unit);
    }
    (void)printf("  %*s", width, text);
}

static void print_disc(const segment_kinds *k, const mdf_disc_measures *d)
{
    char place[CELL_BYTES] = "-";
    if (!isnan(d->x)) {
        (void)snprintf(place, sizeof place, "%+.0f, %+.0f %%", 100 * d->offset_x,
                       100 * d->offset_y);
    }
    (void)printf("  %12s", place);
    print_number(11, 1, 100 * d->height, " %");
    if (has(k, "cup")) {
        print_number(8, 2, d->cup_disc_ratio, "");
    }
}

void segment_text_row(const segment_kinds *k, const char *path, const mdf_segmentation *r)
{
    (void)printf("%5.0f px", r->field_diameter);
    if (has(k, "vessel")) {
        print_number(8, 1, 100 * r->vessel.area, " %");
        print_number(9, 3, r->vessel.dimension, "");
    }
    if (has(k, "disc")) {
        print_disc(k, &r->disc);
    }
    for (int i = 0; i < k->count; i++) {
        const mdf_lesion_measures *l = &r->lesion[i];
        char text[CELL_BYTES] = "-";
        if (!is_lesion(k->name[i])) {
            continue;
        }
        if (!isnan(l->count)) {
            (void)snprintf(text, sizeof text, "%.0f (%.2f %%)", l->count, 100 * l->area);
        }
        (void)printf("  %*s", LESION_WIDTH, text);
    }
    (void)printf("  %s\n", path);
}
