/* Keys and values that a case's later tokens need again. */
#include "nn/kv_cache.h"

#include <string.h>

#include "base/alloc.h"

size_t mdf_kv_row_bytes(const mdf_kv_cache *c)
{
    return mdf_dtype_row_bytes(c->type, (size_t)c->head_dim);
}

bool mdf_kv_rows_reserve(const mdf_kv_cache *c, mdf_kv_rows *r, int64_t rows)
{
    if (rows > r->capacity) {
        const size_t bytes = (size_t)c->kv_heads * mdf_kv_row_bytes(c);
        mdf_free(r->k);
        mdf_free(r->v);
        r->k = mdf_alloc((size_t)rows, bytes);
        r->v = mdf_alloc((size_t)rows, bytes);
        r->capacity = r->k == NULL || r->v == NULL ? 0 : rows;
    }
    return r->capacity >= rows;
}

static void rows_free(mdf_kv_rows *r, int count)
{
    for (int i = 0; r != NULL && i < count; i++) {
        mdf_free(r[i].k);
        mdf_free(r[i].v);
    }
    mdf_free(r);
}

void mdf_kv_cache_free(mdf_kv_cache *c)
{
    rows_free(c->layer, c->layers);
    rows_free(c->branch, c->branches);
    mdf_free(c->film);
    mdf_free(c->film_known);
    *c = (mdf_kv_cache){0};
}

static int64_t head_dim_of(const mdf_config *config)
{
    return config->text.hidden_size / config->text.num_attention_heads;
}

mdf_status mdf_kv_type_check(mdf_dtype type, const mdf_config *config, mdf_error *err)
{
    const int64_t head_dim = head_dim_of(config);
    if (type != MDF_DTYPE_F16 && type != MDF_DTYPE_BF16 && type != MDF_DTYPE_F32 &&
        type != MDF_DTYPE_Q8_0) {
        return mdf_fail(err, MDF_ERR_ARG, "kv_type %s is none of F16, BF16, F32 and Q8_0",
                        mdf_dtype_name(type));
    }
    if (mdf_dtype_row_bytes(type, (size_t)head_dim) == 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "kv_type %s keeps numbers in blocks of %zu: the model's heads of %lld "
                        "are no whole blocks",
                        mdf_dtype_name(type), mdf_dtype_block(type), (long long)head_dim);
    }
    return MDF_OK;
}

static bool allocate(mdf_kv_cache *c, const mdf_config *config)
{
    const size_t branches = (size_t)c->branches + 1; /* never none */
    c->layer = mdf_alloc((size_t)c->layers, sizeof *c->layer);
    c->branch = mdf_alloc(branches, sizeof *c->branch);
    c->film_known = mdf_alloc(branches, sizeof *c->film_known);
    bool ok = c->layer != NULL && c->branch != NULL && c->film_known != NULL;
    if (ok && config->fusion.film_direction == MDF_FILM_UNET_TO_TEXT) {
        c->film = mdf_alloc(branches * (size_t)c->film_width, sizeof *c->film);
        ok = c->film != NULL;
    }
    for (int i = 0; ok && i < c->layers; i++) {
        ok = mdf_config_is_cross_layer(config, i) ||
             mdf_kv_rows_reserve(c, &c->layer[i], c->capacity);
    }
    return ok;
}

mdf_status mdf_kv_cache_new(mdf_kv_cache *c, const mdf_config *config, int64_t capacity,
                            mdf_dtype type, mdf_error *err)
{
    *c = (mdf_kv_cache){.type = type,
                        .kv_heads = config->text.num_key_value_heads,
                        .head_dim = head_dim_of(config),
                        .capacity = capacity,
                        .film_width = 2 * (int64_t)config->text.hidden_size,
                        .layers = config->text.num_hidden_layers,
                        .branches = config->fusion.map_count};
    MDF_TRY(mdf_kv_type_check(type, config, err));
    if (!allocate(c, config)) {
        mdf_kv_cache_free(c);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a cache of %lld tokens",
                        (long long)capacity);
    }
    return MDF_OK;
}

/* The rows that are known, head by head, in memory for more of them; NULL: there is none. */
static uint8_t *moved(const mdf_kv_cache *c, const void *from, const mdf_kv_rows *r,
                      int64_t capacity)
{
    const size_t bytes = mdf_kv_row_bytes(c);
    uint8_t *to = mdf_alloc((size_t)capacity, (size_t)c->kv_heads * bytes);
    for (int64_t head = 0; to != NULL && head < c->kv_heads; head++) {
        memcpy(to + (size_t)(head * capacity) * bytes,
               (const uint8_t *)from + (size_t)(head * r->capacity) * bytes,
               (size_t)r->rows * bytes);
    }
    return to;
}

static bool grow(const mdf_kv_cache *c, mdf_kv_rows *r, int64_t capacity)
{
    uint8_t *k = moved(c, r->k, r, capacity);
    uint8_t *v = k == NULL ? NULL : moved(c, r->v, r, capacity);
    if (v == NULL) {
        mdf_free(k);
        return false;
    }
    mdf_free(r->k);
    mdf_free(r->v);
    *r = (mdf_kv_rows){.k = k, .v = v, .rows = r->rows, .capacity = capacity};
    return true;
}

