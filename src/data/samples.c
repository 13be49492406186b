/* The photographs of a split, decoded and cropped once and kept in memory. */
#include "data/samples.h"

#include <math.h>

#include "base/alloc.h"
#include "photo/fov.h"
#include "photo/mask.h"

/* Which part of a picture the model sees. */
typedef struct view {
    int width, height; /* of the whole picture */
    mdf_square square;
} view;

/* The field of view as it lies in the crop. */
static mdf_fov fov_in_crop(const mdf_fov *fov, const mdf_square *at, int side)
{
    const float scale = (float)side / (float)at->side;
    mdf_fov out = *fov;
    out.cx = (fov->cx - (float)at->left) * scale;
    out.cy = (fov->cy - (float)at->top) * scale;
    out.r = fov->r * scale;
    out.left = (int)lroundf((float)(fov->left - at->left) * scale);
    out.top = (int)lroundf((float)(fov->top - at->top) * scale);
    out.right = (int)lroundf((float)(fov->right - at->left) * scale);
    out.bottom = (int)lroundf((float)(fov->bottom - at->top) * scale);
    return out;
}

/* The crop, in at most side pixels. */
static mdf_status load_picture(mdf_sample *s, int side, view *v, mdf_error *err)
{
    mdf_image full = {0};
    mdf_fov fov;
    MDF_TRY(mdf_image_read(&full, s->info->path, err));
    mdf_status status = mdf_fov_find(&fov, &full, err);
    if (status == MDF_OK) {
        *v = (view){full.width, full.height, mdf_fov_square(&fov)};
        status = mdf_crop_within(&s->image, &full, v->square, side, err);
    }
    mdf_image_free(&full);
    if (status != MDF_OK) {
        return mdf_fail_prefix(err, status, s->info->path);
    }
    s->fov = fov_in_crop(&fov, &v->square, s->image.width);
    return MDF_OK;
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

/* The boxes of one kind as a mask of the crop. */
static mdf_status draw_boxes(mdf_grey *out, const mdf_manifest_case *info, mdf_mask_name kind,
                             const view *v, int side, mdf_error *err)
{
    uint8_t *px = mdf_alloc((size_t)side * (size_t)side, 1);
    if (px == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for a mask", info->path);
    }
    *out = (mdf_grey){.width = side, .height = side, .px = px};
    const double scale = (double)side / v->square.side;
    for (size_t i = 0; i < info->box_count; i++) {
        const mdf_box *b = &info->boxes[i];
        const double w = b->is_fraction ? v->width : 1;
        const double h = b->is_fraction ? v->height : 1;
        if (b->kind != kind) {
            continue;
        }
        if (b->left * w >= v->width || b->top * h >= v->height || b->right <= 0 || b->bottom <= 0) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "%s: a box of " MDF_BOXES_FILE
                            " from %g, %g to %g, %g lies outside of the picture of %d x %d pixels",
                            info->path, b->left * w, b->top * h, b->right * w, b->bottom * h,
                            v->width, v->height);
        }
        mdf_mask_fill(out, scale * (b->left * w - v->square.left),
                      scale * (b->top * h - v->square.top), scale * (b->right * w - v->square.left),
                      scale * (b->bottom * h - v->square.top), mdf_mask_is_region(kind));
    }
    return MDF_OK;
}

/* What a disc's centre says: near it is disc, far from it is none. Discs of fields of view of 30 to
 * 60 degrees have radii between the two. */
static mdf_status draw_disc_centre(mdf_grey *out, const mdf_manifest_case *info, const view *v,
                                   int side, mdf_error *err)
{
    static const double near = 0.6;
    static const double far = 1.6;
    const double scale = (double)side / v->square.side;
    const double radius = (double)side / MDF_DISC_SHARE / 2;
    const double x = scale * (info->disc_x - v->square.left);
    const double y = scale * (info->disc_y - v->square.top);
    if (info->disc_x < 0 || info->disc_y < 0 || info->disc_x >= v->width ||
        info->disc_y >= v->height) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: the disc's centre at %g, %g lies outside of the picture of %d x %d "
                        "pixels",
                        info->path, info->disc_x, info->disc_y, v->width, v->height);
    }
    const size_t pixels = (size_t)side * (size_t)side;
    *out = (mdf_grey){.width = side, .height = side, .px = mdf_alloc(pixels, 1)};
    if (out->px == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for a mask", info->path);
    }
    mdf_mask_fill(out, x - far * radius, y - far * radius, x + far * radius, y + far * radius,
                  true);
    for (size_t i = 0; i < pixels; i++) {
        out->px[i] = out->px[i] != 0 ? MDF_MASK_UNKNOWN : 0;
    }
    mdf_mask_fill(out, x - near * radius, y - near * radius, x + near * radius, y + near * radius,
                  true);
    return MDF_OK;
}

