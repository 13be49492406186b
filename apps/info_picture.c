/* mdf info of pictures. */
#include "base/strbuf.h"
#include "info.h"
#include "photo/fov.h"
#include "photo/image.h"
#include "photo/quality.h"

/* Frees the text of b and forgets doc when the text is incomplete. */
static json_t *string_of(mdf_strbuf *b)
{
    json_t *s = b->failed ? NULL : json_string(b->data != NULL ? b->data : "");
    mdf_strbuf_free(b);
    return s;
}

static mdf_status describe_pixels(const mdf_image *im, const char *format, json_t **doc,
                                  mdf_error *err)
{
    mdf_fov fov;
    mdf_quality quality;
    MDF_TRY(mdf_fov_find(&fov, im, err));
    MDF_TRY(mdf_quality_score(&quality, im, &fov, err));
    mdf_strbuf reasons = mdf_strbuf_new(1024);
    mdf_quality_reasons(quality.reasons, &reasons);
    *doc = json_pack("{s:s, s:i, s:i, s:s, s:f, s:o}", "format", format, "width", im->width,
                     "height", im->height, "field_of_view", mdf_fov_kind_text(fov.kind), "quality",
                     (double)quality.score, "faults", string_of(&reasons));
    return *doc != NULL ? MDF_OK : info_no_memory(err);
}

mdf_status info_picture(const char *path, const info_flags *f, json_t **doc, mdf_error *err)
{
    mdf_image im = {0};
    mdf_map map = {0};
    (void)f;
    MDF_TRY(mdf_map_open(&map, path, err));
    const mdf_image_format format = mdf_image_sniff(map.data, map.len);
    mdf_map_close(&map);
    MDF_TRY(mdf_image_read(&im, path, err));
    const mdf_status status = describe_pixels(&im, mdf_image_format_name(format), doc, err);
    mdf_image_free(&im);
    return status;
}
