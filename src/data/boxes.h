/* Boxes around signs on photographs: the table boxes.csv beside a table of cases.
 *
 * A row is a box: the picture's file_name as the table of cases has it, the kind of sign in a
 * column class (or cls, kind, label), and the place in one of two forms:
 *
 *   x0, y0, x1, y1                      corners in pixels of the picture
 *   x_centre, y_centre, width, height   fractions of the picture's width and height
 *
 * Corners may be fractions, too, in rows that say fraction in a column unit (else pixel).
 *
 * Kinds are the names of masks (config/masks.h), as a plural and in other spellings, too. Rows of
 * other kinds are counted and named. Annotators draw boxes around what they notice: of the signs of
 * disease what lies outside of all boxes is unknown. */
#ifndef MDF_DATA_BOXES_H
#define MDF_DATA_BOXES_H

#include <stdbool.h>

#include "config/masks.h"
#include "io/csv.h"

#define MDF_BOXES_FILE "boxes.csv"

enum { MDF_BOXES_UNKNOWN = 8 }; /* kinds that are named */

typedef struct mdf_box {
    mdf_mask_name kind;
    bool is_fraction; /* of the picture's width and height; else pixels */
    double left, top, right, bottom;
} mdf_box;

/* One row. */
typedef struct mdf_box_row {
    const char *file_name;
    size_t line;
    mdf_box box;
} mdf_box_row;

/* Owns its memory; mdf_boxes_free(). */
typedef struct mdf_boxes {
    mdf_box_row *row; /* [count] in the order of the file */
    size_t count;
    const char *unknown[MDF_BOXES_UNKNOWN]; /* [unknown_count] kinds that are none, as written */
    size_t unknown_count;
    size_t unknown_rows; /* of those and of further kinds */
    mdf_csv table;       /* holds the strings */
} mdf_boxes;

/* Parses len bytes; name is what errors call them. On failure *out is empty: MDF_ERR_FORMAT for a
 * bad table, a missing column, a number that is none, a box without area or outside of where boxes
 * can be; MDF_ERR_NOMEM. */
mdf_status mdf_boxes_parse(mdf_boxes *out, const char *name, const uint8_t *data, size_t len,
                           mdf_error *err) MDF_NODISCARD;
void mdf_boxes_free(mdf_boxes *b);

/* Writes the header, or a box, of a table that mdf_boxes_parse() reads. */
void mdf_boxes_write_header(FILE *stream);
void mdf_boxes_write_row(FILE *stream, const char *file_name, const mdf_box *b);

/* The mask that a kind of box means ("optic_disc", "Hard exudates"), or -1. */
int mdf_box_kind(const char *kind);

#endif
