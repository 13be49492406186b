/* The photographs of a split, decoded and cropped once and kept in memory. */
#include "data/samples.h"

#include <math.h>

#include "base/alloc.h"
#include "photo/fov.h"
#include "photo/mask.h"
#include "photo/resize.h"

/* Which part of a picture the model sees. */
typedef struct view {
    int width, height; /* of the whole picture */
    mdf_square square;
} view;

/* Crop and, if larger than side, reduce. */
static mdf_status load_picture(mdf_sample *s, int side, view *v, mdf_error *err)
{
    mdf_image full = {0};
    mdf_image crop = {0};
    mdf_fov fov;
    MDF_TRY(mdf_image_read(&full, s->info->path, err));
    mdf_status status = mdf_fov_find(&fov, &full, err);
    if (status == MDF_OK) {
        *v = (view){full.width, full.height, mdf_fov_square(&fov)};
        status = mdf_crop(&crop, &full, v->square, err);
    }
    mdf_image_free(&full);
    if (status != MDF_OK) {
        return mdf_fail_prefix(err, status, s->info->path);
    }
    if (crop.width > side) {
        status = mdf_image_new(&s->image, side, side, err);
        if (status == MDF_OK) {
            status = mdf_resize_bilinear(s->image.rgb, side, side, crop.rgb, crop.width,
                                         crop.height, 3, err);
        }
        mdf_image_free(&crop);
        return status;
    }
    s->image = crop;
    return status;
}

/* The mask of a picture, cropped as the picture was. */
static mdf_status load_mask(mdf_grey *out, const char *path, const view *v, mdf_error *err)
{
    mdf_grey full = {0};
    MDF_TRY(mdf_mask_read(&full, NULL, path, err));
    mdf_status status = mdf_mask_fits(full.width, full.height, v->width, v->height, path, err);
    if (status == MDF_OK) {
        const double scale = (double)full.width / v->width;
        const mdf_square at = {(int)lround(scale * v->square.left),
                               (int)lround(scale * v->square.top),
                               (int)lround(scale * v->square.side)};
        status = mdf_crop_grey(out, &full, at, err);
    }
    mdf_grey_free(&full);
    return status;
}

static mdf_status load_sample(mdf_sample *s, const mdf_manifest_case *info, int side,
                              bool use_image, mdf_error *err)
{
    s->info = info;
    s->label = info->label;
    if (!use_image) {
        return MDF_OK;
    }
    view v = {0};
    MDF_TRY(load_picture(s, side, &v, err));
    const char *paths[2] = {info->vessel_mask, info->lesion_mask};
    for (int i = 0; i < 2; i++) {
        if (paths[i] != NULL) {
            MDF_TRY(load_mask(&s->mask[i], paths[i], &v, err));
            s->has_mask = true;
        }
    }
    return MDF_OK;
}

mdf_status mdf_samples_load(mdf_samples *out, const mdf_manifest *m, int side, bool use_image,
                            mdf_samples_progress *progress, void *user, mdf_error *err)
{
    *out = (mdf_samples){0};
    out->item = mdf_alloc(m->case_count, sizeof *out->item);
    if (out->item == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %zu cases", m->case_count);
    }
    for (size_t i = 0; i < m->case_count; i++) {
        out->count = i + 1;
        mdf_status status = load_sample(&out->item[i], &m->cases[i], side, use_image, err);
        if (status == MDF_OK && progress != NULL && !progress(user, i + 1, m->case_count)) {
            status = mdf_fail(err, MDF_ERR_STOPPED, "stopped while reading the photographs");
        }
        if (status != MDF_OK) {
            mdf_samples_free(out);
            return status;
        }
    }
    return MDF_OK;
}

const mdf_grey *mdf_sample_lesions(const mdf_sample *s)
{
    return s->mask[1].px == NULL ? NULL : &s->mask[1];
}

void mdf_samples_free(mdf_samples *s)
{
    for (size_t i = 0; i < s->count; i++) {
        mdf_image_free(&s->item[i].image);
        mdf_grey_free(&s->item[i].mask[0]);
        mdf_grey_free(&s->item[i].mask[1]);
    }
    mdf_free(s->item);
    *s = (mdf_samples){0};
}
