/* Which token of which tile stands where in the vision tower's sequences. */
#include "nn/tiles.h"

#include <math.h>

#include "tensor/op.h"

bool mdf_tile_grid(const mdf_config *c, int id, int *rows, int *columns)
{
    int at = 0;
    for (int a = 1; a <= c->vision.max_num_tiles; a++) {
        for (int b = 1; a * b <= c->vision.max_num_tiles; b++) {
            if (++at == id) {
                *rows = a;
                *columns = b;
                return true;
            }
        }
    }
    return false;
}

void mdf_tiles_from_planes(mdf_real *tiles, const float *planes, int64_t count, int64_t side)
{
    const int64_t pixels = side * side;
    for (int64_t n = 0; n < count; n++) {
        for (int64_t i = 0; i < pixels; i++) {
            for (int64_t c = 0; c < 3; c++) {
                tiles[(n * pixels + i) * 3 + c] = (mdf_real)planes[(n * 3 + c) * pixels + i];
            }
        }
    }
}

static bool all_zero(const mdf_real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (x[i] < 0 || x[i] > 0) {
            return false;
        }
    }
    return true;
}

/* Are numbers [first, first + n) of a table zero, whatever format it is stored in? What can't be
 * told counts as no. */
static bool part_is_zero(const mdf_tensor *t, int64_t first, int64_t n)
{
    enum { PIECE = 1024 }; /* whole blocks of every format */
    if (t == NULL) {
        return true;
    }
    if (t->raw == NULL) {
        return all_zero(t->data + first, n);
    }
    const int64_t block = (int64_t)mdf_dtype_block(t->dtype);
    if (first % block != 0 || n % block != 0) {
        return false;
    }
    const uint8_t *at =
        (const uint8_t *)t->raw + first / block * (int64_t)mdf_dtype_bytes(t->dtype);
    for (int64_t i = 0; i < n; i += PIECE) {
        float x[PIECE];
        const int64_t count = n - i < PIECE ? n - i : PIECE;
        if (!mdf_dtype_to_floats(t->dtype, at, (size_t)count, x)) {
            return false;
        }
        for (int64_t j = 0; j < count; j++) {
            if (x[j] < 0 || x[j] > 0) {
                return false;
            }
        }
        at += count / block * (int64_t)mdf_dtype_bytes(t->dtype);
    }
    return true;
}

/* Unused slots of one id have the same embeddings only where these are zero, as in the released
 * models; a fine-tuned one may differ. */
static bool spare_slots_are_zero(const mdf_config *c, const mdf_tile_tables *tables, int64_t p,
                                 int64_t id, int64_t used)
{
    const int64_t slots = c->vision.max_num_tiles;
    const int64_t d = c->vision.hidden_size;
    const int64_t first = id * slots + used;
    const int64_t n = slots - used;
    return part_is_zero(tables->pre, first * d, n * d) &&
           part_is_zero(tables->post, first * d, n * d) &&
           part_is_zero(tables->position, first * p * d, n * p * d);
}

/* How a tile is cut; no pictures yet. */
static void measure_tile(const mdf_config *c, mdf_tiles *t)
{
    const int64_t side = c->vision.image_size / c->vision.patch_size;
    const int64_t pad = (8 - (side * side + 1) % 8) % 8;
    t->patches = side * side;
    t->p = t->patches + 1;
    t->pad = c->vision.deduplicate && pad > 0 ? 1 : pad;
    t->pad_weight = c->vision.deduplicate ? pad : 1;
    t->tile = t->p + t->pad;
}

static bool place_picture(mdf_graph *g, const mdf_config *c, const mdf_tile_tables *tables,
                          mdf_tiles *t, mdf_picture *p, int id)
{
    int rows = 0;
    int columns = 0;
    if (!mdf_tile_grid(c, id, &rows, &columns)) {
        (void)mdf_graph_fail(g, MDF_ERR_ARG, "vision", "aspect ratio id %d is not in 1..%d", id,
                             mdf_config_aspect_ratios(c));
        return false;
    }
    p->id = id;
    p->used = (int64_t)rows * columns;
    const int64_t unused = c->vision.max_num_tiles - p->used;
    p->spare_rows = !c->vision.deduplicate || !spare_slots_are_zero(c, tables, t->p, id, p->used);
    p->spare = !p->spare_rows && unused > 0 ? 1 : unused;
    p->spare_weight = p->spare_rows ? 1 : unused;
    p->tile0 = t->tiles;
    p->row0 = t->rows;
    t->tiles += p->used;
    t->rows += (p->used + p->spare) * t->tile;
    return true;
}

