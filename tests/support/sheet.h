/* Masks drawn by formula for tests of what is measured on them, and fields of view. */
#ifndef MDF_TESTS_SHEET_H
#define MDF_TESTS_SHEET_H

#include <stdint.h>
#include <string.h>

#include "photo/field.h"

enum { SHEET = 1024 }; /* most pixels of a side */

typedef struct sheet {
    uint8_t px[SHEET * SHEET]; /* [side, side] */
    int side;
} sheet;

static inline void sheet_clear(sheet *s, int side)
{
    s->side = side;
    memset(s->px, 0, sizeof s->px);
}

static inline void sheet_set(sheet *s, int x, int y)
{
    s->px[y * s->side + x] = 255;
}

static inline void sheet_box(sheet *s, int left, int top, int right, int bottom)
{
    for (int y = top; y < bottom; y++) {
        for (int x = left; x < right; x++) {
            sheet_set(s, x, y);
        }
    }
}

/* Pixels whose centres lie in the ellipse. */
static inline void sheet_ellipse(sheet *s, double cx, double cy, double rx, double ry)
{
    for (int y = 0; y < s->side; y++) {
        for (int x = 0; x < s->side; x++) {
            const double dx = (x + 0.5 - cx) / rx;
            const double dy = (y + 0.5 - cy) / ry;
            if (dx * dx + dy * dy <= 1) {
                sheet_set(s, x, y);
            }
        }
    }
}

/* The whole of a picture of side x side pixels. */
static inline mdf_field field_full(int side)
{
    const float middle = 0.5F * (float)side;
    return mdf_field_of(&(mdf_fov){.kind = MDF_FOV_FULL,
                                   .cx = middle,
                                   .cy = middle,
                                   .r = middle,
                                   .right = side,
                                   .bottom = side,
                                   .visible = 1},
                        side, side);
}

/* A disc in such a picture, cut off by its frame. */
static inline mdf_field field_round(int side, float cx, float cy, float r)
{
    return mdf_field_of(&(mdf_fov){.kind = MDF_FOV_CIRCLE,
                                   .cx = cx,
                                   .cy = cy,
                                   .r = r,
                                   .right = side,
                                   .bottom = side,
                                   .visible = 1},
                        side, side);
}

#endif
