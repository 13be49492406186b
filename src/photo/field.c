/* The pixels of the field of view. */
#include "photo/field.h"

#include <math.h>

mdf_field mdf_field_of(const mdf_fov *fov, int width, int height)
{
    const int box_w = fov->right - fov->left;
    const int box_h = fov->bottom - fov->top;
    mdf_field f = {.width = width,
                   .height = height,
                   .is_round = fov->kind == MDF_FOV_CIRCLE,
                   .cx = (double)fov->cx,
                   .cy = (double)fov->cy,
                   .r = (double)fov->r,
                   .left = fov->left < 0 ? 0 : fov->left,
                   .top = fov->top < 0 ? 0 : fov->top,
                   .right = fov->right > width ? width : fov->right,
                   .bottom = fov->bottom > height ? height : fov->bottom};
    f.diameter = f.is_round ? 2 * f.r : (double)(box_w > box_h ? box_w : box_h);
    for (int y = f.top; y < f.bottom; y++) {
        int begin = 0;
        int end = 0;
        mdf_field_row(&f, y, &begin, &end);
        f.area += end - begin;
    }
    return f;
}

void mdf_field_row(const mdf_field *f, int y, int *begin, int *end)
{
    *begin = f->left;
    *end = y < f->top || y >= f->bottom ? f->left : f->right;
    if (!f->is_round || *begin == *end) {
        return;
    }
    const double dy = (double)y + 0.5 - f->cy;
    const double half = f->r * f->r - dy * dy;
    if (half < 0) {
        *end = *begin;
        return;
    }
    /* Centres x + 1/2 from cx - sqrt(half) to cx + sqrt(half). */
    const double x0 = ceil(f->cx - sqrt(half) - 0.5);
    const double x1 = floor(f->cx + sqrt(half) - 0.5) + 1;
    *begin = x0 > (double)*begin ? (int)x0 : *begin;
    *end = x1 < (double)*end ? (int)x1 : *end;
    if (*end < *begin) {
        *end = *begin;
    }
}

mdf_square mdf_field_square(const mdf_field *f)
{
    const mdf_fov fov = {.kind = f->is_round ? MDF_FOV_CIRCLE : MDF_FOV_BOX,
                         .cx = (float)f->cx,
                         .cy = (float)f->cy,
                         .r = (float)f->r,
                         .left = f->left,
                         .top = f->top,
                         .right = f->right,
                         .bottom = f->bottom};
    return mdf_fov_square(&fov);
}