static mdf_status load_one_mask(mdf_sample *s, mdf_mask_name name, const view *v, mdf_error *err)
{
    const mdf_manifest_case *info = s->info;
    if (mdf_case_is_free_of(info, name)) {
        s->mask[name] = (mdf_grey){.width = 1, .height = 1, .px = mdf_alloc(1, 1)};
        s->has_mask = true;
        return s->mask[name].px != NULL
                   ? MDF_OK
                   : mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for a mask", info->path);
    }
    if (!mdf_case_has_mask(info, name)) {
        return MDF_OK;
    }
    s->has_mask = true;
    if (info->mask[name] != NULL) {
        return load_mask(&s->mask[name], info->mask[name], v, err);
    }
    s->partial[name] = !mdf_mask_is_region(name);
    if (!mdf_case_has_boxes(info, name)) {
        s->only_centre = s->partial[name] = true;
        return draw_disc_centre(&s->mask[name], info, v, s->image.width, err);
    }
    return draw_boxes(&s->mask[name], info, name, v, s->image.width, err);
}

static mdf_status load_sample(mdf_sample *s, const mdf_manifest_case *info,
                              const mdf_samples_options *opt, mdf_error *err)
{
    s->info = info;
    s->label = info->label;
    if (!opt->use_image) {
        return MDF_OK;
    }
    view v = {0};
    MDF_TRY(load_picture(s, opt->side, &v, err));
    for (int i = 0; i < opt->mask_count; i++) {
        MDF_TRY(load_one_mask(s, opt->masks[i], &v, err));
    }
    return MDF_OK;
}

/* Cases of one photograph stand behind one another and share its path. */
static void link_twins(mdf_samples *s)
{
    for (size_t first = 0; first < s->count;) {
        size_t end = first + 1;
        while (end < s->count && s->item[end].info->path == s->item[first].info->path) {
            end++;
        }
        for (size_t i = first; i < end; i++) {
            s->item[i].before = (int)(i - first);
            s->item[i].after = (int)(end - i) - 1;
        }
        first = end;
    }
}

mdf_status mdf_samples_load(mdf_samples *out, const mdf_manifest *m, const mdf_samples_options *opt,
                            mdf_samples_progress *progress, void *user, mdf_error *err)
{
    *out = (mdf_samples){0};
    out->item = mdf_alloc(m->case_count, sizeof *out->item);
    if (out->item == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %zu cases", m->case_count);
    }
    for (size_t i = 0; i < m->case_count; i++) {
        out->count = i + 1;
        mdf_status status = load_sample(&out->item[i], &m->cases[i], opt, err);
        if (status == MDF_OK && progress != NULL && !progress(user, i + 1, m->case_count)) {
            status = mdf_fail(err, MDF_ERR_STOPPED, "stopped while reading the photographs");
        }
        if (status != MDF_OK) {
            mdf_samples_free(out);
            return status;
        }
    }
    link_twins(out);
    return MDF_OK;
}

void mdf_samples_free(mdf_samples *s)
{
    for (size_t i = 0; i < s->count; i++) {
        mdf_image_free(&s->item[i].image);
        for (int k = 0; k < MDF_MASK_NAMES; k++) {
            mdf_grey_free(&s->item[i].mask[k]);
        }
    }
    mdf_free(s->item);
    mdf_free(s->known);
    *s = (mdf_samples){0};
}

mdf_status mdf_samples_know_labels(mdf_samples *s, int classes, mdf_error *err)
{
    int sources = 1;
    for (size_t i = 0; i < s->count; i++) {
        sources = s->item[i].info->source >= sources ? s->item[i].info->source + 1 : sources;
    }
    mdf_free(s->known);
    s->classes = classes;
    s->known = mdf_alloc((size_t)sources * (size_t)classes, 1);
    if (s->known == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the labels of %d folders", sources);
    }
    for (size_t i = 0; i < s->count; i++) {
        const mdf_sample *c = &s->item[i];
        if (c->label >= 0) {
            s->known[c->info->source * classes + c->label] = 1;
        }
    }
    return MDF_OK;
}
