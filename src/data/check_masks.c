/* The masks of a data set, opened as training opens them. */
#include "data/check_build.h"
#include "photo/mask.h"

/* Something is wrong with the mask itself, not with the check. */
static bool is_of_the_mask(mdf_status status)
{
    return status != MDF_OK && status != MDF_ERR_NOMEM;
}

static mdf_status note_unclear(mdf_check *c, size_t number, const char *path,
                               const mdf_mask_info *info, mdf_error *err)
{
    mdf_strbuf text = mdf_strbuf_new(400);
    mdf_strbuf_printf(&text, "%.200s: ", path);
    mdf_mask_describe(&text, info);
    const mdf_status status =
        text.data == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the data check")
                          : mdf_check_list_add(&c->unclear_masks, number, path, text.data, err);
    mdf_strbuf_free(&text);
    return status;
}

static mdf_status check_one(mdf_check *c, size_t number, int kind, const char *path, int width,
                            int height, mdf_error *err)
{
    mdf_grey mask = {0};
    mdf_mask_info info = {0};
    mdf_error why = {0};
    mdf_status status = mdf_mask_read(&mask, &info, path, &why);
    mdf_grey_free(&mask);
    if (status == MDF_OK && width > 0) {
        status = mdf_mask_fits(info.width, info.height, width, height, path, &why);
    }
    c->masks[kind].count++;
    if (is_of_the_mask(status)) {
        return mdf_check_list_add(&c->unusable_masks, number, path, why.text, err);
    }
    if (status != MDF_OK) {
        return mdf_fail(err, status, "%s", why.text);
    }
    c->masks[kind].empty += info.kind == MDF_MASK_EMPTY ? 1 : 0;
    return mdf_mask_is_clear(&info) ? MDF_OK : note_unclear(c, number, path, &info, err);
}

/* Counts boxes; of those outside of the picture (width 0: unreadable) one is told. */
static mdf_status check_boxes(mdf_check *c, size_t number, int width, int height, mdf_error *err)
{
    const mdf_manifest_case *one = &c->m->cases[number];
    const mdf_box *outside = NULL;
    for (size_t i = 0; i < one->box_count; i++) {
        const mdf_box *b = &one->boxes[i];
        const bool fits = b->is_fraction || (b->left < width && b->top < height);
        c->masks[b->kind].boxes++;
        outside = outside == NULL && width > 0 && !fits ? b : outside;
    }
    if (outside == NULL) {
        return MDF_OK;
    }
    char text[400];
    (void)snprintf(text, sizeof text,
                   "%.200s: a box of %s begins at %g, %g, outside of the %d x %d pixels", one->path,
                   mdf_mask_names[outside->kind], outside->left, outside->top, width, height);
    return mdf_check_list_add(&c->unusable_masks, number, one->path, text, err);
}

static mdf_status check_disc_centre(mdf_check *c, size_t number, int width, int height,
                                    mdf_error *err)
{
    const mdf_manifest_case *one = &c->m->cases[number];
    const bool fits =
        one->disc_x >= 0 && one->disc_y >= 0 && one->disc_x < width && one->disc_y < height;
    if (!one->has_disc_centre || width == 0 || fits) {
        return MDF_OK;
    }
    char text[400];
    (void)snprintf(text, sizeof text,
                   "%.200s: the disc's centre at %g, %g lies outside of the %d x %d pixels",
                   one->path, one->disc_x, one->disc_y, width, height);
    return mdf_check_list_add(&c->unusable_masks, number, one->path, text, err);
}

mdf_status mdf_check_masks(mdf_check *c, size_t number, int width, int height, mdf_error *err)
{
    const mdf_manifest_case *one = &c->m->cases[number];
    for (int k = 0; k < MDF_MASK_NAMES; k++) {
        if (one->mask[k] != NULL) {
            MDF_TRY(check_one(c, number, k, one->mask[k], width, height, err));
        }
    }
    MDF_TRY(check_disc_centre(c, number, width, height, err));
    return check_boxes(c, number, width, height, err);
}
