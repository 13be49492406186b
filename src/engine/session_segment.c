/* Masks of a photograph and what is measured on them. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/session.h"
#include "nn/segment.h"
#include "photo/biometry.h"
#include "photo/fov.h"
#include "photo/map_mask.h"
#include "photo/quality.h"

_Static_assert((int)MDF_MASK_NAMES <= MDF_MAX_KINDS && MDF_MAX_MASKS <= MDF_MAX_KINDS,
               "every kind of mask has a place in a result");

int mdf_engine_mask_count(const mdf_engine *e)
{
    return e->model->unet.head_w == NULL ? 0 : e->model->config.unet.mask_channels;
}

const char *mdf_engine_mask(const mdf_engine *e, int index)
{
    return mdf_mask_names[e->model->config.unet.masks[index]];
}

void mdf_session_maps_free(mdf_session_maps *m)
{
    mdf_free(m->logit);
    *m = (mdf_session_maps){0};
}

/* Which of the model's masks shows that; -1: none. */
static int mask_of(const mdf_engine *e, mdf_mask_name name)
{
    for (int i = 0; i < mdf_engine_mask_count(e); i++) {
        if (e->model->config.unet.masks[i] == name) {
            return i;
        }
    }
    return -1;
}

static bool is_lesion(mdf_mask_name name)
{
    return name != MDF_MASK_VESSEL && name != MDF_MASK_DISC && name != MDF_MASK_CUP;
}

/* ---- what the model sees ----------------------------------------------------------------------
 */

/* Quality and field of view of the picture; the square around it, in at most as many pixels as the
 * model draws masks at. */
static mdf_status look(mdf_session *s, mdf_image *square, mdf_segmentation *r,
                       const mdf_image *full, mdf_error *err)
{
    const mdf_config *c = &s->engine->model->config;
    mdf_fov fov;
    mdf_quality quality;
    MDF_TRY(mdf_fov_find(&fov, full, err));
    if (fov.kind == MDF_FOV_NONE) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "no field of view: the picture is blank, or hardly any of it is lit");
    }
    const mdf_square at = mdf_fov_square(&fov);
    if (at.side < MDF_QUALITY_MIN_SIDE) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "a field of view of %d pixels across is too small for masks: %d are the "
                        "least",
                        at.side, MDF_QUALITY_MIN_SIDE);
    }
    MDF_TRY(mdf_quality_score(&quality, full, &fov, err));
    r->width = full->width;
    r->height = full->height;
    r->quality = quality.score;
    r->gradable = (quality.reasons & MDF_QUALITY_NO_FUNDUS) == 0;
    mdf_caution_of_photo(&r->caution, &fov, &quality);
    s->maps.field = mdf_field_of(&fov, full->width, full->height);
    s->maps.at = at;
    return mdf_crop_within(square, full, at, mdf_segment_side(c), err);
}

/* Maps are kept as logits: what lies between two cells is theirs mixed as logits. */
static void to_logits(float *map, size_t count)
{
    const float least = 1e-7F;
    for (size_t i = 0; i < count; i++) {
        const float p = fminf(fmaxf(map[i], least), 1 - least);
        map[i] = logf(p / (1 - p));
    }
}

static mdf_status draw(mdf_session *s, const mdf_image *square, mdf_error *err)
{
    mdf_session_maps *m = &s->maps;
    const mdf_mllm *model = s->engine->model;
    const size_t masks = (size_t)model->config.unet.mask_channels;
    const size_t most = (size_t)mdf_segment_side(&model->config);
    const size_t count = (size_t)square->width * (size_t)square->width * masks;
    if (m->logit == NULL) { /* once, for the largest */
        m->logit = mdf_alloc_raw(most * most * masks * sizeof *m->logit);
        if (m->logit == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for masks");
        }
    }
    m->side = square->width;
    s->graph.train = false;
    MDF_TRY(mdf_segment_crop(m->logit, NULL, &s->graph, model, square, err));
    for (size_t i = 0; i < count; i++) {
        if (!isfinite((double)m->logit[i])) {
            return mdf_fail(err, MDF_ERR_NUMERIC, "a mask has a value that is not a number");
        }
    }
    to_logits(m->logit, count);
    return MDF_OK;
}

/* ---- what is measured -------------------------------------------------------------------------
 */

static mdf_status draw_mask(const mdf_session *s, int index, uint8_t *px, mdf_error *err)
{
    const mdf_session_maps *m = &s->maps;
    return mdf_map_mask(px, &m->field,
                        &(mdf_map_channel){.map = m->logit,
                                           .side = m->side,
                                           .channels = mdf_engine_mask_count(s->engine),
                                           .channel = index,
                                           .at = m->at},
                        m->threshold, err);
}

/* Room for two masks of the photograph. */
typedef struct sheets {
    uint8_t *one, *two; /* [height, width]; two only where there are disc and cup */
} sheets;

static mdf_status measure_disc(const mdf_session *s, mdf_segmentation *r, const sheets *px,
                               mdf_error *err)
{
    const int disc = mask_of(s->engine, MDF_MASK_DISC);
    const int cup = mask_of(s->engine, MDF_MASK_CUP);
    if (disc < 0) {
        return MDF_OK;
    }
    MDF_TRY(draw_mask(s, disc, px->one, err));
    if (cup >= 0) {
        MDF_TRY(draw_mask(s, cup, px->two, err));
    }
    return mdf_measure_disc(&r->disc, &r->caution, px->one, cup < 0 ? NULL : px->two,
                            &s->maps.field, err);
}