mdf_status mdf_kv_cache_grow(mdf_kv_cache *c, const mdf_config *config, int64_t capacity,
                             mdf_error *err)
{
    for (int i = 0; i < c->layers; i++) {
        mdf_kv_rows *r = &c->layer[i];
        if (!mdf_config_is_cross_layer(config, i) && r->capacity < capacity &&
            !grow(c, r, capacity)) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a cache of %lld tokens",
                            (long long)capacity);
        }
    }
    c->capacity = capacity > c->capacity ? capacity : c->capacity;
    return MDF_OK;
}

void mdf_kv_cache_clear(mdf_kv_cache *c, const mdf_config *config, bool pictures_stay)
{
    c->used = 0;
    for (int i = 0; i < c->layers; i++) {
        if (!pictures_stay || !mdf_config_is_cross_layer(config, i)) {
            c->layer[i].rows = 0;
        }
    }
    for (int i = 0; i < c->branches; i++) {
        c->branch[i].rows = 0;
        c->film_known[i] = false;
    }
}

size_t mdf_kv_cache_bytes(const mdf_kv_cache *c)
{
    int64_t rows = 0;
    for (int i = 0; i < c->layers; i++) {
        rows += c->layer[i].capacity;
    }
    for (int i = 0; i < c->branches; i++) {
        rows += c->branch[i].capacity;
    }
    return 2 * (size_t)(rows * c->kv_heads) * mdf_kv_row_bytes(c);
}

size_t mdf_kv_cache_need(const mdf_config *config, int64_t tokens, int64_t keys, mdf_dtype type)
{
    const int64_t patches = (int64_t)config->fusion.grid * config->fusion.grid;
    int64_t rows = config->fusion.map_count * patches;
    for (int i = 0; i < config->text.num_hidden_layers; i++) {
        rows += mdf_config_is_cross_layer(config, i) ? keys : tokens;
    }
    return 2 * (size_t)(rows * config->text.num_key_value_heads) *
           mdf_dtype_row_bytes(type, (size_t)head_dim_of(config));
}

/* Rows at, at+1, .. of every head = x [n, kv_heads * head_dim]. */
static void write_rows(const mdf_graph *g, const mdf_kv_cache *c, int64_t capacity, void *out,
                       int64_t at, const mdf_tensor *x)
{
    const size_t bytes = mdf_kv_row_bytes(c);
    for (int64_t head = 0; head < c->kv_heads; head++) {
        uint8_t *to = (uint8_t *)out + (size_t)(head * capacity + at) * bytes;
        const mdf_real *from = x->data + head * c->head_dim;
        for (int64_t i = 0; i < x->dim[0]; i++) {
            g->kernels->narrow(to, c->type, from, c->head_dim);
            to += bytes;
            from += c->kv_heads * c->head_dim;
        }
    }
}

mdf_kv mdf_kv_append(mdf_graph *g, mdf_kv_cache *c, int layer, mdf_kv fresh)
{
    if (fresh.k == NULL || fresh.v == NULL) {
        return (mdf_kv){0};
    }
    mdf_kv_rows *r = &c->layer[layer];
    const int64_t n = fresh.k->dim[0];
    if (c->used + n > c->capacity) {
        const long long wanted = c->used + n;
        (void)mdf_graph_fail(g, MDF_ERR_LIMIT, "cache", "%lld tokens, more than the %lld it holds",
                             wanted, (long long)c->capacity);
        return (mdf_kv){0};
    }
    write_rows(g, c, r->capacity, r->k, c->used, fresh.k);
    write_rows(g, c, r->capacity, r->v, c->used, fresh.v);
    r->rows = c->used + n;
    return mdf_kv_stored(g, c, r);
}

mdf_kv mdf_kv_store(mdf_graph *g, const mdf_kv_cache *c, mdf_kv_rows *rows, mdf_kv fresh)
{
    if (fresh.k == NULL || fresh.v == NULL) {
        return (mdf_kv){0};
    }
    const int64_t n = fresh.k->dim[0];
    if (!mdf_kv_rows_reserve(c, rows, n)) {
        (void)mdf_graph_fail(g, MDF_ERR_NOMEM, "cache", "out of memory for %lld keys",
                             (long long)n);
        return (mdf_kv){0};
    }
    write_rows(g, c, rows->capacity, rows->k, 0, fresh.k);
    write_rows(g, c, rows->capacity, rows->v, 0, fresh.v);
    rows->rows = n;
    return mdf_kv_stored(g, c, rows);
}

mdf_kv mdf_kv_stored(mdf_graph *g, const mdf_kv_cache *c, const mdf_kv_rows *rows)
{
    const int64_t dim[3] = {c->kv_heads, rows->capacity, c->head_dim};
    return (mdf_kv){mdf_constant_raw(g, rows->k, c->type, 3, dim),
                    mdf_constant_raw(g, rows->v, c->type, 3, dim)};
}

void mdf_kv_store_film(mdf_kv_cache *c, int branch, const mdf_tensor *film)
{
    if (film != NULL) {
        const size_t n = (size_t)c->film_width;
        memcpy(c->film + (size_t)branch * n, film->data, n * sizeof *c->film);
        c->film_known[branch] = true;
    }
}

mdf_tensor *mdf_kv_stored_film(mdf_graph *g, const mdf_kv_cache *c, int branch)
{
    const int64_t dim[2] = {1, c->film_width};
    return c->film_known[branch] ? mdf_constant(g, c->film + branch * c->film_width, 2, dim) : NULL;
}
