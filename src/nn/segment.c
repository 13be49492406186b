/* Masks of a whole field of view: tiles through the U-Net, their logits blended. */
#include "nn/segment.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "photo/augment.h"
#include "photo/resize.h"

/* Where tiles begin along a side: first 0, last side - tile, evenly between. */
typedef struct tiling {
    int side;  /* of the field of view that is cut */
    int tile;  /* of a tile */
    int count; /* of tiles along a side */
} tiling;

int mdf_segment_side(const mdf_config *c)
{
    return c->unet.mask_side > c->unet.image_size ? c->unet.mask_side : c->unet.image_size;
}

/* Neighbours overlap by a quarter of a tile or a little more. */
static tiling tiling_of(int side, int tile)
{
    const int step = tile - tile / 4;
    return (tiling){.side = side, .tile = tile, .count = 1 + (side - tile + step - 1) / step};
}

static int tile_begin(const tiling *t, int i)
{
    return t->count == 1 ? 0 : (int)((int64_t)(t->side - t->tile) * i / (t->count - 1));
}

/* How much pixel x of a tile says: falls linearly towards its edges, where context is missing, over
 * the overlap; never 0. */
static float weight_at(const tiling *t, int x)
{
    const int edge = x < t->tile - 1 - x ? x : t->tile - 1 - x;
    const int ramp = t->tile / 4;
    return edge + 1 >= ramp ? 1.0F : (float)(edge + 1) / (float)ramp;
}

typedef struct job {
    const mdf_mllm *model;
    mdf_graph *graph;
    tiling tiles;
    int64_t masks;
    const bool *wanted; /* [masks] those that are drawn */
    mdf_image picture;  /* [side,side] */
    float *pixels;      /* [tile,tile,3] */
    mdf_real *input;    /* the same for the model */
    float *sum;         /* [side,side,M] of weighted logits */
    float *total;       /* [side] of the weights along one side */
    mdf_arena scratch;
} job;

static mdf_status one_tile(job *j, int left, int top, mdf_error *err)
{
    const tiling *t = &j->tiles;
    const mdf_mllama_norm norm = mdf_unet_norm(&j->model->config);
    mdf_augment_options o = mdf_augment_none();
    memcpy(o.mean, norm.mean, sizeof norm.mean);
    memcpy(o.std, norm.std, sizeof norm.std);
    o.crop = (double)t->tile / t->side;
    o.crop_x = (left + 0.5 * t->tile) / t->side;
    o.crop_y = (top + 0.5 * t->tile) / t->side;
    mdf_rng r = mdf_rng_new(0, 1);
    MDF_TRY(
        mdf_augment(j->pixels, NULL, NULL, &j->picture, NULL, t->tile, &o, &r, &j->scratch, err));
    const size_t count = (size_t)t->tile * (size_t)t->tile * 3;
    for (size_t i = 0; i < count; i++) {
        j->input[i] = (mdf_real)j->pixels[i];
    }
    mdf_graph_reset(j->graph);
    mdf_tensor *image = mdf_constant(j->graph, j->input, 4, (int64_t[]){1, t->tile, t->tile, 3});
    const mdf_unet_features f = mdf_unet_encode(j->graph, &j->model->unet, image, NULL);
    const mdf_tensor *logits = mdf_unet_decode(j->graph, &j->model->unet, &f);
    MDF_TRY(mdf_graph_status(j->graph, err));
    for (int y = 0; y < t->tile; y++) {
        const mdf_real *from = logits->data + (int64_t)y * t->tile * j->masks;
        float *to = j->sum + ((int64_t)(top + y) * t->side + left) * j->masks;
        for (int x = 0; x < t->tile; x++) {
            const float w = weight_at(t, y) * weight_at(t, x);
            for (int64_t k = 0; k < j->masks; k++) {
                *to++ += w * (float)*from++;
            }
        }
    }
    return MDF_OK;
}

static mdf_status all_tiles(job *j, mdf_error *err)
{
    const tiling *t = &j->tiles;
    const volatile sig_atomic_t *stop = j->graph->stop;
    for (int i = 0; i < t->count; i++) {
        for (int x = 0; x < t->tile; x++) {
            j->total[tile_begin(t, i) + x] += weight_at(t, x);
        }
    }
    for (int row = 0; row < t->count; row++) {
        for (int column = 0; column < t->count; column++) {
            if (stop != NULL && *stop != 0) {
                return mdf_fail(err, MDF_ERR_STOPPED, "stopped while drawing masks");
            }
            MDF_TRY(one_tile(j, tile_begin(t, column), tile_begin(t, row), err));
        }
    }
    return MDF_OK;
}

/* Weighted sums -> blended logits. */
static void divide(job *j)
{
    const int64_t n = j->tiles.side;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n * n; i++) {
        const float weight = j->total[i / n] * j->total[i % n];
        for (int64_t k = 0; k < j->masks; k++) {
            j->sum[i * j->masks + k] /= weight;
        }
    }
}

