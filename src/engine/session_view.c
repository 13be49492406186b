/* What the model sees of photographs: tiles for the vision tower, the crop for the U-Net. */
#include <string.h>

#include "base/alloc.h"
#include "engine/session.h"
#include "nn/tiles.h"
#include "photo/fov.h"
#include "photo/mllama_image.h"

void mdf_session_view_clear(mdf_session_view *v)
{
    v->photos = 0;
    v->tiles = 0;
    v->has_unet = false;
}

void mdf_session_view_free(mdf_session_view *v)
{
    mdf_free(v->unet);
    mdf_free(v->planes);
    mdf_free(v->tile);
    *v = (mdf_session_view){0};
}

static mdf_status out_of_memory(mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a picture");
}

/* Numbers of a tile. */
static size_t tile_count(const mdf_vision_config *c)
{
    return (size_t)c->image_size * (size_t)c->image_size * 3;
}

/* Room for every tile that the model can see of so many photographs. What is in does not stay where
 * the room grows. */
static mdf_status reserve_tiles(mdf_session_view *v, const mdf_vision_config *c, int64_t photos,
                                mdf_error *err)
{
    const int64_t tiles = photos * c->max_num_tiles;
    if (v->room < tiles) {
        mdf_session_view_clear(v);
        mdf_free(v->tile);
        v->tile = mdf_alloc((size_t)tiles * tile_count(c), sizeof *v->tile);
        v->room = v->tile == NULL ? 0 : tiles;
    }
    return v->room < tiles ? out_of_memory(err) : MDF_OK;
}

static mdf_status reserve_planes(mdf_session_view *v, const mdf_vision_config *c, mdf_error *err)
{
    if (v->planes == NULL) {
        v->planes = mdf_alloc((size_t)c->max_num_tiles * tile_count(c), sizeof *v->planes);
    }
    return v->planes == NULL ? out_of_memory(err) : MDF_OK;
}

/* Where the next photograph's tiles go. */
static mdf_real *next_tile(const mdf_session_view *v, const mdf_vision_config *c)
{
    return v->tile + (size_t)v->tiles * tile_count(c);
}

static void take_photo(mdf_session_view *v, int id, int tiles)
{
    v->id[v->photos++] = id;
    v->tiles += tiles;
}

static mdf_mllama_norm norm_of(const mdf_engine *e)
{
    mdf_mllama_norm norm;
    memcpy(norm.mean, e->preprocessor.mean, sizeof norm.mean);
    memcpy(norm.std, e->preprocessor.std, sizeof norm.std);
    return norm;
}

static mdf_status cut(mdf_session *s, const mdf_image *im, int most, mdf_error *err)
{
    const mdf_vision_config *c = &s->engine->model->config.vision;
    mdf_session_view *v = &s->view;
    const mdf_mllama_grid grid = {.tile = c->image_size,
                                  .tiles = c->max_num_tiles,
                                  .most = most == MDF_TILES_ALL ? c->max_num_tiles : most};
    const mdf_mllama_norm norm = norm_of(s->engine);
    int mask[MDF_MLLAMA_MOST_TILES];
    mdf_mllama_layout at;
    if (grid.most < 1 || grid.most > grid.tiles) {
        return mdf_fail(err, MDF_ERR_ARG, "%d tiles are wanted, but this model takes %d at most",
                        most, grid.tiles);
    }
    MDF_TRY(reserve_tiles(v, c, v->photos + 1, err));
    MDF_TRY(reserve_planes(v, c, err));
    MDF_TRY(mdf_mllama_image(v->planes, mask, &at, im, &grid, &norm, err));
    const int tiles = at.tiles_high * at.tiles_wide;
    mdf_tiles_from_planes(next_tile(v, c), v->planes, tiles, c->image_size);
    take_photo(v, at.aspect_ratio_id, tiles);
    return MDF_OK;
}

mdf_status mdf_session_cut(mdf_session *s, const mdf_image *full, const mdf_square *at, int most,
                           mdf_error *err)
{
    if (at == NULL) {
        return cut(s, full, most, err);
    }
    mdf_image crop = {0};
    MDF_TRY(mdf_crop(&crop, full, *at, err));
    const mdf_status status = cut(s, &crop, most, err);
    mdf_image_free(&crop);
    return status;
}

