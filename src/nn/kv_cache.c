/* Keys and values that a case's later tokens need again. */
#include "nn/kv_cache.h"

#include <string.h>

#include "base/alloc.h"

static bool reserve(mdf_kv_rows *r, int64_t rows, int64_t width)
{
    if (rows > r->capacity) {
        mdf_free(r->k);
        mdf_free(r->v);
        r->k = mdf_alloc((size_t)(rows * width), sizeof *r->k);
        r->v = mdf_alloc((size_t)(rows * width), sizeof *r->v);
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
    rows_free(c->film, c->branches);
    *c = (mdf_kv_cache){0};
}

mdf_status mdf_kv_cache_new(mdf_kv_cache *c, const mdf_config *config, int64_t capacity,
                            mdf_error *err)
{
    const int64_t head_dim = config->text.hidden_size / config->text.num_attention_heads;
    *c = (mdf_kv_cache){.width = head_dim * config->text.num_key_value_heads,
                        .capacity = capacity,
                        .layers = config->text.num_hidden_layers,
                        .branches = config->fusion.map_count};
    c->layer = mdf_alloc((size_t)c->layers, sizeof *c->layer);
    c->branch = mdf_alloc((size_t)c->branches + 1, sizeof *c->branch);
    c->film = mdf_alloc((size_t)c->branches + 1, sizeof *c->film);
    bool ok = c->layer != NULL && c->branch != NULL && c->film != NULL;
    for (int i = 0; ok && i < c->layers; i++) {
        ok = mdf_config_is_cross_layer(config, i) || reserve(&c->layer[i], capacity, c->width);
    }
    if (!ok) {
        mdf_kv_cache_free(c);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a cache of %lld tokens",
                        (long long)capacity);
    }
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
        c->film[i].rows = 0;
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
    const size_t bytes = (size_t)(n * c->width) * sizeof *r->k;
    memcpy(r->k + c->used * c->width, fresh.k->data, bytes);
    memcpy(r->v + c->used * c->width, fresh.v->data, bytes);
    r->rows = c->used + n;
    return mdf_kv_stored(g, r, c->width);
}

void mdf_kv_store(mdf_graph *g, mdf_kv_rows *rows, mdf_kv fresh)
{
    if (fresh.k == NULL || fresh.v == NULL) {
        return;
    }
    const int64_t n = fresh.k->dim[0];
    const int64_t width = fresh.k->dim[1];
    if (!reserve(rows, n, width)) {
        (void)mdf_graph_fail(g, MDF_ERR_NOMEM, "cache", "out of memory for %lld keys",
                             (long long)n);
        return;
    }
    memcpy(rows->k, fresh.k->data, (size_t)(n * width) * sizeof *rows->k);
    memcpy(rows->v, fresh.v->data, (size_t)(n * width) * sizeof *rows->v);
    rows->rows = n;
}

mdf_kv mdf_kv_stored(mdf_graph *g, const mdf_kv_rows *rows, int64_t width)
{
    const int64_t dim[2] = {rows->rows, width};
    return (mdf_kv){mdf_constant(g, rows->k, 2, dim), mdf_constant(g, rows->v, 2, dim)};
}