/* Pictures and their image tokens, case by case. */
static bool place_pictures(mdf_graph *g, const mdf_config *c, const mdf_batch *b,
                           const mdf_tile_tables *tables, mdf_tiles *t)
{
    int64_t n = 0;
    for (int64_t i = 0; i < b->cases; i++) {
        mdf_case_tokens *k = &t->of_case[i];
        *k = (mdf_case_tokens){.first = t->tokens, .picture0 = n};
        k->pictures = b->image_count == NULL ? 1 : b->image_count[i];
        for (int64_t j = 0; j < k->pictures; j++, n++) {
            mdf_picture *p = &t->picture[n];
            if (!place_picture(g, c, tables, t, p,
                               b->aspect_ratio_id == NULL ? 1 : b->aspect_ratio_id[n])) {
                return false;
            }
            p->first = k->first + k->main;
            p->count = p->used * t->p;
            k->main += p->count;
            k->spare += p->spare * t->p;
        }
        t->tokens += k->main + k->spare;
    }
    return true;
}

static bool rows_allocate(mdf_graph *g, mdf_tiles *t)
{
    int32_t **maps[] = {&t->source, &t->pre_tile, &t->position, &t->in_tile, &t->unpad, &t->post};
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        *maps[i] = mdf_graph_alloc(g, t->rows, sizeof(int32_t));
    }
    t->invalid = mdf_graph_alloc(g, t->rows, 1);
    t->bias = mdf_graph_alloc(g, t->rows, sizeof *t->bias);
    t->keep = mdf_graph_alloc(g, t->tokens, sizeof *t->keep);
    t->token_bias = mdf_graph_alloc(g, t->tokens, sizeof *t->token_bias);
    return g->error.code == MDF_OK;
}

/* Token j of tile s of picture p. */
static void fill_row(const mdf_config *c, mdf_tiles *t, const mdf_picture *p, int64_t s, int64_t j)
{
    const int64_t n = p->row0 + s * t->tile + j;
    const int64_t slot = p->id * c->vision.max_num_tiles + s;
    const bool used = s < p->used;
    const bool known = used || p->spare_rows; /* has rows in the tile tables */
    const bool padding = j >= t->p;
    const bool patch = j > 0 && !padding;
    const int64_t patch_row = (p->tile0 + s) * t->patches + j - 1;
    const int64_t class_row = t->tiles * t->patches;
    t->source[n] = (int32_t)(j == 0 ? class_row : used && patch ? patch_row : -1);
    t->pre_tile[n] = (int32_t)(known && patch ? slot : -1); /* docs/MODEL.md trap 3 */
    t->position[n] = (int32_t)(padding ? -1 : j);
    t->in_tile[n] = (int32_t)(known && !padding ? slot * t->p + j : -1);
    t->unpad[n] = (int32_t)(padding ? -1 : n);
    t->post[n] = (int32_t)(known ? slot : -1);
    t->invalid[n] = !used || padding; /* trap 1 */
    const double many =
        (double)(used ? 1 : p->spare_weight) * (double)(padding ? t->pad_weight : 1);
    t->bias[n] = (mdf_real)log(many);
}

/* The image tokens of tiles [from, to) of a picture, from *at on. */
static void keep_tiles(mdf_tiles *t, const mdf_picture *p, int64_t from, int64_t to, int64_t *at)
{
    for (int64_t s = from; s < to; s++) {
        for (int64_t j = 0; j < t->p; j++) {
            const int64_t n = p->row0 + s * t->tile + j;
            t->keep[*at] = (int32_t)n;
            t->token_bias[(*at)++] = t->bias[n];
        }
    }
}

bool mdf_tiles_plan(mdf_graph *g, const mdf_config *c, const mdf_batch *b,
                    const mdf_tile_tables *tables, mdf_tiles *t)
{
    *t = (mdf_tiles){.cases = b->cases};
    measure_tile(c, t);
    for (int64_t i = 0; i < b->cases; i++) {
        t->pictures += b->image_count == NULL ? 1 : b->image_count[i];
    }
    t->picture = mdf_graph_alloc(g, t->pictures, sizeof *t->picture);
    t->of_case = mdf_graph_alloc(g, t->cases, sizeof *t->of_case);
    if (g->error.code != MDF_OK || !place_pictures(g, c, b, tables, t) || !rows_allocate(g, t)) {
        return false;
    }
    for (int64_t n = 0; n < t->pictures; n++) {
        const mdf_picture *p = &t->picture[n];
        for (int64_t i = 0; i < (p->used + p->spare) * t->tile; i++) {
            fill_row(c, t, p, i / t->tile, i % t->tile);
        }
    }
    int64_t at = 0;
    for (int64_t i = 0; i < t->cases; i++) {
        const mdf_picture *p = t->picture + t->of_case[i].picture0;
        for (int64_t j = 0; j < t->of_case[i].pictures; j++) {
            keep_tiles(t, &p[j], 0, p[j].used, &at);
        }
        for (int64_t j = 0; j < t->of_case[i].pictures; j++) {
            keep_tiles(t, &p[j], p[j].used, p[j].used + p[j].spare, &at);
        }
    }
    return true;
}