/* One tile that the square crop fills, as models are trained here. */
static mdf_status fill_one_tile(mdf_session *s, const mdf_image *crop, mdf_error *err)
{
    const mdf_vision_config *c = &s->engine->model->config.vision;
    const mdf_mllama_norm norm = norm_of(s->engine);
    mdf_session_view *v = &s->view;
    MDF_TRY(reserve_tiles(v, c, v->photos + 1, err));
    MDF_TRY(mdf_crop_pixels(next_tile(v, c), crop, c->image_size, &norm, err));
    take_photo(v, 1, 1);
    return MDF_OK;
}

static mdf_status fill_unet(mdf_session *s, const mdf_image *crop, mdf_error *err)
{
    mdf_session_view *v = &s->view;
    const int side = s->engine->model->config.unet.image_size;
    if (v->unet == NULL) {
        v->unet = mdf_alloc((size_t)side * (size_t)side * 3, sizeof *v->unet);
        if (v->unet == NULL) {
            return out_of_memory(err);
        }
    }
    const mdf_mllama_norm norm = mdf_unet_norm(&s->engine->model->config);
    MDF_TRY(mdf_crop_pixels(v->unet, crop, side, &norm, err));
    v->has_unet = true;
    return MDF_OK;
}

static mdf_status fill(mdf_session *s, const mdf_question *q, const mdf_image *full, mdf_error *err)
{
    const mdf_config *c = &s->engine->model->config;
    const bool labels = mdf_engine_has_labels(s->engine);
    const mdf_view usual = labels ? MDF_VIEW_CROP : MDF_VIEW_WHOLE;
    const bool cropped = (q->view == MDF_VIEW_USUAL ? usual : q->view) == MDF_VIEW_CROP;
    const int tiles = q->tiles != 0 ? q->tiles : labels ? 1 : MDF_TILES_ALL;
    const bool one_tile = cropped && tiles == 1;
    const bool unet = mdf_config_has_unet(c) && c->train.use_unet;
    mdf_fov fov;
    mdf_square at = {0};
    mdf_image crop = {0};
    if (unet || cropped) {
        MDF_TRY(mdf_fov_find(&fov, full, err));
        at = mdf_fov_square(&fov);
    }
    if (unet || one_tile) {
        MDF_TRY(mdf_crop_within(&crop, full, at, mdf_config_crop_side(c), err));
    }
    mdf_status status = one_tile ? fill_one_tile(s, &crop, err)
                                 : mdf_session_cut(s, full, cropped ? &at : NULL, tiles, err);
    if (status == MDF_OK && unet) {
        status = fill_unet(s, &crop, err);
    }
    mdf_image_free(&crop);
    return status;
}

static mdf_status see_one(mdf_session *s, const mdf_question *q, const mdf_photo *photo,
                          mdf_error *err)
{
    const char *name = photo->name == NULL ? "picture" : photo->name;
    mdf_image full = {0};
    MDF_TRY(mdf_image_decode(&full, photo->image, photo->image_bytes, name, err));
    const mdf_status status = fill(s, q, &full, err);
    mdf_image_free(&full);
    return status == MDF_OK ? MDF_OK : mdf_fail_prefix(err, status, name);
}

/* The models that have no tower, or pictures that are made otherwise than here. */
static mdf_status check_tower(const mdf_engine *e, const mdf_photo *photo, mdf_error *err)
{
    const char *name = photo->name == NULL ? "picture" : photo->name;
    if (!mdf_config_has_vision(&e->model->config)) {
        return mdf_fail(err, MDF_ERR_ARG, "%s: this model reads text only: it has no vision tower",
                        name);
    }
    return e->no_picture.code == MDF_OK
               ? MDF_OK
               : mdf_fail(err, e->no_picture.code, "%s: %s", name, e->no_picture.text);
}

mdf_status mdf_session_see(mdf_session *s, const mdf_question *q, mdf_error *err)
{
    const mdf_photo one = {q->image, q->image_bytes, q->name};
    const mdf_photo *photo = q->photo_count > 0 ? q->photo : &one;
    const size_t count = mdf_session_given(q);
    mdf_session_view *v = &s->view;
    mdf_session_view_clear(v);
    MDF_TRY(check_tower(s->engine, photo, err));
    mdf_status status = reserve_tiles(v, &s->engine->model->config.vision, (int64_t)count, err);
    for (size_t i = 0; status == MDF_OK && i < count; i++) {
        status = see_one(s, q, &photo[i], err);
    }
    if (status != MDF_OK) {
        mdf_session_view_clear(v);
    }
    return status;
}