/* A place between two of n pixels: share of the one behind `at`. */
typedef struct between {
    int at, next;
    float share;
} between;

/* Where the centre of pixel i of `side` lies among n. */
static between place(int i, int side, int n)
{
    const double p = fmin(fmax((i + 0.5) * n / side - 0.5, 0), n - 1);
    const int at = (int)p;
    return (between){at, at + 1 < n ? at + 1 : at, (float)(p - at)};
}

/* Bilinear between the logits; masks that are not wanted stay as they are. */
static void spread(float *maps, const job *j, int side)
{
    const int64_t n = j->tiles.side;
    const int64_t m = j->masks;
#pragma omp parallel for schedule(static)
    for (int y = 0; y < side; y++) {
        const between v = place(y, side, (int)n);
        const float *top = j->sum + v.at * n * m;
        const float *low = j->sum + v.next * n * m;
        float *out = maps + (int64_t)y * side * m;
        for (int x = 0; x < side; x++) {
            const between u = place(x, side, (int)n);
            for (int64_t k = 0; k < m; k++, out++) {
                if (!j->wanted[k]) {
                    continue;
                }
                const float a =
                    top[u.at * m + k] + u.share * (top[u.next * m + k] - top[u.at * m + k]);
                const float b =
                    low[u.at * m + k] + u.share * (low[u.next * m + k] - low[u.at * m + k]);
                *out = 1.0F / (1.0F + expf(-(a + v.share * (b - a))));
            }
        }
    }
}

static mdf_status begin(job *j, const mdf_image *crop, mdf_error *err)
{
    const size_t n = (size_t)j->tiles.side;
    const size_t t = (size_t)j->tiles.tile;
    MDF_TRY(mdf_arena_init(&j->scratch, 0, 0, err));
    j->pixels = mdf_alloc(t * t * 3, sizeof *j->pixels);
    j->input = mdf_alloc(t * t * 3, sizeof *j->input);
    j->sum = mdf_alloc(n * n * (size_t)j->masks, sizeof *j->sum);
    j->total = mdf_alloc(n, sizeof *j->total);
    if (j->pixels == NULL || j->input == NULL || j->sum == NULL || j->total == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for masks of %zu x %zu pixels", n, n);
    }
    MDF_TRY(mdf_image_new(&j->picture, (int)n, (int)n, err));
    return mdf_resize_bilinear(j->picture.rgb, (int)n, (int)n, crop->rgb, crop->width, crop->height,
                               3, err);
}

static mdf_status draw(float *maps, mdf_graph *g, const mdf_mllm *m, const mdf_image *crop,
                       tiling tiles, const bool *wanted, mdf_error *err)
{
    job j = {.model = m,
             .graph = g,
             .tiles = tiles,
             .masks = m->config.unet.mask_channels,
             .wanted = wanted};
    mdf_status status = begin(&j, crop, err);
    if (status == MDF_OK) {
        status = all_tiles(&j, err);
    }
    if (status == MDF_OK) {
        divide(&j);
        spread(maps, &j, crop->width);
    }
    mdf_free(j.pixels);
    mdf_free(j.input);
    mdf_free(j.sum);
    mdf_free(j.total);
    mdf_image_free(&j.picture);
    mdf_arena_free(&j.scratch);
    return status;
}

mdf_status mdf_segment_crop(float *maps, const bool *wanted, mdf_graph *g, const mdf_mllm *m,
                            const mdf_image *crop, mdf_error *err)
{
    const mdf_unet_config *u = &m->config.unet;
    if (m->unet.head_w == NULL) {
        return mdf_fail(err, MDF_ERR_ARG, "the model draws no masks: unet_config.masks is empty");
    }
    if (crop->width < 1 || crop->width != crop->height) {
        return mdf_fail(err, MDF_ERR_ARG, "a field of view of %d x %d pixels is no square",
                        crop->width, crop->height);
    }
    const int side = mdf_segment_side(&m->config);
    for (int regions = 0; regions < 2; regions++) {
        bool drawn[MDF_MAX_MASKS] = {false};
        bool any = false;
        for (int k = 0; k < u->mask_channels; k++) {
            const bool region = side > u->image_size && mdf_mask_is_region(u->masks[k]);
            drawn[k] = region == (regions != 0) && (wanted == NULL || wanted[k]);
            any = any || drawn[k];
        }
        if (any) {
            const int whole = mdf_config_region_side(&m->config);
            const tiling tiles = regions ? tiling_of(whole, whole) : tiling_of(side, u->image_size);
            MDF_TRY(draw(maps, g, m, crop, tiles, drawn, err));
        }
    }
    return MDF_OK;
}