static mdf_status measure_lesions(const mdf_session *s, mdf_segmentation *r, const sheets *px,
                                  double detail, mdf_error *err)
{
    const mdf_config *c = &s->engine->model->config;
    for (int i = 0; i < mdf_engine_mask_count(s->engine); i++) {
        const mdf_mask_name name = c->unet.masks[i];
        if (!is_lesion(name)) {
            continue;
        }
        MDF_TRY(draw_mask(s, i, px->one, err));
        MDF_TRY(mdf_measure_lesions(&r->lesion[i], px->one, &s->maps.field, err));
        if (name != MDF_MASK_HARD_EXUDATE) {
            mdf_caution_of_detail(&r->caution, detail);
        }
    }
    return MDF_OK;
}

static mdf_status measure_all(const mdf_session *s, mdf_segmentation *r, const sheets *px,
                              mdf_error *err)
{
    const mdf_field *f = &s->maps.field;
    const double drawn = mdf_segment_side(&s->engine->model->config);
    const double detail = fmin(f->diameter, drawn);
    const int vessel = mask_of(s->engine, MDF_MASK_VESSEL);
    if (f->diameter < 0.75 * drawn) {
        mdf_caution(&r->caution,
                    "fewer pixels than the model draws masks at: their edges are guessed");
    }
    if (vessel >= 0) {
        MDF_TRY(draw_mask(s, vessel, px->one, err));
        MDF_TRY(mdf_measure_vessels(&r->vessel, &r->caution, px->one, f, detail, err));
    }
    MDF_TRY(measure_disc(s, r, px, err));
    return measure_lesions(s, r, px, detail, err);
}

static mdf_status measure(const mdf_session *s, mdf_segmentation *r, mdf_error *err)
{
    const size_t pixels = (size_t)r->width * (size_t)r->height;
    const bool both =
        mask_of(s->engine, MDF_MASK_DISC) >= 0 && mask_of(s->engine, MDF_MASK_CUP) >= 0;
    if (!r->gradable) {
        mdf_caution(&r->caution, "not gradable: nothing was measured");
        return MDF_OK;
    }
    sheets px = {mdf_alloc_raw(pixels), both ? mdf_alloc_raw(pixels) : NULL};
    const mdf_status status =
        px.one == NULL || (both && px.two == NULL)
            ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for masks of %d x %d pixels", r->width,
                       r->height)
            : measure_all(s, r, &px, err);
    mdf_free(px.one);
    mdf_free(px.two);
    return status;
}

/* Nothing is measured so far. */
static mdf_segmentation unmeasured(void)
{
    const double none = (double)NAN;
    mdf_segmentation r = {
        .vessel = {none, none},
        .disc = {none, none, none, none, none, none, none, none, none, none, none}};
    for (int i = 0; i < MDF_MAX_KINDS; i++) {
        r.lesion[i] = (mdf_lesion_measures){none, none};
    }
    return r;
}

/* Frees full. start: when its decoding began. */
static mdf_status segment(mdf_session *s, mdf_image *full, double start, mdf_segmentation *r,
                          mdf_error *err)
{
    mdf_image square = {0};
    mdf_status status = look(s, &square, r, full, err);
    mdf_image_free(full); /* before masks of its size are needed */
    r->decode_ms = 1e3 * (mdf_clock_seconds() - start);
    if (status == MDF_OK) {
        status = draw(s, &square, err);
    }
    mdf_image_free(&square);
    r->forward_ms = 1e3 * (mdf_clock_seconds() - start) - r->decode_ms;
    if (status != MDF_OK) {
        return status;
    }
    const mdf_field *f = &s->maps.field;
    r->field_x = f->cx;
    r->field_y = f->cy;
    r->field_diameter = f->diameter;
    r->field_area = f->area;
    r->crop_left = s->maps.at.left;
    r->crop_top = s->maps.at.top;
    r->crop_side = s->maps.at.side;
    return measure(s, r, err);
}

mdf_status mdf_session_segment(mdf_session *s, const mdf_photo *photo, double threshold,
                               mdf_segmentation *out, mdf_error *err)
{
    mdf_segmentation r = unmeasured();
    s->maps.drawn = false;
    if (mdf_engine_mask_count(s->engine) == 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "this model draws no masks: its U-Net has no decoder (unet_config.masks)");
    }
    if (!(threshold > 0 && threshold < 1)) {
        return mdf_fail(err, MDF_ERR_ARG, "a threshold of %g is not between 0 and 1", threshold);
    }
    s->maps.threshold = (float)log(threshold / (1 - threshold));
    const char *name = photo->name == NULL ? "picture" : photo->name;
    const double start = mdf_clock_seconds();
    mdf_image full = {0};
    MDF_TRY(mdf_image_decode(&full, photo->image, photo->image_bytes, name, err));
    const mdf_status status = segment(s, &full, start, &r, err);
    if (status != MDF_OK) {
        return mdf_fail_prefix(err, status, name);
    }
    s->maps.drawn = true;
    *out = r;
    return MDF_OK;
}

mdf_status mdf_session_mask(mdf_session *s, int index, uint8_t *px, mdf_error *err)
{
    if (!s->maps.drawn) {
        return mdf_fail(err, MDF_ERR_ARG, "there are no masks: no photograph was segmented");
    }
    if (index < 0 || index >= mdf_engine_mask_count(s->engine)) {
        return mdf_fail(err, MDF_ERR_ARG, "mask %d: this model draws %d", index,
                        mdf_engine_mask_count(s->engine));
    }
    return draw_mask(s, index, px, err);
}
